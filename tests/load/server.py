"""The demo as a process of its own, in a temporary folder, and what it takes of memory and disk. Linux: reads /proc."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    """A demo that is being served.

    Args:
        url: its address.
        pid: of its process.
        folder: where it keeps what it writes.
    """

    url: str
    pid: int
    folder: Path

    def memory(self) -> float:
        """Resident memory, in MB."""
        return memory(self.pid)

    def disk(self) -> float:
        """What it has written and not removed, in MB."""
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files) / 2**20


def processes(pid: int) -> list[int]:
    """A process and what it has started."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            with suppress(OSError):  # it has ended
                found += map(int, children.read_text().split())
    return found


def memory(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process and of what it has started, in MB: resident now, or the most of it so far ("VmHWM")."""
    kilobytes = 0
    for one in processes(pid):
        with suppress(OSError):
            found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{one}/status").read_text())
            kilobytes += int(found[1]) if found else 0
    return kilobytes / 1024


def computing(pid: int) -> float:
    """What a process and what it has started have computed, in seconds of all their threads."""
    ticks = 0
    for one in processes(pid):
        with suppress(OSError):
            times = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(times[11]) + int(times[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(root: Path = ROOT, **environment: str) -> Iterator[Server]:
    """The demo on the embedded zoo, for as long as the block lasts.

    Args:
        root: of the checkout whose demo it is.
        environment: variables.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": folder,
            "TMPDIR": folder,
            **environment,
        }
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([sys.executable, "app.py"], cwd=root, env=os.environ | settings, **quiet)
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_for(url, process)
            yield Server(url, process.pid, Path(folder))
        finally:
            process.terminate()
            process.wait()


def _wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the demo ended, or served no page within two minutes")
