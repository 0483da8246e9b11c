"""A headless Chromium, told what to do over its own protocol; what its page shows and asks for."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pyte
from typed import PATIENCE_S

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
WIDTH, HEIGHT = 1100, 700
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--window-size={WIDTH},{HEIGHT}",
    "--remote-debugging-port=0",
)
KEYS = {"Tab": 9, "Enter": 13, "ArrowRight": 39}
CTRL = 2


class Page:
    """A page, the addresses it asked for, and the terminal that its WebSocket paints."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, port: int) -> None:
        self._socket = socket
        self.port = port
        self._count = 0
        self._screen = pyte.Screen(300, 100)
        self._stream = pyte.ByteStream(self._screen)
        self.asked_for: list[str] = []

    @property
    def text(self) -> str:
        """What the terminal shows."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser for something and return its answer."""
        self._count += 1
        number = self._count
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        answer: dict[str, Any] = {}
        while answer.get("id") != number:
            answer = await self._hear()
        assert "error" not in answer, answer
        return answer["result"]

    async def until(self, is_so: Callable[[str], bool]) -> None:
        """Wait until the terminal's text is as wanted; a page that goes on talking is no answer."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so(self.text):
                    await self._hear()
        except TimeoutError:
            raise AssertionError(self.text) from None

    async def evaluate(self, script: str) -> Any:
        """Run a script in the page, and return what it or its promise comes to."""
        wanted = {"expression": script, "awaitPromise": True, "returnByValue": True}
        found = await self.call("Runtime.evaluate", **wanted)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until_script(self, script: str) -> None:
        """Wait until a script in the page comes to something true."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.evaluate(script):  # noqa: ASYNC110  a page tells nobody
                await asyncio.sleep(0.05)

    async def type(self, text: str) -> None:
        """Press the keys of some words."""
        for sign in text:
            await self._key(key=sign, text=sign)

    async def press(self, name: str) -> None:
        """Press a key by its name."""
        await self._key(key=name, code=name, windowsVirtualKeyCode=KEYS[name])

    async def control(self, letter: str) -> None:
        """Press a letter with ctrl."""
        code = {"code": f"Key{letter.upper()}", "windowsVirtualKeyCode": ord(letter.upper())}
        await self._key(key=letter, modifiers=CTRL, **code)

    async def screenshot(self, path: Path) -> bytes:
        """Write a picture of the page and return its bytes."""
        found = await self.call("Page.captureScreenshot", format="png")
        picture = base64.b64decode(found["data"])
        path.write_bytes(picture)
        return picture

    async def _key(self, **key: Any) -> None:
        kind = "keyDown" if key.get("text") else "rawKeyDown"
        await self.call("Input.dispatchKeyEvent", type=kind, **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **{**key, "text": ""})

    async def _hear(self) -> dict[str, Any]:
        message = json.loads((await self._socket.receive(PATIENCE_S)).data)
        told = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.asked_for.append(told["request"]["url"])
            case "Network.webSocketFrameReceived" if told["response"]["opcode"] == 2:
                self._stream.feed(base64.b64decode(told["response"]["payloadData"]))
            case _:
                pass
        return message


@asynccontextmanager
async def browsing(profile: Path) -> AsyncGenerator[Page]:
    """An empty page in a browser of its own; PROGRAM must be there."""
    assert PROGRAM
    words = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)
    try:
        async with aiohttp.ClientSession() as session:
            port = await asyncio.wait_for(_port(profile / "DevToolsActivePort"), PATIENCE_S)
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                targets = await answer.json(content_type=None)
            address = next(each for each in targets if each["type"] == "page")
            url = address["webSocketDebuggerUrl"]
            async with _attached(session, url, port) as page:
                yield page
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), PATIENCE_S)


@asynccontextmanager
async def tab(page: Page) -> AsyncGenerator[Page]:
    """Another empty page in the same browser."""
    control = f"http://127.0.0.1:{page.port}/json"
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{control}/new?about:blank") as answer:
            made = await answer.json(content_type=None)
        async with _attached(session, made["webSocketDebuggerUrl"], page.port) as opened:
            yield opened
        async with session.get(f"{control}/close/{made['id']}") as answer:
            await answer.read()


@asynccontextmanager
async def _attached(session: aiohttp.ClientSession, url: str, port: int) -> AsyncGenerator[Page]:
    async with session.ws_connect(url, max_msg_size=0) as socket:
        page = Page(socket, port)
        await page.call("Page.enable")
        await page.call("Network.enable")
        await page.call("Emulation.setFocusEmulationEnabled", enabled=True)
        yield page


async def _port(file: Path) -> int:
    while True:  # the browser writes it when it listens, and tells nobody
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        await asyncio.sleep(0.05)
