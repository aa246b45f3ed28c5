"""Labels given by eye: contact sheets of a generator's pictures, text files to fill in, and the table that they make.

A generator's pictures need no files: the seed says which one is meant, so a table of seeds and answers is all that is
kept, and anybody can draw the pictures again.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sgf_hub.data.pictures import labelled_sheet, to_pictures
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.types import Generator, Latent
from sgf_hub.validation import bounded, names_of, short

UNCLEAR = "unclear"
"""The line of a sheet that lists pictures of which nothing can be told."""

_FILE = re.compile(r"labels-([0-9]{1,10})-([0-9]{1,3})\.txt")
_MOST = 1 << 24  # bytes of a table
_SHEET, _COLUMNS = 50, 10  # pictures on a sheet, and in a row


@dataclass(frozen=True)
class Labels:
    """What was seen in N pictures.

    Args:
        attributes: A names.
        seeds: [N]; the i-th picture is that of `generator.sample(1, seed=seeds[i])`.
        values: [N, A] float32: 1 for yes, 0 for no, NaN where it cannot be told.
    """

    attributes: tuple[str, ...]
    seeds: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.seeds)

    def rows(self, some: np.ndarray) -> "Labels":
        """Those of some rows."""
        return Labels(self.attributes, self.seeds[some], self.values[some])


def latents(generator: Generator, seeds: Sequence[int] | np.ndarray) -> Latent:
    """The latents that labels speak of: the first one of each seed."""
    drawn = [generator.sample(1, seed=int(seed)) for seed in seeds]
    return Latent(torch.cat([one.data for one in drawn]), drawn[0].space)


def write_sheets(
    generator: Generator, attributes: Sequence[str], folder: Path, *, first: int, count: int
) -> list[Path]:
    """Contact sheets of 50 pictures each, numbers under the pictures, and beside each sheet a text file to fill in.

    Args:
        generator: whose pictures.
        attributes: names of what is looked for.
        folder: receives `labels-{seed}-{count}.png` and `.txt`; text files that are there stay as they are.
        first: seed of the first picture.
        count: pictures in all.

    Returns:
        The pictures' files.

    Raises:
        BadValueError: for names, a seed or a count out of range.
    """
    names = names_of("attributes", attributes)
    written = all(name == name.strip() and name.isprintable() and ":" not in name for name in names)  # as a line's name
    if not names or not written or UNCLEAR in names:
        raise BadValueError(
            f"attributes are {short(list(names))}; give one or more names, without colons, other than {UNCLEAR!r}."
        )
    bounded("first seed", first, 0, 1 << 31)
    bounded("count", count, 1, 100_000)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for start in range(first, first + count, _SHEET):
        size = min(_SHEET, first + count - start)
        stem = folder / f"labels-{start}-{size}"
        with torch.inference_mode():
            pictures = generator.synthesize(latents(generator, range(start, start + size)))
        cells = [(str(number), picture) for number, picture in enumerate(to_pictures(pictures))]
        labelled_sheet([cells[i : i + _COLUMNS] for i in range(0, size, _COLUMNS)]).save(stem.with_suffix(".png"))
        made.append(stem.with_suffix(".png"))
        if not stem.with_suffix(".txt").is_file():
            stem.with_suffix(".txt").write_text("".join(f"{name}: \n" for name in (UNCLEAR, *names)), "utf-8")
    return made


def read_sheets(folder: Path) -> Labels:
    """The table that filled-in text files make.

    A line is "name: 3 17 20", the numbers of the pictures that have it; the others have it not, but for those that the
    line "unclear" lists.

    Raises:
        BadValueError: if there is no such file, a line is none of these, or the files' names do not agree.
    """
    files = [path for path in folder.glob("labels-*.txt") if _FILE.fullmatch(path.name)]
    files.sort(key=lambda path: int(path.name.split("-")[1]))
    tables = [_read_sheet(path) for path in files]
    if not tables:
        raise BadValueError(f"{folder} holds no labels-*.txt: `sgf-hub label` writes them there first.")
    names = tables[0].attributes
    for path, table in zip(files, tables, strict=True):
        if table.attributes != names:
            raise BadValueError(f"{path.name} has the lines {short(list(table.attributes))}; {files[0].name} others.")
    for before, table, path in zip(tables, tables[1:], files[1:], strict=False):
        if table.seeds[0] <= before.seeds[-1]:
            raise BadValueError(f"{path.name} has pictures of the sheet before it: keep one of the two.")
    seeds, values = (np.concatenate(parts) for parts in zip(*((one.seeds, one.values) for one in tables), strict=True))
    return Labels(names, seeds, values)


def _read_sheet(path: Path) -> Labels:
    first, count = (int(part) for part in _FILE.fullmatch(path.name).groups())  # type: ignore[union-attr]
    if not 0 < count <= _SHEET:
        raise BadValueError(f"{path.name} is of {count} pictures; a sheet has 1 to {_SHEET}.")
    held: dict[str, list[int]] = {}
    for line in filter(str.strip, path.read_text("utf-8", errors="replace").splitlines()):
        name, colon, numbers = line.partition(":")
        listed = numbers.replace(",", " ").split()
        if not colon or not all(re.fullmatch("[0-9]{1,3}", one) and int(one) < count for one in listed):
            raise BadValueError(
                f"{path.name}: {short(line)} is no line of a sheet; write 'name: ' and numbers from 0 to {count - 1}."
            )
        if name.strip() in held:
            raise BadValueError(f"{path.name} has {short(name.strip())} twice.")
        held[name.strip()] = [int(one) for one in listed]
    unclear = held.pop(UNCLEAR, [])
    if not held:
        raise BadValueError(
            f"{path.name} has no line but {UNCLEAR!r}: `sgf-hub label` writes it anew if it is deleted."
        )
    values = np.zeros((count, len(held)), np.float32)
    for column, having in enumerate(held.values()):
        values[having, column] = 1
    values[unclear] = np.nan
    return Labels(names_of(path.name, list(held)), np.arange(first, first + count), values)


def write_labels(labels: Labels, path: Path) -> None:
    """A table as CSV: a column for the seed and one for each attribute; 1, 0, or nothing where it cannot be told."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["seed", *labels.attributes])
        for seed, values in zip(labels.seeds.tolist(), labels.values.tolist(), strict=True):
            rows.writerow([seed, *("" if value != value else int(value) for value in values)])


