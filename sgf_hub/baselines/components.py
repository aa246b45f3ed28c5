"""GANSpace's components (Härkönen et al., NeurIPS 2020): principal directions of a generator's early activations."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgf_hub.baselines.fitted import Fitted, described, sklearn
from sgf_hub.data.pairs import Pairs
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.latents.arrays import read_npz
from sgf_hub.types import Generator
from sgf_hub.validation import bounded, short

_COMPONENTS = 80  # the public tool's number
_ACTIVATIONS = 20_000  # samples for a generator in Z: its activations are large


@dataclass(frozen=True)
class Choice:
    """How an attribute is edited: what a person would pick by looking through the components.

    Args:
        component: which one.
        layers: of W+ that it moves, first and last + 1; None in Z.
        sign: 1 if the attribute grows along the component, else -1.
        score: what the choice measured (see `choices.py`).
    """

    component: int
    layers: tuple[int, int] | None
    sign: int
    score: float = 0.0


class Components(Fitted, pipeline_tag="image-to-image", tags=["gan", "ganspace"]):
    """n principal components, as activations and as latent directions; in W the two are the same.

    Args:
        generator: repo of the generator.
        predictor: repos of the heads that the choices were made with.
        latent_space: "z" or "w".
        latent_dim: D.
        components: n.
        features: F, number of activations.
        attributes: names of those that a choice was made for.
        choices: attribute to `Choice`, as JSON.
    """

    act_comp: Tensor  # n, F
    act_mean: Tensor  # F
    act_stdev: Tensor  # n
    lat_comp: Tensor  # n, D; of unit length
    lat_mean: Tensor  # D
    lat_stdev: Tensor  # n
    var_ratio: Tensor  # n
    random_stdevs: Tensor  # n; along as many random directions, for comparison

    def __init__(
        self,
        *,
        generator: str,
        predictor: Sequence[str],
        latent_dim: int,
        components: int,
        features: int,
        attributes: Sequence[str] = (),
        latent_space: str = "w",
        choices: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        self.describe(generator, predictor, latent_space, latent_dim, attributes)
        n, f = bounded("components", components, 1, 65536), bounded("features", features, 1, 2**22)
        choices = {} if choices is None else choices
        if not isinstance(choices, dict) or set(choices) != set(self.attributes):
            raise BadValueError("choices must hold one choice for every attribute, and no other.")
        self.choices = {name: _choice(name, choices[name], n, latent_space) for name in self.attributes}
        for name, shape in shapes(n, f, latent_dim).items():
            self.register_buffer(name, torch.zeros(shape))

    def forward(self, z: Tensor) -> Tensor:
        """Coordinates of latents, in standard deviations: [B, D] => [B, n]."""
        return (z - self.lat_mean) @ self.lat_comp.T / self.lat_stdev.clamp_min(1e-12)

    def measured(self) -> dict[str, Any]:
        """The scores of the choices."""
        return {"scores": {name: choice.score for name, choice in self.choices.items()}}

    def direction(self, component: int) -> Tensor:
        """One standard deviation along a component, [D].

        Raises:
            BadValueError: if there is no such component.
        """
        bounded("component", component, 0, len(self.lat_comp) - 1)
        return self.lat_comp[component] * self.lat_stdev[component]

    def with_choices(self, choices: Mapping[str, Choice]) -> "Components":
        """The same components with other choices."""
        return _make(
            {name: getattr(self, name) for name in self.state_dict()},
            generator=self.generator_name,
            predictor=list(self.predictor_names),
            latent_space=self.latent_space,
            attributes=list(choices),
            choices={name: _as_json(choice) for name, choice in choices.items()},
        )

    # -- the public tool's files ------------------------------------------------------------------------------------

    @classmethod
    def read_npz(
        cls, path: str | Path, *, generator: str, predictor: Sequence[str], latent_space: str = "w"
    ) -> "Components":
        """Components from the public tool's file; no attribute is chosen for yet.

        Args:
            path: the file.
            generator: repo of the generator it was made for.
            predictor: repos of the heads of the predictor that will judge the edits.
            latent_space: "z" or "w".

        Raises:
            CorruptFileError: if it is damaged, lacks an array, or its arrays do not fit together.
        """
        arrays = read_npz(path, list(shapes(1, 1, 1)))
        n = len(arrays["lat_stdev"].flatten())
        sizes = {key: arrays[key].numel() for key in arrays}
        wanted = {k: torch.Size(s).numel() for k, s in shapes(n, sizes["act_mean"], sizes["lat_mean"]).items()}
        wrong = [key for key in wanted if sizes[key] != wanted[key] or not sizes[key]]
        if wrong:
            raise CorruptFileError(
                f"{Path(path).name} does not fit together: {wrong[0]} holds {sizes[wrong[0]]} numbers."
            )
        lengths = arrays["lat_comp"].reshape(n, -1).double().norm(dim=1, keepdim=True)
        if (lengths == 0).any():
            raise CorruptFileError(f"{Path(path).name} holds a component that is zero everywhere: it points nowhere.")
        arrays["lat_comp"] = (arrays["lat_comp"].reshape(n, -1).double() / lengths).float()
        return _make(arrays, generator=generator, predictor=predictor, latent_space=latent_space)

    def write_npz(self, path: str | Path) -> None:
        """Write what the public tool writes; the choices are not part of it."""
        arrays = {name: value.numpy() for name, value in self.state_dict().items()}
        for name in ("act_comp", "lat_comp"):
            arrays[name] = arrays[name][:, None]
        for name in ("act_mean", "lat_mean"):
            arrays[name] = arrays[name][None]
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def shapes(n: int, features: int, latent_dim: int) -> dict[str, tuple[int, ...]]:
    """The arrays of n components, by the public tool's names."""
    sizes: dict[str, tuple[int, ...]] = {"act_comp": (n, features), "act_mean": (features,), "act_stdev": (n,)}
    sizes |= {"lat_comp": (n, latent_dim), "lat_mean": (latent_dim,), "lat_stdev": (n,)}
    return {**sizes, "var_ratio": (n,), "random_stdevs": (n,)}


