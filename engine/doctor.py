"""Diagnosis: problems of this machine that keep runs from working, and a fix for each."""

from __future__ import annotations

import asyncio
import locale
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.agents import registry
from engine.config import workspace_roots
from engine.config.config_file import load_usable
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import CATALOGUE, UserError, user_error
from engine.domain.fault import Fault, fault_words
from engine.domain.finding import CheckHealth, Finding
from engine.domain.lifecycle import ACTIVE, LIVE
from engine.execution import run_records
from engine.execution.executor import LivingAttempt
from engine.execution.executors import Executors
from engine.execution.supervisor_status import HolderState, LockHolder, read_holder
from engine.notifications.diagnostics import problems
from engine.store.store import USED, Store
from engine.store.whole_check import check_whole
from engine.system import programs, short_command
from engine.system.files import real_path

LOW_DISK_BYTES = 2 * 1024**3
OLDEST_GIT = (2, 31)


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """The space left on a disk, and whether it is low; the home's usage when last measured."""

    free_bytes: int
    is_low: bool
    used_bytes: int = 0
    budget_bytes: int = 0

    @property
    def is_over(self) -> bool:
        """Return whether more than the budget is used."""
        return bool(self.budget_bytes) and self.used_bytes > self.budget_bytes


class Doctor:
    """Looks at what a home needs, and ends what should not be alive any more."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store,
        executors: Executors,
        faults: Callable[[], Sequence[Fault]],
        cluster: Callable[[], Awaitable[list[Finding]]] | None = None,
    ) -> None:
        self._cluster = cluster
        self._executors = executors
        self._faults = faults
        self._paths = paths
        self._config = config
        self._store = store

    async def examine(
        self,
        program: str | None = None,
        told: Callable[[Sequence[Finding]], object] = lambda _: None,
    ) -> list[Finding]:
        """Check the agents, git, disk, database, receivers, cluster, settings and terminal.

        The database is checked last, since all of it is read, which may take minutes: `told` gets
        all other findings before that. May be cancelled.
        """
        tools = await _tools(self._config, program)
        others = await self._others()
        told([*tools, *others])
        return [*tools, *await _checked("database", self._database()), *others]

    async def _others(self) -> list[Finding]:
        findings = await _checked("webhooks", self._receivers())
        findings += _surroundings(self._paths)
        findings += await _checked("supervisor", self._supervisor())
        findings.append(_supervision(self._faults()))
        findings += await _checked("other sessions", self._other_sessions())
        if self._cluster:
            findings += await _checked("cluster", self._cluster())
        return findings + await _checked("orphans", self._orphans())

    async def _database(self) -> list[Finding]:
        words = await check_whole(self._store)
        await run_records.check_behind(self._paths, self._store)
        return [_ok("database", words)]

    async def _other_sessions(self) -> list[Finding]:
        """Check that the session files were read, where they are counted."""
        problem = (await self._store.sessions.progress()).problem
        if not problem or not self._config.usage.other_sessions:
            return []
        recovery = "Their usage is missing. `usage.other_sessions: false` turns the reading off."
        return [Finding("other sessions", CheckHealth.WARNING, problem, recovery)]

    async def _orphans(self) -> list[Finding]:
        ended, unknown = await self._left_over()
        return [_orphans(len(ended)), *_unknown(len(unknown))]

    async def _supervisor(self) -> list[Finding]:
        """Check who supervises, and that no run waits without a supervisor."""
        holder = await asyncio.to_thread(read_holder, self._paths.lock)
        if holder.condition is HolderState.ABSENT and await self._store.runs(
            statuses=LIVE, limit=1
        ):
            message = "No process supervises, and runs are left to do."
            return [
                Finding("supervisor", CheckHealth.WARNING, message, "Run `swarm-tui supervise`.")
            ]
        return [_holder(holder, absent="none is needed: no run is left to do")]

    async def _receivers(self) -> list[Finding]:
        """Check the receivers of notifications; an empty list where there are none."""
        count = len(self._config.webhooks) + len(self._config.notify.apprise)
        found = await problems(self._config, self._store.deliveries)
        if not found and count:
            return [_ok("webhooks", f"{count} receiver{'' if count == 1 else 's'} set up")]
        return [Finding("webhooks", CheckHealth.WARNING, *problem) for problem in found]

    async def space(self) -> DiskSpace | None:
        """Return the space left on the home's disk; None: unknown."""
        try:
            space = await asyncio.to_thread(_space, self._paths)
            used = (await self._store.settings()).get(USED, "0")
        except (OSError, UserError):
            return None
        budget = self._config.cleanup.budget
        return replace(space, used_bytes=int(used), budget_bytes=budget)

    async def orphans(self) -> list[LivingAttempt]:
        """Find the processes of runs that have ended: a dead engine left them."""
        return (await self._left_over())[0]

    async def _left_over(self) -> tuple[list[LivingAttempt], list[LivingAttempt]]:
        """Find what `_ended` finds, on all machines."""
        ended: list[LivingAttempt] = []
        others: list[LivingAttempt] = []
        for host in self._executors.hosts:
            known, unknown = await self._ended(host)
            ended += known
            others += unknown
        return ended, others

    async def _ended(self, host: str) -> tuple[list[LivingAttempt], list[LivingAttempt]]:
        """Find living processes of runs that have ended, and of runs that are not in the database.

        The latter may be live runs of a database that was lost: they are never ended.
        """
        executor = self._executors.of_host(host)
        try:
            left = await executor.leftovers(lambda: self._store.runs(statuses=ACTIVE))
        except UserError as error:
            # The check of the cluster reports a node that does not answer.
            if not (error.entry.waits_for_node or error.code == "NODE_LOST"):
                raise
            return [], []
        if not left:
            return [], []
        known = {run.id for run in await self._store.runs(ids={orphan.run for orphan in left})}
        ended = [orphan for orphan in left if orphan.run in known]
        return ended, [orphan for orphan in left if orphan.run not in known]

    async def end_orphans(self) -> int:
        """End the processes that `orphans` finds, and return the number of their runs."""
        count = 0
        for host in self._executors.hosts:
            for orphan in (await self._ended(host))[0]:
                await self._executors.of_host(host).end_leftover(orphan, self._config.grace_s)
                count += 1
        return count


