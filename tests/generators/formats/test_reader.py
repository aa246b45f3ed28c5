"""What `read_checkpoint` reads: the golden files, and what torch, NumPy and Python of several ages write."""

import argparse
import collections
import io
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from sgf_hub.errors import CorruptFileError
from sgf_hub.generators.formats.reader import Opaque, read_checkpoint, reading

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
NVIDIA = GOLDEN / "nvidia_stylegan2_ada_64px.pkl"
ROSINALITY = GOLDEN / "rosinality_stylegan2_32px.pt"
GAN_ZOO = GOLDEN / "pytorch_gan_zoo_pgan_32px.pth"
GENFORCE = GOLDEN / "genforce_pggan_32px.pth"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"


def same(ours, theirs):
    """Equal in type, order and value, all through."""
    if isinstance(theirs, torch.Tensor):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert torch.equal(ours, theirs.detach())
    elif isinstance(theirs, dict):
        assert type(ours) is dict and list(ours) == list(theirs)
        for name in theirs:
            same(ours[name], theirs[name])
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            same(one, other)
    else:
        assert type(ours) is type(theirs) and ours == theirs


def tensors_of(value):
    """All tensors below `value`, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Opaque):
        yield from tensors_of((value.args, value.state))
    elif isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors_of(part)


class OldReader(pickle.Unpickler):
    """Python's own machine, which golden files may be trusted to."""

    def find_class(self, module, name):
        if (module, name) == ("torch_utils.persistence", "_reconstruct_persistent_obj"):
            return lambda meta: meta
        if (module, name) == ("dnnlib.util", "EasyDict"):
            return collections.OrderedDict
        return super().find_class(module, name)


def plain(value):
    """`Opaque` objects of NVIDIA as their meta, for comparison."""
    if isinstance(value, Opaque):
        assert value.name == PERSISTENT and value.state is None
        return plain(value.args[0])
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return value.item() if isinstance(value, np.generic) else value


@pytest.mark.parametrize("path", [ROSINALITY, GENFORCE], ids=lambda path: path.stem)
def test_torch_files_are_as_torch_reads_them(path):
    same(read_checkpoint(path), torch.load(path, weights_only=True))