def fit_components(generator: Generator, pairs: Pairs, *, seed: int = 0) -> Components:
    """The principal components of a generator in W (of its latents) or in Z (of its first layer's activations).

    In Z the latent directions are the paper's: U = argmin sum_j |U x_j - z_j|^2 for the coordinates x_j of sample j.

    Args:
        generator: G; in Z it needs `first_activations(z) -> [B, F]`.
        pairs: whose latents are sampled; the conditions are not looked at.
        seed: of the random directions.
    """
    in_z = pairs.info.space == "z"
    z = pairs.z[:_ACTIVATIONS] if in_z else pairs.z
    with torch.inference_mode():
        features = torch.cat([_activations(generator, part) for part in z.split(500)]) if in_z else z
    data = features.float().numpy()
    n = min(_COMPONENTS, z.shape[1], *data.shape)
    pca = sklearn("decomposition").IncrementalPCA(n_components=n, batch_size=max(2000, 3 * n)).fit(data)
    axes = torch.from_numpy(pca.components_).float()
    centred, mean = z - z.mean(dim=0), torch.from_numpy(pca.mean_).float()
    directions = axes
    if in_z:
        x = (features.float() - mean) @ axes.T  # N, n
        directions = torch.linalg.lstsq(x.double(), centred.double()).solution.float()  # n, D
        directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-12)
    noise = torch.randn(axes.shape, generator=torch.Generator().manual_seed(seed))
    noise = noise / noise.norm(dim=1, keepdim=True)
    arrays = {
        "act_comp": axes,
        "act_mean": mean,
        "act_stdev": torch.from_numpy(np.sqrt(pca.explained_variance_)).float(),
        "lat_comp": directions,
        "lat_mean": z.mean(dim=0),
        "lat_stdev": (centred @ directions.T).std(dim=0),
        "var_ratio": torch.from_numpy(pca.explained_variance_ratio_).float(),
        "random_stdevs": ((features[:5000].float() - mean) @ noise.T).std(dim=0),
    }
    named = described(pairs)
    return _make(arrays, **{key: named[key] for key in ("generator", "predictor", "latent_space")})


def _activations(generator: Generator, z: Tensor) -> Tensor:
    first = getattr(generator, "first_activations", None)
    if first is None:
        raise BadValueError("GANSpace in 'z' needs a generator that gives `first_activations(z)`; this one does not.")
    return first(z)


def _make(arrays: Mapping[str, Tensor], **config: Any) -> Components:
    n, features, size = (len(arrays[key].flatten()) for key in ("lat_stdev", "act_mean", "lat_mean"))
    made = Components(components=n, features=features, latent_dim=size, **config)
    for name, buffer in made.named_buffers():
        buffer.copy_(arrays[name].reshape(buffer.shape))
    return made.eval()


def _as_json(choice: Choice) -> dict[str, Any]:
    return {**asdict(choice), "layers": list(choice.layers) if choice.layers else None}


def _choice(name: str, value: Any, components: int, space: str) -> Choice:
    """A choice from a config, checked."""
    try:
        made = Choice(**{**value, "layers": tuple(value["layers"]) if value["layers"] is not None else None})
        bounded("component", made.component, 0, components - 1)
        bounded("score", made.score, 0.0, 1.0)
        kinds = [type(end) for end in made.layers] if made.layers is not None else None
        if made.sign not in (1, -1) or kinds != (None if space == "z" else [int, int]):
            raise ValueError
    except (TypeError, ValueError, KeyError, BadValueError):
        raise BadValueError(f"the choice for {short(name)} is not one: {short(value)}.") from None
    return made
