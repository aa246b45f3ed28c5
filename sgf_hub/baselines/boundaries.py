"""InterFaceGAN's boundaries (Shen et al., CVPR 2020): one hyperplane of the latent space for every attribute."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import Self

from sgf_hub.baselines.fitted import Fitted, described, sklearn
from sgf_hub.data.pairs import Pairs
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.latents.arrays import read_npy

_PARALLEL = 1e-3  # length that a unit normal must keep when other normals are taken out of it


class Boundaries(Fitted, pipeline_tag="image-to-image", tags=["gan", "interfacegan"]):
    """A unit normal and an intercept for each of A attributes.

    Args:
        generator: repo of the generator whose latents they cut.
        predictor: repos of the heads that labelled the latents.
        latent_space: "z" or "w".
        latent_dim: D.
        attributes: names, in the order of the normals.
        validation: accuracy of each boundary on the confident samples that were held out; () if not known.
        remaining: accuracy of each on all samples that were not confident; () if not known.
    """

    normals: Tensor  # A, D
    intercepts: Tensor  # A

    def __init__(
        self,
        *,
        generator: str,
        predictor: Sequence[str],
        latent_dim: int,
        attributes: Sequence[str],
        latent_space: str = "w",
        validation: Sequence[float] = (),
        remaining: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.describe(generator, predictor, latent_space, latent_dim, attributes)
        count = len(self.attributes)
        self.validation = self.one_each("validation", validation)
        self.remaining = self.one_each("remaining", remaining)
        self.register_buffer("normals", torch.zeros(count, latent_dim))
        self.register_buffer("intercepts", torch.zeros(count))

    def forward(self, z: Tensor) -> Tensor:
        """Signed distance of latents to every boundary: [B, D] => [B, A]."""
        return z @ self.normals.T + self.intercepts

    def measured(self) -> dict[str, Any]:
        """Accuracies, where they are known."""
        figures = {"validation": self.validation, "remaining": self.remaining}
        return {key: dict(zip(self.attributes, values, strict=True)) for key, values in figures.items() if values}

    def normal(self, name: str, conditions: Sequence[str] = ()) -> Tensor:
        """The unit normal of an attribute, without what it shares with those of `conditions`, [D].

        The rest of a least-squares fit of it by the others, so that moving along it keeps every condition's distance.

        Raises:
            BadValueError: if nothing is left of it.
        """
        normal = self.normals[self.attributes.index(name)]
        if not conditions:
            return normal
        others = torch.stack([self.normals[self.attributes.index(other)] for other in conditions]).double()
        _, sizes, rows = torch.linalg.svd(others, full_matrices=False)
        basis = rows[sizes > _PARALLEL * sizes[0]]  # of what the conditions span; some may repeat others
        rest = normal.double()
        for _ in range(2):  # the second time takes out what rounding left
            rest = rest - (basis @ rest) @ basis
        if rest.norm() < _PARALLEL:
            raise BadValueError(
                f"nothing is left of the direction of {name!r} once {', '.join(conditions)} are held: hold fewer."
            )
        return (rest / rest.norm()).float()

    # -- the public tool's files ------------------------------------------------------------------------------------

    @classmethod
    def read_npy(
        cls, files: Mapping[str, str | Path], *, generator: str, predictor: Sequence[str], latent_space: str = "w"
    ) -> Self:
        """Boundaries from the public tool's files, each of shape (1, D); they hold no intercept.

        Args:
            files: attribute to file.
            generator: repo of the generator they were made for.
            predictor: repos of the heads of the predictor that will judge the edits.
            latent_space: "z" or "w".

        Raises:
            CorruptFileError: if a file is damaged, of another shape, or of length zero.
            BadValueError: if there is no file.
        """
        normals = [_one_normal(Path(path)) for path in files.values()]
        if not normals:
            raise BadValueError("no boundary was given: name at least one attribute and its .npy file.")
        if len({len(normal) for normal in normals}) > 1:
            sizes = ", ".join(f"{name} {len(normal)}" for name, normal in zip(files, normals, strict=True))
            raise CorruptFileError(f"these boundaries are of different latent spaces: {sizes} dimensions.")
        names = {"generator": generator, "predictor": predictor, "latent_space": latent_space}
        made = cls(latent_dim=len(normals[0]), attributes=list(files), **names)  # type: ignore[arg-type]
        made.normals.copy_(torch.stack(normals))
        return made.eval()

    def write_npy(self, folder: str | Path) -> None:
        """Write `<attribute>.npy` for each, as the public tool does: (1, D), float32, of unit length."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, normal in zip(self.attributes, self.normals, strict=True):
            np.save(Path(folder) / f"{name}.npy", normal[None].numpy())


