"""An edit as a link or a file that restores it exactly: every latent to the bit, nothing computed again.

Both hold the same JSON: the picture's origin, the edits with their plans and results, and how many of them stand. A
latent is written as its rows, each the base64 of little-endian float32 (rows that are equal, as in a w+ latent edited
in few layers, then cost nothing once compressed). A link holds that compressed, "face.1.<base64url>"; 1 is the version.

Whatever is read here may have been written by anybody: sizes are bounded before and after decompressing, and every name
and number is checked as what the page's own controls send is (`app.core.requests`).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import gradio as gr

from app.core.errors import UserError
from app.core.gestures import GESTURES
from app.core.requests import (
    attribute_wishes,
    caption_of,
    keypoint_wishes,
    layers_of,
    options_of,
    seed_of,
    truncation_of,
)
from app.core.session import HISTORY_LIMIT, STOPPED, TAKEN, Edit, Origin, Plan, Session
from app.widgets.captions import unfamiliar
from app.widgets.scripted import scripted

if TYPE_CHECKING:
    from app.core.model_sets import ModelSet
    from app.models.services import Models
    from sgf_hub.types import ConditionSpec, Latent

VERSION = 1
FORMAT = "sgf-edits"
LINK = 6_000  # characters of a link's text; a longer one is cut by some of what links are sent through
TITLE = "A picture that somebody shared."
_MOST_LINK = 4 * LINK  # characters that are read
_MOST = 900_000  # bytes of JSON: 60 edits in W+ are 430 KB
_FARTHEST = 1e3  # a latent's numbers are hardly ever beyond 10
_MOST_DISTANCE = 1e6

# Gradio reads this as a template: no backticks, no braces.
_TEMPLATE = """
<div class="share">
  <p class="share-status" role="status"></p>
  <div class="share-box" hidden>
    <div class="share-link"><input type="text" readonly aria-label="Link to this edit">
    <button type="button" class="share-copy">Copy link</button></div>
    <button type="button" class="share-file">Save edit as file</button>
  </div>
</div>
"""


# -- writing ---------------------------------------------------------------------------------------------------------


def state_of(model_set: ModelSet, session: Session) -> dict[str, Any]:
    """A session as JSON."""
    origin = session.origin
    return {
        "format": FORMAT,
        "version": VERSION,
        "world": model_set.generator,
        "origin": {"seed": origin.seed, "truncation": origin.truncation, "latent": _written(origin.latent)},
        "edits": [_written_edit(edit) for edit in session.edits],
        "cursor": session.cursor,
    }


def _written_edit(edit: Edit) -> dict[str, Any]:
    plan = edit.plan
    return {
        "editor": plan.editor,
        "wishes": dict(plan.wishes),
        "release": list(plan.release),
        "hold": list(plan.hold),
        "max_steps": plan.max_steps,
        "step_size": plan.step_size,
        "layers": None if plan.layers is None else list(plan.layers),
        "gesture": plan.gesture,
        "note": plan.note,
        "steps": edit.steps,
        "chosen": edit.step,
        "reason": edit.reason,
        "distance": edit.distance if math.isfinite(edit.distance) else _MOST_DISTANCE,
        "outlyingness": edit.outlyingness,
        "latent": _written(edit.latent),
    }


def _written(latent: Latent) -> dict[str, Any]:
    rows = latent.data[0].numpy().astype("<f4")
    rows = rows if latent.space == "w+" else rows[None]
    return {"space": latent.space, "rows": [base64.b64encode(row.tobytes()).decode() for row in rows]}


def link_of(model_set: ModelSet, noun: str, session: Session, most: int = LINK) -> str | None:
    """What stands behind `?edit=` in a link; None if that would have more than `most` characters."""
    content = json.dumps(state_of(model_set, session), separators=(",", ":")).encode()
    packed = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
    text = f"{noun}.{VERSION}.{packed}"
    return text if len(text) <= most else None


def kept_link(model_set: ModelSet, noun: str, session: Session) -> str:
    """The link that a page keeps: to the picture as it is, with all its edits if it can be read so, else with none."""
    alone = Session(Origin(session.latent))
    return next(filter(None, (link_of(model_set, noun, one, _MOST_LINK) for one in (session, alone))), "")


def build_link(*, elem_id: str) -> gr.HTML:
    """What keeps that link in the page, and in its address where it is no longer than a link may be."""
    return scripted("<span></span>", "link.js", elem_id=elem_id, visible="hidden")


def build_share(*, elem_id: str) -> gr.HTML:
    """What is shown of it: the link with a button that copies it, and one that saves the file.

    Listen with `.download` for the file.
    """
    return scripted(_TEMPLATE, "share.js", elem_id=elem_id)


# -- reading ---------------------------------------------------------------------------------------------------------


def is_for(noun: str, text: object) -> bool:
    """Whether a link's text is about what a noun names."""
    return isinstance(text, str) and text.startswith(f"{noun}.")


