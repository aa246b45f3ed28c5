"""What programs may call: a face, and the two kinds of edit, by plain values. The page's own events are private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app import render
from app.gestures import releases
from app.report import headline, side_effects
from app.services import Reading, config_of
from app.session import Edit, Plan
from app.told import UserError, told
from app.wishes import attribute_wishes, keypoint_wishes, options_of, seed_of, truncation_of
from app.workbench import COMPUTE, Workbench


def build(bench: Workbench) -> None:
    """Add the endpoints to the page that is being built."""

    @told
    def new_face(seed: int, truncation: float = 0.8) -> dict:
        """The face of a seed: its picture (a data URI) and what is read in it."""
        latent = bench.models.sample(bench.world, seed_of(seed), truncation_of(truncation))
        return _face(bench.models.look(bench.world, latent))

    @told
    def edit_attributes(
        seed: int, wishes: dict, release: list[str] | None = None, truncation: float = 0.8, max_steps: int = 60
    ) -> Iterator[dict]:
        """Edit a face's attributes: {"smile": 1, "glasses": 0}, probabilities. One result a step."""
        names = bench.models.predictor(bench.world.heads).spec.attributes
        asked, free = attribute_wishes({"wishes": wishes, "released": release or []}, names)
        yield from run(seed, truncation, Plan(bench.world.attributes, asked, free, **options_of(max_steps, 0.2)))

    @told
    def edit_keypoints(seed: int, wishes: dict, truncation: float = 0.8, max_steps: int = 60) -> Iterator[dict]:
        """Move a face's keypoints: {"nose_tip": [0.5, 0.6]}, in [0, 1] of the side. One result a step."""
        latent = bench.models.sample(bench.world, seed_of(seed), truncation_of(truncation))
        reading = bench.models.look(bench.world, latent)
        asked = keypoint_wishes({"moved": wishes}, reading.spec.keypoints)
        if not asked:
            raise UserError("Nothing is asked for: name at least one keypoint and where it should be.")
        free = releases(reading.points, asked)
        plan = Plan(bench.world.keypoints, dict(asked), free, **options_of(max_steps, 0.2))
        yield from run(seed, truncation, plan)

    def run(seed: object, truncation: object, plan: Plan) -> Iterator[dict]:
        from sgf_hub.editor import Trajectory

        start = bench.models.sample(bench.world, seed_of(seed), truncation_of(truncation))
        trajectory = Trajectory(config_of(plan).return_best)
        for step in bench.models.steps(plan, start):
            trajectory.steps.append(step)
            yield {"step": step.index, "distance": round(float(step.distance[0]), 3)}
        result, reason = trajectory.result, trajectory.reasons[0]
        taken = len(trajectory.steps) - 1
        edit = Edit(plan, result.latent, taken, reason.name, float(result.distance[0]))  # type: ignore[union-attr]
        before, after = (bench.models.look(bench.world, latent) for latent in (start, result.latent))
        yield {
            "step": taken,
            "distance": round(edit.distance, 3),
            "stop_reason": headline(edit)[1],
            "changed": {name: [round(old, 3), round(new, 3)] for name, old, new in side_effects(edit, before, after)},
            **_face(after),
        }

    for endpoint in (new_face, edit_attributes, edit_keypoints):
        gr.api(endpoint, api_name=endpoint.__name__, api_visibility="public", **COMPUTE)


def _face(reading: Reading) -> dict[str, Any]:
    return {
        "image": render.jpeg_uri(render.picture(reading.image, render.SIDE)),
        "attributes": {name: round(p, 3) for name, p in reading.attributes.items()},
        "keypoints": {name: [round(x, 4), round(y, 4)] for name, (x, y) in reading.points.items()},
    }
