"""A toy zoo: the demo's repos with the names and shapes of the embedded zoo's, tiny and untrained."""

import json
from pathlib import Path

import pytest
import torch

import sgf_hub.hub.names
from app.server.gradio_private import import_gradio

import_gradio()  # in half of the time

from app.core.heads import DRAWN, RENDERED  # noqa: E402
from app.core.model_sets import Faces, Flowers, RenderedFaces  # noqa: E402
from app.core.stopping import Stops  # noqa: E402
from app.models.services import Models  # noqa: E402
from app.panels.faces import FacePanel  # noqa: E402
from app.panels.flowers import FlowerPanel  # noqa: E402
from app.server.page import build_page  # noqa: E402
from sgf_hub.baselines import Boundaries, Choice, Components  # noqa: E402
from sgf_hub.generators.dcgan import DCGAN  # noqa: E402
from sgf_hub.generators.stylegan.stylegan2 import StyleGAN2  # noqa: E402
from sgf_hub.mapping import SGFMapping  # noqa: E402
from sgf_hub.predictors import AttributeHead, KeypointHead, load_backbone  # noqa: E402
from sgf_hub.predictors.backbone import build_network  # noqa: E402
from tests.app.usual import usual_face  # noqa: E402

ATTRIBUTES, KEYPOINTS = list(Faces().reads), list(DRAWN.depths)
HAIR = [["black_hair", "brown_hair", "blond_hair", "gray_hair"]]
RENDERED_ATTRIBUTES, RENDERED_KEYPOINTS = list(RenderedFaces().reads), list(RENDERED.depths)
RENDERED_HAIR = [["dark_hair", "fair_hair", "red_hair", "bald"]]


def _write_zoo(root: Path) -> None:
    torch.manual_seed(0)
    for name in ("avatars-stylegan2", "flowers-stylegan2"):
        StyleGAN2(resolution=16, latent_dim=8, mapping_layers=2, channels=(8, 8, 8)).save_pretrained(root / name)
    backbone = root / "avatars-backbone"
    config = {
        "model_type": "resnet", "image_size": 16, "num_channels": 3, "embedding_size": 4, "hidden_sizes": [4, 8],
        "depths": [1, 1], "layer_type": "basic", "out_features": ["stage2"],
    }  # fmt: skip
    build_network(config).save_pretrained(backbone)
    saved = json.loads((backbone / "config.json").read_text())
    (backbone / "config.json").write_text(json.dumps({**saved, "image_size": 16}))
    loaded = load_backbone(backbone)
    shape = {"channels": loaded.channels, "side": loaded.side, "squeeze": 4, "hidden": 8, "backbone": backbone.name}
    attributes = AttributeHead(attributes=ATTRIBUTES, groups=HAIR, **shape)
    attributes.output.weight.data.mul_(8)  # probabilities that differ between faces
    attributes.save_pretrained(root / "avatars-attributes")
    keypoints = KeypointHead(keypoints=KEYPOINTS, **shape)
    keypoints.output.weight.data.mul_(0.2)
    keypoints.save_pretrained(root / "avatars-keypoints")
    heads = ["avatars-attributes", "avatars-keypoints"]
    for name, used, points in (("sgf-avatars-attributes", heads[:1], []), ("sgf-avatars-keypoints", heads, KEYPOINTS)):
        SGFMapping(
            generator="avatars-stylegan2", predictor=used, latent_dim=8, layers=2, embedding=8,
            attributes=ATTRIBUTES, keypoints=points, groups=HAIR,
        ).save_pretrained(root / name)  # fmt: skip


def _write_rendered(root: Path) -> None:
    """The rendered faces' entries, without a registry: heads of our own in place of those on the mesh."""
    torch.manual_seed(2)
    rendered = RenderedFaces()
    DCGAN(resolution=16, latent_dim=6, channels=(8, 8)).save_pretrained(root / rendered.generator)
    backbone = load_backbone(root / "avatars-backbone")
    shape = {
        "channels": backbone.channels,
        "side": backbone.side,
        "squeeze": 4,
        "hidden": 8,
        "backbone": "avatars-backbone",
    }
    looks, measures = RENDERED_ATTRIBUTES[:13], RENDERED_ATTRIBUTES[13:]
    AttributeHead(attributes=looks, groups=RENDERED_HAIR, **shape).save_pretrained(root / rendered.heads[0])
    AttributeHead(attributes=measures, **shape).save_pretrained(root / rendered.heads[1])
    keypoints = KeypointHead(keypoints=RENDERED_KEYPOINTS, **shape)
    keypoints.output.weight.data.mul_(0.05)
    keypoints.mean.copy_(torch.tensor([usual_face()[name] for name in RENDERED_KEYPOINTS]))
    keypoints.save_pretrained(root / rendered.heads[2])
    for name, heads, points in (
        (rendered.attributes, rendered.heads[:2], []),
        (rendered.keypoints, rendered.heads, RENDERED_KEYPOINTS),
    ):
        mapping = SGFMapping(
            generator=rendered.generator, predictor=list(heads), latent_dim=6, latent_space="z", layers=2, embedding=8,
            attributes=RENDERED_ATTRIBUTES, keypoints=points, groups=RENDERED_HAIR, latent_statistics=True,
        )  # fmt: skip
        mapping.z_radii.copy_(torch.tensor([2.31, 3.55, 4.10]))  # of N(0, I) in six dimensions
        mapping.save_pretrained(root / name)


def _write_baselines(root: Path) -> None:
    """InterFaceGAN and GANSpace as their fits would leave them, in random directions."""
    names = {"generator": "sgf-hub/avatars-stylegan2", "predictor": ["sgf-hub/avatars-attributes"], "latent_dim": 8}
    random = torch.Generator().manual_seed(1)
    boundaries = Boundaries(attributes=ATTRIBUTES, **names)
    normals = torch.randn(boundaries.normals.shape, generator=random)
    boundaries.normals.copy_(normals / normals.norm(dim=1, keepdim=True))
    boundaries.save_pretrained(root / "avatars-stylegan2-interfacegan")
    components = Components(components=6, features=8, **names)
    components.lat_comp.copy_(torch.eye(8)[:6])
    components.lat_stdev.fill_(0.5)
    choices = {name: Choice(i % 6, (0, 4) if i % 2 else (0, 6), 1) for i, name in enumerate(ATTRIBUTES)}
    components.with_choices(choices).save_pretrained(root / "avatars-stylegan2-ganspace")


@pytest.fixture(scope="session")
def toy_zoo(tmp_path_factory):
    """The toy zoo's folder."""
    root = tmp_path_factory.mktemp("zoo")
    _write_zoo(root)
    _write_baselines(root)
    _write_rendered(root)
    return root


@pytest.fixture
def zoo(toy_zoo, monkeypatch):
    """Names resolve in the toy zoo, for one test."""
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: toy_zoo)
    return toy_zoo


@pytest.fixture(scope="session")
def models():
    """Loaded once for all tests, from the toy zoo."""
    return Models()


@pytest.fixture(scope="session")
def built(models):
    """The panels of a page that is built, and not served."""
    faces, flowers = FacePanel(Faces(), models, Stops()), FlowerPanel(Flowers(), Models(), Stops())
    build_page(faces, flowers)
    return faces, flowers


@pytest.fixture
def panel(built, zoo):
    """The faces' panel."""
    built[0].stops = Stops()
    return built[0]


@pytest.fixture
def flowers(built, zoo):
    """The flowers' panel, with nothing loaded."""
    built[1].models, built[1].stops = Models(), Stops()
    return built[1]
