"""The command `sgf-hub evaluate` on the toy zoo: its report, going on after a kill, and the model card."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file, save_file

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.errors import BadValueError
from sgf_hub.evaluation import page
from sgf_hub.evaluation.disentanglement import tasks
from sgf_hub.evaluation.disentanglement.card import BEGIN
from sgf_hub.evaluation.disentanglement.measures.flip import Measures
from sgf_hub.evaluation.disentanglement.summary import figures, matrices, mean_curves, tables
from tests.cli.test_cli import Run

MAPPING = "sgf-toy-attributes"
SMALL = ("--methods", "sgf,sgf-paper", "--attributes", "smile,black_hair", "--samples", 3, "--seeds", 2, "--workers", 1)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, in_zoo) -> Run:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    shorten(monkeypatch)
    return Run(monkeypatch, capsys)


STEPS = {"tuned": 4, "paper": 5}


def shorten(monkeypatch) -> None:
    """At most `STEPS` of both ways of stepping."""
    real = SGFEditor.preset

    def preset(self: SGFEditor, name: str):
        editor, config = real(self, name)
        return editor, replace(config, max_steps=STEPS[name])

    monkeypatch.setattr(SGFEditor, "preset", preset)
    monkeypatch.setattr("sgf_hub.evaluation.disentanglement.measures.reference.COUNT", 50)


@pytest.fixture
def undrawn(monkeypatch) -> None:
    """Without the pictures and the trees of DCI, which take most of the time here."""
    monkeypatch.setattr("sgf_hub.evaluation.disentanglement.report.together", lambda edits, company: {})
    for name in ("draw_curves", "draw_grid"):
        monkeypatch.setattr(f"sgf_hub.evaluation.disentanglement.report.{name}", lambda *arguments: None)


@pytest.fixture
def done(monkeypatch) -> list:
    """The tasks that were really computed."""
    found, real = [], tasks.evaluate_flip

    def counted(editor, judge, config, attribute, reference, *, samples, seed):
        found.append((attribute, seed))
        return real(editor, judge, config, attribute, reference, samples=samples, seed=seed)

    monkeypatch.setattr(tasks, "evaluate_flip", counted)
    return found


def evaluated(run: Run, *more: object) -> dict:
    code, out, err = run("evaluate", MAPPING, *SMALL, *more)
    assert code == 0, err
    assert out.count("\n") == 1
    return json.loads(out)


def results(folder: str = "report") -> dict:
    """results.json, without the times."""

    def timeless(value):
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if not k.startswith("seconds") and k != "command"}
        return value

    return timeless(json.loads((Path(folder) / "results.json").read_text()))


class TestReport:
    def test_files(self, run: Run) -> None:
        told = evaluated(run, "--judge", "toy-attributes,toy-keypoints")
        assert told["out"] == "report" and told["mds"].keys() == {"sgf", "sgf-paper"}
        assert sorted(path.name for path in Path("report").iterdir()) == [
            "edited", "latents", "mdc-judge.png", "mdc-predictor.png", "pictures.png", "reference.safetensors",
            "results.json", "table.md", "tasks.jsonl",
        ]  # fmt: skip
        held = json.loads(Path("report/results.json").read_text())
        assert held["command"].startswith(f"sgf-hub evaluate {MAPPING} --methods sgf,sgf-paper")
        assert held["methods"]["sgf"]["stepping"]["rule"] == "GainControlled"
        for method in ("sgf", "sgf-paper"):
            assert held["figures"][method].keys() == {"overall", "smile", "black_hair"}
            overall = held["figures"][method]["overall"]
            assert overall["judge"]["mds"] == overall["predictor"]["mds"]  # the judge is the predictor here
            assert told["mds"][method]["judge"] == pytest.approx(overall["judge"]["mds"], abs=1e-4)
            assert {"mds_std", "mds_stopping", "accuracy", "score_drift"} <= overall["judge"].keys()
            assert overall["judge"]["point_drift"] >= 0 and "point_drift" not in overall["predictor"]
            assert overall["edit"]["steps"] >= 0 and 0 <= overall["measures"]["arrived"] <= 1
        table = Path("report/table.md").read_text()
        assert "SGF, the paper's stepping" in table and "the judge, which no method has seen" in table
        assert min(Image.open("report/mdc-judge.png").size) > 300 < min(Image.open("report/pictures.png").size)

    def test_measures_of_other_papers(self, run: Run) -> None:
        """Seen by the judge, in results.json, and each in a row of the table; what no sample can tell is left out."""
        evaluated(run, "--judge", "toy-attributes,toy-keypoints", "--samples", 4)
        held = json.loads(Path("report/results.json").read_text())
        overall = held["figures"]["sgf"]["overall"]
        assert overall["measures"].keys() >= {"arrived", "arrived_std", "range", "range_std"}
        assert overall["together"].keys() >= {"disentanglement", "completeness", "informativeness_std"}
        assert "rescoring" not in overall and "rescoring" in held["figures"]["sgf"]["smile"]
        table = Path("report/table.md").read_text()
        assert "| measure | better | SGF, our stepping | SGF, the paper's stepping |" in table
        assert "| DCI: completeness | higher | " in table and "| edits that arrive | higher | " in table

    def test_without_a_judge(self, run: Run) -> None:
        assert evaluated(run)["mds"]["sgf"].keys() == {"predictor"}  # the embedded judge is not in this zoo
        assert not Path("report/mdc-judge.png").exists()
        assert "judge" not in Path("report/table.md").read_text()

    @pytest.mark.slow
    def test_baselines_are_fitted_on_pairs_sampled_for_them(self, run: Run, monkeypatch) -> None:
        monkeypatch.setattr("sgf_hub.evaluation.disentanglement.methods.PAIRS", 400)
        monkeypatch.setattr("sgf_hub.baselines.choices.STRENGTHS", (5.0,))
        monkeypatch.setattr("sgf_hub.baselines.channels.STRENGTHS", (5.0,))
        monkeypatch.setattr("sgf_hub.baselines.classifiers._STEPS", 50)
        monkeypatch.setattr("sgf_hub.baselines.lace.HELD", (0.01,))
        some = ("--methods", "all", "--attributes", "smile", "--samples", 2, "--seeds", 1)
        told = evaluated(run, *some)
        assert list(told["mds"]) == ["sgf", "sgf-paper", "interfacegan", "interfacegan-conditional", "ganspace",
                                     "lace", "stylespace", "latent-descent"]  # fmt: skip
        assert sorted(path.name for path in Path("report/fitted").glob("*/*")) == [
            "toy-stylegan2-ganspace", "toy-stylegan2-interfacegan", "toy-stylegan2-lace", "toy-stylegan2-stylespace",
        ]  # fmt: skip
        held = results()
        assert held["methods"]["interfacegan"]["tolerance"] == 0
        assert {"mds", "mds_stopping"} <= held["figures"]["ganspace"]["smile"]["predictor"].keys()
        pairs = shutil.move(next(Path("report/pairs").iterdir()), "mine")
        again = evaluated(run, *some, "--methods", "sgf,interfacegan", "--pairs", pairs, "--out", "again")
        assert again["mds"]["interfacegan"] == told["mds"]["interfacegan"]
        assert not Path("again/pairs").exists()

    def test_one_seed_has_no_spread(self, run: Run) -> None:
        evaluated(run, "--seeds", 1)
        assert "±" not in Path("report/table.md").read_text()


@pytest.mark.usefixtures("undrawn")
class TestResuming:
    def test_nothing_is_done_twice(self, run: Run, done: list) -> None:
        evaluated(run)
        first, count = results(), len(done)
        evaluated(run)
        assert count == len(done) == 8 and results() == first

    def test_after_a_kill(self, run: Run, done: list) -> None:
        """Three whole lines and a torn one are left of eight."""
        evaluated(run)
        first = results()
        path = Path("report/tasks.jsonl")
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:3]) + lines[3][: len(lines[3]) // 2])
        done.clear()
        evaluated(run)
        assert len(done) == 5 and results() == first
        assert [json.loads(line)["task"] for line in path.read_text().splitlines()] == [
            json.loads(line)["task"] for line in lines
        ]

    def test_more_seeds_and_attributes_add_to_what_is_there(self, run: Run, done: list) -> None:
        evaluated(run)
        done.clear()
        evaluated(run, "--seeds", 3, "--attributes", "smile,black_hair,blond_hair")
        assert sorted(set(done)) == [("black_hair", 2), ("blond_hair", 0), ("blond_hair", 1), ("blond_hair", 2),
                                     ("smile", 2)]  # fmt: skip
        assert len(done) == 2 * 5

    def test_other_weights(self, run: Run, done: list, in_zoo: Path) -> None:
        evaluated(run)
        done.clear()
        path = in_zoo / MAPPING / "model.safetensors"
        save_file({key: value * 1.01 for key, value in load_file(path).items()}, path)
        evaluated(run)
        assert len(done) == 8

    @pytest.mark.parametrize("more", [("--samples", 4), ("--judge", "toy-attributes"), ("--fresh",)])
    def test_other_settings(self, run: Run, done: list, more: tuple) -> None:
        evaluated(run)
        done.clear()
        evaluated(run, *more)
        assert len(done) == 8

    def test_other_stepping_of_one_method(self, run: Run, done: list, monkeypatch) -> None:
        evaluated(run)
        done.clear()
        monkeypatch.setitem(STEPS, "tuned", 3)
        assert list(evaluated(run)["mds"]) == ["sgf", "sgf-paper"]
        assert len(done) == 4

    def test_records_of_before_these_measures(self, run: Run, done: list) -> None:
        """An earlier version's lines have another mark, and no measures: they are done again."""
        evaluated(run)
        first, path = results(), Path("report/tasks.jsonl")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["mark"] = "0" * 16
            del line["result"]["measures"]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        shutil.rmtree("report/edited")
        Path("report/reference.safetensors").unlink()
        done.clear()
        evaluated(run)
        assert len(done) == 8 and results() == first

    def test_files_that_a_killed_run_left_are_not_taken_for_those_of_an_earlier_one(
        self, run: Run, done: list, monkeypatch
    ) -> None:
        evaluated(run)
        with monkeypatch.context() as patch:
            patch.setattr(tasks, "_keep", lambda *arguments: (_ for _ in ()).throw(BadValueError("killed")))
            assert run("evaluate", MAPPING, *SMALL, "--samples", 4)[0] != 0
        done.clear()
        evaluated(run)
        assert len(done) == 8

    @pytest.mark.parametrize("folder", ["latents", "edited"])
    def test_lost_files_are_made_again(self, run: Run, done: list, folder: str) -> None:
        evaluated(run)
        done.clear()
        Path(f"report/{folder}/sgf-smile-0.safetensors").unlink()
        evaluated(run)
        assert done == [("smile", 0)]

    def test_lines_that_are_no_tasks(self, run: Run, done: list) -> None:
        evaluated(run)
        with Path("report/tasks.jsonl").open("a") as file:
            file.write('[1, 2]\n{"task": 3}\n\n')
        done.clear()
        evaluated(run)
        assert done == []


