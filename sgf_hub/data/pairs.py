"""Pairs (z, c) with c = C(G(z)), what a mapping is trained on (Section 4.3: 200,000 of them at truncation 0.8)."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgf_hub.data.distributed import ALONE, Group
from sgf_hub.errors import BadValueError, CorruptFileError
from sgf_hub.types import ConditionSpec, Generator, Predictor, Space
from sgf_hub.validation import bounded, read_json

SHARD = 5_000
_INDEX = "pairs.json"


@dataclass(frozen=True)
class PairsInfo:
    """What a folder of pairs was sampled with; written as pairs.json.

    Args:
        generator: repo of G.
        predictor: repos of the heads of C.
        space: of z.
        spec: the meaning of c.
        truncation: psi.
        seed: of the latents.
        class_label: of G, a conditional network.
    """

    generator: str
    predictor: tuple[str, ...]
    space: Space
    spec: ConditionSpec
    truncation: float
    seed: int
    class_label: int | None = None


@dataclass(frozen=True)
class Pairs:
    """All pairs of a folder.

    Args:
        info: what they were sampled with.
        z: [N, D].
        c: [N, C].
    """

    info: PairsInfo
    z: Tensor
    c: Tensor

    def first(self, count: int) -> "Pairs":
        """The first of them."""
        return Pairs(self.info, self.z[:count], self.c[:count])


def sample_pairs(
    generator: Generator,
    predictor: Predictor,
    info: PairsInfo,
    folder: Path,
    *,
    count: int,
    batch: int = 64,
    group: Group = ALONE,
) -> Iterator[int]:
    """Sample `count` pairs into shards of 5,000, continuing what the folder holds.

    A shard depends on the seed and its number alone. Several processes take turns at them: whichever number of
    processes goes on with a folder, no pair is lost or there twice.

    Args:
        generator: G.
        predictor: C.
        info: what to write beside the pairs.
        folder: where to; the same for all processes.
        count: how many in all.
        batch: images at a time.
        group: the processes that sample together; all of them call this.

    Yields:
        How many pairs are there, after every batch of this process.

    Raises:
        BadValueError: if the folder holds pairs of something else, or `count` is not positive.
        CorruptFileError: if what the folder holds cannot be read.
    """
    if count < 1:
        raise BadValueError(f"the number of pairs must be positive, not {count}.")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / _INDEX).exists():
        if _read_info(folder / _INDEX) != info:
            raise BadValueError(
                f"{folder} holds pairs of another generator, predictor, truncation or seed: delete it to begin "
                "anew, or choose another folder."
            )
    elif group.leads:
        part = folder / f"{_INDEX}.part"  # another process may be reading
        part.write_text(json.dumps(asdict(info), indent=1))
        os.replace(part, folder / _INDEX)
    sizes = [min(SHARD, count - start) for start in range(0, count, SHARD)]
    paths = [folder / f"pairs-{shard:05d}.safetensors" for shard in range(len(sizes))]
    group.wait()  # nobody looks for a shard that another has begun to write

    def there() -> int:
        return sum(size for path, size in zip(paths, sizes, strict=True) if path.exists())

    missing = [
        shard
        for shard, (path, size) in enumerate(zip(paths, sizes, strict=True))
        if not path.exists() or len(_read_shard(path)["z"]) < size
    ]
    yield count - sum(sizes[shard] for shard in missing)
    group.wait()
    for shard in missing[group.rank :: group.size]:
        latents = generator.sample(
            sizes[shard], seed=(info.seed * 1_000_003 + shard) % 2**63, truncation=info.truncation
        )
        conditions: list[Tensor] = []
        done = there()
        with torch.inference_mode():
            for first in range(0, sizes[shard], batch):
                conditions.append(predictor(generator.synthesize(latents[first : first + batch])).cpu())
                yield done + sum(map(len, conditions))
        part = paths[shard].with_suffix(".part")  # a kill leaves no half shard behind
        save_file({"z": latents.data.cpu().contiguous(), "c": torch.cat(conditions).contiguous()}, str(part))
        os.replace(part, paths[shard])
    group.wait()
    yield count


def load_pairs(folder: Path) -> Pairs:
    """Read a folder written by `sample_pairs`.

    Raises:
        CorruptFileError: if a file is missing, damaged or foreign.
    """
    info = _read_info(folder / _INDEX)
    shards = [_read_shard(path) for path in sorted(folder.glob("pairs-*.safetensors"))]
    if not shards:
        raise CorruptFileError(f"{folder} holds no pairs: run `sgf-hub sample-pairs` first.")
    if {s["c"].shape[1] for s in shards} != {info.spec.dimension} or len({s["z"].shape[1] for s in shards}) != 1:
        raise CorruptFileError(f"{folder} holds pairs that do not fit its {_INDEX}: sample them again.")
    z, c = torch.cat([s["z"] for s in shards]), torch.cat([s["c"] for s in shards])
    if not torch.isfinite(z).all() or not torch.isfinite(c).all():
        raise CorruptFileError(f"{folder} holds pairs that do not fit its {_INDEX}: sample them again.")
    return Pairs(info, z, c)


def select(pairs: Pairs, *, attributes: bool = True, keypoints: bool = True) -> Pairs:
    """The same pairs with only the attributes, or only the keypoints, of c.

    The heads that are left are those whose coordinates are left: keypoints come from the last head, attributes from
    those before it.

    Raises:
        BadValueError: if nothing would be left: of a caption, there is no such part; or if one predictor read it all.
    """
    if attributes and keypoints:
        return pairs
    spec = pairs.info.spec
    kept = ConditionSpec(
        attributes=spec.attributes if attributes else (),
        keypoints=spec.keypoints if keypoints else (),
        groups=spec.groups if attributes else (),
    )
    if kept.dimension == 0:
        raise BadValueError(f"these pairs hold {spec.kind} only: nothing would be left of c.")
    if kept == spec:
        return pairs
    count = len(spec.attributes)
    c = pairs.c[:, :count] if attributes else pairs.c[:, count:]
    heads: Sequence[str] = pairs.info.predictor
    if len(heads) < 2:
        raise BadValueError("these pairs were read by one predictor: sample some with the one you want.")
    info = PairsInfo(**{**vars(pairs.info), "spec": kept, "predictor": tuple(heads[:-1] if attributes else heads[-1:])})
    return Pairs(info, pairs.z, c)


def _read_info(path: Path) -> PairsInfo:
    index = read_json(path)
    try:
        fields = index.pop("spec")
        spec = ConditionSpec(
            attributes=tuple(fields.pop("attributes")),
            keypoints=tuple(fields.pop("keypoints")),
            groups=tuple(tuple(group) for group in fields.pop("groups")),
            caption=bounded("caption", fields.pop("caption", 0), 0, 65536),  # older folders name none
            **fields,
        )
        return PairsInfo(**{**index, "spec": spec, "predictor": tuple(index["predictor"])})
    except (TypeError, KeyError, AttributeError, BadValueError) as error:
        raise CorruptFileError(f"{path} does not describe pairs ({error}): sample them again.") from None


def _read_shard(path: Path) -> dict[str, Tensor]:
    try:
        shard = load_file(str(path))
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path} cannot be read ({error}): delete it and sample again.") from None
    if set(shard) != {"z", "c"} or {part.ndim for part in shard.values()} != {2} or len(shard["z"]) != len(shard["c"]):
        raise CorruptFileError(f"{path} does not hold pairs: delete it and sample again.")
    return shard
