"""What a visitor has done so far: a picture and the edits made to it. No Gradio, no network, no picture in here.

A session is frozen and every transition gives a new one, so a handler that fails half-way has changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from app.core.errors import UserError
from app.core.model_sets import ModelSet

if TYPE_CHECKING:  # torch takes seconds to import: the page is served without it
    from sgf_hub.types import Latent, Wish

STEP_SIZES = {"w": 0.3, "z": 0.1}
"""Of `editing.stepping`, by the space of the mapping: written out, since the page is served without the library."""

VARIETY = 0.8
"""Psi of the first pictures."""

HISTORY_LIMIT = 60
"""Edits that may stand on one picture."""

STOPPED = "STOPPED"
"""Stands beside the names of `StopReason` for an edit that its visitor stopped."""
TAKEN = "TAKEN"
"""Stands beside them for an edit of which its visitor took a step as the result, the last one counted."""


@dataclass(frozen=True)
class Origin:
    """Where a session began.

    Args:
        latent: one sample, on the CPU.
        seed: what it was sampled from; None for a latent out of a file.
        truncation: psi of the sampling.
        title: what the page says of a picture that was not sampled.
    """

    latent: Latent
    seed: int | None = None
    truncation: float = VARIETY
    title: str = "The latent that you opened."


@dataclass(frozen=True)
class Plan:
    """What an edit is asked to do: all that is needed to do it again from the same latent.

    Args:
        editor: name of the mapping that edits.
        wishes: attribute to probability, keypoint to (x, y), or "caption" to a sentence.
        release: names that need not be held.
        max_steps: n.
        step_size: lambda of the first step; None for the mapping's own.
        note: what its visitor was told before it began.
        layers: of the w+ latent, the edited ones, first <= i < last; None for all.
        gesture: the one that placed the points, if they are as it places them.
        hold: names that are held as firmly as wishes are met.
        choose: which step is the result, as `EditConfig` has it.
    """

    editor: str
    wishes: Mapping[str, Wish]
    release: tuple[str, ...] = ()
    max_steps: int = 60
    step_size: float | None = None
    note: str = ""
    layers: tuple[int, int] | None = None
    gesture: str = ""
    hold: tuple[str, ...] = ()
    choose: Literal["balanced", "arrived"] = "balanced"


@dataclass(frozen=True)
class Edit:
    """An edit that was made.

    Args:
        plan: what was asked.
        latent: what came of it, one sample on the CPU.
        steps: how many were taken.
        reason: name of the `StopReason`, or `STOPPED`, or `TAKEN`.
        distance: what was left to go, in units of the tolerance.
        outlyingness: how far out the latent lies: above 1, farther than 99% of those that are sampled; None where that
            is not known.
        chosen: which of the steps it is; None for the last.
    """

    plan: Plan
    latent: Latent
    steps: int
    reason: str
    distance: float
    outlyingness: float | None = None
    chosen: int | None = None

    @property
    def step(self) -> int:
        """The step that is the picture."""
        return self.steps if self.chosen is None else self.chosen


@dataclass(frozen=True)
class Session:
    """A picture, the edits made to it, and how many of them stand (the others can be redone).

    Args:
        origin: where it began.
        edits: oldest first.
        cursor: how many of them stand.
        model_set: what the picture is drawn, read and edited by; None for that of the panel.
        left: the picture that was left for this one, with its edits: the way back.
    """

    origin: Origin
    edits: tuple[Edit, ...] = ()
    cursor: int = 0
    model_set: ModelSet | None = None
    left: Session | None = None

    @property
    def latent(self) -> Latent:
        """The picture as it is now."""
        return self.edits[self.cursor - 1].latent if self.cursor else self.origin.latent

    @property
    def standing(self) -> tuple[Edit, ...]:
        """The edits that lead from the origin to the picture as it is now."""
        return self.edits[: self.cursor]

    @property
    def last(self) -> Edit | None:
        """The edit that led to the picture as it is now."""
        return self.edits[self.cursor - 1] if self.cursor else None

    @property
    def before(self) -> Latent:
        """The picture before that edit."""
        return self.edits[self.cursor - 2].latent if self.cursor > 1 else self.origin.latent

    @property
    def can_undo(self) -> bool:
        """Whether an edit stands."""
        return self.cursor > 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone edit is remembered."""
        return self.cursor < len(self.edits)

    def applied(self, edit: Edit) -> Session:
        """With one more edit; what was undone before is forgotten.

        Raises:
            UserError: if `HISTORY_LIMIT` edits stand already.
        """
        if self.cursor >= HISTORY_LIMIT:
            raise UserError(
                f"A picture remembers {HISTORY_LIMIT} edits: undo some, or save the latent and open it again."
            )
        return replace(self, edits=(*self.standing, edit), cursor=self.cursor + 1)

    def undone(self) -> Session:
        """One edit back."""
        if not self.can_undo:
            raise UserError("There is nothing to undo: this is the picture that you began with.")
        return replace(self, cursor=self.cursor - 1)

    def redone(self) -> Session:
        """One edit forward."""
        if not self.can_redo:
            raise UserError("There is nothing to redo.")
        return replace(self, cursor=self.cursor + 1)

    def at(self, count: int) -> Session:
        """With so many of its edits standing; the others can be redone.

        Raises:
            UserError: if there are not so many.
        """
        if not 0 <= count <= len(self.edits):
            raise UserError(f"There is no point {count} on this timeline: it has 0 to {len(self.edits)}.")
        return replace(self, cursor=count)

    def amended(self, edit: Edit) -> Session:
        """With another result in place of the last edit's; what was undone before is forgotten."""
        if not self.can_undo:
            raise UserError("There is no edit here whose steps could be taken: edit first.")
        return replace(self, edits=(*self.edits[: self.cursor - 1], edit))

    def after(self, left: Session | None) -> Session:
        """With a way back to the picture that was left for this one; that one's own way back is forgotten."""
        return self if left is None else replace(self, left=replace(left, left=None))

    def returned(self) -> Session:
        """Back to the picture that was left for this one, which is left for that."""
        if self.left is None:
            raise UserError("There is no picture to go back to: this is the one that you began with.")
        return self.left.after(self)

    def reset(self) -> Session:
        """Back to the picture at the beginning; every edit can be redone."""
        return replace(self, cursor=0)


def present(session: Session | None) -> Session:
    """The visitor's session, or a sentence if there is none (any more).

    Raises:
        UserError: if the session was let go.
    """
    if not isinstance(session, Session):
        raise UserError(
            "The server restarted, or let this page's picture go after a long time: press New face, or New flower."
        )
    return session