@pytest.mark.usefixtures("undrawn")
class TestCard:
    def card(self, zoo: Path) -> ModelCard:
        return ModelCard((zoo / MAPPING / "README.md").read_text())

    def test_is_made_from_the_template(self, run: Run, in_zoo: Path) -> None:
        evaluated(run, "--write-card", "--judge", "toy-attributes")
        card, held = self.card(in_zoo), json.loads(Path("report/results.json").read_text())
        assert (card.data.license, card.data.library_name, card.data.model_name) == ("apache-2.0", "sgf-hub", MAPPING)
        found = {one.metric_name: one.metric_value for one in card.data.eval_results}
        assert found.keys() == {
            f"MDS, {a} ({o})" for a in ("overall", "smile", "black hair") for o in ("predictor", "judge")
        }
        expected = held["figures"]["sgf"]["black_hair"]["judge"]["mds"]
        assert found["MDS, black hair (judge)"] == pytest.approx(expected, abs=1e-4)
        assert tables(held) in card.text and "$" not in card.text
        assert 'from_pretrained("sgf-hub/sgf-toy-attributes")' in card.text

    def test_keeps_what_is_there(self, run: Run, in_zoo: Path) -> None:
        other = {"task": {"type": "x"}, "dataset": {"name": "y", "type": "z"}, "metrics": [{"type": "fid", "value": 3}]}
        index = json.dumps([{"name": "mine", "results": [other]}])
        text = f"---\nlicense: mit\nextra: [1, 2]\nmodel-index: {index}\n---\n# Mine\n\nMy words, ümlaut.\n"
        (in_zoo / MAPPING / "README.md").write_text(text)
        for _ in range(2):
            evaluated(run, "--write-card")
            card = self.card(in_zoo)
            assert (card.data.license, card.data["extra"], card.data.model_name) == ("mit", [1, 2], "mine")
            assert sorted(one.metric_type for one in card.data.eval_results) == ["fid", "mds", "mds", "mds"]
            assert "# Mine\n\nMy words, ümlaut.\n" in card.text and card.text.count(BEGIN) == 1

    def test_damaged(self, run: Run, in_zoo: Path) -> None:
        path = in_zoo / MAPPING / "README.md"
        path.write_text("---\nlicense: [\n---\ntext\n")
        code, out, err = run("evaluate", MAPPING, *SMALL, "--write-card")
        assert (code, out) == (2, "") and "is not a model card with YAML" in err.splitlines()[-1]
        assert path.read_text() == "---\nlicense: [\n---\ntext\n"

    def test_figures_beside_the_weights_and_on_the_page(self, run: Run, in_zoo: Path, monkeypatch) -> None:
        monkeypatch.setattr(page, "root", lambda: in_zoo)
        evaluated(run)
        assert not (in_zoo / MAPPING / "measured.json").exists()
        evaluated(run, "--write-card")
        held = json.loads((in_zoo / MAPPING / "measured.json").read_text())["evaluation"]
        assert held["command"].endswith("--write-card") and "curves" not in held
        assert f"## {MAPPING}: Manipulation Disentanglement Score" in page.full_page()
        assert "SGF, our stepping" in page.summary()


