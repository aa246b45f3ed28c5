"""F, the auxiliary mapping of SGF (Section 3.2): F(z, C(G(z))) = z, so that its derivatives tie c to z.

The paper's network is an N-layer MLP with AdaIN and spectral normalisation on every fully connected layer. AdaIN here
has a scale and a shift for every feature (one scalar pair a layer would bound the rank of dF/dc by 2 N). The
normalisation is folded into the weights once F is trained (`training/reconstruction.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.hub.module import HubModule
from sgf_hub.types import ConditionSpec
from sgf_hub.validation import bounded, names_of, short

SLOPE = 0.2  # of the leaky ReLU
WIDE = 256  # dimensions of z from which on its products are made by columns
EPSILON = 1e-5  # of the layer normalisation


class SGFMapping(
    HubModule, repo_url="https://github.com/sgf-hub/sgf-hub", pipeline_tag="image-to-image", tags=["gan", "sgf"]
):
    """F(z, c) -> z, with the standardisation of z and c, and the names of what it was trained with.

    Args:
        generator: repo of the generator whose latents it maps.
        predictor: repos of the heads that read c, in the order of c's coordinates.
        latent_space: "z" or "w"; where z lives.
        latent_dim: D.
        layers: N; the paper uses 15 in W and 6 in Z.
        embedding: width of the layer that c passes first.
        attributes: names of c's attribute scores.
        keypoints: names of c's keypoints.
        groups: sets of mutually exclusive attributes.
        caption: how many components of a caption's embedding c holds, in place of all these.
        latent_statistics: whether it keeps what its pairs say of samples (`editing.statistics`): the latents'
            covariance and radii, and how high an attribute scores in those that have it; older ones do not.
        class_label: of the generator, a conditional network; None for one without classes.
        condition_factors: how many principal directions of c it keeps (`editing.statistics`); 0 for none.

    Raises:
        BadValueError: if a number is out of range or a list is not one of names.
    """

    z_mean: Tensor
    z_std: Tensor
    c_mean: Tensor
    c_std: Tensor
    z_covariance: Tensor  # of standardised z, [D, D]
    z_radii: Tensor  # Mahalanobis distances that 50, 95 and 99% of z lie within, [3]
    c_typical: Tensor  # medians of |score| where an attribute is absent, and where it is present, [2, A]
    c_factors: Tensor  # principal directions of c, each as long as c varies along it, [C, R]

    def __init__(
        self,
        *,
        generator: str,
        predictor: Sequence[str],
        latent_dim: int,
        latent_space: str = "w",
        layers: int = 15,
        embedding: int = 64,
        attributes: Sequence[str] = (),
        keypoints: Sequence[str] = (),
        groups: Sequence[Sequence[str]] = (),
        caption: int = 0,
        latent_statistics: bool = False,
        class_label: int | None = None,
        condition_factors: int = 0,
    ) -> None:
        super().__init__()
        self.generator_name = names_of("generator", [generator])[0]
        self.predictor_names = names_of("predictor", predictor)
        self.class_label = None if class_label is None else bounded("class_label", class_label, 0, 1 << 20)
        if latent_space not in ("z", "w"):
            raise BadValueError(f"latent_space is {short(latent_space)}; it must be 'z' or 'w'.")
        if not self.predictor_names or not isinstance(groups, (list, tuple)):
            raise BadValueError("predictor must name at least one head, and groups must be a list of lists of names.")
        self.latent_space = latent_space
        self.latent_dim = bounded("latent_dim", latent_dim, 1, 65536)
        self.layers = bounded("layers", layers, 1, 256)
        bounded("embedding", embedding, 1, 65536)
        self.spec = ConditionSpec(
            attributes=names_of("attributes", attributes),
            keypoints=names_of("keypoints", keypoints),
            groups=tuple(names_of("a group", group) for group in groups),
            caption=bounded("caption", caption, 0, 65536),
        )
        d, c, e, n = latent_dim, bounded("the condition's size", self.spec.dimension, 1, 65536), embedding, layers
        self.embed_weight = nn.Parameter(_orthogonal(1, e, c))
        self.embed_bias = nn.Parameter(torch.zeros(e))
        self.affine_weight = nn.Parameter(_orthogonal(n, 2 * d, e))
        self.affine_bias = nn.Parameter(torch.zeros(n, 2 * d))
        self.weight = nn.Parameter(_orthogonal(n, d, d))
        self.bias = nn.Parameter(torch.zeros(n, d))
        for name, size in (("z", d), ("c", c)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_std", torch.ones(size))
        if not isinstance(latent_statistics, bool):
            raise BadValueError(f"latent_statistics is {short(latent_statistics)}; it must be true or false.")
        self.latent_statistics = latent_statistics
        if latent_statistics:
            self.format = 3
            self.register_buffer("z_covariance", torch.eye(d))
            self.register_buffer("z_radii", torch.full((3,), float(d) ** 0.5))
            self.register_buffer("c_typical", torch.ones(2, len(self.spec.attributes)))
        self.condition_factors = bounded("condition_factors", condition_factors, 0, c)
        if condition_factors:
            self.format = 4
            self.register_buffer("c_factors", torch.zeros(c, condition_factors))

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """F(z, c), Eq. 1.

        Args:
            z: [B, D], as the generator takes it.
            c: [B, C], as the predictor gives it.

        Returns:
            [B, D], in the units of z.
        """
        return self.core((z - self.z_mean) / self.z_std, (c - self.c_mean) / self.c_std) * self.z_std + self.z_mean

    def core(self, z: Tensor, c: Tensor) -> Tensor:
        """F between standardised coordinates: z [B, D], c [B, C] => [B, D]."""
        scale, shift = self._modulation(F.leaky_relu(F.linear(c, self.embed_weight[0], self.embed_bias), SLOPE))
        x, product = z, _product(len(z), self.latent_dim)
        for n in range(self.layers):
            x = F.layer_norm(x, (self.latent_dim,))
            x = F.leaky_relu(torch.addcmul(shift[n], scale[n], x), SLOPE)
            x = product(x, self.weight[n]) + self.bias[n]
        return x

    def _modulation(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """AdaIN's scale and shift of every layer: [B, E] => two of [N, B, D]."""
        flat = F.linear(embedded, self.affine_weight.flatten(0, 1), self.affine_bias.flatten())
        scale, shift = flat.unflatten(-1, (self.layers, 2, self.latent_dim)).permute(1, 2, 0, 3).unbind(1)
        return scale + 1, shift

    @torch.no_grad()
    def linearize(self, z: Tensor, c: Tensor, delta_c: Tensor) -> "Linearization":
        """F's derivatives at (z, c): along delta_c, and for any tangent of z.

        Value and tangent go through the layers side by side, so that each weight is read once for both: F is as fast as
        its weights come from memory.

        Args:
            z: [B, D].
            c: [B, C].
            delta_c: [B, C].
        """
        batch, shape, product = len(z), (self.latent_dim,), _product(2 * len(z), self.latent_dim)
        inner = F.linear(torch.stack([c - self.c_mean, delta_c]) / self.c_std, self.embed_weight[0])
        inner[0] += self.embed_bias
        flat = F.linear(_rectified(inner, inner[0], SLOPE, False), self.affine_weight.flatten(0, 1))
        modulation = flat.view(2, batch, self.layers, 2, self.latent_dim)  # of value and tangent; scale and shift
        modulation[0] += self.affine_bias.view(self.layers, 2, -1)
        modulation[0, :, :, 0] += 1
        scale, shift = modulation.unbind(3)
        scales, shifts, own = scale.unbind(2), shift.unbind(2), scale[0].unbind(1)
        biases, weights = self.bias.unbind(), self.weight.unbind()
        x, tangent = (z - self.z_mean) / self.z_std, None
        inputs, means, inverses, raised = [], [], [], []
        for n in range(self.layers):
            normal, mean, inverse = torch.native_layer_norm(x, shape, None, None, EPSILON)
            both = torch.addcmul(shifts[n], scales[n], normal)
            value, along = both.unbind()
            if tangent is not None:
                along.addcmul_(own[n], _normalized(tangent, x, shape, mean, inverse, None, None, _BY_INPUT)[0])
            inputs.append(x)
            means.append(mean)
            inverses.append(inverse)
            raised.append(value)
            x, tangent = product(_rectified(both, value, SLOPE, False), weights[n]).unbind()
            x += biases[n]
        assert tangent is not None
        gains = _rectified(scale[0].transpose(0, 1), torch.stack(raised), SLOPE, False)
        layers = zip(inputs, means, inverses, gains.unbind(), weights, strict=True)
        return Linearization(self, tangent * self.z_std, tuple(layers))


