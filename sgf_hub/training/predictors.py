"""Train a predictor: a backbone with an attribute head and a keypoint head, on drawn faces with exact labels.

Two presets. "avatars" is the predictor that mappings are trained with and edits are steered by. "avatars-judge" has
another shape, other seeds and other faces, and only ever measures: an edit that fools the predictor should not fool it.
"""

import copy
import json
import math
import pickle
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.hub import WEIGHTS
from sgf_hub.predictors import AttributeHead, Backbone, KeypointHead, load_predictor
from sgf_hub.predictors.backbone import build_network, fingerprint
from sgf_hub.training.checkpoint import save_checkpoint
from sgf_hub.training.faces import augment, drawn_faces, evaluate
from sgf_hub.zoo import NAMESPACE

REPORT = "training.json"  # beside the weights: how they were made, and what they measure
_HELD_OUT_SEED = 900_000_000  # no preset draws its training faces from here on
_SAVE_EVERY, _REPORT_EVERY = 60.0, 10.0  # seconds
_PROBE = 1024  # held-out faces looked at while training


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Everything that decides what a training run gives.

    Args:
        name: of the preset, and the prefix of its repos: `{name}-backbone`, `{name}-attributes`, `{name}-keypoints`.
        image_size: side in pixels of what the network reads.
        embedding_size: channels of the ResNet's stem.
        hidden_sizes: channels of each stage.
        depths: residual blocks of each stage.
        squeeze: channels of each head's 1x1 convolution.
        hidden: width of each head's hidden layer.
        resolution: side in pixels of the drawn faces.
        faces: how many are drawn to train on.
        held_out: how many more are drawn to measure on.
        images: how many are seen in all, repeats counted.
        batch: faces a step.
        learning_rate: at its peak.
        weight_decay: of AdamW, on matrices and kernels.
        seed: of weights, order and augmentation.
        data_seed: of the drawn faces.
        bf16: whether convolutions run in bfloat16.
    """

    name: str
    image_size: int
    embedding_size: int
    hidden_sizes: tuple[int, ...]
    depths: tuple[int, ...]
    squeeze: int = 32
    hidden: int = 128
    resolution: int = 64
    faces: int = 40_000
    held_out: int = 4_000
    images: int = 140_000
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    seed: int = 0
    data_seed: int = 1_000
    bf16: bool = True

    def __post_init__(self) -> None:
        if min(self.faces, self.held_out, self.images, self.batch) < 2 or self.batch > self.faces:
            raise BadValueError("faces, held_out, images and batch are at least 2, and batch is at most faces.")

    @property
    def backbone(self) -> dict[str, Any]:
        """The backbone's config, as transformers reads it."""
        return {
            "model_type": "resnet",
            "image_size": self.image_size,
            "layer_type": "basic",
            "embedding_size": self.embedding_size,
            "hidden_sizes": list(self.hidden_sizes),
            "depths": list(self.depths),
        }

    def repo(self, part: str) -> str:
        """The folder's name of "backbone", "attributes" or "keypoints"."""
        return f"{self.name}-{part}"


PRESETS: dict[str, PredictorConfig] = {
    preset.name: preset
    for preset in (
        PredictorConfig(name="avatars", image_size=96, embedding_size=32, hidden_sizes=(32, 64, 128), depths=(1, 2, 2)),
        PredictorConfig(
            name="avatars-judge",
            image_size=64,
            embedding_size=64,
            hidden_sizes=(64, 128),
            depths=(2, 2),
            squeeze=24,
            hidden=160,
            seed=7,
            data_seed=500_000,
        ),
    )
}


class _Losses(NamedTuple):
    """What one batch gives: the sum to descend, and how the three parts stand."""

    total: Tensor
    attribute_loss: Tensor  # mean binary cross-entropy
    keypoint_error: Tensor  # mean Euclidean distance, share of the side
    cause_loss: Tensor  # mean squared error


