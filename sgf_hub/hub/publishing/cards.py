"""Model cards: what becomes a repo's README.md, from the templates of `model_cards/` and what its folder says.

Everything in a card comes from config.json, training.json and measured.json, but the block that `sgf-hub evaluate`
writes: that is kept as it stands.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from huggingface_hub import ModelCard, ModelCardData
from yaml import YAMLError

from sgf_hub.errors import CorruptFileError
from sgf_hub.hub import names as zoo
from sgf_hub.hub.fetching.manifest import read_manifest
from sgf_hub.hub.files import CONFIG
from sgf_hub.hub.kinds import KINDS, kind_of, role_of
from sgf_hub.hub.names import NAMESPACE
from sgf_hub.hub.publishing.code import code_block
from sgf_hub.hub.publishing.figures import figures, origin, recipe, rows_of
from sgf_hub.hub.publishing.templates import template
from sgf_hub.validation import read_json

CARD, STRIP, PREVIEW = "README.md", "strip.png", "preview.png"
BEGIN, END = "<!-- evaluation: begin (written by `sgf-hub evaluate`) -->", "<!-- evaluation: end -->"
PAPER = "surrogate-gradient-field"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WORLDS = {
    world: f"It was trained on {what} (`sgf-hub data {world}`), never on photographs: it is for studying edits, and "
    "says nothing of real people or plants."
    for world, what in {"avatars": "drawn faces", "flowers": "drawn flowers"}.items()
} | {
    "faces": "The faces are rendered (the generator learned DigiFace-1M, computer graphics of heads whose owners "
    "consented, published for research); nobody in these pictures exists. What is read of them, such as male or old, "
    "is how a picture looks to a network, and says nothing of real people."
}
"""What a card says of the pictures of an embedded world."""

_FAMILIES = {"resnet": "ResNet", "convnextv2": "ConvNeXt V2"}

_READS = {"FaceGender": ("male",), "FaceMesh": ("468 landmarks of a face", "whether there is one")}

_LICENCES = {  # of the embedded zoo, and of everybody else's models
    True: "Apache-2.0.",
    False: "Its owner has named no licence yet; those of its generator and its data may bind it.",
}


def write_card(folder: Path) -> Path:
    """Write a folder's card anew; the block of its evaluation is kept."""
    path = folder / CARD
    path.write_text(fresh_card(folder), "utf-8")
    return path


def card_of(folder: Path, *, repo_id: str, names: Mapping[str, str]) -> str:
    """The card as it is pushed.

    A card that its owner has changed stays as it is, but for the names of repos.

    Args:
        folder: of a model.
        repo_id: what it is called on the Hub.
        names: what the repos that its config names are called there, where that differs.
    """
    path = folder / CARD
    if path.is_file() and (text := path.read_text("utf-8")) != fresh_card(folder):
        for old, new in {own_id(folder): repo_id, **names}.items():
            around = r"(?<![\w./-]){}(?![\w/-])" if "/" in old else r"(?<=[\"'`]){}(?=[\"'`])"
            text = re.sub(around.format(re.escape(old)), new, text)
        return text
    return fresh_card(folder, repo_id=repo_id, names=names)


def fresh_card(folder: Path, *, repo_id: str | None = None, names: Mapping[str, str] | None = None) -> str:
    """The card as it is written from the folder.

    Args:
        folder: of a model.
        repo_id: what it is called; by default "sgf-hub/name" in the embedded zoo, and the folder's name else.
        names: what the repos that its config names are called, where that differs.

    Raises:
        CorruptFileError: if a file of the folder cannot be read, or its kind has no card.
    """
    config, repo_id, names = read_json(folder / CONFIG), repo_id or own_id(folder), names or {}
    kind = kind_of(config)
    if kind not in KINDS or not KINDS[kind].task:
        raise CorruptFileError(f"{folder.name!r} holds a {kind}, of which there is no card: {', '.join(KINDS)}.")
    about = KINDS[kind]
    for key in ("generator", "backbone", "judge", "captioner", "predictor"):
        value = config.get(key)
        if isinstance(value, list):
            config[key] = [names.get(one, one) for one in value]
        elif isinstance(value, str):
            config[key] = names.get(value, value)
    training = _read_if_there(folder / "training.json")
    results, table = figures(kind, config, training, _read_if_there(folder / "measured.json"))
    old, block = _kept(folder)
    known = {one.metric_type for one in results}
    manifest = read_manifest(folder)
    base, ours = config.get(about.parts[0]) if about.parts else None, own_id(folder).startswith(f"{NAMESPACE}/")
    data = ModelCardData(
        license=manifest.license if manifest else "apache-2.0" if ours else None,
        library_name="sgf-hub" if about.module else "transformers",
        pipeline_tag=about.task,
        tags=[*about.tags, PAPER],
        base_model=base if isinstance(base, str) and _HUB_ID.fullmatch(base) else None,
        model_name=repo_id.rpartition("/")[2],
        eval_results=[*results, *(one for one in old if one.metric_type not in known)] or None,
    )
    if not data.eval_results:
        data.model_name = None  # the client demands results beside a name
    text = Template(template(f"{about.card or about.role}.md")).substitute(
        name=repo_id.rpartition("/")[2],
        strip=_pictures(folder, kind),
        code=f"## Use\n\n```python\n{code_block(kind, config, repo_id, world_of(folder))}\n```",
        recipe=origin(manifest) if manifest else recipe(training),
        measured=f"## Measured\n\n{table}" if table else "",
        end=Template(template("end.md"))
        .substitute(licence=f"{manifest.notice}; {manifest.license}." if manifest else _LICENCES[ours])
        .strip(),
        world=_world_words(folder),
        **_facts(kind, config),
    )
    if block:
        text = f"{text.rstrip()}\n\n## Evaluation\n\n{BEGIN}\n{block}\n{END}\n"
    text = re.sub(r" +\n", "\n", re.sub(r"\n{3,}", "\n\n", text))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text.strip()}\n"))


