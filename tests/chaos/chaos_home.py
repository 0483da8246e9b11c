"""The home that a storm of faults plays with: its commands, its runs, and what was reported."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from disk_image import DiskImage

from engine.config.paths import Paths

HERE = Path(__file__).parent
COMMAND = [sys.executable, "-m", "tui"]
ENDED = frozenset({"succeeded", "failed", "cancelled", "interrupted"})
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Reported:
    """What had been reported before a power cut began."""

    image: Path
    accepted: frozenset[str]
    ended: dict[str, str]


class ChaosHome:
    """A home on a disk image, a repository beside it, and a webhook receiver."""

    def __init__(self, folder: Path, disk: DiskImage, chance: random.Random) -> None:
        self.folder, self.disk, self.chance = folder, disk, chance
        home = disk.path / "home"
        self.paths = Paths(home, folder / "config.yaml")
        self.repository = disk.path / "garden"
        self.clock = folder / "clock"
        self.accepted: dict[str, None] = {}
        self.ended: dict[str, str] = {}
        self.notified: set[str] = set()
        self.cuts: list[Reported] = []
        self.waiters: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.dashboards: list[tuple[subprocess.Popen[bytes], int]] = []
        self.killed_on_purpose: set[int] = set()
        self._receiver = ThreadingHTTPServer(("127.0.0.1", 0), _receiver_for(self.notified))
        self.env = {
            **{name: it for name, it in os.environ.items() if not name.startswith("SWARM_")},
            "SWARM_HOME": str(home),
            "SWARM_CONFIG": str(self.paths.config),
            "PYTHONPATH": os.pathsep.join([str(HERE / "moved_clock"), str(HERE.parents[1])]),
            "CHAOS_CLOCK": str(self.clock),
            "CHAOS_SECRET": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
            "TERM": "xterm-256color",
            "NO_PROXY": "127.0.0.1",
        }

    def __enter__(self) -> Self:
        self.clock.write_text("0")
        self._make_repository()
        port = self._receiver.server_address[1]
        hook = f'{{name: here, url: "http://127.0.0.1:{port}/", secret_env: CHAOS_SECRET}}'
        self.paths.config.write_text(
            f"slots: 6\ngrace_s: 1\nqueue: {{stagger_s: 0.05}}\nwebhooks: [{hook}]\n"
            "workspace: {setup: ['echo ready > setup.txt']}\n"
        )
        threading.Thread(target=self._receiver.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._receiver.shutdown()
        self._receiver.server_close()
        for process, terminal in self.dashboards:
            process.kill()
            process.wait()
            os.close(terminal)
        for _, process in self.waiters:
            process.kill()
            process.wait()

    # Commands

    def swarm(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *words],
            cwd=self.repository,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )

    def ends(self, *words: str, within_s: float) -> bool:
        """Run a command; return whether it came to its end in time."""
        process = self._started(*words)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        return True

    def _started(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.repository,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    # What goes on

    def keep_busy(self, live: int) -> None:
        """Start runs, waiters and dashboards until enough of them are at work."""
        missing = live - len(self.accepted.keys() - self.ended.keys())
        for _ in range(min(2, missing)):
            self._start_run()
        self.waiters = [it for it in self.waiters if it[1].poll() is None]
        if len(self.waiters) < 2 and self.accepted:
            words = self.chance.choice(
                [["wait", "--all"], ["watch", next(reversed(self.accepted))]]
            )
            self.waiters.append((" ".join(words), self._started(*words)))
        for process, terminal in [it for it in self.dashboards if it[0].poll() is not None]:
            os.close(terminal)
            self.dashboards.remove((process, terminal))
        if not self.dashboards:
            self._open_dashboard()

    def _start_run(self) -> None:
        n = len(self.accepted)
        steps = [
            "numbered 40 every=0.02",
            f"write file-{n}.txt written by run {n}",
            "numbered 40 from=last every=0.02",
            f"say end {n}",
        ]
        prompt = "\n".join(f"sim: {step}" for step in steps)
        kind = self.chance.choice([["--worktree", "."], ["--copy", "."], ["--empty"]])
        verify = (
            ["--verify", "test -f setup.txt && sleep 0.1"] if self.chance.random() < 0.5 else []
        )
        mode = self.chance.choice([["--interactive"], []])
        words = ["run", prompt, *kind, *verify, *mode, "--agent", "simulated", "--detach", "--json"]
        done = self.swarm(*words)
        if done.returncode == 0:  # refused on a full disk, for instance: then nothing is promised
            self.accepted[json.loads(done.stdout)["id"]] = None

    def _open_dashboard(self) -> None:
        outer, inner = pty.openpty()
        process = subprocess.Popen(
            COMMAND,
            cwd=self.repository,
            env=self.env,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        threading.Thread(target=_drain, args=(outer,), daemon=True).start()
        self.dashboards.append((process, outer))

    def observe(self) -> None:
        """Note what `ls` reports as ended: from now on that must stay true."""
        for run in self.listed():
            if run["status"] in ENDED and run["id"] in self.accepted:
                self.ended.setdefault(run["id"], run["status"])

    def listed(self) -> list[dict[str, Any]]:
        """Return the runs as `ls --json` shows them."""
        done = self.swarm("ls", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else []

    def calm(self) -> None:
        """End all faults that last."""
        self.disk.free()
        for process, _ in self.dashboards:
            process.kill()
            process.wait()

    def live_runs(self) -> list[str]:
        """Return the ids of accepted runs that were not seen to end."""
        return [run for run in self.accepted if run not in self.ended]

    def supervisor(self) -> int | None:
        """Return the pid in the supervisor's lock file, if that process is there."""
        with suppress(OSError, ValueError):
            pid = int(self.paths.lock.read_text().split()[0])
            os.kill(pid, 0)
            return pid
        return None

    def cut_power(self) -> None:
        """Copy the disk as it is, and keep what had been reported before."""
        image = self.folder / f"cut-{len(self.cuts)}.img"
        reported = Reported(image, frozenset(self.accepted), dict(self.ended))
        with self._stopped():
            self.disk.cut(image)
        self.cuts.append(reported)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        """Stop all processes of the home meanwhile."""
        found = list(self._processes())
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _processes(self) -> Iterator[int]:
        """Find every process that was started with our clock, and what it started."""
        ours = f"CHAOS_CLOCK={self.clock}".encode()
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if ours in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                    yield process.pid
                    yield from (child.pid for child in process.children(recursive=True))

    def diagnosis(self) -> str:
        """Return what `ls`, `doctor` and the log say of what does not come to its end."""
        listed = self.swarm("ls", "--status", "queued", "--status", "running").stdout
        checked = self.swarm("doctor").stdout
        with suppress(OSError):
            checked += self.paths.log.read_text(errors="replace")[-2000:]
        return f"{listed}\n{checked}"

    def _make_repository(self) -> None:
        self.repository.mkdir()
        for number in range(20):
            (self.repository / f"{number}.txt").write_text(f"{number}\n" * 50)
        identity = ["-c", "user.name=C", "-c", "user.email=c@example.com"]
        for words in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            [*identity, "commit", "-qm", "x"],
        ):
            subprocess.run(["git", *words], cwd=self.repository, check=True)
        os.sync()  # the user's own work of yesterday: no power cut of today takes it


def _drain(terminal: int) -> None:
    with suppress(OSError):
        while os.read(terminal, 65536):
            pass


def _receiver_for(notified: set[str]) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            except ValueError:
                return  # its sender was killed; it is sent again
            if body["type"].removeprefix("run.") in ENDED:
                notified.add(body["data"]["id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    return Receiver


def wait_a_moment(chance: random.Random, longest_s: float) -> None:
    """Let things go on for a random time."""
    time.sleep(chance.uniform(0, longest_s))