def in_link(text: str) -> dict[str, Any]:
    """The JSON in a link's text.

    Raises:
        UserError: if it is too long, damaged or of another version.
    """
    if len(text) > _MOST_LINK:
        _refuse("it is longer than any link of ours")
    version, _, packed = text.partition(".")[2].partition(".")
    if version != str(VERSION):
        _refuse("it is of another version of this page")
    try:
        data = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        reader = zlib.decompressobj()
        content = reader.decompress(data, _MOST)
    except (ValueError, binascii.Error, zlib.error):
        _refuse("it was cut off or changed on its way")
    if not reader.eof:
        _refuse("it was cut off, or is much too large")
    return in_file(content)


def in_file(content: bytes) -> dict[str, Any]:
    """The JSON in a file's content.

    Raises:
        UserError: if it is too large, or no JSON of ours.
    """
    if len(content) > _MOST:
        _refuse("it is larger than any edit")
    try:
        state = json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        _refuse("it is no JSON")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        _refuse("it was not saved by this page")
    if state.get("version") != VERSION:
        _refuse("it is of another version of this page")
    return state


def session_in(models: Models, model_set: ModelSet, state: Mapping[str, Any]) -> Session:
    """The session that a link or a file holds.

    Args:
        models: loaded ones of `model_set`: they know what names there are.
        model_set: whose picture it must be.
        state: from `in_link` or `in_file`.

    Raises:
        UserError: for anything in it that the page would not have written.
        SGFError: likewise.
    """
    if state.get("world") != model_set.generator:
        _refuse(f"it is of pictures of another kind than {model_set.generator}")
    edits, cursor = state.get("edits"), state.get("cursor")
    if not isinstance(edits, list) or len(edits) > HISTORY_LIMIT:
        _refuse(f"it does not hold 0 to {HISTORY_LIMIT} edits")
    if type(cursor) is not int or not 0 <= cursor <= len(edits):
        _refuse("it does not say which of its edits stand")
    origin = _origin(models, model_set, _object(state.get("origin")))
    made = tuple(_edit(models, model_set, _object(edit)) for edit in edits)
    return Session(origin, made, cursor, model_set)


def _origin(models: Models, model_set: ModelSet, content: Mapping[str, Any]) -> Origin:
    import torch

    latent, seed = _latent(models, model_set, content.get("latent")), content.get("seed")
    truncation = truncation_of(content.get("truncation"))
    if seed is not None:
        sampled = models.sample(model_set, seed_of(seed), truncation)
        # another machine rounds otherwise; what is further off came from no such seed, and must not be called by it
        if sampled.space != latent.space or not torch.allclose(sampled.data, latent.data, atol=1e-3):
            seed = None
    return Origin(latent, seed, truncation, TITLE)


def _edit(models: Models, model_set: ModelSet, content: Mapping[str, Any]) -> Edit:
    from sgf_hub.editing import StopReason

    steps, reason, distance = content.get("steps"), content.get("reason"), content.get("distance")
    if type(steps) is not int or not 1 <= steps <= 200:
        _refuse("an edit in it has no number of steps")
    chosen = content.get("chosen", steps)  # which older ones lack
    if type(chosen) is not int or not 0 <= chosen <= steps:
        _refuse("an edit in it does not say which step it is")
    if reason not in (*StopReason.__members__, STOPPED, TAKEN):
        _refuse("an edit in it does not say why it ended")
    if not _is_distance(distance):
        _refuse("an edit in it has no distance")
    far = content.get("outlyingness")  # which older ones lack
    if far is not None and not _is_distance(far):
        _refuse("an edit in it says something odd of how far out it lies")
    latent, plan = _latent(models, model_set, content.get("latent")), _plan(models, model_set, content)
    far = None if far is None else float(far)
    return Edit(plan, latent, steps, reason, float(distance), far, chosen)  # type: ignore[arg-type]


