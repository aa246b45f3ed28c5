"""The page's shared part: one face, its picture, its history and the report of its last edit.

Tabs add ways of editing that face: each builds its controls and calls `Workbench.offer` with a function from what its
controls say to a `Plan`. The session (seeds and CPU latents, `app.session`) is all that is kept a visitor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from app import attribute_panel, keypoint_canvas, render
from app.code import as_python
from app.downloads import Downloads
from app.gestures import FEATURES
from app.report import headline, report
from app.services import Models, Reading, Stops, World, config_of
from app.session import STOPPED, Edit, Origin, Plan, Session, present
from app.told import UserError, told
from app.wishes import seed_of, truncation_of

FIRST_SEED = 7
COMPUTE = {"concurrency_id": "compute", "concurrency_limit": 1}
"""All that computes waits in one line: two edits at once would both be slow."""
QUIET = {"show_progress": "hidden", "api_visibility": "private"}
IDLE = 3600  # seconds after which a visitor's session is let go

_FETCH = "() => setTimeout(() => document.querySelector('#download').click(), 60)"  # once its address has arrived

Updates = dict[Any, Any]
MakePlan = Callable[..., Plan]


@dataclass
class Workbench:
    """Components and handlers around one face.

    Args:
        world: the repos it runs on.
        models: shared by all visitors.
        stops: shared by all visitors.
    """

    world: World
    models: Models
    stops: Stops
    offers: list[tuple[Callable, list[Any]]] = field(default_factory=list)  # how each tab edits, and its controls
    buttons: list[tuple[gr.Button, gr.Button]] = field(default_factory=list)  # edit and stop of each tab

    # -- components ---------------------------------------------------------------------------------------------

    def build_stage(self) -> None:
        """The picture, and below it whose face it is and the way back."""
        self.session = gr.State(None, time_to_live=IDLE)
        self.stage = keypoint_canvas.build_canvas(FEATURES, elem_id="stage")
        with gr.Row(elem_classes="tools", equal_height=True):
            self.undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo", min_width=60)
            self.redo = gr.Button("Redo", size="sm", interactive=False, elem_id="redo", min_width=60)
            self.reset = gr.Button("Reset", size="sm", interactive=False, elem_id="reset", min_width=60)
            self.open = gr.UploadButton(
                "Open latent", size="sm", min_width=96, file_types=[".safetensors"], elem_id="open-latent"
            )
        with gr.Row(elem_classes="face-bar", equal_height=True):
            self.seed = gr.Textbox(
                str(FIRST_SEED), label="Face number", max_lines=1, max_length=24, elem_id="seed", min_width=90, scale=2
            )
            self.variety = gr.Slider(
                0, 1, 0.8, step=0.05, label="Variety", elem_id="variety", min_width=130, scale=3, buttons=[]
            )
            self.shuffle = gr.Button("New face", elem_id="shuffle", min_width=90, scale=2)

    def build_result(self) -> None:
        """Before and after, the report, and what can be taken home; hidden until there is an edit."""
        with gr.Row(visible=False, elem_classes="result", elem_id="result") as self.result:
            with gr.Column(scale=5, min_width=300):
                self.compare = gr.ImageSlider(
                    format="jpeg", label="Before and after", show_label=False, interactive=False, buttons=[],
                    elem_id="compare", container=False,
                )  # fmt: skip
            with gr.Column(scale=6, min_width=300):
                self.verdict = gr.HTML(elem_id="verdict", apply_default_css=False)
                with gr.Row(elem_classes="take-home"):
                    self.png = gr.Button("Save PNG", size="sm", min_width=80, elem_id="save-png")
                    self.gif = gr.Button("Save GIF", size="sm", min_width=80, elem_id="save-gif")
                    self.latent = gr.Button("Save latent", size="sm", min_width=80, elem_id="save-latent")
                with gr.Accordion("Copy as Python", open=False, elem_classes="python"):
                    self.code = gr.Code(language="python", show_label=False, elem_id="code", interactive=False, lines=6)
        self.download = gr.DownloadButton(visible="hidden", elem_id="download")

    @property
    def view(self) -> list[Any]:
        """Every component that `show` fills."""
        edit_and_stop = [button for pair in self.buttons for button in pair]
        return [
            self.session, self.stage, self.panel, self.undo, self.redo, self.reset, self.result, self.compare,
            self.verdict, self.code, self.seed, *edit_and_stop,
        ]  # fmt: skip

    def build_panel(self) -> gr.HTML:
        """The sliders; made by the tab that shows them."""
        self.panel = attribute_panel.build_panel(elem_id="panel")
        return self.panel

    # -- what the page shows --------------------------------------------------------------------------------------

    def show(
        self,
        session: Session,
        *,
        strip: list[str] | tuple[str, ...] = (),
        distances: list[float] | tuple[float, ...] = (),
        done: Iterable[str] | None = None,
    ) -> Updates:
        """The whole page for a session: what every transition ends with.

        Args:
            session: the face and its edits.
            strip: thumbnails of the steps that led here.
            distances: of those steps.
            done: wishes that are fulfilled; None clears them all.
        """
        now = self.models.look(self.world, session.latent)
        edit = session.last
        image = render.jpeg_uri(render.picture(now.image, render.SIDE))
        updates: Updates = {
            self.session: session,
            self.stage: keypoint_canvas.scene(
                image, now.points, alt=describe(now), status=self._status(session), strip=strip, distances=distances,
                done=done,
            ),
            self.panel: attribute_panel.reads(now.attributes, done),
            self.undo: gr.Button(interactive=session.can_undo),
            self.redo: gr.Button(interactive=session.can_redo),
            self.reset: gr.Button(interactive=session.can_undo),
            self.result: gr.Row(visible=edit is not None),
            self.code: as_python(session, self.world.generator),
            self.seed: "" if session.origin.seed is None else str(session.origin.seed),
            **self._running(False),
        }  # fmt: skip
        if edit is not None:
            before = self.models.look(self.world, session.before)
            pair = [render.picture(reading.image, render.SIDE) for reading in (before, now)]
            updates[self.compare] = (pair[0], pair[1])
            updates[self.verdict] = report(edit, before, now)
        return updates

    def _status(self, session: Session) -> str:
        if session.last is not None:
            return headline(session.last)[1] + "."
        if session.origin.seed is None:
            return "The latent that you opened."
        return f"Face {session.origin.seed}."

    def _running(self, running: bool) -> Updates:
        updates: Updates = {}
        for edit, stop in self.buttons:
            updates[edit] = gr.Button(visible=not running)
            updates[stop] = gr.Button(visible=running, interactive=running)
        return updates

    # -- handlers -------------------------------------------------------------------------------------------------

    def begin(self, seed: object, variety: object) -> Updates:
        """A face from a seed."""
        number, truncation = seed_of(seed), truncation_of(variety)
        latent = self.models.sample(self.world, number, truncation)
        return self.show(Session(Origin(latent, number, truncation)))

    def shuffled(self, variety: object) -> Updates:
        """A face from a random seed."""
        return self.begin(random.randrange(10_000), variety)

    def opened(self, path: str | None) -> Updates:
        """A face from a latent file of the visitor's."""
        from sgf_hub.errors import BadValueError
        from sgf_hub.types import Latent

        if path is None:
            raise UserError("No file came: choose a latent that was saved here.")
        latent = Latent.load(path)
        if len(latent) != 1:
            raise BadValueError(f"the file holds {len(latent)} latents; the demo opens a file with one.")
        self.models.look(self.world, latent)  # refused here if it is no latent of this generator
        if latent.space == "z":
            latent = self.models.generator(self.world.generator).to_w(latent)  # type: ignore[attr-defined]
        return self.show(Session(Origin(latent)))

    def moved_in_history(self, move: Callable[[Session], Session]) -> Callable[[Session | None], Updates]:
        """A handler for undo, redo, reset."""

        def handler(session: Session | None) -> Updates:
            return self.show(move(present(session)))

        return told(handler)

    def run(self, session: Session | None, plan: Plan, who: str) -> Iterator[Updates]:
        """Edit, one update a step; the last one shows the result, whatever ended it."""
        from sgf_hub.editor import Trajectory

        session = present(session)
        event = self.stops.begin(who)
        trajectory = Trajectory(config_of(plan).return_best)
        distances: list[float] = []
        try:
            for step in self.models.steps(plan, session.latent):
                trajectory.steps.append(step)
                distances.append(float(step.distance[0]))
                yield self._frame(step, distances)
                if event.is_set():
                    break
        finally:
            self.stops.end(who, event)
        reason = trajectory.reasons[0]
        taken = len(trajectory.steps) - 1
        if taken == 0:
            # nothing happened: the face was there already, or was stopped before it moved
            unchanged = self.show(session, done=())
            words = "The picture already shows what you ask for." if reason else "Stopped before the first step."
            gr.Info(words, title="Nothing to do")
            unchanged[self.stage]["status"] = words
            yield unchanged
            return
        result = trajectory.result
        edit = Edit(
            plan=plan,
            latent=result.latent,
            steps=taken,
            reason=reason.name if reason else STOPPED,
            distance=float(result.distance[0]),
        )
        images = [step.images[0] for step in trajectory.steps]
        # wishes that were not reached stay: a second press of Edit goes on from here
        done = plan.wishes if edit.reason == "TARGET_REACHED" else ()
        yield self.show(session.applied(edit), strip=render.strip(images), distances=distances, done=done)

    def _frame(self, step: Any, distances: list[float]) -> Updates:
        reading = Reading(step.images[0], step.c[0], self._spec_of(step))
        preview = render.jpeg_uri(render.picture(reading.image, render.PREVIEW), 82)
        updates: Updates = {
            self.stage: keypoint_canvas.frame(preview, reading.points, step.index, distances),
            self.panel: attribute_panel.reads(reading.attributes),
        }
        return {**updates, **self._running(True)} if step.index == 0 else updates

    def _spec_of(self, step: Any) -> Any:
        # an attribute editor's c has no keypoints: the points then stay where they are until the end
        spec = self.models.predictor(self.world.heads).spec
        if step.c.shape[1] == spec.dimension:
            return spec
        return type(spec)(attributes=spec.attributes[: step.c.shape[1]], groups=spec.groups)

    # -- wiring ---------------------------------------------------------------------------------------------------

    def build_actions(self, run_id: str) -> None:
        """Edit and Stop, one in place of the other."""
        with gr.Row(elem_classes="actions"):
            edit = gr.Button("Edit", variant="primary", elem_id=f"edit-{run_id}")
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id=f"stop-{run_id}")
        self.buttons.append((edit, stop))

    def offer(self, make_plan: MakePlan, inputs: list[Any]) -> None:
        """Say how a tab edits: what its Edit, the last one built, does.

        Args:
            make_plan: (session, *values of inputs) => Plan; raises for what cannot be asked.
            inputs: the tab's controls.
        """

        def run(session: Session | None, request: gr.Request, *values: Any) -> Iterator[Updates]:
            plan = make_plan(present(session), *values)
            yield from self.run(session, plan, str(request.session_hash))

        self.offers.append((told(run), inputs))

    def _stop(self, request: gr.Request) -> None:
        self.stops.ask(str(request.session_hash))

    def wire(self, page: gr.Blocks) -> None:
        """Everything but the tabs' own events; call it when all tabs are built."""
        view, quiet = self.view, {**COMPUTE, **QUIET}
        page.load(told(self.begin), [self.seed, self.variety], view, **quiet)
        for (edit, stop), (run, inputs) in zip(self.buttons, self.offers, strict=True):
            edit.click(run, [self.session, *inputs], view, **quiet)
            stop.click(self._stop, queue=False, **QUIET)
        moves = ((self.undo, Session.undone), (self.redo, Session.redone), (self.reset, Session.reset))
        transitions: list[tuple[Callable, Callable, list[Any]]] = [
            (self.seed.submit, told(self.begin), [self.seed, self.variety]),
            (self.variety.release, told(self.begin), [self.seed, self.variety]),
            (self.shuffle.click, told(self.shuffled), [self.variety]),
            (self.open.upload, told(self.opened), [self.open]),
            *((button.click, self.moved_in_history(move), [self.session]) for button, move in moves),
        ]
        for listen, handler, inputs in transitions:
            # an edit that runs is asked to stop, or this would wait in line behind it
            listen(self._stop, queue=False, **QUIET)
            listen(handler, inputs, view, **quiet)
        downloads = Downloads(self.world, self.models, self.download)
        files = ((self.png, downloads.png), (self.gif, downloads.gif), (self.latent, downloads.latent))
        for button, write in files:
            button.click(told(write), [self.session], [self.download], **quiet).success(None, js=_FETCH, **QUIET)


def describe(reading: Reading) -> str:
    """A picture in words, for those who do not see it."""
    shown = [attribute_panel.label_of(name).lower() for name, p in reading.attributes.items() if p > 0.5]
    return f"A drawn face: {', '.join(shown) or 'nothing out of the ordinary'}."
