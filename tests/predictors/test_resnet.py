"""Our ResNet and transformers' own: the same networks, and which configs are whose."""

from pathlib import Path

import pytest
import torch

from sgf_hub.hub.names import root
from sgf_hub.predictors import load_backbone
from sgf_hub.predictors.backbone import build_network
from sgf_hub.predictors.resnet import ResNet, plain_resnet
from sgf_hub.validation import read_json
from tests.toys import CONFIG, edit_config, write_predictor

DEEP = {"embedding_size": 6, "hidden_sizes": [6, 8, 10], "depths": [1, 3, 2]}


@pytest.mark.parametrize("sizes", [{}, DEEP])
def test_it_is_the_network_of_transformers(sizes: dict) -> None:
    config = {**CONFIG, **sizes}
    theirs = build_network(config).eval()
    ours = ResNet(**{key: config[key] for key in ("image_size", "embedding_size", "hidden_sizes", "depths")}).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(2, 3, 50, 50)
    expected, found = (network(images, output_hidden_states=True) for network in (theirs, ours))
    torch.testing.assert_close(found.feature_maps, tuple(expected.feature_maps))
    torch.testing.assert_close(found.hidden_states, tuple(expected.hidden_states))
    assert ours(images).hidden_states == ()


def test_it_reads_what_our_trainings_write(toy_zoo: Path) -> None:
    folders = [toy_zoo / "toy-backbone", *root().glob("*-backbone")]
    assert len(folders) > 2
    for folder in folders:
        assert isinstance(plain_resnet(read_json(folder / "config.json")), ResNet)


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_type": "bottleneck"},
        {"hidden_act": "gelu"},
        {"downsample_in_first_stage": True},
        {"out_features": ["stage1"]},
        {"num_channels": 1},
        {"embedding_size": 0},
        {"embedding_size": 10**30},
        {"embedding_size": "4"},
        {"depths": [1]},
        {"transformers_version": "6.0.0"},
        {"transformers_version": None},
        {"dropout": 0.1},
    ],
)
def test_other_configs_are_left_to_transformers(toy_zoo: Path, changes: dict) -> None:
    assert plain_resnet({**read_json(toy_zoo / "toy-backbone" / "config.json"), **changes}) is None


def test_what_transformers_reads_is_a_backbone_too(tmp_path: Path) -> None:
    config = {"layer_type": "bottleneck", "embedding_size": 4, "hidden_sizes": [8, 12]}
    folder = write_predictor(tmp_path, **config) / "toy-backbone"
    backbone = load_backbone(folder)
    assert not isinstance(backbone.network, ResNet) and backbone(torch.zeros(1, 3, 32, 32)).shape[1] == 12


def test_a_config_of_another_network_is_told(zoo: Path) -> None:
    from sgf_hub.errors import CorruptFileError

    edit_config(zoo / "toy-backbone", embedding_size=10**30)
    with pytest.raises(CorruptFileError, match="not usable as a backbone"):
        load_backbone(zoo / "toy-backbone")
