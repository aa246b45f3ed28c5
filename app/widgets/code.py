"""An edit as Python: the code that does it again, from the seed on."""

from __future__ import annotations

from app.core.model_sets import ModelSet
from app.core.session import STEP_SIZES, STOPPED, TAKEN, Edit, Plan, Session

_PICTURES = "from sgf_hub.data.pictures import to_pictures"
_DEFAULT_STEPS = 60  # of EditConfig(), left out of the code when unchanged


def as_python(session: Session, model_set: ModelSet) -> str:
    """Code that ends with `latent` equal to the session's latent, and the picture and the latent saved.

    Args:
        session: the picture and its edits.
        model_set: what it is drawn and edited by.
    """
    edits = session.standing
    if not edits:
        opened = ["from sgf_hub import Latent"] if session.origin.seed is None else []
        lines = [
            "from sgf_hub import load_generator",
            *opened,
            _PICTURES,
            "",
            f'generator = load_generator("{model_set.generator}")',
        ]
        return "\n".join([*lines, _origin(session, "generator"), _saved("generator"), ""])
    steps: list[str] = []
    loaded = "", ""
    for number, edit in enumerate(edits):
        if (edit.plan.editor, size := _size(edit.plan, model_set)) != loaded:
            loaded = (edit.plan.editor, size)
            steps.append(f'editor = SGFEditor.from_pretrained("{edit.plan.editor}"{size})')
        if number == 0:
            steps.append(_origin(session, "editor.generator"))
        steps += ["", *_steps(edit)]
    text = "\n".join(steps)
    used = ["SGFEditor", *(name for name in ("EditConfig", "EditRequest") if f"{name}(" in text)]
    public = ", ".join(sorted([*used, "Latent"] if session.origin.seed is None else used))
    rules = ["from sgf_hub.editing import GainControlled"] if "stepping=GainControlled(" in text else []
    ends = ['latent.save("latent.safetensors")', _saved("editor.generator"), ""]
    return "\n".join([f"from sgf_hub import {public}", _PICTURES, *rules, "", text, *ends])


def _saved(generator: str) -> str:
    return f'to_pictures({generator}.synthesize(latent))[0].save("picture.png")'


def _size(plan: Plan, model_set: ModelSet) -> str:
    """The argument that says how large steps are, where that is not the mapping's own."""
    if plan.step_size in (None, STEP_SIZES[model_set.space]) or "caption" in plan.wishes:
        return ""
    return f", stepping=GainControlled(step_size={plan.step_size!r})"


def _origin(session: Session, generator: str) -> str:
    origin = session.origin
    if origin.seed is None:
        return 'latent = Latent.load("latent.safetensors")  # the one that was opened'
    return f"latent = {generator}.sample(1, seed={origin.seed}, truncation={origin.truncation!r})"


def _steps(edit: Edit) -> list[str]:
    plan = edit.plan
    wishes = "{" + ", ".join(f'"{name}": {wish!r}' for name, wish in plan.wishes.items()) + "}"
    if len(wishes) > 90:
        wishes = "{\n" + "".join(f'    "{name}": {wish!r},\n' for name, wish in plan.wishes.items()) + "}"
    asked = "wishes"
    freed = [f"{kind}={names!r}" for kind, names in (("release", plan.release), ("hold", plan.hold)) if names]
    if freed:
        asked = f"EditRequest(wishes, {', '.join(freed)})"
    config = f", EditConfig({options})" if (options := _options(edit)) else ""
    return [f"wishes = {wishes}", f"latent = editor.edit(latent, {asked}{config}).result.latent"]


def _options(edit: Edit) -> str:
    plan: Plan = edit.plan
    # an edit that its visitor stopped is one that was allowed no more steps
    steps = edit.steps if edit.reason in (STOPPED, TAKEN) else plan.max_steps
    options = []
    if steps != _DEFAULT_STEPS:
        options.append(f"max_steps={steps}")
    if plan.layers is not None:
        options.append(f"layers={plan.layers!r}")
    if edit.reason == TAKEN:  # the last step, not the best one
        options += ['choose="arrived"', "return_best=False"]
    return ", ".join(options)
