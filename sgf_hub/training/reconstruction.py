"""What F learns by: the squared error of F(z, c) against z, under spectral normalisation, with its gradient.

The gradient is written out, layer by layer, in place of a graph: a step of so small a network is mostly overhead. No
normalised weight is ever formed. A rectifier lets positive factors through, so 1 / sigma, sigma being a weight's
largest singular value, goes to the AdaIN scale and shift in front of that weight; and since d sigma / dW = u v^T for
its singular vectors, that part of the gradient is one more row of the product that gives the rest.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sgf_hub.data.distributed import ALONE, Group
from sgf_hub.mapping import EPSILON, SLOPE, SGFMapping

_STACKS = ("embed_weight", "affine_weight", "weight")
_WARM = 3  # iterations before a graph is recorded, as PyTorch asks for


class SpectralNorm:
    """The largest singular value of each matrix of a stack, tracked by power iteration (Miyato et al., 2018).

    Args:
        weight: [N, out, in].

    Attributes:
        u: left singular vectors, [N, out].
        v: right ones, [N, in].
        sigma: the values, [N].
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self.u = torch.linalg.svd(weight.detach().float()).U[:, :, 0].to(weight)
        self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """One step of the power iteration from the present u."""
        self.v = F.normalize(torch.bmm(self.u.unsqueeze(1), self.weight).squeeze(1), dim=1)
        product = torch.bmm(self.weight, self.v.unsqueeze(2)).squeeze(2)
        self.sigma = product.norm(dim=1)
        torch.div(product, self.sigma.clamp_min(1e-12).unsqueeze(1), out=self.u)  # in place: a graph replays it


