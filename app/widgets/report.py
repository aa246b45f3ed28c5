"""What an edit did, in words: why it stopped, what was asked, and what else changed."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from app.core.session import STOPPED, TAKEN, Edit
from app.widgets.attribute_sliders import label_of

if TYPE_CHECKING:
    from torch import Tensor

    from app.models.services import Reading

NOTICED = 0.25
"""A change of probability from which on an attribute counts as changed."""
SEEN = 0.03
"""A `change_seen` from which on a picture looks changed; a mustache or a smile is 0.14 or more."""
WEAK = 0.1
"""A share of the way up to which nothing has come of an edit."""
_OUTSIDE = (
    "The model reads what you asked for, and few pictures of this generator lie so far out: trust your eyes. Undo, and "
    "ask for less at once."
)
_BY_POINTS = ("smile", "mouth_open", "eyes_closed", "brows_raised")


def headline(edit: Edit) -> tuple[str, str, str]:
    """Tone ("good", "fair", "bad"), a few words, and what it means, for why an edit stopped."""
    from sgf_hub.editing import StopReason

    steps = f"{edit.steps} step" + ("" if edit.steps == 1 else "s")
    if edit.reason == STOPPED:
        advice = "The closest picture so far is kept: edit on from here, or undo."
        return "fair", f"Stopped by you after {steps}", advice
    if edit.reason == TAKEN:
        advice = "It is part of the way to what you asked for: edit on from here, or take another step."
        return "good", f"Step {edit.steps}, taken by you", advice
    reason = StopReason[edit.reason]
    if reason is StopReason.TARGET_REACHED and edit.plan.note:  # it is near to what the words were taken for
        return "fair", f"As near as such words come after {steps}", edit.plan.note
    if reason is StopReason.OUT_OF_DISTRIBUTION:
        return "fair", f"Outside of what the generator draws, after {steps}", _OUTSIDE
    tone = {"TARGET_REACHED": "good", "NOT_FINITE": "bad"}.get(edit.reason, "fair")
    words = reason.value[:1].upper() + reason.value[1:]
    return tone, f"{words} after {steps}", reason.advice


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


def way_gone(edit: Edit, before: Reading, after: Reading) -> float:
    """How much of the way from `before` to what was asked was gone, in [0, 1]: the mean over all that was asked."""
    shares = []
    for name, wish in edit.plan.wishes.items():
        if name in before.attributes:
            start, left = (abs(reading.attributes[name] - wish) for reading in (before, after))  # type: ignore[operator]
        else:
            start, left = (math.dist(reading.points[name], wish) for reading in (before, after))  # type: ignore[arg-type]
        shares.append(1 - left / start if start > 1e-6 else 1.0)
    return min(1.0, max(0.0, sum(shares) / len(shares))) if shares else 0.0


def advice(edit: Edit, before: Reading, after: Reading) -> str:
    """What came of an edit and what can be done about it, in a few sentences."""
    _, _, meant = headline(edit)
    if edit.reason == "TARGET_REACHED" and change_seen(before.image, after.image) < SEEN:
        return (
            "The model now reads the face as you asked, and yet it hardly changed to the eye: ask for more of it, or "
            "for something that shows more."
        )
    if edit.reason not in ("STEP_LIMIT", "STALLED"):
        return meant
    gone = way_gone(edit, before, after)
    if before.image.equal(after.image):
        came = "No step came closer than the picture you had, so the picture is as it was."
    else:
        came = "Hardly anything came of it." if gone < WEAK else f"It came {gone:.0%} of the way."
    return " ".join([came, *_remedies(edit, before)])


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
    if edit.reason == "STEP_LIMIT":
        remedies.append("The steps ran out: press Edit again to go on from here, or allow more steps (Advanced).")
    else:
        remedies.append(
            "It stopped coming closer: ask for less at once, in two edits, or with less strength (Advanced)."
        )
    points = [name for name in plan.wishes if name not in before.attributes]
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


def side_effects(edit: Edit, before: Reading, after: Reading) -> list[tuple[str, float, float]]:
    """Attributes beside the asked ones whose probability changed, most changed first: (name, before, after)."""
    old, new = before.attributes, after.attributes
    changed = [(name, old[name], new[name]) for name in old if name not in edit.plan.wishes]
    return sorted((row for row in changed if abs(row[2] - row[1]) > NOTICED), key=lambda row: -abs(row[2] - row[1]))


def drift(edit: Edit, before: Reading, after: Reading) -> float:
    """How far the keypoints that were neither asked for nor released moved, on average, in sides of the picture."""
    old, new = before.points, after.points
    held = [name for name in old if name not in edit.plan.wishes and name not in edit.plan.release]
    return sum(math.dist(old[name], new[name]) for name in held) / len(held) if held else 0.0


def report(edit: Edit, before: Reading, after: Reading) -> str:
    """The whole report as HTML."""
    tone, words, _ = headline(edit)
    parts = [
        f'<div class="verdict {tone}"><strong>{escape(words)}</strong>'
        f"<p>{escape(advice(edit, before, after))}</p>{whereabouts(edit)}</div>",
        _asked(edit, before, after),
        _others(edit, before, after),
    ]
    return "".join(parts)


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
    changed = side_effects(edit, before, after)
    count = len([name for name in before.attributes if name not in edit.plan.wishes])
    moved = drift(edit, before, after)
    notes = []
    if not changed:
        other = "other " if count < len(before.attributes) else ""
        notes.append(f"None of the {other}{count} attributes changed.")
    # a wish about an attribute moves points by its nature; only an edit of points is judged by the points it held
    if any(name in before.points for name in edit.plan.wishes) and moved > 0:
        notes.append(f"The points that were held moved by {moved:.1%} of the picture on average.")
    rows = "".join(_row(*row, free=row[0] in edit.plan.release) for row in changed)
    table = f"<tbody>{rows}</tbody>" if rows else ""
    note = "".join(f'<p class="{"calm" if not changed else ""}">{escape(note)}</p>' for note in notes)
    return f'<table class="changes"><caption>What else changed</caption>{table}</table>{note}'


def _row(name: str, old: float, new: float, *, wish: object = None, free: bool = False) -> str:
    goal = float(wish) if isinstance(wish, int | float) else None
    tag = " <small>(was free to)</small>" if free else ""
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
