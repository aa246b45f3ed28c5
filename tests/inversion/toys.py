"""A toy encoder in a toy zoo."""

from pathlib import Path

import torch

from sgf_hub.inversion.encoder import LatentEncoder
from tests.toys import write_predictor


def toy_encoder(**changes: object) -> LatentEncoder:
    """An untrained encoder of the toy StyleGAN2."""
    sizes = {"latent_dim": 16, "layers": 8, "image_size": 32, "channels": (4, 6), "hidden": 12}
    names = {"generator": "toy-stylegan2", "backbone": "toy-backbone", "judge": "toy-judge-backbone"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LatentEncoder(**{**names, **sizes, **changes}).eval().requires_grad_(False)


def write_encoder(root: Path, **changes: object) -> Path:
    """`toy-stylegan2-encoder` and the judge's backbone beside the toy zoo's other repos."""
    write_predictor(root, name="toy-judge", seed=1)
    toy_encoder(**changes).save_pretrained(root / "toy-stylegan2-encoder")
    return root