def own_id(folder: Path) -> str:
    """What a folder's model is called before it is pushed."""
    folder = folder.resolve()
    return f"{NAMESPACE}/{folder.name}" if folder.parent == zoo.root().resolve() else folder.name


def world_of(folder: Path) -> str:
    """Which of the embedded worlds an entry of the zoo belongs to; "" for others."""
    if own_id(folder) == folder.resolve().name:
        return ""
    return next((world for world in _WORLDS if world in folder.resolve().name), "")


def pictures_of(card: str, folder: Path) -> list[str]:
    """The pictures of its folder that a card shows.

    Raises:
        CorruptFileError: if one is not there.
    """
    found = []
    for link in re.findall(r"!\[[^\]]*\]\(([^)\s]+)", card):
        if "://" in link or link.startswith("data:"):
            continue
        path = folder / link
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()) or Path(link).is_absolute():
            raise CorruptFileError(f"the card of {folder.name!r} shows {link!r}, which is not in its folder.")
        found.append(link)
    return list(dict.fromkeys(found))


def code_of(card: str) -> str:
    """The first Python block of a card."""
    found = re.search(r"```python\n(.*?)\n```", card, re.DOTALL)
    return found[1] if found else ""


def figures_of(folder: Path) -> list[tuple[str, str, str]]:
    """What was measured of a folder's model, as its card says it: title, on what data, figure.

    Of an evaluation only what it says of all attributes together.
    """
    config = read_json(folder / CONFIG)
    rows = rows_of(
        kind_of(config), config, _read_if_there(folder / "training.json"), _read_if_there(folder / "measured.json")
    )
    known = {row[2] for row in rows}
    found = [(title, data, shown) for title, data, _, _, shown in rows]
    for one in _kept(folder)[0]:
        if one.metric_type not in known and "overall" in str(one.metric_name):
            found.append((str(one.metric_name), str(one.dataset_name), f"{one.metric_value:.3f}"))
    return found


def licence_of(folder: Path) -> str:
    """The licence that a folder's card names, as the Hub spells it; "" if it names none."""
    path = folder / CARD
    head = path.read_text("utf-8").partition("\n---\n")[0] if path.is_file() else ""
    found = re.search(r"(?m)^license: *(\S+)", head)
    return found[1] if found else ""


def _read_if_there(path: Path) -> dict:
    return read_json(path) if path.is_file() else {}


def _kept(folder: Path) -> tuple[list, str]:
    """What an evaluation wrote into the card that is there: the results in its YAML, and its block."""
    path = folder / CARD
    if not path.is_file():
        return [], ""
    try:
        card: Any = ModelCard(path.read_text("utf-8"))
        if BEGIN not in card.text or END not in card.text:
            return [], ""
        return list(card.data.eval_results or []), card.text.split(BEGIN)[1].split(END)[0].strip()
    except (YAMLError, ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(f"{path} is not a model card with YAML ({str(error).splitlines()[0]}).") from None


def _facts(kind: str, config: dict) -> dict[str, str]:
    """What a template says of a config."""

    def name(value: object) -> str:
        return f"`{value}`" if value else "none"

    prompts = [name for name, _ in config.get("prompts", ())]
    conditions = [*config.get("attributes", prompts or _READS.get(kind, ())), *config.get("keypoints", ())]
    space = config.get("latent_space")
    return {
        "kind": KINDS[kind].title or _FAMILIES.get(str(config.get("model_type")), kind),
        "generator": name(config.get("generator")),
        "predictor": ", ".join(name(head) for head in config.get("predictor", ())),
        "space": f"{str(space).upper()}, {config.get('latent_dim')} dimensions" if space else "",
        "conditions": "a sentence" if config.get("caption") else ", ".join(conditions),
        "reads": "keypoints" if KINDS[kind].task == "keypoint-detection" else "attributes",
        "backbone": name(config.get("backbone")),
        "judge": name(config.get("judge")),
        "expressible": f"{config.get('expressible_from', 0.0):.0%}",
        "clip": name(config.get("model")),
        "captioner": name(config.get("captioner")),
        "embedder": name(config.get("embedder")),
        "captions": f"{len(config['captions']):,}" if isinstance(config.get("captions"), list) else "",
        "dimensions": str(config.get("latent_dim") or config.get("components") or ""),
        "resolution": str(config.get("resolution") or config.get("image_size") or ""),
    }


def _pictures(folder: Path, kind: str) -> str:
    """The pictures of a folder, as Markdown."""
    edit = "An edit, step by step: before on the left, after on the right"
    words = {
        STRIP: edit if role_of(kind) == "mapping" else "Samples",
        PREVIEW: "Edits of the check after training",
    }
    return "\n\n".join(f"![{title}]({file})" for file, title in words.items() if (folder / file).is_file())


def _world_words(folder: Path) -> str:
    world = world_of(folder)
    return _WORLDS.get(world, "")
