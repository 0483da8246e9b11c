"""Run every command on hostile trees of files and watch the rest of the disk.

By hand: `make fuzz ARGS="--trees 300"`. The same seed makes the same tree and the same commands.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(HERE.parent)]

import repos  # noqa: E402  the path is set first
from outside import Outside  # noqa: E402  the path is set first
from trees import Planter  # noqa: E402  the path is set first

from engine.workspaces.files.removal import remove  # noqa: E402  the path is set first

COMMAND = (sys.executable, str(ROOT / "swarm_tui.py"))
LIMIT_S = 120.0
PEAK_KIB = 800 * 1024
OUTPUT_BYTES = 4 * 1024**2
GOOD_CODES = frozenset({0, 1, 2, 3, 124})
AGENT = ("--agent", "simulated", "--timeout", "60s")
PROMPT = "sim: write a.txt changed\nsim: write new/c.txt c\nsim: say hello"

STARTS: tuple[tuple[str, ...], ...] = (
    ("run", *AGENT, "--copy", "SOURCE", PROMPT),
    ("run", *AGENT, PROMPT, "--worktree", "SOURCE"),
    ("run", *AGENT, "--include-uncommitted", PROMPT, "--worktree", "SOURCE"),
    ("run", *AGENT, "--in-place", "SOURCE", PROMPT),
    ("run", *AGENT, "--empty", PROMPT),
    ("batch", "start", "--count", "2", *AGENT, "--copy", "SOURCE", PROMPT),
)
ON_RUNS: tuple[tuple[str, ...], ...] = (
    ("show", "@last", "--json"),
    ("files", "@last"),
    ("files", "@last", "PATH"),
    ("get", "@last", "PATH", "-o", "-"),
    ("get", "@last", "PATH", "-o", "SOURCE"),
    ("get", "@last", "PATH", "-o", "SOURCE/PATH"),
    ("artifacts", "@last"),
    ("diff", "@last"),
    ("diff", "@last", "--stat"),
    ("apply", "@last", "--check"),
    ("apply", "@last", "--check", "--as", "merge"),
    ("apply", "@last"),
    ("apply", "@last", "--as", "commit"),
    ("apply", "@last", "--as", "merge"),
    ("apply", "@last", "--as", "patch"),
    ("apply", "@last", "--to", "OTHER"),
    ("restore", "@last", "--checkpoint", "0"),
    ("retry", "@last"),
    ("retry", "@last", "--fresh"),
    ("resume", "@last", "sim: say again"),
    ("run", *AGENT, "--from-run", "@last", PROMPT),
    ("batch", "apply", "@last"),
    ("batch", "report", "@last"),
    ("batch", "show", "@last"),
    ("batch", "drop", "@last"),
    ("du", "--all"),
    ("doctor",),
    ("ls",),
    ("logs", "@last"),
    ("templates",),
    ("config", "check"),
    ("cleanup", "--dry-run", "--older-than", "0s"),
    ("cleanup", "--artefacts-only", "--older-than", "0s", "--force"),
    ("cleanup", "--older-than", "0s", "--force"),
    ("cleanup", "--older-than", "0s", "--force", "--including-unsaved"),
    ("cleanup", "--undo"),
    ("cleanup", "--empty-trash", "--force"),
)
RACER = """
import os, random, sys
rng = random.Random(int(sys.argv[1])); outside = os.fsencode(sys.argv[2])
roots = [os.fsencode(one) for one in sys.argv[3:]]
while os.getppid() != 1:
    root = rng.choice(roots)
    try:
        name = rng.choice(os.listdir(root))
        path, aside = os.path.join(root, name), os.path.join(root, name + b".aside")
        os.rename(path, aside)
        rng.choice((lambda: os.symlink(outside, path), lambda: os.mkfifo(path),
                    lambda: os.symlink(outside + b"/secret.txt", path), lambda: None))()
        if rng.random() < 0.9:
            os.path.lexists(path) and os.unlink(path)
            os.rename(aside, path)
    except (OSError, IndexError):
        pass
