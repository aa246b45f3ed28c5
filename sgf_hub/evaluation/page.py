"""The zoo's measured figures as Markdown: one page with all, and the block of the README."""

from pathlib import Path

from sgf_hub.errors import CorruptFileError
from sgf_hub.evaluation.disentanglement.summary import matrices, observers, score_table, spread, tables
from sgf_hub.hub.names import root
from sgf_hub.validation import read_json

BEGIN, END = "<!-- measured: begin (written by `sgf-hub measure page`) -->", "<!-- measured: end -->"

_STEPPINGS = {
    "tuned": "our stepping",
    "arrived": "ours, the step that arrived",
    "unconstrained": "ours without the constraint",
    "paper": "the paper's stepping",
}


def headline() -> str:
    """The table of the README: MDS of every method on the faces, by the judge."""
    held = _read("sgf-avatars-attributes", "measured.json").get("evaluation")
    if not held:
        return "Nothing is measured yet: run `make figures`."
    return f"`{held['command']}`:\n\n{score_table(held, observers(held)[-1])}"


def summary() -> str:
    """The main figures, at the head of the page."""
    lines = ["| what | figure | command |", "|---|---|---|"]
    for name in ("avatars-judge-attributes", "flowers-judge-attributes", "faces-judge-attributes"):
        judge = _read(name, "training.json")
        if judge:
            held = judge["held_out"]
            worst = min(held["accuracies"], key=held["accuracies"].get)
            points = f", {held['keypoint_error']:.2%} of the side" if "keypoint_error" in held else ""
            lines.append(
                f"| judge of {name.split('-')[0]} on {_pictures(held):,} held-out ones: mean accuracy, lowest"
                f"{', keypoint error' if points else ''} | {held['accuracy']:.2%}, {held['accuracies'][worst]:.2%} "
                f"({worst}){points} | `{judge['command']}` |"
            )
    reader = _read("flowers-captioner", "training.json")
    if reader:
        right = reader["held_out"]["right"]
        parts = ", ".join(f"{factor} {share:.1%}" for factor, share in right.items() if share is not None)
        lines.append(
            f"| flowers-captioner on {reader['held_out']['pictures']:,} held-out drawn flowers: stated and right "
            f"| {parts} | `{reader['command']}` |"
        )
    for name, made in _held("measured.json", "generator").items():
        lines.append(
            f"| {name}: Frechet distance in the judge's features (drawn against drawn) | "
            f"{spread(made, 'generated_truncation_1', '.3f')} ({spread(made, 'drawn_to_drawn', '.3f')}) | "
            f"`{made['command']}` |"
        )
    for name, made in _held("measured.json", "edits").items():
        for stepping, title in _STEPPINGS.items():
            rows = [row for row in made["rows"] if row["stepping"] == stepping]
            if rows:
                lines.append(_edit_line(name, made, rows, title))
    for name, made in _held("measured.json", "frechet").items():
        ways = [row for stepping in _STEPPINGS for row in made["rows"] if row["stepping"] == stepping]
        pairs = {
            "others, unedited (of unedited ones to others)": ("edited", "unedited"),
            "unedited ones that have what was asked (of such to others)": ("edited_to_alike", "alike"),
        }
        for others, (edited, unedited) in pairs.items():
            if edited not in ways[0]:
                continue
            figures = ", ".join(f"{_STEPPINGS[row['stepping']]} {spread(row, edited, '.3f')}" for row in ways)
            lines.append(
                f"| {name}, {made['samples']:,} pictures x {made['seeds']} seeds, an attribute of each flipped: "
                f"Frechet distance to {others} | {figures} ({spread(ways[0], unedited, '.3f')}) | `{made['command']}` |"
            )
    for name, said in _held("measured.json", "captions").items():
        measured = {row["stepping"] for row in said["rows"]}
        for stepping in [one for one in _STEPPINGS if one in measured]:
            title, rows = _STEPPINGS[stepping], [row for row in said["rows"] if row["stepping"] == stepping]
            colors = [row for row in rows if row["kind"].split(",")[0] in ("color", "two colors")]
            lines.append(
                f"| {name}: {len(rows)} kinds of sentence x {said['samples']} flowers x {said['seeds']} "
                f"seeds, {title}: asked factors found by the judge, asked colours, factors left as they were; steps "
                f"| {mean(rows, 'found'):.1%}, {mean(colors, 'color_found'):.1%}, {mean(rows, 'kept'):.1%}; "
                f"{mean(rows, 'steps'):.1f} | `{said['command']}` |"
            )
        lines.append(
            f"| the same flowers, best of 20 unedited ones | {mean(rows, 'sampled_found'):.1%}, "
            f"{mean(colors, 'sampled_color_found'):.1%}, {mean(rows, 'sampled_kept'):.1%}; 0 | `{said['command']}` |"
        )
    for name, made in _held("measured.json", "projection").items():
        row = made["rows"][-1]
        lines.append(
            f"| {name}, {made['samples']} held-out drawn pictures x {made['seeds']} seeds, W+: similarity and "
            f"attributes that agree (judge), keypoint error; time for one | {spread(row, 'similarity', '.1%')}, "
            f"{spread(row, 'attributes', '.1%')}, {spread(row, 'keypoint_error', '.2%')} of the side; "
            f"{row['seconds']:.1f} s | `{made['command']}` |"
        )
    for name, held in _held("measured.json", "evaluation").items():
        lines += ["", f"{name}: `{held['command']}`.", "", score_table(held, observers(held)[-1])]
    return "\n".join(lines)


