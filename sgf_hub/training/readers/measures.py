"""Fit what is measured of faces: where the middle of each quantity lies, and how far it varies."""

import json
import time
from pathlib import Path
from typing import Any

import torch

from sgf_hub.hub.names import NAMESPACE
from sgf_hub.predictors.faces.heads import MEASURES, FaceMeasures
from sgf_hub.predictors.faces.mesh import FaceMesh
from sgf_hub.training.readers.supervised import REPORT
from sgf_hub.types import Generator, Latent

_BATCH = 32
_MESH = f"{NAMESPACE}/faces-mesh"


def train_measures(generator: Generator, folder: Path, *, count: int, seed: int, command: str = "") -> dict[str, Any]:
    """Measure a generator's pictures, fit a `FaceMeasures` to them, and save it.

    Args:
        generator: of faces.
        folder: receives the repo.
        count: pictures; those in which the mesh finds no face are left out.
        seed: of them.
        command: what the user typed, for the report.

    Returns:
        The report that is written beside the weights.
    """
    start, mesh = time.monotonic(), FaceMesh.from_pretrained(_MESH)
    measures = FaceMeasures(backbone=_MESH, attributes=list(MEASURES))
    latents, parts = generator.sample(count, seed=seed), []
    with torch.inference_mode():
        for first in range(0, count, _BATCH):
            some = Latent(latents.data[first : first + _BATCH], latents.space)
            reading = mesh(generator.synthesize(some))
            parts.append(measures.quantities(reading)[reading.found])
    quantities = torch.cat(parts)
    measures.fit(quantities)
    measures.save_pretrained(folder)
    report = {
        "command": command,
        "pictures": count,
        "faces": len(quantities),
        "seed": seed,
        "seconds": round(time.monotonic() - start),
        "middle": dict(zip(MEASURES, measures.center.tolist(), strict=True)),
        "deviation": dict(zip(MEASURES, measures.scale.tolist(), strict=True)),
    }
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return report
