"""`swarm-tui api` in a process of its own: addresses, sockets, signals, and no secret shown."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import psutil
import pytest
from served import serving as serve_command
from typed import COMMAND, PATIENCE_S, Swarm

from engine.config.paths import Paths
from tui.cli.api import launch, listeners

ADDRESS = re.compile(r"The API: (\S+)")


class Serving:
    """A running `swarm-tui api`, and all that it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def line(self, pattern: str) -> re.Match[str]:
        """Return the next line that has a pattern."""
        assert self.process.stdout
        while line := (await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)).decode():
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(self.lines)

    async def end(self, number: int = signal.SIGINT) -> int:
        """Stop it with a signal, and return its exit code."""
        assert self.process.stdout
        if self.process.returncode is None:
            self.process.send_signal(number)
        rest = await asyncio.wait_for(self.process.stdout.read(), PATIENCE_S)
        self.lines += rest.decode().splitlines()
        return await asyncio.wait_for(self.process.wait(), PATIENCE_S)


@asynccontextmanager
async def serving(*words: str) -> AsyncGenerator[Serving]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "api", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    served = Serving(process)
    try:
        yield served
    finally:
        await served.end()


async def _token(swarm: Swarm, *words: str) -> str:
    done = await asyncio.to_thread(swarm, "api", "token", "create", *words)
    assert done.code == 0, done.err
    return done.out.strip()


async def test_served_on_a_port_until_a_signal(swarm: Swarm, paths: Paths) -> None:
    async with serving("--port", "0") as served:
        address = (await served.line(ADDRESS.pattern))[1]
        assert address.startswith("http://127.0.0.1:")
        await served.line("api token create")
        secret = await _token(swarm, "ci")
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            assert (await client.get("/v1/health")).json()["ok"]
            assert (await client.get("/v1/runs/x")).status_code == 401
            assert (await client.get("/v1/runs/x", headers=headers)).status_code == 404
            await asyncio.to_thread(swarm, "api", "token", "revoke", "ci")
            assert (await client.get("/v1/runs/x", headers=headers)).status_code == 401
        assert secret not in " ".join(psutil.Process(served.process.pid).cmdline())
        assert await served.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert secret not in "".join(served.lines)
    assert len(served.lines) == 2, "no log is printed"
    logs = [each.read_text() for each in paths.home.glob("*.log")]
    assert not any(secret in text for text in logs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_unix_socket_is_private_and_removed(tmp_path: Path, number: int) -> None:
    path = tmp_path / "api.sock"
    async with serving("--socket", str(path)) as served:
        assert (await served.line(ADDRESS.pattern))[1] == f"unix:{path}"
        mode = path.lstat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/v1/health")).status_code == 200
            assert (await client.get("/v1/runs/x")).status_code == 401
        if curl := shutil.which("curl"):
            words = [curl, "-s", "--unix-socket", str(path), "http://localhost/v1/health"]
            done = await asyncio.to_thread(subprocess.run, words, capture_output=True)
            assert b'"ok":true' in done.stdout
        async with serving("--socket", str(path)) as second:
            assert await asyncio.wait_for(second.process.wait(), PATIENCE_S) == 3
        assert "Another process listens" in "".join(second.lines)
        assert await served.end(number) == 128 + number
    assert os.listdir(tmp_path) == ["garden"] or not path.exists()


def test_stale_socket_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(socket.socket(socket.AF_UNIX)) as killed:
        killed.bind(str(path))
    first = listeners.on_socket(path)
    with pytest.raises(Exception, match="Another process"):
        listeners.on_socket(path)
    path.unlink()
    path.write_text("mine")
    first.close()
    assert path.read_text() == "mine", "what is not its socket stays"
    with pytest.raises(Exception, match="is not a socket"):
        listeners.on_socket(path)
    assert sorted(os.listdir(tmp_path)) == ["s"]


def test_socket_in_a_folder_of_everyone_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(Exception, match="Everyone can write"):
        listeners.on_socket(folder / "s")
    with pytest.raises(Exception, match="cannot be used"):
        listeners.on_socket(tmp_path / "missing" / "s")
    with pytest.raises(Exception, match="cannot be used"):
        listeners.on_socket(tmp_path / ("x" * 200))
    assert os.listdir(folder) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "2001:db8::1"])
def test_address_of_others_needs_tls(inside: Swarm, host: str) -> None:
    refused = inside("api", "--host", host, "--port", "0")
    assert (refused.code, "API_TLS_NEEDED" in refused.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--certificate", "x"], "need each other"),
        (["--key", "x"], "need each other"),
        (["--socket", "s", "--host", "::1"], "add --port"),
        (["--port", "65536"], "65536"),
    ],
)
def test_flags_that_do_not_fit(inside: Swarm, words: list[str], expected: str) -> None:
    refused = inside("api", *words)
    assert (refused.code, expected in refused.err) == (2, True)


def test_mistakes_are_explained_before_anything_is_served(inside: Swarm, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = inside("api", "--port", str(taken.getsockname()[1]))
    assert (used.code, "PORT_UNAVAILABLE" in used.err) == (3, True)
    files = ("--certificate", str(tmp_path / "a"), "--key", str(tmp_path / "b"))
    missing = inside("api", "--port", "0", *files)
    assert (missing.code, "API_CERTIFICATE_INVALID" in missing.err) == (3, True)
    unknown = inside("api", "--host", "no.such.host.invalid")
    assert (unknown.code, "API_ADDRESS_UNAVAILABLE" in unknown.err) == (3, True)


def test_missing_extra_is_explained(inside: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "find_spec", lambda _: None)
    refused = inside("api")
    assert (refused.code, "API_MISSING" in refused.err) == (3, True)


async def test_home_that_is_removed_ends_the_server(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.cli.api.server.CHECK_S", 0.01)
    from engine.domain.errors import UserError
    from engine.engine import Engine
    from tui.cli.api.server import serve

    async with Engine.open(paths) as engine:
        listener = listeners.on_port(listeners.LOOPBACK, 0, has_tls=False)
        work = asyncio.create_task(serve(engine, [listener]))
        paths.home.rename(paths.home.with_name("moved"))
        try:
            with pytest.raises(UserError):
                await asyncio.wait_for(work, PATIENCE_S)
        finally:
            paths.home.with_name("moved").rename(paths.home)
            listener.close()


async def test_dashboard_and_api_from_one_process(swarm: Swarm) -> None:
    secret = await _token(swarm, "ci")
    async with serve_command("--api", "--api-port", "0") as (process, page):
        assert process.stdout
        while not (found := ADDRESS.search((await process.stdout.readline()).decode())):
            pass
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"Authorization": f"Bearer {secret}"}
            assert (await client.get(f"{found[1]}/v1/runs/x", headers=headers)).status_code == 404
            assert "<html" in (await client.get(str(page.with_fragment(None)))).text
            foreign = {**headers, "Origin": str(page.origin())}
            assert (await client.get(f"{found[1]}/v1/runs/x", headers=foreign)).status_code == 403


async def test_serve_names_the_option_of_the_api() -> None:
    async with serve_command() as (process, _):
        assert process.stdout
        while b"--api" not in await asyncio.wait_for(process.stdout.readline(), PATIENCE_S):
            pass


def test_port_of_the_api_needs_the_api(inside: Swarm) -> None:
    refused = inside("serve", "--api-port", "0")
    assert (refused.code, "--api" in refused.err) == (2, True)