async def examine_without_database(
    paths: Paths, config: Config, error: UserError, program: str | None = None
) -> list[Finding]:
    """Check all that needs no database; `error` is the reason why there is none."""

    async def supervisor() -> list[Finding]:
        holder = await asyncio.to_thread(read_holder, paths.lock)
        return [_holder(holder, absent="no process supervises")]

    name = "database" if error.entry.is_of_database else "home"
    findings = [*await _tools(config, program), _failed(name, error)]
    findings += [finding for finding in _surroundings(paths) if finding.name != name]
    return findings + await _checked("supervisor", supervisor())


async def _checked(name: str, check: Awaitable[list[Finding]]) -> list[Finding]:
    """Return what a check found; one that fails is a finding too."""
    try:
        return await check
    except UserError as error:
        return [_failed(name, error)]


def _failed(name: str, error: UserError) -> Finding:
    return Finding(name, CheckHealth.FAIL, error.message, error.recovery)


async def _tools(config: Config, program: str | None) -> list[Finding]:
    """Look at the programs that runs need."""
    found: list[Finding] = []
    for agent in registry.agents():
        found += await _checked(agent.name, agent.diagnose(program, config))
    return found + await _checked("git", _git())


def _surroundings(paths: Paths) -> list[Finding]:
    """Look at the disk, the home, the settings and the terminal."""
    try:
        disk = _disk(paths)
    except OSError as error:
        disk = Finding("disk", CheckHealth.FAIL, f"{paths.home} cannot be read: {error.strerror}.")
    roots = map(check_root, workspace_roots.chosen(paths.home))
    return [disk, check_home(paths.home), *roots, _settings(paths), *_terminal()]


def _holder(holder: LockHolder, absent: str) -> Finding:
    """Return how the supervisor does; `absent` where there is none."""
    if holder.condition is HolderState.ABSENT:
        return _ok("supervisor", absent)
    if holder.problem:
        message, _, recovery = holder.problem.partition(". ")
        return Finding("supervisor", CheckHealth.WARNING, message + ".", recovery)
    return _ok("supervisor", _holder_words(holder))


