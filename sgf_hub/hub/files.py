"""The files of a repo: their names, safetensors that are held against their config, digests."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from sgf_hub.errors import CorruptFileError
from sgf_hub.hub.names import repo_name
from sgf_hub.validation import check_downloaded, read_json

if TYPE_CHECKING:  # it takes seconds to import, and most of this needs none
    import torch

CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
_SHARD = re.compile(r"[\w.]{1,64}-\d{5}-of-\d{5}\.safetensors")
_MOST_SHARDS = 64


def sha256(path: Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def shards_of(index: Path) -> dict[str, list[str]]:
    """The files that an index of weights names, and which weights are in each.

    Raises:
        CorruptFileError: if the index cannot be read, or names what is no file of weights.
    """
    listed = read_json(index, limit=2**24).get("weight_map")
    shards: dict[str, list[str]] = {}
    for key, file in listed.items() if isinstance(listed, dict) else ():
        shards.setdefault(str(file), []).append(key)
    if not shards or len(shards) > _MOST_SHARDS or not all(_SHARD.fullmatch(name) for name in shards):
        raise CorruptFileError(
            f"{index.name} of {repo_name(index.parent)!r} must name 1 to {_MOST_SHARDS} files, such as "
            "model-00001-of-00002.safetensors."
        )
    return dict(sorted(shards.items()))


def read_weights(path: Path, expected: "dict[str, torch.Tensor]", name: str) -> "dict[str, torch.Tensor]":
    """The tensors of a safetensors file, once its header agrees with `expected`, floating ones as float32.

    Args:
        path: the file.
        expected: what should be in it; only the shapes are looked at, so it may be on the "meta" device.
        name: of the repo, for the message.

    Raises:
        CorruptFileError: if the file is damaged, does not fit, or holds a value that is not finite.
    """
    try:
        check_downloaded(path)
        with safe_open(str(path), framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
            wanted = {key: tuple(value.shape) for key, value in expected.items()}
            problems = [f"missing {key}" for key in wanted.keys() - shapes.keys()]
            problems += [f"unexpected {key}" for key in shapes.keys() - wanted.keys()]
            problems += [
                f"{key} is {list(shapes[key])} where {list(wanted[key])} is needed"
                for key in wanted.keys() & shapes.keys()
                if shapes[key] != wanted[key]
            ]
            if problems:
                more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
                raise CorruptFileError(
                    f"{path.name} of {name!r} does not fit its config: {'; '.join(sorted(problems)[:3])}{more}."
                )
            tensors = {key: file.get_tensor(key) for key in wanted}
            strange = [key for key in wanted if tensors[key].is_floating_point() != expected[key].is_floating_point()]
            if strange:
                raise CorruptFileError(
                    f"{path.name} of {name!r} does not fit its config: {strange[0]} holds {tensors[strange[0]].dtype}."
                )
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(
            f"{path.name} of {name!r} cannot be read as safetensors ({error}): fetch or save it again."
        ) from None
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise CorruptFileError(f"{path.name} of {name!r} holds values that are not finite, in {broken[0]}.")
    return tensors
