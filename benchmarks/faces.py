"""Rendered faces: the mesh against the runtime it was made for, and edits. `python -m benchmarks.faces [--json]`."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.sections import Section, faster, report
from benchmarks.timing import medians
from sgf_hub.editing import SGFEditor
from sgf_hub.hub.fetching.manifest import read_manifest
from sgf_hub.hub.fetching.registry import take
from sgf_hub.hub.names import root
from sgf_hub.predictors.faces.mesh import FaceMesh

PICTURES = 64
MAPPING = "sgf-faces-attributes"


@torch.inference_mode()
def measure(device: torch.device) -> Section:
    """The mesh a picture, in a batch and by TensorFlow Lite one by one; and whole edits, one face at a time."""
    from ai_edge_litert.interpreter import Interpreter

    editor, mesh = SGFEditor.from_pretrained(MAPPING), FaceMesh.from_pretrained("faces-mesh")
    images = editor.generator.synthesize(editor.generator.sample(PICTURES, seed=0))
    manifest = read_manifest(root() / "faces-mesh")
    assert manifest is not None
    with tempfile.TemporaryDirectory() as folder:
        runtime = Interpreter(str(take(manifest, Path(folder))), num_threads=torch.get_num_threads())
    runtime.allocate_tensors()
    place = runtime.get_input_details()[0]["index"]
    framed = np.zeros((1, mesh.side, mesh.side, 3), np.float32)

    def one_by_one() -> None:
        for _ in range(PICTURES):
            runtime.set_tensor(place, framed)
            runtime.invoke()

    works = {
        "mesh": lambda: mesh(images), "runtime": one_by_one, "generator": lambda: editor.generator.synthesize(
            editor.generator.sample(PICTURES, seed=0)), "predictor": lambda: editor.predictor(images),
    }  # fmt: skip
    row = {f"{key}_ms": value / PICTURES for key, value in medians(works, repeats=5).items()}
    seconds = []
    for seed in range(20):
        latent = editor.generator.sample(1, seed=seed)
        start = time.perf_counter()
        editor.edit(latent, {"smile": 1})
        seconds.append(time.perf_counter() - start)
    row |= {"edit_s": statistics.median(seconds), "slowest_edit_s": max(seconds)}
    text = "\n".join(
        [
            f"A picture in a batch of {PICTURES}, and whole edits (`smile`, 20 faces, one at a time):",
            "",
            "| mesh, ms | generator, ms | all that C reads, ms | an edit, s | the slowest, s |",
            "|---|---|---|---|---|",
            f"| {row['mesh_ms']:.2f} | {row['generator_ms']:.2f} | {row['predictor_ms']:.2f} | {row['edit_s']:.2f} | "
            f"{row['slowest_edit_s']:.2f} |",
        ]
    )
    line = faster(
        "FaceMesh, a picture with its frame and size", row["mesh_ms"],
        "TensorFlow Lite with XNNPACK, the network alone, one by one", row["runtime_ms"],
    )  # fmt: skip
    return Section("Rendered faces", [line], text, [row])


def main() -> None:
    """Print the section."""
    report(measure, __doc__)


if __name__ == "__main__":
    main()
