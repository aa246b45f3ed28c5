"""The editor panel: one picture, its history and the report of its last edit.

There is one for faces, for flowers, and for what visitors open (`faces`, `flowers`, `hub`). Tabs add ways of editing
it: each builds its controls and calls `offer` with a function from what they say to a `Plan`. What a condition shows is
a `ConditionView`'s matter; the session (seeds and CPU latents, `app.core.session`) is all that is kept a visitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import gradio as gr

from app.core.model_sets import ModelSet
from app.core.requests import seed_of, truncation_of
from app.core.session import Origin, Session
from app.core.stopping import Stops
from app.models.services import Models
from app.panels.components import Components
from app.panels.views import ConditionView, Updates
from app.widgets import render, share, stage
from app.widgets.code import as_python
from app.widgets.report import headline
from app.widgets.timeline import timeline


class EditorPanel(Components):
    """Components around one picture, and what they show.

    Args:
        model_set: the repos it runs on where a session names none; None where each must.
        models: shared by all visitors.
        stops: shared by all visitors, and by no other panel.
    """

    def __init__(self, model_set: ModelSet | None, models: Models, stops: Stops) -> None:
        self.model_set, self.models, self.stops = model_set, models, stops
        self.offers, self.sources, self.fitting = [], [], {}

    @property
    def served(self) -> tuple[ModelSet, ...]:
        """The model sets whose pictures it shows, where they are known."""
        return () if self.model_set is None else (self.model_set,)

    def set_of(self, session: Session | None) -> ModelSet:
        """What the picture of a session is drawn and read by."""
        assert self.model_set is not None
        return (session.model_set if isinstance(session, Session) else None) or self.model_set

    def view_on(self, model_set: ModelSet) -> ConditionView:
        """What reads and shows such pictures; a subclass says."""
        raise NotImplementedError

    def view_of(self, session: Session | None = None) -> ConditionView:
        """What reads and shows the picture of a session."""
        return self.view_on(self.set_of(session))

    def load(self, model_set: ModelSet) -> Iterator[str]:
        """See to it that a model set's models are there: sentences on how it goes."""
        yield from ()

    def load_for(self, session: Session | None) -> Iterator[Updates]:
        """See to it that a session's models are there; what the page shows meanwhile."""
        for news in self.load(self.set_of(session)):
            yield {self.stage: stage.message(status=news)}

    # -- what the page shows --------------------------------------------------------------------------------------

    @property
    def outputs(self) -> list[Any]:
        """Every component that `show` fills, but those of the tabs."""
        edit_and_stop = [button for offer in self.offers for button in (offer.edit, offer.stop)]
        return [
            self.session, self.stage, self.undo, self.redo, self.reset, self.result, self.verdict, self.code, self.seed,
            self.timeline, self.share, self.whole, self.link, *edit_and_stop,
        ]  # fmt: skip

    def show(
        self,
        view: ConditionView,
        session: Session,
        *,
        strip: Sequence[tuple[int, str]] | None = (),
        mark: int | None = None,
        distances: Sequence[float] = (),
        done: Iterable[str] | None = None,
        pictures: tuple[Any, Any] | None = None,
    ) -> Updates:
        """The whole page for a session: what every transition ends with.

        Args:
            view: of the session.
            session: the picture and its edits.
            strip: thumbnails of the steps that led here; None leaves those that are shown.
            mark: the step that is the picture.
            distances: of those steps.
            done: wishes that are fulfilled; None clears them all.
            pictures: before the last edit and now, by who has just read them.
        """
        edit = session.last
        plan = edit.plan if edit else None
        now = pictures[1] if pictures else view.read(session.latent, plan)
        before = pictures[0] if pictures else view.read(session.before, plan) if edit else None
        said = view.verdict(edit, before, now) if edit and before else None
        start = render.jpeg_uri(render.picture(before.image, render.SIDE)) if before else ""
        drawn = [(session.latent, now.image), *([(session.before, before.image)] if before else [])]
        updates: Updates = {
            self.session: session,
            self.stage: stage.scene(
                render.jpeg_uri(render.picture(now.image, render.SIDE)), alt=view.describe(now),
                status=" ".join([self._status(session), view.remark(now)]).strip(), strip=strip, mark=mark,
                distances=distances, done=done, features=view.features(now),
                said=stage.said(said) if said else None, before=start, **view.marks(now, before),
            ),
            self.timeline: timeline(view.models, view.model_set, self.noun, session, drawn),
            self.share: stage.message(link=None),
            self.whole: gr.Checkbox(visible=session.cursor > 1),
            self.undo: gr.Button(interactive=session.can_undo),
            self.redo: gr.Button(interactive=session.can_redo),
            self.reset: gr.Button(interactive=session.can_undo),
            self.result: gr.Row(visible=edit is not None),
            self.code: as_python(session, view.model_set),
            self.seed: "" if session.origin.seed is None else str(session.origin.seed),
            **view.controls(now, plan, done, before),
            **self.running(False),
        }  # fmt: skip
        if self.served:
            kept = share.kept_link(view.model_set, self.noun, session)
            updates[self.link] = stage.message(link=kept, address=0 < len(kept) <= share.LINK)
        if edit and before and said:
            updates[self.verdict] = view.report(edit, before, now, said)
        return updates

    def _status(self, session: Session) -> str:
        if session.last is not None:
            return headline(session.last)[0] + "."
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

    # -- pictures to begin with -----------------------------------------------------------------------------------

    def start(self, view: ConditionView, origin: Origin, left: Session | None = None) -> Session:
        """A session that begins with a picture; `left` is what is left for it."""
        return Session(origin, model_set=view.model_set).after(left)

    def begin(self, view: ConditionView, seed: object, variety: object, left: Session | None = None) -> Updates:
        """A picture from a seed; `left` is what is left for it."""
        number, truncation = seed_of(seed, f"{self.noun} number"), truncation_of(variety)
        latent = view.models.sample(view.model_set, number, truncation)
        return self.show(view, self.start(view, Origin(latent, number, truncation), left))

    # -- stopping ---------------------------------------------------------------------------------------------------

    def ask_to_stop(self, request: gr.Request) -> None:
        """End the visitor's running edit, if there is one, and show what came of it."""
        self.stops.ask(str(request.session_hash))

    def end_edit(self, request: gr.Request) -> None:
        """End it, and wait until its result stands."""
        self.stops.ask_and_wait(str(request.session_hash))

    def give_way(self, request: gr.Request) -> None:
        """End it for another picture: what came of it is not shown."""
        self.stops.ask(str(request.session_hash), superseded=True)