"""


@dataclass
class Tally:
    """What was tried, and what went wrong."""

    trees: int = 0
    commands: Counter[str] = field(default_factory=Counter[str])
    codes: Counter[int] = field(default_factory=Counter[int])
    faults: list[str] = field(default_factory=list[str])
    longest_s: float = 0.0
    peak_kib: int = 0


class Case:
    """One tree with a home of its own, and the commands tried on it."""

    def __init__(self, seed: int, folder: Path, tally: Tally) -> None:
        self.seed, self.folder, self.tally = seed, folder, tally
        self.rng = random.Random(seed)
        self.source, self.other = folder / "source", folder / "other"
        self.outside = Outside(folder / "outside", folder / "ran")
        self.planter = Planter(self.rng, self.outside)
        for name in ("user", "other", "cwd"):
            (folder / name).mkdir()
        self.env = {
            **{name: os.environ[name] for name in ("PATH",)},
            "HOME": str(folder / "user"),
            "SWARM_HOME": str(folder / "home"),
            "SWARM_CONFIG": str(folder / "config.yaml"),
            "TMPDIR": str(folder),
            "TERM": "dumb",
        }

    def run(self, count: int) -> None:
        """Plant, start a run, plant again, and try so many other commands."""
        self._make_source()
        is_raced = self.rng.random() < 0.3
        self.outside.faults()
        with self._race(is_raced, self.source):
            self._try(self.rng.choice(STARTS))
        workspaces = self._workspaces()
        for place in workspaces:
            self.planter.plant(place, self.rng.randint(1, 12))
        self.outside.faults()
        for words in self.rng.sample(ON_RUNS, min(count, len(ON_RUNS))):
            with self._race(is_raced, self.source, *workspaces):
                self._try(words)
        self.tally.trees += 1

    def close(self) -> None:
        """End what is left of it, and remove it."""
        self._end_processes()
        self.outside.close()
        subprocess.run(["chmod", "-R", "u+rwX", str(self.folder)], capture_output=True, check=False)
        left = remove(self.folder).left
        if left:
            self.tally.faults.append(f"seed {self.seed}: left behind {left[:3]}")

    def _make_source(self) -> None:
        if self.rng.random() < 0.7:
            repos.repository(self.source, {"a.txt": "one\ntwo\n", "sub/b.txt": "b\n"})
            if self.rng.random() < 0.5:
                repos.write(self.source, {"a.txt": "uncommitted\n", "new.txt": "n\n"})
        else:
            self.source.mkdir()
            repos.write(self.source, {"a.txt": "one\ntwo\n"})
        if self.rng.random() < 0.6:
            self.planter.plant(self.source, self.rng.randint(1, 12))

    def _workspaces(self) -> list[Path]:
        found = sorted((self.folder / "home" / "workspaces").glob("*/*"))
        return [place for place in found if place.is_dir() and not place.is_symlink()]

    def _words(self, words: Sequence[str]) -> list[bytes]:
        places = self._workspaces()
        names = [b"a.txt", b"../../../outside/secret.txt", b"sub"]
        with suppress(OSError):
            names += os.listdir(os.fsencode(places[0])) if places else []
        path = self.rng.choice(names)
        plain = {b"SOURCE": self.source, b"OTHER": self.other}
        found = [os.fsencode(word) for word in words]
        for name, place in plain.items():
            found = [word.replace(name, os.fsencode(place)) for word in found]
        if b"PATH" in found and path.startswith(b"-"):
            found.insert(found.index(b"PATH"), b"--")
        return [word.replace(b"PATH", path) for word in found]

    def _try(self, words: Sequence[str]) -> None:
        name = " ".join(word for word in words if word not in AGENT and "sim:" not in word)
        said = self._words(words)
        started = time.monotonic()
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(
                [*map(os.fsencode, COMMAND), *said],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.folder / "cwd", env=self.env, start_new_session=True,
            )  # fmt: skip
            code, peak_kib = _ended(process)
            out.seek(0)
            text = out.read(OUTPUT_BYTES)
        self.tally.commands[name] += 1
        self.tally.codes[code] += 1
        elapsed_s = time.monotonic() - started
        self.tally.longest_s = max(self.tally.longest_s, elapsed_s)
        self.tally.peak_kib = max(self.tally.peak_kib, peak_kib)
        faults = self.outside.faults()
        if code not in GOOD_CODES:
            faults.append(f"ended with {code} after {elapsed_s:.0f} s")
        if peak_kib > PEAK_KIB:
            faults.append(f"took {peak_kib // 1024} MiB")
        for word in (b"Traceback", b"INTERNAL", b"secret\n", b"\x1b]"):
            if word in text and not (word == b"secret\n" and b"apply" in words):
                faults.append(f"printed {word!r}: {text[-300:]!r}")
        self.tally.faults += [f"seed {self.seed}: {name}: {fault}" for fault in faults]

    @contextmanager
    def _race(self, is_raced: bool, *roots: Path) -> Iterator[None]:
        if not is_raced:
            yield
            return
        seed = str(self.rng.randrange(1_000_000))
        words = [sys.executable, "-c", RACER, seed, str(self.outside.folder), *map(str, roots)]
        racer = subprocess.Popen(words)
        try:
            yield
        finally:
            racer.kill()
            racer.wait()

    def _end_processes(self) -> None:
        """End supervisors that the commands started in the background: by this tree's home."""
        mark = os.fsencode(f"SWARM_HOME={self.folder / 'home'}")
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (place / "environ").read_bytes().split(b"\0"):
                    os.kill(int(place.name), signal.SIGKILL)


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Wait for a command, end it where it takes too long; return its code and its peak in KiB."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage.ru_maxrss
        if time.monotonic() > deadline:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.01)


def fuzz(seeds: Sequence[int], count: int, parent: Path) -> Tally:
    """Try these trees, each with so many commands; what is found is in the tally."""
    tally = Tally()
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix=f"t{seed}-", dir=parent))
        case = Case(seed, folder, tally)
        try:
            case.run(count)
        finally:
            case.close()
    return tally


def main() -> int:
    """Fuzz from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", type=int, default=8)
    asked = parser.parse_args()
    parent = Path(tempfile.mkdtemp(prefix="fuzz-"))
    total, started = Tally(), time.monotonic()
    try:
        for seed in range(asked.seed, asked.seed + asked.trees):
            one = fuzz([seed], asked.commands, parent)
            total.trees += one.trees
            total.commands += one.commands
            total.codes += one.codes
            total.longest_s = max(total.longest_s, one.longest_s)
            total.peak_kib = max(total.peak_kib, one.peak_kib)
            total.faults += one.faults
            for fault in one.faults:
                print(fault, flush=True)
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    print(json.dumps(dict(sorted(total.commands.items())), indent=1))
    print(
        f"{total.trees} trees, {total.commands.total()} commands, exit codes "
        f"{dict(sorted(total.codes.items()))}, longest {total.longest_s:.1f} s, peak "
        f"{total.peak_kib // 1024} MiB, {len(total.faults)} faults, "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
