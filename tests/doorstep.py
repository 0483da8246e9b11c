"""A real receiver on loopback, as well-behaved as a test wants it, that checks every signature."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook as Signer
from support import LIMIT_S

from engine.config.settings import Url, WebhookName, WebhookSettings

SECRET = "whsec_" + base64.b64encode(b"a secret that is long enough now").decode()
ENV = "DOORSTEP_SECRET"
BIG = 100 * 1024**2

Answers = Callable[["Got"], int | str]


@dataclass
class Got:
    """A request whose signature held."""

    id: str
    type: str
    data: dict[str, Any]
    headers: dict[str, str]


class Doorstep:
    """Answers with a status code, or is told to `hang`, `drip`, be `big`, `redirect` or `echo`."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answers: Answers = lambda got: 204
        self.written = 0
        self.url = ""
        self._news = asyncio.Condition()

    def hook(self, name: str = "ci", **more: Any) -> WebhookSettings:
        url = more.pop("url", self.url)
        said = {"secret_env": ENV, **more}
        return WebhookSettings(WebhookName(name), Url(url), **said)

    def ids(self, run: str = "") -> list[str]:
        return [got.id for got in self.got if run in got.id]

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S), self._news:
            await self._news.wait_for(holds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        told = Signer(SECRET).verify(body, headers) if "webhook-signature" in headers else {}
        told = told or json.loads(body)
        got = Got(headers["webhook-id"], told["type"], told["data"], headers)
        async with self._news:
            self.got.append(got)
            self._news.notify_all()
        await self._answer(self.answers(got), head[0], writer)

    async def _answer(self, how: int | str, asked: str, writer: asyncio.StreamWriter) -> None:
        if isinstance(how, int):
            writer.write(_reply(how, "said"))
        elif how == "redirect":
            writer.write(_reply(302, "", f"location: {self.url}\r\n"))
        elif how == "echo":
            writer.write(_reply(404, f"cannot post {asked}"))
        elif how.startswith("say "):
            writer.write(_reply(400, how.removeprefix("say ")))
        elif how == "hang":
            await asyncio.sleep(LIMIT_S)
        elif how == "drip":
            await self._go_on(b"HTTP/1.1 200 x\r\n", b"a: b\r\n", writer, pause_s=0.05)
        elif how == "big":
            await self._go_on(_reply(200, "", length=BIG), b"y" * 65536, writer)
        await writer.drain()

    async def _go_on(
        self, head: bytes, part: bytes, writer: asyncio.StreamWriter, pause_s: float = 0.0
    ) -> None:
        writer.write(head)
        while self.written < BIG:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
            self.written += len(part)


def _reply(code: int, body: str, more: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {code} x\r\n{more}content-length: {size}\r\n\r\n{body}".encode()


@asynccontextmanager
async def doorstep(port: int = 0) -> AsyncGenerator[Doorstep]:
    """Open a receiver."""
    place = Doorstep()
    tasks = set[asyncio.Task[None]]()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(place.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", port)
    place.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield place
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
