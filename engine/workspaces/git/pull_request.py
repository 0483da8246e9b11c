"""Pull requests opened with `gh`, the program of GitHub, where it is installed.

It runs outside of the repository, with the user's own environment: nothing of the repository
runs, and its login is neither read nor stored here.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import one_line
from engine.system import programs
from engine.system.environment import own_environment
from engine.workspaces.git.remotes import shown

LIMIT_S = 120.0
_PLACE = re.compile(
    r"(?:(?:https|ssh)://(?:[^/@\s]*@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[:/]+"
    r"(?P<path>[\w.-]+(?:/[\w.-]+)+)/?"
)
_ADDRESS = re.compile(r"https://[^\s\x00-\x1f]+/pull/\d+")
_QUIET = {"GH_PROMPT_DISABLED": "1", "NO_COLOR": "1", "GH_NO_UPDATE_NOTIFIER": "1"}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A request for a pull request; `base` empty: the default branch of the remote."""

    title: str
    body: str
    is_draft: bool = False
    base: str = ""


def web_address(remote: str, branch: str) -> str:
    """Return where a branch can be seen, or a pull request opened; else the remote's address."""
    found = _PLACE.fullmatch(remote)
    if found is None:
        return remote
    top = f"https://{_place(found)}"
    if "gitlab" in found["host"]:
        return f"{top}/-/merge_requests/new?merge_request%5Bsource_branch%5D={_quoted(branch)}"
    return f"{top}/compare/{_quoted(branch)}?expand=1" if "github" in found["host"] else top


def program() -> str | None:
    """Return the path of `gh`; None where it is not installed."""
    return programs.find("gh")


async def open_request(gh: str, remote: str, branch: str, wanted: PullRequest, home: Path) -> str:
    """Open a pull request for a pushed branch, and return its address; raises `UserError`.

    Where the branch has an open one, its address is returned.
    """
    found = _PLACE.fullmatch(remote)
    if found is None:
        raise _failed(f"{remote} is not a repository that gh knows")
    words = ["pr", "create", "--repo", _place(found), "--head", branch]
    words += ["--title", wanted.title, "--body-file", "-"]
    words += ["--draft"] * wanted.is_draft
    words += ["--base", wanted.base] if wanted.base else []
    code, out, err = await _run([gh, *words], wanted.body, home)
    # A refusal names the pull request that is there already.
    addresses = _ADDRESS.findall(out if code == 0 else err)
    if addresses:
        return shown(addresses[-1])
    raise _failed(shown(one_line(err or out)) or f"gh ended with exit code {code}")


async def _run(argv: Sequence[str], text: str, folder: Path) -> tuple[int, str, str]:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            env=own_environment(_QUIET),
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(f"gh cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate(text.encode("utf-8", "replace"))
    except TimeoutError:
        raise _failed(f"gh did not end within {LIMIT_S:g} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    said = (out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
    return process.returncode or 0, *said


def _place(found: re.Match[str]) -> str:
    return f"{found['host']}/{found['path'].removesuffix('.git')}"


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="/")


def _failed(what: str) -> UserError:
    message = f"The branch was pushed, but no pull request was opened: {what.rstrip('.')}."
    return user_error("PULL_REQUEST_FAILED", message)
