"""The loss of F and its gradient: against autograd, and what spectral normalisation does to the weights."""

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.mapping import SGFMapping
from sgf_hub.training.reconstruction import Descent, Reconstruction, SpectralNorm
from tests.toys import toy_mapping

STACKS = ("embed_weight", "affine_weight", "weight")


def scaled_mapping(*, layers: int = 3) -> SGFMapping:
    """Weights whose spectral norms are far from 1."""
    mapping = toy_mapping(layers=layers).double().requires_grad_(True)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in STACKS:
            getattr(mapping, name).mul_(torch.rand(len(getattr(mapping, name)), 1, 1, generator=rng) * 5 + 1)
        for name in ("bias", "affine_bias", "embed_bias"):
            getattr(mapping, name).copy_(torch.randn(getattr(mapping, name).shape, generator=rng))
    return mapping


def inputs(mapping: SGFMapping, batch: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(3)
    sizes = (mapping.latent_dim, mapping.spec.dimension, mapping.latent_dim)
    return tuple(torch.randn(batch, size, generator=rng, dtype=torch.float64) for size in sizes)


def plain_loss(mapping: SGFMapping, u: dict[str, Tensor], z: Tensor, c: Tensor, target: Tensor) -> Tensor:
    """The definition: every weight over u^T W v, u and v constant after one step of the power iteration."""
    weights = {}
    for name in STACKS:
        weight = getattr(mapping, name)
        with torch.no_grad():
            v = F.normalize(torch.einsum("noi,no->ni", weight, u[name]), dim=1)
            after = F.normalize(torch.einsum("noi,ni->no", weight, v), dim=1)
        weights[name] = weight / torch.einsum("no,noi,ni->n", after, weight, v)[:, None, None]
    h = F.leaky_relu(c @ weights["embed_weight"][0].T + mapping.embed_bias, 0.2)
    x = z
    for n in range(mapping.layers):
        gamma, beta = (h @ weights["affine_weight"][n].T + mapping.affine_bias[n]).chunk(2, dim=1)
        x = F.leaky_relu((1 + gamma) * F.layer_norm(x, (mapping.latent_dim,)) + beta, 0.2)
        x = x @ weights["weight"][n].T + mapping.bias[n]
    return F.mse_loss(x, target)


class TestGradient:
    @pytest.mark.parametrize("layers", [1, 2, 6])
    def test_it_is_autograds(self, layers: int) -> None:
        mapping = scaled_mapping(layers=layers)
        with torch.no_grad():
            reconstruction = Reconstruction(mapping)
            for name in STACKS:  # weights have moved on since the last step
                getattr(mapping, name).add_(torch.randn(getattr(mapping, name).shape, dtype=torch.float64) / 10)
        u = {name: norm.u.clone() for name, norm in reconstruction.norms.items()}
        z, c, target = inputs(mapping)
        loss = reconstruction(z, c, target, target.numel())
        ours = {name: one.grad.clone() for name, one in mapping.named_parameters()}
        mapping.zero_grad()
        plain = plain_loss(mapping, u, z, c, target)
        plain.backward()
        torch.testing.assert_close(loss, plain.detach(), rtol=1e-10, atol=0)
        for name, one in mapping.named_parameters():
            torch.testing.assert_close(ours[name], one.grad, rtol=1e-8, atol=1e-12, msg=name)

    def test_single_precision_is_enough(self) -> None:
        """Relative to the largest, no gradient is off by 1e-5."""
        exact, rough = scaled_mapping(layers=6), scaled_mapping(layers=6).float()
        for mapping in (exact, rough):
            z, c, target = (one.to(mapping.weight) for one in inputs(mapping))
            Reconstruction(mapping)(z, c, target, target.numel())
        for (name, one), other in zip(exact.named_parameters(), rough.parameters(), strict=True):
            assert (other.grad - one.grad).abs().max() < 1e-5 * one.grad.abs().max(), name

    def test_parts_of_a_batch_add_up(self) -> None:
        mapping = scaled_mapping()
        z, c, target = inputs(mapping)
        grads, losses = [], []
        for rows in (slice(0, 5), slice(0, 2), slice(2, 5)):
            losses.append(Reconstruction(mapping)(z[rows], c[rows], target[rows], target.numel()))
            grads.append([one.grad.clone() for one in mapping.parameters()])
        torch.testing.assert_close(losses[1] + losses[2], losses[0])
        for whole, first, second in zip(*grads, strict=True):
            torch.testing.assert_close(first + second, whole)

    def test_what_was_given_stays(self) -> None:
        mapping = scaled_mapping()
        given = inputs(mapping)
        before = [one.clone() for one in given]
        Reconstruction(mapping)(*given, 40)
        assert all(torch.equal(*pair) for pair in zip(before, given, strict=True))

    def test_the_size_of_the_batch_may_change(self) -> None:
        mapping = scaled_mapping()
        reconstruction = Reconstruction(mapping)
        z, c, target = inputs(mapping)
        first = reconstruction(z, c, target, target.numel())
        reconstruction(z[:2], c[:2], target[:2], target.numel())
        torch.testing.assert_close(reconstruction(z, c, target, target.numel()), first, rtol=1e-3, atol=0)


class TestSpectralNormalisation:
    def test_the_iteration_finds_the_largest_singular_value(self) -> None:
        weight = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        norm = SpectralNorm(weight)
        torch.testing.assert_close(norm.sigma, torch.linalg.matrix_norm(weight, 2), rtol=1e-6, atol=0)
        weight.normal_(generator=torch.Generator().manual_seed(1))  # another weight altogether
        for _ in range(300):
            norm.iterate()
        torch.testing.assert_close(norm.sigma, torch.linalg.matrix_norm(weight, 2), rtol=1e-6, atol=0)

    def test_it_follows_weights_that_move(self) -> None:
        mapping = scaled_mapping()
        reconstruction = Reconstruction(mapping)
        for _ in range(60):
            for name in STACKS:
                one = getattr(mapping, name).data
                one += 0.003 * torch.randn_like(one)
            reconstruction(*inputs(mapping), 40)
        reconstruction.fold()
        for name in STACKS:
            norms = torch.linalg.matrix_norm(getattr(mapping, name).detach(), 2)
            torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0.05, atol=0)

    def test_folding_keeps_the_function(self) -> None:
        mapping = scaled_mapping()
        reconstruction = Reconstruction(mapping)
        z, c, target = inputs(mapping)
        for _ in range(30):
            loss = reconstruction(z, c, target, target.numel())
        reconstruction.fold()
        torch.testing.assert_close(F.mse_loss(mapping.core(z, c), target).detach(), loss, rtol=1e-6, atol=0)
        assert set(mapping.state_dict()) == set(toy_mapping().state_dict())


