"""The dashboard in a browser: who is let in, and what comes through the WebSocket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import chromium
import psutil
import pyte
import pytest
from served import printed, serving
from typed import PATIENCE_S, Swarm
from yarl import URL

WIDTH, HEIGHT = 100, 30


async def key_for(browser: aiohttp.ClientSession, address: URL) -> str:
    """Exchange the token in an address, as the page does."""
    headers = {"Origin": str(address.origin()), "X-Swarm-Tui": address.fragment}
    async with browser.post(address.origin().with_path("/session"), headers=headers) as answer:
        return await answer.text() if answer.ok else ""


def window_of(
    browser: aiohttp.ClientSession, address: URL, key: str
) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
    """Open a dashboard, as the page does."""
    url = address.origin().with_path("/ws").with_query(width=str(WIDTH), height=str(HEIGHT))
    protocols = ("swarm-tui", key)
    return browser.ws_connect(url, origin=str(address.origin()), protocols=protocols)  # pyright: ignore[reportReturnType]  one shape for the test


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
        key = await key_for(browser, address)
        assert key
        assert not await key_for(browser, address), "it opens once"
        assert await key_for(browser, address.with_fragment(key)) == key
        assert not list(browser.cookie_jar)
        async with window_of(browser, address, key) as web_socket:
            window = Window(web_socket)
            await window.until("Busy bees")
            await window.type("q")
            await window.until_closed()
    assert swarm("show", "@last", "--json").json["status"] == "running"


async def test_without_a_key_nothing_but_the_page_is_there(
    browser: aiohttp.ClientSession,
) -> None:
    async with serving() as (process, address):
        origin = str(address.origin())

        async def status(url: URL, **headers: str) -> int:
            async with browser.get(url, headers=headers, allow_redirects=False) as answer:
                return answer.status

        socket_url = address.origin().with_path("/ws")
        for protocol in ("", "swarm-tui", "swarm-tui, wrong", f"swarm-tui, {address.fragment}"):
            sent = {"Origin": origin, "Sec-WebSocket-Protocol": protocol}
            assert await status(socket_url, **sent) == HTTPStatus.FORBIDDEN
        for wrong in ("", "wrong", "é", address.fragment + "x"):
            assert not await key_for(browser, address.with_fragment(wrong))
        for path in ("/download/x", "/nothing", "/static/", "/page/"):
            found = await status(address.origin().with_path(path))
            assert found in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)

        async with browser.get(address) as answer:
            assert answer.status == HTTPStatus.OK
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert (
                "unsafe-inline" not in answer.headers["Content-Security-Policy"].split("style")[0]
            )
        assert process.stdin
        process.stdin.write(b"\n")
        another = await printed(process)
        assert another.origin() == address.origin()
        assert not await key_for(browser, address), "a new address replaces it"
        assert await key_for(browser, another)


async def test_the_end_of_serve_closes_windows_and_leaves_runs(
    browser: aiohttp.ClientSession, swarm: Swarm
) -> None:
    swarm("run", "--detach", "--empty", "--agent", "simulated", "Busy bees\nsim: hang")
    async with serving() as (process, address):
        key = await key_for(browser, address)
        async with window_of(browser, address, key) as web_socket:
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
        key = await key_for(browser, address)
        async with window_of(browser, address, key) as web_socket:
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
        await page.until(lambda text: "Describe the task" in text)
        await page.type("Water the beds")
        await page.press("Tab")
        await page.press("Tab")
        await page.press("ArrowRight")
        await page.until(lambda text: "[simulated]" in text)
        await page.control("s")
        await page.until(lambda text: "± 1 to review" in text and "Water the beds" in text)
        picture = await page.screenshot(Path(os.environ.get("SHOTS", tmp_path)) / "browser.png")
        assert len(picture) > 20_000  # more than an empty page
        assert {URL(each).host for each in page.asked_for} == {address.host}
        assert not any(address.fragment in each for each in page.asked_for)
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
