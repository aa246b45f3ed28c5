"""Bad inputs at every door of a served demo: `python -m tests.load.hostile [--write]`.

What each one got goes into the table of docs/hostile.md; an answer that gives something away, a server that is gone, or
a file that is left behind, ends it. `tests/app/test_hostile.py` runs the same on toy models.
"""

from __future__ import annotations

import base64
import itertools
import json
import pickle
import re
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from sgf_hub.evaluation.page import renewed
from tests.load.attacker import Answer, Attacker, Finding, check
from tests.load.pictures import ODD_BUT_GOOD, PICTURES

PAGE = Path(__file__).parents[2] / "docs" / "hostile.md"
BEGIN = "<!-- attempts: begin (written by `python -m tests.load.hostile --write`) -->"
END = "<!-- attempts: end -->"
HTML = "<img src=x onerror=alert(1)><script>alert(1)</script>"
SIGNS = "${7*7} {{7*7}} `7*7` %s {0}"
SECRET = "/etc/passwd"
FILE = {"path": SECRET, "meta": {"_type": "gradio.FileData"}}
DEEP = "[" * 100_000 + "]" * 100_000
ODD: dict[str, object] = {
    "null": None, "a list": [1], "an object": {"a": 1}, "true": True, "an empty text": "", "-1": -1, "1e308": 1e308,
    "-0.0": -0.0, "a path": "../../../../etc/passwd", "a file": FILE, "HTML": HTML, "template signs": SIGNS,
    "control characters": "\0\x1b[2J\r\n\u202e", "half a character": "\ud800", "a text of 100 kB": "9" * 100_000,
    "__proto__": {"__proto__": {"polluted": 1}}, "constructor": {"constructor": {"prototype": 1}},
}  # fmt: skip
"""Values that fit nowhere; each goes into every argument of every endpoint, and into every event of the page."""
RAW = {"NaN": "NaN", "Infinity": "Infinity", "1e400": "1e400", "a deep list": DEEP}


@dataclass(frozen=True)
class Attempt:
    """One bad input.

    Args:
        where: the door.
        what: the input, in words.
        send: sends it.
        sent: its text, where an answer may quote it.
    """

    where: str
    what: str
    send: Callable[[Attacker], Answer]
    sent: str = ""

    def run(self, attacker: Attacker) -> Answer:
        """What it got.

        Raises:
            Finding: if that is more than it should have.
        """
        try:
            return check(self.send(attacker), self.sent)
        except Finding as finding:
            raise Finding(f"{self.where}, {self.what}: {finding}") from None


GOOD: dict[str, dict[str, Any]] = {
    "new_face": {},
    "edit_attributes": {"wishes": {"smile": 1}},
    "edit_keypoints": {"wishes": {"nose_tip": [0.5, 0.6]}},
    "edit_caption": {"caption": "a red flower"},
}
_EDIT = (
    "wishes", "seed", "latent", "release", "hold", "choose", "strength", "layers", "max_steps", "truncation", "faces",
)  # fmt: skip
ARGUMENTS = {
    "new_face": ("seed", "truncation", "faces"),
    "edit_attributes": _EDIT,
    "edit_keypoints": _EDIT,
    "edit_caption": ("caption", "seed", "latent", "layers", "max_steps", "truncation"),
}


def arguments() -> Iterator[Attempt]:
    """Every odd value in every argument."""
    for endpoint, names in ARGUMENTS.items():
        steps = {} if endpoint == "new_face" else {"max_steps": 1}
        for name in names:
            for what, value in ODD.items():
                body = {**GOOD[endpoint], **steps, name: value}
                yield _call(endpoint, f"{name}: {what}", json.dumps(body))
            for what, text in RAW.items():
                body = {**GOOD[endpoint], **steps, name: "RAW"}
                yield _call(endpoint, f"{name}: {what}", json.dumps(body).replace('"RAW"', text))
    wishes: dict[str, dict] = {
        "NaN": {"smile": float("nan")}, "2": {"smile": 2}, "text": {"smile": "1"}, "true": {"smile": True},
        "HTML for a name": {HTML: 1}, "template signs for a name": {SIGNS: 1}, "a path for a name": {SECRET: 1},
        "__proto__ for a name": {"__proto__": 1}, "100,000 names": {f"n{i}": 1 for i in range(100_000)},
        "a name of 100 kB": {"n" * 100_000: 1},
    }  # fmt: skip
    for what, value in wishes.items():
        yield _call("edit_attributes", f"wishes: {what}", json.dumps({"wishes": value}))
    for what, point in {"one number": [0.5], "three": [0.1] * 3, "NaN": [0.5, float("nan")], "outside": [2, 2],
                        "text": "ab", "nested": [[0.5], [0.5]]}.items():  # fmt: skip
        yield _call("edit_keypoints", f"wishes: {what} for a point", json.dumps({"wishes": {"nose_tip": point}}))
    for what, body in {"an argument there is none of": '{"polluted": 1}', "no object": "[1]", "no JSON": "nope",
                       "nothing": "", "a deep list": DEEP, "bytes": "\xff\xfe"}.items():  # fmt: skip
        yield _call("new_face", f"the body: {what}", body)


