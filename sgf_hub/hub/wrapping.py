"""What wrapping a user's own model takes, be it a generator or a predictor."""

from typing import Any

from torch import Tensor, nn

from sgf_hub.errors import BadValueError
from sgf_hub.validation import short

# what a network raises that is given something else than it takes
BROKEN = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError)


def frozen(what: str, function: Any) -> Any:
    """The function; a module, or the module that it is a method of, is put in evaluation mode without gradients.

    Args:
        what: "the network", for the message.
        function: a module or a function.

    Raises:
        BadValueError: if it is neither.
    """
    if not callable(function):
        raise BadValueError(f"{what} is {short(function)}; it must be a module or a function.")
    module = getattr(function, "__self__", function)
    if isinstance(module, nn.Module):
        module.eval()
        for weight in module.parameters():  # a scripted module knows no requires_grad_ of its own
            weight.requires_grad_(False)
    return function


def described(value: Any) -> str:
    """What came out of a network, in a few words."""
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, dict):
        return f"a {type(value).__name__} of {', '.join(map(short, list(value)[:4])) or 'nothing'}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def first_words(error: BaseException) -> str:
    """The beginning of what a network says, in one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
