"""Xet's storage for the loopback Hub: what `hf_xet` brings is kept as it came, and given out again in pieces.

A xorb is a row of chunks, each with a header of 8 bytes; a shard says which chunks of which xorbs make up a file. The
client's settings in `SETTINGS` make it speak the protocol's first version, without compression.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

SETTINGS = {
    "HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD": "1",
    "HF_XET_CLIENT_RECONSTRUCTION_API_VERSION": "1",
    "HF_XET_CLIENT_SHARD_API_VERSION": "1",
    "HF_XET_XORB_COMPRESSION_POLICY": "none",
    "HF_XET_TELEMETRY_ENABLED": "false",
}
_RECORD = 48  # bytes, of every entry of a shard
_VERIFIED, _WITH_SHA256 = 1 << 31, 1 << 30  # flags of a file's entry


@dataclass(frozen=True)
class Segment:
    """Chunks first to last - 1 of a xorb, and their bytes in a file."""

    xorb: str
    first: int
    last: int
    size: int


@dataclass
class Storage:
    """What has been brought.

    Args:
        xorbs: as they came, by hash.
        files: by hash.
        hashes: of files, by the SHA-256 of their content.
    """

    xorbs: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, list[Segment]] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    def register(self, shard: bytes) -> Iterator[bytes]:
        """Take in the files of a shard; gives the content of each."""
        at = _RECORD  # after the header
        while shard[at : at + 32] != b"\xff" * 32:
            name, flags, count = _name(shard[at:]), *struct.unpack_from("<II", shard, at + 32)
            rows = [at + _RECORD * (1 + i) for i in range(count)]
            entries = [(_name(shard[row:]), *struct.unpack_from("<IIII", shard, row + 32)) for row in rows]
            self.files[name] = [Segment(xorb, first, last, size) for xorb, _, size, first, last in entries]
            content = b"".join(map(self._content, self.files[name]))
            self.hashes[hashlib.sha256(content).hexdigest()] = name
            yield content
            at += _RECORD * (1 + count * (2 if flags & _VERIFIED else 1) + bool(flags & _WITH_SHA256))

    def plan(self, name: str, url: str) -> dict:
        """Where the pieces of a file are: the answer to a request for its reconstruction."""
        terms, pieces = [], {}
        for one in self.files[name]:
            places = self._places(one.xorb)
            span = {"start": one.first, "end": one.last}
            where = {"start": places[one.first][0] - 8, "end": sum(places[one.last - 1]) - 1}
            terms.append({"hash": one.xorb, "unpacked_length": one.size, "range": span})
            pieces.setdefault(one.xorb, []).append({"range": span, "url": f"{url}/{one.xorb}", "url_range": where})
        return {"offset_into_first_range": 0, "terms": terms, "fetch_info": pieces}

    def _content(self, segment: Segment) -> bytes:
        places = self._places(segment.xorb)[segment.first : segment.last]
        return b"".join(self.xorbs[segment.xorb][start : start + size] for start, size in places)

    def _places(self, xorb: str) -> list[tuple[int, int]]:
        """Of each chunk's content: where it starts, and how many bytes it has."""
        held, at, places = self.xorbs[xorb], 0, []
        while at < len(held):
            size, scheme = int.from_bytes(held[at + 1 : at + 4], "little"), held[at + 4]
            assert scheme == 0, "chunks are not compressed here"
            places.append((at + 8, size))
            at += 8 + size
        return places


def _name(raw: bytes) -> str:
    """A hash as Xet writes it: four numbers of 64 bits."""
    return "".join(f"{number:016x}" for number in struct.unpack_from("<4Q", raw))
