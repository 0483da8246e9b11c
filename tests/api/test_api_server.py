"""The server itself: slow and hostile clients, streams that end, TLS."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest
from litestar import Litestar, get
from litestar.exceptions import HTTPException
from litestar.response import Stream
from litestar.types import HTTPReceiveMessage
from support import LIMIT_S

from engine.config.paths import Paths
from engine.domain.api_token import Scope
from engine.domain.errors import UserError
from engine.engine import Engine
from tui.cli.api import limits, server, streams
from tui.cli.api.application import application
from tui.cli.api.certificates import tls_context
from tui.cli.api.context import ApiContext
from tui.cli.api.listeners import LOOPBACK, on_port
from tui.cli.api.scopes import READ

STREAM = "/v1/events/stream"


@pytest.fixture
async def quiet(paths: Paths) -> AsyncGenerator[Engine]:
    """An engine that follows, as the one of the command."""
    async with Engine.open(paths) as engine:
        yield engine


@asynccontextmanager
async def serving(engine: Engine, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Serve the API, and yield its port."""
    listener = on_port(LOOPBACK, 0, has_tls=bool(tls))
    port = int(listener.address.rpartition(":")[2])
    work = asyncio.create_task(server.serve(engine, [listener], tls=tls))
    try:
        yield port
    finally:
        work.cancel()
        async with asyncio.timeout(LIMIT_S):
            await asyncio.wait({work})
        listener.close()
        assert work.cancelled()