class Reconstruction:
    """The loss of F on a batch, with the gradients of all its weights.

    F's weights are raw here: what they are divided by is kept beside them, until `fold` divides them for good.

    Args:
        mapping: F, on the device it trains on.
    """

    def __init__(self, mapping: SGFMapping) -> None:
        self.mapping = mapping
        self.norms = {name: SpectralNorm(getattr(mapping, name)) for name in _STACKS}
        self.space: _Workspace | None = None
        for parameter in mapping.parameters():
            parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def __call__(self, z: Tensor, c: Tensor, target: Tensor, size: int) -> Tensor:
        """Move the power iteration on, and put the gradient of the loss into every weight's `grad`.

        Args:
            z: [B, D], standardised: what F reads.
            c: [B, C], standardised.
            target: [B, D], what F shall give.
            size: by how many numbers the sum of squares is divided; B D, or more for a part of a batch.

        Returns:
            The loss, [].
        """
        mapping, d, count = self.mapping, self.mapping.latent_dim, self.mapping.layers
        if self.space is None or self.space.batch != len(z):
            self.space = _Workspace(mapping, len(z))
        space = self.space
        for norm in self.norms.values():
            norm.iterate()
        embed_norm, affine_norm, norm = self.norms.values()

        # forward: c's branch for all layers at once, then the layers
        affine_weight = mapping.affine_weight.flatten(0, 1)  # N 2 D, E
        product = F.linear(c, mapping.embed_weight[0]) / embed_norm.sigma
        inner = product + mapping.embed_bias
        embedded = F.leaky_relu(inner, SLOPE)
        affine = torch.mm(embedded, affine_weight.T, out=space.affine.flatten(1)).view_as(space.affine)
        affine *= (1 / affine_norm.sigma)[:, None]
        modulation = torch.add(affine, mapping.affine_bias, out=space.modulation)  # B, N, 2 D
        modulation[..., :d] += 1
        inverse = (1 / norm.sigma)[:, None]
        modulation *= inverse
        weights, biases = mapping.weight.unbind(), mapping.bias.unbind()
        x, held = z, []
        for n in range(count):
            normal, mean, rstd = torch.native_layer_norm(x, (d,), None, None, EPSILON)
            raised = torch.addcmul(space.shifts[n], space.scales[n], normal)
            output = torch._C._nn.leaky_relu(raised, SLOPE, out=space.outputs[n])
            held.append((x, normal, mean, rstd, raised))
            x = F.linear(output, weights[n], biases[n])
        error = x - target
        loss = error.square().sum() / size

        # backward: the layers, then the weights and c's branch for all layers at once
        torch.mul(error, 2 / size, out=space.by_products[-1])
        for n in reversed(range(count)):
            x, normal, mean, rstd, raised = held[n]
            by_output = torch.mm(space.by_products[n], weights[n])
            space.spread[n] = torch.dot(by_output.flatten(), space.outputs[n].flatten())
            by_raised = torch.ops.aten.leaky_relu_backward.grad_input(
                by_output, raised, SLOPE, False, grad_input=space.by_shifts[n]
            )
            torch.mul(by_raised, normal, out=space.by_scales[n])
            if n > 0:
                by_x = torch.ops.aten.native_layer_norm_backward(
                    by_raised * space.scales[n], x, (d,), mean, rstd, None, None, (True, False, False)
                )[0]
                space.by_products[n - 1].copy_(by_x)
        torch.sum(space.by_product[:, :-1], dim=1, out=mapping.bias.grad)
        # the part through sigma is a row more of the product: the gradient is as large as F, and written once
        space.by_product[:, -1], space.output[:, -1] = _through(norm, space.spread), norm.v
        torch.bmm(space.by_product.transpose(1, 2), space.output, out=mapping.weight.grad)
        by_affine = space.by_affine
        by_affine *= inverse
        torch.sum(by_affine, dim=0, out=mapping.affine_bias.grad)
        spread = torch.linalg.vecdot(by_affine, affine).sum(dim=0)
        by_affine *= (1 / affine_norm.sigma)[:, None]
        by_products = by_affine.flatten(1)
        _gradient(mapping.affine_weight, by_products, embedded, affine_norm, spread)
        by_embedded = by_products @ affine_weight
        by_inner = torch.ops.aten.leaky_relu_backward(by_embedded, inner, SLOPE, False)
        torch.sum(by_inner, dim=0, out=mapping.embed_bias.grad)
        spread = (by_inner * product).sum().unsqueeze(0)
        _gradient(mapping.embed_weight, by_inner / embed_norm.sigma, c, embed_norm, spread)
        return loss

    @torch.no_grad()
    def fold(self) -> None:
        """Divide the weights by their norms: what is saved, and what edits run on."""
        for norm in self.norms.values():
            norm.iterate()
            norm.weight.div_(norm.sigma[:, None, None])

    def state_dict(self) -> dict[str, Tensor]:
        """The vectors of the power iterations, for a checkpoint."""
        return {name: norm.u for name, norm in self.norms.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a checkpoint's."""
        for name, norm in self.norms.items():
            norm.u.copy_(state[name])


class Descent:
    """Adam on the reconstruction of pairs: one iteration of F's training. On one GPU, each is the replay of a graph.

    Args:
        mapping: F, on the group's device.
        z: [N, D], standardised, there as well.
        c: [N, C], likewise.
        learning_rate: of Adam.
        group: the processes that train together.
    """

    def __init__(self, mapping: SGFMapping, z: Tensor, c: Tensor, learning_rate: float, group: Group = ALONE) -> None:
        self.mapping, self.z, self.c, self.group = mapping, z, c, group
        self.reconstruction = Reconstruction(mapping)
        self.graphed = group.device.type == "cuda" and group.size == 1
        # a graph reads the rate from the device
        self.rate: Any = torch.tensor(learning_rate, device=group.device) if self.graphed else learning_rate
        self.optimizer = torch.optim.Adam(mapping.parameters(), lr=self.rate, fused=True, capturable=self.graphed)
        self.graph: Any = None
        self.inputs: tuple[Tensor, ...] = ()
        self.warm = 0

    def set_rate(self, learning_rate: float) -> None:
        """Change the learning rate."""
        self.rate = self.rate.fill_(learning_rate) if self.graphed else learning_rate
        for settings in self.optimizer.param_groups:
            settings["lr"] = self.rate

    def state_dict(self) -> dict[str, Any]:
        """Weights, norms and Adam's averages, for a checkpoint."""
        return {
            "mapping": self.mapping.state_dict(),
            "norms": self.reconstruction.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's."""
        self.mapping.load_state_dict(state["mapping"])
        self.reconstruction.load_state_dict(state["norms"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.set_rate(float(self.optimizer.param_groups[0]["lr"]))

    def step(self, index: Tensor, noise: Tensor | None, size: int) -> Tensor:
        """One iteration.

        Args:
            index: the pairs of the batch, [B].
            noise: what is added to the z that F reads, [B, D].
            size: by how many numbers the sum of squares is divided.

        Returns:
            The loss, [].
        """
        inputs = tuple(one.to(self.z.device) for one in (index, noise) if one is not None)
        if not self.graphed:
            return self._iterate(*inputs, size=size)
        if self.graph is None:
            return self._warm(inputs, size)
        for held, one in zip(self.inputs, inputs, strict=True):
            held.copy_(one)
        self.graph.replay()
        return self.loss.clone()

    def _iterate(self, index: Tensor, noise: Tensor | None = None, *, size: int) -> Tensor:
        target = self.z[index]
        loss = self.reconstruction(target if noise is None else target + noise, self.c[index], target, size)
        self.group.add([*(one.grad for one in self.mapping.parameters() if one.grad is not None), loss])
        self.optimizer.step()
        return loss

    def _warm(self, inputs: tuple[Tensor, ...], size: int) -> Tensor:
        """The first iterations run as they are, on a stream of their own; then one is recorded, which does not run."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            loss = self._iterate(*inputs, size=size)
        torch.cuda.current_stream().wait_stream(stream)
        self.warm += 1
        if self.warm == _WARM:
            self.inputs = tuple(one.clone() for one in inputs)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.loss = self._iterate(*self.inputs, size=size)
            self.graph = graph
        return loss


class _Workspace:
    """Memory for what a step keeps of its layers: asking for it anew takes longer than the arithmetic.

    Args:
        mapping: F.
        batch: B.
    """

    def __init__(self, mapping: SGFMapping, batch: int) -> None:
        n, d, self.batch = mapping.layers, mapping.latent_dim, batch
        like = mapping.weight
        self.affine, self.modulation, self.by_affine = (like.new_empty(batch, n, 2 * d) for _ in range(3))
        self.by_product, self.output = (like.new_empty(n, batch + 1, d) for _ in range(2))
        self.spread = like.new_empty(n)
        # the same memory, layer by layer
        self.scales, self.shifts = self.modulation[..., :d].unbind(1), self.modulation[..., d:].unbind(1)
        self.by_scales, self.by_shifts = self.by_affine[..., :d].unbind(1), self.by_affine[..., d:].unbind(1)
        self.by_products, self.outputs = self.by_product[:, :-1].unbind(), self.output[:, :-1].unbind()


def _gradient(weight: Tensor, by_product: Tensor, factor: Tensor, norm: SpectralNorm, spread: Tensor) -> None:
    """Put the gradient of a stack of weights W into its `grad`, where what it multiplies is divided by sigma.

    Args:
        weight: W, [N, out, in].
        by_product: the gradient by W's products, [B, N out].
        factor: what W multiplies, [B, in]. One of the two is divided by sigma.
        norm: of W.
        spread: - sigma dL / dsigma, [N].
    """
    assert weight.grad is not None
    torch.bmm(_through(norm, spread).unsqueeze(2), norm.v.unsqueeze(1), out=weight.grad)
    weight.grad.flatten(0, 1).addmm_(by_product.t(), factor)


def _through(norm: SpectralNorm, spread: Tensor) -> Tensor:
    """dL / dsigma u: with v it is the part of the gradient of W that comes through sigma, [N, out]."""
    return norm.u * (-spread / norm.sigma).unsqueeze(1)
