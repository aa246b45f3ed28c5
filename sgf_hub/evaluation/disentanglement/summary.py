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
MEASURES = (  # part of the figures, key, title, which is better, format
    ("measures", "arrived", "edits that arrive", "higher", ".1%"),
    ("measures", "target_shift", "change of the target, sigma", "", ".2f"),
    ("measures", "dependency", "attribute dependency, mean", "lower", ".3f"),
    ("measures", "dependency_most", "attribute dependency, max", "lower", ".3f"),
    ("measures", "rescored_others", "re-scoring of the others", "lower", ".3f"),
    ("together", "disentanglement", "DCI: disentanglement", "higher", ".3f"),
    ("together", "completeness", "DCI: completeness", "higher", ".3f"),
    ("together", "informativeness", "DCI: informativeness", "higher", ".3f"),
    ("measures", "identity", "identity", "higher", ".3f"),
    ("measures", "distance", "distance outside the edit", "lower", ".3f"),
    ("together", "frechet", "Frechet distance, edited", "lower", ".3f"),
    ("together", "frechet_unedited", "Frechet distance, the same unedited", "", ".3f"),
    ("measures", "monotonicity", "monotonicity", "higher", ".3f"),
    ("measures", "range", "range (CR)", "higher", ".3f"),
    ("measures", "smoothness", "smoothness (CSM)", "lower", ".3f"),
    ("measures", "preservation", "preservation (SP)", "lower", ".3f"),
)
_DEFINITIONS = "https://github.com/sgf-hub/sgf-hub/blob/main/docs/metrics.md"
OBSERVERS = {"predictor": "the steering predictor", "judge": "the judge, which no method has seen"}


def figures(records: Iterable[dict], together: Mapping[str, list[dict]]) -> dict:
    """Mean and standard deviation over seeds: method => attribute => part => figure.

    A part is "predictor", "judge" (what they saw), "edit" (steps, seconds), "measures" (`Measures`) or "rescoring" (an
    attribute to its mean change). The attribute "overall" is the mean over attributes, taken in each seed; it has no
    "rescoring", and has "together". A figure that some seeds or attributes lack is the mean over the others.

    Args:
        records: of `tasks.run`.
        together: method to what `measures.together` gives, a row a seed.
    """
    rows: dict[str, dict[str, dict[int, dict]]] = {}
    for record in records:
        of_method = rows.setdefault(record["method"], {})
        of_method.setdefault(record["attribute"], {})[record["seed"]] = _row(record)
    return {
        method: {"overall": {**_overall(each), "together": _means(together[method])}, **_by_attribute(each)}
        for method, each in rows.items()
    }


def _row(record: dict) -> dict:
    """The numbers of a record, by part."""
    row = {}
    for observer, readings in record["readings"].items():
        numbers = {key: value for key, value in readings.items() if key not in ("curve", "best") and value is not None}
        row[observer] = {**numbers, "accuracy": max(readings["curve"]["accuracy"])}
    row["edit"] = {key: record[key] for key in ("steps", "seconds")}
    numbers = {key: value for key, value in record["measures"].items() if value is not None}
    row["rescoring"] = numbers.pop("rescoring", {})
    row["measures"] = numbers
    return row


def _by_attribute(rows: Mapping[str, Mapping[int, dict]]) -> dict:
    return {
        attribute: {part: _means([row[part] for row in seeds.values()]) for part in next(iter(seeds.values()))}
        for attribute, seeds in rows.items()
    }


def _overall(rows: Mapping[str, Mapping[int, dict]]) -> dict:
    columns = list(rows.values())
    parts = [part for part in next(iter(columns[0].values())) if part != "rescoring"]
    return {
        part: _means([_average([column[seed][part] for column in columns]) for seed in columns[0]]) for part in parts
    }


def _means(rows: list[dict]) -> dict:
    """The mean over seeds of each figure, and its spread, over those that have it."""
    found: dict = {}
    for key, values in _gathered(rows).items():
        found |= mean_and_spread([{key: value} for value in values])
    return found


def _average(rows: list[dict]) -> dict:
    return {key: sum(values) / len(values) for key, values in _gathered(rows).items()}


def _gathered(rows: list[dict]) -> dict[str, list[float]]:
    return {key: [row[key] for row in rows if key in row] for key in dict.fromkeys(key for row in rows for key in row)}


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
    """The Markdown tables of an evaluation: MDS as each observer sees it, the methods side by side, other measures.

    Args:
        results: with `attributes` and `figures`.
    """
    parts = [score_table(results, observer) for observer in observers(results)]
    parts += [score_table(results, observer, "accuracy") for observer in observers(results)]
    return "\n\n".join(filter(None, [*parts, _side_by_side(results), measure_table(results)]))


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


def measure_table(results: dict) -> str:
    """The measures of other papers, one row a measure, one column a method; "" for an evaluation without them."""
    held = {method: each["overall"] for method, each in results["figures"].items()}
    rows = []
    for part, key, title, better, form in MEASURES:
        cells = {method: overall[part] for method, overall in held.items() if key in overall.get(part, {})}
        if not cells:
            continue
        values = [row[key] for row in cells.values()]
        best = {"higher": max(values), "lower": min(values)}.get(better)
        texts = {method: spread(row, key, form) for method, row in cells.items()}
        bold = {method: f"**{text}**" if cells[method][key] == best else text for method, text in texts.items()}
        rows.append([title, better, *(bold.get(method, "-") for method in held)])
    if not rows:
        return ""
    seen = OBSERVERS[observers(results)[-1]]
    return (
        f"The measures of other papers, as seen by {seen}, means over attributes. All but range and DCI are of the "
        f"edits that arrive, at the same change of the target; [definitions and sources]({_DEFINITIONS}).\n\n"
        + _table(["measure", "better", *(TITLES.get(method, method) for method in held)], rows)
    )


def matrices(results: dict) -> str:
    """The re-scoring matrix of each method, of the flipped attributes; "" for an evaluation without them."""
    names, parts = results["attributes"], []
    for method, each in results["figures"].items():
        rows = {name: each[name].get("rescoring", {}) for name in names}
        if any(rows.values()):
            cells = [
                [name, *(f"{row[other]:+.2f}" if other in row else "-" for other in names)]
                for name, row in rows.items()
            ]
            parts.append(f"{TITLES.get(method, method)}:\n\n{_table(['edit', *names], cells)}")
    if not parts:
        return ""
    head = "Re-scoring: the mean change of each attribute's probability (columns) under the edit of each (rows)."
    return "\n\n".join([head, *parts])


def _side_by_side(results: dict) -> str:
    names = observers(results)
    held = {method: each["overall"] for method, each in results["figures"].items()}
    head = ["method", "MDS", "MDS if each sample stops by itself", "SGF's MDS / this", "best accuracy", "steps",
            "seconds an edit", "drift of other scores", "drift of keypoints"]  # fmt: skip
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
            ]
        )
    pairs = " Two figures are the predictor's / the judge's." if len(names) == 2 else ""
    far = [overall["edit"].get("image_distance") for overall in held.values()]
    if None not in far:  # evaluations of before `Measures`
        head.append("distance elsewhere")
        rows = [[*row, f"{value:.3f}"] for row, value in zip(rows, far, strict=True)]
        pairs = " Distance elsewhere is one of features away from where the attribute shows." + pairs
    return (
        "The methods side by side, means over attributes. Steps, seconds and drift are at the strength with the best "
        "harmonic mean of accuracy and disentanglement; drift of keypoints is a share of the side."
        f"{pairs}\n\n{_table(head, rows)}"
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
