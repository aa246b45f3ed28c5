"""`ResNet`: transformers' `ResNetBackbone` of basic layers (He et al., 2016), for reading what that has written.

Importing transformers' own takes 3 s, more than anything else between the demo's start and its first picture. Names of
weights and results are the same; what is not of the plain kind that our trainings write, transformers reads.
"""

from collections import OrderedDict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

_SIZES = ("image_size", "embedding_size", "hidden_sizes", "depths")
_THEIR_OWN = (*_SIZES, "dtype", "transformers_version")  # of a config; the rest is the same in all


class Maps(NamedTuple):
    """What a backbone of transformers gives: the last stage's map; and if asked, the stem's and every stage's."""

    feature_maps: tuple[Tensor, ...]
    hidden_states: tuple[Tensor, ...]


class ResNet(nn.Module):
    """Images [B, 3, R, R] to feature maps, called as transformers' backbones are.

    Args:
        image_size: side in pixels of the pictures it reads.
        embedding_size: channels of the stem.
        hidden_sizes: channels of each stage.
        depths: layers of each stage.
    """

    def __init__(
        self, *, image_size: int, embedding_size: int, hidden_sizes: Sequence[int], depths: Sequence[int]
    ) -> None:
        super().__init__()
        self.config = SimpleNamespace(image_size=image_size)
        self.embedder = nn.Sequential(
            OrderedDict(embedder=_convolution(3, embedding_size, 7, 2, active=True), pooler=nn.MaxPool2d(3, 2, 1))
        )
        widths = [embedding_size, *hidden_sizes]
        stages = []
        for i, depth in enumerate(depths):
            first = _Layer(widths[i], widths[i + 1], stride=1 if i == 0 else 2)
            others = (_Layer(widths[i + 1], widths[i + 1], stride=1) for _ in range(depth - 1))
            stages.append(nn.ModuleDict({"layers": nn.Sequential(first, *others)}))
        self.encoder = nn.ModuleDict({"stages": nn.ModuleList(stages)})

    def forward(self, images: Tensor, *, output_hidden_states: bool = False) -> Maps:
        """[B, 3, R, R] => [B, F, S, S] of the last stage; S is R / 4 in the first, and halves from stage to stage."""
        maps = self.embedder(images)
        seen = [maps] if output_hidden_states else []
        for stage in self.encoder["stages"]:  # type: ignore[attr-defined]
            maps = stage["layers"](maps)
            if output_hidden_states:
                seen.append(maps)
        return Maps((maps,), tuple(seen))


class _Layer(nn.Module):
    """Two 3 x 3 convolutions, and what came in added."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(before, after, 1, stride, active=False)
        self.layer = nn.Sequential(
            _convolution(before, after, 3, stride, active=True), _convolution(after, after, 3, 1, active=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        changed = self.layer(maps)
        changed += self.shortcut(maps)
        return functional.relu(changed)


def _convolution(before: int, after: int, size: int, stride: int, *, active: bool) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        convolution=nn.Conv2d(before, after, size, stride, size // 2, bias=False), normalization=nn.BatchNorm2d(after)
    )
    if active:
        parts["activation"] = nn.ReLU()
    return nn.Sequential(parts)


def plain_resnet(config: dict[str, Any]) -> ResNet | None:
    """The network of a config.json as transformers 5 writes it for our trainings; None for any other config.

    Args:
        config: content of a config.json whose sizes are in range (`backbone.check_sizes`).
    """
    depths, embedding = config["depths"], config.get("embedding_size")
    if len(depths) != len(config["hidden_sizes"]) or type(embedding) is not int or not 1 <= embedding <= 8192:
        return None
    if not str(config.get("transformers_version")).startswith("5."):
        return None
    if {key: config[key] for key in config if key not in _THEIR_OWN} != _usual(len(depths)):
        return None
    return ResNet(**{name: config[name] for name in _SIZES})


def _usual(stages: int) -> dict[str, Any]:
    """What transformers writes beside the sizes."""
    names = ["stem", *(f"stage{i}" for i in range(1, stages + 1))]
    return {
        "architectures": ["ResNetBackbone"], "downsample_in_bottleneck": False, "downsample_in_first_stage": False,
        "hidden_act": "relu", "layer_type": "basic", "model_type": "resnet", "num_channels": 3,
        "out_features": names[-1:], "out_indices": [stages], "stage_names": names,
    }  # fmt: skip
