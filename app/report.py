"""What an edit did, in words: why it stopped, what was asked, and what else changed."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from app.attribute_panel import label_of
from app.session import STOPPED, Edit

if TYPE_CHECKING:
    from app.services import Reading

NOTICED = 0.25
"""A change of probability from which on an attribute counts as changed."""


def headline(edit: Edit) -> tuple[str, str, str]:
    """Tone ("good", "fair", "bad"), a few words, and what it means, for why an edit stopped."""
    from sgf_hub.editor import StopReason

    steps = f"{edit.steps} step" + ("" if edit.steps == 1 else "s")
    if edit.reason == STOPPED:
        advice = "The closest picture so far is kept: edit on from here, or undo."
        return "fair", f"Stopped by you after {steps}", advice
    reason = StopReason[edit.reason]
    tone = {"TARGET_REACHED": "good", "NOT_FINITE": "bad"}.get(edit.reason, "fair")
    words = reason.value[:1].upper() + reason.value[1:]
    return tone, f"{words} after {steps}", reason.advice


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
    tone, words, advice = headline(edit)
    parts = [
        f'<div class="verdict {tone}"><strong>{escape(words)}</strong><p>{escape(advice)}</p></div>',
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
            sum(math.dist(reading.points[name], edit.plan.wishes[name]) for name in points) / len(points)
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
