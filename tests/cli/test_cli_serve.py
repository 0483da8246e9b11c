"""The dashboard in a browser: who is let in, and what comes through the WebSocket."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import chromium
import psutil
import pyte
import pytest
from typed import COMMAND, PATIENCE_S, Swarm
from yarl import URL

WIDTH, HEIGHT = 100, 30


@asynccontextmanager
async def serving(
    *words: str, cwd: Path | None = None, code: int = 130
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, URL]]:
    """The command, and the address that it printed; it ends with `code`."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "serve", "--port", "0", *words, stdout=asyncio.subprocess.PIPE, cwd=cwd
    )
    try:
        assert process.stdout
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)
        assert found, line
        yield process, URL(found[0])
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == code


@pytest.fixture
async def browser() -> AsyncGenerator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # browsers, too, keep cookies of 127.0.0.1
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


class Window:
    """What a browser shows of the dashboard."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)

    async def type(self, keys: str) -> None:
        await self._socket.send_json(["stdin", keys])

    async def until(self, wanted: str) -> None:
        while wanted not in "\n".join(self._screen.display):
            message = await self._socket.receive(PATIENCE_S)
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), wanted
            if message.type == aiohttp.WSMsgType.BINARY:
                self._stream.feed(message.data)

    async def until_closed(self) -> None:
        while (await self._socket.receive(PATIENCE_S)).type != aiohttp.WSMsgType.CLOSED:
            pass


async def test_only_who_has_the_token_sees_the_dashboard(
    browser: aiohttp.ClientSession, swarm: Swarm
) -> None:
    swarm("run", "--detach", "--empty", "--agent", "simulated", "Busy bees\nsim: hang")
    async with serving() as (_, address):
        origin = str(address.origin())
        socket_url = address.with_path("/ws")

        async def status(url: URL, **headers: str) -> int:
            async with browser.get(url, headers=headers, allow_redirects=False) as answer:
                return answer.status

        page = address.with_query(None)
        for url in (page, page.with_query(token="wrong"), page.with_query(token="é\ud800")):
            assert await status(url) == HTTPStatus.FORBIDDEN
        for path in ("/ws", "/static/js/textual.js", "/download/x", "/nothing"):
            assert await status(address.with_path(path)) == HTTPStatus.FORBIDDEN
        assert await status(address, Host="rebound.example:80") == HTTPStatus.FORBIDDEN
        assert not browser.cookie_jar.filter_cookies(page)

        async with browser.get(address) as answer:
            assert answer.status == HTTPStatus.OK
            assert answer.url == page  # the token is out of the address
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert f"ws://{page.authority}/ws" in await answer.text()
        assert await status(address.with_path("/static/js/textual.js")) == HTTPStatus.OK
        assert await status(page, Host="rebound.example") == HTTPStatus.FORBIDDEN
        for other in ("https://elsewhere.example", "http://127.0.0.1:1", "null"):
            assert await status(socket_url, Origin=other) == HTTPStatus.FORBIDDEN

        size = {"width": str(WIDTH), "height": str(HEIGHT)}
        async with browser.ws_connect(socket_url.with_query(size), origin=origin) as web_socket:
            window = Window(web_socket)
            await window.until("Busy bees")
            await window.type("q")
            await window.until("1 run is not finished")
            await window.type("l")
            await window.until_closed()
    assert swarm("show", "@last", "--json").json["status"] == "running"


async def test_the_end_of_serve_closes_windows_and_leaves_runs(
    browser: aiohttp.ClientSession, swarm: Swarm
) -> None:
    swarm("run", "--detach", "--empty", "--agent", "simulated", "Busy bees\nsim: hang")
    async with serving() as (process, address):
        await (await browser.get(address)).read()
        async with browser.ws_connect(address.with_path("/ws").with_query(None)) as web_socket:
            window = Window(web_socket)
            await window.until("Busy bees")
            process.send_signal(signal.SIGINT)
            await window.until_closed()
            assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 130
    assert swarm("show", "@last", "--json").json["status"] == "running"


async def test_no_dashboard_stays_when_serve_is_killed(
    browser: aiohttp.ClientSession, swarm: Swarm
) -> None:
    swarm("run", "--detach", "--empty", "--agent", "simulated", "Busy bees\nsim: hang")
    async with serving(code=-signal.SIGKILL) as (process, address):
        await (await browser.get(address)).read()
        async with browser.ws_connect(address.with_path("/ws").with_query(None)) as web_socket:
            await Window(web_socket).until("Busy bees")
            (window,) = psutil.Process(process.pid).children()
            process.kill()
            await asyncio.to_thread(window.wait, PATIENCE_S)
    assert swarm("show", "@last", "--json").json["status"] == "running"


@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
async def test_a_run_in_a_real_browser(here: Path, tmp_path: Path, swarm: Swarm) -> None:
    async with serving(cwd=here) as (_, address), chromium.browsing(tmp_path / "profile") as page:
        await page.call("Page.navigate", url=str(address))
        await page.until(lambda text: "No runs yet" in text or "simulated" in text)
        await page.type("n")
        await page.until(lambda text: "What is to be done?" in text)
        await page.type("Water the beds")
        await page.press("Tab")
        await page.press("ArrowRight")
        await page.until(lambda text: "[simulated]" in text)
        await page.control("s")
        await page.until(lambda text: "✓ 1 done" in text and "Water the beds" in text)
        picture = await page.screenshot(Path(os.environ.get("SHOTS", tmp_path)) / "browser.png")
        assert len(picture) > 20_000  # more than an empty page
        assert {URL(each).host for each in page.asked_for} == {"127.0.0.1"}
    assert swarm("show", "@last", "--json").json["status"] == "succeeded"


def test_a_port_that_is_taken(swarm: Swarm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = swarm("serve", "--port", str(taken.getsockname()[1]))
    assert refused.code == 3
    assert "PORT_UNAVAILABLE" in refused.err


def test_without_its_package(swarm: Swarm, tmp_path: Path) -> None:
    program = "import sys; sys.modules['textual_serve'] = None"
    (tmp_path / "sitecustomize.py").write_text(program)
    refused = swarm("serve", PYTHONPATH=str(tmp_path))
    assert refused.code == 3
    assert "SERVE_MISSING" in refused.err
