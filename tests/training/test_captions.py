"""Fitting captions: standardised leading components, a bank, a tolerance and a floor; then pairs, and a mapping."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from sgf_hub.data.pairs import PairsInfo, load_pairs, sample_pairs, select
from sgf_hub.errors import BadValueError
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import CaptionPredictor
from sgf_hub.predictors.captions import predictor as captions
from sgf_hub.training.mapping import MappingConfig, train
from sgf_hub.training.readers import captions as module
from sgf_hub.training.readers.captions import CaptionsConfig, count_captions, extracts, fit_captions, train_captions
from tests.caption_toys import COMPONENTS, WordCounter, fitted, pixel_captioner
from tests.toys import PlainGenerator

CONFIG = CaptionsConfig(count=500, components=COMPONENTS, batch=64)


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> WordCounter:
    counter = WordCounter()
    for home in (captions, module):
        monkeypatch.setattr(home, "load_embedder", lambda *name: counter)
    return counter


@pytest.fixture
def counts() -> Counter[str]:
    *_, counts = count_captions(CONFIG, PlainGenerator(4), pixel_captioner)
    return counts


def fit(counts: Counter[str], **options):
    return fit_captions(counts, WordCounter().embed, captioner="c", **{"components": COMPONENTS, **options})


class TestCounting:
    def test_every_picture_counts_once(self, counts: Counter[str]) -> None:
        latents = PlainGenerator(4).sample(500, seed=CONFIG.seed)
        assert counts == Counter(pixel_captioner(PlainGenerator(4).synthesize(latents)))

    def test_progress(self) -> None:
        steps = count_captions(CaptionsConfig(count=100), PlainGenerator(4), pixel_captioner)
        assert [counts.total() for counts in steps] == [64, 100]

    @pytest.mark.parametrize("count", [-1, 0, 1])
    def test_too_few_pictures(self, count: int) -> None:
        with pytest.raises(BadValueError, match=f"fitted to at least 2 pictures, not {count}"):
            list(count_captions(CaptionsConfig(count=count), PlainGenerator(4), pixel_captioner))


class TestFit:
    def test_c_is_standardised_over_the_pictures(self, counts: Counter[str]) -> None:
        predictor, _ = fit(counts)
        c = predictor.project(list(counts)).double()
        weights = torch.tensor(list(counts.values())).double() / counts.total()
        torch.testing.assert_close(weights @ c, torch.zeros(COMPONENTS).double(), atol=0.02, rtol=0)
        covariance = (c * weights.unsqueeze(1)).T @ c
        torch.testing.assert_close(covariance, torch.eye(COMPONENTS).double(), atol=0.02, rtol=0)

    def test_axes_are_the_leading_components(self, counts: Counter[str]) -> None:
        predictor, report = fit(counts, components=2)
        rows = WordCounter().embed([text for text, number in counts.items() for _ in range(number)]).double()
        _, values, vectors = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)
        alike = (predictor.axes.double() * vectors[:2]).sum(dim=1).abs()
        torch.testing.assert_close(alike, torch.ones(2).double(), atol=2e-3, rtol=0)
        torch.testing.assert_close(
            predictor.scale.double(), values[:2] / len(rows) ** 0.5, atol=1e-3, rtol=1e-3
        )  # fmt: skip
        share = (values.square().cumsum(0) / values.square().sum())[1].item()
        assert report.variance[2] == pytest.approx(share, abs=1e-4)

    def test_the_bank_holds_the_most_frequent_captions(self, counts: Counter[str]) -> None:
        predictor, report = fit(counts, most=5)
        kept = [caption for caption, _ in counts.most_common(5)]
        assert list(predictor.captions) == kept
        torch.testing.assert_close(predictor.bank, WordCounter().embed(kept), atol=1e-3, rtol=0)
        assert report.banked == sum(counts[caption] for caption in kept) / 500
        assert (report.distinct, len(report.frequent)) == (len(counts), 10)

    def test_tolerance_is_half_a_factor(self, counts: Counter[str]) -> None:
        predictor, _ = fit(counts)
        one_apart = WordCounter().embed(
            ["a small red flower with round petals", "a large red flower with round petals"]
        )
        assert predictor.tolerance == pytest.approx((1 - one_apart[0] @ one_apart[1]).item() / 2, rel=1e-3)

    def test_floor_lets_short_prompts_through(self, counts: Counter[str]) -> None:
        predictor, _ = fit(counts)
        reached = (WordCounter().embed(extracts(predictor.captions)) @ predictor.bank.T).amax(dim=1)
        assert (reached >= predictor.floor - 1e-3).float().mean() > 0.9

    def test_long_captions_stay_out_of_the_bank(self, counts: Counter[str]) -> None:
        counts["red " * 60] = 1000
        predictor, report = fit(counts)
        assert all(len(caption) <= 200 for caption in predictor.captions) and report.banked == pytest.approx(1 / 3)

    def test_a_bank_that_config_json_can_hold(self, tmp_path: Path) -> None:
        many = Counter({f"{'花' * 190} {number}": 1 for number in range(1500)})
        predictor, _ = fit_captions(
            many, lambda texts: torch.randn(len(texts), 8).softmax(1), captioner="c", components=2
        )
        predictor.save_pretrained(tmp_path)
        assert (tmp_path / "config.json").stat().st_size < 2**20
        assert CaptionPredictor.from_pretrained(tmp_path).captions == predictor.captions

    def test_too_few_captions(self, counts: Counter[str]) -> None:
        with pytest.raises(
            BadValueError, match=f"{len(counts)} different captions, too few for 24 components: fit fewer"
        ):
            fit(counts, components=24)

    @pytest.mark.parametrize("most", [1, 4097])
    def test_bank_sizes(self, counts: Counter[str], most: int) -> None:
        with pytest.raises(BadValueError, match=f"the bank is of {most} captions; it must be from 2 to 4096"):
            fit(counts, most=most)

    def test_it_repeats(self, counts: Counter[str]) -> None:
        one, two = (fit(counts)[0] for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_extracts() -> None:
    assert extracts(["this flower has large red petals with a yellow center", "red"]) == [
        "flower large red", "large red petals", "petals yellow center",
    ]  # fmt: skip


def test_training_writes_a_repo_and_tells_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sgf_hub.predictors.captions.captioner.load_captioner", lambda name, **hub: pixel_captioner)
    records = list(train_captions(CONFIG, PlainGenerator(4), tmp_path, captioner="sgf-hub/toy", command="sgf-hub x"))
    assert records[0] == {"pictures": 64} and records[-2]["embedded"] == records[-1]["distinct"]
    made = json.loads((tmp_path / "training.json").read_text())
    assert made["command"] == "sgf-hub x" and made["config"]["components"] == COMPONENTS
    assert made["report"]["variance"] == {str(COMPONENTS): 1.0, "8": 1.0, "16": 1.0, "24": 1.0, "32": 1.0, "48": 1.0}
    assert CaptionPredictor.from_pretrained(tmp_path).captioner_name == "sgf-hub/toy"


class TestPairsAndMapping:
    @pytest.fixture
    def pairs(self, tmp_path: Path):
        generator = PlainGenerator(4)
        predictor = fitted(generator, pixel_captioner)
        info = PairsInfo("g", ("sgf-hub/toy-captions",), "w", predictor.spec, 0.8, 0)
        for _ in range(2):  # the second goes on where the first is: at its end
            list(sample_pairs(generator, predictor, info, tmp_path, count=400))
        return load_pairs(tmp_path)

    def test_pairs_of_captions(self, pairs) -> None:
        assert pairs.info.spec.caption == COMPONENTS and pairs.c.shape == (400, COMPONENTS)
        assert select(pairs) is pairs
        for part in ("attributes", "keypoints"):
            with pytest.raises(BadValueError, match="these pairs hold caption only: nothing would be left of c"):
                select(pairs, **{part: False})

    def test_a_mapping_of_captions(self, pairs, tmp_path: Path) -> None:
        config = MappingConfig(layers=2, embedding=8, iterations=300, batch=64, learning_rate=1e-2, noise=2.0)
        *_, report = train(config, pairs, tmp_path / "work", tmp_path / "out")
        assert list(report["slopes"]) == [f"caption.{i}" for i in range(COMPONENTS)]
        mapping = SGFMapping.from_pretrained(tmp_path / "out")
        assert mapping.spec == pairs.info.spec and mapping.predictor_names == ("sgf-hub/toy-captions",)
