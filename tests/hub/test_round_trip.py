"""As a user does it, with the real zoo: push everything, have no zoo, and edit from the Hub."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sgf_hub.hub.names import root
from tests.hub.client import ANN
from tests.hub.loopback import Hub, serve
from tests.hub.storage import SETTINGS

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture
def user(tmp_path: Path):
    """(the Hub, a function that runs a command as ann, by default in the checkout)."""
    with serve() as hub:
        settings = {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": ANN,
            "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0", "OMP_NUM_THREADS": "1",
            **SETTINGS,
        }  # fmt: skip

        def run(*command: str, at: Path = HERE) -> subprocess.CompletedProcess:
            environment = {**os.environ, **settings, "PYTHONPATH": str(at)}
            return subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=240)

        yield hub, run


def sgf_hub(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "from sgf_hub.cli.main import main; main()", *arguments)


@pytest.mark.slow
def test_the_demo_runs_from_the_hub(user: tuple[Hub, Callable], tmp_path: Path) -> None:
    hub, run = user
    pushed = run(*sgf_hub("push", "--all"))
    assert pushed.returncode == 0, pushed.stderr
    told = json.loads(pushed.stdout)
    assert len(told["pushed"]) == len(hub.repos) == len(list(root().glob("*/config.json")))
    assert hub.count("POST", "/storage/v1/shards") and not hub.count("PUT", "/lfs/")
    assert len(hub.collections[told["collection"]]["items"]) == len(told["pushed"])

    bare = tmp_path / "bare"
    for folder in ("app", "sgf_hub"):
        shutil.copytree(HERE / folder, bare / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(HERE / "tests" / "hub", bare / "tests" / "hub", ignore=shutil.ignore_patterns("__pycache__"))
    edited = run(sys.executable, "-m", "tests.hub.round_trip", at=bare)
    assert edited.returncode == 0, edited.stderr
    assert hub.count("GET", "/storage/data/")
    told = json.loads(edited.stdout.splitlines()[-1])
    assert told["name"] == "glasses" and told["before"] < 0.1 < 0.9 < told["after"]
    assert told["reason"] == "StopReason.TARGET_REACHED" and told["steps"] > 0
    assert "models--sgf-hub--sgf-avatars-attributes" in told["from"]
    print(json.dumps(told))
