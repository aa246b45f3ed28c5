"""An edit as Python: the code that does it again, from the seed on."""

from __future__ import annotations

from app.core.session import STEP_SIZES, STOPPED, TAKEN, Edit, Plan, Session

_DEFAULT_STEPS = 60  # of EditConfig.ours(), left out of the code when unchanged


def as_python(session: Session, generator: str) -> str:
    """Code that ends with `latent` equal to the session's latent.

    Args:
        session: the picture and its edits.
        generator: name of its generator's repo, for a picture without an edit.
    """
    edits = session.standing
    lines = ["from sgf_hub.editing.editor import EditConfig, SGFEditor"]
    if session.origin.seed is None:
        lines.append("from sgf_hub.types import Latent")
    if not edits:
        lines = ["from sgf_hub.generators import load_generator", *lines[1:], ""]
        lines.append(f'generator = load_generator("{generator}")')
        return "\n".join([*lines, _origin(session, "generator"), "image = generator.synthesize(latent)", ""])
    lines.append("")
    loaded = ""
    for number, edit in enumerate(edits):
        if edit.plan.editor != loaded:
            loaded = edit.plan.editor
            lines.append(f'editor = SGFEditor.from_pretrained("{loaded}")')
        if number == 0:
            lines.append(_origin(session, "editor.generator"))
        lines += ["", *_steps(edit)]
    return "\n".join([*lines, 'latent.save("latent.safetensors")', ""])


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
    config = f"EditConfig.ours({_options(edit)})"
    lines, target = [f"wishes = {wishes}"], "wishes"
    if plan.release:
        lines += [
            "c0 = editor.predictor(editor.generator.synthesize(latent))",
            f"target = editor.predictor.target(c0, release={list(plan.release)!r}, **wishes)",
        ]
        target = "target"
    return [*lines, f"latent = editor.edit(latent, {target}, {config}).result.latent"]


def _options(edit: Edit) -> str:
    plan: Plan = edit.plan
    # an edit that its visitor stopped is one that was allowed no more steps
    steps = edit.steps if edit.reason in (STOPPED, TAKEN) else plan.max_steps
    options = [] if plan.space == "w" else [f'space="{plan.space}"']
    if steps != _DEFAULT_STEPS:
        options.append(f"max_steps={steps}")
    if plan.step_size != STEP_SIZES[plan.space]:
        options.append(f"step_size={plan.step_size!r}")
    if plan.layers is not None:
        options.append(f"layers={plan.layers!r}")
    if edit.reason == TAKEN:  # the last step, not the closest one
        options.append("return_best=False")
    return ", ".join(options)