def test_pytorch_gan_zoo_file_is_as_torch_reads_it(monkeypatch):
    class BaseConfig:
        pass

    module = types.ModuleType("models.utils.config")
    module.BaseConfig = BaseConfig
    for name in ("models", "models.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "models.utils.config", module)
    theirs = torch.load(GAN_ZOO, weights_only=False)
    ours = read_checkpoint(GAN_ZOO)
    config = ours.pop("config")
    assert (config.name, config.args) == ("models.utils.config.BaseConfig", ())
    same(config.state, vars(theirs.pop("config")))
    same(ours, theirs)


def test_nvidia_pickle_is_as_python_reads_it():
    with NVIDIA.open("rb") as file:
        theirs = OldReader(file).load()
    ours = read_checkpoint(NVIDIA)
    assert ours["G_ema"].name == PERSISTENT
    assert ours["G_ema"].args[0]["class_name"] == "Generator"
    same(plain(ours), plain(theirs))


@pytest.mark.parametrize("path", [NVIDIA, ROSINALITY, GAN_ZOO, GENFORCE], ids=lambda path: path.stem)
def test_without_tensors_only_their_values_are_missing(path):
    full, bare = list(tensors_of(read_checkpoint(path))), list(tensors_of(read_checkpoint(path, tensors=False)))
    assert all(tensor.is_meta for tensor in bare)
    assert [(t.shape, t.dtype, t.stride()) for t in bare] == [(t.shape, t.dtype, t.stride()) for t in full]


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
DTYPES += [torch.int8, torch.uint8, torch.bool]


def checkpoint():
    weight = torch.arange(24.0).view(4, 6)
    return {
        "many": {str(dtype): torch.tensor([0, 1, 1, 0, 1]).to(dtype) for dtype in DTYPES},
        "views": [weight, weight.T, weight[1:, ::2], weight[3], torch.tensor(2.5), torch.empty(0), torch.empty(0, 3)],
        "state": torch.nn.Linear(3, 2).state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "plain": [1, -1, 2**40, -(2**62), 0.5, True, None, "ü", (), (1,), (1, 2, 3, 4), {3: "x"}, torch.Size([2])],
    }


def saved(how, value):
    buffer = io.BytesIO()
    if how in ("zip", "legacy"):
        torch.save(value, buffer, _use_new_zipfile_serialization=how == "zip")
    else:
        pickle.dump(value, buffer, protocol=how)
    return buffer.getvalue()


@pytest.mark.parametrize("how", ["zip", "legacy", 2, 3, 4, 5])
def test_all_containers_and_protocols(tmp_path, how):
    value = checkpoint()
    path = tmp_path / "some.pt"
    path.write_bytes(saved(how, value))
    ours = read_checkpoint(path)
    value["plain"][-1] = (2,)  # a torch.Size is a tuple
    same(ours, value)
    assert not ours["parameter"].requires_grad
    if how in ("zip", "legacy"):  # of a plain pickle each view has its own copy
        assert ours["views"][0].data_ptr() == ours["views"][1].data_ptr()


def test_a_checkpoint_without_checksums_is_read(tmp_path):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(checkpoint(), tmp_path / "some.pt")
    finally:
        torch.serialization.set_crc32_options(before)
    assert list(read_checkpoint(tmp_path / "some.pt")["state"]) == ["weight", "bias"]


def test_a_checkpoint_packed_again_by_zip_is_read(tmp_path):
    """Without compression, but with small fields instead of zip64 ones."""
    path = tmp_path / "some.pt"
    with zipfile.ZipFile(ROSINALITY) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    same(read_checkpoint(path), read_checkpoint(ROSINALITY))


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_a_training_checkpoint(tmp_path, how):
    """rosinality's: networks, optimizers and the arguments of the command line."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.002, betas=(0.0, 0.99))
    network(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    args = argparse.Namespace(size=256, latent=512, path="data", ckpt=None, augment=False, r1=10.0)
    value = {"g": network.state_dict(), "g_optim": optimizer.state_dict(), "ada_aug_p": 0.5}
    path = tmp_path / "training.pt"
    path.write_bytes(saved(how, value | {"args": args}))
    ours = read_checkpoint(path)
    inert = ours.pop("args")
    assert (inert.name, inert.args, inert.state) == ("argparse.Namespace", (), vars(args))
    same(ours, value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_and_numbers_of_numpy(tmp_path, protocol):
    """StyleGAN3 keeps sizes as arrays and rates as scalars."""
    arrays = [np.broadcast_to(np.asarray(36), [2]), np.arange(6.0).reshape(2, 3), np.zeros(0, np.float32)]
    arrays += [np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)), np.array(7, np.int16), np.array([True])]
    numbers = [np.float64(0.1), np.float32(2), np.int64(-3), np.bool_(True), np.uint8(200)]
    path = tmp_path / "numpy.pkl"
    path.write_bytes(pickle.dumps({"arrays": arrays, "numbers": numbers, "again": arrays[1]}, protocol))
    ours = read_checkpoint(path)
    for one, other in zip(ours["arrays"], arrays, strict=True):
        same(one, torch.from_numpy(np.ascontiguousarray(other)).view(other.shape))
    same(ours["numbers"], [number.item() for number in numbers])
    assert ours["again"] is ours["arrays"][1]


@pytest.mark.parametrize("renamed", [(b"numpy._core", b"numpy.core"), (b"numpy.core", b"numpy._core")])
def test_names_of_numpy_1_and_2(tmp_path, renamed):
    path = tmp_path / "numpy.pkl"
    path.write_bytes(pickle.dumps(np.float64(0.25), 2).replace(*renamed))
    assert read_checkpoint(path) == 0.25


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_classes_that_become_plain_data_and_those_that_stay_inert(tmp_path, protocol, monkeypatch):
    module = types.ModuleType("dnnlib.util")
    module.EasyDict = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    monkeypatch.setitem(sys.modules, "dnnlib", types.ModuleType("dnnlib"))
    monkeypatch.setitem(sys.modules, "dnnlib.util", module)
    ordered = collections.OrderedDict(b=1, a=2)
    ordered._metadata = collections.OrderedDict()  # as in every state dict
    value = {
        "easy": module.EasyDict(class_name="x", resolution=64),
        "ordered": ordered,
        "sets": [set(), {"a", 1}, frozenset({"b"})],
        "bytes": [b"", b"abc"],
        "dtype": torch.float16,
        "device": torch.device("cpu"),
    }
    path = tmp_path / "some.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    ours = read_checkpoint(path)
    same(ours["easy"], {"class_name": "x", "resolution": 64})
    same(ours["ordered"], {"b": 1, "a": 2})
    assert ours["sets"] == [set(), {"a", 1}, {"b"}]
    assert ours["bytes"] == [b"", b"abc"]
    assert (ours["dtype"].name, ours["dtype"].args) == ("torch.float16", ())
    assert (ours["device"].name, ours["device"].args) == ("torch.device", ("cpu",))


def test_what_python_2_wrote(tmp_path):
    """Byte strings for text, an OrderedDict of pairs, a number whose bytes are text, an integer in decimal."""
    path = tmp_path / "old.pth"
    dtype = b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    path.write_bytes(
        b"\x80\x02}(U\x01acnumpy.core.multiarray\nscalar\n" + dtype + b"U\x08\x00\x00\x00\x00\x00\x00\xf8?\x86R"
        b"U\x01bccollections\nOrderedDict\n](](U\x01xK\x01e](U\x01yK\x02ee\x85R"
        b"U\x01cI140234567890123\nU\x01dI01\nu."
    )
    same(read_checkpoint(path), {"a": 1.5, "b": {"x": 1, "y": 2}, "c": 140234567890123, "d": True})


def test_paths_that_hold_no_checkpoint(tmp_path, monkeypatch):
    def refused(path, words):
        with pytest.raises(CorruptFileError, match=words):
            read_checkpoint(path)

    refused(tmp_path / "none.pkl", "is not there: give a .pkl, .pt or .pth file")
    refused(tmp_path, "is a folder or a device: give")
    refused(Path("\0"), "is not there")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.pkl")
        refused(tmp_path / "pipe.pkl", "is a folder or a device")
    for content, words in ((b"", "is empty: give"), (b"\x89HDF\r\n", "is neither a pickle nor a torch file")):
        (tmp_path / "some.pkl").write_bytes(content)
        refused(tmp_path / "some.pkl", words)
    (tmp_path / "some.pkl").write_bytes(pickle.dumps(list(range(100))))
    monkeypatch.setattr(reading, "MAX_FILE", 100)
    refused(tmp_path / "some.pkl", "is larger than any generator checkpoint")
