"""Repos in transformers' own format, read as strictly as ours: one safetensors file, every weight there, no code run.

transformers builds what a config describes before it looks at the weights, and fills what is missing with random ones.
So the network is first built without memory and its size held against the file.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open

from sgf_hub.errors import BadValueError, CorruptFileError, SGFError
from sgf_hub.hub.files import CONFIG, WEIGHTS
from sgf_hub.hub.module import shapes_only
from sgf_hub.hub.names import locate, repo_name
from sgf_hub.hub.options import HUB_DEFAULTS, HubOptions
from sgf_hub.predictors.backbone import fold_batchnorm
from sgf_hub.validation import bounded, read_json

PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"  # where transformers 5 writes the preprocessor's settings of some
BROKEN = (
    OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError,
    ImportError, SafetensorError, StrictDataclassError,
)  # fmt: skip
# numbers of a config.json that transformers counts up to, without memory or not, and what they may be at most
_COUNTS = {
    "num_hidden_layers": 256, "num_layers": 256, "depths": 256, "encoder_layers": 256, "decoder_layers": 256,
    "layers_per_block": 256, "num_experts": 256, "num_labels": 100_000,
}  # fmt: skip


def fetch(source: str | Path, hub: HubOptions = HUB_DEFAULTS, *, files: tuple[str, ...] = ()) -> Path:
    """The folder of a repo with its config, weights and preprocessor's settings.

    Args:
        source: a folder, a zoo entry's name, or a Hub id.
        hub: how it is fetched.
        files: what must be there besides.

    Raises:
        UnknownNameError: if nothing answers to the name.
        CorruptFileError: if a file is missing, or the config describes what nobody could build.
    """
    name = str(source)
    locate(name, hub)
    for file in (PREPROCESSOR, PROCESSOR):  # a repo has one of them
        with suppress(SGFError):
            locate(name, hub, files=(file,))
    folder = locate(name, hub, files=(CONFIG, WEIGHTS, *files))
    try:
        _check_counts(read_json(folder / CONFIG))
    except BadValueError as error:
        raise CorruptFileError(f"{CONFIG} of {repo_name(folder)!r} is not usable: {error}") from None
    return folder


def load_network(kind: Any, folder: Path, config: Any, build: Callable[[Any], Any] | None = None) -> Any:
    """A network of transformers with every weight from its file: float32, on the CPU, in evaluation mode.

    Args:
        kind: its class, with a `from_pretrained`.
        folder: of its config and its weights.
        config: transformers' object of that config.
        build: config => network; `kind` itself by default.

    Raises:
        CorruptFileError: if the weights do not fit the config.
    """
    with shapes_only():
        described = sum(value.numel() for value in (build or kind)(config).state_dict().values())
    with safe_open(str(folder / WEIGHTS), framework="pt") as file:
        held = sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
    if described > 2 * held:  # some weights are stored once and used twice
        raise CorruptFileError(
            f"{WEIGHTS} of {repo_name(folder)!r} does not fit its config: it holds {held} numbers of {described}."
        )
    with quietly():
        network, report = kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    if missing := sorted(report["missing_keys"]):  # which transformers would leave random
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CorruptFileError(
            f"{WEIGHTS} of {repo_name(folder)!r} does not fit its config: missing {missing[0]}{more}."
        )
    return fold_batchnorm(network.eval().requires_grad_(False))


def _check_counts(config: dict[str, Any]) -> None:
    for key, value in config.items():
        if isinstance(value, dict):
            _check_counts(value)
        elif key in _COUNTS and value is not None:
            for count in value if isinstance(value, list) else [value]:
                bounded(key, count, 0, _COUNTS[key])


@contextmanager
def usable(folder: Path, what: str) -> Iterator[None]:
    """Whatever transformers raises about a repo, in one sentence: it is not usable as `what`."""
    try:
        yield
    except CorruptFileError:
        raise
    except (*BROKEN, BadValueError) as error:
        raise CorruptFileError(f"{repo_name(folder)!r} is not usable as {what}: {reason(error)}") from None


def reason(error: BaseException) -> str:
    """The beginning of what a library says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


@contextmanager
def quietly() -> Iterator[None]:
    """Without transformers' progress bars and reports: what goes wrong is raised."""
    logging = import_module("transformers.utils.logging")
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def architecture(config: dict[str, Any]) -> str:
    """The name of the class that a config.json was written by, or "" if it says none."""
    classes = config.get("architectures")
    return classes[0] if isinstance(classes, list) and classes and isinstance(classes[0], str) else ""


def labels_of(config: dict[str, Any], most: int) -> tuple[str, ...] | None:
    """The labels of a config.json as distinct names, "Wearing Hat" as "wearing_hat"; None if it has none of its own.

    Args:
        config: its content.
        most: how many at most.

    Raises:
        BadValueError: if they are not names, numbered from 0.
    """
    given = config.get("id2label")
    if not given:
        return None
    if not isinstance(given, dict) or len(given) > most or set(given) != {str(i) for i in range(len(given))}:
        raise BadValueError(f"id2label must give at most {most} labels, numbered from 0.")
    names: list[str] = []
    for i in range(len(given)):
        name = cleaned(given[str(i)]) or f"label_{i}"
        names.append(name if name not in names else f"{name}_{i}")  # two birds and two machines are called "crane"
    if names == [f"label_{i}" for i in range(len(names))]:
        return None
    return tuple(names)


def cleaned(label: object) -> str:
    """A label as a name: lower case, everything between words an underscore, at most 80 characters."""
    return re.sub(r"\W+", "_", str(label).lower()).strip("_")[:80].strip("_")
