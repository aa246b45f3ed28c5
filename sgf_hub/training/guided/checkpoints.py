"""The checkpoint of a guided training: whole, or small enough to be carried to another machine."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.training.checkpoint import save_checkpoint
from sgf_hub.training.guided.training import GuidedTraining

# what a checkpoint of other networks differs in
_SIZES = ("world", "architecture", "resolution", "latent_dim", "channels", "encoder_channels", "encoder_hidden",
          "guide", "components", "critic_pixels", "critic_widths")  # fmt: skip


def save(training: GuidedTraining, path: Path, *, small: bool = False) -> None:
    """Write everything that continuing needs; a kill in the middle leaves the older file.

    Args:
        training: what is saved.
        path: the file.
        small: without the optimisers' memory and in half precision: a quarter of the size, for a machine from
            which little can be brought back. Training goes on from it all the same.
    """
    state: dict[str, Any] = {
        "config": dataclasses.asdict(training.config),
        "generator": training.generator.state_dict(),
        "encoder": training.encoder.state_dict(),
        "critic": training.critic.state_dict(),
        "averages": training.averages.state_dict(),
        **{name: getattr(training, name) for name in ("shown", "encoded", "judged", "seconds")},
    }
    if small:
        state |= {name: _halved(state[name]) for name in ("generator", "encoder", "critic", "averages")}
    else:
        state["optimizers"] = {name: one.state_dict() for name, one in training.optimizers.items()}
        state["rng"] = training.rng.get_state()
    save_checkpoint(path, state)


def resume(training: GuidedTraining, path: Path) -> None:
    """Continue from a checkpoint, if there is one.

    Args:
        training: of the same sizes.
        path: the file.

    Raises:
        BadValueError: if it is of another recipe, world or size.
        CorruptFileError: if it cannot be read.
    """
    if not path.exists():
        return
    try:
        held = torch.load(path, map_location=training.device, weights_only=True)
        config = held["config"]
        if "encoder" not in held:
            raise BadValueError(f"{path} is of another recipe, not 'guided': choose another --runs folder.")
        ours = json.loads(json.dumps(dataclasses.asdict(training.config)))
        for key in _SIZES:
            theirs = json.loads(json.dumps(config.get(key)))
            if theirs != ours[key]:
                raise BadValueError(
                    f"{path} is of a training with {key} {theirs}, not {ours[key]}: choose another --runs folder."
                )
        for name in ("generator", "encoder", "critic", "averages"):
            getattr(training, name).load_state_dict({key: value.float() for key, value in held[name].items()})
        for name, state in held.get("optimizers", {}).items():
            _restore(training.optimizers[name], state, training.device)
        training.shown, training.encoded, training.judged = (int(held[name]) for name in ("shown", "encoded", "judged"))
        training.seconds = float(held["seconds"])
    except BadValueError:
        raise
    except Exception as error:  # whatever torch.load or a foreign file brings up
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CorruptFileError(f"{path} cannot be read ({reason[:200]}): delete it to start over.") from None
    training.fitted = 0  # the covariance is fitted again at once
    if "rng" in held and training.device == "cpu" and held["rng"].numel() == training.rng.get_state().numel():
        training.rng.set_state(held["rng"].cpu())
    else:  # of another device: other pictures than before, the same from here on
        training.rng.manual_seed(training.config.seed + 1 + training.shown)


def _restore(optimizer: torch.optim.Optimizer, state: dict[str, Any], device: str) -> None:
    """A state of an optimiser, from whichever device, under the present rates."""
    rates = [(group["lr"], group["peak"], group["capturable"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, (rate, peak, capturable) in zip(optimizer.param_groups, rates, strict=True):
        group["lr"], group["peak"], group["capturable"] = rate, peak, capturable
    for one in optimizer.state.values():
        one["step"] = one["step"].to(device if device == "cuda" else "cpu")


def _halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
