"""`sgf-hub edit --seeds`, `--layers`, and what they stand on."""

import csv
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from sgf_hub.editing import EditConfig, SGFEditor, edit
from sgf_hub.editing.batch import MOST, batches, samples, seeds_of
from sgf_hub.editing.trajectory import Trajectory
from sgf_hub.errors import BadValueError
from sgf_hub.generators import load_generator
from sgf_hub.types import Latent
from tests.cli.test_cli import ATTRIBUTES, KEYPOINTS, Run, run  # noqa: F401


class TestSeeds:
    @pytest.mark.parametrize(
        ("text", "seeds"),
        [
            ("7", [7]),
            ("0-3", [0, 1, 2, 3]),
            ("3,5,10-12", [3, 5, 10, 11, 12]),
            (" 3 , 1 - 2 ", [3, 1, 2]),
            ("3,3,2-4", [3, 2, 4]),
            (f"{2**63 - 1}", [2**63 - 1]),
        ],
    )
    def test_a_text_names_them(self, text: str, seeds: list[int]) -> None:
        assert seeds_of(text) == seeds

    @pytest.mark.parametrize(
        "text", ["", ",", "3,", "-1", "9-3", "1-2-3", "a-b", "1.5", "0x3", "1-", "9" * 5000, "0-∞", "3;4"]
    )
    def test_or_does_not(self, text: str) -> None:
        with pytest.raises(BadValueError, match="write a range or a list, such as 0-99 or 3,5,10-20"):
            seeds_of(text)

    @pytest.mark.parametrize("text", [f"0-{MOST}", f"0-{2**63 - 1}", "0-700,0-700"])
    def test_too_many(self, text: str) -> None:
        with pytest.raises(BadValueError, match=f"one run edits at most {MOST}"):
            seeds_of(text)

    def test_each_is_its_own_sample(self, in_toy_zoo) -> None:
        generator = load_generator("toy-stylegan2")
        both = samples(generator, [5, 2], truncation=0.5)
        for at, seed in enumerate((5, 2)):
            assert torch.equal(both[at].data, generator.sample(1, seed=seed, truncation=0.5).data)

    @pytest.mark.parametrize(("resolution", "size"), [(32, 16), (256, 16), (512, 4), (1024, 1), (4096, 1)])
    def test_larger_pictures_come_in_smaller_batches(self, resolution: int, size: int) -> None:
        assert [len(batch) for batch in batches(range(33), resolution)][:2] == [size, size]
        assert [seed for batch in batches(range(33), resolution) for seed in batch] == list(range(33))


@pytest.mark.parametrize("config", [EditConfig(max_steps=9), EditConfig.paper(max_steps=4)], ids=["ours", "paper"])
def test_without_its_steps_a_trajectory_tells_the_same(in_toy_zoo, config: EditConfig) -> None:
    editor = SGFEditor.from_pretrained(KEYPOINTS)
    start = samples(editor.generator, range(6))
    wishes = {"smile": 1, "nose": (0.5, 0.5)}
    whole = edit(editor, start, wishes, config)
    outcome = Trajectory(editor.predictor.spec, config, keep=False)
    for step in whole.steps:
        outcome.add(step)
    assert outcome.steps == [whole.first] and (outcome.taken, outcome.chosen) == (whole.taken, whole.chosen)
    assert outcome.reasons == whole.reasons and None not in outcome.reasons
    for part in ("images", "c", "distance"):
        assert torch.equal(getattr(outcome.result, part), getattr(whole.result, part))
    assert torch.equal(outcome.result.latent.data, whole.result.latent.data)