def full_page() -> str:
    """All figures."""
    head = (
        "<!-- Generated by `sgf-hub measure page`: do not edit. -->\n# Measured figures\n\nWritten by `sgf-hub measure "
        "page` from the `training.json` and `measured.json` of each zoo entry. Figures with ± are mean and standard "
        "deviation over seeds.\n"
    )
    parts = [head, summary()]
    for name in (
        "avatars-attributes", "avatars-judge-attributes", "flowers-judge-attributes", "faces-attributes",
        "faces-judge-attributes",
    ):  # fmt: skip
        report = _read(name, "training.json")
        if report:
            held = report["held_out"]
            rows = [f"| {k} | {v:.1%} | {held['balanced_accuracies'][k]:.1%} |" for k, v in held["accuracies"].items()]
            parts.append(_table(f"{name}, on held-out pictures", "| attribute | accuracy | balanced |", rows))
    for name, report in _held("training.json", "report").items():
        if "slopes" not in report:  # not a mapping's
            continue
        weakest = sorted(report["slopes"], key=report["slopes"].get)[:3]
        rows = [
            f"| reconstruction error with the right c | {report['loss']:.3f} |",
            f"| with a shuffled c | {report['loss_shuffled']:.3f} |",
            f"| norm of dF/dc, mean over c | {sum(report['slopes'].values()) / len(report['slopes']):.2f} |",
            "| weakest | " + ", ".join(f"{k} {report['slopes'][k]:.2f}" for k in weakest) + " |",
            "| growth of dF/dz: 0, 50, 95, 100% | " + ", ".join(f"{v:.2f}" for v in report["jacobian"].values()) + " |",
        ]
        parts.append(_table(f"{name}: F on held-out pairs", "| standardised units | |", rows))
    for name, made in _held("measured.json", "edits").items():
        parts += _edit_tables(name, made)
    for name, said in _held("measured.json", "captions").items():
        for stepping in sorted({row["stepping"] for row in said["rows"]}):
            parts.append(f"## {name}: edits by sentence, stepping {stepping!r}\n\n{caption_table(said, stepping)}")
    for name, made in _held("measured.json", "projection").items():
        parts += projection_tables(name, made)
    for name, held in _held("measured.json", "evaluation").items():
        parts += [f"## {name}: Manipulation Disentanglement Score\n\n`{held['command']}`", tables(held)]
        parts += filter(None, [matrices(held)])
    return "\n\n".join(parts) + "\n"


def _edit_line(name: str, made: dict, rows: list[dict], title: str) -> str:
    """The row of the first table that tells of a mapping's edits with one stepping."""
    outside = f"; ended outside of 99% of the latents {mean(rows, 'outside'):.1%}" if "outside" in rows[0] else ""
    if "attribute" in rows[0]:
        said = [row for row in rows if row["reached_by_judge"] is not None]
        figures = (
            f"{mean(rows, 'reached'):.1%}, {mean(said, 'reached_by_judge'):.1%}, "
            f"{mean(rows, 'others_changed'):.2f} of {len(rows) - 1}, {mean(rows, 'steps'):.1f}{outside}"
        )
        return (
            f"| {name}, {len(rows)} attributes x {made['samples']} flips x {made['seeds']} seeds, {title}: reached, by "
            f"the judge, other attributes changed (judge), steps | {figures} | `{made['command']}` |"
        )
    row = rows[0]
    judged = f", {spread(row, 'after_by_judge', '.2%')}" if row["after_by_judge"] is not None else ""
    return (
        f"| {name}, {made['samples']} keypoint targets x {made['seeds']} seeds, {title}: mean error before, after"
        f"{', after by the judge' if judged else ''} | {row['before']:.2%}, {spread(row, 'after', '.2%')}{judged} of "
        f"the side{outside} | `{made['command']}` |"
    )