def read_labels(path: Path) -> Labels:
    """A table that `write_labels` wrote, or one made by hand.

    Raises:
        CorruptFileError: if it is not there, or no such table.
    """
    try:
        if path.stat().st_size > _MOST:
            raise CorruptFileError(f"{path.name} is larger than {_MOST >> 20} MB.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            head, *lines = [row for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise CorruptFileError(f"{path.name} cannot be read as a table ({error}).") from None
    if head[0] != "seed" or len(head) < 2 or not lines:
        raise CorruptFileError(
            f"{path.name} must begin with the line 'seed,' and the attributes' names, and have rows."
        )
    cells = {"1": 1.0, "0": 0.0, "": np.nan}
    for number, row in enumerate(lines, 2):
        whole = row[0].isascii() and row[0].isdecimal() and len(row[0]) < 11
        if len(row) != len(head) or not whole or not set(row[1:]) <= cells.keys():
            raise CorruptFileError(
                f"{path.name}, line {number}: a row is a seed and {len(head) - 1} cells of 1, 0 or nothing."
            )
    seeds = np.array([int(row[0]) for row in lines])
    if len(set(seeds.tolist())) != len(seeds):
        raise CorruptFileError(f"{path.name} has a seed twice: one row for each picture.")
    try:
        names = names_of(path.name, head[1:])
    except BadValueError as error:
        raise CorruptFileError(str(error)) from None
    return Labels(names, seeds, np.array([[cells[cell] for cell in row[1:]] for row in lines], np.float32))