class _Learner(nn.Module):
    """Backbone, both heads, and the regression of the continuous causes, which is used in training only.

    A label says "smile" or not; the cause says how wide. The second is found sooner, and finds the feature for both.
    """

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        from sgf_hub.datasets.avatars import ATTRIBUTES, CAUSES, EXCLUSIVE, KEYPOINTS

        self.backbone = Backbone(build_network(config.backbone))
        sizes: dict[str, Any] = {
            "backbone": f"{NAMESPACE}/{config.repo('backbone')}",
            "channels": self.backbone.channels,
            "side": self.backbone.side,
            "squeeze": config.squeeze,
            "hidden": config.hidden,
        }
        groups = [list(group) for group in EXCLUSIVE]
        self.attributes = AttributeHead(attributes=list(ATTRIBUTES), groups=groups, **sizes)
        self.keypoints = KeypointHead(keypoints=list(KEYPOINTS), **sizes)
        self.causes = nn.Linear(config.hidden, len(CAUSES))
        nn.init.normal_(self.keypoints.output.weight, std=1e-3)  # begin at the average face
        nn.init.zeros_(self.keypoints.output.bias)

    def losses(self, images: Tensor, attributes: Tensor, causes: Tensor, keypoints: Tensor, *, bf16: bool) -> _Losses:
        """All losses of one batch."""
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            features = self.backbone(images)
            hidden = self.attributes.trunk(features)
            offsets = self.keypoints.trunk(features)
        # the last layers in float32: a keypoint is wanted to a thousandth, bfloat16 has three digits
        logits, amounts = self.attributes.output(hidden.float()), self.causes(hidden.float())
        points = self.keypoints.points(offsets.float())  # [B, K, 2]
        attribute_loss = functional.binary_cross_entropy_with_logits(logits, attributes)
        cause_loss = functional.mse_loss(amounts, causes)
        keypoint_loss = functional.smooth_l1_loss(points, keypoints, beta=0.005)
        error = (points - keypoints).detach().norm(dim=-1).mean()
        # weights that bring the three to about the same size halfway through the training
        total = 4 * attribute_loss + cause_loss + 30 * keypoint_loss
        return _Losses(total, attribute_loss.detach(), error, cause_loss.detach())

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, R, R] => c: [B, A + 2 K], as the finished predictor gives it."""
        features = self.backbone(images)
        return torch.cat([self.attributes(features), self.keypoints(features)], dim=1)


def train_predictor(config: PredictorConfig, *, out: Path, run: Path, command: str = "") -> Iterator[dict[str, Any]]:
    """Train, save and measure one predictor; called again after a kill, it goes on where the last checkpoint is.

    Args:
        config: a preset, or one of your own.
        out: the zoo folder that receives the three repos.
        run: folder of the drawn faces, the checkpoint and `log.jsonl`; it may be deleted afterwards.
        command: what the user typed, for the report.

    Yields:
        Log records: `event` is "drawn", "progress" (every 10 s), "checkpoint" (every minute, with held-out numbers)
        or "done" (with the report that is written beside the weights).

    Raises:
        BadValueError: if `run` holds a checkpoint of another config.
        CorruptFileError: if the checkpoint cannot be read.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        for record in _train(config, out, run, command):
            log.write(json.dumps(record) + "\n")
            log.flush()
            yield record


