"""What other programs of this machine and other pages try against the dashboard in a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import chromium
import pytest
from aiohttp import web
from served import printed, serving
from typed import PATIENCE_S

from engine.config.paths import Paths
from tui.cli.web import access as web_access
from tui.cli.web import connections
from tui.cli.web import server as dashboard
from tui.cli.web.access import WebAccess


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[WebAccess, str, int]]:
    """A server in this process, and where it listens."""
    door, *kept = connections.bind(0)
    access = WebAccess()
    listener = await dashboard.listen(door, access)
    host, port = door.getsockname()
    try:
        yield access, host, port
    finally:
        await listener.close()
        for each in kept:
            each.close()


async def answer(host: str, port: int, *lines: str) -> str:
    """Send the lines of a request, and return all of the answer."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        return (await asyncio.wait_for(reader.read(), PATIENCE_S)).decode("latin-1")
    finally:
        writer.close()


MARKUP = "127.0.0.1<script>alert(1)</script>"
HOSTS = (
    *("", "evil.example", "127.0.0.1.evil.example", "evil.example:80", "user@127.0.0.1"),
    *(
        MARKUP,
        "[::2]",
        "0.0.0.0",
        "localhost.evil.example",
        "127.0.0.1\t",
        "12 7.0.0.1",
        "0x7f000001",
    ),
)


@pytest.mark.parametrize("host_name", HOSTS)
@pytest.mark.parametrize(
    "target", ["/", "/page/start.js", "/static/js/textual.js", "/ws", "/nothing"]
)
async def test_a_foreign_host_gets_nothing_and_is_not_repeated(host_name: str, target: str) -> None:
    async with listening() as (_, host, port):
        said = await answer(host, port, f"GET {target} HTTP/1.1", f"Host: {host_name}")
        if host_name == "127.0.0.1\t":  # white space around a value is no part of it
            return
        assert said.startswith(("HTTP/1.1 403", "HTTP/1.1 400"))
        assert "<script>" not in said
        assert "evil" not in said


@pytest.mark.parametrize(
    "lines",
    [
        ("GET /<b>x</b> HTTP/1.1", "Host: 127.0.0.1"),
        ("GET /%3Cb%3Ex HTTP/1.1", "Host: 127.0.0.1"),
        ("GET /static/<b>x HTTP/1.1", "Host: 127.0.0.1"),
        ("GET / HTTP/1.1", "Host: 127.0.0.1", "Host: <b>"),
        ("GET / HTTP/1.1", "Host: 127.0.0.1", "Origin: http://<b>"),
        ("<b>GET / HTTP/1.1", "Host: 127.0.0.1"),
        ("POST /session HTTP/1.1", "Host: 127.0.0.1", "X-Swarm-Tui: <b>", "Content-Length: 0"),
    ],
)
async def test_markup_in_a_request_is_never_html(lines: tuple[str, ...]) -> None:
    async with listening() as (_, host, port):
        head, _, body = (await answer(host, port, *lines)).partition("\r\n\r\n")
        assert not head.startswith("HTTP/1.1 200")
        assert "text/html" not in head.lower() or "<b>" not in body
        assert "<b>" not in head


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:1", "null", "https://{host}", "http://{host}:1", ""]
)
@pytest.mark.parametrize("site", ["", "same-site", "cross-site"])
async def test_another_page_can_neither_exchange_nor_connect(origin: str, site: str) -> None:
    async with listening() as (access, host, port):
        token = access.new_token()
        key = access.exchange(token)
        token = access.new_token()
        sent = [f"Host: {host}:{port}", *([f"Sec-Fetch-Site: {site}"] if site else [])]
        sent += [f"Origin: {origin.format(host=host)}"] if origin else []
        post = ("POST /session HTTP/1.1", *sent, "Content-Length: 0")
        for given in (token, key):
            assert " 403 " in await answer(host, port, *post, f"X-Swarm-Tui: {given}")
        socket = ("GET /ws HTTP/1.1", *sent, f"Sec-WebSocket-Protocol: swarm-tui, {key}")
        assert " 403 " in await answer(host, port, *socket)
        assert access.exchange(token), "it was not used up"


def test_a_start_token_expires_and_is_replaced() -> None:
    now = 0.0
    access = WebAccess(lambda: now)
    token = access.new_token()
    now = web_access.TOKEN_S + 1
    assert access.exchange(token) is None
    first, second = access.new_token(), access.new_token()
    assert access.exchange(first) is None
    assert access.exchange(second)
    assert access.exchange(second) is None
    assert access.exchange("") is None


async def test_idle_connections_lock_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STRANGERS", 8)
    async with listening() as (_, host, port):
        idle = [await asyncio.open_connection(host, port) for _ in range(50)]
        idle[1][1].write(b"GET / HTTP/1.1\r\nHost: 127.0")
        said = await answer(host, port, "GET / HTTP/1.1", "Host: localhost")
        assert said.startswith("HTTP/1.1 200")
        async with asyncio.timeout(PATIENCE_S):
            assert await idle[0][0].read() == b""  # the oldest were closed
        for _, writer in idle:
            writer.close()


