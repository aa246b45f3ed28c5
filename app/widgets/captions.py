"""Captions compared: which words changed, and what an edit by sentence did."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from typing import TYPE_CHECKING

from app.core.session import Edit
from app.widgets.report import NAMED, UNCHANGED, Verdict, bar, ended, headline, whereabouts

if TYPE_CHECKING:
    from app.models.captioning import Flower
    from sgf_hub.predictors.captions.grounding import Kept

# where the library's advice speaks of attributes, which can be released
_ADVICE = {
    "STEP_LIMIT": "The steps ran out before the target was reached: press Edit again to go on from here, allow more "
    "steps (Advanced), or ask for less at once.",
    "STALLED": "The caption came no closer to your words: what you ask for may lie outside of what the generator can "
    "draw; try words that are nearer to its caption.",
}
_SAME_WORDS = "The model still describes the flower in the same words: ask for another colour, size or shape."
TRY_OTHERS = "Try English words like those of the examples: colours, sizes, shapes of petals."

# Gradio fills templates in what it shows: what a visitor typed must not be one
_TEMPLATE_SIGNS = str.maketrans({sign: f"&#{ord(sign)};" for sign in "{}$`"})


def safe(text: str) -> str:
    """A text as HTML that shows it letter by letter."""
    return escape(text).translate(_TEMPLATE_SIGNS)


def unfamiliar(nearest: str) -> str:
    """What is said of words that are unlike all captions; `nearest` is the nearest of those."""
    return (
        "The model reads English, and knows no flower described like this (the nearest it knows is "
        f"“{nearest}”); it tries all the same."
    )


def nothing_to_do(known: bool) -> str:
    """What is said of an edit that took no step.

    Args:
        known: whether the model knows words like those that were asked.
    """
    if known:
        return "The flower already shows what you ask for, as near as an edit can tell."
    return f"The model does not understand these words, so nothing was changed. {TRY_OTHERS}"


def marked(before: str, after: str) -> list[tuple[str, bool]]:
    """The words of `after`, and whether each is new; punctuation and case are no difference."""
    old, new = before.split(), after.split()
    same = SequenceMatcher(None, _plain(old), _plain(new), autojunk=False).get_matching_blocks()
    kept = {block.b + i for block in same for i in range(block.size)}
    return [(word, i not in kept) for i, word in enumerate(new)]


def _plain(words: list[str]) -> list[str]:
    return [word.strip(",.;:!?").lower() for word in words]


def verdict(edit: Edit, before: Flower, after: Flower, kept: Kept) -> Verdict:
    """What is said of an edit by sentence beside its picture; what became of the caption counts, not why it stopped.

    Args:
        edit: the edit.
        before: the flower before.
        after: and now.
        kept: what became of its caption.
    """
    old, new = before.similarity or 0.0, after.similarity or 0.0
    if edit.step == 0:
        return Verdict("fair", UNCHANGED)
    if not kept.says or edit.plan.note:
        near = f"similarity {new:.2f} after {old:.2f}"
        return Verdict("fair", f"The caption does not say what you asked for ({near}).", worse=new < old - 0.005)
    rest = [f"{verb} {_quoted(words)}" for verb, words in (("lost", kept.lost), ("gained", kept.gained)) if words]
    if rest:
        return Verdict("fair", f"The caption says what you asked for; besides, it {' and '.join(rest)}.", met=True)
    return Verdict("good", "The caption says what you asked for, and the rest of it is held.", met=True)


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words[:NAMED]) + (f" and {len(words) - NAMED} more" * (len(words) > NAMED))


def report(edit: Edit, before: Flower, after: Flower, said: Verdict) -> str:
    """What an edit by sentence did, as HTML."""
    old, new = before.similarity or 0.0, after.similarity or 0.0
    note, parts = edit.plan.note, [ended(edit, said)]
    if edit.reason != "TARGET_REACHED" and not said.met:
        parts.append(_ADVICE.get(edit.reason, headline(edit)[1]))
        parts += [_SAME_WORDS] if _plain(before.caption.split()) == _plain(after.caption.split()) else []
        parts.append(f"The caption it came to has a similarity of {new:.2f} to your words (1 is the same).")
    parts += [note, TRY_OTHERS] if note else []
    advice = " ".join(dict.fromkeys(parts))
    meter = bar(*(min(1.0, max(0.0, value)) for value in (old, new)))
    lines = (
        ("Before", marked(after.caption, before.caption), "del"),
        ("After", marked(before.caption, after.caption), "ins"),
    )
    rows = "".join(f"<tr><th>{title}</th><td>{_line(line, tag)}</td></tr>" for title, line, tag in lines)
    return (
        f'<div class="verdict {said.tone}"><strong>{safe(said.words)}</strong><p>{safe(advice)}</p>'
        f"{whereabouts(edit)}</div>"
        f'<table class="changes"><caption>What you asked for</caption><tbody>'
        f'<tr><td class="wish" colspan="3">{safe(str(edit.plan.wishes["caption"]))}</td></tr>'
        f"<tr><th>Similarity of the caption</th><td>{meter}</td>"
        f"<td class='numbers'>{old:.2f} → <b>{new:.2f}</b></td></tr></tbody></table>"
        f'<table class="changes captions"><caption>The picture as the model reads it</caption>'
        f"<tbody>{rows}</tbody></table>"
    )


def _line(words: list[tuple[str, bool]], tag: str) -> str:
    return " ".join(f"<{tag}>{safe(word)}</{tag}>" if changed else safe(word) for word, changed in words)
