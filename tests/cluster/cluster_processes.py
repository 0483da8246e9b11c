"""The commands of a cluster as real processes, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from engine.execution.cluster.channel import Channel, ChannelError
from engine.execution.cluster.dask.certificates import Certificates
from engine.execution.cluster.dask.channel import DaskChannel
from engine.execution.cluster.messages import Message, pack, unpack

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
HOME = "h0me"
Answer = TypeVar("Answer")


class Command:
    """A command of the cluster, and its reports."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.reports: list[dict[str, Any]] = []
        self.output = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    async def report(self, event: str) -> dict[str, Any]:
        """Return the next report of an event."""
        assert self.process.stdout
        async with asyncio.timeout(LIMIT_S):
            while line := await self.process.stdout.readline():
                found = json.loads(line)
                self.reports.append(found)
                if found["event"] == event:
                    return found
        raise AssertionError(f"no {event}: {self.reports}; {(await self.end())[1]!r}")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def child(self) -> psutil.Process:
        """Return the process of the node below it."""
        (child,) = psutil.Process(self.pid).children()
        return child

    async def end(self) -> tuple[int, bytes]:
        """Wait for the end; return the exit code and stderr, and keep the rest of stdout."""
        async with asyncio.timeout(LIMIT_S):
            self.output, errors = await self.process.communicate()
        return self.process.returncode or 0, errors


class Cluster:
    """Processes in a folder of a test, with certificates."""

    def __init__(self, folder: Path, made: Certificates) -> None:
        self.folder = folder
        self.made = made
        self.environment = {
            **os.environ,
            "SWARM_HOME": str(folder / "home"),
            "SWARM_CONFIG": str(folder / "config.yaml"),
        }
        self.commands: list[Command] = []
        self.address = ""

    async def command(self, *words: str) -> Command:
        """Start a command."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(ROOT / "swarm_tui.py"),
            *words,
            "--json",
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        self.commands.append(Command(process))
        return self.commands[-1]

    def files(self, name: str) -> Sequence[str]:
        files = self.made.of(name)
        return (
            *("--ca", str(files.ca)),
            *("--certificate", str(files.certificate)),
            *("--key", str(files.key)),
        )

    async def scheduler(self, port: int = 0) -> Command:
        words = (*self.files("scheduler"), "--host", "127.0.0.1", "--port", str(port))
        started = await self.command("cluster", "scheduler", *words)
        self.address = (await started.report("listening"))["scheduler"]
        return started

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def node(self, name: str, lease: str, *, root: str = "", scheduler: str = "") -> Command:
        where = ("--root", str(self.folder / (root or name)), "--slots", "4", "--lease", lease)
        to = ("--scheduler", scheduler or self.address, "--name", name)
        return await self.command("node", *to, *where, *self.files(name))

    def channel(self) -> DaskChannel:
        return DaskChannel(self.address, self.made.of("client"))


@contextlib.asynccontextmanager
async def a_cluster(folder: Path, made: Certificates) -> AsyncGenerator[Cluster]:
    """Processes that end with the test, whatever they are doing."""
    cluster = Cluster(folder, made)
    try:
        yield cluster
    finally:
        for command in cluster.commands:
            if command.process.returncode is None:
                for child in psutil.Process(command.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
                with contextlib.suppress(ProcessLookupError):
                    command.process.kill()
                await command.end()


async def ask(channel: Channel, node: str, message: Message[Answer]) -> Answer:
    """Send a message until it is answered; every message may arrive twice."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return unpack(await channel.call(node, pack(HOME, message), 10), message)
            except ChannelError:
                await asyncio.sleep(0.1)
