"""What each kind of condition shows of a picture: attributes and keypoints, or a caption.

A view belongs to one set of models. A panel asks it to read pictures and to fill the components that tell of them; it
knows nothing of sessions, histories or buttons.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import gradio as gr

from app.core.errors import UserError
from app.core.gestures import releases
from app.core.heads import Points, features_of
from app.core.model_sets import ModelSet
from app.core.requests import attribute_wishes, caption_of, keypoint_wishes, part_of_the_way
from app.core.session import Edit, Plan
from app.models.captioning import Captioning, Flower
from app.models.services import Models, Reading
from app.widgets import captions, render, stage
from app.widgets.attribute_sliders import label_of, reads
from app.widgets.captions import safe
from app.widgets.report import Verdict, came, report, verdict

Updates = dict[Any, Any]
"""Component => what it should show."""


class ConditionView(Protocol):
    """How pictures are read, and what is shown of that. A picture has an `image`, and what is read in it."""

    @property
    def models(self) -> Models:
        """What draws and reads them."""
        ...

    @property
    def model_set(self) -> ModelSet:
        """The repos."""
        ...

    def read(self, latent: Any, plan: Plan | None = None) -> Any:
        """The picture of a latent, one sample; `plan` is the edit that led there."""
        ...

    def read_step(self, step: Any, plan: Plan) -> Any:
        """The picture of a step of an edit, with what the step has read."""
        ...

    def read_result(self, step: Any, plan: Plan) -> Any:
        """What `read` gives of a step's latent, out of what the step has drawn and read."""
        ...

    def first(self, latent: Any) -> dict[str, Any] | None:
        """What the stage shows while the first picture is read, where that takes long."""
        ...

    def prepare(self) -> None:
        """Load in the background what edits will need, once the first picture is there."""
        ...

    def marks(self, now: Any, before: Any = None, edit: Edit | None = None) -> dict[str, Any]:
        """What the stage shows beside the image; `edit` led from `before` to `now`."""
        ...

    def features(self, now: Any) -> dict[str, tuple[str, ...]]:
        """The keypoints of a picture that `read` has read, those that belong together."""
        ...

    def remark(self, now: Any) -> str:
        """What must be said of a picture; "" where there is nothing."""
        ...

    def describe(self, now: Any) -> str:
        """The picture in words, for those who do not see it."""
        ...

    def controls(self, now: Any, plan: Plan | None, done: Iterable[str] | None, before: Any = None) -> Updates:
        """What the tabs show of it. `done` are wishes that are fulfilled; None clears them all."""
        ...

    def verdict(self, edit: Edit, before: Any, now: Any) -> Verdict:
        """What is said of an edit beside its picture."""
        ...

    def report(self, edit: Edit, before: Any, now: Any, said: Verdict) -> str:
        """What an edit did, as HTML."""
        ...

    def consider(self, plan: Plan) -> Generator[tuple[str, Updates], None, Plan]:
        """What is shown before the first step of a plan, as status and updates; gives back the plan to take."""
        ...

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step, and what else is shown then."""
        ...


@dataclass(frozen=True)
class AttributeView:
    """Attributes on sliders, and keypoints on the picture.

    Args:
        models: shared by all visitors.
        model_set: the repos.
        sliders: show what is read, and take wishes.
    """

    models: Models
    model_set: ModelSet
    sliders: gr.HTML | None = None

    def read(self, latent: Any, plan: Plan | None = None) -> Reading:
        """The picture of a latent and what is read in it."""
        return self.models.read(self.model_set, latent)

    def read_step(self, step: Any, plan: Plan) -> Reading:
        """The picture of a step and what is read in it."""
        # an attribute editor's c has no keypoints: the points then stay where they are until the end
        spec = self.models.predictor(self.model_set.heads).spec
        if step.c.shape[1] != spec.dimension:
            spec = type(spec)(attributes=spec.attributes[: step.c.shape[1]], groups=spec.groups)
        return Reading(step.images[0], step.c[0], spec)

    def read_result(self, step: Any, plan: Plan) -> Reading:
        """What `read` gives of a step's latent: the points as well."""
        if not _whole(self, step):
            return self.read(step.latent, plan)
        if self.models.predictor(self.model_set.heads).spec.dimension == step.c.shape[1]:
            return self.read_step(step, plan)
        return self.models.read(self.model_set, step.latent, step.images[:1])

    def first(self, latent: Any) -> None:
        """Nothing: reading takes milliseconds."""

    def prepare(self) -> None:
        """Nothing: what an edit needs more is small."""

    def marks(self, now: Reading, before: Reading | None = None, edit: Edit | None = None) -> dict[str, Any]:
        """The keypoints, and how near those that were asked for came."""
        return {"points": now.points, **({"came": came(edit, now)} if edit else {})}

    def features(self, now: Reading) -> dict[str, tuple[str, ...]]:
        """The keypoints, those that belong together."""
        return features_of(now.spec.keypoints)

    def remark(self, now: Reading) -> str:
        """Whether there is nothing to be read."""
        return "" if now.readable else "No face can be made out in it, so it cannot be edited: take another."

    def describe(self, now: Reading) -> str:
        """The picture in words."""
        shown = [label_of(name).lower() for name, p in now.attributes.items() if p > 0.5]
        return f"{self.model_set.subject}: {', '.join(shown[:25]) or 'nothing out of the ordinary'}."

    def controls(
        self, now: Reading, plan: Plan | None, done: Iterable[str] | None, before: Reading | None = None
    ) -> Updates:
        """The sliders, and which of them changed."""
        from sgf_hub.editing.changes import changes

        changed: Iterable[str] = ()
        if before is not None:
            found = changes(now.spec, before.c, now.c, plan.wishes if plan else ())
            changed = (*found.others, *found.excluded, *found.freed)
        return {self.sliders: reads(now.attributes, done, changed)}

    def verdict(self, edit: Edit, before: Reading, now: Reading) -> Verdict:
        """What is said of an edit beside its picture."""
        return verdict(edit, before, now)

    def report(self, edit: Edit, before: Reading, now: Reading, said: Verdict) -> str:
        """What an edit did, as HTML."""
        return report(edit, before, now, said)

    def consider(self, plan: Plan) -> Generator[tuple[str, Updates], None, Plan]:
        """Nothing: what can be asked is known."""
        yield from ()
        return plan

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step."""
        return "The picture already shows what you ask for, as near as an edit can tell.", {}


def asked_of(
    now: Reading, sliders: object, stage: object, nothing: str, strength: float = 1
) -> tuple[dict[str, Any], tuple[str, ...], Points]:
    """What sliders and points ask for: the wishes, what is released for them, and where points were moved to.

    Args:
        now: the picture.
        sliders: what they sent.
        stage: what the picture with its points sent.
        nothing: what is said where nothing is asked for.
        strength: how much of the way is to be gone.

    Raises:
        UserError: for what cannot be read, or where nothing is asked for.
    """
    wishes, free = attribute_wishes(sliders, now.spec.attributes, needed=False)
    moved = keypoint_wishes(stage, now.spec.keypoints)
    if not wishes and not moved:
        raise UserError(nothing)
    asked = part_of_the_way({**wishes, **moved}, {**now.attributes, **now.points}, strength)
    pulled = releases(now.points, {name: asked[name] for name in moved})
    released = dict.fromkeys(name for name in (*free, *pulled) if name in now.spec.attributes and name not in asked)
    return asked, tuple(released), moved


@dataclass(frozen=True)
class CaptionView:
    """A caption below the picture, and how near it comes to what was asked for.

    Args:
        models: shared by all visitors.
        model_set: the repos.
        notice: what is said of the visitor's words.
    """

    models: Models
    model_set: ModelSet
    notice: gr.HTML | None = None

    @property
    def captioning(self) -> Captioning:
        """What reads pictures."""
        return Captioning(self.model_set, self.models)

    def read(self, latent: Any, plan: Plan | None = None) -> Flower:
        """The picture of a latent, its caption, and how near that is to what was asked for."""
        return self.captioning.read(latent, wish_of(plan) if plan else None)

    def read_step(self, step: Any, plan: Plan) -> Flower:
        """The picture of a step, its caption, and how near that is to what is asked for."""
        return self.captioning.read_step(step, wish_of(plan))

    def read_result(self, step: Any, plan: Plan) -> Flower:
        """Likewise: a step reads all."""
        return self.read_step(step, plan) if _whole(self, step) else self.read(step.latent, plan)

    def first(self, latent: Any) -> dict[str, Any]:
        """The picture alone: what reads its caption takes seconds to load."""
        image = render.jpeg_uri(render.picture(self.models.draw(self.model_set, latent), render.SIDE))
        return stage.message(image=image, reading=stage.words_read([("Reading the picture …", False)], busy=True))

    def prepare(self) -> None:
        """Load what compares sentences."""
        self.captioning.prepare()

    def marks(self, now: Flower, before: Flower | None = None, edit: Edit | None = None) -> dict[str, Any]:
        """The caption, with what is new in it, and the similarity."""
        words = captions.marked((before or now).caption, now.caption)
        return {"reading": stage.words_read(words, now.similarity)}

    def features(self, now: Flower) -> dict[str, tuple[str, ...]]:
        """None: no points are moved."""
        return {}

    def remark(self, now: Flower) -> str:
        """Nothing: every flower has a caption."""
        return ""

    def describe(self, now: Flower) -> str:
        """The picture in words."""
        return f"{self.model_set.subject}, which the model describes as: {now.caption}"

    def controls(
        self, now: Flower, plan: Plan | None, done: Iterable[str] | None, before: Flower | None = None
    ) -> Updates:
        """What was said of the visitor's words."""
        return {self.notice: _notice(plan.note if plan else "")}

    def verdict(self, edit: Edit, before: Flower, now: Flower) -> Verdict:
        """What is said of an edit beside its picture."""
        return captions.verdict(edit, before, now, self.captioning.compare(wish_of(edit.plan), before, now))

    def report(self, edit: Edit, before: Flower, now: Flower, said: Verdict) -> str:
        """What an edit did, as HTML."""
        return captions.report(edit, before, now, said)

    def consider(self, plan: Plan) -> Generator[tuple[str, Updates], None, Plan]:
        """Say so when the words are outside of what the model knows."""
        yield "Reading your words …", {self.notice: _notice("")}
        found = self.captioning.familiarity(wish_of(plan))
        if found.known:
            return replace(plan, note="")
        note = captions.unfamiliar(found.nearest)
        yield "", {self.notice: _notice(note)}
        return replace(plan, note=note)

    def doubt(self, words: object) -> Updates:
        """Say of words that are being written whether they are outside of what the model knows."""
        from sgf_hub.errors import SGFError

        try:
            found = self.captioning.familiarity(caption_of(words))
        except SGFError:  # told when they are asked for
            return {self.notice: _notice("")}
        return {self.notice: _notice("" if found.known else captions.unfamiliar(found.nearest))}

    def nothing(self, plan: Plan) -> tuple[str, Updates]:
        """What is said of a plan that took no step: its words mean nothing, or what they mean is there."""
        return captions.nothing_to_do(not plan.note), {self.notice: _notice("")}


def _whole(view: ConditionView, step: Any) -> bool:
    """Whether a step was drawn at full size."""
    return bool(step.images.shape[-1] == view.models.generator(view.model_set.generator).resolution)


def wish_of(plan: Plan) -> str:
    """The sentence that is asked for."""
    return str(plan.wishes["caption"])


def _notice(note: str) -> Any:
    return gr.HTML(f'<p class="notice" role="alert">{safe(note)}</p>', visible=bool(note))