def _call(endpoint: str, what: str, body: str) -> Attempt:
    return Attempt(
        f"/{endpoint}", what, lambda attacker: attacker.call(endpoint, body.encode("utf-8", "replace")), body
    )


def latents(width: int) -> dict[str, bytes]:
    """Files that are no latent of a generator of so many dimensions, by what is wrong with them."""

    def file(space: str = "w", **tensors: torch.Tensor) -> bytes:
        return save(tensors, {"space": space, "generator": "x"})

    def header(text: bytes, size: int | None = None) -> bytes:
        return struct.pack("<Q", len(text) if size is None else size) + text

    good = file(latent=torch.zeros(1, width))
    nan = torch.full((1, width), float("nan"))
    return {
        "empty": b"", "cut off": good[:-7], "cut off in its header": good[:20], "with bytes behind": good + b"x" * 100,
        "a header of 2**63 bytes": header(b"{}", 2**63), "a header of 100 MB": header(b"{}", 100 * 2**20),
        "a header that is no JSON": header(b"nope"), "a header that is deep": header(DEEP.encode()),
        "a header whose offsets lie": header(
            b'{"__metadata__":{"space":"w"},"latent":{"dtype":"F32","shape":[1,8],"data_offsets":[0,999999999999]}}'
        ),
        "a header whose shape overflows": header(
            b'{"__metadata__":{"space":"w"},"latent":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],'
            b'"data_offsets":[0,0]}}'
        ),
        "weights": file(weight=torch.zeros(3, width + 1)),
        "two latents": file(latent=torch.zeros(1, width), w=torch.zeros(1, width)),
        "another space": file("q", latent=torch.zeros(1, width)),
        "whole numbers": file(latent=torch.zeros(1, width).long()),
        "NaN": file(latent=nan), "infinity": file(latent=nan.nan_to_num(float("inf"))),
        "numbers of 1e38": file(latent=torch.full((1, width), 1e38)),
        "float64 beyond float32": file(latent=torch.full((1, width), 1e300, dtype=torch.float64)),
        "no samples": file(latent=torch.zeros(0, width)), "a hundred samples": file(latent=torch.zeros(100, width)),
        "another width": file(latent=torch.zeros(1, width + 1)), "no shape": file(latent=torch.zeros(())),
        "w+ of too many layers": file("w+", latent=torch.zeros(1, 99, width)),
        "a pickle with that name": pickle.dumps({"latent": [0.0]}),
        "a picture with that name": b"\x89PNG\r\n\x1a\n" * 9,
    }  # fmt: skip


def files(width: int) -> Iterator[Attempt]:
    """Open latent: files, and paths that no upload gave; and the same latents as text."""
    for what, content in latents(width).items():
        yield Attempt("Open latent", f"a file: {what}", lambda attacker, content=content: _open(attacker, content))
        body = json.dumps({"wishes": {"smile": 1}, "latent": base64.b64encode(content).decode() or "="})
        yield _call("edit_attributes", f"latent: the text of a file: {what}", body)
    for name in ("../../../../etc/x.safetensors", "x\0.safetensors", "x.safetensors/../../..",
                 "a" * 300 + ".safetensors", HTML + ".safetensors", "x.pkl", ""):  # fmt: skip
        shown = name[:40].replace("\0", "\\0")
        yield Attempt(
            "Open latent", f"a file called {shown!r}",
            lambda attacker, name=name: _open(attacker, latents(width)["empty"], name), name,
        )  # fmt: skip
    for what, text in {"empty": "", "no JSON": "nope", "a list": "[1]", "an empty object": "{}", "deep": DEEP,
                       "NaN": "NaN", "not UTF-8": "\udcff", "800 kB of spaces": " " * 800_000}.items():  # fmt: skip
        yield Attempt(
            "Open latent", f"a shared edit: {what}",
            lambda attacker, text=text: _open(attacker, text.encode("utf-8", "surrogateescape"), "edit.json"),
        )  # fmt: skip
    root = str(Path(__file__).parents[2])
    for path in (SECRET, "/proc/self/environ", f"{root}/zoo/avatars-stylegan2/model.safetensors", "../../etc/passwd",
                 "http://127.0.0.1:1/x.safetensors", "file:///etc/passwd", "", "\0", "/dev/zero"):  # fmt: skip
        yield Attempt(
            "Open latent", f"the path {path.replace(root, '…').replace(chr(0), chr(92) + '0')!r}, never uploaded",
            lambda attacker, path=path: attacker.open_file(path), path,
        )  # fmt: skip
    yield Attempt("upload", "a file of 3 MB", lambda attacker: attacker.upload("x.safetensors", b"x" * 3 * 2**20))
    yield Attempt("upload", "a file of 8 MB", lambda attacker: attacker.upload("x.safetensors", b"x" * 2**23))
    yield Attempt("upload", "a body that is no form", lambda attacker: attacker.post("/upload", b"nope"))


