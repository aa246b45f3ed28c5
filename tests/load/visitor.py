"""A visitor of the page: Gradio's own client, doing what the browser does, with a session of its own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
from gradio_client import Client


@dataclass(frozen=True)
class Outcome:
    """What a visitor saw of one edit.

    Args:
        preview_s: until the first picture of the edit came, in seconds.
        result_s: until its result stood.
        frames: how many pictures of it came.
        image: the result, a data URI.
        status: the line below it.
    """

    preview_s: float
    result_s: float
    frames: int
    image: str
    status: str


class Visitor:
    """A page that is open on the demo.

    Args:
        url: of the demo.
        prefix: of the ids of the panel's components: "" for faces, "flower-" for flowers.
    """

    def __init__(self, url: str, prefix: str = "") -> None:
        self.prefix = prefix
        self.client = Client(url, verbose=False, download_files=False, ssl_verify=False)  # certificates take longer
        self._config: dict[str, Any] = self.client.config  # type: ignore[assignment]
        self._components = {one["id"]: one for one in self._config["components"]}
        for endpoint in self.client.endpoints.values():
            endpoint.is_valid = True  # the page's own events are private: hidden from programs, not from browsers

    def begin(self, seed: int) -> dict:
        """A picture from a seed; what the stage then shows."""
        shown = self._submit(f"{self.prefix}seed", "submit", {f"{self.prefix}seed": str(seed)}).result(timeout=300)
        return self._stage(f"{self.prefix}seed", "submit", shown)

    def edit(self, tab: str, *, stop_after: int | None = None, **values: Any) -> Outcome:
        """Press Edit, and look on until the result stands.

        Args:
            tab: "attributes", "keypoints" or "captions".
            stop_after: press Stop once so many pictures of the edit have come.
            values: of the tab's components, by id; others keep what they begin with.
        """
        button, begun = f"edit-{tab}", time.monotonic()
        job = self._submit(button, "click", values)
        preview, frames = None, 0
        for shown in job:
            stage = self._stage(button, "click", shown)
            if stage.get("image"):
                frames += 1
                preview = preview or time.monotonic() - begun
            if frames == stop_after:
                self._submit(f"stop-{tab}", "click", {}).result(timeout=300)
        stage = self._stage(button, "click", job.result(timeout=300))  # raises what went wrong
        result = time.monotonic() - begun
        return Outcome(preview or result, result, frames, str(stage.get("image")), str(stage.get("status")))

    def undo(self) -> dict:
        """Press Undo, after nothing runs any more."""
        button = f"{self.prefix}undo"
        for index in self._events(button, "click"):
            shown = self.client.submit(*self.inputs(index, {}), fn_index=index).result(timeout=300)
        # the second listener of the two: the first one has ended what ran; it is triggered by that one, not by a click
        after = next(
            dep["id"]
            for dep in self._config["dependencies"]
            if [target[1] for target in dep["targets"]] == ["then"] and dep.get("trigger_after") == index
        )
        shown = self.client.submit(*self.inputs(after, {}), fn_index=after).result(timeout=300)
        return self._stage_of(after, shown)

    def cancel(self, tab: str, **values: Any) -> None:
        """Begin an edit, and have the client cancel it at its first picture."""
        job = self._submit(f"edit-{tab}", "click", values)
        for _ in job:
            break
        job.cancel()

    def close(self) -> None:
        """Leave the page."""
        self.client.close()

    # -- the page's events ----------------------------------------------------------------------------------------

    def _events(self, elem_id: str, event: str) -> list[int]:
        target = next(i for i, one in self._components.items() if one["props"].get("elem_id") == elem_id)
        return [dep["id"] for dep in self._config["dependencies"] if [target, event] in map(list, dep["targets"])]

    def _event(self, elem_id: str, event: str) -> int:
        """The listener that shows something."""
        found = self._events(elem_id, event)
        return max(found, key=lambda index: len(self._dependency(index)["outputs"]))

    def _dependency(self, index: int) -> dict[str, Any]:
        return next(dep for dep in self._config["dependencies"] if dep["id"] == index)

    def _submit(self, elem_id: str, event: str, values: dict[str, Any]) -> Any:
        index = self._event(elem_id, event)
        return self.client.submit(*self.inputs(index, values), fn_index=index)

    def inputs(self, index: int, values: dict[str, Any]) -> list[Any]:
        """What the page would send: the components' values, with some of them changed."""
        given = []
        for i in self._dependency(index)["inputs"]:
            component = self._components[i]
            if component["type"] != "state":
                props = component["props"]
                given.append(values.get(str(props.get("elem_id")), props.get("value")))
        return given

    def _stage(self, elem_id: str, event: str, shown: Any) -> dict:
        return self._stage_of(self._event(elem_id, event), shown)

    def _stage_of(self, index: int, shown: Any) -> dict:
        """What the stage was told, of all that a handler's update says; {} where it says nothing of the stage."""
        outputs = [self._components[i] for i in self._dependency(index)["outputs"]]
        visible = [one for one in outputs if one["type"] != "state"]
        place = [one["props"].get("elem_id") for one in visible].index(f"{self.prefix}stage")
        told = shown[place]
        value = told.get("value", told) if isinstance(told, dict) else {}
        return value if isinstance(value, dict) else {}


def vanish(url: str, seed: int, wishes: dict[str, float]) -> None:
    """Begin an edit, and be gone as its first picture comes: a browser that is closed, a train in a tunnel."""
    client = Client(url, verbose=False, ssl_verify=False)
    index = next(d["id"] for d in client.config["dependencies"] if d["api_name"] == "edit_attributes")  # type: ignore
    names = {"seed": seed, "wishes": wishes}
    inputs = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/edit_attributes"]  # type: ignore
    data = [names.get(one["parameter_name"], one.get("parameter_default")) for one in inputs["parameters"]]
    body = {"data": data, "fn_index": index, "session_hash": client.session_hash}
    httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()
    address = f"{url}gradio_api/queue/data"
    with httpx.stream("GET", address, params={"session_hash": client.session_hash}, timeout=60) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_generating":
                break
    client.close()