async def _answer(port: int, request: bytes) -> bytes:
    """Send bytes, and return all that is answered until the connection ends."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    with closing(writer):
        writer.write(request)
        async with asyncio.timeout(LIMIT_S):
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""


async def _headers(engine: Engine, scope: Scope = Scope.READ) -> dict[str, str]:
    made = await engine.api_tokens.create("client", scope)
    return {"Authorization": f"Bearer {made.secret}"}


async def test_slow_headers_end_the_connection(
    quiet: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADERS_S", 0.1)
    async with serving(quiet) as port:
        assert await _answer(port, b"") == b""
        assert await _answer(port, b"GET /v1/health HTTP/1.1\r\nHost: 127") == b""
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        request = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with closing(writer):
            for _ in range(2):
                writer.write(request)
                assert b"200 OK" in await reader.readuntil(b'"version":"0.1.0"}')
            writer.write(request[:20])  # the next request has a deadline of its own
            async with asyncio.timeout(LIMIT_S):
                assert await reader.read() == b""


async def test_slow_or_large_body_is_refused() -> None:
    parts = [b"x" * 5, b"x" * 6]

    async def receive() -> HTTPReceiveMessage:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": True}

    large = limits.LimitedBody(receive, 10, LIMIT_S)
    assert (await large())["type"] == "http.request"
    with pytest.raises(HTTPException) as refused:
        await large()
    assert refused.value.status_code == 413
    with pytest.raises(HTTPException) as refused:
        await limits.LimitedBody(receive, 10, 0.01)()
    assert refused.value.status_code == 408


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.test/v1/health HTTP/1.1\r\nHost: 127.0.0.1",
        b"GET http://127.0.0.1/v1/health HTTP/1.1\r\nHost: 127.0.0.1",
        b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.test",
        b"GET /v1/health HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: 127.0.0.1",
        b"GET /v1/health HTTP/1.1\r\nHost : 127.0.0.1",
        b"GET /v1/health HTTP/1.1",
        b"GET /v1/health HTTP/1.0",
        b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 100_000,
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1",
        b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n X: folded\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 40_000,
    ],
    ids=itertools.count(),
)
async def test_odd_requests_are_refused(quiet: Engine, request_line: bytes) -> None:
    async with serving(quiet) as port:
        sent = b"\r\nConnection: close\r\n\r\n"
        answer = await _answer(port, request_line + sent)
        # Where much is left unread, the system may end the connection before the answer is read.
        assert answer.startswith(b"HTTP/1.1 4") or (not answer and len(request_line) > 10_000)
        assert b"evil" not in answer
        async with httpx.AsyncClient(trust_env=False) as client:  # it still serves
            assert (await client.get(f"http://127.0.0.1:{port}/v1/health")).status_code == 200


async def test_revoked_token_ends_its_streams(
    quiet: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "CHECK_S", 0.02)
    headers = await _headers(quiet)
    other = await quiet.api_tokens.create("other", Scope.READ)
    async with (
        serving(quiet) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        client.stream("GET", STREAM, headers=headers) as revoked,
        client.stream("GET", STREAM, headers={"Authorization": f"Bearer {other.secret}"}) as kept,
    ):
        assert (revoked.status_code, kept.status_code) == (200, 200)
        await quiet.api_tokens.revoke("client")
        # The answer is cut, so that no client takes it for complete.
        with pytest.raises(httpx.RemoteProtocolError):
            async with asyncio.timeout(LIMIT_S):
                await revoked.aread()
        await asyncio.sleep(0)
        assert not kept.is_closed


async def test_too_many_streams_are_refused(quiet: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = await _headers(quiet)

    def refuse(*_: object) -> None:
        from engine.domain.errors import user_error

        raise user_error("API_LIMIT_REACHED")

    monkeypatch.setattr(streams.OpenStreams, "add", refuse)
    async with (
        serving(quiet) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        answer = await client.get(STREAM, headers=headers)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/v1/health")).status_code == 200


async def test_server_stops_with_open_streams(quiet: Engine) -> None:
    headers = await _headers(quiet)
    async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
        async with serving(quiet) as port:
            address = f"http://127.0.0.1:{port}{STREAM}"
            request = client.build_request("GET", address, headers=headers)
            answers = [await client.send(request, stream=True) for _ in range(5)]
        for answer in answers:
            await answer.aread()  # complete: the server ended it
            await answer.aclose()


async def test_streams_that_do_not_end_by_themselves_are_ended(
    quiet: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "GRACE_S", 0.01)

    @get("/endless", opt=READ)
    async def stream_endlessly() -> Stream:
        async def parts() -> AsyncGenerator[bytes]:
            yield b": begun\n\n"
            await asyncio.Event().wait()

        return Stream(parts(), media_type="text/event-stream")

    def with_endless(context: ApiContext, _: object) -> Litestar:
        app = application(context)
        app.register(stream_endlessly)
        return app

    monkeypatch.setattr(server, "application", with_endless)
    headers = await _headers(quiet)
    async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
        async with serving(quiet) as port:
            address = f"http://127.0.0.1:{port}/endless"
            answer = await client.send(
                client.build_request("GET", address, headers=headers), stream=True
            )
            assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()
        await answer.aclose()
    assert "Traceback" not in caplog.text


async def test_too_many_connections_end_the_oldest_idle_one(
    quiet: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    async with serving(quiet) as port:
        opened = [await asyncio.open_connection(LOOPBACK, port) for _ in range(3)]
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/v1/health")).status_code == 200
        assert await asyncio.wait_for(opened[0][0].read(), LIMIT_S) == b""
        for _, writer in opened:
            writer.close()


async def test_unread_answer_ends_the_connection(
    quiet: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "UNREAD_S", 0.05)
    ended = asyncio.Event()
    lost = server.ApiProtocol.connection_lost

    def note_end(self: server.ApiProtocol, exc: Exception | None) -> None:
        lost(self, exc)
        ended.set()

    monkeypatch.setattr(server.ApiProtocol, "connection_lost", note_end)
    async with serving(quiet) as port:
        reader, writer = await asyncio.open_connection(LOOPBACK, port, limit=1)
        with closing(writer):
            request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            async with asyncio.timeout(LIMIT_S):
                while not ended.is_set():  # until the buffers between them are full
                    writer.write(request * 100)
                    await asyncio.sleep(0.01)
        del reader


def _certificate(folder: Path, *words: str) -> tuple[Path, Path]:
    """Make a certificate that signs itself."""
    certificate, key = folder / "host.pem", folder / "host.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=host"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    out = ["-keyout", str(key), "-out", str(certificate), *(words or ("-nodes",))]
    try:
        subprocess.run([*command, *names, *out], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl")
    return certificate, key


async def test_tls(quiet: Engine, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    headers = await _headers(quiet)
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with serving(quiet, tls_context(certificate, key)) as port:
        async with httpx.AsyncClient(verify=trusted, trust_env=False) as client:
            address = f"https://127.0.0.1:{port}"
            assert (await client.get(f"{address}/v1/runs/x", headers=headers)).status_code == 404
            ours = {**headers, "Origin": address}
            assert (await client.get(f"{address}/v1/runs/x", headers=ours)).status_code == 404
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(address)
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}")


async def test_client_that_does_not_agree_on_tls_is_left(
    quiet: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.1)
    async with serving(quiet, tls_context(*_certificate(tmp_path))) as port:
        assert await _answer(port, b"") == b""
        assert await _answer(port, b"\x16\x03\x01") == b""


async def test_loopback_address_of_ipv6(quiet: Engine) -> None:
    try:
        listener = on_port("::1", 0, has_tls=False)
    except UserError:
        pytest.skip("there is no IPv6")
    work = asyncio.create_task(server.serve(quiet, [listener]))
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{listener.address}/v1/health")).status_code == 200
    finally:
        work.cancel()
        await asyncio.wait({work})
        listener.close()


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = _certificate(tmp_path / "other")
    for files in ((certificate, other), (key, key), (certificate, tmp_path), (tmp_path / "x", key)):
        with pytest.raises(UserError) as refused:
            tls_context(*files)
        assert refused.value.code == "API_CERTIFICATE_INVALID"
    locked = _certificate(tmp_path, "-passout", "pass:secret")
    with pytest.raises(UserError) as refused:
        tls_context(*locked)
    assert refused.value.code == "API_CERTIFICATE_INVALID"
