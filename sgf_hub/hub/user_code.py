"""Generators and predictors in the user's own code, named FILE.py:NAME on the command line.

Loading one runs the file. That is why no name out of a config.json, which may come from anywhere, is ever looked up
here.
"""

import importlib.util
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from sgf_hub.errors import BadValueError, SGFError, UnknownNameError

_NAME = re.compile(r"(?P<file>.+\.py):(?P<name>[^\W\d]\w*)")


def is_code(text: str) -> bool:
    """Whether a text names something in a Python file."""
    return _NAME.fullmatch(text) is not None


def from_code(text: str, protocol: type, what: str) -> Any:
    """The object that FILE.py:NAME names; the file is run for it.

    Args:
        text: FILE.py:NAME.
        protocol: what it must be, `Generator` or `Predictor`.
        what: what to write in the file if it is something else.

    Raises:
        BadValueError: if the text is no such name, or the object is of another kind.
        UnknownNameError: if there is no such file, or no such name in it.
        SGFError: if the file fails.
    """
    from sgf_hub.validation import nearest, short

    found = _NAME.fullmatch(text)
    if found is None:
        raise BadValueError(f"{text!r} is no name in your code: write FILE.py:NAME.")
    path = Path(found["file"])
    if not os.path.isfile(path):  # where the name is too long for a path, too
        raise UnknownNameError(f"there is no file {short(str(path))}.")
    module = _run(path)
    if not hasattr(module, found["name"]):
        raise UnknownNameError(f"{path.name} has no {found['name']!r}{nearest(found['name'], vars(module))}.")
    made = getattr(module, found["name"])
    if not isinstance(made, protocol):
        kind = type(made).__name__
        raise BadValueError(f"{text} is of type {kind}, and no {protocol.__name__.lower()}: {what}.")
    return made


def _run(path: Path) -> Any:
    """The file as a module, run once a process; what lies beside it can be imported by it."""
    name = f"_sgf_hub_user_{path.resolve().as_posix()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        at = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).resolve() == path.resolve()
        ]
        line = f" line {at[-1].lineno}" if at else ""
        reason = str(error).splitlines()[0] if str(error) else ""
        raise SGFError(f"{path.name}{line} fails with {type(error).__name__}: {reason}") from error
    finally:
        sys.path.pop(0)
    return module
