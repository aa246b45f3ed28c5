"""Records of an evaluation to figures (mean and spread over seeds), and figures to Markdown tables."""

from collections.abc import Iterable, Mapping

from sgf_hub.evaluation.disentanglement.mds import Curve
from sgf_hub.evaluation.edits import mean_and_spread

TITLES = {
    "sgf": "SGF, our stepping",
    "sgf-paper": "SGF, the paper's stepping",
    "interfacegan": "InterFaceGAN",
    "interfacegan-conditional": "InterFaceGAN, conditional",
    "ganspace": "GANSpace",
    "lace": "LACE",
    "stylespace": "StyleSpace",
    "latent-descent": "Latent descent",
}
OBSERVERS = {"predictor": "the steering predictor", "judge": "the judge, which no method has seen"}


def figures(records: Iterable[dict]) -> dict:
    """Mean and standard deviation over seeds: method => attribute => part => figure.

    A part is "predictor", "judge" (what they saw) or "edit" (steps, seconds, image_distance). The attribute "overall"
    is the mean over attributes, taken in each seed.
    """
    rows: dict[str, dict[str, dict[int, dict]]] = {}
    for record in records:
        of_method = rows.setdefault(record["method"], {})
        of_method.setdefault(record["attribute"], {})[record["seed"]] = _row(record)
    return {method: {"overall": _overall(each), **_by_attribute(each)} for method, each in rows.items()}


def _row(record: dict) -> dict:
    """The numbers of a record, by part."""
    row = {}
    for observer, readings in record["readings"].items():
        numbers = {key: value for key, value in readings.items() if key not in ("curve", "best") and value is not None}
        row[observer] = {**numbers, "accuracy": max(readings["curve"]["accuracy"])}
    keys = ("steps", "seconds", "image_distance")
    row["edit"] = {key: record[key] for key in keys if record[key] is not None}
    return row


def _by_attribute(rows: Mapping[str, Mapping[int, dict]]) -> dict:
    return {
        attribute: {part: mean_and_spread([row[part] for row in seeds.values()]) for part in next(iter(seeds.values()))}
        for attribute, seeds in rows.items()
    }


def _overall(rows: Mapping[str, Mapping[int, dict]]) -> dict:
    columns = list(rows.values())
    means = []
    for seed in columns[0]:
        each = [column[seed] for column in columns]
        means.append(
            {part: {key: sum(row[part][key] for row in each) / len(each) for key in each[0][part]} for part in each[0]}
        )
    return {part: mean_and_spread([mean[part] for mean in means]) for part in means[0]}


def mean_curves(records: Iterable[dict]) -> dict:
    """The MDC over seeds: method => attribute => observer => accuracy, disentanglement and its spread, by strength.

    A run that was over at a strength (all samples had stopped) stays where it ended.
    """
    groups: dict[tuple[str, str], list[dict]] = {}
    for record in records:
        groups.setdefault((record["method"], record["attribute"]), []).append(record["readings"])
    found: dict = {}
    for (method, attribute), seeds in groups.items():
        of_attribute = found.setdefault(method, {}).setdefault(attribute, {})
        for observer in seeds[0]:
            curves = [readings[observer]["curve"] for readings in seeds]
            length = max(len(curve["accuracy"]) for curve in curves)
            points = [
                mean_and_spread([{key: _at(curve[key], k) for key in curve} for curve in curves]) for k in range(length)
            ]
            # rounded: means that are equal must not differ by their rounding errors
            mean = {key: [round(point[key], 9) for point in points] for key in points[0]}
            best = Curve(tuple(mean["accuracy"]), tuple(mean["disentanglement"])).best
            of_attribute[observer] = {**mean, "best": best}
    return found


def _at(values: list[float], k: int) -> float:
    return values[min(k, len(values) - 1)]


def tables(results: dict) -> str:
    """The Markdown tables of an evaluation: MDS as each observer sees it, then the methods side by side.

    Args:
        results: with `attributes` and `figures`.
    """
    parts = [score_table(results, observer) for observer in observers(results)]
    parts += [score_table(results, observer, "accuracy") for observer in observers(results)]
    return "\n\n".join([*parts, _side_by_side(results)])


def observers(results: dict) -> list[str]:
    """Those who saw the edits: "predictor" and, where there was one, "judge"."""
    return [name for name in OBSERVERS if name in next(iter(results["figures"].values()))["overall"]]


def score_table(results: dict, observer: str, key: str = "mds") -> str:
    """One row a method, one column an attribute, the highest in bold: "mds", or the best "accuracy"."""
    title, form = {"mds": ("MDS", ".3f"), "accuracy": ("Best accuracy", ".1%")}[key]
    columns = ["overall", *results["attributes"]]
    cells = {method: [each[name][observer] for name in columns] for method, each in results["figures"].items()}
    best = [max(row[i][key] for row in cells.values()) for i in range(len(columns))]
    rows = []
    for method, row in cells.items():
        texts = [spread(cell, key, form) for cell in row]
        bold = [f"**{text}**" if cell[key] >= top else text for text, cell, top in zip(texts, row, best, strict=True)]
        rows.append([TITLES.get(method, method), *bold])
    return f"{title} as seen by {OBSERVERS[observer]}:\n\n" + _table(["method", *columns], rows)


def _side_by_side(results: dict) -> str:
    names = observers(results)
    held = {method: each["overall"] for method, each in results["figures"].items()}
    head = ["method", "MDS", "MDS if each sample stops by itself", "SGF's MDS / this", "best accuracy", "steps",
            "seconds an edit", "drift of other scores", "drift of keypoints", "distance elsewhere"]  # fmt: skip
    rows = []
    for method, overall in held.items():
        edit, lens = overall["edit"], overall[names[-1]]
        ratios = [
            f"{held['sgf'][name]['mds'] / max(overall[name]['mds'], 1e-9):.2f}" for name in names if "sgf" in held
        ]
        rows.append(
            [
                TITLES.get(method, method),
                _each(overall, names, "mds", ".3f"),
                _each(overall, names, "mds_stopping", ".3f"),
                " / ".join(ratios) or "-",
                _each(overall, names, "accuracy", ".1%"),
                f"{edit['steps']:.1f}",
                f"{edit['seconds']:.3f}",
                _each(overall, names, "score_drift", ".3f"),
                f"{lens['point_drift']:.2%}" if "point_drift" in lens else "-",
                f"{edit['image_distance']:.3f}" if "image_distance" in edit else "-",
            ]
        )
    pairs = " Two figures are the predictor's / the judge's." if len(names) == 2 else ""
    return (
        "The methods side by side, means over attributes. Steps, seconds, drift and distance are at the strength with "
        "the best harmonic mean of accuracy and disentanglement; drift of keypoints is a share of the side, distance "
        f"elsewhere one of features away from where the attribute shows.{pairs}\n\n{_table(head, rows)}"
    )


def _each(overall: dict, names: list[str], key: str, form: str) -> str:
    return " / ".join(f"{overall[name][key]:{form}}" for name in names)


def spread(row: dict, key: str, form: str) -> str:
    """A figure, and its standard deviation over seeds if there are several."""
    deviation = row.get(f"{key}_std")
    return f"{row[key]:{form}}" + (f" ± {deviation:{form}}" if deviation is not None else "")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