def _open(attacker: Attacker, content: bytes, name: str = "latent.safetensors") -> Answer:
    sent = attacker.upload(name, content)
    return attacker.open_file(sent.result) if sent.result else sent


def requests() -> Iterator[Attempt]:
    """Addresses, other visitors, and requests of the page's own kind."""
    root = str(Path(__file__).parents[2])
    for path in (
        "/gradio_api/file=/etc/passwd", f"/gradio_api/file={root}/app.py", f"/gradio_api/file={root}",
        "/gradio_api/file=app.py", "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2Fetc%2Fpasswd", "/gradio_api/file=%00",
        "/gradio_api/file=http://127.0.0.1:1/", "/gradio_api/proxy=http://169.254.169.254/latest/meta-data",
        "/static/../../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../../../../etc/passwd", "/custom_component/x/client/component/../../../../../etc/passwd",
        "/gradio_api/call/new_face/nosuchevent", "/gradio_api/monitoring", "/monitoring",
        "/gradio_api/stream/x/1/1/playlist.m3u8", "/?" + "a" * 70_000,
    ):  # fmt: skip
        shown = path.replace(root, "…")
        shown = shown if len(shown) < 90 else shown[:40] + "…"
        yield Attempt("address", shown, lambda attacker, path=path: attacker.get(path), path)
    for what, body in {
        "an event that is none": {"fn_index": 10**9, "data": [], "session_hash": "x"},
        "a negative event": {"fn_index": -1, "data": [], "session_hash": "x"},
        "too few values": {"fn_index": 0, "data": [], "session_hash": "x"},
        "an object for a session": {"fn_index": 0, "data": [], "session_hash": {"a": 1}},
        "nothing": {},
    }.items():
        yield Attempt("/queue/join", what, lambda attacker, body=body: attacker.post("/queue/join", body))
    yield Attempt("/queue/join", "a deep list", lambda attacker: attacker.post("/queue/join", DEEP))
    yield Attempt("any address", "a body of 8 MB", lambda attacker: attacker.post("/queue/join", b" " * 2**23))
    yield Attempt(
        "any address", "a body of 8 MB that does not say so",
        lambda attacker: attacker.post("/queue/join", (b" " * 2**16 for _ in range(128))),
    )  # fmt: skip
    yield Attempt("/run/predict", "an edit past the line of those who wait", _past_the_line)
    yield Attempt(
        "/component_server", "a method of a component",
        lambda attacker: attacker.post(
            "/component_server", {"component_id": 1, "fn_name": "__init__", "data": [], "session_hash": "x"}
        ),
    )  # fmt: skip
    yield Attempt("/cancel", "another visitor's edit", lambda attacker: attacker.post(
        "/cancel", {"session_hash": "guess", "fn_index": 0, "event_id": "guess"}))  # fmt: skip
    for button in ("save-png", "save-gif", "save-latent", "edit-attributes"):
        yield Attempt(
            "another's session", f"{button}, under a name that was guessed",
            lambda attacker, button=button: attacker.act(button, "click", {}, f"guessed-{button}"),
        )  # fmt: skip


def _past_the_line(attacker: Attacker) -> Answer:
    queued = next(one["id"] for one in attacker.config["dependencies"] if one["queue"])
    return attacker.post("/run/predict", {"fn_index": queued, "data": [None] * 9, "session_hash": "x"})


def photos() -> Iterator[Attempt]:
    """Pictures that are none, or too much, at /project; and what it asks besides."""
    for what, content in (PICTURES | ODD_BUT_GOOD).items():
        text = "data:image/png;base64," + base64.b64encode(content()).decode()
        yield _call("project", what, json.dumps({"image": text}))
    for what, value in ODD.items():
        yield _call("project", f"image: {what}", json.dumps({"image": value}))
    good = base64.b64encode(ODD_BUT_GOOD["a PNG with alpha"]()).decode()
    for name in ("zoom", "x", "y"):
        for what, value in ODD.items():
            yield _call("project", f"{name}: {what}", json.dumps({"image": good, name: value}))


