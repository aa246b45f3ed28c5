"""A client that keeps to no rules: raw requests, and what each got, in words."""

from __future__ import annotations

import http.client
import json
import re
import sys
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

LEAKS = ("Traceback", 'File "', "site-packages", "root:x:0:", "<script", "Error:", ".py")
"""What no answer may hold; but for what was sent itself."""
OURS = (str(Path(__file__).parents[2]), sys.prefix)
"""Folders of this machine that no answer may name, even to who knows them."""
_FOLDERS = "|".join(re.escape(path.name) for path in sorted(Path("/").iterdir()) if path.is_dir())
_PATH = re.compile(rf"(?<![\w/:.])/(?:{_FOLDERS})(?:/[\w.+-]+)+")
_LONGEST = 1000  # characters of an answer that is a refusal


class Finding(AssertionError):
    """An answer that a hostile client should not get."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: of HTTP.
        text: a sentence, or what the result is; "" for a refusal without words.
        result: what an endpoint or event gave, if it gave something.
    """

    status: int
    text: str
    result: Any = None

    def __str__(self) -> str:
        words = " ".join(self.text.split())
        words = words if len(words) < 120 else words[:119] + "…"
        if self.result is not None:
            return words or "done, as any other"
        said = f"“{words}”" if words else "refused without words"
        return said if self.status == 200 else f"{self.status}: {said}" if words else str(self.status)


@dataclass(frozen=True)
class Attacker:
    """Sends what a page never would.

    Args:
        url: of the demo.
    """

    url: str

    @property
    def api(self) -> str:
        return f"{self.url.rstrip('/')}/gradio_api"

    @cached_property
    def client(self) -> httpx.Client:
        """What sends; made once, for to read the certificates takes longer than an answer."""
        return httpx.Client(timeout=120)

    @cached_property
    def config(self) -> dict:
        """What the page is made of."""
        return self.client.get(f"{self.url}config").json()

    def call(self, endpoint: str, body: object) -> Answer:
        """Call an endpoint with a body (JSON of ours, or text as it is)."""
        answer = self.post(f"/call/v2/{endpoint}", body)
        found = re.search(r'"event_id":"(\w+)"', answer.text)
        if answer.status != 200 or not found:
            return answer
        stream = self.client.get(f"{self.api}/call/{endpoint}/{found[1]}").text
        kind, data = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
        value = json.loads(data)
        if kind == "complete":
            return Answer(200, "", value[0])
        return Answer(200, str((value or {}).get("error") or ""))

    def post(self, path: str, body: Any) -> Answer:
        """Post JSON, or text, bytes or pieces of bytes as they are."""
        content = json.dumps(body) if isinstance(body, dict | list) else body
        headers = {"content-type": "application/json"}
        return _said(self.client.post(f"{self.api}{path}", content=content, headers=headers))

    def get(self, path: str) -> Answer:
        """Get a path as it is, with all its dots."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        try:
            connection.putrequest("GET", path)
            connection.endheaders()
            answer = connection.getresponse()
            try:
                content = answer.read()
            except http.client.IncompleteRead as cut:
                content = cut.partial
            return Answer(answer.status, _sentence(content.decode("utf-8", "replace")))
        finally:
            connection.close()

    def upload(self, name: str, content: bytes) -> Answer:
        """Send a file; the result is the path that Gradio gave it."""
        answer = self.client.post(f"{self.api}/upload", files={"files": (name, content)})
        return Answer(200, "", answer.json()[0]) if answer.status_code == 200 else _said(answer)

    def event(self, index: int, data: list[Any], session: str = "") -> Answer:
        """What one of the page's own events gives to these values."""
        session = session or uuid.uuid4().hex
        joined = self.post("/queue/join", {"fn_index": index, "data": data, "session_hash": session})
        if joined.status != 200:
            return joined
        address = f"{self.api}/queue/data"
        with self.client.stream("GET", address, params={"session_hash": session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    output = message["output"]
                    return Answer(200, "", output) if message["success"] else Answer(200, str(output["error"] or ""))
        return Answer(500, "the stream ended")

    def act(self, elem_id: str, event: str, values: dict[str, Any], session: str = "") -> Answer:
        """What the page gives when something is done to a component, and what its components hold is this.

        Args:
            elem_id: of the component.
            event: "click", "upload" ...
            values: by the id of the component that holds them; the others hold what they do at first.
            session: whose page it is.
        """
        config = self.config
        components = {one["id"]: one["props"] for one in config["components"]}
        ids = {number for number, props in components.items() if props.get("elem_id") == elem_id}
        chosen = next(
            one
            for one in config["dependencies"]
            if one["outputs"] and one["queue"] and any(t[0] in ids and t[1] == event for t in one["targets"])
        )
        held = [components[number] for number in chosen["inputs"]]
        data = [values.get(str(props.get("elem_id")), props.get("value")) for props in held]
        return self.event(chosen["id"], data, session)

    def open_file(self, path: str, name: str = "latent.safetensors") -> Answer:
        """Say to the page that a file was uploaded to a path."""
        file = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        return self.act("open-latent", "upload", {"open-latent": file})


def check(answer: Answer, sent: str = "") -> Answer:
    """The answer, if it gives nothing away.

    Raises:
        Finding: otherwise.
    """
    found = [sign for sign in LEAKS if sign in answer.text and sign not in sent]
    found += [path for path in _PATH.findall(answer.text) if path not in sent]
    # what an event gives names its pictures by their paths in Gradio's folder, which its page asks for them by
    found += [folder for folder in OURS if folder in f"{answer.text} {answer.result}"]
    said = len(answer.text) - len(sent) if sent and sent[:100] in answer.text else len(answer.text)
    if found or answer.status >= 500 and answer.status != 503 or said > _LONGEST:
        raise Finding(f"{answer.status} {answer.text[:500]!r} ({found})")
    return answer


def _said(answer: httpx.Response) -> Answer:
    return Answer(answer.status_code, _sentence(answer.text))


def _sentence(text: str) -> str:
    """What FastAPI and Gradio say, out of its JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    told = value.get("detail", value.get("error")) if isinstance(value, dict) else None
    if isinstance(told, list) and told:
        told = "; ".join(str(one.get("msg")) for one in told)
    return str(told) if told else text
