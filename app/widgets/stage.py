"""The picture with its draggable keypoints: the component that the page is built around.

The browser's part is `static/stage.js`; the two talk through `value`. The server sends messages (`scene`, `frame`),
each of which names only what it changes; the browser sends `{"from": "client", "moved": {name: [x, y]}}`, which
`requests.keypoint_wishes` checks, and `"take": step` with it where a step of the filmstrip was clicked (`.select`). It
triggers `.input` with `"drag": number` while a point is dragged, `.release` where the face is to be edited by its
points, and `.retry` where what else changed is to be held. `static/wipe.js` lays the picture before over the one that
is shown, and what an offered edit comes to; `static/tour.js` says in three steps how to begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from app.widgets.scripted import message, scripted

if TYPE_CHECKING:
    from app.widgets.report import Verdict

Point = tuple[float, float]

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<div class="canvas">
<div class="stage-frame">
  <img class="stage-picture" alt="A NOUN is being drawn" draggable="false">
  <img class="stage-other" alt="" draggable="false">
  <svg class="stage-points" viewBox="0 0 1000 1000" role="group" aria-label="Keypoints"></svg>
  <div class="stage-hud" hidden>
    <span class="stage-step"></span>
    <svg class="stage-spark" viewBox="0 0 120 30" aria-hidden="true">
      <line x1="0" x2="120"></line><polyline></polyline>
    </svg>
    <span class="stage-distance"></span>
  </div>
  <div class="stage-tools">
    <label><input type="checkbox" class="stage-whole"> Whole features</label>
    <button type="button" class="stage-clear" disabled>Put points back</button>
  </div>
  <div class="stage-wipe" hidden>
    <span>Before</span><span>After</span>
    <input type="range" min="0" max="100" step="1" value="0" aria-label="Wipe between before and after">
  </div>
  <button type="button" class="stage-offer" hidden></button>
</div>
<div class="told">
<div class="said" role="status" hidden>
  <p class="said-words"></p>
  <div class="said-buttons">
    <button type="button" class="said-hold" hidden></button>
    <button type="button" class="said-keep" hidden>Keep</button>
    <button type="button" class="said-back" hidden>Back</button>
  </div>
</div>
<p class="stage-status" role="status"></p>
<div class="tour" role="region" aria-label="How to begin" hidden>
  <p></p><button type="button" class="tour-skip">Skip</button><button type="button" class="tour-next">Next</button>
</div>
</div>
<div class="reading" hidden>
  <h3 class="group-title">The picture as the model reads it</h3>
  <p class="reading-words"></p>
  <div class="likeness" hidden>
    <span>Similarity to your words</span>
    <span class="meter" aria-hidden="true"><i></i></span><output></output>
  </div>
</div>
<div class="steps">
<ol class="strip" aria-label="Steps of the edit" hidden></ol>
<div class="strip-hint" hidden><span></span>
  <small>Distance is how far the picture is from what you asked for; 1 is there.</small>
  <button type="button" class="further" hidden></button></div>
</div>
</div>
"""


def build_canvas(*, noun: str, elem_id: str, tab: str = "keypoints", alone: bool = False) -> gr.HTML:
    """A picture with keypoints that pointer, touch and arrow keys move.

    Args:
        noun: what the picture shows, in one word.
        elem_id: of the element.
        tab: whose Edit moves the points.
        alone: no other tab asks for something of this picture.
    """
    return scripted(
        _TEMPLATE.replace("NOUN", noun),
        "stage.js",
        "wipe.js",
        "tour.js",
        elem_id=elem_id,
        elem_classes="stage",
        setup={"tab": tab, "alone": alone},
    )


