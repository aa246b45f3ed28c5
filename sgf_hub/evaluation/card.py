"""The figures of an evaluation in a model card: `model-index` in its YAML, and a block of tables in its text."""

from pathlib import Path
from string import Template

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from yaml import YAMLError

from sgf_hub.errors import CorruptFileError
from sgf_hub.evaluation.page import renewed
from sgf_hub.evaluation.summary import OBSERVERS, tables
from sgf_hub.hub import CONFIG
from sgf_hub.types import read_json

BEGIN, END = "<!-- evaluation: begin (written by `sgf-hub evaluate`) -->", "<!-- evaluation: end -->"
_METRIC = "mds"


def write_card(results: dict, folder: Path) -> Path:
    """Put an evaluation into the card of a mapping, which is made from the template if there is none.

    Args:
        results: what results.json holds; every figure comes from there.
        folder: of the mapping. Whatever else its card says is kept.

    Returns:
        The card.

    Raises:
        CorruptFileError: if the card that is there cannot be read.
    """
    path = folder / "README.md"
    text = path.read_text("utf-8") if path.exists() else new_card(folder)
    try:
        card = ModelCard(text)
    except (YAMLError, ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(f"{path} is not a model card with YAML ({str(error).splitlines()[0]}).") from None
    data: ModelCardData = card.data  # type: ignore[assignment]
    data.model_name = data.model_name or folder.name
    others = [one for one in data.eval_results or [] if one.metric_type != _METRIC]
    data.eval_results = others + eval_results(results)
    block = f"Written by `{results['command']}`.\n\n{tables(results)}"
    if BEGIN not in card.text:
        card.text = f"{card.text.rstrip()}\n\n## Evaluation\n\n{BEGIN}\n{END}\n"
    card.text = renewed(card.text, block, BEGIN, END)
    path.write_text(str(card), "utf-8")
    return path


def eval_results(results: dict) -> list[EvalResult]:
    """SGF's scores, overall and by attribute, as each observer sees them."""
    data = f"{results['samples']} latents of {results['generator']} x {results['seeds']} seeds"
    found = []
    for attribute, parts in results["figures"].get("sgf", {}).items():
        for observer in OBSERVERS:
            if observer in parts:
                found.append(
                    EvalResult(
                        task_type="image-to-image",
                        task_name="Attribute editing",
                        dataset_type="generated",
                        dataset_name=data,
                        metric_type=_METRIC,
                        metric_name=f"MDS, {attribute.replace('_', ' ')} ({observer})",
                        metric_value=round(parts[observer][_METRIC], 4),
                    )
                )
    return found


def new_card(folder: Path) -> str:
    """The template, filled in for a mapping."""
    here = Path(__file__).resolve().parents[1]
    packed = here / "_model_cards"  # in a wheel
    template = (packed if packed.is_dir() else here.parent / "model_cards") / "template.md"
    config = read_json(folder / CONFIG)
    space = f"{config['latent_space'].upper()}, {config['latent_dim']} dimensions"
    names = [*config["attributes"], *config["keypoints"]]
    return Template(template.read_text("utf-8")).substitute(
        name=folder.name,
        generator=config["generator"],
        predictor=", ".join(f"`{head}`" for head in config["predictor"]),
        space=space,
        conditions=", ".join(names),
        wish=f'{{"{names[0]}": {"1" if config["attributes"] else "(0.5, 0.5)"}}}',
    )
