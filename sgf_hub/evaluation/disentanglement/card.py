"""The figures of an evaluation in a model card: `model-index` in its YAML, and a block of tables in its text."""

from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from yaml import YAMLError

from sgf_hub.errors import CorruptFileError
from sgf_hub.evaluation.disentanglement.summary import OBSERVERS, tables
from sgf_hub.evaluation.page import caption_table, mean, renewed
from sgf_hub.hub.publishing.cards import BEGIN, END, fresh_card

_METRIC = "mds"
SENTENCES = "sentences.png"  # beside a mapping of captions


def write_card(results: dict, folder: Path) -> Path:
    """Put an evaluation into the card of a mapping, which is written if there is none.

    Args:
        results: what results.json holds; every figure comes from there.
        folder: of the mapping. Whatever else its card says is kept.

    Returns:
        The card.

    Raises:
        CorruptFileError: if the card that is there cannot be read.
    """
    block = f"Written by `{results['command']}`.\n\n{tables(results)}"
    return _put(folder, eval_results(results), block)


def write_captions_card(said: dict, folder: Path) -> Path:
    """Put what was measured of edits by sentence into the card of a mapping of captions.

    Args:
        said: what measured.json holds as "captions".
        folder: of the mapping. Whatever else its card says is kept.

    Returns:
        The card.

    Raises:
        CorruptFileError: if the card that is there cannot be read.
    """
    titles = {"tuned": "Our stepping", "paper": "The paper's"}
    measured = {row["stepping"] for row in said["rows"]}
    tables = [f"{title}:\n\n{caption_table(said, one)}" for one, title in titles.items() if one in measured]
    block = "\n\n".join([f"Written by `{said['command']}`.", *tables])
    if (folder / SENTENCES).is_file():
        picture = f"![Flowers edited by sentence, as in the paper's Figure 7]({SENTENCES})"
        block += f"\n\n{picture}\n\nDrawn by `sgf-hub measure sentences`."
    rows = [row for row in said["rows"] if row["stepping"] == "tuned"]
    data = f"{said['samples']} flowers a kind of sentence x {said['seeds']} seeds"
    results = [
        _result("Editing by sentence", data, f"{figure}_by_judge", f"{title} (judge)", mean(rows, figure))
        for figure, title in (("found", "asked factors found"), ("kept", "factors left as they were"))
    ]
    return _put(folder, results, block)


def _put(folder: Path, results: list[EvalResult], block: str) -> Path:
    path = folder / "README.md"
    text = path.read_text("utf-8") if path.exists() else fresh_card(folder)
    try:
        card = ModelCard(text)
    except (YAMLError, ValueError, TypeError, KeyError) as error:
        raise CorruptFileError(f"{path} is not a model card with YAML ({str(error).splitlines()[0]}).") from None
    data: ModelCardData = card.data  # type: ignore[assignment]
    data.model_name = data.model_name or folder.name
    ours = {one.metric_type for one in results} | {_METRIC}
    data.eval_results = [one for one in data.eval_results or [] if one.metric_type not in ours] + results
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
                title = f"MDS, {attribute.replace('_', ' ')} ({observer})"
                found.append(_result("Attribute editing", data, _METRIC, title, parts[observer][_METRIC]))
    return found


def _result(task: str, data: str, metric: str, title: str, value: float) -> EvalResult:
    return EvalResult(
        task_type="image-to-image",
        task_name=task,
        dataset_type="generated",
        dataset_name=data,
        metric_type=metric,
        metric_name=title,
        metric_value=round(value, 4),
    )
