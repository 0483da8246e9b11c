"""The only place that runs git, so that nothing a repository contains can make it run anything.

Two rules ensure that. Work on files (reading them in, checking them out, comparing) is done with a
private git directory of ours, whose settings are ours alone; see `repository.make_private`. Work in
the user's own repository (its refs, its worktrees) is plumbing that neither reads nor writes files,
and the settings below disable what even that could start.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.system import programs
from engine.system.child import Child
from engine.system.code_variables import without_unsafe
from engine.system.environment import is_distrusted, trusted_path, workspace_environment
from engine.system.time_limit import time_limit
from engine.workspaces.files.special_files import unreadable
from engine.workspaces.git import process_watch
from engine.workspaces.git.config_files import Setting, hooks_disabled, in_environment
from engine.workspaces.git.git_errors import (
    git_failure,
    late,
    start_failure,
    talkative,
    telling_line,
)

LIMIT_S = 300.0
LIMIT_BYTES = 512 * 1024**2
STDERR_BYTES = 64 * 1024

NOBODY = ("swarm-tui", "swarm-tui@localhost")

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.askPass=",
    "core.editor=false",
    "core.pager=cat",
    "core.alternateRefsCommand=true",
    "core.quotePath=true",
    "credential.helper=",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "diff.external=",
    "diff.ignoreSubmodules=all",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.splitIndex=false",
    # In the user's repository, too: a file that git streams is not in memory, twice or thrice.
    "core.bigFileThreshold=16m",
    "worktree.useRelativePaths=false",
    "safe.bareRepository=explicit",
    # Since 2.55; `git_settings` disables each hook that it finds, also for 2.54.
    *(f"hook.{event}.enabled=false" for event in ("reference-transaction", "post-checkout")),
    *(f"hook.{event}.enabled=false" for event in ("post-index-change", "pre-auto-gc")),
)
# What of the user's environment git may read, to read the user's settings.
_USERS = re.compile(r"GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|PARAMETERS|KEY_\d+|VALUE_\d+)")
# What git needs of the environment; everything else, each GIT_* above all, stays out.
_KEPT = (
    *("HOME", "TMPDIR", "XDG_CONFIG_HOME", "LD_LIBRARY_PATH", "DEVELOPER_DIR"),
    "GIT_ATTR_NOSYSTEM",
)
_FIXED = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # a partial clone fetches what it lacks: older gits stop here
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_EDITOR": "false",
    "GIT_ASKPASS": "false",
    "GIT_PAGER": "cat",
}


@dataclass(frozen=True, slots=True)
class GitResult:
    """The result of git: its exit code, its output, and one printable line of its complaint."""

    code: int
    out: bytes
    complaint: str


@dataclass(frozen=True, slots=True)
class Git:
    """Git on one git directory; `files` is the folder its work tree is, if it needs one."""

    git_dir: Path
    files: Path | None = None
    index: Path | None = None
    settings: Sequence[str] = ()
    programs: Sequence[Setting] = ()
    """Settings that hold commands of the user, passed where no list of processes shows them."""
    users_settings: bool = False
    """Read the user's own settings and none of ours: for reading settings, and for `fetch`."""
    watched: bool = False
    """True if git opens files of the work tree, which a stranger can write."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    async def run(
        self,
        *arguments: str | bytes,
        stdin: bytes | int = b"",
        stdout: int | None = None,
        limit_s: float = LIMIT_S,
        limit_bytes: int = LIMIT_BYTES,
    ) -> bytes:
        """Run git and return its output; raises `UserError` where it fails: see `git_errors`.

        `stdin` is what it reads, or an open file, which this closes. With `stdout`, an open file
        that stays open, the output goes there.
        """
        answer = await self.ask(
            *arguments, stdin=stdin, stdout=stdout, limit_s=limit_s, limit_bytes=limit_bytes
        )
        if answer.code:
            raise failure(arguments[0], answer)
        return answer.out

    async def ask(
        self,
        *arguments: str | bytes,
        stdin: bytes | int = b"",
        stdout: int | None = None,
        limit_s: float = LIMIT_S,
        limit_bytes: int = LIMIT_BYTES,
    ) -> GitResult:
        """Run git and return its result; raises `UserError` where it cannot be run to its end.

        Cancelled, late or too talkative, git and all it started are killed. A git that a
        signal ended is an error: its exit code is not an answer to a question.
        """
        child = self._start(arguments, stdin, stdout, limit_bytes)
        try:
            async with time_limit(limit_s):
                await self._wait(child)
        except TimeoutError:
            raise late(arguments[0], limit_s) from None
        finally:
            await child.end()
        if child.out.is_over:
            raise talkative(limit_bytes)
        assert child.code is not None
        answer = GitResult(child.code, child.out.text(), telling_line(child.errors.text()))
        if answer.code < 0:
            raise failure(arguments[0], answer)
        return answer

    def _start(
        self,
        arguments: Sequence[str | bytes],
        stdin: bytes | int,
        stdout: int | None,
        limit_bytes: int,
    ) -> Child:
        """Start git; an open file for `stdin` is closed here, also where that fails."""
        try:
            if self.git_dir.is_symlink() or self.git_dir.is_file():  # git would follow it
                raise unreadable(self.git_dir, "is not a folder any more")
            path = trusted_path()
            return Child(
                (_executable(path), *self._options(), *arguments),
                cwd=self.files or self.git_dir,
                env=self._environment(path),
                stdin=stdin,
                stdout=stdout,
                limit_bytes=limit_bytes,
                errors_bytes=STDERR_BYTES,
            )
        except OSError as error:
            raise start_failure(error, self.git_dir, self.files) from error
        finally:
            if isinstance(stdin, int):
                os.close(stdin)

    async def _wait(self, child: Child) -> None:
        """Wait for git; raises `UserError` WORKSPACE_UNSAFE if a file blocks it."""
        if not self.watched or self.files is None:
            await child.done
            return
        process_watch.limit_memory(child.pid)
        await asyncio.wait({child.done}, timeout=process_watch.FIRST_LOOK_S)
        if not child.done.done():
            watching = asyncio.ensure_future(process_watch.watch(child.pid, self.files))
            try:
                await asyncio.wait((child.done, watching), return_when=asyncio.FIRST_COMPLETED)
                if not child.done.done():
                    watching.result()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        if child.code:  # out of memory, perhaps
            await asyncio.to_thread(process_watch.check, self.files)

    def _options(self) -> list[str]:
        lines = self.settings if self.users_settings else (*_SETTINGS, *self.settings)
        return [part for line in lines for part in ("-c", line)]

    def _environment(self, path: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        env = workspace_environment(base=kept) | _FIXED
        env["PATH"] = path
        if self.users_settings:
            del env["GIT_CONFIG_NOSYSTEM"], env["GIT_CONFIG_GLOBAL"]
            env |= {name: value for name, value in os.environ.items() if _USERS.fullmatch(name)}
        if self.watched:
            env |= process_watch.ENVIRONMENT
        env["GIT_DIR"] = str(self.git_dir)
        if self.files:
            env["GIT_WORK_TREE"] = str(self.files)
        if self.index:
            env["GIT_INDEX_FILE"] = str(self.index)
        disabled = hooks_disabled(self.git_dir)  # which also checks the settings, to read them
        if not self.users_settings:
            env |= in_environment((*disabled, *self.programs))
        return without_unsafe({**env, **self.env}, is_distrusted)


def identity(author: tuple[str, str], committer: tuple[str, str] | None = None) -> dict[str, str]:
    """Return the environment that makes commits of these people, (name, address) each."""
    committer = committer or author
    return {
        "GIT_AUTHOR_NAME": author[0],
        "GIT_AUTHOR_EMAIL": author[1],
        "GIT_COMMITTER_NAME": committer[0],
        "GIT_COMMITTER_EMAIL": committer[1],
    }


def failure(command: str | bytes, answer: GitResult) -> UserError:
    """Return the error for a command that git refused."""
    return git_failure(command, answer.code, answer.complaint)


def _executable(path: str) -> str:
    found = programs.find_in(path, "git")
    if not found:
        raise user_error("GIT_MISSING")
    return found