class TestRefusals:
    @pytest.mark.parametrize(
        "arguments, sentence",
        [
            (("--methods", "sgf,sgf-papr"), "method 'sgf-papr' is unknown (did you mean 'sgf-paper'"),
            (("--attributes", "smlie"), "attribute 'smlie' is unknown (did you mean 'smile'?). Known: smile, black_"),
            (("--attributes", ","), "no attribute is named"),
            (("--samples", 0), "--samples"),
            (("--seeds", 0), "--seeds"),
            (("--workers", 0), "--workers"),
            (("--judge", "toy-keypoints"), "the judge 'toy-keypoints' does not know smile, black_hair"),
            (("--judge", "nobody"), "'nobody' is not a folder, not in the zoo"),
        ],
    )
    def test_in_one_sentence(self, run: Run, arguments: tuple, sentence: str) -> None:
        assert sentence in run.refused("evaluate", MAPPING, *SMALL, *arguments)

    def test_a_mapping_that_is_not_there(self, run: Run) -> None:
        assert "did you mean 'sgf-toy-attributes'" in run.refused("evaluate", "sgf-toy-atributes", *SMALL)

    @pytest.mark.parametrize(("lacking", "name"), [("matplotlib", "matplotlib"), ("sklearn", "scikit-learn")])
    def test_without_what_the_report_needs(self, run: Run, monkeypatch, lacking: str, name: str) -> None:
        monkeypatch.setattr("sgf_hub.cli.evaluate.find_spec", lambda package: None if package == lacking else package)
        assert f"needs {name}: pip install 'sgf-hub[evaluate]'" in run.refused("evaluate", MAPPING, *SMALL)

    def test_a_folder_that_is_a_file(self, run: Run) -> None:
        Path("taken").write_text("")
        assert "give another --out" in run.refused("evaluate", MAPPING, *SMALL, "--out", "taken")


