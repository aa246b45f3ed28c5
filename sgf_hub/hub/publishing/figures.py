"""The figures of a model card, out of training.json and measured.json: how it was made, and how good it is."""

from typing import Any

from huggingface_hub import EvalResult

from sgf_hub.hub.fetching.manifest import Manifest

Figures = tuple[list[EvalResult], str]
Row = tuple[str, str, str, float, str]  # title, data, metric, value, value as it is shown


def recipe(training: dict) -> str:
    """How it was trained, as Markdown: the command, what it took, its settings."""
    if not training:
        return ""
    lines = ["## Training", ""]
    if "command" in training:
        lines += [f"`{training['command']}`", ""]
    facts = {
        "pairs": "{:,}", "images_seen": "{:,} pictures seen", "images_shown": "{:,} pictures shown",
        "machine": "{}", "torch": "torch {}",
    }  # fmt: skip
    said = [
        (words.format(training[key]) + (" pairs" if key == "pairs" else ""))
        for key, words in facts.items()
        if isinstance(training.get(key), (int, float, str))
    ]
    if isinstance(training.get("seconds"), (int, float)):
        said.append(f"{training['seconds'] / 60:.1f} minutes")
    if said:
        lines += [", ".join(said) + ".", ""]
    if isinstance(training.get("config"), dict):
        settings = (f"{key} {_short(value)}" for key, value in training["config"].items() if value is not None)
        lines += [f"Settings: {'; '.join(settings)}.", ""]
    if isinstance(training.get("note"), str):
        lines += [f"Note: {training['note']}.".replace("..", "."), ""]
    return "\n".join([*lines, "All of it is in `training.json`, beside the weights."])


def origin(manifest: Manifest) -> str:
    """Whose a fetched entry is and where it is from, as Markdown."""
    return (
        f"## Where it comes from\n\nTrained and published by {manifest.author} ({manifest.source}); not by us. "
        f"`{manifest.file}` of the package `{manifest.package}=={manifest.version}`, with the SHA-256 "
        f"`{manifest.sha256}`, was read as data and written as safetensors; `sgf-hub fetch` does the same."
    )


def _short(value: Any) -> str:
    return ", ".join(map(_short, value)) if isinstance(value, list) else str(value)


def figures(kind: str, config: dict, training: dict, measured: dict) -> Figures:
    """The results for a card's YAML, and a table of them.

    Args:
        kind: of the repo.
        config: its config.json.
        training: its training.json, or nothing.
        measured: its measured.json, or nothing.
    """
    rows = rows_of(kind, config, training, measured)
    if not rows:
        return [], ""
    commands = [part["command"] for part in measured.values() if isinstance(part, dict) and "command" in part]
    written = f"\n\nMeasured by {', '.join(f'`{one}`' for one in commands)}." if commands else ""
    table = "\n".join(f"| {title} | {data} | {shown} |" for title, data, _, _, shown in rows)
    return [_result(*row[:4]) for row in rows], f"| what | on | figure |\n|---|---|---|\n{table}{written}"


def rows_of(kind: str, config: dict, training: dict, measured: dict) -> list[Row]:
    """The figures one by one; the arguments are those of `figures`."""
    rows: list[Row] = []
    held = training.get("held_out")
    if isinstance(held, dict):
        rows += _held_out(kind, config, held)
    if isinstance(made := measured.get("generator"), dict):
        data = f"{made['samples']} pictures x {made['seeds']} seeds"
        for key, title in (("generated_truncation_1", "truncation 1"), ("generated_truncation_0.8", "truncation 0.8")):
            shown = f"{made[key]:.3f} ± {made[key + '_std']:.3f} (drawn against drawn: {made['drawn_to_drawn']:.3f})"
            if made[key] != rows[-1][3] if rows else True:  # in Z, nothing is truncated
                rows.append((f"Frechet distance in the judge's features, {title}", data, "frechet", made[key], shown))
    if isinstance(edits := measured.get("edits"), dict):
        rows += _edits(edits)
    if isinstance(found := measured.get("projection"), dict) and found.get("rows"):
        rows += _projection(found)
    if isinstance(check := measured.get("fit"), dict) and check.get("rows"):
        data, reached = "edits of every kind, after training", [row["reached"] for row in check["rows"]]
        share = sum(reached) / len(reached)
        rows.append(("edits that arrive, by the predictor", data, "reached", share, f"{share:.1%}"))
    report = training.get("report")
    if isinstance(report, dict) and "loss_shuffled" in report:
        shown = f"{report['loss']:.3f} ({report['loss_shuffled']:.3f})"
        rows.append(("reconstruction error with the right c (with a shuffled c)", "held-out pairs", "loss",
                     report["loss"], shown))  # fmt: skip
    if isinstance(report, dict) and "variance" in report and str(config.get("components")) in report["variance"]:
        kept = report["variance"][str(config["components"])]
        rows.append(("variance of captions that c holds", "captions of unedited pictures", "variance", kept,
                     f"{kept:.1%}"))  # fmt: skip
    fitted = training.get("measured")
    for key, title, style in (("validation", "accuracy", ".1%"), ("scores", "score", ".2f")):
        if isinstance(fitted, dict) and (values := list(fitted.get(key, {}).values())):
            mean = sum(values) / len(values)
            rows.append((f"{title}, mean over attributes", "held-out latents", key, mean, format(mean, style)))
    return rows