def _edit_tables(name: str, made: dict) -> list[str]:
    """A mapping's edits: a row for each attribute, or for each stepping where keypoints are moved."""

    def said(row: dict, key: str, style: str) -> str:
        return spread(row, key, style) if row.get(key) is not None else ""

    if "attribute" not in made["rows"][0]:
        rows = [
            f"| {r['stepping']} | {r.get('moved', '')} | {spread(r, 'before', '.2%')} | {spread(r, 'after', '.2%')} | "
            f"{said(r, 'after_by_judge', '.2%')} | {spread(r, 'reached', '.1%')} | {said(r, 'close', '.1%')} | "
            f"{said(r, 'held_moved', '.2%')} | "
            f"{spread(r, 'attributes_changed', '.1%')} | {spread(r, 'steps', '.1f')} | {said(r, 'outside', '.1%')} |"
            for r in made["rows"]
        ]
        head = (
            "| stepping | moved | before | after | by the judge | reached | within 1% | others moved "
            "| attributes changed | steps | outside |"
        )
        return [_table(f"{name}: keypoints", head, rows)]
    head = "| flipped | reached | by the judge | others changed (judge) | steps | outside |"
    tables = []
    for stepping in _STEPPINGS:
        rows = [
            f"| {r['attribute']} | {spread(r, 'reached', '.1%')} | {said(r, 'reached_by_judge', '.1%')} | "
            f"{spread(r, 'others_changed', '.2f')} | {spread(r, 'steps', '.1f')} | {said(r, 'outside', '.1%')} |"
            for r in made["rows"]
            if r["stepping"] == stepping
        ]
        if rows:
            tables.append(_table(f"{name}, stepping {stepping!r}", head, rows))
    return tables


def caption_table(said: dict, stepping: str) -> str:
    """Edits by sentence with one stepping, a row for each kind of sentence."""
    rows = [
        f"| {r['kind']} | {spread(r, 'found', '.1%')} | {spread(r, 'kept', '.1%')} | "
        f"{spread(r, 'unsaid_kept', '.1%')} | {spread(r, 'reached', '.1%')} | {spread(r, 'steps', '.1f')} | "
        f"{r['similarity_before']:.2f} to {r['similarity_after']:.2f} | "
        f"{spread(r, 'sampled_found', '.1%')} | {spread(r, 'sampled_kept', '.1%')} |"
        for r in said["rows"]
        if r["stepping"] == stepping
    ]
    head = "| asked | found | left, kept | never said, kept | reached | steps | similarity | best of 20: found | kept |"
    return "\n".join([head, _rule(head), *rows])


def projection_tables(name: str, made: dict) -> list[str]:
    """Pictures from outside: how well they are found, what is said of those that cannot be, and edits afterwards."""
    titles = {"encoder": "the encoder alone", "w": "W", "w+": "W, then W+", "generated": "the generator's own pictures"}
    drawn = [
        f"| {titles[r['search']]} | {spread(r, 'similarity', '.1%')} | {spread(r, 'least', '.1%')} | "
        f"{spread(r, 'attributes', '.1%')} | {spread(r, 'keypoint_error', '.2%')} | "
        f"{spread(r, 'pixel_error', '.3f')} | {spread(r, 'expressible', '.1%')} | {r['seconds']:.2f} |"
        for r in made["rows"]
    ]
    others = [
        f"| {r['kind']} | {r['similarity']:.1%} | {r['most']:.1%} | {r['expressible']:.0%} | {r['said']} |"
        for r in made["out_of_domain"]
    ]
    edits = [f"| {titles[r['start']]} | {r['reached']:.1%} | {r['steps']:.1f} |" for r in made["edits"]]
    head = "| search | similarity | least | attributes agree | keypoint error | pixel error | expressible | seconds |"
    return [
        _table(f"{name}: {made['samples']} held-out drawn pictures x {made['seeds']} seeds, by the judge", head, drawn),
        _table(
            f"{name}: pictures that the generator cannot draw ({made['out_of_domain'][0]['pictures']} of each)",
            "| kind | similarity | most | called expressible | what is said of the first |",
            others,
        ),
        _table(
            f"{name}: every attribute of {made['edited']} projected pictures flipped",
            "| from | reached | steps |",
            edits,
        ),
    ]


def renew_block(readme: Path, text: str) -> None:
    """Replace what stands between the marks of a README."""
    old = readme.read_text()
    if BEGIN not in old or END not in old:
        raise CorruptFileError(f"{readme} has no lines {BEGIN!r} and {END!r}: add them where the figures belong.")
    readme.write_text(renewed(old, text, BEGIN, END))


def renewed(old: str, text: str, begin: str, end: str) -> str:
    """A page with `text` in place of what stood between two marks."""
    head, rest = old.split(begin, 1)
    return f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"


def _held(file: str, part: str) -> dict[str, dict]:
    """What the zoo's files of one name hold of a part, by entry."""
    found = {path.parent.name: read_json(path).get(part) for path in sorted(root().glob(f"*/{file}"))}
    return {name: held for name, held in found.items() if held}


def _read(name: str, file: str) -> dict:
    path = root() / name / file
    return read_json(path) if path.exists() else {}


def _pictures(held: dict) -> int:
    return held["pictures"] if "pictures" in held else held["faces"]  # the first judges counted faces


def mean(rows: list[dict], key: str) -> float:
    """Of a figure over rows."""
    return sum(row[key] for row in rows) / max(len(rows), 1)


def _table(title: str, head: str, rows: list[str]) -> str:
    return "\n".join([f"## {title}\n", head, _rule(head), *rows])


def _rule(head: str) -> str:
    return "|---" * (head.count("|") - 1) + "|"
