"""The page's server answers its own page alone, with the API's own answers, and passes uploads on as they come."""

import re
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import Any

import pytest
from botocore.httpsession import URLLib3Session
from moto_cases import answer
from page_case import Paged, connect, lay_bundle
from PIL import Image
from running_stack import Running

from imgpipe.core import recipe_file
from imgpipe.errors import AwsError, NoStackError, UsageError
from imgpipe.local.dashboard import server
from imgpipe.local.dashboard.desk import LOOK_SECONDS, RETRY_SECONDS, Desk
from imgpipe.local.dashboard.relay import Relay
from imgpipe.local.dashboard.server import CONNECTIONS, LARGEST_BODY, Dashboard
from imgpipe.remote.pipeline import Pipeline, open_pipeline
from imgpipe.remote.session import Session
from imgpipe.worker.ids import to_id

PLAIN = URLLib3Session()


def photo(size: tuple[int, int] = (320, 240)) -> bytes:
    data = BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(data, "jpeg")
    return data.getvalue()


def multipart(fields: dict[str, str], data: bytes) -> tuple[bytes, str]:
    """A form as a browser sends it, and its content type."""
    parts = [f'--xyz\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    file = '--xyz\r\ncontent-disposition: form-data; name="file"; filename="blob"\r\n\r\n'
    return "".join([*parts, file]).encode() + data + b"\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz"


def offered(paged: Paged, data: bytes) -> dict[str, Any]:
    made = paged.api("/images", "POST", {"name": "cat.jpg", "content_type": "image/jpeg", "size": len(data)})
    assert made.status == 201
    document: dict[str, Any] = made.document
    return document


def test_nobody_without_the_token_of_this_run_gets_an_answer(paged: Paged) -> None:
    asked = [("GET", "/about"), ("GET", "/api/images"), ("GET", "/api/recipe"), ("POST", "/api/images"),
             ("DELETE", f"/api/images/{to_id('a.jpg')}"), ("POST", "/upload")]  # fmt: skip
    for method, path in asked:
        for token in ("", "wrong", paged.token[:-1]):
            refused = paged.ask(path, method=method, token=token)
            assert (refused.status, refused.document["code"]) == (401, "unauthorized"), (method, path)
    assert paged.ask("/about").document["stack"] == "imgpipe"


def test_another_site_gets_nothing_even_with_the_token(paged: Paged) -> None:
    foreign: list[dict[str, str]] = [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ]
    for headers in foreign:
        for method, path in (("GET", "/api/images"), ("POST", "/upload"), ("OPTIONS", "/upload"), ("GET", "/page.js")):
            refused = paged.ask(path, method=method, **headers)
            assert (refused.status, refused.document["code"]) == (403, "forbidden"), (headers, method, path)
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{paged.dashboard.port}"
        own = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
        assert paged.ask("/api/health", **own).status == 200


def test_the_page_runs_its_own_files_alone_and_is_kept_by_nobody(paged: Paged) -> None:
    page = paged.ask("/", token="")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert f"img-src 'self' blob: {paged.running.account.url};" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    linked = re.findall(r'(?:href|src)="([^"]+)"', page.body.decode())
    assert {"page.js", "page.css", "icon.svg"} == set(linked)
    for name in linked:
        file = paged.ask(f"/{name}", token="")
        assert file.status == 200
        assert file.headers["x-content-type-options"] == "nosniff"
        assert "text/html" not in file.headers["content-type"]
    assert paged.ask("/../server.py").status == 404
    assert paged.ask("/%2e%2e/server.py").status == 404


def raw(paged: Paged, request: str) -> tuple[str, str]:
    """The head and the body of what is answered to bytes that no client sends."""
    with socket.create_connection(("127.0.0.1", paged.dashboard.port), timeout=30) as connection:
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = got.decode().partition("\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("OPTIONS / HTTP/1.1", 501),
        ("HEAD / HTTP/1.1", 501),
        ("GET / HTTP/x", 400),
        ("GET http://[ HTTP/1.1", 400),
        (f"POST /upload HTTP/1.1\r\nContent-Length: {'9' * 5000}", 400),
        ("POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked", 400),
    ],
)
def test_what_the_page_never_asks_is_refused_by_a_problem_under_the_same_policy(
    paged: Paged, line: str, status: int
) -> None:
    head, body = raw(paged, f"{line}\r\nHost: 127.0.0.1:{paged.dashboard.port}\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "content-security-policy: default-src 'none'" in head
    assert "content-type: application/problem+json" in head
    assert body == "" if line.startswith("HEAD") else '"code":"bad_request"' in body


def test_strangers_cannot_keep_more_than_some_connections(paged: Paged) -> None:
    where = ("127.0.0.1", paged.dashboard.port)
    strangers = [socket.create_connection(where, timeout=30) for _ in range(CONNECTIONS)]
    with socket.create_connection(where, timeout=30) as another:
        assert another.recv(1) == b""
    for stranger in strangers:
        stranger.close()


def test_a_stranger_who_says_nothing_is_let_go(paged: Paged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.1)
    with socket.create_connection(("127.0.0.1", paged.dashboard.port), timeout=30) as stranger:
        assert stranger.recv(1) == b""


def test_a_fault_of_the_server_is_answered_and_logged(
    paged: Paged, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Desk, "about", lambda self: 1 / 0)
    failed = paged.ask("/about")
    assert (failed.status, failed.document["code"]) == (500, "internal")
    assert "ZeroDivisionError" in caplog.text


def test_the_answers_are_those_of_the_api(paged: Paged) -> None:
    paged.running.put("a/café.jpg", photo())
    paged.running.work()
    assert paged.api("/recipe").document["hash"] == paged.running.recipe.hash
    (listed,) = paged.api("/images?prefix=a%2Fcaf%C3%A9").document["images"]
    assert listed["key"] == "a/café.jpg"
    assert paged.image("a/café.jpg")["status"] == "done"
    assert paged.api("/images?color=red").document["code"] == "bad_request"
    assert paged.api("/nothing").status == 404
    assert paged.ask("/about").document["remedies"]["empty"]
    refused = paged.ask("/api/images", method="POST", body=b" " * (LARGEST_BODY + 1))
    assert (refused.status, refused.document["code"]) == (413, "too_many_bytes")


def test_an_upload_comes_to_the_bucket_whole_or_not_at_all(paged: Paged) -> None:
    data = photo()
    offer = offered(paged, data)
    body, media_type = multipart(offer["upload"]["fields"], data)
    head = (
        f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1:{paged.dashboard.port}\r\nAuthorization: Bearer {paged.token}\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", paged.dashboard.port)) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    assert paged.api(f"/images/{offer['id']}").status == 404
    sent = paged.ask("/upload", method="POST", body=body, Content_Type=media_type)
    assert (sent.status, sent.body) == (204, b"")
    assert paged.api(f"/images/{offer['id']}").document["status"] == "queued"
    stored = paged.running.client("s3").get_object(Bucket=paged.running.pipeline.source_bucket, Key=offer["key"])
    assert stored["Body"].read() == data
    paged.running.work()
    assert paged.api(f"/images/{offer['id']}").document["status"] == "done"


@contextmanager
def bucket(status: int, told: bytes, read: Callable[[bytes], object]) -> Iterator[str]:
    """A server that takes one upload after another and answers all alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            left = int(self.headers["content-length"])
            while left:
                part = self.rfile.read(min(left, 65536))
                left -= len(part)
                read(part)
            self.send_response(status)
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


class Endless(RawIOBase):
    """A stream that is longer than what anybody should hold."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_an_upload_is_never_held_whole() -> None:
    length, counted = 40_000_000, [0]
    with bucket(204, b"", lambda part: counted.__setitem__(0, counted[0] + len(part))) as url:
        tracemalloc.start()
        sent = Relay(url, PLAIN).send(BufferedReader(Endless()), length, "multipart/form-data; boundary=x")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (sent.status, counted[0]) == (204, length)
    assert peak < 4_000_000


def test_a_refusal_of_s3_is_told_in_its_words() -> None:
    told = b"<Error><Code>EntityTooLarge</Code><Message>Your proposed upload &gt; the maximum</Message></Error>"
    with bucket(400, told, lambda part: None) as url:
        refused = Relay(url, PLAIN).send(BufferedReader(Endless()), 10, "multipart/form-data; boundary=x")
    assert refused.status == 400
    assert b"S3 refused the upload: Your proposed upload > the maximum (EntityTooLarge)." in refused.body


def test_a_form_that_s3_refuses_before_its_end_is_read_to_its_end() -> None:
    told = b"<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"
    form = BytesIO(bytes(8_000_000) + b"next")
    with socket.create_server(("127.0.0.1", 0)) as early:

        def refuse_early() -> None:
            connection, _ = early.accept()
            with connection:
                connection.recv(4096)
                head = f"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {len(told)}\r\n\r\n"
                connection.sendall(head.encode() + told)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=refuse_early)
        thread.start()
        refused = Relay(f"http://127.0.0.1:{early.getsockname()[1]}/", PLAIN).send(
            form, 8_000_000, "multipart/form-data"
        )
        thread.join()
    assert refused.status == 403
    assert form.read() == b"next"


def test_a_bucket_that_cannot_be_reached_is_said() -> None:
    with bucket(204, b"", lambda part: None) as url:
        pass
    with pytest.raises(AwsError, match="127"):
        Relay(url, PLAIN).send(BufferedReader(Endless()), 10, "multipart/form-data; boundary=x")


def test_a_new_deployment_is_noticed_with_its_recipe(running: Running, tmp_path: Path) -> None:
    lay_bundle(running, running.recipe)
    now = [0.0]
    desk = Desk(connect, clock=lambda: now[0])
    path = tmp_path / "imgpipe.toml"
    path.write_text("[presets.small]\nwidth = 10\n")
    recipe = recipe_file.load(path)
    lay_bundle(running, recipe, "1.zip")
    given = {"BundleBucket": "bundles", "BundleKey": "1.zip", "RecipeHash": recipe.hash}
    running.client("cloudformation").update_stack(
        StackName="imgpipe",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
    )
    assert running.recipe.hash in desk.answer("GET", "/recipe", {}, "").body.decode()
    now[0] += LOOK_SECONDS + 1
    assert recipe.hash in desk.answer("GET", "/recipe", {}, "").body.decode()


def test_expired_credentials_are_said_and_new_ones_taken_up(running: Running) -> None:
    lay_bundle(running, running.recipe)
    opened: list[Pipeline] = []

    def reconnect() -> Pipeline:
        opened.append(connect())
        return opened[-1]

    desk = Desk(reconnect)
    expired = b'{"__type": "ExpiredTokenException", "message": "The security token has expired"}'
    events = opened[0].session.client("dynamodb").meta.events
    events.register("before-send.dynamodb.*", lambda request, **_: answer(request, 400, expired))
    refused = desk.answer("GET", "/images", {}, "")
    assert refused.status == 502
    assert b'"code":"expired"' in refused.body
    assert b"aws sso login" in refused.body
    assert desk.answer("GET", "/images", {}, "").status == 200
    assert len(opened) == 2


def refuse(pipeline: Pipeline, code: bytes) -> None:
    """Let the table refuse everything from now on."""
    told = b'{"__type": "%s", "message": "not authorized to perform: dynamodb:Query"}' % code
    events = pipeline.session.client("dynamodb").meta.events
    events.register("before-send.dynamodb.*", lambda request, **_: answer(request, 400, told))


def test_what_new_credentials_cannot_mend_renews_none(running: Running) -> None:
    lay_bundle(running, running.recipe)
    opened: list[Pipeline] = []

    def reconnect() -> Pipeline:
        opened.append(connect())
        return opened[-1]

    desk = Desk(reconnect)
    refuse(opened[0], b"AccessDeniedException")
    for _ in range(3):
        assert b'"code":"denied"' in desk.answer("GET", "/images", {}, "").body
    assert len(opened) == 1


def test_one_request_renews_the_credentials_while_others_are_answered(running: Running) -> None:
    lay_bundle(running, running.recipe)
    now = [0.0]
    asked, go_on = threading.Event(), threading.Event()
    tried = [0]

    def reconnect() -> Pipeline:
        tried[0] += 1
        if tried[0] > 1:
            asked.set()
            assert go_on.wait(30)
            raise AwsError("expired", "The AWS sign-in has expired.", "Sign in again.")
        return connect()

    desk = Desk(reconnect, clock=lambda: now[0])
    refuse(desk.opened.pipeline, b"ExpiredTokenException")
    assert desk.answer("GET", "/images", {}, "").status == 502
    now[0] += 1
    first = threading.Thread(target=desk.answer, args=("GET", "/images", {}, ""))
    first.start()
    assert asked.wait(30)
    assert b'"code":"expired"' in desk.answer("GET", "/images", {}, "").body
    go_on.set()
    first.join()
    assert b'"code":"expired"' in desk.answer("GET", "/images", {}, "").body
    assert tried[0] == 2
    now[0] += RETRY_SECONDS
    desk.answer("GET", "/images", {}, "")
    assert tried[0] == 3


def test_a_taken_port_and_a_missing_stack_are_said_before_anything_is_served(
    running: Running,
) -> None:
    lay_bundle(running, running.recipe)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} cannot be had"):
            Dashboard(connect, port)
    with pytest.raises(NoStackError):
        Dashboard(lambda: open_pipeline(Session(), "another"))