def record(method: str, attribute: str, seed: int, accuracy: list[float], mds: float) -> dict:
    curve = {"accuracy": accuracy, "disentanglement": [1.0] * len(accuracy)}
    found = {"curve": curve, "mds": mds, "mds_stopping": mds, "best": 1, "score_drift": 0.1, "point_drift": None}
    return {"method": method, "attribute": attribute, "seed": seed, "samples": 4, "readings": {"predictor": found},
            "steps": 2.0, "seconds": 0.1, "measures": asdict(Measures(arrived=accuracy[-1], range=mds))}  # fmt: skip


class TestSummaries:
    records = [record("sgf", "a", 0, [0, 0.5], 0.5), record("sgf", "a", 1, [0, 0.5, 1], 0.7),
               record("sgf", "b", 0, [0, 1], 0.9), record("sgf", "b", 1, [0, 1], 0.9)]  # fmt: skip

    def test_overall_is_the_mean_over_attributes_in_each_seed(self) -> None:
        held = figures(self.records, {"sgf": [{}, {}]})["sgf"]
        assert held["a"]["predictor"]["mds"] == pytest.approx(0.6)
        assert held["overall"]["predictor"]["mds"] == pytest.approx(0.75)
        expected = torch.tensor([0.7, 0.8]).std().item()
        assert held["overall"]["predictor"]["mds_std"] == pytest.approx(expected)
        assert "point_drift" not in held["a"]["predictor"] and "identity" not in held["a"]["measures"]

    def test_a_run_that_was_over_stays_where_it_ended(self) -> None:
        mean = mean_curves(self.records)["sgf"]["a"]["predictor"]
        assert mean["accuracy"] == [0, 0.5, 0.75]

    def test_the_highest_score_is_bold(self) -> None:
        both = [*self.records, *(record("ganspace", n, s, [0, 1], 0.2) for n in "ab" for s in (0, 1))]
        text = tables({"attributes": ["a", "b"], "figures": figures(both, {"sgf": [], "ganspace": []})})
        assert "| **0.750 ± 0.071** | **0.600 ± 0.141** |" in text and "| GANSpace | 0.200 ± 0.000 |" in text
        assert "| 3.75 |" in text

    def test_a_figure_that_some_lack_is_the_mean_over_the_others(self) -> None:
        """Identity of a: 0.8 in seed 1 alone; of b: 0.6 and 0.4. Seed 0: 0.6; seed 1: (0.8 + 0.4) / 2 = 0.6."""
        some = [dict(one, measures=dict(one["measures"])) for one in self.records]
        for one, value in zip(some, (None, 0.8, 0.6, 0.4), strict=True):
            one["measures"]["identity"] = value
        held = figures(some, {"sgf": [{"frechet": 1.0}, {"frechet": 3.0}]})["sgf"]
        assert held["a"]["measures"]["identity"] == 0.8 and "identity_std" not in held["a"]["measures"]
        assert held["overall"]["measures"]["identity"] == pytest.approx(0.6)
        assert held["overall"]["together"] == pytest.approx({"frechet": 2, "frechet_std": 2**0.5})

    def measured(self, method: str, attribute: str, dependency: float | None, identity: float, other: float) -> dict:
        made = record(method, attribute, 0, [0, 1], 0.5)
        changes = {"dependency": dependency, "identity": identity, "rescoring": {"a": 0.9, "b": other, "c": 0.3}}
        return {**made, "measures": {**made["measures"], **changes}}

    def test_the_better_figure_is_bold_whichever_way_is_better(self) -> None:
        both = [self.measured("sgf", "a", 0.1, 0.7, -0.25), self.measured("lace", "a", 0.2, 0.9, 0.5)]
        held = {"attributes": ["a"], "figures": figures(both, {"sgf": [{"frechet_unedited": 1.0}], "lace": [{}]})}
        text = tables(held)
        assert "| attribute dependency, mean | lower | **0.100** | 0.200 |" in text
        assert "| identity | higher | 0.700 | **0.900** |" in text
        assert "| Frechet distance, the same unedited |  | 1.000 | - |" in text
        assert "preservation" not in text  # nobody has it

    def test_matrices(self) -> None:
        both = [self.measured("sgf", "a", None, 0.7, -0.25), self.measured("sgf", "b", None, 0.7, 1.0)]
        text = matrices({"attributes": ["a", "b"], "figures": figures(both, {"sgf": [{}]})})
        assert (
            "SGF, our stepping:\n\n| edit | a | b |" in text and "| a | +0.90 | -0.25 |\n| b | +0.90 | +1.00 |" in text
        )

    def test_an_evaluation_of_before_these_measures(self) -> None:
        """What an entry's measured.json held then: it is shown, and what is not there is left out."""
        held = {"attributes": ["a", "b"], "figures": figures(self.records, {"sgf": []})}
        for parts in held["figures"]["sgf"].values():
            for part in ("measures", "rescoring", "together"):
                parts.pop(part, None)
            parts["edit"]["image_distance"] = 0.1234
        text = tables(held)
        assert "| drift of keypoints | distance elsewhere |" in text and "| 0.123 |" in text
        assert "other papers" not in text and matrices(held) == ""
