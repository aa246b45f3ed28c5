"""What stands before every request, alone and before the served page."""

import socket
from collections.abc import Iterable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from app.server.limits import LIMIT, BodyLimit, LastWord, SilentFiles, UploadLimit
from tests.app.visits import awaited


async def length(request: Request) -> JSONResponse:
    return JSONResponse({"length": len(await request.body())})


async def failing(request: Request) -> JSONResponse:
    raise (TypeError("Parameter `x` is not known.") if "call" in request.url.path else KeyError("/secret/path"))


async def late(request: Request) -> StreamingResponse:
    async def stream():
        yield "begun"
        raise KeyError("too late")

    return StreamingResponse(stream())


def app_with(*middleware: Middleware) -> Starlette:
    routes = [
        Route(path, length, methods=["POST"]) for path in ("/", "/gradio_api/upload", "/gradio_api/upload_progress")
    ]
    routes += [Route("/call/v2/x", failing), Route("/fails", failing), Route("/late", late)]
    return Starlette(routes=routes, middleware=middleware)


def ask(app: Starlette, method: str, path: str, content: bytes | Iterable[bytes] = b"") -> httpx.Response:
    async def once() -> httpx.Response:
        async def pieces():
            for piece in content:
                yield piece

        body = content if isinstance(content, bytes) else pieces()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, content=body)

    return awaited(once())


class TestBodyLimit:
    app = app_with(Middleware(BodyLimit, limit=1000))

    @pytest.mark.parametrize("content", [b"", b"x" * 1000, [b"x" * 500] * 2], ids=["empty", "declared", "streamed"])
    def test_what_fits_passes(self, content) -> None:
        answer = ask(self.app, "POST", "/", content)
        whole = content if isinstance(content, bytes) else b"".join(content)
        assert (answer.status_code, answer.json()) == (200, {"length": len(whole)})

    @pytest.mark.parametrize("content", [b"x" * 1001, [b"x" * 400] * 3], ids=["declared", "streamed"])
    def test_what_does_not_is_refused_with_a_sentence(self, content) -> None:
        answer = ask(self.app, "POST", "/", content)
        assert answer.status_code == 413
        assert "MB, and this one has more: send less at once." in answer.text

    def test_nothing_of_it_is_read_where_it_says_how_large_it_is(self) -> None:
        async def refuse() -> list[dict]:
            sent = []

            async def receive():
                raise AssertionError("it was read")

            async def send(message):
                sent.append(message)

            headers = [(b"content-length", b"1001")]
            await BodyLimit(self.app, 1000)({"type": "http", "headers": headers, "path": "/"}, receive, send)
            return sent

        assert awaited(refuse())[0]["status"] == 413

    @pytest.mark.parametrize("size", [b"many", b"-5", b"\xb2", b"9" * 5000])
    def test_a_size_that_cannot_be_read_counts_for_nothing(self, size: bytes) -> None:
        from app.server.limits import _declared

        assert _declared({"headers": [(b"content-length", size)]}) == 0


class TestUploadLimit:
    def test_refuses_what_would_not_fit_the_disk_until_it_is_gone(self) -> None:
        now = [0.0]
        app = app_with(Middleware(UploadLimit, limit=100, seconds=60, clock=lambda: now[0]))

        def status(path: str = "/gradio_api/upload") -> int:
            return ask(app, "POST", path, b"x" * 60).status_code

        assert [status(), status(), status()] == [200, 200, 503]
        assert (status("/"), status("/gradio_api/upload_progress")) == (200, 200)
        assert "try again in twenty minutes" in ask(app, "POST", "/gradio_api/upload/", b"x").text
        now[0] = 61
        assert [status(), status(), status()] == [200, 200, 503]


class TestLastWord:
    app = app_with(Middleware(LastWord))

    def test_a_failure_is_a_sentence_without_its_cause(self) -> None:
        answer = ask(self.app, "GET", "/fails")
        assert answer.status_code == 400 and "secret" not in answer.text
        assert answer.json()["detail"].startswith("This request cannot be understood")

    def test_an_argument_that_does_not_fit_is_named(self) -> None:
        answer = ask(self.app, "GET", "/call/v2/x")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Parameter `x` is not known."})

    def test_an_answer_that_has_begun_is_left_alone(self) -> None:
        answer = ask(self.app, "GET", "/late")
        assert answer.status_code == 200 and answer.text == "begun"


class TestSilentFiles:
    app = app_with(Middleware(SilentFiles))

    def test_a_refusal_quotes_nothing(self) -> None:
        answer = ask(self.app, "GET", "/gradio_api/file=/srv/secret")
        assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such file for visitors."})

    def test_all_else_passes(self) -> None:
        assert ask(self.app, "POST", "/").status_code == 200
        assert ask(self.app, "GET", "/nowhere").text == "Not Found"


class TestServed:
    """Before the page itself."""

    @pytest.fixture(scope="class")
    def url(self, toy_zoo, models):
        from app.core.model_sets import Faces, Flowers
        from app.core.stopping import Stops
        from app.models.services import Models
        from app.panels.faces import FacePanel
        from app.panels.flowers import FlowerPanel
        from app.server.page import build_page, launch

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sgf_hub.hub.names.root", lambda: toy_zoo)
            patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
            demo = build_page(FacePanel(Faces(), models, Stops()), FlowerPanel(Flowers(), Models(), Stops()))
            _, url, _ = launch(demo, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
            yield url
            demo.close(verbose=False)

    def test_uploads_of_the_allowed_size_and_streams_pass(self, url) -> None:
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("x.safetensors", b"x" * (2**20 - 100))})
        assert answer.status_code == 200 and len(answer.json()) == 1
        event = httpx.post(f"{url}gradio_api/call/v2/new_face", json={"seed": 7}).json()["event_id"]
        assert "event: complete" in httpx.get(f"{url}gradio_api/call/new_face/{event}", timeout=60).text

    def test_larger_ones_do_not(self, url) -> None:
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("x.safetensors", b"x" * (LIMIT + 1))})
        assert answer.status_code == 413 and "A request may have 4 MB" in answer.json()["detail"]

        def pieces():
            for _ in range(80):
                yield b"[" * 2**16

        answer = httpx.post(f"{url}gradio_api/queue/join", content=pieces())
        assert answer.status_code == 413 and "A request may have 4 MB" in answer.json()["detail"]

    def test_a_size_that_is_a_lie_gains_nothing(self, url) -> None:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as wire:
            head = f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: {host}\r\nContent-Length: {LIMIT * 1000}\r\n\r\n"
            wire.sendall(head.encode())
            assert b" 413 " in wire.recv(4096)

    @pytest.mark.parametrize("path", ["run/predict", "api/new_face", "run/new_face"])
    def test_there_is_no_way_around_the_line(self, url, path: str) -> None:
        answer = httpx.post(f"{url}gradio_api/{path}", json={"data": [7, 0.8], "fn_index": 0, "session_hash": "x"})
        assert answer.status_code >= 400 and "image" not in answer.text

    def test_an_argument_that_an_endpoint_lacks_is_named(self, url) -> None:
        answer = httpx.post(f"{url}gradio_api/call/v2/new_face", json={"sed": 7})
        assert answer.status_code == 400 and "`sed`" in answer.json()["detail"]

    def test_an_event_that_is_none(self, url) -> None:
        answer = httpx.post(f"{url}gradio_api/queue/join", json={"data": [], "fn_index": 99999, "session_hash": "x"})
        assert answer.status_code == 400 and answer.json()["detail"].startswith("This request cannot be understood")
