"""Checkpoints of rosinality's stylegan2-pytorch, and of the many projects that kept its layout (pSp, e4e, PTI).

Their keys are `style.1.weight`, `convs.0.conv.weight`, `to_rgbs.0.bias`.

Learning rates are equalised: a weight is multiplied by 1 / sqrt(fan-in), and by 0.01 more in the mapping network. The
mean w, where there is one, lies beside the weights as `latent_avg`, one row or one a layer.
"""

from torch import Tensor

from sgf_hub.generators.formats.checkpoint import (
    Checkpoint,
    Piece,
    check_filter,
    check_square,
    equalized,
    grey,
    highest,
    side,
)
from sgf_hub.generators.formats.state_dicts import StateDict
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2

FORMAT = "a rosinality StyleGAN2 checkpoint"
MAPPING_RATE = 0.01  # of learning, in the mapping network


def read(weights: StateDict, name: str) -> Checkpoint | None:
    """The generator of a state dict, or None if it is not of this format.

    Raises:
        UnsupportedError: for another resampling filter, or pictures that are not square.
        CorruptFileError: if something is missing.
    """
    tensors = dict(weights.tensors)
    styled = any(key.endswith(".conv.modulation.weight") for key in tensors)
    if not styled or not any(key.startswith("style.") for key in tensors):
        return None
    if "latent_avg" in weights.beside:
        tensors["latent_avg"] = weights.beside["latent_avg"]
    return _stylegan2(name, tensors, weights.notes)


def _stylegan2(name: str, tensors: dict[str, Tensor], notes: tuple[str, ...]) -> Checkpoint:
    above = highest(tensors, "to_rgbs.") + 1  # levels above 4 px
    if "input.input" in tensors:
        check_square(name, tensors["input.input"], above)
    latent_dim = side(name, tensors, "style.1.weight", 0, dims=2)
    layers = highest(tensors, "style.")  # style.0 is the norm of z
    # the stored noise is what makes synthesis deterministic; without it the original draws noise anew
    noise = any(key.startswith("noises.") for key in tensors)
    firsts = ["conv1", *(f"convs.{2 * i + 1}" for i in range(above))]
    channels = [side(name, tensors, f"{conv}.conv.weight", 1, dims=5) for conv in firsts]
    colours = side(name, tensors, "to_rgb1.conv.weight", 1, dims=5)

    def linear(ours: str, theirs: str, rate: float = 1.0) -> dict[str, Piece]:
        fan_in = side(name, tensors, f"{theirs}.weight", 1, dims=2)
        return {
            f"{ours}.weight": Piece(f"{theirs}.weight", equalized(fan_in, gain=rate)),
            f"{ours}.bias": Piece(f"{theirs}.bias", rate),
        }

    def modulated(ours: str, theirs: str) -> dict[str, Piece]:
        key = f"{theirs}.conv.weight"
        fan_in = side(name, tensors, key, 2, dims=5) * side(name, tensors, key, 4, dims=5) ** 2
        weight = {f"{ours}.weight": Piece(key, equalized(fan_in))}
        return weight | linear(f"{ours}.affine", f"{theirs}.conv.modulation")

    def styled(ours: str, theirs: str, number: int) -> dict[str, Piece]:
        pieces = modulated(ours, theirs) | {f"{ours}.bias": Piece(f"{theirs}.activate.bias")}
        if noise:
            pieces[f"{ours}.noise_const"] = Piece(f"noises.noise_{number}")
            pieces[f"{ours}.noise_strength"] = Piece(f"{theirs}.noise.weight")
        return pieces

    pieces = {"blocks.0.const": Piece("input.input")}
    if "latent_avg" in tensors:
        repeated = tensors["latent_avg"].shape == (2 * above + 2, latent_dim)  # once a layer
        pieces["w_avg"] = (
            Piece("latent_avg", shape=(2 * above + 2, latent_dim), arrange=lambda rows: rows[0])
            if repeated
            else Piece("latent_avg")
        )
    for i in range(layers):
        pieces |= linear(f"mapping.{i}", f"style.{i + 1}", MAPPING_RATE)
    for i in range(above + 1):
        if i > 0:
            pieces |= styled(f"blocks.{i}.conv0", f"convs.{2 * i - 2}", 2 * i - 1)
        pieces |= styled(f"blocks.{i}.conv1", f"convs.{2 * i - 1}" if i > 0 else "conv1", 2 * i)
        rgb = f"to_rgbs.{i - 1}" if i > 0 else "to_rgb1"
        pieces |= modulated(f"blocks.{i}.rgb", rgb)
        pieces[f"blocks.{i}.rgb.bias"] = Piece(f"{rgb}.bias")
        if colours == 1:
            for part in ("weight", "bias"):
                pieces[f"blocks.{i}.rgb.{part}"] = grey(tensors, pieces[f"blocks.{i}.rgb.{part}"])
    filters = [key for key in tensors if key.endswith((".blur.kernel", ".upsample.kernel"))]
    for key in filters:
        check_filter(name, FORMAT, tensors, key, gain=4.0)
    unused = () if noise else [key for key in tensors if key.endswith(".noise.weight")]
    if "latent_avg" not in tensors:
        notes += ("the mean w is that of 10,000 draws: the file holds none",)
    if not noise:
        notes += ("without noise: the file holds none, and the original draws it anew for every picture",)
    return Checkpoint(
        name=name,
        format=FORMAT,
        kind=StyleGAN2,
        config={
            "resolution": 4 << above,
            "latent_dim": latent_dim,
            "mapping_layers": layers,
            "channels": channels,
            "noise": noise,
            "image_channels": 3 if colours == 1 else colours,
        },
        pieces=pieces,
        tensors=tensors,
        spare=frozenset([*filters, *unused]),
        notes=notes,
    )