def frame(
    image: str,
    step: int,
    distances: Sequence[float],
    *,
    points: Mapping[str, Point] | None = None,
    reading: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A message: one step of a running edit. `points` and `reading` are those of `scene`."""
    run = {"step": step, "distances": _finite(distances), "busy": True}
    read = {} if reading is None else {"reading": dict(reading)}
    return message(image=image, points=_plain(points or {}), run=run, said=None, status="Editing …", **read)


def said(verdict: Verdict) -> dict[str, Any]:
    """What is said of an edit below its picture: the sentence, and what can be done."""
    hold = {0: "", 1: "Hold it and try again"}.get(len(verdict.hold), "Hold them and try again")
    return {"tone": verdict.tone, "words": verdict.words, "hold": hold, "worse": verdict.worse}


def offer(words: str, wishes: Mapping[str, float], after: str) -> dict[str, Any]:
    """An edit that is offered of the first picture, to be added to its message.

    Args:
        words: of its button.
        wishes: what it asks for.
        after: the picture that comes of it as a data URI, which is shown once.
    """
    return {"offer": {"words": words, "wishes": dict(wishes), "after": after}}


def other_picture(image: str, status: str) -> dict[str, Any]:
    """A message: a preview of another picture, which nothing is known of: what was said of the last one goes."""
    return message(image=image, status=status, points={}, run=None, strip=[], said=None, reading=None)


def scene(
    image: str,
    *,
    alt: str,
    status: str,
    points: Mapping[str, Point] | None = None,
    features: Mapping[str, Sequence[str]] | None = None,
    reading: Mapping[str, Any] | None = None,
    strip: Sequence[tuple[int, str]] | None = (),
    mark: int | None = None,
    distances: Sequence[float] = (),
    done: Iterable[str] | None = None,
    said: Mapping[str, Any] | None = None,
    before: str = "",
    came: Mapping[str, tuple[Point, float]] | None = None,
) -> dict[str, Any]:
    """A message: a picture at rest, with the filmstrip of the edit that led to it.

    Args:
        image: data URI.
        alt: the picture in words.
        status: one line below it.
        points: where its keypoints are.
        features: which of them belong together; another picture's points do not stay.
        reading: what is said of it, from `words_read`.
        strip: the steps, each by its number and as a data URI; None leaves those that are shown.
        mark: the step that is the picture.
        distances: of the steps; what is told are those up to the one that is the picture.
        done: moved points that are done with; None for all of them.
        said: of the edit that led to it, from `said`.
        before: the picture before it as a data URI, to wipe to.
        came: the points that it was asked to move: where each was put, and how far from there it is, 0 if it arrived.
    """
    run = None
    if mark is not None and distances:
        run = {"step": mark, "distances": _finite(distances[: mark + 1]), "busy": False}
    path: dict[str, Any] = {"mark": mark, "run": run}
    if strip is not None:
        path["strip"] = [list(one) for one in strip]
    return message(
        image=image,
        points=_plain(points or {}),
        features={key: list(members) for key, members in (features or {}).items()},
        reading=None if reading is None else dict(reading),
        alt=alt,
        status=status,
        rest=True,
        **path,
        done=None if done is None else list(done),
        said=None if said is None else dict(said),
        before=before,
        came={name: [*_plain({name: place})[name], round(rest, 4)] for name, (place, rest) in (came or {}).items()},
    )


def words_read(
    words: Iterable[tuple[str, bool]], similarity: float | None = None, *, busy: bool = False
) -> dict[str, Any]:
    """What is said of the picture below it.

    Args:
        words: of its caption, and whether each is to be marked.
        similarity: of the caption to what is asked for, a cosine.
        busy: it is still being read.
    """
    rounded = None if similarity is None or similarity != similarity else round(similarity, 2)
    return {"words": [list(word) for word in words], "similarity": rounded, "busy": busy}


def moves(moved: Mapping[str, Point]) -> dict[str, Any]:
    """A message: points put somewhere by a gesture, for the edit that follows."""
    return message(moved=_plain(moved))


def preview(drag: int, image: str, points: Mapping[str, Point]) -> dict[str, Any]:
    """A message: what a drag leads to; `points` are where the others have followed."""
    return message(preview=drag, image=image, points=_plain(points))


def _plain(points: Mapping[str, Point]) -> dict[str, list[float]]:
    return {name: [round(x, 4), round(y, 4)] for name, (x, y) in points.items()}


def _finite(distances: Sequence[float]) -> list[float]:
    return [round(min(d, 1e3), 2) if d == d else 1e3 for d in distances]
