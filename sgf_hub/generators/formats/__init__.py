"""Checkpoints that other projects wrote, read without their code and without running anything that is in them.

One module a format; each looks at the content alone, never at a file's suffix. `unsupported` refuses the rest by name.
"""

from pathlib import Path

from sgf_hub.generators.formats import genforce, nvidia, pytorch_gan_zoo, rosinality, unsupported
from sgf_hub.generators.formats.checkpoint import Checkpoint, UnsupportedError
from sgf_hub.generators.formats.reader import read_checkpoint

FORMATS = (nvidia, rosinality, pytorch_gan_zoo, genforce)


def open_checkpoint(path: Path, *, tensors: bool = True) -> Checkpoint:
    """The generator that a checkpoint file holds.

    Args:
        path: the file.
        tensors: whether to read the weights too; without them the shapes alone are checked.

    Raises:
        UnsupportedError: for what is recognised and cannot become a generator of ours.
        CorruptFileError: if the file is damaged, or does not fit its format.
    """
    unsupported.refuse_file(path)
    tree = read_checkpoint(path, tensors=tensors)
    for format in FORMATS:
        if (checkpoint := format.read(tree, path.name)) is not None:
            return checkpoint
    raise unsupported.refusal(tree, path.name)


__all__ = ["Checkpoint", "UnsupportedError", "open_checkpoint"]
