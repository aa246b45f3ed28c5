"""What programs may call: pictures and the kinds of edit, by plain values. The page's own events are private.

The docstring of an endpoint is what a program's author reads: Gradio shows it in its API page, and gives it to MCP
clients as the description of a tool and its arguments. All endpoints are streams: an edit yields its steps, and the
last item is the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from app.api.answers import face, face_edit, flower_edit, run, words_of
from app.core.errors import UserError, as_notices
from app.core.model_sets import DRAWN
from app.core.requests import caption_of, choice_of, held_of, options_of, seed_of, strength_of, truncation_of
from app.core.session import Origin, Plan, Session
from app.models import latents
from app.models.services import Models
from app.panels.events import COMPUTE
from app.panels.faces import FacePanel, plan_of
from app.panels.flowers import FlowerPanel
from app.panels.views import AttributeView, ConditionView
from app.widgets import photo_search as photo

Stream = Iterator[dict]


def build(panel: FacePanel, flowers: FlowerPanel) -> None:
    """Add the endpoints to the page that is being built."""

    def new_face(request: gr.Request, seed: int = 7, truncation: float = 0.8, faces: str = DRAWN) -> Stream:
        """Draw the face of a number, and read it.

        Args:
            request: Gradio's own.
            seed: which face, a whole number from 0 on.
            truncation: variety, from 0 (the average face) to 1; of no effect on rendered faces.
            faces: "drawn", or "rendered" for rendered people.

        Returns:
            attributes (name: probability)
            keypoints (name: [x, y] in 0 to 1 of the side)
            image (JPEG as a data URI)
            latent (base64 of its file)
        """
        view = _view(panel, faces)
        start = _start(view, seed, truncation)

        def steps() -> Stream:
            latent = start()
            yield face(view, latent, view.read(latent))

        yield from _in_turn(panel.models, request, steps())

    def edit_attributes(
        request: gr.Request,
        wishes: dict[str, float],
        seed: int = 7,
        latent: str = "",
        release: list[str] | None = None,
        hold: list[str] | None = None,
        choose: str = "balanced",
        strength: float = 100,
        layers: list[int] | None = None,
        max_steps: int = 60,
        truncation: float = 0.8,
        faces: str = DRAWN,
    ) -> Stream:
        """Change what a face shows (smile, glasses, hair ...) and hold everything else still.

        Args:
            request: Gradio's own.
            wishes: attribute to probability, {"smile": 1, "glasses": 0}; new_face lists the names.
            seed: of the face to edit.
            latent: of the face to edit, from an earlier result; takes the place of the seed.
            release: attributes that may change though nothing is asked of them.
            hold: attributes to be held as firmly as wishes are met; the others are held loosely.
            choose: the result: "balanced" for the step that best balances wish and rest, or "arrived" for the last one.
            strength: percent of the way to what is asked that is to be gone, 10 to 150.
            layers: [first, last], counted from 0, to edit these layers only: early ones hold shape, late ones colour;
                rendered faces have none.
            max_steps: the edit ends after so many steps at the latest, 1 to 200.
            truncation: variety of the seed's face, 0 to 1.
            faces: "drawn", or "rendered" for rendered people.

        Returns:
            stop_reason
            step (the one that is the result)
            steps (how many were taken)
            distance (to what was asked; 1 or less is close)
            outlyingness (above 1, farther out than 99 in 100 of the generator's pictures; null where that is not known)
            asked (name: [before, after])
            changed (what else changed, likewise)
            excluded (what had to change with it, since it excludes what was asked, likewise)
            the new face as new_face gives it
        """
        yield from _edit_face(
            panel,
            faces,
            request,
            (seed, truncation, latent),
            wishes,
            (release, hold),
            strength,
            (max_steps, layers, choose),
        )

    def edit_keypoints(
        request: gr.Request,
        wishes: dict[str, list[float] | float],
        seed: int = 7,
        latent: str = "",
        release: list[str] | None = None,
        hold: list[str] | None = None,
        choose: str = "balanced",
        strength: float = 100,
        layers: list[int] | None = None,
        max_steps: int = 60,
        truncation: float = 0.8,
        faces: str = DRAWN,
    ) -> Stream:
        """Move points of a face (nose, mouth, jaw ...), and change attributes in the same go if asked.

        new_face tells the names of the points, and where they are.

        Args:
            request: Gradio's own.
            wishes: keypoint to [x, y] in 0 to 1, attribute to probability: {"nose_tip": [0.5, 0.6], "smile": 1}.
            seed: of the face to edit.
            latent: of the face to edit, from an earlier result; takes the place of the seed.
            release: attributes that may change though nothing is asked of them.
            hold: attributes to be held as firmly as wishes are met; the others are held loosely.
            choose: the result: "balanced" for the step that best balances wish and rest, or "arrived" for the last one.
            strength: percent of the way to what is asked that is to be gone, 10 to 150.
            layers: [first, last], counted from 0, to edit these layers only: early ones hold shape, late ones colour;
                rendered faces have none.
            max_steps: the edit ends after so many steps at the latest, 1 to 200.
            truncation: variety of the seed's face, 0 to 1.
            faces: "drawn", or "rendered" for rendered people.

        Returns:
            what edit_attributes gives
        """
        yield from _edit_face(
            panel, faces, request, (seed, truncation, latent), wishes, (release, hold), strength,
            (max_steps, layers, choose), points=True,
        )  # fmt: skip

    def edit_caption(
        request: gr.Request,
        caption: str,
        seed: int = 7,
        latent: str = "",
        layers: list[int] | None = None,
        max_steps: int = 60,
        truncation: float = 0.8,
    ) -> Stream:
        """Change a drawn flower by a sentence.

        Args:
            request: Gradio's own.
            caption: what it should look like, in English, "a small purple flower with pointed petals"; what it leaves
                out is held.
            seed: of the flower to edit.
            latent: of the flower to edit, from an earlier result; takes the place of the seed.
            layers: [first, last], counted from 0, to edit these layers of the picture only.
            max_steps: the edit ends after so many steps at the latest, 1 to 200.
            truncation: variety of the seed's flower, 0 to 1.

        Returns:
            known (whether flowers are known to have such a caption)
            nearest (the nearest caption that they have)
            stop_reason
            step (the one that is the result)
            steps (how many were taken)
            distance (to what was asked; 1 or less is close)
            outlyingness (above 1, farther out than 99 in 100 of the generator's pictures; null where that is not known)
            caption (of the new flower, as the model reads it)
            similarity (of that to yours; 1 is the same)
            before (caption and similarity of the flower before)
            image (JPEG as a data URI)
            latent (base64 of its file)
        """
        words = caption_of(caption)
        options = {**options_of(max_steps), "layers": _layers(layers, flowers.model_set.layers)}
        plan = Plan(flowers.model_set.captions, {"caption": words}, **options)
        view = flowers.view_on(flowers.model_set)
        start = _start(view, seed, truncation, latent)

        def steps() -> Stream:
            found = view.captioning.familiarity(words)
            known = {"known": found.known, "nearest": found.nearest}
            for result in run(view, start(), plan, flower_edit, words_of):
                yield {**known, **result}

        yield from _in_turn(flowers.models, request, steps())

    def project(
        request: gr.Request, image: str, zoom: float = 1.0, x: float = 0.5, y: float = 0.5, faces: str = DRAWN
    ) -> Stream:
        """Find the face that comes nearest to a picture of your own, to edit it.

        A generator knows its own faces only. The picture is kept no longer than the search takes (some ten seconds).

        Args:
            request: Gradio's own.
            image: PNG, JPEG, WebP, AVIF, BMP or GIF as a data URI or in base64, 2 MB of text at most.
            zoom: of the square that is looked at: 1 for the largest that fits, up to 20.
            x: middle of that square, in 0 to 1 of the picture's width.
            y: likewise of its height.
            faces: "drawn", or "rendered" for rendered people.

        Returns:
            similarity (1 is the same picture, 0 as far apart as two random faces)
            expressible (whether the generator can draw such a picture at all)
            sentence (both in words)
            the face as new_face gives it
        """
        view = _view(panel, faces)
        search = photo.Search(panel.models, view.model_set.generator, (image, zoom, x, y))

        def steps() -> Stream:
            for step in search.steps():
                yield {"step": step.index, "of": search.total, "distance": round(float(step.distance[0]), 4)}
            found = search.outcome()
            yield {
                **photo.answer(search, found),
                **face(view, found.latent, view.read(found.latent)),
            }

        yield from _in_turn(panel.models, request, steps())

    for endpoint in (new_face, edit_attributes, edit_keypoints, edit_caption, project):
        gr.api(as_notices(endpoint), api_name=endpoint.__name__, api_visibility="public", **COMPUTE)


def _in_turn(models: Models, request: gr.Request, steps: Stream) -> Stream:
    """The items of `steps`, once this program's earlier work is over."""
    yield from models.queue.work(str(request.session_hash), steps)


def _start(view: ConditionView, seed: object, truncation: object, latent: object = "") -> Callable[[], Any]:
    """What gives the latent to begin with; all that can be refused without computing is refused here."""
    if latent:
        given = latents.from_text(latent)
        return lambda: latents.taken_in(given, view.models, view.model_set)
    number, psi = seed_of(seed), truncation_of(truncation)
    return lambda: view.models.sample(view.model_set, number, psi)


def _view(panel: FacePanel, faces: object) -> AttributeView:
    """What reads and shows faces of a kind; what they need is loaded before anybody queues for it."""
    if not isinstance(faces, str) or faces not in panel.kinds:
        raise UserError(f"faces is {str(faces)[:40]!r}; choose {' or '.join(map(repr, panel.kinds))}.")
    for _ in panel.load(panel.kinds[faces]):
        pass
    return panel.view_on(panel.kinds[faces])


def _layers(value: object, count: int) -> tuple[int, int] | None:
    """Layers to edit as a plan has them, from [first, last] counted from 0; None for all."""
    if not value:
        return None
    if not count:
        raise UserError("layers cannot be chosen here: this generator has none.")
    if isinstance(value, list) and [type(end) for end in value] == [int, int] and 0 <= value[0] <= value[1] < count:
        return (value[0], value[1] + 1)
    raise UserError(f"layers are two whole numbers, the first and the last one to edit, from 0 to {count - 1}.")


def _edit_face(
    panel: FacePanel, faces: object, request: gr.Request, origin: tuple[object, object, object], wishes: object,
    loose: tuple[object, object], strength: object, options: tuple[object, object, object], *, points: bool = False,
) -> Stream:  # fmt: skip
    """An edit of a face.

    Args:
        panel: the faces'.
        faces: which kind, as it came.
        request: of the program.
        origin: seed, truncation and latent, as they came.
        wishes: as they came.
        loose: what is released, and what is held firmly, as they came.
        strength: as it came.
        options: the number of steps, the layers and which step is the result, as they came.
        points: whether wishes may be about keypoints.
    """
    view = _view(panel, faces)
    start = _start(view, *origin)
    most, layers, choose = options
    stepping = {**options_of(most), "layers": _layers(layers, view.model_set.layers), "choose": choice_of(choose)}
    far = strength_of(strength)
    if not isinstance(wishes, dict) or not wishes:
        raise UserError('Nothing is asked for: name what should change, {"name": value}.')
    known = panel.models.predictor(view.model_set.heads).spec.attributes
    moved = {name: wish for name, wish in wishes.items() if points and name not in known}
    sent = {"wishes": {name: wish for name, wish in wishes.items() if name not in moved}, "released": loose[0]}
    stepping["hold"] = held_of(loose[1], known, [*wishes, *(loose[0] if isinstance(loose[0], list) else ())])

    def steps() -> Stream:
        latent = start()
        plan = plan_of(view, Session(Origin(latent)), sent, {"moved": moved}, stepping, far)
        yield from run(view, latent, plan, face_edit)

    yield from _in_turn(panel.models, request, steps())
