"""The zoo made by its command, at toy size, in a checkout of its own: real commands, nothing of it in place."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sgf_hub.hub.names import root

pytestmark = pytest.mark.slow

GIVEN = (
    "avatars-stylegan2",
    "avatars-backbone",
    "avatars-attributes",
    "avatars-judge-backbone",
    "avatars-guide-backbone",
)
TABLE = """
- writes: [avatars-progan]
  from: [avatars-guide-backbone]
  run: [sgf-hub train gan avatars --architecture progan --preset toy]
  minutes: 1
- writes: [runs/pairs-avatars]
  from: [avatars-stylegan2, avatars-backbone, avatars-attributes]
  run: [sgf-hub sample-pairs --out runs/pairs-avatars --predictor sgf-hub/avatars-attributes --count 120]
  minutes: 1
- writes: [sgf-avatars-attributes]
  from: [runs/pairs-avatars, avatars-stylegan2, avatars-backbone, avatars-attributes]
  run:
    - >-
      sgf-hub train mapping sgf-avatars-attributes --pairs runs/pairs-avatars --condition attributes --iterations 100
  minutes: 1
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and the networks that nothing here is made from."""
    folder = tmp_path_factory.mktemp("checkout")
    package = Path(sys.modules["sgf_hub"].__file__ or "").parent
    shutil.copytree(package, folder / "sgf_hub", ignore=shutil.ignore_patterns("__pycache__", "_zoo"))
    for name in GIVEN:
        shutil.copytree(root() / name, folder / "zoo" / name)
    (folder / "zoo" / "build.yaml").write_text(TABLE)
    return folder


def zoo(checkout: Path, *words: str) -> dict:
    command = [sys.executable, "-m", "sgf_hub", "zoo", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.rindex("\n{") + 1 :] if "\n{" in done.stdout else done.stdout)


def test_all_is_made_once_and_what_follows_is_made_anew(checkout: Path) -> None:
    planned = zoo(checkout, "build", "--dry-run")
    assert planned["minutes"] == 3 and len(planned["steps"]) == 3 and not (checkout / "runs").exists()
    made = zoo(checkout, "build")["made"]
    assert made == ["avatars-progan", "runs/pairs-avatars", "sgf-avatars-attributes"]
    for name in ("avatars-progan", "sgf-avatars-attributes"):
        assert (checkout / "zoo" / name / "model.safetensors").is_file()
    assert zoo(checkout, "build", "--dry-run") == {"steps": [], "minutes": 0}
    (checkout / "zoo" / "avatars-attributes" / "model.safetensors").write_bytes(b"others")
    stale = zoo(checkout, "build", "--dry-run")["steps"]
    assert [step["writes"] for step in stale] == [["runs/pairs-avatars"], ["sgf-avatars-attributes"]]