class TestMany:
    @pytest.fixture
    def edited(self, run: Run, in_toy_zoo) -> tuple[dict, list[dict], Path]:  # noqa: F811
        wishes = ("--set", "smile=1", "--set", "nose=0.5,0.55", "--release", "chin")
        code, out, err = run("edit", KEYPOINTS, "--seeds", "4,0-16", *wishes, "--steps", 3, "--out", "many")
        assert (code, out.count("\n")) == (0, 1)
        assert err == "16/17 pictures edited\n17/17 pictures edited\n"
        with Path("many/results.csv").open(newline="") as file:
            return json.loads(out), list(csv.DictReader(file)), Path("many")

    def test_its_files(self, edited) -> None:
        names = ["after", "before", "latents.safetensors", "results.csv", "sheet.png"]
        assert sorted(path.name for path in edited[2].iterdir()) == names
        for folder in ("before", "after"):
            assert {path.stem for path in (edited[2] / folder).iterdir()} == {str(seed) for seed in range(17)}

    def test_the_table(self, edited) -> None:
        _, rows, _ = edited
        assert [int(row["seed"]) for row in rows] == [4, *(n for n in range(17) if n != 4)]
        assert list(rows[0]) == [
            "seed", "stop_reason", "step", "steps", "distance", "smile_before", "smile_after", "nose.x_before",
            "nose.y_before", "nose.x_after", "nose.y_after", "others_changed", "which_others",
        ]  # fmt: skip
        for row in rows:
            assert len(row["which_others"].split()) == int(row["others_changed"])
            assert not {"smile", "nose", "chin"} & set(row["which_others"].split())
            assert 0 <= int(row["step"]) <= int(row["steps"]) <= 3 and 0 <= float(row["smile_after"]) <= 1

    def test_the_line(self, edited) -> None:
        told, rows, _ = edited
        assert told.keys() == {"edits", "reached", "stop_reasons", "mean_steps", "mean_others_changed"}
        assert told["edits"] == 17 == sum(told["stop_reasons"].values())
        assert told["reached"] == round(told["stop_reasons"].get("target reached", 0) / 17, 4)
        assert told["mean_steps"] == pytest.approx(sum(int(row["steps"]) for row in rows) / 17, abs=1e-4)

    def test_each_is_what_one_edit_gives(self, edited, run: Run) -> None:  # noqa: F811
        _, rows, out = edited
        wishes = ("--set", "smile=1", "--set", "nose=0.5,0.55", "--release", "chin")
        code, one, _ = run("edit", KEYPOINTS, "--seed", 9, *wishes, "--steps", 3, "--out", "one")
        at = [int(row["seed"]) for row in rows].index(9)
        told = json.loads(one)
        assert code == 0 and told["stop_reason"] == rows[at]["stop_reason"] and told["steps"] == int(rows[at]["steps"])
        assert told["changed"]["smile"][1] == pytest.approx(float(rows[at]["smile_after"]), abs=2e-3)
        latents = Latent.load(out / "latents.safetensors")
        assert len(latents) == 17
        assert torch.allclose(latents[at].data, Latent.load("one/latent.safetensors").data, atol=1e-3)
        after = Image.open("one/after.png").resize((32, 32), Image.Resampling.BOX)
        small = Image.open(out / "after" / "9.png")
        difference = torch.tensor(list(after.tobytes())) - torch.tensor(list(small.tobytes()))
        assert small.size == (32, 32) and difference.abs().float().mean() < 8

    def test_what_is_done_is_kept_when_the_rest_fails(self, run: Run, in_toy_zoo, monkeypatch) -> None:  # noqa: F811
        import sgf_hub.editing.batch

        whole = sgf_hub.editing.batch.samples

        def failing(generator: object, seeds: list[int], **options: float) -> Latent:
            if 16 in seeds:
                raise KeyboardInterrupt
            return whole(generator, seeds, **options)

        monkeypatch.setattr("sgf_hub.editing.batch.samples", failing)
        code, out, _ = run("edit", ATTRIBUTES, "--seeds", "0-30", "--set", "smile=1", "--steps", 1, "--out", "cut")
        assert (code, out) == (130, "")
        assert Path("cut/results.csv").read_text().count("\n") == 17
        assert len(Latent.load("cut/latents.safetensors")) == 16

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--seeds", "9-3"), "seeds are '9-3': write a range or a list"),
            (("--seeds", ""), "seeds are '': write a range"),
            (("--seeds=-5",), "seeds are '-5': write a range"),
            (("--seeds", "0-1000"), "seeds '0-1000' are 1001; one run edits at most 1000."),
            (("--seeds", "0-9", "--seed", "3"), "give either --seed or --latent or --seeds"),
            (("--seeds", "0-9", "--latent", "x"), "give either --seed or --latent or --seeds"),
            (("--seeds", "0-9", "--set", "smlie=1"), "did you mean 'smile'?"),
            (("--seeds", "0-9", "--truncation", "7"), "truncation is 7"),
        ],
    )
    def test_refused_before_any_work(self, run: Run, in_toy_zoo, arguments, told: str) -> None:  # noqa: F811
        assert told in run.refused("edit", ATTRIBUTES, *arguments, "--set", "smile=1")
        assert not Path("out").exists()

    def test_an_out_that_holds_a_file_of_that_name(self, run: Run, in_toy_zoo) -> None:  # noqa: F811
        Path("out").mkdir()
        Path("out/before").write_text("mine")
        told = run.refused("edit", ATTRIBUTES, "--seeds", "0-1", "--set", "smile=1", "--steps", 1)
        assert "before cannot be made a folder" in told


class TestLayers:
    def test_only_those_move(self, run: Run, in_toy_zoo) -> None:  # noqa: F811
        code, _, err = run("edit", ATTRIBUTES, "--seed", 3, "--set", "smile=1", "--layers", "2-4", "--steps", 2)
        assert code == 0, err
        edited, start = Latent.load("out/latent.safetensors"), load_generator("toy-stylegan2").sample(1, seed=3)
        moved = (edited.data - start.data[:, None]).abs().amax(dim=(0, 2))
        assert edited.space == "w+" and [layer for layer, far in enumerate(moved) if far > 1e-6] == [2, 3, 4]

    def test_one_layer(self, run: Run, in_toy_zoo) -> None:  # noqa: F811
        assert run("edit", ATTRIBUTES, "--seeds", "3", "--set", "smile=1", "--layers", "0", "--steps", 1)[0] == 0

    @pytest.mark.parametrize("text", ["", "a-b", "4-2", "0-8", "-1-3", "0-1-2", "1.5", "²-3", "9" * 5000, "0-"])
    def test_nonsense(self, run: Run, in_toy_zoo, text: str) -> None:  # noqa: F811
        told = run.refused("edit", ATTRIBUTES, "--seed", 3, "--set", "smile=1", f"--layers={text}")
        assert told.endswith("give a range within 0-7, such as 0-4.")
        assert not Path("out").exists()

    def test_none_in_z(self, run: Run, in_zoo: Path) -> None:  # noqa: F811
        from tests.toys import toy_mapping

        toy_mapping(generator="sgf-hub/toy-progan", latent_space="z").save_pretrained(in_zoo / "sgf-toy-z")
        told = run.refused("edit", "sgf-toy-z", "--seed", 3, "--set", "smile=1", "--layers", "0-1")
        assert told == "--layers is for generators in 'w'; this one draws from 'z', which has no layers."