def _is_distance(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= _MOST_DISTANCE  # type: ignore[operator]


def _plan(models: Models, model_set: ModelSet, content: Mapping[str, Any]) -> Plan:
    editor, layers, gesture = content.get("editor"), content.get("layers"), content.get("gesture")
    if editor not in model_set.editors:
        _refuse("an edit in it was made by a model that this page does not use")
    if layers is not None:
        if not isinstance(layers, list) or len(layers) != 2 or type(layers[0]) is not int:
            _refuse("an edit in it names no layers")
        layers = layers_of(layers[0] + 1, layers[1], model_set.layers)
    predictor = models.predictor(model_set.heads)
    spec = models.editor(str(editor)).predictor.spec
    wishes, release = _wishes(spec, _object(content.get("wishes")), content.get("release"))
    hold = content.get("hold", [])  # which older ones lack
    if not isinstance(hold, list) or not all(name in spec.attributes for name in hold):
        _refuse("an edit in it holds something that is not there")
    known = {unfamiliar(caption) for caption in getattr(predictor, "captions", ())}
    return Plan(
        str(editor),
        wishes,
        release,
        **options_of(content.get("max_steps"), content.get("step_size")),
        note=content["note"] if content.get("note") in known else "",
        layers=layers,
        gesture=gesture if isinstance(gesture, str) and gesture in GESTURES else "",
        hold=tuple(name for name in dict.fromkeys(hold) if name not in wishes and name not in release),
    )


def _wishes(spec: ConditionSpec, content: Mapping[str, Any], release: object) -> tuple[dict, tuple[str, ...]]:
    names = (*spec.attributes, *spec.keypoints)
    if not isinstance(release, list) or not all(isinstance(name, str) and name in names for name in release):
        _refuse("an edit in it lets go of something that is not there")
    if spec.caption:
        if set(content) != {"caption"}:
            _refuse("an edit in it asks for something else than a caption")
        return {"caption": caption_of(content["caption"])}, ()
    attributes = {name: wish for name, wish in content.items() if name not in spec.keypoints}
    points = {name: wish for name, wish in content.items() if name in spec.keypoints}
    asked, _ = attribute_wishes({"wishes": attributes}, spec.attributes, needed=not points)
    free = dict.fromkeys(name for name in release if name not in content)
    return {**asked, **keypoint_wishes({"moved": points}, spec.keypoints)}, tuple(free)


def _latent(models: Models, model_set: ModelSet, content: object) -> Latent:
    import numpy as np
    import torch

    from sgf_hub.types import Latent

    generator, written = models.generator(model_set.generator), _object(content)
    space, rows = written.get("space"), written.get("rows")
    counts = {generator.latent_space: 1}
    if generator.latent_space == "w":
        counts["w+"] = getattr(generator, "num_layers", 0)
    if not isinstance(space, str) or space not in counts or not isinstance(rows, list) or len(rows) != counts[space]:
        _refuse("a latent in it is not one of this generator")
    try:
        data = [np.frombuffer(base64.b64decode(row, validate=True), "<f4") for row in rows]
    except (ValueError, TypeError):
        _refuse("a latent in it is damaged")
    if any(len(row) != generator.latent_dim for row in data):
        _refuse("a latent in it is not one of this generator")
    values = np.stack(data).astype(np.float32)
    if not (np.abs(values) <= _FARTHEST).all():  # nor is NaN
        _refuse("a latent in it has numbers that no latent has")
    return Latent(torch.from_numpy(values[None] if space == "w+" else values), space)


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse("something is missing in it")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _refuse(why: str) -> NoReturn:
    raise UserError(f"This edit cannot be opened: {why}.")