def attempts(width: int) -> list[Attempt]:
    """All of them.

    Args:
        width: dimensions of the faces' latents.
    """
    return [*arguments(), *files(width), *photos(), *requests()]


def good_edit(attacker: Attacker) -> tuple[str, str]:
    """What an edit gives that nothing is wrong with: why it stopped, and its picture."""
    result = attacker.call("edit_attributes", {"wishes": {"smile": 1}, "seed": 7, "max_steps": 8}).result
    return result["stop_reason"], result["image"]


def events(attacker: Attacker, *, each: int = 3, every: int = 1) -> list[Answer]:
    """Every event of the page that computes, with odd values in one place after the other, on a page with a picture.

    Args:
        attacker: who sends them.
        each: odd values a place; places take them in turn.
        every: one in so many is sent.

    Raises:
        Finding: for an answer that gives something away.
    """
    session = "attacker"
    attacker.act("seed", "submit", {"seed": "7"}, session)
    config, odd = attacker.config, itertools.cycle(ODD.items())
    held = {one["id"]: one["props"].get("value") for one in config["components"]}
    cases = [
        (one, place, *next(odd))
        for one in config["dependencies"]
        if one["queue"] and one.get("api_visibility") != "public"
        for place in range(len(one["inputs"]))
        for _ in range(each)
    ]

    def send(case: tuple[dict, int, str, object]) -> Answer:
        one, place, what, value = case
        data = [held[number] for number in one["inputs"]]
        data[place] = value
        try:
            return check(attacker.event(one["id"], data, session), str(value))
        except Finding as finding:
            raise Finding(f"event {one['id']} ({one['api_name']}), value {place}, {what}: {finding}") from None

    return [send(case) for case in cases[::every]]


def assault(attacker: Attacker, chosen: list[Attempt]) -> list[tuple[Attempt, Answer]]:
    """Make the attempts, and see that an edit is afterwards what it was before.

    Raises:
        Finding: for an answer that gives something away, or where the edit is another.
    """
    before = good_edit(attacker)
    with ThreadPoolExecutor(6) as pool:
        answers = list(zip(chosen, pool.map(lambda attempt: attempt.run(attacker), chosen), strict=True))
    if good_edit(attacker) != before:
        raise Finding("an edit gives another result than before")
    return answers


def table(answers: list[tuple[Attempt, Answer]]) -> str:
    """As Markdown; inputs of one door that got the same answer share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for attempt, answer in answers:
        where, what = attempt.where, attempt.what
        name, colon, rest = what.partition(": ")
        where, what = (f"{where}, {name}", rest) if colon and where != "upload" else (where, what)
        said = re.sub(r"not (['\"\[{]|nan|inf|None|True|-?[\d.]+).*?[”.]$", "not …”", str(answer))
        said = re.sub(r"(“\w+ is) .*(; choose )", r"\1 …\2", said)
        rows.setdefault((where, said), []).append(what)
    lines = ["| where | what | what it got |", "|---|---|---|"]
    lines += [
        f"| {_cell(where)} | {_cell(', '.join(whats))} | {_cell(said)} |" for (where, said), whats in rows.items()
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    text = text.translate({0: "\\0", 0x1B: None, 0x202E: None, 0xD800: None})
    for sign, shown in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;")):
        text = text.replace(sign, shown)
    return text


def main() -> None:
    """Print the table, or write it into the page."""
    from tests.load.server import served

    with served() as server:
        attacker = Attacker(server.url)
        width = len(_latent(attacker.call("new_face", {}).result)[0])
        good_edit(attacker)
        answers = assault(attacker, attempts(width))
        counted = Counter(bool(answer.text) for answer in events(attacker))
        good_edit(attacker)
        left = sorted(path for path in server.folder.rglob("*") if path.is_file())
        kept = f"{len(left)} files, {sum(path.stat().st_size for path in left) / 1024:.0f} KB"
    text = (
        f"{len(answers)} attempts, and {sum(counted.values())} odd values in the page's own events "
        f"({counted[True]} of them refused with a sentence, the others without words or harmless). The server answered "
        f"to the end, and an edit gave the same picture before and after. Left on its disk: {kept} "
        f"(what was uploaded, until it is a quarter of an hour old).\n\n{table(answers)}"
    )
    if "--write" in sys.argv:
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), text, BEGIN, END), "utf-8")
    else:
        print(text)


def _latent(result: dict) -> Any:
    from safetensors.torch import load

    return load(base64.b64decode(result["latent"]))["latent"]


if __name__ == "__main__":
    main()
