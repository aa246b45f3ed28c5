"""Labels given by eye that spread through a generator's activations, and a predictor that learns from them."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.data.drawn import evaluate
from sgf_hub.data.labels import Labels, latents, write_labels
from sgf_hub.errors import BadValueError, CorruptFileError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.predictors import load_predictor
from sgf_hub.training.readers import supervised
from sgf_hub.training.readers.labelled import Activations, Spread, fit_spread, labelled_pictures, spread_labels
from sgf_hub.training.readers.predictors import PRESETS, PredictorConfig, train_predictor
from sgf_hub.types import Latent
from tests.toys import PlainGenerator

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(supervised, "REPORT_EVERY", 1e9)  # however slow the machine is
    monkeypatch.setattr(supervised, "SAVE_EVERY", 1e9)
    yield
    torch.set_num_threads(threads)


class Toy(nn.Module):
    """Pictures of 16 px out of feature maps of 4, 8 and 16 px, whose first channels are the first numbers of z."""

    latent_space, latent_dim, resolution = "z", 6, 16

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.maps = nn.Sequential(
                nn.Conv2d(6, 5, 1), nn.Upsample(scale_factor=2), nn.Conv2d(5, 5, 1), nn.Upsample(scale_factor=2),
                nn.Conv2d(5, 4, 1),
            )  # fmt: skip
            self.colours = nn.Parameter(torch.randn(3, 4, 1, 1))
        self.requires_grad_(False)
        for layer in self.maps[::2]:
            layer.weight[:2], layer.bias[:2] = 0, 0
            layer.weight[0, 0] = layer.weight[1, 1] = 1
        self.colours[:, 0] = 0  # not to be seen in the picture
        self.drawn: list[int] = []

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        rng = torch.Generator().manual_seed(seed)
        return Latent(torch.cat([torch.randn(1, 6, generator=rng) for _ in range(n)]), "z")

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        self.drawn.append(len(latent))
        maps = self.maps(latent.data[:, :, None, None].repeat(1, 1, 4, 4))
        return F.conv2d(maps, self.colours).tanh()


def toy_labels(generator: Toy, count: int = 80, first: int = 100) -> Labels:
    """ "high" is of the first number of z, "wide" of the second."""
    seeds = np.arange(first, first + count)
    z = latents(generator, seeds).data[:, :2].numpy()
    return Labels(("high", "wide"), seeds, (z > np.array([0.2, 0.3])).astype(np.float32))


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=[(14, 9), (50, 70)], ids=["narrow", "wide"])
def noisy(request: pytest.FixtureRequest) -> tuple[list[Tensor], np.ndarray]:
    """Two maps of 48 pictures, and three attributes that they tell in part; some of the answers are missing."""
    maps = [numbers(48, request.param[0], seed=1) * 3 + 2, numbers(48, request.param[1], seed=2)]
    told = torch.stack([maps[0][:, 0] - 2 + 2 * maps[1][:, 1], maps[1][:, 2], maps[0][:, 3] - 2], dim=1)
    values = (told + 1.5 * numbers(48, 3, seed=3) > torch.tensor([0.5, -0.8, 0])).float().numpy()
    values[5:12] = np.nan
    values[20:30, 1] = np.nan
    return maps, values


def ridge(x: Tensor, y: Tensor, penalty: float) -> Callable[[Tensor], Tensor]:
    """A linear reading of x for y, whose offset has no penalty."""
    middle, eye = x.mean(0), torch.eye(x.shape[1]).double()
    weights = torch.linalg.solve((x - middle).T @ (x - middle) + penalty * eye, (x - middle).T @ (y - y.mean()))
    return lambda at: (at - middle) @ weights + y.mean()


def brute_force(maps: list[Tensor], values: np.ndarray) -> Spread:
    """The same in double precision and weights in place of dual ones, every picture left out in turn."""
    x = torch.cat([(m - m.mean(0)) / (m.std(0) + 1e-6) / m.shape[1] ** 0.5 for m in maps], dim=1).double()
    scale = torch.cat([1 / (m.std(0) + 1e-6) / m.shape[1] ** 0.5 for m in maps])
    found = []
    for column in torch.from_numpy(values).double().T:
        told = ~column.isnan()
        signs, some = 2 * column[told] - 1, x[told]
        kept, outcomes = torch.arange(len(some)), []
        for penalty in PENALTIES:
            left_out = torch.empty_like(signs)
            for i in range(len(some)):
                left_out[i] = ridge(some[kept != i], signs[kept != i], penalty)(some[i])
            whole = ridge(some, signs, penalty)
            outcomes.append((((left_out - signs) ** 2).mean().item(), left_out, whole))
        _, left_out, whole = min(outcomes, key=lambda one: one[0])
        middle = torch.quantile(left_out, 1 - (signs > 0).double().mean())
        slope = 2.2 / (left_out[signs > 0].median() - middle).clamp_min(0.1)
        right = ((left_out > middle) == (signs > 0)).double().mean()
        odds = torch.sigmoid((left_out - middle) * slope)
        assert (odds > 0.5).sum() == (signs > 0).sum()  # as many as were said to have it
        assert slope == 22 or odds[signs > 0].median().item() == pytest.approx(0.9, abs=1e-3)  # and have it clearly
        origin = x.new_zeros(x.shape[1])
        found.append((whole(torch.eye(len(origin)).double()) - whole(origin), middle - whole(origin), slope, right))
    weights, middle, slope, accuracies = (torch.stack(one).float() for one in zip(*found, strict=True))
    return Spread(torch.cat([m.mean(0) for m in maps]), scale, weights.T, middle, slope, accuracies)


class TestFit:
    def test_it_is_ridge_regression_judged_by_leaving_each_picture_out(self, noisy: tuple) -> None:
        maps, values = noisy
        ours, expected = fit_spread(maps, values), brute_force(maps, values)
        torch.testing.assert_close(ours.accuracies, expected.accuracies, atol=1e-4, rtol=0)
        assert 0.3 < ours.accuracies.min() < ours.accuracies.max() < 0.95  # a toy that is told in part
        for name in ("mean", "scale", "weights", "middle", "slope"):
            torch.testing.assert_close(getattr(ours, name), getattr(expected, name), atol=2e-4, rtol=1e-3)
        features = torch.cat(maps, dim=1)
        torch.testing.assert_close(ours(features), expected(features), atol=1e-3, rtol=0)

    def test_what_cannot_be_told_is_left_out(self, noisy: tuple) -> None:
        maps, values = noisy
        before = fit_spread(maps, values)
        for column in range(3):
            others = values.copy()
            others[~np.isnan(values[:, column]), column] = 1 - others[~np.isnan(values[:, column]), column]
            after = fit_spread(maps, others)
            kept = [i for i in range(3) if i != column]
            torch.testing.assert_close(after.weights[:, kept], before.weights[:, kept])
            torch.testing.assert_close(after.weights[:, column], -before.weights[:, column])
        told = ~np.isnan(values[:, 0])
        once = fit_spread(maps, np.where(told[:, None], values, np.nan).astype(np.float32)[:, :1])
        torch.testing.assert_close(once.weights[:, 0], before.weights[:, 0])  # of the other columns no trace

    def test_it_finds_what_a_map_tells_plainly(self) -> None:
        maps = [numbers(200, 30, seed=1), numbers(200, 300, seed=2)]
        values = torch.stack([maps[0][:, 4] > 0.5, maps[1][:, 7] < -0.5], dim=1)
        spread = fit_spread(maps, values.float().numpy())
        fresh = [numbers(400, 30, seed=3), numbers(400, 300, seed=4)]
        found = spread(torch.cat(fresh, dim=1))
        assert found.shape == (400, 2) and 0 <= found.min() and found.max() <= 1
        right = (found > 0.5) == torch.stack([fresh[0][:, 4] > 0.5, fresh[1][:, 7] < -0.5], dim=1)
        # a block counts as much as another, so that one number of 30 is told more plainly than one of 300
        assert right.float().mean(0)[0] > 0.85 > right.float().mean(0)[1] > 0.6
        torch.testing.assert_close(spread.accuracies, right.float().mean(0), atol=0.1, rtol=0)

    def test_features_that_never_change_do_no_harm(self, noisy: tuple) -> None:
        maps, values = noisy
        still = [torch.cat([maps[0], torch.full((48, 14), 7.0)], dim=1), maps[1]]
        spread = fit_spread(still, values)
        assert torch.isfinite(spread(torch.cat(still, dim=1))).all()
        width = maps[0].shape[1]
        torch.testing.assert_close(spread.weights[width : width + 14], torch.zeros(14, 3))

    def test_hints_help(self) -> None:
        maps, answer = [numbers(80, 40, seed=1)], numbers(80, seed=2)
        values = (answer > 0).float()[:, None].numpy()
        hint = torch.stack([answer.tanh(), numbers(80, seed=3).tanh()], dim=1)
        alone, helped = fit_spread(maps, values), fit_spread([*maps, hint], values, hints=1)
        assert alone.accuracies < 0.7 and helped.accuracies > 0.85
        assert helped.weights.shape == (42, 1) and helped.weights[-2].abs() > helped.weights[-1].abs()
        torch.testing.assert_close(helped.scale[-2:], 0.05**0.5 / (hint.std(0) + 1e-6))

    @pytest.mark.parametrize(("yes", "no"), [(4, 40), (40, 4), (0, 40), (40, 0), (0, 0)])
    def test_too_few_labels_are_refused(self, yes: int, no: int) -> None:
        column = np.array([1.0] * yes + [0.0] * no + [np.nan] * 10, np.float32)
        values = np.stack([np.arange(len(column)) % 2, column], axis=1).astype(np.float32)
        with pytest.raises(BadValueError, match="each attribute needs at least 5 pictures that have it, and 5 that"):
            fit_spread([numbers(len(column), 8)], values)

    def test_five_of_each_suffice(self) -> None:
        values = np.array([[1.0]] * 5 + [[0.0]] * 5, np.float32)
        assert torch.isfinite(fit_spread([numbers(10, 8)], values)(numbers(3, 8))).all()


class TestActivations:
    def test_the_last_map_of_each_side_is_pooled(self) -> None:
        generator = Toy()
        latent = generator.sample(3, seed=0)
        images, blocks = Activations(generator)(latent)
        assert torch.equal(images, generator.synthesize(latent))
        early = generator.maps[:3](latent.data[:, :, None, None].repeat(1, 1, 4, 4))
        assert early.shape == (3, 5, 8, 8)
        torch.testing.assert_close(blocks[0], early.relu().flatten(1))
        torch.testing.assert_close(blocks[1], F.avg_pool2d(generator.maps[3:](early).relu(), 2).flatten(1))

    def test_hooks_are_gone_even_after_a_mistake(self) -> None:
        generator = Toy()
        Activations(generator)(generator.sample(1, seed=0))
        with pytest.raises(RuntimeError):
            Activations(generator)(Latent(torch.zeros(1, 7), "z"))
        assert all(not module._forward_hooks for module in generator.modules())

    def test_hints_see_the_pictures(self) -> None:
        generator = Toy()
        images, blocks = Activations(generator, [lambda images: images.mean((2, 3))])(generator.sample(2, seed=0))
        torch.testing.assert_close(blocks[2], images.mean((2, 3)))

    def test_what_has_no_activations_is_refused(self) -> None:
        with pytest.raises(BadValueError, match="it must be a torch module"):
            Activations(PlainGenerator(4))
        generator = Toy()
        generator.maps[1] = generator.maps[3] = nn.Identity()
        with pytest.raises(BadValueError, match="no feature map of 8 or 16 px to spread by"):
            Activations(generator)(generator.sample(1, seed=0))


class TestSpread:
    def test_labels_spread_to_pictures_nobody_saw(self, tmp_path: Path) -> None:
        generator = Toy()
        pictures, told = spread_labels(generator, toy_labels(generator), tmp_path, 300, seed=7)
        latent = generator.sample(300, seed=7)
        assert pictures.images.shape == (300, 3, 16, 16) and pictures.attributes.shape == (300, 2)
        assert np.abs(pictures.batch(np.arange(5))[0] - generator.synthesize(latent[:5])).max() < 1 / 127
        truth = latent.data[:, :2].numpy() > np.array([0.2, 0.3])
        right = ((pictures.attributes > 0.5) == truth).mean(0)
        assert right[0] > 0.9 and right[1] > 0.85
        assert told.keys() == {"high", "wide"} and abs(told["high"] - right[0]) < 0.1
        torch.testing.assert_close(
            torch.from_numpy(pictures.causes), (latent.data - latent.data.mean(0)) / latent.data.std(0)
        )

    def test_it_is_done_once(self, tmp_path: Path) -> None:
        generator = Toy()
        labels = toy_labels(generator)
        first, told = spread_labels(generator, labels, tmp_path / "new/run", 70, seed=7)
        generator.drawn.clear()
        again, told_again = spread_labels(generator, labels, tmp_path / "new/run", 70, seed=7)
        assert generator.drawn == [1] and told_again == told  # one picture says which generator it is
        for name in ("images", "attributes", "causes"):
            assert np.array_equal(getattr(again, name), getattr(first, name))

    @pytest.mark.parametrize("change", ["labels", "seeds", "names", "count", "seed", "hints", "generator", "killed"])
    def test_it_is_done_again_for_anything_else(self, tmp_path: Path, change: str) -> None:
        generator = Toy()
        labels, count, seed, hints = toy_labels(generator), 70, 7, []
        spread_labels(generator, labels, tmp_path, count, seed=seed)
        generator.drawn.clear()
        if change == "labels":
            labels.values[0] = 1 - labels.values[0]
        elif change == "seeds":
            labels = dataclasses.replace(labels, seeds=labels.seeds + 1)
        elif change == "names":
            labels = dataclasses.replace(labels, attributes=("wide", "high"))
        elif change == "generator":
            generator.colours *= -1
        elif change == "killed":
            next(tmp_path.glob("*.npz")).unlink()
        count, seed = count + (change == "count"), seed + (change == "seed")
        hints = [lambda images: images.mean((2, 3))] if change == "hints" else []
        pictures, _ = spread_labels(generator, labels, tmp_path, count, seed=seed, hints=hints)
        assert sum(generator.drawn) - 1 == len(labels) + count == len(pictures) + 80

    def test_no_labels(self, tmp_path: Path) -> None:
        labels = toy_labels(Toy()).rows(np.zeros(80, bool))
        with pytest.raises(BadValueError, match="there are no labels to spread"):
            spread_labels(Toy(), labels, tmp_path, 70, seed=7)

    def test_labelled_pictures(self) -> None:
        generator = Toy()
        labels = toy_labels(generator, 70)
        pictures = labelled_pictures(generator, labels)
        assert pictures.attributes is labels.values and len(pictures) == 70
        images = torch.cat([generator.synthesize(generator.sample(1, seed=seed)) for seed in (100, 169)])
        assert (pictures.batch(np.array([0, 69]))[0] - images).abs().max() < 1 / 127


# -- a predictor ------------------------------------------------------------------------------------------------------


def config_of(zoo: Path, **changes: object) -> PredictorConfig:
    return PredictorConfig(
        **{
            "name": "toy",
            "generator": str(zoo / "toy-progan"),
            "groups": (("one", "other"),),
            "image_size": 32,
            "embedding_size": 8,
            "hidden_sizes": (8, 8),
            "depths": (1, 1),
            "squeeze": 4,
            "hidden": 16,
            "pictures": 128,
            "images": 32 * 60,
            "batch": 32,
            "learning_rate": 1e-2,
            "tint": 0.0,
            "bf16": False,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def tables(toy_zoo: Path) -> tuple[Labels, Labels]:
    """Two ways in which 90 pictures differ most; and again of the last 30: two answers are others, one is missing."""
    generator, seeds = load_generator(toy_zoo / "toy-progan"), np.arange(40, 130)
    with torch.inference_mode():
        pictures = F.adaptive_avg_pool2d(generator.synthesize(latents(generator, seeds)), 4).flatten(1)
    seen = torch.linalg.svd(pictures - pictures.mean(0), full_matrices=False).U[:, :2]
    values = (seen > seen.median(0).values).float().numpy()
    again = values[60:].copy()
    again[:2, 0] = 1 - again[:2, 0]
    again[2, 1] = np.nan
    return Labels(("one", "other"), seeds, values), Labels(("one", "other"), seeds[60:], again)


def write_tables(out: Path, first: Labels, again: Labels) -> Path:
    (out / "toy-attributes").mkdir(parents=True)
    write_labels(first, out / "toy-attributes/labels.csv")
    write_labels(again, out / "toy-attributes/labels-again.csv")
    return out


class TestPredictor:
    def test_it_learns_from_a_few_labels(self, toy_zoo: Path, tables: tuple, tmp_path: Path) -> None:
        out, config = (
            write_tables(tmp_path / "zoo", *tables),
            config_of(toy_zoo, hints=(str(toy_zoo / "toy-attributes"),)),
        )
        records = list(train_predictor(config, out=out, run=tmp_path / "run", command="typed"))
        assert [record["event"] for record in records] == ["drawn", "checkpoint", "done"]
        assert (records[0]["pictures"], records[0]["held_out"]) == (128, 30)
        predictor = load_predictor(str(out / "toy-attributes"))
        assert predictor.spec.attributes == ("one", "other") and predictor.spec.groups == (("one", "other"),)
        assert sorted(path.name for path in out.iterdir()) == ["toy-attributes", "toy-backbone"]
        for part in ("backbone", "attributes"):
            report = json.loads((out / f"toy-{part}/training.json").read_text())
            held_out = report["held_out"]
            assert (held_out["pictures"], held_out["labelled"]) == (30, 60) and report["command"] == "typed"
            assert held_out["agreement_of_labels"] == {"one": round(28 / 30, 4), "other": 1.0}
            assert min(held_out["spread"].values()) > 0.7
            assert held_out["accuracy"] > 0.7  # a toy is no judge, but it has left chance
            assert report["config"]["generator"] == config.generator and report["config"]["world"] == ""

    def test_it_is_measured_where_both_answers_agree(self, toy_zoo: Path, tables: tuple, tmp_path: Path) -> None:
        out, config = write_tables(tmp_path / "zoo", *tables), config_of(toy_zoo, images=64)
        report = list(train_predictor(config, out=out, run=tmp_path / "run"))[-1]["held_out"]
        first, again = tables
        agreed = np.where(first.values[60:] == again.values, again.values, np.nan)
        generator, predictor = load_generator(toy_zoo / "toy-progan"), load_predictor(str(out / "toy-attributes"))
        with torch.inference_mode():
            images = generator.synthesize(latents(generator, again.seeds))
            found = predictor(((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1).numpy() > 0
        for i, name in enumerate(again.attributes):
            told = ~np.isnan(agreed[:, i])
            assert told.sum() == (28, 29)[i]
            assert report["accuracies"][name] == pytest.approx((found == agreed)[told, i].mean(), abs=1e-4)

    def test_as_many_have_an_attribute_as_were_seen_to_have_it(
        self, toy_zoo: Path, tables: tuple, tmp_path: Path
    ) -> None:
        first, again = tables
        rare = first.values.copy()
        rare[np.flatnonzero(rare[:60, 1] == 1)[8:], 1] = 0
        out = write_tables(tmp_path / "zoo", dataclasses.replace(first, values=rare), again)
        config = config_of(toy_zoo, images=32 * 20)
        list(train_predictor(config, out=out, run=tmp_path / "run"))
        generator, predictor = load_generator(toy_zoo / "toy-progan"), load_predictor(str(out / "toy-attributes"))
        with torch.inference_mode():
            scores = predictor(generator.synthesize(generator.sample(config.pictures, seed=config.data_seed)))
        for i, share in enumerate(rare[:60].mean(0)):
            assert (scores[:, i] > 0).float().mean().item() == pytest.approx(share, abs=0.03)
            assert scores[scores[:, i] > 0, i].median().item() == pytest.approx(0.8, abs=0.03)  # and half are clear

    def test_a_killed_run_goes_on(
        self, toy_zoo: Path, tables: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = config_of(toy_zoo, images=32 * 6)
        whole = list(train_predictor(config, out=write_tables(tmp_path / "whole", *tables), run=tmp_path / "a"))[-1]
        monkeypatch.setattr(supervised, "SAVE_EVERY", 0.0)
        out = write_tables(tmp_path / "parts", *tables)
        first = train_predictor(config, out=out, run=tmp_path / "b")
        for record in first:
            if record.get("step") == 3:
                first.close()
        rest = list(train_predictor(config, out=out, run=tmp_path / "b"))
        assert [record["step"] for record in rest if record["event"] == "checkpoint"] == [4, 5, 6]
        assert rest[-1]["held_out"] == whole["held_out"]

    def test_tables_that_do_not_fit_are_refused(self, toy_zoo: Path, tables: tuple, tmp_path: Path) -> None:
        first, again = tables
        none = again.rows(np.ones(30, bool))
        bad = [
            (first, dataclasses.replace(again, attributes=("one", "third")), "have other attributes than each other"),
            (first.rows(first.seeds != 129), again, "labels-again.csv has pictures that labels.csv has not"),
            (first.rows(first.seeds > 99), none, "there are no labels to spread"),
            (first.rows(first.seeds > 95), none, "at least 5 pictures that have it"),
        ]
        for number, (one, two, message) in enumerate(bad):
            out = write_tables(tmp_path / str(number), one, two)
            with pytest.raises(BadValueError, match=message):
                list(train_predictor(config_of(toy_zoo), out=out, run=tmp_path / f"run{number}"))
        (out / "toy-attributes/labels.csv").unlink()
        with pytest.raises(CorruptFileError, match="labels.csv cannot be read as a table"):
            list(train_predictor(config_of(toy_zoo), out=out, run=tmp_path / "run"))
        with pytest.raises(UnknownNameError, match="no-such"):
            list(train_predictor(config_of(toy_zoo, generator="no-such"), out=out, run=tmp_path / "run"))

    def test_what_cannot_be_told_is_no_mistake(self) -> None:
        nothing = np.full((4, 2), np.nan, np.float32)
        nothing[0] = 1
        pictures = labelled_pictures(Toy(), Labels(("high", "wide"), np.arange(4), nothing))
        from sgf_hub.data.drawn import Meaning

        says = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
        for weight, value in ((says[2].weight, 0.0), (says[2].bias, 1.0)):
            nn.init.constant_(weight, value)
        report = evaluate(says, pictures, Meaning(attributes=("high", "wide")))
        assert report["accuracies"] == {"high": 1.0, "wide": 1.0}

    def test_the_judge_of_faces_is_another_network_with_other_pictures(self) -> None:
        one, judge = PRESETS["faces"], PRESETS["faces-judge"]
        assert one.generator == judge.generator and one.backbone != judge.backbone
        assert one.seed != judge.seed and one.data_seed != judge.data_seed and judge.hints == ()
