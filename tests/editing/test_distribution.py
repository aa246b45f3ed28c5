"""Where latents lie, and edits that stay there: distances in closed form, a border, and what an edit says of it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sgf_hub.editing import EditConfig, Fixed, SGFEditor, StopReason, Trajectory
from sgf_hub.editing.loop import edit_loop
from sgf_hub.editing.statistics.distribution import (
    CAPTIONS_REACH,
    QUANTILES,
    Border,
    LatentDistribution,
    fit_statistics,
)
from sgf_hub.editing.together import alone
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.mapping import SGFMapping
from sgf_hub.types import Latent
from tests.toys import PlainGenerator, PlainPredictor, edit_config, plain_mapping, toy_mapping

RADII = torch.tensor([1.1774, 2.4477, 3.0349])  # of N(0, I) in two dimensions
MEDIAN, MOST, FAR = RADII.tolist()


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def skewed(count: int, size: int = 6, *, seed: int = 0, mix: int = 7) -> Tensor:
    """Latents whose directions differ in width by a factor of 50, with long tails, about a mean that is not zero."""
    basis = torch.linalg.qr(numbers(size, size, seed=mix)).Q
    widths = torch.logspace(-0.7, 1, size)
    return (numbers(count, size, seed=seed) + 0.3 * numbers(count, size, seed=seed + 1) ** 3) * widths @ basis + 3


def with_statistics(z: Tensor, *, c: Tensor | None = None, **changes: object) -> SGFMapping:
    """A mapping whose statistics are those of z."""
    mapping = toy_mapping(latent_dim=z.shape[1], latent_statistics=True, **changes)
    mapping.z_mean.copy_(z.mean(0))
    mapping.z_std.copy_(z.std(0))
    fit_statistics(mapping, z, numbers(len(z), mapping.spec.dimension) if c is None else c)
    return mapping


def plain_distribution() -> LatentDistribution:
    return LatentDistribution(torch.zeros(2), torch.ones(2), torch.eye(2), RADII)


@pytest.fixture(scope="module")
def z() -> Tensor:
    return skewed(20_000)


@pytest.fixture(scope="module")
def distribution(z: Tensor) -> LatentDistribution:
    return LatentDistribution.of(with_statistics(z))


class TestDistance:
    def test_it_is_mahalanobis(self) -> None:
        mean, std, root = numbers(5, seed=1), numbers(5, seed=2).abs() + 0.2, numbers(5, 5, seed=3).double()
        covariance = root @ root.T / 5 + 0.1 * torch.eye(5)
        z = numbers(3, 4, 5, seed=4)
        off = (z - mean).double() / std
        expected = torch.einsum("...i,ij,...j->...", off, torch.linalg.inv(covariance), off).sqrt()
        found = LatentDistribution(mean, std, covariance.float(), torch.ones(3)).distance(z)
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)

    def test_of_samples(self, distribution: LatentDistribution, z: Tensor) -> None:
        inverse = torch.linalg.inv(torch.cov(z.T).double())
        off = (z[:100] - z.mean(0)).double()
        expected = torch.einsum("bi,ij,bj->b", off, inverse, off).sqrt()
        torch.testing.assert_close(distribution.distance(z[:100]).double(), expected, atol=0, rtol=0.06)  # float16

    def test_of_a_standard_normal_it_is_the_norm(self) -> None:
        z = numbers(40_000, 4)
        found = LatentDistribution.of(with_statistics(z)).distance(z[:50])
        torch.testing.assert_close(found, z[:50].norm(dim=1), atol=0.05, rtol=0.03)

    def test_a_direction_without_variance_is_no_division_by_zero(self) -> None:
        z = numbers(500, 4)
        z[:, 3] = z[:, 0]
        distribution = LatentDistribution.of(with_statistics(z))
        assert torch.isfinite(distribution.distance(z)).all() and distribution.distance(z).max() < 10
        off = z[:1] + torch.tensor([1.0, 0, 0, -1])  # one of which there is none
        assert 30 < distribution.distance(off) < 200

    @pytest.mark.parametrize("quantile", QUANTILES)
    def test_radii_hold_the_shares_they_say(self, distribution: LatentDistribution, z: Tensor, quantile: float) -> None:
        for some in (z, skewed(20_000, seed=100)):  # those they were taken from, and others
            share = (distribution.distance(some) <= distribution.radius(quantile)).float().mean().item()
            assert share == pytest.approx(quantile, abs=0.012 if quantile < 0.9 else 0.003)

    def test_outlyingness_is_in_units_of_the_99_percent(self, distribution: LatentDistribution, z: Tensor) -> None:
        found = distribution.outlyingness(z)
        torch.testing.assert_close(found * distribution.radius(0.99), distribution.distance(z))
        assert (found > 1).float().mean().item() == pytest.approx(0.01, abs=0.001)

    def test_another_quantile_is_not_known(self, distribution: LatentDistribution) -> None:
        with pytest.raises(ValueError):
            distribution.radius(0.7)


class TestProjection:
    def test_onto_the_border_in_the_same_direction(self, distribution: LatentDistribution, z: Tensor) -> None:
        far = distribution.mean + 30 * (z[:200] - distribution.mean)
        most = torch.linspace(0.5, 3, 200)
        moved = distribution.project(far, most)
        assert (distribution.distance(far) > most).all()
        torch.testing.assert_close(distribution.distance(moved), most, atol=1e-4, rtol=1e-4)
        along = torch.cosine_similarity(moved - distribution.mean, far - distribution.mean)
        torch.testing.assert_close(along, torch.ones(200))

    def test_it_is_the_nearest_point_in_this_metric(self, distribution: LatentDistribution) -> None:
        far, most = distribution.mean + 30 * numbers(1, 6), torch.tensor([2.0])
        moved = distribution.project(far, most)
        others = distribution.project(distribution.mean + 30 * numbers(500, 6, seed=5), most.expand(500))

        def between(one: Tensor) -> Tensor:
            return distribution.distance(far - one + distribution.mean)

        assert (between(others) >= between(moved) - 1e-3).all()

    def test_inner_points_stay(self, distribution: LatentDistribution, z: Tensor) -> None:
        most = distribution.distance(z[:200]) * 1.001
        torch.testing.assert_close(distribution.project(z[:200], most), z[:200], atol=1e-5, rtol=0)
        mean = distribution.mean.expand(3, -1)
        assert torch.equal(distribution.project(mean, torch.ones(3)), mean)


class TestBorder:
    everyone = torch.ones(3, dtype=torch.bool)
    begun = torch.tensor([[0.0, 1.0], [0.0, 3.2], [0.0, 6.0]])  # inside, just outside, and far

    def border(self, within: float | None = 0.95) -> Border:
        return Border(plain_distribution(), within, self.begun)

    def test_steps_end_on_it_and_no_far_start_is_pulled_in(self) -> None:
        moved = self.border().held(self.begun * 3, self.everyone)
        torch.testing.assert_close(moved, torch.tensor([[0, MOST], [0, MOST], [0, 6.0]]))
        inner = torch.tensor([[1.0, 1.0], [0.5, 2.0], [0.0, 5.0]])
        torch.testing.assert_close(self.border().held(inner, self.everyone), inner)

    def test_some_of_the_samples(self) -> None:
        rows = torch.tensor([True, False, True])
        moved = self.border().held(torch.tensor([[9.0, 0], [9.0, 0]]), rows)
        torch.testing.assert_close(moved, torch.tensor([[MOST, 0], [6.0, 0]]))

    @pytest.mark.parametrize("within", QUANTILES)
    def test_each_share_has_its_border(self, within: float) -> None:
        moved = self.border(within).held(torch.tensor([[0.0, 9.0]] * 3), self.everyone)
        assert moved[0, 1].item() == pytest.approx(RADII[QUANTILES.index(within)].item())

    def test_without_within_nothing_is_held_but_known(self) -> None:
        border, far = self.border(None), self.begun * 3
        assert border.held(far, self.everyone) is far
        assert border.crossed(far).tolist() == [False, True, True]
        torch.testing.assert_close(border.outlyingness(far), far.norm(dim=1) / FAR)

    def test_crossed_is_beyond_99_percent_and_farther_than_a_far_start(self) -> None:
        border = self.border()
        assert border.crossed(torch.tensor([[0, FAR * 0.999], [0, FAR], [0, 6.0]])).tolist() == [False] * 3
        assert border.crossed(torch.tensor([[0, FAR * 1.001], [FAR * 1.001, 0], [6.01, 0]])).tolist() == [True] * 3

    def test_what_is_held_never_counts_as_crossed(self, distribution: LatentDistribution, z: Tensor) -> None:
        start = distribution.mean + torch.linspace(0.1, 5, 300)[:, None] * (z[:300] - distribution.mean)
        border, rows = Border(distribution, 0.99, start), torch.ones(300, dtype=torch.bool)
        moved = border.held(start + 20 * numbers(300, 6), rows)
        assert not border.crossed(moved).any()
        again = border.held(moved, rows)
        torch.testing.assert_close(again, moved, atol=1e-4, rtol=1e-4)

    def test_by_layer_the_mean_counts_and_all_layers_move_alike(self) -> None:
        layers = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 7.0], [0.0, 5.0]]])
        border, rows = Border(plain_distribution(), 0.95, layers), torch.ones(2, dtype=torch.bool)
        moved = border.held(layers + torch.tensor([0.0, 8.0]), rows)
        assert moved.shape == (2, 2, 2)
        torch.testing.assert_close(moved.mean(1).norm(dim=1), torch.tensor([MOST, 6.0]))
        torch.testing.assert_close(moved.diff(dim=1), layers.diff(dim=1))
        torch.testing.assert_close(border.outlyingness(layers), torch.tensor([2**0.5, 6]) / FAR)
        assert border.crossed(layers + torch.tensor([0.0, 8.0])).tolist() == [True, True]

    def test_without_a_distribution(self) -> None:
        border, far = Border(None, 0.95, self.begun), self.begun * 100
        assert border.held(far, self.everyone) is far and border.outlyingness(far) is None
        assert border.crossed(far).tolist() == [False] * 3


class TestStatistics:
    def test_a_mapping_keeps_them(self, z: Tensor, tmp_path: Path) -> None:
        mapping = with_statistics(z)
        mapping.save_pretrained(tmp_path / "mapping")
        again = SGFMapping.from_pretrained(tmp_path / "mapping")
        assert (again.config()["format"], again.config()["latent_statistics"]) == (3, True)
        assert torch.equal(again.z_covariance, mapping.z_covariance)  # the radii are those of the file's own
        one, two = LatentDistribution.of(mapping), LatentDistribution.of(again)
        torch.testing.assert_close(two.distance(z[:500]), one.distance(z[:500]), atol=0.01, rtol=5e-3)
        torch.testing.assert_close(two.radii, one.radii, atol=0, rtol=1e-3)
        for quantile in QUANTILES:
            share = (two.distance(z) <= two.radius(quantile)).float().mean().item()
            assert share == pytest.approx(quantile, abs=0.005)

    def test_an_older_mapping_has_none(self, tmp_path: Path) -> None:
        mapping = toy_mapping()
        mapping.save_pretrained(tmp_path / "mapping")
        again = SGFMapping.from_pretrained(tmp_path / "mapping")
        assert again.format == 1 and not hasattr(again, "z_covariance") and LatentDistribution.of(again) is None

    def test_a_config_that_claims_them_without_the_numbers(self, tmp_path: Path) -> None:
        toy_mapping().save_pretrained(tmp_path / "mapping")
        edit_config(tmp_path / "mapping", latent_statistics=True)
        with pytest.raises(CorruptFileError, match="missing .*z_covariance; missing z_radii"):
            SGFMapping.from_pretrained(tmp_path / "mapping")
        edit_config(tmp_path / "mapping", latent_statistics=1)
        with pytest.raises(CorruptFileError, match="latent_statistics is 1; it must be true or false"):
            SGFMapping.from_pretrained(tmp_path / "mapping")

    def test_radii_are_of_at_most_so_many_latents(self) -> None:
        z = torch.cat([numbers(100_000, 2), 50 * numbers(1000, 2)])
        mapping = toy_mapping(latent_dim=2, latent_statistics=True)
        mapping.z_mean.zero_()
        mapping.z_std.fill_(1)
        fit_statistics(mapping, z, numbers(len(z), 3))
        torch.testing.assert_close(mapping.z_radii, RADII, atol=0.03, rtol=0)


# -- edits ------------------------------------------------------------------------------------------------------------


class Half(PlainPredictor):
    """Reads what it reads, where the second number of z is not below -5."""

    def readable(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, 1] > -5


def editor_of(*, known: bool = True, typical: float = 1.0, predictor: PlainPredictor | None = None) -> SGFEditor:
    """C(G(z)) is the first number of z, and a step that gains 0.1 of it adds 0.2 to the second."""
    predictor = predictor or PlainPredictor(torch.tensor([[1.0, 0.0]]))
    statistics = {
        "latent_statistics": known,
        "condition_factors": 0,
        "z_mean": torch.zeros(2),
        "z_std": torch.ones(2),
        "z_covariance": torch.eye(2),
        "z_radii": RADII,
        "c_typical": torch.full((2, 1), typical),
    }
    mapping = plain_mapping(lambda z, c: c @ torch.tensor([[1.0, 2.0]]), predictor, **statistics)
    return SGFEditor(mapping, PlainGenerator(2), predictor, Fixed(order=0, step_size=0.05))


def start(*rows: tuple[float, float]) -> Latent:
    return Latent(torch.tensor(rows), "w")


def edited(editor: SGFEditor, latent: Latent, **config: object) -> Trajectory:
    return editor.edit(latent, {"a0": 1}, EditConfig.paper(**config))


def distances(trajectory: Trajectory) -> Tensor:
    """Of every step and sample, [S, B]."""
    return torch.stack([step.outlyingness for step in trajectory.steps]) * FAR


class TestEdits:
    def test_one_that_ends_outside_says_so(self) -> None:
        trajectory = edited(editor_of(), start((-1.0, 0.0)))
        assert trajectory.reasons == (StopReason.OUT_OF_DISTRIBUTION,) and trajectory.taken == [18]
        torch.testing.assert_close(trajectory.result.latent.data, torch.tensor([[0.8, 3.6]]))
        assert trajectory.result.outlyingness.item() == pytest.approx(torch.tensor([0.8, 3.6]).norm().item() / FAR)
        assert "trust your eyes" in StopReason.OUT_OF_DISTRIBUTION.advice

    def test_within_it_comes_out_at_its_target(self) -> None:
        trajectory = edited(editor_of(), start((-1.0, 0.0)), within=0.95)
        assert trajectory.reasons == (StopReason.TARGET_REACHED,)
        assert distances(trajectory).max().item() == pytest.approx(MOST, rel=1e-4)
        z = trajectory.result.latent.data[0]
        assert 0.8 <= z[0] < 1 and z.norm().item() == pytest.approx(MOST, rel=1e-4)

    def test_by_default_it_stays_within(self) -> None:
        assert EditConfig().within == 0.95
        trajectory = editor_of().edit(start((-1.0, 0.0)), {"a0": 1}, EditConfig(max_steps=200, patience=None))
        assert trajectory.reasons == (StopReason.TARGET_REACHED,) and distances(trajectory).max() < MOST * 1.001
        assert trajectory.result.latent.data[0, 0] > 0.98  # with certainty

    def test_the_papers_settings_do_not_constrain(self) -> None:
        assert EditConfig.paper().within is None
        free, known = (edited(editor_of(known=known), start((-1.0, 0.0), (-0.5, 0.3))) for known in (False, True))
        assert torch.equal(free.result.latent.data, known.result.latent.data) and free.taken == known.taken
        assert free.reasons == (StopReason.TARGET_REACHED,) * 2  # it cannot tell

    @pytest.mark.parametrize("within", [0.95, None])
    def test_an_edit_that_ends_inside_is_left_alone(self, within: float | None) -> None:
        latent = start((0.2, -1.0))
        trajectory = edited(editor_of(), latent, within=within)
        assert trajectory.reasons == (StopReason.TARGET_REACHED,)
        assert torch.equal(trajectory.result.latent.data, edited(editor_of(known=False), latent).result.latent.data)

    def test_a_far_start_goes_no_farther_out(self) -> None:
        latent = start((-1.0, 5.0), (-1.0, -5.0))
        held, free = (edited(editor_of(), latent, within=within) for within in (0.95, None))
        begun = latent.data.norm(dim=1)
        assert (distances(held) <= begun * (1 + 1e-4)).all()
        torch.testing.assert_close(distances(held)[:3, 0], begun[:1].expand(3))  # outwards, and not pulled in
        assert (distances(held)[:, 1].diff() <= 0).all() and distances(held)[1, 1] > MOST  # inwards, and not at once
        assert held.reasons == (StopReason.TARGET_REACHED,) * 2
        assert free.reasons == (StopReason.OUT_OF_DISTRIBUTION, StopReason.TARGET_REACHED)

    def test_one_that_stops_short_outside_has_stopped_short(self) -> None:
        trajectory = edited(editor_of(), start((-1.0, 0.0)), max_steps=17)
        assert trajectory.reasons == (StopReason.STEP_LIMIT,) and trajectory.result.outlyingness > 1

    def test_one_that_is_close_if_not_certain_at_the_end(self) -> None:
        for within, reason in ((None, StopReason.OUT_OF_DISTRIBUTION), (0.95, StopReason.TARGET_REACHED)):
            steps = {None: 19, 0.95: 29}[within]  # to a score of 0.9
            trajectory = edited(editor_of(), start((-1.0, 0.0)), certainty=0.05, max_steps=steps, within=within)
            assert trajectory.reasons == (reason,) and 0.8 < trajectory.result.c.item() < 0.98

    def test_each_sample_has_its_own_border(self) -> None:
        latent = start((-1.0, 0.0), (0.9, 0.0), (-1.0, 5.0), (0.2, -1.0))
        together = edited(editor_of(), latent, within=0.95)
        for i, row in enumerate(latent):
            alone = edited(editor_of(), row, within=0.95)
            assert (alone.reasons[0], alone.taken[0]) == (together.reasons[i], together.taken[i])
            torch.testing.assert_close(alone.result.latent.data[0], together.result.latent.data[i])
            torch.testing.assert_close(alone.result.outlyingness[0], together.result.outlyingness[i])

    def test_every_step_tells_how_far_out_it_is(self) -> None:
        for step in edited(editor_of(), start((-1.0, 0.0), (0.9, 0.1))).steps:
            torch.testing.assert_close(step.outlyingness, step.latent.data.norm(dim=1) / FAR)

    def test_a_mapping_without_statistics_does_not_tell(self, in_toy_zoo: Path) -> None:
        for editor, latent in (
            (editor_of(known=False), start((-1.0, 0.0))),
            ((toy := SGFEditor.from_pretrained("sgf-toy-attributes")), toy.generator.sample(1, seed=0)),
        ):
            assert editor.distribution is None
            trajectory = editor.edit(latent, {editor.predictor.spec.names[0]: 1}, EditConfig(max_steps=3))
            assert all(step.outlyingness is None for step in trajectory.steps)
            assert trajectory.result.outlyingness is None
            assert StopReason.OUT_OF_DISTRIBUTION not in trajectory.reasons

    def test_of_layers_the_mean_counts(self) -> None:
        editor = editor_of()
        plus = editor.generator.to_w_plus(start((-1.0, 0.0)))
        plus = Latent(plus.data + numbers(1, 4, 2) - numbers(1, 4, 2).mean(1, keepdim=True), "w+")
        trajectory = edited(editor, plus, within=0.95)
        moved = trajectory.result.latent.data - plus.data
        torch.testing.assert_close(moved, moved[:, :1].expand_as(moved))
        expected = edited(editor, start((-1.0, 0.0)), within=0.95).result
        torch.testing.assert_close(trajectory.result.latent.data.mean(1), expected.latent.data)
        torch.testing.assert_close(trajectory.result.outlyingness, expected.outlyingness)

    def test_the_loop_by_layer(self) -> None:
        editor, push = editor_of(), torch.tensor([0.1, 0.2])
        config = EditConfig.paper(within=0.95)
        steps = list(
            alone(
                edit_loop(
                    editor.generator, editor.predictor, start((-1.0, 0.0)), {"a0": 1}, config,
                    lambda *_: lambda state: torch.stack([2 * push, 0 * push, push, push])[None].expand_as(state.z),
                    moves="w+", distribution=plain_distribution(),
                )
            )
        )  # fmt: skip
        assert steps[-1].reasons == (StopReason.TARGET_REACHED,) and steps[-1].latent.data.shape == (1, 4, 2)
        means = torch.stack([step.latent.data.mean(1) for step in steps])
        assert means.norm(dim=-1).max().item() == pytest.approx(MOST, rel=1e-4)
        torch.testing.assert_close(means[:, 0].norm(dim=-1), torch.cat([step.outlyingness for step in steps]) * FAR)

    @pytest.mark.parametrize("within", [0.7, 0, 1, 1.0, "0.95", True, float("nan"), (0.95,)])
    def test_other_shares_are_refused(self, within: object) -> None:
        with pytest.raises(BadValueError, match="within is .*; choose 0.5, 0.95, 0.99 or None"):
            EditConfig(within=within)

    @pytest.mark.parametrize("within", [None, *QUANTILES])
    def test_known_shares_are_taken(self, within: float | None) -> None:
        assert EditConfig(within=within).within == within == EditConfig.paper(within=within).within


class TestUnreadable:
    @pytest.fixture
    def editor(self) -> SGFEditor:
        return editor_of(predictor=Half(torch.tensor([[1.0, 0.0]])))

    def test_such_samples_do_not_move_while_others_do(self, editor: SGFEditor) -> None:
        latent = start((-1.0, -9.0), (0.2, -1.0), (0.95, -9.0))
        trajectory = edited(editor, latent)
        assert trajectory.reasons == (StopReason.UNREADABLE, StopReason.TARGET_REACHED, StopReason.UNREADABLE)
        assert trajectory.taken[0] == trajectory.taken[2] == 0 < trajectory.taken[1]
        assert all(torch.equal(step.latent.data[::2], latent.data[::2]) for step in trajectory.steps)
        assert trajectory.steps[0].reasons == (StopReason.UNREADABLE, None, StopReason.UNREADABLE)
        assert set(editor.generator.asked[1:]) == {1}  # nothing is drawn of them
        assert "no face" in StopReason.UNREADABLE.advice

    def test_with_none_that_can_be_read_there_is_no_step(self, editor: SGFEditor) -> None:
        trajectory = edited(editor, start((-1.0, -9.0), (-1.0, -8.0)))
        assert len(trajectory.steps) == 1 and set(trajectory.reasons) == {StopReason.UNREADABLE}

    def test_only_the_start_is_asked(self) -> None:
        asked: list[int] = []

        class Asked(PlainPredictor):
            def readable(self, images: Tensor) -> Tensor:
                asked.append(len(images))
                return super().readable(images)

        edited(editor_of(predictor=Asked(torch.tensor([[1.0, 0.0]]))), start((-1.0, 0.0), (0.0, 0.0)))
        assert asked == [2]

    def test_a_predictor_of_ones_own_need_not_tell(self) -> None:
        inner = PlainPredictor(torch.tensor([[1.0, 0.0]]))

        class Own:
            spec, target, distance = inner.spec, inner.target, inner.distance

            def __call__(self, images: Tensor) -> Tensor:
                return inner(images)

        editor = editor_of()
        own = SGFEditor(editor.mapping, editor.generator, Own(), editor.stepping)
        assert edited(own, start((-1.0, 0.0))).taken == edited(editor, start((-1.0, 0.0))).taken


class TestTypical:
    """How certain an edit has to be, where the predictor is not certain of samples themselves."""

    @pytest.mark.parametrize(
        ("typical", "certainty", "arrival"),
        [(1.0, 0.05, 0.99), (0.97, 0.05, 0.97), (0.9, 0.05, 0.9), (0.3, 0.05, 0.8), (0.9, 1.0, 0.8)],
    )
    def test_as_certain_as_most_samples(self, typical: float, certainty: float, arrival: float) -> None:
        editor = editor_of(typical=typical)
        trajectory = editor.edit(start((0.0, -2.0)), {"a0": 1}, EditConfig.paper(certainty=certainty, as_samples=True))
        scores = torch.stack([step.c for step in trajectory.steps]).flatten()
        assert trajectory.reasons == (StopReason.TARGET_REACHED,)
        assert scores[-2] < arrival - 1e-6 <= scores[-1]

    def test_not_where_it_is_not_wanted(self) -> None:
        editor = editor_of(typical=0.3)
        trajectory = editor.edit(start((0.0, -2.0)), {"a0": 1}, EditConfig.paper(certainty=0.05))
        assert trajectory.result.c.item() >= 0.99

    def test_medians_of_those_with_and_without(self) -> None:
        z, c = numbers(5000, 4), torch.empty(5000, 3)
        c[:, 0] = torch.linspace(-0.4, 0.8, 5000)
        c[:, 1] = torch.linspace(-1, 0, 5000)  # which nobody has
        c[:, 2] = 0.5
        mapping = with_statistics(z, c=c)
        expected = torch.tensor([[0.2, 0.5, 1.0], [0.4, 1.0, 0.5]])
        torch.testing.assert_close(mapping.c_typical, expected, atol=1e-3, rtol=0)

    @pytest.mark.parametrize(
        "conditions", [{"attributes": (), "keypoints": ("nose",)}, {"attributes": (), "caption": 4}]
    )
    def test_without_attributes_there_are_none(self, conditions: dict, tmp_path: Path) -> None:
        mapping = with_statistics(numbers(500, 4), **conditions)
        assert mapping.c_typical.shape == (2, 0)
        mapping.save_pretrained(tmp_path / "mapping")
        assert LatentDistribution.of(SGFMapping.from_pretrained(tmp_path / "mapping")) is not None


def test_captions_may_go_farther() -> None:
    plain, said = (toy_mapping(latent_statistics=True, attributes=(), **kind) for kind in (
        {"keypoints": ("nose",)}, {"caption": 2}))  # fmt: skip
    radii = [LatentDistribution.of(one).radii / one.z_radii for one in (plain, said)]
    assert [one.tolist() for one in radii] == [[1.0] * 3, [CAPTIONS_REACH] * 3]
