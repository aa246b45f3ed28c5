"""F, the auxiliary mapping of SGF (Section 3.2): F(z, C(G(z))) = z, so that its derivatives tie c to z.

The paper's network is an N-layer MLP with AdaIN and spectral normalisation on every fully connected layer. AdaIN here
has a scale and a shift for every feature (one scalar pair a layer would bound the rank of dF/dc by 2 N). The
normalisation is folded into the weights once F is trained (`training/reconstruction.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgf_hub.errors import BadValueError
from sgf_hub.hub import Derived, HubModule, bounded, names_of
from sgf_hub.types import ConditionSpec, short

SLOPE = 0.2  # of the leaky ReLU
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

    Raises:
        BadValueError: if a number is out of range or a list is not one of names.
    """

    z_mean: Tensor
    z_std: Tensor
    c_mean: Tensor
    c_std: Tensor

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
    ) -> None:
        super().__init__()
        self.generator_name = names_of("generator", [generator])[0]
        self.predictor_names = names_of("predictor", predictor)
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
        self.centred = Derived(_centre)

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
        x = z
        for n in range(self.layers):
            x = F.layer_norm(x, (self.latent_dim,))
            x = F.leaky_relu(torch.addcmul(shift[n], scale[n], x), SLOPE)
            x = F.linear(x, self.weight[n], self.bias[n])
        return x

    def _modulation(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """AdaIN's scale and shift of every layer: [B, E] => two of [N, B, D]."""
        flat = F.linear(embedded, self.affine_weight.flatten(0, 1), self.affine_bias.flatten())
        scale, shift = flat.unflatten(-1, (self.layers, 2, self.latent_dim)).permute(1, 2, 0, 3).unbind(1)
        return scale + 1, shift

    @torch.no_grad()
    def linearize(self, z: Tensor, c: Tensor) -> "Linearization":
        """F's derivatives at (z, c), from one forward pass, for any number of Jacobian-vector products."""
        inner = F.linear((c - self.c_mean) / self.c_std, self.embed_weight[0], self.embed_bias)
        scale, shift = self._modulation(F.leaky_relu(inner, SLOPE))
        x = (z - self.z_mean) / self.z_std
        weights, scales, shifts, biases = self.weight.unbind(), scale.unbind(), shift.unbind(), self.bias.unbind()
        inputs, normals, raised = [], [], []
        for n in range(self.layers):
            inputs.append(x)
            normals.append(F.layer_norm(x, (self.latent_dim,)))
            raised.append(torch.addcmul(shifts[n], scales[n], normals[n]))
            if n + 1 < self.layers:
                x = F.linear(F.leaky_relu(raised[n], SLOPE), weights[n], biases[n])
        # what is left is the same for every layer, and done for all at once
        slope = _slope(torch.stack(raised))
        inverse = (torch.stack(inputs).var(dim=-1, correction=0, keepdim=True) + 1e-5).rsqrt()
        return Linearization(self, torch.stack(normals), inverse * slope * scale, slope, _slope(inner))


@dataclass(frozen=True)
class Linearization:
    """dF/dz and dF/dc at a point, as functions of a tangent.

    Layer normalisation has the derivative (I - 1 1^T / D - h h^T / D) / sigma at the normalised input h; its first
    subtraction is taken over by `_centre`.

    Args:
        mapping: F.
        normals: h of every layer, [N, B, D].
        gains: rectifier's slope x AdaIN's scale / sigma, [N, B, D].
        slopes: rectifier's slope, [N, B, D].
        embed_slope: the same for the layer that c passes first, [B, E].
    """

    mapping: SGFMapping
    normals: Tensor
    gains: Tensor
    slopes: Tensor
    embed_slope: Tensor

    def dz(self, tangent: Tensor) -> Tensor:
        """(dF/dz) tangent: [..., B, D] => [..., B, D], in the units of z."""
        x = tangent / self.mapping.z_std
        return self._push(x - x.mean(dim=-1, keepdim=True), None)

    def dc(self, tangent: Tensor) -> Tensor:
        """(dF/dc) tangent: [..., B, C] => [..., B, D], in the units of c and z."""
        mapping = self.mapping
        embedded = F.linear(tangent / mapping.c_std, mapping.embed_weight[0]) * self.embed_slope
        flat = F.linear(embedded, mapping.affine_weight.flatten(0, 1))
        scale, shift = flat.unflatten(-1, (mapping.layers, 2, mapping.latent_dim)).movedim(-3, -4).unbind(-2)
        return self._push(None, torch.addcmul(shift, scale, self.normals) * self.slopes)

    def _push(self, x: Tensor | None, sources: Tensor | None) -> Tensor:
        """Carry a tangent through the layers; `sources` is what the modulation adds at each, [..., N, B, D]."""
        size = self.mapping.latent_dim
        added = [None] * self.mapping.layers if sources is None else sources.unbind(-3)
        for weight, normal, gain, source in zip(
            self.mapping.centred(self.mapping.weight), self.normals.unbind(), self.gains.unbind(), added, strict=True
        ):
            if x is not None:
                along = torch.linalg.vecdot(normal, x).unsqueeze(-1)
                x = torch.addcmul(x, normal, along, value=-1 / size)
                x = x * gain if source is None else torch.addcmul(source, x, gain)
            else:
                x = source
            x = F.linear(x, weight)  # type: ignore[arg-type]
        assert x is not None
        return x * self.mapping.z_std


def _centre(weight: Tensor) -> tuple[Tensor, ...]:
    """[N, D, D] for tangents: a layer whose output is normalised next may lose that output's mean at once."""
    rows = weight - weight.mean(dim=1, keepdim=True)
    return (*rows[:-1].unbind(), weight[-1])


def _slope(x: Tensor) -> Tensor:
    """Derivative of the leaky ReLU."""
    return torch.where(x > 0, x.new_ones(()), x.new_full((), SLOPE))


def _orthogonal(stack: int, rows: int, columns: int) -> Tensor:
    weight = torch.empty(stack, rows, columns)
    if not weight.is_meta:
        for matrix in weight:
            nn.init.orthogonal_(matrix)
    return weight
