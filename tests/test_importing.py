"""What the library imports, and when: one process does one thing after the other, and tells what it has loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"transformers", "gradio", "skia", "diffusers", "sentence_transformers", "app", "sklearn", "scipy", "sympy"}
HELP = "sys.argv[1:] = ['--help']\ntry: sgf_hub.cli.main.main()\nexcept SystemExit: pass"
READING = (
    "import torch\nfrom sgf_hub.predictors import load_predictor\nload_predictor({heads})(torch.zeros(1, 3, 32, 32))"
)
# each goes on where the one before it ended => what it must not have imported
STEPS = {
    "import sgf_hub": HEAVY | {"torch"},
    "import sgf_hub.cli.main": HEAVY | {"torch"},
    HELP: HEAVY,
    "sgf_hub.SGFEditor; sgf_hub.Latent": HEAVY,
    "from sgf_hub import CustomGenerator, PromptPredictor, TransformersClassifier, TransformersKeypoints": HEAVY,
    "import sgf_hub.predictors.captions.captioner, sgf_hub.baselines": HEAVY,
    READING: HEAVY | {"torch._dynamo"},
}


@pytest.fixture(scope="module")
def imported(toy_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The modules that are there after each step."""
    told = tmp_path_factory.mktemp("importing") / "told"
    heads = [str(toy_zoo / name) for name in ("toy-attributes", "toy-keypoints")]
    lines = ["import json, sys", f"told = open({str(told)!r}, 'w')"]
    for step in STEPS:
        lines += [step.replace("{heads}", repr(heads)), "print(json.dumps(sorted(sys.modules)), file=told)"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {step: set(json.loads(line)) for step, line in zip(STEPS, told.read_text().splitlines(), strict=True)}


@pytest.mark.parametrize("step", STEPS)
def test_importing_is_light(imported: dict[str, set[str]], step: str) -> None:
    assert "sgf_hub" in imported[step] and not STEPS[step] & imported[step]
