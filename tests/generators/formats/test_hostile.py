"""Hostile and damaged files end in a value or one sentence: no code runs, and memory and time stay bounded."""

import builtins
import io
import os
import pickle
import random
import subprocess
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.hostile import attempt, growth, watching
from benchmarks.hostile_files import HAZARDS, PROTO
from benchmarks.mutations import ALTERATIONS, MARK, PLANTS, goldens
from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.reader import read_checkpoint

GOLDENS = goldens()
quickly = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Ran(BaseException):
    """Code of a file ran: an exception that nothing catches by mistake."""


def ran(*args, **kwargs):
    raise Ran(args)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """What is imported late, the first time, is imported before anything is watched."""
    for golden in GOLDENS.values():
        path = tmp_path_factory.mktemp("warm") / "golden.pkl"
        path.write_bytes(golden.data)
        read_checkpoint(path)


@pytest.fixture
def hostile(warm, tmp_path, monkeypatch):
    """A function that reads bytes: a value, or a CorruptFileError, and nothing else happens."""
    path = tmp_path / "hostile.pkl"
    monkeypatch.chdir(tmp_path)

    def read(content, *, tensors=True):
        path.write_bytes(content)
        with monkeypatch.context() as patched, watching(path) as events:
            for owner, name in ((os, "system"), (subprocess, "Popen"), (builtins, "exec"), (builtins, "eval")):
                patched.setattr(owner, name, ran)
            try:
                value = read_checkpoint(path, tensors=tensors)
            except CorruptFileError as error:
                value = error
            finally:
                patched.undo()
        assert not events
        assert MARK not in os.environ and not Path(MARK).exists()
        if isinstance(value, CorruptFileError):
            assert "\n" not in str(value) and len(str(value)) < 400 and str(value).startswith("hostile.pkl ")
        return value

    return read


def test_the_watch_sees_code_that_runs(tmp_path):
    """Python's own machine, on the plants that do no harm here."""

    def trusting(path):
        return pickle.loads(path.read_bytes())

    path = tmp_path / "hostile.pkl"
    for code in (b"cos\nputenv\n(X\x08\0\0\0sgf-markX\x01\0\0\x001tR.", b"cbuiltins\nexec\n(X\x01\0\0\x001tR."):
        path.write_bytes(PROTO + code)
        result, events = attempt(path, trusting)
        assert result == "read" and {event.split()[0] for event in events} & {"os.putenv", "exec"}


@pytest.mark.parametrize("name", HAZARDS)
def test_hazard_is_refused_in_a_sentence(name, hostile):
    content, sentence = HAZARDS[name]
    start = time.perf_counter()
    refusal, taken = growth(lambda: hostile(content))
    assert isinstance(refusal, CorruptFileError) and sentence in str(refusal)
    assert taken < 3 * len(content) + 100 * 2**20
    assert time.perf_counter() - start < 20
    assert isinstance(hostile(content, tensors=False), CorruptFileError)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: repr(plant[:40]))
@pytest.mark.parametrize("name", GOLDENS)
def test_a_plant_at_the_start_of_a_golden_file(name, plant, hostile):
    golden = GOLDENS[name]
    hostile(golden.wrapped(golden.pickle[:2] + plant + golden.pickle[2:]))
    assert isinstance(hostile(golden.wrapped(golden.pickle[:2] + plant * 2 + b".")), CorruptFileError)


@pytest.mark.parametrize("name", GOLDENS)
@pytest.mark.parametrize("alteration", ALTERATIONS, ids=lambda alteration: alteration.__name__)
def test_altered_golden_files(name, alteration, hostile):
    for seed in range(6):
        hostile(alteration(GOLDENS[name], random.Random(seed)))


@pytest.mark.parametrize("name", GOLDENS)
@quickly
@given(data=st.data())
def test_a_golden_file_cut_short_anywhere_is_refused(name, data, hostile):
    content = GOLDENS[name].data
    end = data.draw(st.integers(0, len(content) - 1) | st.sampled_from(GOLDENS[name].cuts).filter(len(content).__gt__))
    refusal = hostile(content[:end])
    assert isinstance(refusal, CorruptFileError)


@pytest.mark.parametrize("name", GOLDENS)
@quickly
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_pickle_with_other_bytes(name, flips, hostile):
    content = bytearray(GOLDENS[name].pickle)
    for place, byte in flips:
        content[int(place * len(content))] = byte
    hostile(GOLDENS[name].wrapped(bytes(content)))


@pytest.mark.parametrize("start", [b"", b"\x80\x02", b"\x80\x04", b"PK\3\4"], ids=repr)
@quickly
@given(noise=st.binary(max_size=500))
def test_noise(start, noise, hostile):
    hostile(start + noise)


OPERATIONS = st.one_of(
    st.sampled_from([bytes([code]) for code in b"()]}NR0ab.su\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94tel2d1QBo"]),
    st.sampled_from(PLANTS),
    st.binary(min_size=1, max_size=1).map(lambda index: b"h" + index),
    st.binary(min_size=1, max_size=1).map(lambda index: b"q" + index),
    st.binary(min_size=1, max_size=1).map(lambda value: b"K" + value),
    st.binary(min_size=4, max_size=4).map(lambda value: b"J" + value),
    st.binary(max_size=20).map(lambda value: b"C" + bytes([len(value)]) + value),
    st.text(max_size=20).map(lambda value: b"\x8c" + bytes([len(value.encode())]) + value.encode()),
    st.sampled_from(["collections\nOrderedDict", "torch._utils\n_rebuild_tensor_v2", "torch\nFloatStorage"]).map(
        lambda name: b"c" + name.encode() + b"\n"
    ),
    st.sampled_from(["numpy.core.multiarray\n_reconstruct", "numpy\ndtype", "builtins\nset", "torch\nSize"]).map(
        lambda name: b"c" + name.encode() + b"\n"
    ),
)


@settings(quickly, max_examples=150)
@given(program=st.lists(OPERATIONS, max_size=40))
def test_programs_of_operations(program, hostile):
    hostile(PROTO + b"".join(program) + b".")


def test_memory_of_a_large_honest_file(tmp_path, hostile):
    """Each byte is held twice at most: in the file's bytes and in a tensor."""
    size = 64 * 2**20
    buffer = io.BytesIO()
    torch.save({str(i): torch.zeros(size // 16) for i in range(4)}, buffer)
    path = tmp_path / "large.pt"
    path.write_bytes(buffer.getvalue())
    buffer.close()
    value, taken = growth(lambda: read_checkpoint(path))
    assert len(value) == 4 and taken < 2.3 * size