def _train(config: PredictorConfig, out: Path, run: Path, command: str) -> Iterator[dict[str, Any]]:
    clock = time.monotonic()
    held_out = drawn_faces(run, config.held_out, seed=_HELD_OUT_SEED, resolution=config.resolution)
    faces = drawn_faces(run, config.faces, seed=config.data_seed, resolution=config.resolution)
    yield {"event": "drawn", "faces": len(faces), "held_out": len(held_out), "seconds": time.monotonic() - clock}

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # transformers draws weights from the global generator, restored afterwards
        learner = _Learner(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner.keypoints.mean.copy_(torch.from_numpy(faces.keypoints.mean(0)))
    optimizer = torch.optim.AdamW(_decayed(learner, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99))
    step, spent = _resume(run / "checkpoint.pt", config, learner, optimizer)
    steps = math.ceil(config.images / config.batch)
    clock = reported = saved = time.monotonic()
    recent: list[_Losses] = []
    while step < steps:
        learner.train()
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step / steps)
        # order and augmentation are a function of (seed, step) alone, so a resumed run sees what an unbroken one would
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
        images, attributes, causes, keypoints = faces.batch(_rows(config, step))
        images, keypoints = augment(images, keypoints, generator=generator)
        losses = learner.losses(images, attributes, causes, keypoints, bf16=config.bf16)
        optimizer.zero_grad(set_to_none=True)
        losses.total.backward()
        nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimizer.step()
        step += 1
        recent.append(losses._replace(total=losses.total.detach()))  # lets go of the graph
        now = time.monotonic()
        record: dict[str, Any] = {"step": step, "of": steps, "seconds": round(spent + now - clock, 1)}
        if now - saved > _SAVE_EVERY or step == steps:
            _save_checkpoint(run / "checkpoint.pt", config, learner, optimizer, step, spent + now - clock)
            probe = evaluate(learner.eval(), held_out, most=_PROBE)
            yield {"event": "checkpoint", **record, **{key: probe[key] for key in ("accuracy", "keypoint_error")}}
            saved = time.monotonic()
        if now - reported > _REPORT_EVERY:
            means = {key: float(torch.stack([getattr(one, key) for one in recent]).mean()) for key in _Losses._fields}
            yield {"event": "progress", **record, **means}
            recent, reported = [], now
    seconds = spent + time.monotonic() - clock

    _save_repos(config, learner, out)
    metrics = evaluate(load_predictor([str(out / config.repo(part)) for part in ("attributes", "keypoints")]), held_out)
    report = {
        "command": command,
        "config": asdict(config),
        "images_seen": steps * config.batch,
        "seconds": round(seconds),
        "machine": f"{torch.get_num_threads()} threads, {platform.machine()}",
        "torch": str(torch.__version__),
        "held_out": metrics,
    }
    for part in ("backbone", "attributes", "keypoints"):
        (out / config.repo(part) / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    yield {"event": "done", **report}


def _decayed(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Parameter groups: kernels and matrices decay, biases and normalisations do not."""
    kernels = [p for p in module.parameters() if p.ndim > 1]
    return [
        {"params": kernels, "weight_decay": decay},
        {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _schedule(progress: float, warmup: float = 0.05) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to zero."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _rows(config: PredictorConfig, step: int) -> np.ndarray:
    """The faces of a step: each epoch is a new permutation, of which the last incomplete batch is left out."""
    per_epoch = config.faces // config.batch
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng((config.seed, epoch)).permutation(config.faces)
    return np.sort(order[place * config.batch : (place + 1) * config.batch])


def _identity(config: PredictorConfig) -> str:
    return json.dumps(asdict(config), sort_keys=True)


def _save_checkpoint(
    path: Path, config: PredictorConfig, learner: nn.Module, optimizer: torch.optim.Optimizer, step: int, spent: float
) -> None:
    state = {"model": learner.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seconds": spent}
    save_checkpoint(path, {"config": _identity(config), **state})


def _resume(
    path: Path, config: PredictorConfig, learner: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps done and seconds spent so far, with the state restored; (0, 0) for a new run."""
    if not path.is_file():
        return 0, 0.0
    try:
        state = torch.load(path, weights_only=True)
        same = state["config"] == _identity(config)
        if same:
            learner.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return int(state["step"]), float(state["seconds"])
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise CorruptFileError(f"{path} cannot be read ({error}): delete it to start over.") from None
    raise BadValueError(f"{path} is of a run with other settings: delete it to start over, or give another run folder.")


def _save_repos(config: PredictorConfig, learner: _Learner, out: Path) -> None:
    """Write the three repos: the backbone in transformers' own format, the heads as ours."""
    folder = out / config.repo("backbone")
    copy.deepcopy(learner.backbone.network).half().save_pretrained(folder)  # type: ignore[operator]
    mark = fingerprint(folder / WEIGHTS)
    for part, head in (("attributes", learner.attributes), ("keypoints", learner.keypoints)):
        head.save_pretrained(out / config.repo(part), config={**head.config(), "fingerprint": mark})


__all__ = ["PRESETS", "PredictorConfig", "train_predictor"]