def _one_normal(path: Path) -> Tensor:
    values = read_npy(path)
    if values.ndim != 2 or len(values) != 1 or values.shape[1] == 0:
        raise CorruptFileError(f"{path.name} has shape {list(values.shape)}; a boundary has [1, dimensions].")
    length = values.double().norm()
    if length == 0:
        raise CorruptFileError(f"{path.name} is zero everywhere: it points nowhere.")
    return (values[0].double() / length).float()


def fit_boundaries(pairs: Pairs, *, share: float = 0.02, seed: int = 0) -> Boundaries:
    """Fit a linear SVM for every attribute, as the public tool does.

    The samples with the highest and the lowest scores are the two classes; 70% of them train, the rest validates.
    `SVC(kernel="linear")` is the public tool's choice: scikit-learn's LinearSVC (squared hinge, penalised intercept)
    finds normals at cosines down to 0.8 of these.

    Args:
        pairs: latents and their conditions.
        share: of all samples, how many are taken as confident on either side.
        seed: of the split.
    """
    z, scores = pairs.z.double().numpy(), pairs.info.spec.scores(pairs.c)
    count = min(max(int(share * len(z)), 2), len(z) // 2)
    cut = int(0.7 * count)
    rng = torch.Generator().manual_seed(seed)
    normals: list[Tensor] = []
    intercepts: list[float] = []
    validation: list[float] = []
    remaining: list[float] = []
    for name, column in zip(pairs.info.spec.attributes, scores.unbind(1), strict=True):
        order = torch.argsort(column, stable=True)
        low, middle, high = order[:count], order[count:-count], order[-count:]
        if column[low].max() >= column[high].min():
            raise BadValueError(f"the pairs hold no contrast in {name!r}: sample more, or leave it out.")
        low, high = (side[torch.randperm(count, generator=rng)] for side in (low, high))
        train, held = torch.cat([low[:cut], high[:cut]]), torch.cat([low[cut:], high[cut:]])
        machine = sklearn("svm").SVC(kernel="linear").fit(z[train], np.repeat([0, 1], cut))
        length = np.linalg.norm(machine.coef_)
        normal, intercept = machine.coef_[0] / length, machine.intercept_[0] / length
        normals.append(torch.from_numpy(normal).float())
        intercepts.append(float(intercept))
        validation.append(_accuracy(z[held] @ normal + intercept, np.repeat([False, True], count - cut)))
        # the public tool's threshold for samples in between: half way from the lowest score to the highest
        above = (column[middle] >= (column.min() + column.max()) / 2).numpy()
        remaining.append(_accuracy(z[middle] @ normal + intercept, above))
    made = Boundaries(**described(pairs), validation=validation, remaining=remaining)
    made.normals.copy_(torch.stack(normals))
    made.intercepts.copy_(torch.tensor(intercepts))
    return made.eval()


def _accuracy(distances: np.ndarray, above: np.ndarray) -> float:
    """Share of samples on the right side; 1 for none."""
    return round(float(((distances > 0) == above).mean()), 4) if len(above) else 1.0
