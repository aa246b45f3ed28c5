"""`HubModule`: a network that is a Hub repo, config.json and model.safetensors, loaded strictly.

`PyTorchModelHubMixin` saves and pushes; loading is ours, since the mixin's own drops unknown config keys and leaves
missing weights random without a word. A network is first built without memory (the "meta" device) and its shapes are
held against the file's header, so that a hostile config cannot make it allocate anything.
"""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import Self

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub.names import called, locate
from sgf_hub.types import read_json, short

FORMAT = 2  # of config.json, the newest that is read; 2: generators whose latents come from a mixture
CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_MOST_SHARDS = 64


class HubModule(nn.Module, PyTorchModelHubMixin, library_name="sgf-hub", license="apache-2.0"):
    """A network whose keyword arguments are its config.json. Subclasses take JSON values only, by keyword."""

    saved_as: torch.dtype = torch.float16  # what floating weights are written in
    folder: Path | None = None  # that it was loaded from
    format: int = 1  # that its config.json is written in: the oldest library that can read it

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None, **unknown: Any) -> Self:  # type: ignore[override]
        """Load from a folder, the embedded zoo, or the Hub.

        Args:
            source: a folder, a zoo entry's name, or a Hub id.
            revision: of a Hub repo.
            **unknown: refused; the mixin takes options that are silently dropped.

        Returns:
            The network in evaluation mode, float32, on the CPU.

        Raises:
            UnknownNameError: if nothing answers to the name.
            CorruptFileError: if a file is missing, damaged, newer than this library, or of another class; if a config
                key is unknown; if a weight is missing, superfluous or misshapen.
        """
        if unknown:
            raise BadValueError(f"from_pretrained takes no {', '.join(unknown)}: the config.json decides.")
        folder = locate(str(source), revision=revision, files=(CONFIG, WEIGHTS))
        config = cls._checked_config(read_json(folder / CONFIG), called(folder))
        try:
            with shapes_only():
                module = cls(**config)
        except SGFError as error:
            raise CorruptFileError(f"{CONFIG} of {called(folder)!r} is not usable: {error}") from None
        except (TypeError, ValueError, RuntimeError, OverflowError, ArithmeticError, LookupError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CorruptFileError(f"{CONFIG} of {called(folder)!r} is not usable: {reason}") from None
        weights = read_weights(folder / WEIGHTS, module.state_dict(), called(folder))
        module.load_state_dict(weights, strict=True, assign=True)
        module.folder = folder
        return module.eval().requires_grad_(False)

    @classmethod
    def _checked_config(cls, config: dict, name: str) -> dict:
        """The constructor's arguments out of a config.json."""
        version, kind = config.pop("format", None), config.pop("class", None)
        if kind != cls.__name__:
            held = short(kind).strip("'") if kind else "foreign model"
            raise CorruptFileError(f"{name!r} holds a {held}, not a {cls.__name__}.")
        if type(version) is not int or not 1 <= version <= FORMAT:
            raise CorruptFileError(
                f"{name!r} is written in format {short(version)}, this sgf-hub reads up to {FORMAT}: upgrade sgf-hub."
            )
        parameters = inspect.signature(cls.__init__).parameters
        unknown = sorted(set(config) - set(parameters))
        missing = sorted(
            key for key, p in parameters.items() if key != "self" and p.default is p.empty and key not in config
        )
        if unknown or missing:
            raise CorruptFileError(
                f"{CONFIG} of {name!r} does not describe a {cls.__name__}: "
                + "; ".join(
                    f"{word} {_listed(keys)}" for word, keys in (("unknown", unknown), ("missing", missing)) if keys
                )
                + "."
            )
        return config

    def config(self) -> dict[str, Any]:
        """What config.json says: the constructor's arguments, the class and the format."""
        return {"class": type(self).__name__, "format": self.format, **self._hub_mixin_config}  # type: ignore[dict-item]

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the weights as `saved_as` (called by the mixin's `save_pretrained` and `push_to_hub`)."""
        state = {key: _stored(value, self.saved_as) for key, value in self.state_dict().items()}
        save_file(state, str(save_directory / WEIGHTS), metadata={"format": "pt"})
        (save_directory / WEIGHTS).chmod(0o644)  # safetensors makes it readable to its owner alone

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> str | None:  # type: ignore[override]
        """Write config.json and model.safetensors into a folder."""
        kwargs.setdefault("config", self.config())
        return super().save_pretrained(save_directory, **kwargs)

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:  # type: ignore[override]
        """Push it, with its card, to the Hub in one commit; nothing is sent that is there already.

        What was loaded from a folder, and not changed, is pushed with all that is told of it there.

        Args:
            repo_id: "owner/name", or "name" for one of the logged-in user's.
            private: whether a new repo is private.
            token: of the Hub; the one that is logged in by default.

        Returns:
            The repo's address.

        Raises:
            SGFError: if it cannot be done, in a sentence.
        """
        from sgf_hub.hub.publishing.push import push_module

        return push_module(self, repo_id, private=private, token=token)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> Any:
        """The mixin's own card is not written: cards come from `model_cards/`."""
        return _NoCard()


class _NoCard:
    """Stands where the mixin expects a card, and writes none."""

    def save(self, path: str | Path) -> None:
        """Write nothing."""


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build modules without memory and without initial weights: the weights come from a file.

    Random initialisation on the "meta" device would do nothing, and load a symbolic algebra package to do it.
    """
    with torch.device("meta"), _WithoutInitialisation():
        yield


class _WithoutInitialisation(TorchFunctionMode):
    """Takes the place of every call that draws random numbers into a tensor, and draws none."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init" or func in (
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
        ):
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


class Derived:
    """Something computed from a weight, kept until the weight changes.

    Args:
        make: weight => what is kept.
    """

    def __init__(self, make: Callable[[torch.Tensor], Any]) -> None:
        self.make = make
        self.key: tuple | None = None
        self.value: Any = None

    def __call__(self, weight: torch.Tensor) -> Any:
        """The value for the present weight."""
        version = 0 if weight.is_inference() else weight._version  # what inference mode made has no count
        key = (weight, version, weight.dtype, weight.device)
        if self.key is None or self.key[0] is not weight or self.key[1:] != key[1:]:
            # what is kept must serve later callers that take gradients, whoever comes first
            with torch.inference_mode(False), torch.no_grad():
                self.key, self.value = key, self.make(weight)
        return self.value


def bounded(name: str, value: Any, low: float, high: float) -> Any:
    """`value` if it is a number in [low, high] (an integer where `low` is one), else a BadValueError."""
    kinds = (int,) if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise BadValueError(f"{name} is {short(value)}; it must be a number from {low} to {high}.")
    return value


def names_of(field: str, value: Any, *, most: int = 1024) -> tuple[str, ...]:
    """`value` as a tuple of distinct names, else a BadValueError."""
    if (
        not isinstance(value, (list, tuple))
        or len(value) > most
        or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in value)
        or len(set(value)) != len(value)
    ):
        raise BadValueError(f"{field} must be a list of at most {most} distinct names.")
    return tuple(value)


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return ", ".join(short(key).strip("'") for key in keys[:5]) + more


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(dtype) if value.is_floating_point() else value


def sha256(path: Path) -> str:
    """A file's SHA-256, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def shards_of(folder: Path) -> list[str]:
    """The files that a folder's index of weights names.

    Raises:
        CorruptFileError: if the index cannot be read, or names what is no file of weights.
    """
    listed = read_json(folder / INDEX, limit=2**24).get("weight_map")
    shards = sorted(set(map(str, listed.values()))) if isinstance(listed, dict) else []
    if not shards or len(shards) > _MOST_SHARDS or not all(_SHARD.fullmatch(name) for name in shards):
        raise CorruptFileError(
            f"{INDEX} of {called(folder)!r} must name 1 to {_MOST_SHARDS} files, such as "
            "model-00001-of-00002.safetensors."
        )
    return shards


def read_weights(path: Path, expected: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file, once its header agrees with `expected`, floating ones as float32.

    Args:
        path: the file.
        expected: what should be in it; only the shapes are looked at, so it may be on the "meta" device.
        name: of the repo, for the message.

    Raises:
        CorruptFileError: if the file is damaged, does not fit, or holds a value that is not finite.
    """
    try:
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
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise CorruptFileError(f"{path.name} of {name!r} holds values that are not finite, in {broken[0]}.")
    return tensors
