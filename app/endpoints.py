"""What programs may call: a face, and the kinds of edit, by plain values. The page's own events are private."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from app import render
from app.captioning import Flower
from app.faces import FaceBench
from app.flowers import FlowerBench
from app.gestures import releases
from app.report import headline, side_effects
from app.services import Reading, config_of
from app.session import Edit, Plan
from app.told import UserError, told
from app.wiring import COMPUTE
from app.wishes import attribute_wishes, caption_of, keypoint_wishes, options_of, seed_of, truncation_of
from app.workbench import Workbench


def build(faces: FaceBench, flowers: FlowerBench) -> None:
    """Add the endpoints to the page that is being built."""

    @told
    def new_face(seed: int, truncation: float = 0.8) -> dict:
        """The face of a seed: its picture (a data URI) and what is read in it."""
        latent = faces.models.sample(faces.world, seed_of(seed), truncation_of(truncation))
        return _face(faces.look(latent))

    @told
    def edit_attributes(
        seed: int, wishes: dict, release: list[str] | None = None, truncation: float = 0.8, max_steps: int = 60
    ) -> Iterator[dict]:
        """Edit a face's attributes: {"smile": 1, "glasses": 0}, probabilities. One result a step."""
        names = faces.models.predictor(faces.world.heads).spec.attributes
        asked, free = attribute_wishes({"wishes": wishes, "released": release or []}, names)
        plan = Plan(faces.world.attributes, asked, free, **options_of(max_steps))
        yield from _run(faces, seed, truncation, plan, _face_edit)

    @told
    def edit_keypoints(seed: int, wishes: dict, truncation: float = 0.8, max_steps: int = 60) -> Iterator[dict]:
        """Move a face's keypoints: {"nose_tip": [0.5, 0.6]}, in [0, 1] of the side. One result a step."""
        latent = faces.models.sample(faces.world, seed_of(seed), truncation_of(truncation))
        reading = faces.look(latent)
        asked = keypoint_wishes({"moved": wishes}, reading.spec.keypoints)
        if not asked:
            raise UserError("Nothing is asked for: name at least one keypoint and where it should be.")
        free = releases(reading.points, asked)
        plan = Plan(faces.world.keypoints, asked, free, **options_of(max_steps))
        yield from _run(faces, seed, truncation, plan, _face_edit)

    @told
    def edit_caption(seed: int, caption: str, truncation: float = 0.8, max_steps: int = 60) -> Iterator[dict]:
        """Edit a flower by a sentence: "a small purple flower". One result a step, with the caption as it is read."""
        words = caption_of(caption)
        plan = Plan(flowers.world.captions, {"caption": words}, **options_of(max_steps))
        found = flowers.captioning.familiarity(words)
        known = {"known": found.known, "nearest": found.nearest}
        for result in _run(flowers, seed, truncation, plan, _flower_edit, _words):
            yield {**known, **result}

    for endpoint in (new_face, edit_attributes, edit_keypoints, edit_caption):
        gr.api(endpoint, api_name=endpoint.__name__, api_visibility="public", **COMPUTE)


def _run(
    bench: Workbench, seed: object, truncation: object, plan: Plan, of_edit: Callable, of_step: Callable | None = None
) -> Iterator[dict]:
    from sgf_hub.editor import Trajectory

    start = bench.models.sample(bench.world, seed_of(seed), truncation_of(truncation))
    trajectory = Trajectory(config_of(plan).return_best)
    for step in bench.models.steps(plan, start):
        trajectory.steps.append(step)
        more = of_step(bench.seen(step, plan)) if of_step else {}
        yield {"step": step.index, "distance": round(float(step.distance[0]), 3), **more}
    result, reason = trajectory.result, trajectory.reasons[0]
    taken = len(trajectory.steps) - 1
    edit = Edit(plan, result.latent, taken, reason.name, float(result.distance[0]))  # type: ignore[union-attr]
    before, after = (bench.look(latent, plan) for latent in (start, result.latent))
    yield {
        "step": taken,
        "distance": round(edit.distance, 3),
        "stop_reason": headline(edit)[1],
        "image": _image(after),
        **of_edit(edit, before, after),
    }


def _face_edit(edit: Edit, before: Reading, after: Reading) -> dict[str, Any]:
    changed = {name: [round(old, 3), round(new, 3)] for name, old, new in side_effects(edit, before, after)}
    return {"changed": changed, **_face(after)}


def _flower_edit(edit: Edit, before: Flower, after: Flower) -> dict[str, Any]:
    return {"before": _words(before), **_words(after)}


def _face(reading: Reading) -> dict[str, Any]:
    return {
        "image": _image(reading),
        "attributes": {name: round(p, 3) for name, p in reading.attributes.items()},
        "keypoints": {name: [round(x, 4), round(y, 4)] for name, (x, y) in reading.points.items()},
    }


def _words(picture: Flower) -> dict[str, Any]:
    return {"caption": picture.caption, "similarity": round(picture.similarity or 0.0, 3)}


def _image(picture: Any) -> str:
    return render.jpeg_uri(render.picture(picture.image, render.SIDE))
