"""Pull requests opened with `gh`, where it is installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import one_line
from engine.workspaces.git import gh
from engine.workspaces.git.remotes import shown

LIMIT_S = 120.0
_PLACE = re.compile(
    r"(?:(?:https|ssh)://(?:[^/@\s]*@)?|[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[:/]+"
    r"(?P<path>[\w.-]+(?:/[\w.-]+)+)/?"
)
_ADDRESS = re.compile(r"https://[^\s\x00-\x1f]+/pull/\d+")


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


def repository_of(remote: str) -> tuple[str, str] | None:
    """Return the host of a remote's address, and the repository with it as `gh` names it.

    None where `gh` cannot know it.
    """
    found = _PLACE.fullmatch(remote)
    return (found["host"], _place(found)) if found else None


async def open_request(
    program: str, remote: str, branch: str, wanted: PullRequest, home: Path
) -> str:
    """Open a pull request for a pushed branch, and return its address; raises `UserError`.

    Where the branch has an open one, its address is returned.
    """
    found = repository_of(remote)
    if found is None:
        raise _failed(f"{remote} is not a repository that gh knows")
    host, place = found
    words = ["pr", "create", "--repo", place, "--head", branch]
    words += ["--title", wanted.title, "--body-file", "-"]
    words += ["--draft"] * wanted.is_draft
    words += ["--base", wanted.base] if wanted.base else []
    try:
        code, out, err = await gh.run(
            [program, *words], host, home, limit_s=LIMIT_S, text=wanted.body
        )
    except gh.GhFailure as failure:
        raise _failed(str(failure)) from failure
    # A refusal names the pull request that is there already.
    addresses = _ADDRESS.findall(out if code == 0 else err)
    if addresses:
        return shown(addresses[-1])
    raise _failed(shown(one_line(err or out)) or f"gh ended with exit code {code}")


def _place(found: re.Match[str]) -> str:
    return f"{found['host']}/{found['path'].removesuffix('.git')}"


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="/")


def _failed(what: str) -> UserError:
    message = f"The branch was pushed, but no pull request was opened: {what.rstrip('.')}."
    return user_error("PULL_REQUEST_FAILED", message)