def _holder_words(holder: LockHolder) -> str:
    words = f"process {holder.pid} supervises" if holder.pid else "a process supervises"
    if holder.since is not None:
        words += time.strftime(" since %Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    if holder.beat_age_s is not None:
        words += f"; last heartbeat {max(holder.beat_age_s, 0):.0f} s ago"
    return words


def _ok(name: str, message: str) -> Finding:
    return Finding(name, CheckHealth.OK, message)


async def _git() -> list[Finding]:
    git = programs.find("git")
    if git is None:
        message = "git was not found: worktrees, diffs and checkpoints need it."
        return [Finding("git", CheckHealth.FAIL, message, "Install git.")]
    try:
        _, text = await short_command.output([git, "--version"])
    except OSError as error:
        return [Finding("git", CheckHealth.FAIL, f"{git} cannot be run: {error}.", "Install git.")]
    version = tuple(int(part) for part in text.split()[2].split(".")[:2] if part.isdigit())
    if version < OLDEST_GIT:
        return [Finding("git", CheckHealth.WARNING, f"{text.strip()} is old.", "Update git.")]
    return [_ok("git", text.strip())]


def _space(paths: Paths) -> DiskSpace:
    free = shutil.disk_usage(paths.home).free
    return DiskSpace(free, free < LOW_DISK_BYTES)


def _disk(paths: Paths) -> Finding:
    space = _space(paths)
    message = f"{space.free_bytes / 1024**3:.1f} GiB free at {paths.home}"
    if space.is_low:
        return Finding("disk", CheckHealth.WARNING, message, CATALOGUE["DISK_FULL"].recovery)
    return _ok("disk", message)


def check_home(home: Path) -> Finding:
    """Check that the home lies where sandboxed agents may not write."""
    return _apart("home", home, "SWARM_HOME")


def check_root(root: Path) -> Finding:
    """Check that a folder with workspaces is there, and that other agents may not write in it."""
    if not root.is_dir():
        words = f"{root} is missing, and with it the workspaces of runs that were created there."
        return Finding("root", CheckHealth.WARNING, words, "Mount its disk, or move it back.")
    return _apart("root", root, "workspace.root")


def _apart(name: str, folder: Path, setting: str) -> Finding:
    real = real_path(folder)
    for open_to_agents in ("/tmp", os.environ.get("TMPDIR", "")):
        if open_to_agents and real.is_relative_to(real_path(open_to_agents)):
            return Finding(
                name,
                CheckHealth.WARNING,
                f"{folder} lies below {open_to_agents}, where sandboxed agents may write.",
                f"Set {setting} to a folder elsewhere.",
            )
    return _ok(name, str(folder))


def _settings(paths: Paths) -> Finding:
    loaded = load_usable(paths)
    if loaded.error:
        return Finding("settings", CheckHealth.FAIL, loaded.warning, loaded.error.recovery)
    there = "" if paths.config.exists() else " (not there: defaults)"
    return _ok("settings", f"{paths.config}{there}")


def _terminal() -> list[Finding]:
    term = os.environ.get("TERM", "")
    findings = [_ok("terminal", f"TERM={term or 'unset'}")]
    if term in ("", "dumb"):
        recovery = user_error("NOT_A_TERMINAL").recovery
        findings = [Finding("terminal", CheckHealth.WARNING, f"TERM={term or 'unset'}", recovery)]
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") != "utf8":
        message = f"The terminal's encoding is {encoding}: symbols are shown in ASCII."
        recovery = "Set LANG to a UTF-8 locale."
        findings.append(Finding("encoding", CheckHealth.WARNING, message, recovery))
    return findings


def _supervision(faults: Sequence[Fault]) -> Finding:
    """Check the supervision for faults of its tasks."""
    if not faults:
        return _ok("supervision", "no fault is known of what supervises the runs")
    message = "\n".join(fault_words(fault) for fault in faults)
    return Finding("supervision", CheckHealth.WARNING, message, "Read the log file in the home.")


def _unknown(count: int) -> list[Finding]:
    if not count:
        return []
    runs = "1 run" if count == 1 else f"{count} runs"
    message = f"Processes of {runs} that the database of this home does not know are alive."
    recovery = "If the database was lost, run `swarm-tui doctor --recover`."
    return [Finding("unknown runs", CheckHealth.WARNING, message, recovery)]


def _orphans(count: int) -> Finding:
    if count:
        runs = "1 run that has ended" if count == 1 else f"{count} runs that have ended"
        message = f"{runs} left processes alive."
        return Finding(
            "orphans", CheckHealth.WARNING, message, "Run `swarm-tui doctor --end-orphans`."
        )
    return _ok("orphans", "no processes are left of runs that have ended")
