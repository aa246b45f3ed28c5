"""Toy models: a tiny zoo with the formats of the real one, and linear models whose edits are known in closed form."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor

from sgf_hub.editing.editor import SGFEditor
from sgf_hub.editing.stepping import Fixed
from sgf_hub.generators.progan import ProGAN
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2
from sgf_hub.hub.files import WEIGHTS
from sgf_hub.mapping import SGFMapping
from sgf_hub.predictors import AttributeHead, Backbone, BasePredictor, KeypointHead, load_predictor
from sgf_hub.predictors.backbone import build_network, fingerprint
from sgf_hub.types import ConditionSpec, Latent

CONFIG = {
    "model_type": "resnet",
    "image_size": 32,
    "layer_type": "basic",
    "embedding_size": 4,
    "hidden_sizes": [4, 6],
    "depths": [1, 1],
}
ATTRIBUTES = ["smile", "black_hair", "blond_hair"]
KEYPOINTS = ["nose", "chin"]
GROUPS = [["black_hair", "blond_hair"]]

# -- the zoo ----------------------------------------------------------------------------------------------------------


def write_predictor(root: Path, *, name: str = "toy", seed: int = 0, **changes: object) -> Path:
    """A backbone and two heads under `root`; a change to None leaves a key of CONFIG out."""
    config = {key: value for key, value in {**CONFIG, **changes}.items() if value is not None}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = Backbone(build_network(config).eval())
        for module in backbone.modules():  # statistics that folding must not lose
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
        backbone.network.half().save_pretrained(root / f"{name}-backbone")
        mark = fingerprint(root / f"{name}-backbone" / WEIGHTS)
        shape = {"backbone": f"sgf-hub/{name}-backbone", "channels": backbone.channels, "side": backbone.side}
        sizes = {"squeeze": 3, "hidden": 8, "fingerprint": mark}
        AttributeHead(attributes=ATTRIBUTES, groups=GROUPS, **shape, **sizes).save_pretrained(
            root / f"{name}-attributes"
        )
        KeypointHead(keypoints=KEYPOINTS, **shape, **sizes).save_pretrained(root / f"{name}-keypoints")
    return root


def toy_generator(*, seed: int = 0, **changes: object) -> StyleGAN2:
    """A StyleGAN2 of 32 px with random weights, and a mean w that is not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"resolution": 32, "latent_dim": 16, "mapping_layers": 2, "channels": [12, 8, 8, 6]}
        generator = StyleGAN2(**{**sizes, **changes}).eval().requires_grad_(False)
        for name, parameter in generator.named_parameters():
            if name.endswith("bias") or name.endswith("noise_strength"):
                parameter.add_(0.3 * torch.randn_like(parameter))
        generator.w_avg.normal_()
    return generator


def toy_progan(*, seed: int = 0, **changes: object) -> ProGAN:
    """A ProGAN of 32 px with random weights and offsets, whose colours spread over most of their range."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = ProGAN(**{"resolution": 32, "latent_dim": 16, "channels": [12, 8, 8, 6], **changes})
        for name, parameter in generator.eval().requires_grad_(False).named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.3 * torch.randn_like(parameter))
        for layer in generator.rgb:
            layer.weight.mul_(0.3)
    return generator


def toy_mapping(*, seed: int = 0, layers: int = 4, latent_dim: int = 16, attributes=ATTRIBUTES, keypoints=(), **names):
    """An SGFMapping with random weights, biases and statistics."""
    names = {"generator": "sgf-hub/toy-stylegan2", "predictor": ["sgf-hub/toy-attributes"], **names}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mapping = SGFMapping(
            latent_dim=latent_dim, layers=layers, embedding=8, attributes=attributes, keypoints=list(keypoints), **names
        )
        for parameter in (mapping.embed_bias, mapping.affine_bias, mapping.bias):
            torch.nn.init.normal_(parameter, std=0.3)
        for buffer in (mapping.z_mean, mapping.c_mean):
            torch.nn.init.normal_(buffer, std=0.3)
        for buffer in (mapping.z_std, mapping.c_std):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return mapping.eval().requires_grad_(False)


def write_zoo(root: Path) -> Path:
    """All kinds of repos under `root`: generators, backbone, heads, and two mappings that fit them."""
    write_predictor(root)
    toy_generator().save_pretrained(root / "toy-stylegan2")
    toy_progan().save_pretrained(root / "toy-progan")
    generator = StyleGAN2.from_pretrained(root / "toy-stylegan2")
    w = generator.sample(64, seed=0)
    heads = ["sgf-hub/toy-attributes", "sgf-hub/toy-keypoints"]
    for name, used, points in (("attributes", heads[:1], ()), ("keypoints", heads, KEYPOINTS)):
        mapping = toy_mapping(predictor=used, keypoints=points, groups=GROUPS)
        c = load_predictor([str(root / head.split("/")[1]) for head in used])(generator.synthesize(w))
        for key, data in (("z", w.data), ("c", c)):
            getattr(mapping, f"{key}_mean").copy_(data.mean(dim=0))
            getattr(mapping, f"{key}_std").copy_(data.std(dim=0).clamp_min(1e-3))
        mapping.save_pretrained(root / f"sgf-toy-{name}")
    return root


def edit_config(folder: Path, **changes: object) -> None:
    """Change keys of a repo's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# -- models in closed form --------------------------------------------------------------------------------------------


