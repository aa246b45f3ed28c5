"""A mapping of a stranger's, tried in a process of its own: `python -m app.models.sandbox FOLDER`.

What a config.json describes may take any amount of memory and time before the first picture. So it is composed here
first, where both are limited; what survives that is loaded into the page's own process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.core.errors import UserError

MEMORY = 6 * 2**30  # bytes of address space, of which torch itself takes 2 GB
PATIENCE = 120  # seconds in all
SLOWEST = 3.0  # seconds for a picture and what is read in it


def check(folder: Path, name: str) -> None:
    """Compose the mapping in a folder and draw with it, in another process.

    Args:
        folder: of the mapping, its parts beside it.
        name: what it is called.

    Raises:
        UserError: if it cannot be done, or takes too much.
    """
    here = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": here, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    environment.pop("HF_TOKEN", None)
    too_much = UserError(f"{name} takes more memory or time than this page gives to one model.")
    with tempfile.TemporaryDirectory() as empty:  # a name that is relative finds nothing in it
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "app.models.sandbox", str(folder.resolve())],
                cwd=empty, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise too_much from None
    try:
        answer = json.loads(ended.stdout.splitlines()[-1])
    except (IndexError, ValueError):  # killed, or out of memory
        raise too_much from None
    if "error" in answer:
        raise UserError(f"{name} cannot be opened: {answer['error']}")
    if answer["seconds"] > SLOWEST:
        raise UserError(f"{name} takes {answer['seconds']:.0f} s for a picture, and this page allows {SLOWEST:.0f}.")


def main(folder: str) -> dict:
    """What the other process does and prints: {"seconds": of a picture}, or {"error": a sentence}."""
    _limit()
    import torch

    from sgf_hub.editing.editor import SGFEditor
    from sgf_hub.errors import SGFError

    try:
        editor = SGFEditor.from_pretrained(folder)
        seconds = []
        with torch.no_grad():
            latent = editor.generator.sample(1, seed=0)
            for _ in range(2):  # the first one warms up
                begun = time.monotonic()
                c = editor.predictor(editor.generator.synthesize(latent))
                seconds.append(time.monotonic() - begun)
            if not torch.isfinite(c).all():
                return {"error": "what is read in its pictures is not finite."}
        return {"seconds": round(min(seconds), 3)}
    except SGFError as error:
        return {"error": str(error)}


def _limit() -> None:
    try:
        import resource
    except ImportError:  # on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
