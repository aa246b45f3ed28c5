"""The real huggingface_hub client, pointed at the loopback Hub within this process.

The client reads its settings when it is imported, so they are changed where it keeps them. The round trip's tests set
them from outside, as a user does, in processes of their own.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from huggingface_hub import close_session, constants
from huggingface_hub.utils import _xet

import sgf_hub.hub.names
from sgf_hub.hub import xet
from tests.hub.loopback import Hub, Repo, serve
from tests.hub.storage import SETTINGS

ANN = "hf_anns_secret"


@dataclass
class World:
    """A user at a machine, and the Hub.

    Args:
        hub: the server.
        zoo: the embedded zoo, of toys; a copy that may be changed.
        home: a folder of the user's.
        waits: s that the client, or ours, waited before it tried again (nobody really waits).
    """

    hub: Hub
    zoo: Path
    home: Path
    waits: list[float] = field(default_factory=list)

    def log_in(self, token: str | None) -> None:
        """Use this token from now on; None for none."""
        os.environ.pop("HF_TOKEN", None)
        if token:
            os.environ["HF_TOKEN"] = token

    def forget(self) -> None:
        """Empty the cache of downloads."""
        shutil.rmtree(constants.HF_HUB_CACHE, ignore_errors=True)

    def hold_zoo(self) -> None:
        """Put the zoo into private repos of ann's, log out, and have it nowhere else."""
        for folder in self.zoo.iterdir():
            files = {path.name: path.read_bytes() for path in folder.iterdir()}
            files["config.json"] = files["config.json"].replace(b'"sgf-hub/', b'"ann/')
            self.hub.repos["model", f"ann/{folder.name}"] = repo = Repo(private=True)
            repo.tags["v1"] = repo.commit(files, "pushed").oid
        shutil.rmtree(self.zoo)
        self.log_in(None)

    @property
    def half_written(self) -> list[Path]:
        """Files of the cache that are not whole, outside of where the client keeps what it goes on with."""
        snapshots = Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/**/*")
        broken = []
        for path in snapshots:
            if path.is_file():
                owner, name = path.relative_to(constants.HF_HUB_CACHE).parts[0].split("--")[1:]
                commit = self.hub.model(f"{owner}/{name}").at(path.parent.name)
                if commit is None or commit.files[path.name] != path.read_bytes():
                    broken.append(path)
        return broken


_QUICK = {"CONNECT_TIMEOUT": "500ms", "READ_TIMEOUT": "500ms", "RETRY_BASE_DELAY": "20ms", "RETRY_MAX_ATTEMPTS": "1"}


@contextmanager
def world(zoo: Path, home: Path, *, by_xet: bool = True) -> Iterator[World]:
    """The real client against a fresh loopback Hub; ann is logged in, and the zoo is a copy of `zoo`.

    Args:
        zoo: of toys.
        home: a folder for the user's files.
        by_xet: whether large files go by Xet, as they do with the real Hub, or by plain HTTP.
    """
    home.mkdir(parents=True, exist_ok=True)
    copy = Path(shutil.copytree(zoo, home / "zoo"))
    with serve() as hub, mock.patch.dict(os.environ), mock.patch.object(sgf_hub.hub.names, "root", lambda: copy):
        here = World(hub, copy, home)
        sleep = time.sleep

        def wait(seconds: float) -> None:
            here.waits.append(seconds)
            sleep(min(seconds, 0.01))

        settings = {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_OFFLINE": False,
            "HF_HUB_CACHE": str(home / "cache"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_STORED_TOKENS_PATH": str(home / "tokens"),
            "HF_HUB_DISABLE_XET": not by_xet,
            "HF_HUB_DISABLE_TELEMETRY": True,
        }
        patches = [mock.patch.object(constants, name, value) for name, value in settings.items()]
        patches.append(mock.patch("time.sleep", wait))
        patches.append(mock.patch.object(xet, "ANSWERS_WITHIN", 0.5))
        os.environ |= {**SETTINGS, "HF_XET_CACHE": str(home / "xet")}
        os.environ |= {f"HF_XET_CLIENT_{name}": value for name, value in _QUICK.items()}
        _xet.abort_xet_session()  # the settings are read by a new one
        for patch in patches:
            patch.start()
        here.log_in(ANN)
        close_session()
        try:
            yield here
        finally:
            close_session()
            _xet.abort_xet_session()
            for patch in reversed(patches):
                patch.stop()