class PlainGenerator:
    """Writes the latent into the first pixels of its pictures: [B, D] => [B, 3, 8, 8]."""

    resolution = 8

    def __init__(self, latent_dim: int, latent_space: str = "w", layers: int = 4) -> None:
        self.latent_dim, self.latent_space, self.layers = latent_dim, latent_space, layers
        self.asked: list[int] = []  # batch sizes of the pictures it was asked for

    def sample(self, n: int, *, seed: int, truncation: float = 0.8) -> Latent:
        rng = torch.Generator().manual_seed(seed)
        data = torch.cat([torch.randn(1, self.latent_dim, generator=rng) for _ in range(n)])
        return Latent(truncation * data, self.latent_space)

    def synthesize(self, latent: Latent, *, resolution: int | None = None) -> Tensor:
        data = latent.data.mean(dim=1) if latent.space == "w+" else latent.data
        self.asked.append(len(data))
        side = resolution or self.resolution
        images = data.new_zeros(len(data), 3 * side * side)
        images[:, : self.latent_dim] = data
        return images.unflatten(1, (3, side, side))

    def to_w_plus(self, latent: Latent) -> Latent:
        return Latent(latent.data.unsqueeze(1).repeat(1, self.layers, 1), "w+")


class PlainPredictor(BasePredictor):
    """c = M z of a `PlainGenerator`'s pictures."""

    def __init__(self, matrix: Tensor, spec: ConditionSpec | None = None) -> None:
        super().__init__()
        self.matrix = matrix
        self.spec = spec or ConditionSpec(attributes=tuple(f"a{i}" for i in range(len(matrix))))

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, : self.matrix.shape[1]] @ self.matrix.T


def plain_mapping(function: Callable[[Tensor, Tensor], Tensor], predictor: PlainPredictor, **changes: object):
    """`function` with what an editor reads of an SGFMapping."""

    class Mapping(SimpleNamespace):
        def __call__(self, z: Tensor, c: Tensor) -> Tensor:
            return function(z, c)

    size = predictor.matrix.shape[1]
    fields = {
        "latent_space": "w",
        "latent_dim": size,
        "spec": predictor.spec,
        "latent_statistics": False,
        "condition_factors": 0,
    }
    return Mapping(**{**fields, "generator_name": "plain", "predictor_names": ("plain",), **changes})


class LinearMapping:
    """F(z, c) = A z + B c + b, whose field is (I - A)^-1 B delta_c.

    Args:
        size: D.
        conditions: C.
        radius: spectral radius (and norm: A is symmetric) of A.
    """

    def __init__(self, size: int = 5, conditions: int = 3, *, radius: float = 0.5, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        basis = torch.linalg.qr(torch.randn(size, size, generator=rng, dtype=torch.float64)).Q
        self.A = basis @ torch.diag(torch.linspace(-0.3, 1, size, dtype=torch.float64) * radius) @ basis.T
        self.B = torch.randn(size, conditions, generator=rng, dtype=torch.float64)
        self.b = torch.randn(size, generator=rng, dtype=torch.float64)

    def __call__(self, z: Tensor, c: Tensor) -> Tensor:
        return z @ self.A.T.to(z) + c @ self.B.T.to(z) + self.b.to(z)

    def field(self, delta_c: Tensor, *, order: int | None = None, damping: float = 0.0) -> Tensor:
        """H delta_c, exactly or by the first terms of the series."""
        identity = torch.eye(len(self.A), dtype=torch.float64)
        if order is None:
            operator = torch.linalg.inv(identity * (1 + damping) - self.A)
        else:
            operator = sum((torch.linalg.matrix_power(self.A, j) for j in range(order + 1)), torch.zeros_like(self.A))
        return delta_c @ (operator @ self.B).T.to(delta_c)


def coupled_editor(coupling: torch.Tensor, spec: ConditionSpec) -> SGFEditor:
    """C(G(z)) = z, and a step moves z by a twentieth of coupling (c1 - c0)."""
    predictor = PlainPredictor(torch.eye(len(coupling)), spec)
    mapping = plain_mapping(lambda z, c: c @ coupling.T, predictor)
    return SGFEditor(mapping, PlainGenerator(len(coupling)), predictor, Fixed(order=0, step_size=0.05))
