"""Checkpoints that other projects wrote, read without their code and without running anything that is in them.

One module a format; each looks at the content alone, never at a file's suffix or at what wraps its weights
(`state_dicts`). `unsupported` refuses the rest by name.
"""

from pathlib import Path
from typing import Any

from sgf_hub.generators.formats import genforce, nvidia, pytorch_gan_zoo, rosinality, unsupported
from sgf_hub.generators.formats.checkpoint import Checkpoint, UnsupportedError
from sgf_hub.generators.formats.reader import read_checkpoint
from sgf_hub.generators.formats.state_dicts import state_dicts
from sgf_hub.generators.layers import check_label

FORMATS = (rosinality, pytorch_gan_zoo, genforce)
"""Those of state dicts; NVIDIA's pickles hold networks."""


def open_checkpoint(path: Path, *, class_label: int | None = None, tensors: bool = True) -> Checkpoint:
    """The generator that a checkpoint file holds.

    Args:
        path: the file.
        class_label: which class of a conditional network is meant.
        tensors: whether to read the weights too; without them the shapes alone are checked.

    Raises:
        UnsupportedError: for what is recognised and cannot become a generator of ours.
        CorruptFileError: if the file is damaged, or does not fit its format.
        BadValueError: for a class that the network does not draw.
    """
    unsupported.refuse_file(path)
    return recognised(read_checkpoint(path, tensors=tensors), path.name, class_label=class_label)


def recognised(tree: Any, name: str, *, class_label: int | None = None) -> Checkpoint:
    """What `open_checkpoint` gives, of a file's content.

    Args:
        tree: see `read_checkpoint`.
        name: of the file.
        class_label: as there.
    """
    if (checkpoint := nvidia.read(tree, name, class_label)) is not None:
        return checkpoint
    for weights in state_dicts(tree):
        for format in FORMATS:
            if (checkpoint := format.read(weights, name)) is not None:
                check_label(name, checkpoint.classes, class_label)
                return checkpoint
    raise unsupported.refusal(tree, name)


__all__ = ["Checkpoint", "UnsupportedError", "open_checkpoint", "recognised"]
