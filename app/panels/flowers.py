"""The flowers' workbench: a caption below the picture, and how near it comes to what was asked for."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app.core.model_sets import Flowers
from app.core.requests import seed_of, truncation_of
from app.core.session import Edit, Plan, Session
from app.models.captioning import Captioning, Flower
from app.panels.comfort import shared
from app.panels.panel import Updates, Workbench
from app.widgets import render
from app.widgets import stage as keypoint_canvas
from app.widgets.words import marked, nothing_to_do, report, safe, unfamiliar


@dataclass
class FlowerBench(Workbench):
    """Components and handlers around one flower."""

    world: Flowers
    noun = "flower"
    prefix = "flower-"

    @property
    def captioning(self) -> Captioning:
        """What reads the flower."""
        return Captioning(self.world, self.models)

    def build_notice(self) -> gr.HTML:
        """What is said of the visitor's words before an edit; made by the tab that shows it."""
        self.notice = gr.HTML(elem_id="caption-notice", apply_default_css=False, visible=False)
        return self.notice

    # -- what the page shows --------------------------------------------------------------------------------------

    def look(self, latent: Any, plan: Plan | None = None) -> Flower:
        """The picture of a latent, its caption, and how near that is to what was asked for."""
        return self.captioning.look(latent, wish_of(plan) if plan else None)

    def seen(self, step: Any, plan: Plan) -> Flower:
        """The picture of a step, its caption, and how near that is to what is asked for."""
        return self.captioning.seen(step, wish_of(plan))

    def marks(self, now: Flower, before: Flower | None = None) -> dict[str, Any]:
        """The caption, with what is new in it, and the similarity."""
        words = marked((before or now).caption, now.caption)
        return {"reading": keypoint_canvas.words_read(words, now.similarity)}

    def describe(self, now: Flower) -> str:
        """A flower in words."""
        return f"A drawn flower, which the model describes as: {now.caption}"

    def in_tabs(self, now: Flower, plan: Plan | None, done: Iterable[str] | None) -> Updates:
        """What was said of the visitor's words."""
        return {self.notice: _notice(plan.note if plan else "")}

    def report(self, edit: Edit, before: Flower, now: Flower) -> str:
        """What an edit did, as HTML."""
        return report(edit, before, now)

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step: its words mean nothing, or what they mean is there."""
        return nothing_to_do(not plan.note), {self.notice: _notice("")}

    # -- handlers -------------------------------------------------------------------------------------------------

    def opening(self, session: Session | None, seed: object, variety: object, link: object = "") -> Iterator[Updates]:
        """The first flower, at once; its caption, when what reads it is loaded. Later openings change nothing."""
        if session is not None:
            yield {self.session: session}
            return
        linked = shared(self, link)
        latent = linked.latent if linked else self.models.sample(self.world, seed_of(seed), truncation_of(variety))
        image = render.jpeg_uri(render.picture(self.models.draw(self.world, latent), render.SIDE))
        reading = keypoint_canvas.words_read([("Reading the picture …", False)], busy=True)
        yield {self.stage: keypoint_canvas.message(image=image, reading=reading)}
        try:
            yield self.show(linked) if linked else self.begin(seed, variety)
        except Exception:
            yield {self.stage: keypoint_canvas.message(reading=None, status="The caption could not be read.")}
            raise
        self.captioning.prepare()

    def consider(self, plan: Plan) -> Generator[Updates, None, Plan]:
        """Say so when the words are outside of what the model knows."""
        waiting = keypoint_canvas.message(status="Reading your words …", done=[])
        yield {self.stage: waiting, self.notice: _notice(""), **self.running(True)}
        found = self.captioning.familiarity(wish_of(plan))
        note = ""
        if not found.known:
            note = unfamiliar(found.nearest)
            yield {self.notice: _notice(note)}
        return replace(plan, note=note)


def wish_of(plan: Plan) -> str:
    """The sentence that is asked for."""
    return str(plan.wishes["caption"])


def _notice(note: str) -> Any:
    return gr.HTML(f'<p class="notice" role="alert">{safe(note)}</p>', visible=bool(note))
