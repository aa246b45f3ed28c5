"""The lines of Python in a model card: they run as they stand."""

from pathlib import PurePath

from sgf_hub.hub.user_code import is_code


def code_block(kind: str, config: dict, repo_id: str, world: str) -> str:
    """How to use a repo.

    Args:
        kind: of the repo, as `zoo.kind_of` gives it.
        config: its config.json.
        repo_id: its name.
        world: of the embedded zoo that it belongs to, or "".
    """
    if kind == "SGFMapping":
        return _mapping(config, repo_id)
    if kind in ("StyleGAN2", "ProGAN"):
        return "\n".join(
            (
                "from sgf_hub.generators import load_generator",
                "from sgf_hub.data.pictures import sheet",
                "",
                f'generator = load_generator("{repo_id}")',
                'sheet(generator.synthesize(generator.sample(8, seed=7))).save("samples.png")',
            )
        )
    if kind in ("Boundaries", "Components"):
        seed, wish = example_of(config)
        editor = "InterFaceGANEditor" if kind == "Boundaries" else "GANSpaceEditor"
        return "\n".join(
            (
                f"from sgf_hub.baselines import {kind}, {editor}",
                "from sgf_hub.editing.editor import edit",
                "from sgf_hub.generators import load_generator",
                "from sgf_hub.predictors import load_predictor",
                "",
                f'directions = {kind}.from_pretrained("{repo_id}")',
                "generator = load_generator(directions.generator_name)",
                f"editor = {editor}(generator, load_predictor(directions.predictor_names), directions)",
                f"edited = edit(editor, generator.sample(1, seed={seed}), {_wish(wish)}, editor.sweep).result",
            )
        )
    if kind == "LatentEncoder":
        return "\n".join(
            (
                "from sgf_hub.inversion.projector import ProjectionConfig, Projector",
                "",
                f'projector = Projector.from_pretrained("{repo_id}")',
                "# your picture: sgf_hub.data.photos reads one from a file; here it is one that the generator drew",
                "images = projector.generator.synthesize(projector.generator.sample(1, seed=7))",
                "found = projector.project(images, ProjectionConfig(steps=20, plus_steps=20))",
                'found.latent.save("latent.safetensors")',
                "print(found.sentences[0])",
            )
        )
    kind = {"PromptPredictor": "AttributeHead"}.get(kind, kind)
    loads, use = {
        "AttributeHead": (
            "predictors import load_predictor",
            ["predictor = load_predictor({})", "c = predictor({})",
             "print(dict(zip(predictor.spec.attributes, (c[0] + 1) / 2)))  # probabilities"],
        ),
        "KeypointHead": (
            "predictors import load_predictor",
            ["predictor = load_predictor({})", "c = predictor({})",
             "print(dict(zip(predictor.spec.keypoints, predictor.spec.points(c)[0])))  # (x, y), in [0, 1]"],
        ),
        "CaptionPredictor": (
            "predictors import load_predictor",
            ["predictor = load_predictor({})", "c = predictor({})", "print(predictor.words(c))"],
        ),
        "classifier": (
            "predictors import load_predictor",
            ["predictor = load_predictor({})", "c = predictor({})", "print(predictor.spec.names, c)"],
        ),
        "captioner": (
            "predictors.captioner import load_captioner", ["captioner = load_captioner({})", "print(captioner({}))"]
        ),
        "backbone": (
            "predictors.backbone import load_backbone", ["backbone = load_backbone({})", "features = backbone({})"]
        ),
    }[kind]  # fmt: skip
    lines = [f"from sgf_hub.{loads}", "", use[0].format(f'"{repo_id}"')]
    if world:
        lines.insert(0, "from sgf_hub.generators import load_generator")
        lines += [f'generator = load_generator("sgf-hub/{world}-stylegan2")']
        pictures = "generator.synthesize(generator.sample(1, seed=7))"
    else:
        lines[:0] = ["import torch", ""]
        pictures = "torch.zeros(1, 3, 64, 64)"  # of any side
        lines += ["# your pictures: [B, 3, R, R] in [-1, 1], of any side"]
    return "\n".join([*lines, use[1].format(pictures), *use[2:]])


def _mapping(config: dict, repo_id: str) -> str:
    lines, passed = ["from sgf_hub import EditConfig, SGFEditor"], ""
    own = {"generator": [config["generator"]], "predictor": list(config["predictor"])}
    for argument, references in own.items():
        code = next((one for one in references if is_code(one)), None)
        if code:
            file, _, name = code.rpartition(":")
            lines.append(f"from {PurePath(file).stem} import {name} as my_{argument}  # your own code")
            passed += f", {argument}=my_{argument}"
    space = f'space="{config["latent_space"]}"' if config["latent_space"] != "w" else ""
    seed, wish = example_of(config)
    return "\n".join(
        (
            *lines,
            "",
            f'editor = SGFEditor.from_pretrained("{repo_id}"{passed})',
            f"latent = editor.generator.sample(1, seed={seed})",
            f"edited = editor.edit(latent, {_wish(wish)}, EditConfig.ours({space})).result",
            'edited.latent.save("edited.safetensors")',
        )
    )


def example_of(config: dict) -> tuple[int, dict]:
    """A seed and a wish that show what a mapping, or a fitted direction, does."""
    if config.get("caption"):
        return 5, {"caption": "a small purple flower with pointed petals"}
    attributes, points = config.get("attributes") or [], config.get("keypoints") or []
    if points:
        return 5, {"nose_tip": (0.52, 0.6)} if "nose_tip" in points else {points[0]: (0.5, 0.5)}
    wishes = {name: 1 for name in ("smile", "glasses") if name in attributes} or {attributes[0]: 1}
    return (5, wishes) if config.get("latent_space") == "w" else (9, wishes)


def _wish(wish: dict) -> str:
    return repr(wish).replace("'", '"')
