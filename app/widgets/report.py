"""What an edit did, in words: one sentence beside the picture, and a report of what was asked and what else changed.

The sentence follows from what is read in the two pictures, not from why the edit stopped: "Smile reached; 2 other
things changed: glasses, mustache." It is green where all that was asked is there and nothing else changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from app.core.session import STOPPED, TAKEN, Edit
from app.widgets.attribute_sliders import label_of

if TYPE_CHECKING:
    from torch import Tensor

    from app.models.services import Reading
    from sgf_hub.editing.changes import Changes

Point = tuple[float, float]

NAMED = 4  # names in a sentence, beyond which the others are counted
SEEN = 0.03
"""A `change_seen` from which on a picture looks changed; a mustache or a smile is 0.14 or more."""
_OUTSIDE = (
    "The model reads what you asked for, and few pictures of this generator lie so far out: trust your eyes. Undo, and "
    "ask for less at once."
)
_BY_POINTS = ("smile", "mouth_open", "eyes_closed", "brows_raised")


@dataclass(frozen=True)
class Verdict:
    """What is said of an edit beside its picture.

    Args:
        tone: "good", "fair" or "bad".
        words: the sentence.
        hold: what changed beside what was asked, and could be held.
        worse: whether it went away from what was asked, or changed more than it achieved.
        met: whether all that was asked is there.
    """

    tone: str
    words: str
    hold: tuple[str, ...] = ()
    worse: bool = False
    met: bool = False


UNCHANGED = "No step was better than the picture you had: it is as it was."


def verdict(edit: Edit, before: Reading, after: Reading) -> Verdict:
    """What is said of an edit of attributes and points."""
    if before.image.equal(after.image):
        return Verdict("fair", UNCHANGED)
    found = _changes(edit, before, after)
    wishes = _wishes(edit, before, after)
    met = all(one.met for one in wishes)
    others = tuple(found.others)
    asked = _asked_in_words(wishes)
    for said, rose in (("gave way", False), ("came instead", True)):
        rivals = [name for name, (p0, p1) in found.excluded.items() if (p1 > p0) == rose]
        asked += f", {_named(rivals)} {said}" if rivals else ""
    tone = "good" if met and not others else "fair"
    tone = {"NOT_FINITE": "bad", "OUT_OF_DISTRIBUTION": "fair"}.get(edit.reason, tone)
    achieved = sum(one.gone for one in wishes)
    worse = achieved < 0 or len(others) > achieved
    return Verdict(tone, f"{asked[:1].upper()}{asked[1:]}; {_others_in_words(others)}.", others, worse, met)


@dataclass(frozen=True)
class _Asked:
    """An attribute that was asked for, or all points together.

    Args:
        words: that it is there.
        short: that it is not, and how far it came.
        met: whether it is there.
        gone: the share of its way that was gone, below 0 where it went away.
    """

    words: str
    short: str
    met: bool
    gone: float


def _wishes(edit: Edit, before: Reading, after: Reading) -> list[_Asked]:
    from sgf_hub.predictors.base import ATTRIBUTE_TOLERANCE, KEYPOINT_TOLERANCE

    old, new, wishes = before.attributes, after.attributes, edit.plan.wishes
    found = []
    for name, wish in wishes.items():
        if not isinstance(wish, int | float):
            continue
        label, left = label_of(name).lower(), abs(new[name] - wish)
        there = "gone" if wish < 0.5 and wish < old[name] else "reached"
        words = f"{label} {there}" if wish in (0, 1) else f"{label} at {new[name] * 100:.0f}"
        short = f"{label} at {new[name] * 100:.0f} of the {wish * 100:.0f} asked"
        gone = _share(abs(old[name] - wish), left)
        found.append(_Asked(words, short, left <= ATTRIBUTE_TOLERANCE + 1e-6, gone))
    points = {name: wish for name, wish in wishes.items() if name in before.points}
    if points:
        was, left = (_mean_distance(reading.points, points) for reading in (before, after))
        title = edit.plan.gesture or ("the point" if len(points) == 1 else "the points")
        gone, met = _share(was, left), edit.reason == "TARGET_REACHED" or left <= KEYPOINT_TOLERANCE + 1e-6
        came = f"came {gone:.0%} of the way" if gone >= 0 else "went away from where you put it"
        found.append(_Asked(f"{title} reached", f"{title} {came}", met, gone))
    return found


def came(edit: Edit, after: Reading) -> dict[str, tuple[Point, float]]:
    """The points that were asked for: where each was put, and how far from there it is.

    That is 0 of one that arrived, and of all where they arrived together, as they are asked for.
    """
    from sgf_hub.predictors.base import KEYPOINT_TOLERANCE

    asked = {name: wish for name, wish in edit.plan.wishes.items() if name in after.points}
    rests = {name: math.dist(after.points[name], wish) for name, wish in asked.items()}  # type: ignore[arg-type]
    near = KEYPOINT_TOLERANCE + 1e-6
    together = edit.reason == "TARGET_REACHED" or sum(rests.values()) <= near * len(rests)
    return {name: (asked[name], 0.0 if together or rest <= near else rest) for name, rest in rests.items()}  # type: ignore[misc]


def _share(was: float, left: float) -> float:
    return 1 - left / was if was > 1e-6 else 1.0


def _mean_distance(points: Any, wishes: Any) -> float:
    return sum(math.dist(points[name], wish) for name, wish in wishes.items()) / len(wishes)


def _asked_in_words(wishes: Sequence[_Asked]) -> str:
    if len(wishes) <= NAMED - 1:
        return ", ".join(one.words if one.met else one.short for one in wishes)
    met = sum(one.met for one in wishes)
    return f"{'all' if met == len(wishes) else f'{met} of'} {len(wishes)} wishes reached"


def _others_in_words(names: Sequence[str]) -> str:
    if not names:
        return "nothing else changed"
    count = "1 other thing" if len(names) == 1 else f"{len(names)} other things"
    return f"{count} changed: {_named(names)}"


def _named(names: Iterable[str]) -> str:
    """A few names in a row: "glasses, mustache and 3 more"."""
    labels = [label_of(name).lower() for name in names]
    if len(labels) <= NAMED:
        return ", ".join(labels)
    return f"{', '.join(labels[: NAMED - 1])} and {len(labels) - NAMED + 1} more"


def _changes(edit: Edit, before: Reading, after: Reading) -> Changes:
    from sgf_hub.editing.changes import changes

    return changes(before.spec, before.c, after.c, edit.plan.wishes, edit.plan.release)


def headline(edit: Edit) -> tuple[str, str]:
    """Why an edit stopped and which of its steps is shown, in a few words, and what that means."""
    from sgf_hub.editing import StopReason

    steps = f"{edit.steps} step" + ("" if edit.steps == 1 else "s")
    shown = f"; step {edit.step} is shown" if edit.step != edit.steps else ""
    if edit.reason == STOPPED:
        return f"Stopped by you after {steps}{shown}", "The best picture so far is kept: edit on from here, or undo."
    if edit.reason == TAKEN:
        return f"Step {edit.steps}, taken by you", "Edit on from here, or take another step."
    reason = StopReason[edit.reason]
    if reason is StopReason.TARGET_REACHED and edit.plan.note:  # it is near to what the words were taken for
        return f"As near as such words come after {steps}", edit.plan.note
    if reason is StopReason.OUT_OF_DISTRIBUTION:
        return f"Outside of what the generator draws, after {steps}{shown}", _OUTSIDE
    words = reason.value[:1].upper() + reason.value[1:]
    return f"{words} after {steps}{shown}", reason.advice


def whereabouts(edit: Edit) -> str:
    """Whether an edit stayed within what its generator draws, as HTML; "" where that is not known."""
    far = edit.outlyingness
    if far is None:
        return ""
    where = "Within what the generator draws" if far <= 1 else "Outside of what the generator draws"
    return f'<p class="whereabouts">{where}: at {far:.2f} of how far out 99 in 100 of its pictures lie.</p>'


def change_seen(before: Tensor, after: Tensor) -> float:
    """The largest change between two pictures, [3, R, R] in [-1, 1], over an eighth of their side, in [0, 1]."""
    from torch.nn.functional import avg_pool2d

    change = (after - before).abs().mean(dim=0, keepdim=True)[None] / 2
    return float(avg_pool2d(change, max(1, change.shape[-1] // 8)).max())


def ended(edit: Edit, said: Verdict) -> str:
    """Why an edit stopped, in a few words; of one that came out right, which of its steps is shown."""
    if said.met and edit.reason in ("STALLED", "STEP_LIMIT"):
        return f"Step {edit.step} of {edit.steps}."
    return f"{headline(edit)[0]}."


def advice(edit: Edit, before: Reading, after: Reading, said: Verdict) -> str:
    """What can be done about what came of an edit, in a few sentences; "" where nothing need be."""
    _, meant = headline(edit)
    if said.met and edit.reason in ("STALLED", "STEP_LIMIT"):
        return ""
    if edit.reason == "TARGET_REACHED":
        if change_seen(before.image, after.image) >= SEEN:
            return ""
        return (
            "The model now reads the face as you asked, and yet it hardly changed to the eye: ask for more of it, or "
            "for something that shows more."
        )
    return " ".join(_remedies(edit, before)) if edit.reason in ("STEP_LIMIT", "STALLED") else meant


def _remedies(edit: Edit, before: Reading) -> list[str]:
    """What may help an edit that did not arrive, the likeliest first."""
    plan = edit.plan
    raised = [name for name, wish in plan.wishes.items() if name in before.attributes and wish > 0.5]  # type: ignore[operator]
    rivals = [(one, other) for one in raised for other in raised if one < other and other in before.spec.siblings(one)]
    if rivals:
        one, other = (label_of(name) for name in rivals[0])
        return [f"{one} and {other.lower()} cannot both be: ask for one of them."]
    remedies = []
    if plan.layers is not None:
        first, last = plan.layers
        remedies.append(f"Only layers {first + 1} to {last} were edited: take in more of them (Advanced).")
    points = [name for name in plan.wishes if name not in before.attributes]
    if edit.reason == "STEP_LIMIT":
        again = "drag on" if points else "press Edit again to go on"
        remedies.append(f"The steps ran out: {again} from here, or allow more steps (Advanced).")
    else:
        remedies.append(
            "It stopped coming closer: ask for less at once, in two edits, or with less strength (Advanced)."
        )
    if points and len(points) < len(plan.wishes):
        remedies.append("Points and sliders at once are hard to meet: edit by one of them, then by the other.")
    elif points:
        remedies.append("Points that belong together go further when they are moved together (Whole features).")
    else:
        if not plan.release:
            remedies.append("Or open the locks of what may change with it.")
        if any(name in _BY_POINTS for name in plan.wishes):
            remedies.append("The tab Keypoints can ask for the same by points.")
    return remedies


def drift(edit: Edit, before: Reading, after: Reading) -> float:
    """How far the keypoints that were neither asked for nor released moved, on average, in sides of the picture."""
    old, new = before.points, after.points
    held = [name for name in old if name not in edit.plan.wishes and name not in edit.plan.release]
    return sum(math.dist(old[name], new[name]) for name in held) / len(held) if held else 0.0


def report(edit: Edit, before: Reading, after: Reading, said: Verdict) -> str:
    """The whole report as HTML."""
    words = " ".join(filter(None, (ended(edit, said), advice(edit, before, after, said))))
    return "".join((
        f'<div class="verdict {said.tone}"><strong>{escape(said.words)}</strong>'
        f"<p>{escape(words)}</p>{whereabouts(edit)}</div>",
        _asked(edit, before, after),
        _others(edit, before, after),
    ))  # fmt: skip


def _asked(edit: Edit, before: Reading, after: Reading) -> str:
    attributes = [name for name in edit.plan.wishes if name in before.attributes]
    points = [name for name in edit.plan.wishes if name in before.points]
    old, new = before.attributes, after.attributes
    rows = [_row(name, old[name], new[name], wish=edit.plan.wishes[name]) for name in attributes]
    if points:
        was, left = (
            sum(math.dist(reading.points[name], edit.plan.wishes[name]) for name in points) / len(points)  # type: ignore[arg-type,misc]
            for reading in (before, after)
        )
        count = "1 keypoint" if len(points) == 1 else f"{len(points)} keypoints"
        rows.append(
            f"<tr><th>{count}</th><td colspan='2'>mean distance to where you put "
            f"{'it' if len(points) == 1 else 'them'}: <b>{was:.1%}</b> of the picture → <b>{left:.1%}</b></td></tr>"
        )
    return f'<table class="changes"><caption>What you asked for</caption><tbody>{"".join(rows)}</tbody></table>'


def _others(edit: Edit, before: Reading, after: Reading) -> str:
    found = _changes(edit, before, after)
    changed = {**found.others, **found.excluded, **found.freed}
    count = len([name for name in before.attributes if name not in edit.plan.wishes])
    moved = drift(edit, before, after)
    notes = []
    if not changed:
        other = "other " if count < len(before.attributes) else ""
        notes.append(f"None of the {other}{count} attributes changed.")
    # a wish about an attribute moves points by its nature; only an edit of points is judged by the points it held
    if any(name in before.points for name in edit.plan.wishes) and moved > 0:
        notes.append(f"The points that were held moved by {moved:.1%} of the picture on average.")
    tags = {**dict.fromkeys(found.excluded, "excludes what you asked for"), **dict.fromkeys(found.freed, "was free to")}
    rows = "".join(_row(name, *ends, tag=tags.get(name, "")) for name, ends in changed.items())
    table = f"<tbody>{rows}</tbody>" if rows else ""
    note = "".join(f'<p class="{"calm" if not changed else ""}">{escape(note)}</p>' for note in notes)
    return f'<table class="changes"><caption>What else changed</caption>{table}</table>{note}'


def _row(name: str, old: float, new: float, *, wish: object = None, tag: str = "") -> str:
    goal = float(wish) if isinstance(wish, int | float) else None
    tag = f" <small>({tag})</small>" if tag else ""
    return (
        f"<tr><th>{escape(label_of(name))}{tag}</th><td>{bar(old, new, goal)}</td>"
        f"<td class='numbers'>{old * 100:.0f} → <b>{new * 100:.0f}</b></td></tr>"
    )


def bar(old: float, new: float, goal: float | None = None) -> str:
    """The way from one number in [0, 1] to another as a bar of HTML, and a mark where it should have come to."""
    low, high = sorted((old, new))
    mark = f'<i class="goal" style="left:{goal:.1%}"></i>' if goal is not None else ""
    return (
        f'<span class="bar {"up" if new >= old else "down"}"><i class="span" style="left:{low:.1%};'
        f'width:{high - low:.1%}"></i><i class="end" style="left:{new:.1%}"></i>{mark}</span>'
    )
