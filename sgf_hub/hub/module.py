"""`HubModule`: a network that is a Hub repo, config.json and model.safetensors, loaded strictly.

`PyTorchModelHubMixin` saves and pushes; loading is ours, since the mixin's own drops unknown config keys and leaves
missing weights random without a word. A network is first built without memory (the "meta" device) and its shapes are
held against the file's header, so that a hostile config cannot make it allocate anything.
"""

import inspect
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import Self

from sgf_hub.errors import CorruptFileError, SGFError
from sgf_hub.hub.files import CONFIG, WEIGHTS, read_weights, sha256
from sgf_hub.hub.names import locate, repo_name
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions, PushOptions
from sgf_hub.validation import read_json, short

FORMAT = 4  # of config.json, the newest that is read; 2: generators whose latents come from a mixture, 3: mappings
# that know how latents are distributed


class HubModule(nn.Module, PyTorchModelHubMixin, library_name="sgf-hub", license="apache-2.0"):
    """A network whose keyword arguments are its config.json. Subclasses take JSON values only, by keyword."""

    saved_as: torch.dtype = torch.float16  # what floating weights are written in
    folder: Path | None = None  # that it was loaded from
    hub: HubOptions = HUB_DEFAULTS  # how repos that its config names are fetched
    format: int = 1  # that its config.json is written in: the oldest library that can read it

    @classmethod
    def from_pretrained(cls, source: str | Path, **hub: Any) -> Self:  # type: ignore[override]
        """Load from a folder, the embedded zoo, or the Hub.

        Args:
            source: a folder, a zoo entry's name, or a Hub id.
            **hub: how it is fetched: revision, token, cache_dir and the others of `HubOptions`. What the mixin takes
                besides is refused: the config.json decides.

        Returns:
            The network in evaluation mode, float32, on the CPU.

        Raises:
            UnknownNameError: if nothing answers to the name.
            BadValueError: if an option is unknown or of another type.
            CorruptFileError: if a file is missing, damaged, newer than this library, or of another class; if a config
                key is unknown; if a weight is missing, superfluous or misshapen.
        """
        options = HubOptions.of(hub)
        folder = locate(str(source), options, files=(CONFIG, WEIGHTS))
        config = cls._checked_config(read_json(folder / CONFIG), repo_name(folder))
        try:
            with shapes_only():
                module = cls(**config)
        except SGFError as error:
            raise CorruptFileError(f"{CONFIG} of {repo_name(folder)!r} is not usable: {error}") from None
        except (TypeError, ValueError, RuntimeError, OverflowError, ArithmeticError, LookupError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CorruptFileError(f"{CONFIG} of {repo_name(folder)!r} is not usable: {reason}") from None
        weights = read_weights(folder / WEIGHTS, module.state_dict(), repo_name(folder))
        module.load_state_dict(weights, strict=True, assign=True)
        module.folder, module.hub = folder, options.of_parts
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

    def push_to_hub(self, repo_id: str, **push: Any) -> str:  # type: ignore[override]
        """Push it, with its card, to the Hub in one commit; nothing is sent that is there already.

        What was loaded from a folder, and not changed, is pushed with all that is told of it there.

        Args:
            repo_id: "owner/name", or "name" for one of the logged-in user's.
            **push: commit_message, private, revision, create_pr and token, as `PushOptions` has them.

        Returns:
            The repo's address, or the pull request's.

        Raises:
            BadValueError: if an option is unknown or of another type.
            SGFError: if it cannot be done, in a sentence.
        """
        from sgf_hub.hub.publishing.push import push_folder

        options = PushOptions.of(push)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / repo_id.rpartition("/")[2]
            self.save_pretrained(folder)
            loaded = self.folder / WEIGHTS if self.folder else None
            if loaded and loaded.is_file() and sha256(loaded) == sha256(folder / WEIGHTS):
                folder = loaded.parent  # with all that is beside the weights
            return push_folder(folder, repo_id, options)

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


def _listed(keys: list[str]) -> str:
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return ", ".join(short(key).strip("'") for key in keys[:5]) + more


def _stored(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(dtype) if value.is_floating_point() else value