@dataclass(frozen=True)
class Linearization:
    """F's derivatives at a point.

    Args:
        mapping: F.
        along: (dF/dc) delta_c, [B, D], in the units of z.
        layers: of each layer its input [B, D], mean and inverse deviation of that [B, 1], the slope of what follows
            the normalisation [B, D], and the weight.
    """

    mapping: SGFMapping
    along: Tensor
    layers: tuple[tuple[Tensor, ...], ...]

    def dz(self, tangent: Tensor) -> Tensor:
        """(dF/dz) tangent: [..., B, D] => [..., B, D], in the units of z."""
        x, shape = tangent / self.mapping.z_std, tangent.shape
        size = shape[-1:]
        product = _product(x.numel() // size[0], size[0])
        for here, mean, inverse, gain, weight in self.layers:
            if len(shape) > 2:  # several tangents at each point
                here, mean, inverse = (one.expand(*shape[:-1], -1).contiguous() for one in (here, mean, inverse))
            x = product(_normalized(x, here, size, mean, inverse, None, None, _BY_INPUT)[0] * gain, weight)
        return x * self.mapping.z_std


# Derivative of the leaky ReLU along a tangent; along the place itself it is the value, since the ReLU is homogeneous.
_rectified = torch.ops.aten.leaky_relu_backward.default
# Derivative of the layer normalisation along a tangent, (I - 1 1^T / D - h h^T / D) / sigma with the normalised h.
# It is symmetric, so PyTorch's backward pass is a forward one.
_normalized = torch.ops.aten.native_layer_norm_backward.default
_BY_INPUT = (True, False, False)


def _product(rows: int, size: int) -> Callable[[Tensor, Tensor], Tensor]:
    """The fastest x W^T for x [..., D] of so many rows and W [D, D].

    MKL is several times faster for a large matrix and 2 to 16 columns than for as many rows, or for one.
    """
    return F.linear if rows > 16 or size < WIDE else _by_columns


def _by_columns(x: Tensor, weight: Tensor) -> Tensor:
    rows = x.reshape(-1, x.shape[-1])
    columns = rows.expand(2, -1) if len(rows) == 1 else rows
    return (weight @ columns.t()).t()[: len(rows)].view(x.shape)


def _orthogonal(stack: int, rows: int, columns: int) -> Tensor:
    weight = torch.empty(stack, rows, columns)
    if not weight.is_meta:
        for matrix in weight:
            nn.init.orthogonal_(matrix)
    return weight
