"""The lines of Python in a model card, from the templates of `model_cards/use/`: they run as they stand."""

import json
import re
from pathlib import PurePath
from string import Template

from sgf_hub.hub.kinds import KINDS
from sgf_hub.hub.publishing.templates import template
from sgf_hub.hub.user_code import is_code

# what a predictor reads, as a reader of a card prints it
_SHOWN = {
    "AttributeHead": "dict(zip(predictor.spec.attributes, (c[0] + 1) / 2))",  # probabilities
    "PromptPredictor": "dict(zip(predictor.spec.attributes, (c[0] + 1) / 2))",
    "KeypointHead": "dict(zip(predictor.spec.keypoints, predictor.spec.points(c)[0]))",  # (x, y), in [0, 1]
    "CaptionPredictor": "predictor.words(c)",
    "FaceMeasures": "dict(zip(predictor.spec.attributes, (c[0] + 1) / 2))",
    "FaceGender": "dict(zip(predictor.spec.attributes, (c[0] + 1) / 2))",
    "FaceKeypoints": "dict(zip(predictor.spec.keypoints, predictor.spec.points(c)[0]))",
}
_EDITORS = {"Boundaries": "InterFaceGANEditor", "Components": "GANSpaceEditor", "LatentClassifiers": "LACEEditor",
            "StyleChannels": "StyleSpaceEditor"}  # fmt: skip
_DRAWS = {"avatars": "avatars-stylegan2", "flowers": "flowers-stylegan2", "faces": "faces-dcgan"}  # by world
_DRAWN = """generator = load_generator("sgf-hub/{generator}")
images = generator.synthesize(generator.sample(1, seed=7))"""
_GIVEN = "images = torch.zeros(1, 3, 64, 64)  # your pictures: [B, 3, R, R] in [-1, 1], of any side"


def code_block(kind: str, config: dict, repo_id: str, world: str) -> str:
    """How to use a repo.

    Args:
        kind: of the repo, as `kinds.kind_of` gives it.
        config: its config.json.
        repo_id: its name.
        world: of the embedded zoo that it belongs to, or "".
    """
    role, values = KINDS[kind].role, {"repo": repo_id, "kind": kind}
    if role in ("mapping", "baseline"):
        seed, wish = example_of(config)
        imports, passed = _users_own(config) if role == "mapping" else ("", "")
        values |= {"seed": str(seed), "wish": _quoted(wish), "imports": imports, "passed": passed}
        values["editor"] = _EDITORS.get(kind, "")
    elif role in ("predictor", "captioner", "backbone"):
        values["imports"] = "from sgf_hub.generators import load_generator" if world else "import torch\n"
        values["pictures"] = _DRAWN.format(generator=_DRAWS[world]) if world else _GIVEN
        values["shown"] = _SHOWN.get(kind, "predictor.spec.names, c")
    return re.sub(
        r"\n{3,}", "\n\n", Template(template(f"use/{'mesh' if kind == 'FaceMesh' else role}.txt")).substitute(values)
    ).strip()


def _users_own(config: dict) -> tuple[str, str]:
    """Imports of the user's own code that a mapping's config names, and how it is passed on."""
    imports, passed = "", ""
    for argument, names in {"generator": [config["generator"]], "predictor": config["predictor"]}.items():
        code = next((one for one in names if is_code(one)), None)
        if code:
            file, _, name = code.rpartition(":")
            imports += f"from {PurePath(file).stem} import {name} as my_{argument}  # your own code\n"
            passed += f", {argument}=my_{argument}"
    return imports, passed


def example_of(config: dict) -> tuple[int, dict]:
    """A seed and a wish that show what a mapping, or a fitted direction, does."""
    if config.get("caption"):
        return 5, {"caption": "a small purple flower with pointed petals"}
    attributes, points = config.get("attributes") or [], config.get("keypoints") or []
    if points:
        return 5, {"nose_tip": (0.52, 0.6)} if "nose_tip" in points else {points[0]: (0.5, 0.5)}
    wishes = {name: 1 for name in ("smile", "glasses") if name in attributes} or {attributes[0]: 1}
    return (5, wishes) if config.get("latent_space") == "w" else (9, wishes)


def _quoted(wish: dict) -> str:
    """A dictionary as Python with double quotes."""
    points = {name: f"({value[0]}, {value[1]})" for name, value in wish.items() if isinstance(value, tuple)}
    return "{" + ", ".join(f"{json.dumps(name)}: {points.get(name) or json.dumps(v)}" for name, v in wish.items()) + "}"