def _held_out(kind: str, config: dict, held: dict) -> list:
    data, rows = f"{held.get('pictures') or held.get('faces') or '?'} held-out pictures", []
    if kind in ("AttributeHead", "backbone") and "accuracy" in held:
        rows.append(("accuracy, mean over attributes", data, "accuracy", held["accuracy"], f"{held['accuracy']:.2%}"))
        if isinstance(each := held.get("accuracies"), dict) and each:
            worst = min(each, key=each.__getitem__)
            rows.append((f"lowest accuracy, of {worst}", data, "lowest_accuracy", each[worst], f"{each[worst]:.2%}"))
    if kind in ("KeypointHead", "backbone") and "keypoint_error" in held:
        error = held["keypoint_error"]
        rows.append(("mean error of a keypoint, share of the side", data, "keypoint_error", error, f"{error:.2%}"))
    if kind == "LatentEncoder" and "pixel_error" in held:
        error = held["pixel_error"] / 2  # pixels in [-1, 1] there, in [0, 1] here
        rows.append(("error of a pixel, the guess drawn again", data, "pixel_error", error, f"{error:.3f} in [0, 1]"))
    if kind == "captioner" and isinstance(right := held.get("right"), dict):
        rows += [
            (f"{factor}: right where stated", data, f"right_{factor}", share, f"{share:.1%}")
            for factor, share in right.items()
            if share is not None
        ]
    return rows


def _projection(found: dict) -> list:
    data, rows = f"{found['samples']} held-out pictures x {found['seeds']} seeds", []
    titles = {"encoder": "the encoder alone", "w": "the search in W", "w+": "the search in W+"}
    for row in found["rows"]:
        title, metric = titles.get(row["search"], row["search"]), row["search"].replace("+", "_plus")
        shown = f"{row['similarity']:.1%}, {row['attributes']:.1%}"
        rows.append((f"similarity and attributes that agree, by the judge, {title}", data, f"similarity_{metric}",
                     row["similarity"], shown))  # fmt: skip
    return rows


def _edits(edits: dict) -> list:
    data = f"{edits['samples']} latents x {edits['seeds']} seeds"
    mine = [row for row in edits["rows"] if row["stepping"] == "tuned"]
    if not mine:
        return []
    if "after_by_judge" in mine[0]:
        row, shown = mine[0], "{:.2%} (before: {:.2%})"
        judged = row["after_by_judge"] is not None  # a judge may read no keypoints
        title = "error of the asked keypoints after an edit" + ", by the judge" * judged
        metric, after = ("keypoint_error_by_judge", "after_by_judge") if judged else ("keypoint_error", "after")
        return [(title, data, metric, row[after], shown.format(row[after], row["before"]))]

    def mean(key: str) -> float:
        known = [row[key] for row in mine if row[key] is not None]  # a judge need not read all attributes
        return sum(known) / max(len(known), 1)

    data = f"{len(mine)} attributes flipped, {data}"
    return [
        ("edits that arrive", data, "reached", mean("reached"), f"{mean('reached'):.1%}"),
        ("edits that arrive, by the judge", data, "reached_by_judge", mean("reached_by_judge"),
         f"{mean('reached_by_judge'):.1%}"),
        ("other attributes changed, by the judge", data, "others_changed", mean("others_changed"),
         f"{mean('others_changed'):.2f} of {len(mine) - 1}"),
    ]  # fmt: skip


def _result(title: str, data: str, metric: str, value: float) -> EvalResult:
    return EvalResult(
        task_type="other",
        task_name=title.split(",")[0].split(":")[0],
        dataset_type="generated",
        dataset_name=data,
        metric_type=metric,
        metric_name=title,
        metric_value=round(value, 4),
    )