async def test_a_slow_request_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STRANGER_S", 0.2)
    async with listening() as (_, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        async with asyncio.timeout(PATIENCE_S):
            writer.write(b"GET / HTTP/1.1\r\n")
            while not writer.is_closing() and not reader.at_eof():
                writer.write(b"A: b\r\n")  # each byte in time, the request never whole
                await asyncio.sleep(0.01)
        writer.close()


async def test_cookies_of_neighbours_close_no_door() -> None:
    async with listening() as (_, host, port):
        jar = "; ".join(f"c{n}={'x' * 4000}" for n in range(180))
        said = await answer(host, port, "GET / HTTP/1.1", "Host: localhost", f"Cookie: {jar}")
        assert said.startswith("HTTP/1.1 200")


# With a real browser

OPEN = "Boolean(document.querySelector('.xterm'))"
KEY = "sessionStorage.getItem('swarm-tui')"
ATTACK = """(async () => {
  const told = {};
  const tries = {
    page: () => fetch("TARGET/", { credentials: "include" }).then((got) => got.text()),
    session: () => fetch("TARGET/session", {
      method: "POST", credentials: "include", headers: { "X-Swarm-Tui": "x" },
    }).then((got) => got.text()),
    socket: () => new Promise((resolve, reject) => {
      const address = "TARGET/ws?width=80&height=24".replace("http", "ws");
      const socket = new WebSocket(address, ["swarm-tui", "x"]);
      socket.onopen = () => resolve("open"); socket.onerror = () => reject(Error("closed"));
    }),
    channel: () => new Promise((resolve, reject) => {
      const channel = new BroadcastChannel("swarm-tui");
      channel.onmessage = ({ data }) => resolve(JSON.stringify(data));
      channel.postMessage("key?"); setTimeout(() => reject(Error("silent")), 700);
    }),
    frame: () => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.onload = () => {
        try { resolve(frame.contentDocument.body.innerHTML); } catch (error) { resolve(""); }
      };
      frame.src = "TARGET/"; document.body.append(frame);
    }),
    storage: async () => sessionStorage.getItem("swarm-tui") || localStorage.getItem("swarm-tui"),
    cookie: async () => document.cookie,
  };
  for (const [name, attempt] of Object.entries(tries)) {
    try { told[name] = (await attempt()) || ""; } catch (error) { told[name] = ""; }
  }
  return JSON.stringify(told);
})()"""


@asynccontextmanager
async def neighbour(host: str) -> AsyncGenerator[tuple[str, list[dict[str, str]]]]:
    """An agent's preview server on another port; the headers that it gets."""
    got: list[dict[str, str]] = []

    async def page(request: web.Request) -> web.Response:
        got.append(dict(request.headers))
        return web.Response(text="<body>preview</body>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/{any:.*}", page)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    try:
        yield f"http://{host}:{site.port}", got
    finally:
        await runner.cleanup()


@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
async def test_the_other_ports_of_the_address_get_nothing(tmp_path: Path, paths: Paths) -> None:
    async with serving() as (_, address), chromium.browsing(tmp_path / "profile") as owner:
        origin, token = str(address.origin()), address.fragment
        await owner.call("Page.navigate", url=str(address))
        await owner.until_script(OPEN)
        key = await owner.evaluate(KEY)
        assert await owner.evaluate("location.href") == f"{origin}/"
        for other in {address.host, connections.HOST}:
            async with neighbour(other) as (preview, got), chromium.tab(owner) as page:
                await page.call("Page.navigate", url=f"{preview}/")
                await page.until_script("document.body?.innerText === 'preview'")
                told = json.loads(await page.evaluate(ATTACK.replace("TARGET", origin)))
                assert not any(told.values()), told
                assert got
                assert not any("Cookie" in headers for headers in got)
                assert not any(secret in str(got) for secret in (key, token))
    kept = "".join(file.read_text("latin-1") for file in paths.home.rglob("*") if file.is_file())
    assert not any(secret in kept for secret in (key, token))


@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
async def test_reloads_and_other_tabs_of_the_owner_work(tmp_path: Path) -> None:
    async with serving() as (process, used), chromium.browsing(tmp_path / "profile") as owner:
        await owner.call("Page.navigate", url=str(used))
        await owner.until_script(OPEN)
        await owner.call("Page.reload")
        await owner.until_script(OPEN)
        for again in (f"{used.origin()}/", str(used)):
            async with chromium.tab(owner) as second:
                await second.call("Page.navigate", url=again)
                await second.until_script(OPEN)
        await owner.call("Page.navigate", url="about:blank")
        async with chromium.tab(owner) as late:  # nobody is left who knows the key
            await late.call("Page.navigate", url=str(used))
            await late.until_script("document.body?.innerText.includes('was used')")
            assert process.stdin
            process.stdin.write(b"\n")
            await late.call("Page.navigate", url=str(await printed(process)))
            await late.until_script(OPEN)
