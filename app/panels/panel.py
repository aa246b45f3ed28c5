"""The page's shared part: one picture, its history and the report of its last edit.

There is one workbench a kind of picture (`faces`, `flowers`). Tabs add ways of editing its picture: each builds its
controls and calls `Workbench.offer` with a function from what its controls say to a `Plan`. The session (seeds and
CPU latents, `app.core.session`) is all that is kept a visitor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.core import queue as turns
from app.core.errors import UserError, told
from app.core.model_sets import World
from app.core.queue import Waiting
from app.core.requests import seed_of, truncation_of
from app.core.session import Edit, Origin, Plan, Session, present
from app.models.latents import taken_in
from app.models.services import Models, Stops
from app.panels.comfort import shared
from app.panels.components import Parts
from app.panels.running import run
from app.panels.wiring import Offer, in_turn
from app.widgets import render
from app.widgets import stage as keypoint_canvas
from app.widgets.code import as_python
from app.widgets.report import headline
from app.widgets.timeline import timeline

if TYPE_CHECKING:  # torch, which the page is served without, brings it at run time
    from typing_extensions import Self

Updates = dict[Any, Any]
MakePlan = Callable[..., Plan]


@dataclass
class Workbench(Parts):
    """Components and handlers around one picture; what kind of picture it is, a subclass says.

    Args:
        world: the repos it runs on.
        models: shared by all visitors.
        stops: shared by all visitors, and by no other workbench.
    """

    world: World
    models: Models
    stops: Stops
    offers: list[Offer] = field(default_factory=list)

    def of(self, session: Session | None) -> Self:
        """The workbench for a visitor's session: another one where visitors have worlds of their own."""
        return self

    def start(self, origin: Origin) -> Session:
        """A session that begins with a picture of this world."""
        return Session(origin)

    # -- what a subclass says of its pictures; a picture has an `image`, and what is read in it ---------------------

    def look(self, latent: Any, plan: Plan | None = None) -> Any:
        """The picture of a latent, one sample; `plan` is the edit that led there."""
        raise NotImplementedError

    def seen(self, step: Any, plan: Plan) -> Any:
        """The picture of a step of an edit."""
        raise NotImplementedError

    def looked(self, step: Any, plan: Plan) -> Any:
        """What `look` gives of a step's latent, out of what the step has drawn and read if that was at full size."""
        whole = step.images.shape[-1] == self.models.generator(self.world.generator).resolution
        return self.seen(step, plan) if whole else self.look(step.latent, plan)

    def marks(self, now: Any, before: Any = None) -> dict[str, Any]:
        """What the stage shows beside the image, as `keypoint_canvas.scene` takes it."""
        raise NotImplementedError

    def describe(self, now: Any) -> str:
        """The picture in words, for those who do not see it."""
        raise NotImplementedError

    def in_tabs(self, now: Any, plan: Plan | None, done: Iterable[str] | None) -> Updates:
        """What the tabs show of it. `done` are wishes that are fulfilled; None clears them all."""
        raise NotImplementedError

    def report(self, edit: Edit, before: Any, now: Any) -> str:
        """What an edit did, as HTML."""
        raise NotImplementedError

    def consider(self, plan: Plan) -> Generator[Updates, None, Plan]:
        """What is shown before the first step of a plan; gives back the plan to take."""
        yield from ()
        return plan

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step, and what else is shown then."""
        return "The picture already shows what you ask for, as near as an edit can tell.", {}

    # -- what the page shows --------------------------------------------------------------------------------------

    @property
    def view(self) -> list[Any]:
        """Every component that `show` fills, but those of the tabs."""
        edit_and_stop = [button for offer in self.offers for button in (offer.edit, offer.stop)]
        return [
            self.session, self.stage, self.undo, self.redo, self.reset, self.result, self.compare, self.verdict,
            self.code, self.seed, self.timeline, self.share, self.whole, *edit_and_stop,
        ]  # fmt: skip

    def show(
        self,
        session: Session,
        *,
        strip: Sequence[tuple[int, str]] | None = (),
        mark: int | None = None,
        distances: Sequence[float] = (),
        done: Iterable[str] | None = None,
        looks: tuple[Any, Any] | None = None,
    ) -> Updates:
        """The whole page for a session: what every transition ends with.

        Args:
            session: the picture and its edits.
            strip: thumbnails of the steps that led here; None leaves those that are shown.
            mark: the step that is the picture.
            distances: of those steps.
            done: wishes that are fulfilled; None clears them all.
            looks: the pictures before the last edit and now, by who has just looked at them.
        """
        edit = session.last
        plan = edit.plan if edit else None
        now = looks[1] if looks else self.look(session.latent, plan)
        before = looks[0] if looks else self.look(session.before, plan) if edit else None
        drawn = [(session.latent, now.image), *([(session.before, before.image)] if before else [])]
        picture = render.picture(now.image, render.SIDE)
        updates: Updates = {
            self.session: session,
            self.stage: keypoint_canvas.scene(
                render.jpeg_uri(picture), alt=self.describe(now),
                status=self._status(session), strip=strip, mark=mark, distances=distances, done=done,
                **self.marks(now, before),
            ),
            self.timeline: timeline(self.models, self.world, session, drawn),
            self.share: keypoint_canvas.message(link=None),
            self.whole: gr.Checkbox(visible=session.cursor > 1),
            self.undo: gr.Button(interactive=session.can_undo),
            self.redo: gr.Button(interactive=session.can_redo),
            self.reset: gr.Button(interactive=session.can_undo),
            self.result: gr.Row(visible=edit is not None),
            self.code: as_python(session, self.world.generator),
            self.seed: "" if session.origin.seed is None else str(session.origin.seed),
            **self.in_tabs(now, plan, done),
            **self.running(False),
        }  # fmt: skip
        if edit is not None:
            updates[self.compare] = (render.picture(before.image, render.SIDE), picture)
            updates[self.verdict] = self.report(edit, before, now)
        return updates

    def _status(self, session: Session) -> str:
        if session.last is not None:
            return headline(session.last)[1] + "."
        if session.origin.seed is None:
            return session.origin.title
        return f"{self.noun.capitalize()} {session.origin.seed}."

    def running(self, running: bool) -> Updates:
        """Stop in place of Edit, or the other way round."""
        updates: Updates = {}
        for offer in self.offers:
            updates[offer.edit] = gr.Button(visible=not running)
            updates[offer.stop] = gr.Button(visible=running, interactive=running)
        return updates

    # -- handlers -------------------------------------------------------------------------------------------------

    def opening(self, session: Session | None, seed: object, variety: object, link: object = "") -> Iterator[Updates]:
        """The first picture that a visitor sees: the one that the page's address links to, if it does."""
        linked = shared(self, link)
        yield self.show(linked) if linked else self.begin(seed, variety)

    def begin(self, seed: object, variety: object) -> Updates:
        """A picture from a seed."""
        number, truncation = seed_of(seed), truncation_of(variety)
        latent = self.models.sample(self.world, number, truncation)
        return self.show(self.start(Origin(latent, number, truncation)))

    def shuffled(self, variety: object) -> Updates:
        """A picture from a random seed."""
        return self.begin(random.randrange(10_000), variety)

    def opened(self, path: str | None) -> Updates:
        """A picture from a latent file of the visitor's."""
        from sgf_hub.types import Latent

        if path is None:
            raise UserError("No file came: choose a latent that was saved here.")
        latent = taken_in(Latent.load(path), self.models, self.world)
        return self.show(self.start(Origin(latent)))

    def moved_in_history(self, move: Callable[[Session], Session]) -> Callable[[Session | None], Updates]:
        """A handler for undo, redo, reset."""

        def handler(session: Session | None) -> Updates:
            return self.of(session).show(move(present(session)))

        return handler

    def in_turn(self, handler: Callable) -> Callable:
        """The handler, computed when it is its visitor's turn; the stage says so while it is not."""
        return in_turn(self.models.turns, handler, lambda waiting: {self.stage: self.place(waiting)})

    def place(self, waiting: Waiting) -> Updates:
        """What the stage is told while it is somebody else's turn."""
        return keypoint_canvas.message(status=turns.told(waiting))

    def run(self, session: Session | None, plan: Plan, who: str) -> Iterator[Updates]:
        """Edit when it is the visitor's turn, one update a step; the last one shows the result."""
        yield from run(self, present(session), plan, who)

    # -- how tabs edit ---------------------------------------------------------------------------------------------

    def build_actions(self, run_id: str) -> None:
        """Edit and Stop, one in place of the other."""
        with gr.Row(elem_classes="actions"):
            edit = gr.Button("Edit", variant="primary", elem_id=f"edit-{run_id}")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id=f"stop-{run_id}")
        self.offers.append(Offer(edit, stop))

    def offer(self, make_plan: MakePlan, inputs: list[Any], *also: Any) -> None:
        """Say how a tab edits: what its Edit, the last one built, does.

        Args:
            make_plan: (session, *values of inputs) => Plan; raises for what cannot be asked.
            inputs: the tab's controls.
            also: events that do what Edit does.
        """

        def run(session: Session | None, request: gr.Request, *values: Any) -> Iterator[Updates]:
            bench = self.of(session)
            plan = make_plan(present(session), *values)
            yield from bench.run(session, plan, str(request.session_hash))

        offer = self.offers[-1]
        offer.run, offer.inputs, offer.events = told(run), inputs, [offer.edit.click, *also]

    def ask_to_stop(self, request: gr.Request) -> None:
        """End the visitor's running edit, if there is one, and show what came of it."""
        self.stops.ask(str(request.session_hash))

    def end_edit(self, request: gr.Request) -> None:
        """End it, and wait until its result stands."""
        self.stops.ask_and_wait(str(request.session_hash))

    def give_way(self, request: gr.Request) -> None:
        """End it for another picture: what came of it is not shown."""
        self.stops.ask(str(request.session_hash), superseded=True)
