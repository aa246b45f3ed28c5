"""Fixtures that several folders use. No test reaches the network unless it is marked `network`."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
os.environ.setdefault("GRADIO_SERVER_PORT", str(7860 + 100 * _WORKER))  # workers do not look for a port in one range

import pytest  # noqa: E402

import sgf_hub.hub.names  # noqa: E402
from sgf_hub.errors import UnknownNameError  # noqa: E402
from tests.toys import write_zoo  # noqa: E402


@pytest.fixture(scope="session")
def toy_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny repo of every kind; read only."""
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def zoo(toy_zoo: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(toy_zoo, tmp_path / "zoo"))


@pytest.fixture
def in_toy_zoo(toy_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy zoo in place of the embedded one."""
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: toy_zoo)
    return toy_zoo


@pytest.fixture
def in_zoo(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy in place of the embedded zoo."""
    monkeypatch.setattr(sgf_hub.hub.names, "root", lambda: zoo)
    return zoo


@pytest.fixture(scope="session")
def fetched_faces() -> dict[str, Path]:
    """The folders of what reads and draws faces, by name; fetched if need be, and if the registry can be reached."""
    found = {}
    for name in ("faces-dcgan", "faces-mesh", "faces-gender"):
        try:
            found[name] = sgf_hub.hub.names.locate(name, files=("config.json", "model.safetensors"))
        except UnknownNameError as error:
            pytest.skip(f"{name}: {error}")
    return found
