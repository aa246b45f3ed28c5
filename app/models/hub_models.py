"""Mappings that visitors open by name: found, fetched, tried, kept for a while, and let go. No Gradio in here.

An entry of the embedded zoo runs on the models that the page has anyway. What comes from the Hub has models of its own,
of which the few used last are kept; whoever needs one that went gets it loaded again, by the commit it had.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import UserError
from app.core.model_sets import HubModelSet, check_names, model_set_of
from app.models import sandbox
from app.models.loading import NEWS, bring, sizes
from app.models.services import Models
from sgf_hub.hub.kinds import role_of

if TYPE_CHECKING:
    from sgf_hub.hub.composition import Composition, Limits

KEPT = 3  # models of the Hub in memory
KEPT_FILES = 6  # and on disk
MOST_WAITING = 6  # names that are fetched or wait for it
LONGEST = 200  # characters of a name


@dataclass
class Fetch:
    """A fetch that runs, or waits.

    Args:
        name: what is opened.
        said: how it goes.
        folder: where files arrive.
        size: how many bytes come; 0 while that is not known.
        result: of it, its model set.
    """

    name: str
    said: str = ""
    folder: Path | None = None
    size: int = 0
    result: Future = field(default_factory=Future)

    @property
    def progress(self) -> str:
        """How it goes, with what has come of it."""
        if not self.folder or not self.size:
            return self.said
        come = min(sum(sizes(self.folder)), self.size)
        return f"{self.said}: {come / 2**20:.0f} of {self.size / 2**20:.0f} MB …"


class HubModels:
    """Who is open: the models of mappings that came from the Hub, the few used last.

    Args:
        models: the page's own, which entries of the zoo run on, and whose queue, lock and edits the others share.
        limits: what may be fetched; by default what SGF_HUB_GUEST_MB and SGF_HUB_GUEST_SIDE say.
        kept: how many to keep in memory.
    """

    def __init__(self, models: Models, limits: Limits | None = None, kept: int = KEPT) -> None:
        self.models, self.kept = models, kept
        self._limits = limits
        self._loaded: OrderedDict[HubModelSet, Models] = OrderedDict()
        self._folders: OrderedDict[HubModelSet, Path] = OrderedDict()  # of the mappings; all their parts are beside
        self._jobs: dict[tuple[str, str], Fetch] = {}
        self._lock = threading.Lock()
        self._worker: ThreadPoolExecutor | None = None
        self._home: tempfile.TemporaryDirectory | None = None

    # -- what handlers call -------------------------------------------------------------------------------------------

    def open(self, text: object) -> Iterator[str | HubModelSet]:
        """Open a mapping by what a visitor typed.

        Args:
            text: an entry of the embedded zoo, or a Hub id.

        Yields:
            How it goes, in sentences; its model set at the end.

        Raises:
            UserError: if it is no such name, or cannot be opened.
            SGFError: likewise.
        """
        from sgf_hub.hub.names import embedded, is_hub_id

        name = text.strip() if isinstance(text, str) else ""
        if not name:
            raise UserError("Nothing is named: write a Hub id such as owner/name, or the name of a mapping below.")
        if len(name) <= LONGEST and embedded(name):
            yield f"Opening {name} …"
            yield self._entry(name)
            return
        if len(name) > LONGEST or not is_hub_id(name):
            raise UserError(
                f"{name[:60]!r} is not the name of a mapping{_meant(name)}: write a Hub id, owner/name, or one below."
            )
        yield from self._wait(name, "")

    def bring_back(self, model_set: HubModelSet) -> Iterator[str]:
        """See to it that the models of a model set are there: sentences on how it goes, none where they are."""
        if not model_set.commit:
            yield from bring(self.models, model_set)
        elif model_set not in self._loaded:
            yield from (news for news in self._wait(model_set.mapping, model_set.commit) if isinstance(news, str))

    def models_of(self, model_set: HubModelSet) -> Models:
        """The models of a model set, loaded again if they went."""
        if not model_set.commit:
            return self.models
        while True:
            with self._lock:
                if model_set in self._loaded:
                    self._loaded.move_to_end(model_set)
                    return self._loaded[model_set]
            for _ in self.bring_back(model_set):
                pass

    # -- entries of the zoo ------------------------------------------------------------------------------------------

    def _entry(self, name: str) -> HubModelSet:
        from sgf_hub.hub.kinds import kind_of
        from sgf_hub.hub.names import NAMESPACE, root
        from sgf_hub.validation import read_json, short

        name = name.removeprefix(NAMESPACE + "/")
        config = read_json(root() / name / "config.json")
        if role_of(kind_of(config)) != "mapping":
            kind = short(kind_of(config))[1:-1]
            raise UserError(
                f"{name} holds a {kind}, which draws or reads pictures; only mappings can be opened{_meant(name)}."
            )
        return model_set_of(name, config, "")

    # -- repos of the Hub --------------------------------------------------------------------------------------------

    def _wait(self, name: str, commit: str) -> Iterator[str | HubModelSet]:
        """Wait for a job of the one worker; several visitors may wait for the same."""
        job = self._job(name, commit)
        said = ""
        while True:
            try:
                model_set = job.result.result(timeout=NEWS if said else 0.05)
            except NotYet:
                if job.progress != said:
                    said = job.progress
                    yield said
                continue
            yield model_set
            return

    def _job(self, name: str, commit: str) -> Fetch:
        with self._lock:
            if (name, commit) in self._jobs:
                return self._jobs[name, commit]
            if len(self._jobs) >= MOST_WAITING:
                raise UserError("Many models are being fetched at the moment: try again in a minute.")
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, "hub-models")
            job = self._jobs[name, commit] = Fetch(name, f"Waiting for others to fetch theirs, then {name} …")
            self._worker.submit(self._run, job, commit)
            return job

    def _run(self, job: Fetch, commit: str) -> None:
        try:
            model_set = self._bring(job, commit)
        except BaseException as error:
            outcome: Any = error
        else:
            outcome = model_set
        with self._lock:
            del self._jobs[job.name, commit]
        if isinstance(outcome, BaseException):
            job.result.set_exception(outcome)
        else:
            job.result.set_result(outcome)

    def _bring(self, job: Fetch, commit: str) -> HubModelSet:
        """Survey, fetch, try and load; whatever of it was done before and is still there is left out."""
        from sgf_hub.hub.composition import survey

        known = next((one for one in self._folders if (one.mapping, one.commit) == (job.name, commit)), None)
        if known is None:
            job.said = f"Looking for {job.name} …"
            folder = Path(tempfile.mkdtemp(dir=self._root()))
            try:
                made = survey(job.name, folder, commit=commit or None, limits=self._given_limits())
                known = model_set_of(job.name, made.mapping.config, str(made.mapping.commit))
                check_names(made.mapping.config)
                if known in self._folders:
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    self._fetch(job, made, folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._folders.setdefault(known, folder / made.mapping.folder)
        self._folders.move_to_end(known)
        if known not in self._loaded:
            job.said, job.size = f"Loading {job.name} …", 0
            try:
                loaded = self._load(known, self._folders[known])
            except BaseException:
                shutil.rmtree(self._folders.pop(known).parent, ignore_errors=True)
                raise
            with self._lock:
                self._loaded[known] = loaded
        self._let_go()
        return known

    def _fetch(self, job: Fetch, made: Composition, folder: Path) -> None:
        from sgf_hub.hub.composition import fetch

        job.said, job.folder, job.size = f"Fetching {job.name}", folder, made.size
        for _ in fetch(made, folder):
            pass
        job.said, job.size = f"Trying {job.name} out …", 0
        sandbox.check(folder / made.mapping.folder, job.name)

    def _load(self, model_set: HubModelSet, folder: Path) -> Models:
        """The models of a model set, all of them there: nothing is read from the folder later."""
        import torch

        from sgf_hub.editing.editor import SGFEditor

        editor = SGFEditor.from_pretrained(str(folder))
        with torch.no_grad():  # what is loaded at its first use
            editor.predictor(editor.generator.synthesize(editor.generator.sample(1, seed=0)))
        models = Models()
        models.queue, models.computing, models.edits = self.models.queue, self.models.computing, self.models.edits
        models.once(("editor", model_set.mapping), lambda: editor)
        models.once(("generator", model_set.generator), lambda: editor.generator)
        models.once(("predictor", model_set.heads), lambda: editor.predictor)
        return models

    def _let_go(self) -> None:
        with self._lock:
            while len(self._loaded) > self.kept:
                self._loaded.popitem(last=False)
        while len(self._folders) > KEPT_FILES:
            shutil.rmtree(self._folders.popitem(last=False)[1].parent, ignore_errors=True)

    def _root(self) -> str:
        if self._home is None:
            self._home = tempfile.TemporaryDirectory(prefix="sgf-hub-models-", ignore_cleanup_errors=True)
        return self._home.name

    def _given_limits(self) -> Limits:
        from sgf_hub.hub.composition import Limits

        if self._limits is not None:
            return self._limits
        usual = Limits()
        return Limits(
            megabytes=_setting("SGF_HUB_GUEST_MB", usual.megabytes), side=_setting("SGF_HUB_GUEST_SIDE", usual.side)
        )


def _meant(name: str) -> str:
    """ " (did you mean ...?)" where a mapping of the zoo has a name like it."""
    from sgf_hub.hub.names import entries
    from sgf_hub.validation import nearest

    bare = name.rstrip("/").rpartition("/")[2].lower()
    return nearest(bare[:LONGEST], [entry.name for entry in entries() if role_of(entry.kind) == "mapping"])


def _setting(name: str, usual: int) -> int:
    """A whole number out of the environment."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() and int(text) > 0 else usual
