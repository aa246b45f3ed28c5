"""Labels by eye: sheets of a generator's pictures, text files to fill in, and the table that they make."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sgf_hub.data.labels import Labels, latents, read_labels, read_sheets, write_labels, write_sheets
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.generators import load_generator
from tests.cli.test_cli import Run
from tests.toys import PlainGenerator

NAMES = ("hat", "grey_hair")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(monkeypatch, capsys)


@pytest.fixture
def generator() -> PlainGenerator:
    return PlainGenerator(16)


def labels_of(*rows: tuple[float, ...], first: int = 5) -> Labels:
    return Labels(NAMES, np.arange(first, first + len(rows)), np.array(rows, np.float32))


def fill(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")


def same(one: Labels, other: Labels) -> bool:
    return (
        one.attributes == other.attributes
        and one.seeds.tolist() == other.seeds.tolist()
        and np.array_equal(one.values, other.values, equal_nan=True)
    )


class TestSheets:
    def test_a_sheet_and_a_text_file_for_every_fifty(self, generator: PlainGenerator, tmp_path: Path) -> None:
        made = write_sheets(generator, NAMES, tmp_path / "a/sheets", first=7, count=110)
        assert [path.name for path in made] == ["labels-7-50.png", "labels-57-50.png", "labels-107-10.png"]
        assert sorted(path.name for path in (tmp_path / "a/sheets").iterdir()) == sorted(
            name for path in made for name in (path.name, path.with_suffix(".txt").name)
        )
        assert made[0].with_suffix(".txt").read_text() == "unclear: \nhat: \ngrey_hair: \n"
        large, small = Image.open(made[0]).size, Image.open(made[2]).size
        assert large[0] == small[0] and large[1] > 4 * small[1]

    def test_the_pictures_are_those_of_the_seeds(self, generator: PlainGenerator, tmp_path: Path) -> None:
        (path,) = write_sheets(generator, NAMES, tmp_path, first=3, count=12)
        page = np.asarray(Image.open(path)).astype(int)
        pictures = generator.synthesize(latents(generator, range(3, 15)))
        for number, (row, column) in ((0, (0, 0)), (9, (0, 9)), (11, (1, 1))):
            alone = ((pictures[number].clamp(-1, 1) + 1) * 127.5).round()
            place = np.s_[row * (page.shape[0] // 2) :, column * (page.shape[1] // 10) :]
            shown = page[place][8:128, 8:128].mean((0, 1))  # of 128 px, in a frame of 8
            assert np.abs(shown - alone.mean((1, 2)).numpy()).max() < 4

    def test_latents_are_the_first_of_each_seed(self, generator: PlainGenerator) -> None:
        found = latents(generator, np.array([4, 9]))
        expected = torch.cat([generator.sample(1, seed=seed).data for seed in (4, 9)])
        assert torch.equal(found.data, expected) and found.space == "w"

    def test_what_was_filled_in_stays(self, generator: PlainGenerator, tmp_path: Path) -> None:
        (path,) = write_sheets(generator, NAMES, tmp_path, first=0, count=5)
        path.with_suffix(".txt").write_text("hat: 3\ngrey_hair:")
        path.unlink()
        write_sheets(generator, NAMES, tmp_path, first=0, count=5)
        assert path.is_file() and path.with_suffix(".txt").read_text() == "hat: 3\ngrey_hair:"

    def test_untouched_sheets_say_no(self, generator: PlainGenerator, tmp_path: Path) -> None:
        write_sheets(generator, NAMES, tmp_path, first=7, count=60)
        labels = read_sheets(tmp_path)
        assert labels.attributes == NAMES and labels.seeds.tolist() == list(range(7, 67)) and len(labels) == 60
        assert labels.values.dtype == np.float32 and not labels.values.any()

    @pytest.mark.parametrize(
        ("attributes", "message"),
        [
            ([], "give one or more names"),
            (["hat", "unclear"], "other than 'unclear'"),
            (["hat", "hat"], "distinct names"),
            (["hat", ""], "distinct names"),
            (["hat: yes"], "without colons"),
            (["hat\nbeard"], "without colons"),
            ([" hat"], "give one or more names"),
            ("hat", "distinct names"),
            ([3], "distinct names"),
        ],
    )
    def test_attributes_refused(
        self, generator: PlainGenerator, tmp_path: Path, attributes: list, message: str
    ) -> None:
        with pytest.raises(BadValueError, match=message) as caught:
            write_sheets(generator, attributes, tmp_path / "new", first=0, count=5)
        assert "\n" not in str(caught.value) and not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        ("first", "count", "message"),
        [(-1, 5, "first seed is -1"), (2**40, 5, "first seed is"), (0.5, 5, "first seed is 0.5"), (0, 0, "count is 0"),
         (0, 10**6, "count is 1000000"), (0, "5", "count is '5'")],
    )  # fmt: skip
    def test_numbers_refused(
        self, generator: PlainGenerator, tmp_path: Path, first: object, count: object, message: str
    ) -> None:
        with pytest.raises(BadValueError, match=message):
            write_sheets(generator, NAMES, tmp_path, first=first, count=count)


class TestReadSheets:
    def test_numbers_are_pictures_that_have_it(self, tmp_path: Path) -> None:
        fill(tmp_path, "labels-20-3.txt", "hat: 0, 2\ngrey_hair: 2\n\nunclear:\n")
        fill(tmp_path, "labels-5-4.txt", "unclear: 3\r\n hat : 1 3\r\ngrey_hair:01,2,,\r\n")
        expected = labels_of((0, 0), (1, 1), (0, 1), (np.nan, np.nan), (1, 0), (0, 0), (1, 1))
        expected.seeds[4:] = [20, 21, 22]
        assert same(read_sheets(tmp_path), expected)  # by seeds, not by the letters of their names

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        for name in ("labels-notes.txt", "labels-5-4-old.txt", "labels-5.txt", "LABELS-9-2.txt", "labels-5-4.txt~"):
            fill(tmp_path, name, "nonsense")
        fill(tmp_path, "labels-5-1.txt", "hat: 0")
        assert read_sheets(tmp_path).seeds.tolist() == [5]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("hat 3", "'hat 3' is no line of a sheet; write 'name: ' and numbers from 0 to 4"),
            ("hat: 5", "'hat: 5' is no line of a sheet"),
            ("hat: -1", "no line of a sheet"),
            ("hat: 1.5", "no line of a sheet"),
            ("hat: 1-3", "no line of a sheet"),
            ("hat: \u0663", "no line of a sheet"),
            ("hat: \u00b2", "no line of a sheet"),
            ("hat: yes", "no line of a sheet"),
            ("hat: " + "1" * 5000, "no line of a sheet"),
            ("a:hat: 3", "no line of a sheet"),
            ("hat: 1\nhat: 2", "has 'hat' twice"),
            ("unclear: 1\nhat: 1\nunclear: 2", "has 'unclear' twice"),
            (": 3", "distinct names"),
            ("", "has no line but 'unclear'"),
            ("unclear: 3", "has no line but 'unclear'"),
        ],
    )
    def test_lines_refused(self, tmp_path: Path, text: str, message: str) -> None:
        fill(tmp_path, "labels-0-5.txt", text)
        with pytest.raises(BadValueError, match=message) as caught:
            read_sheets(tmp_path)
        assert "labels-0-5.txt" in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400

    def test_what_is_not_text_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "labels-0-5.txt").write_bytes(bytes(range(128, 256)))
        with pytest.raises(BadValueError, match="no line of a sheet"):
            read_sheets(tmp_path)

    @pytest.mark.parametrize("name", ["labels-0-0.txt", "labels-0-51.txt"])
    def test_other_sizes_are_refused(self, tmp_path: Path, name: str) -> None:
        fill(tmp_path, name, "hat:")
        with pytest.raises(BadValueError, match="a sheet has 1 to 50"):
            read_sheets(tmp_path)

    def test_other_attributes_are_refused(self, tmp_path: Path) -> None:
        fill(tmp_path, "labels-0-5.txt", "hat:\nbeard:")
        fill(tmp_path, "labels-5-5.txt", "hat:")
        with pytest.raises(BadValueError, match=r"labels-5-5.txt has the lines \['hat'\]; labels-0-5.txt others"):
            read_sheets(tmp_path)

    @pytest.mark.parametrize("names", [("labels-0-50.txt", "labels-40-50.txt"), ("labels-0-50.txt", "labels-0-10.txt")])
    def test_a_picture_on_two_sheets_is_refused(self, tmp_path: Path, names: tuple[str, str]) -> None:
        for name in names:
            fill(tmp_path, name, "hat:")
        with pytest.raises(BadValueError, match="has pictures of the sheet before it"):
            read_sheets(tmp_path)

    @pytest.mark.parametrize("folder", [".", "nowhere"])
    def test_no_sheets(self, tmp_path: Path, folder: str) -> None:
        with pytest.raises(BadValueError, match="holds no labels-.*txt: `sgf-hub label` writes them"):
            read_sheets(tmp_path / folder)


class TestTable:
    def test_round_trip(self, tmp_path: Path) -> None:
        labels = labels_of((1, 0), (0, np.nan), (np.nan, np.nan))
        write_labels(labels, tmp_path / "labels.csv")
        assert (tmp_path / "labels.csv").read_text() == "seed,hat,grey_hair\n5,1,0\n6,0,\n7,,\n"
        again = read_labels(tmp_path / "labels.csv")
        assert same(again, labels) and again.values.dtype == np.float32

    def test_odd_names_survive(self, tmp_path: Path) -> None:
        labels = Labels(('a "b", c', "d\u00e9j\u00e0"), np.array([2**31]), np.array([[1, 0]], np.float32))
        write_labels(labels, tmp_path / "labels.csv")
        assert same(read_labels(tmp_path / "labels.csv"), labels)

    def test_a_table_made_by_a_spreadsheet(self, tmp_path: Path) -> None:
        (tmp_path / "labels.csv").write_bytes(b'\xef\xbb\xbfseed,hat,"grey_hair"\r\n9,1,\r\n\r\n3,0,1\r\n')
        labels = read_labels(tmp_path / "labels.csv")
        assert labels.attributes == NAMES and labels.seeds.tolist() == [9, 3]
        assert np.array_equal(labels.values, np.array([[1, np.nan], [0, 1]], np.float32), equal_nan=True)

    def test_rows(self) -> None:
        some = labels_of((1, 0), (0, 1), (1, 1)).rows(np.array([True, False, True]))
        assert same(some, Labels(NAMES, np.array([5, 7]), np.array([[1, 0], [1, 1]], np.float32)))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "cannot be read as a table"),
            ("\n\n", "cannot be read as a table"),
            ("seed,hat\n", "must begin with the line 'seed,'"),
            ("seed\n1\n", "must begin with the line 'seed,'"),
            ("hat,seed\n1,1\n", "must begin with the line 'seed,'"),
            ("5,1\n6,0\n", "must begin with the line 'seed,'"),
            ("seed,hat\n5,2\n", "line 2: a row is a seed and 1 cells of 1, 0 or nothing"),
            ("seed,hat\n5,1\n6,yes\n", "line 3: a row is"),
            ("seed,hat\n5,1.0\n", "line 2: a row is"),
            ("seed,hat\n5, 1\n", "line 2: a row is"),
            ("seed,hat\n5,1,1\n", "line 2: a row is"),
            ("seed,hat\n5\n", "line 2: a row is"),
            ("seed,hat\n-5,1\n", "line 2: a row is"),
            ("seed,hat\n5.0,1\n", "line 2: a row is"),
            ("seed,hat\n,1\n", "line 2: a row is"),
            ("seed,hat\n\u0665,1\n", "line 2: a row is"),
            (f"seed,hat\n{'1' * 5000},1\n", "line 2: a row is"),
            ("seed,hat\n5,1\n5,0\n", "has a seed twice"),
            ("seed,hat\n5,1\n05,0\n", "has a seed twice"),
            ("seed,hat,hat\n5,1,0\n", "distinct names"),
            ("seed,\n5,1\n", "distinct names"),
            ('seed,hat\n5,"' + "1" * 2**18 + '"\n', "cannot be read as a table"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "labels.csv").write_text(text, "utf-8")
        with pytest.raises(CorruptFileError, match=message) as caught:
            read_labels(tmp_path / "labels.csv")
        assert "labels.csv" in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"seed,hat\n5,\xe9\n", b"PK\x03\x04" * 50])
    def test_what_is_not_text_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "labels.csv").write_bytes(content)
        with pytest.raises(CorruptFileError):
            read_labels(tmp_path / "labels.csv")

    def test_a_folder_and_nothing_are_refused(self, tmp_path: Path) -> None:
        for name in ("nowhere.csv", "."):
            with pytest.raises(CorruptFileError, match="cannot be read as a table"):
                read_labels(tmp_path / name)

    def test_a_huge_file_is_refused(self, tmp_path: Path) -> None:
        with (tmp_path / "labels.csv").open("wb") as file:
            file.truncate(1 << 25)
        with pytest.raises(CorruptFileError, match="labels.csv is larger than 16 MB"):
            read_labels(tmp_path / "labels.csv")


class TestCommand:
    def test_sheets_and_then_a_table(self, run: Run, in_toy_zoo: Path) -> None:
        told = run(
            "label", "sheets", "--generator", "toy-progan", "--attributes", "hat, beard", "--first", 9, "--count", 52
        )
        assert told[0] == 0 and json.loads(told[1]) == {"folder": "sheets", "sheets": 2}
        assert Path("sheets/labels-9-50.txt").read_text() == "unclear: \nhat: \nbeard: \n"
        Path("sheets/labels-9-50.txt").write_text("unclear: 49\nhat: 0 1 2\nbeard: 2")
        code, out, _ = run("label", "sheets", "--out", "labels.csv")
        told = json.loads(out)
        assert code == 0 and (told["out"], told["pictures"]) == ("labels.csv", 52)
        assert told["shares"] == {"hat": pytest.approx(3 / 52, abs=1e-4), "beard": pytest.approx(1 / 52, abs=1e-4)}
        labels = read_labels(Path("labels.csv"))
        assert labels.seeds.tolist() == list(range(9, 61)) and np.isnan(labels.values).sum() == 2
        assert np.flatnonzero(labels.values[:, 0] == 1).tolist() == [0, 1, 2]
        generator = load_generator("toy-progan")
        assert torch.equal(latents(generator, labels.seeds[:1]).data, generator.sample(1, seed=9).data)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("sheets",), "give --generator and --attributes to write sheets, or --out"),
            (("sheets", "--generator", "toy-progan"), "give --generator and --attributes"),
            (("sheets", "--attributes", "hat"), "give --generator and --attributes"),
            (("sheets", "--generator", "toy-progan", "--attributes", "hat,,beard"), "distinct names"),
            (("sheets", "--generator", "toy-progan", "--attributes", "hat,unclear"), "other than 'unclear'"),
            (("sheets", "--generator", "toy-progan", "--attributes", "hat", "--count", "0"), "count is 0"),
            (("sheets", "--generator", "toy-progan", "--attributes", "hat", "--first", "-3"), "first seed is -3"),
            (("sheets", "--generator", "no-such", "--attributes", "hat"), "'no-such' is not a folder"),
            (("sheets", "--generator", "toy-attributes", "--attributes", "hat"), "not a generator"),
            (("sheets", "--out", "labels.txt"), "--out is 'labels.txt'; give a table's name, such as labels.csv"),
            (("sheets", "--out", "labels.csv"), "sheets holds no labels-*.txt"),
            ((), "Missing argument"),
        ],
    )
    def test_refused(self, run: Run, in_toy_zoo: Path, arguments: tuple[str, ...], message: str) -> None:
        assert message in run.refused("label", *arguments)
        assert list(Path().glob("*.csv")) == [] and list(Path().rglob("*.png")) == []

    def test_folders_are_made_where_they_can_be(self, run: Run, in_toy_zoo: Path) -> None:
        fill(Path("sheets"), "labels-0-1.txt", "hat: 0")
        assert (
            run("label", "sheets", "--out", "new/labels.csv")[0] == 0 and len(read_labels(Path("new/labels.csv"))) == 1
        )
        Path("file").write_text("")
        assert "cannot be made a folder" in run.refused("label", "sheets", "--out", "file/labels.csv")
        said = run.refused("label", "file", "--generator", "toy-progan", "--attributes", "hat")
        assert said == "'file' is a file; give a folder for the sheets."