class TestDescent:
    def test_it_goes_down(self) -> None:
        mapping = scaled_mapping().float()
        z, c, _ = (one.float() for one in inputs(mapping, batch=64))
        descent = Descent(mapping, z, c, 1e-2)
        losses = [descent.step(torch.arange(64), None, z.numel()).item() for _ in range(100)]
        assert losses[-1] < 0.5 * losses[0]

    def test_noise_is_on_what_is_read_alone(self) -> None:
        mapping = scaled_mapping().float()
        z, c, noise = (one.float() for one in inputs(mapping))
        index = torch.tensor([3, 1])
        loss = Descent(mapping, z, c, 0.0).step(index, noise[:2], 16)
        torch.testing.assert_close(loss, Reconstruction(mapping)(z[index] + noise[:2], c[index], z[index], 16))

    def test_it_goes_on_from_its_state(self) -> None:
        ends = []
        for stop in (False, True):
            mapping = scaled_mapping().float()
            z, c, _ = (one.float() for one in inputs(mapping, batch=64))
            descent = Descent(mapping, z, c, 1e-2)
            for i in range(6):
                if stop and i == 3:
                    state = copy.deepcopy(descent.state_dict())
                    descent = Descent(toy_mapping(layers=3).requires_grad_(True), z, c, 5.0)
                    descent.load_state_dict(state)
                loss = descent.step(torch.arange(i, i + 30), None, z.numel())
            ends.append(loss)
        assert torch.equal(*ends)

    @pytest.mark.gpu
    def test_on_a_gpu_it_is_one_graph_and_the_same(self) -> None:
        from sgf_hub.data.distributed import Group

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU")
        losses = []
        for device in ("cpu", "cuda"):
            mapping = scaled_mapping().float().to(device)
            z, c, _ = (one.float().to(device) for one in inputs(mapping, batch=64))
            descent = Descent(mapping, z, c, 1e-2, Group(device=torch.device(device)))
            losses.append([descent.step(torch.arange(i, i + 30), None, z.numel()).item() for i in range(20)])
        torch.testing.assert_close(*map(torch.tensor, losses), rtol=1e-3, atol=0)
