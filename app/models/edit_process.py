"""All edits in a process of their own, where no page has to be answered between two operations of a step.

A step of a batch is hundreds of short operations, each of which waits for the interpreter: in the process that serves
the page its threads have it for a third of the time. What is asked for goes there as a plan and a latent, steps come
back as they are taken. There they run in an `EditLoop`, with the models of the embedded zoo, loaded there once more.
"""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.models.edit_loop import Arrivals, Edit, watch

if TYPE_CHECKING:
    from app.core.session import Plan
    from app.models.services import Models
    from sgf_hub.editing import EditStep
    from sgf_hub.types import Latent, Predictor

ENDED = "The edit was cut off where it is computed: try it again."


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_it() -> bool:
    """Whether edits are better computed apart.

    Not on a single core, where two processes would only take turns; nor where a GPU is lent, to processes of its own.
    """
    from app.models.edit_run import steps_on, steps_on_gpu

    return cores() > 1 and steps_on_gpu is steps_on


@dataclass
class _Awaited:
    """An edit that somebody waits for.

    Args:
        predictor: of its editor, in this process.
        arrivals: of it.
        connection: where it is made.
    """

    predictor: Any
    arrivals: Arrivals
    connection: Connection | None = None


class EditProcess:
    """The process: started when it is first needed, and again when it has ended."""

    def __init__(self) -> None:
        self._awaited: dict[int, _Awaited] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self, *warm: object) -> None:
        """Start it, if it does not run.

        Args:
            warm: what it loads at once, as `Models.warm` takes it.
        """
        with self._lock:
            self._send("warm", *warm)

    def stop(self) -> None:
        """End it, with all edits in it."""
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                self._process.join()

    def steps(
        self, predictor: Predictor, plan: Plan, latent: Latent, drawn: Any = None, *, paced: bool = False
    ) -> Iterator[list[EditStep]]:
        """The steps of an edit, as `EditLoop.steps` has them; closing it ends the edit.

        Args:
            predictor: of the plan's editor, in this process: what a caption's read in the other one it remembers here.
            plan: what is asked.
            latent: where it begins.
            drawn: its picture, [1, 3, R, R], where that is known.
            paced: for somebody who looks on.
        """
        number, arrivals = next(self._numbers), Arrivals()
        with self._lock:
            awaited = self._awaited[number] = _Awaited(predictor, arrivals)
            try:
                awaited.connection = self._send("begin", number, plan, latent, drawn)
            except BaseException:
                del self._awaited[number]
                raise
        try:
            yield from watch(arrivals, lambda: len(self._awaited), paced)
        finally:
            with self._lock:
                del self._awaited[number]
                if awaited.connection is self._connection:  # and not another that was begun since
                    self._send("end", number)

    def _send(self, *message: object) -> Connection:
        """Tell the process something, over the connection to it; whoever calls has the lock."""
        packed = _packed(message)
        for _ in range(2):
            if self._connection is None:
                self._connection = self._begin()
            try:
                self._connection.send_bytes(packed)
                return self._connection
            except OSError:  # it has ended
                self._connection = None
        raise UserError(ENDED)

    def _begin(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), name="edits", daemon=True)
        self._process.start()
        there.close()
        threading.Thread(target=self._receive, args=(here,), daemon=True).start()
        return here

    def _receive(self, connection: Connection) -> None:
        while True:
            try:
                number, came, over, readings = pickle.loads(connection.recv_bytes())
            except (EOFError, OSError):
                break
            awaited = self._awaited.get(number)
            if awaited is not None:
                if readings:
                    awaited.predictor.remember(came.c, readings)
                awaited.arrivals.put(came, over)
        with self._lock:
            if self._connection is connection:
                self._connection = None
            cut = [awaited for awaited in self._awaited.values() if awaited.connection is connection]
            for awaited in cut:
                awaited.arrivals.put(UserError(ENDED), True)


# -- in the other process ---------------------------------------------------------------------------------------------


def _serve(connection: Connection) -> None:
    """What the process does, until the one that serves the page is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from app.models.services import Models

    worker = _Worker(connection, Models())
    threading.Thread(target=worker.send, daemon=True).start()
    worker.receive()
    os._exit(0)  # whatever is being computed, nobody waits for it


class _Worker:
    """Edits for the process at the other end.

    Args:
        connection: to it.
        models: what edits.
    """

    def __init__(self, connection: Connection, models: Models) -> None:
        self.connection, self.models = connection, models
        self._beginning = ThreadPoolExecutor(8, "beginning")  # an editor is loaded at its first use
        self._edits: dict[int, Edit | None] = {}  # None until it is loaded
        self._going: SimpleQueue[Any] = SimpleQueue()
        self._lock = threading.Lock()

    def send(self) -> None:
        """Send what comes, for as long as it is taken."""
        with suppress(OSError):
            while True:
                number, came, over, readings = self._going.get()
                if isinstance(came, Exception):
                    came = _plain(came)
                self.connection.send_bytes(_packed((number, came, over, readings)))

    def receive(self) -> None:
        """Do what is asked, until nobody is there."""
        with suppress(EOFError, OSError):
            while True:
                what, *rest = pickle.loads(self.connection.recv_bytes())
                getattr(self, f"_{what}")(*rest)

    def _warm(self, *what: Any) -> None:
        if what:
            self._beginning.submit(self.models.warm, *what)

    def _begin(self, number: int, plan: Plan, latent: Latent, drawn: Any) -> None:
        self._edits[number] = None
        self._beginning.submit(self._load, number, plan, latent, drawn)

    def _load(self, number: int, plan: Plan, latent: Latent, drawn: Any) -> None:
        from app.models.edit_run import work_of

        try:
            editor, work = work_of(self.models, plan, latent, drawn)
        except Exception as error:
            self._going.put((number, error, True, None))
            return
        predictor: Any = editor.predictor

        def arrived(came: EditStep | Exception, over: bool) -> None:
            read = not isinstance(came, Exception) and predictor.spec.caption and predictor.readings(came.c)
            self._going.put((number, came, over, read))

        with self._lock:
            if number in self._edits:
                self._edits[number] = self.models.edits.begin(editor.generator, work, arrived)

    def _end(self, number: int) -> None:
        with self._lock:
            edit = self._edits.pop(number, None)
        if edit is not None:
            self.models.edits.end(edit)


# -- what goes from one to the other ----------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Tensors as arrays: PyTorch's own way writes a file for each."""

    def reducer_override(self, thing: Any) -> Any:
        import torch

        if type(thing) is torch.Tensor:
            return torch.from_numpy, (thing.numpy(),)
        return NotImplemented


def _plain(error: Exception) -> Exception:
    """A mistake as it is, if it can be sent; or else what it says."""
    try:
        pickle.loads(_packed(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _packed(message: object) -> bytes:
    written = io.BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(message)
    return written.getvalue()
