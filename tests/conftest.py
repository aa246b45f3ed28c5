"""Fixtures that several folders use. No test reaches the network unless it is marked `network`."""

import gc
import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when huggingface_hub is imported
gc.disable()  # until all is imported and collected: a fourth of that time went there
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
os.environ.setdefault("GRADIO_SERVER_PORT", str(7860 + 100 * _WORKER))  # workers do not look for a port in one range

import pytest  # noqa: E402

import sgf_hub.hub.names  # noqa: E402
from sgf_hub.errors import UnknownNameError  # noqa: E402
from tests.toys import write_zoo  # noqa: E402

BROWSER = "tests/browser"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is alone with it at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.nodeid.startswith(BROWSER), item.path not in slow))


def pytest_collection_finish() -> None:
    """What is there now stays: it need not be looked through for garbage again and again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core: the one with the browser waits for its pages, others for processes that they start."""
    return (os.cpu_count() or 1) * 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, the browser's files go to one worker: a second demo and browser take 20 s to open."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


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
