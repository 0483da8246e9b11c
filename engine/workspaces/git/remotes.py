"""Remotes of a repository, and the user's own way to reach them: for fetches and pushes.

Network commands run in a private git directory with the user's own settings (credentials, ssh,
proxies): nothing that the repository's settings define has an effect, except a remote's address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from engine.domain.errors import UserError
from engine.domain.text import printable_name
from engine.workspaces.git.repository import Repository

Failed = Callable[[str], UserError]
"""Function that makes the error of a network command from the problem in words."""

NETWORK_SETTINGS = (
    *("core.hooksPath=/dev/null", "core.alternateRefsCommand=true", "core.pager=cat"),
    *("gc.auto=0", "maintenance.auto=false", "fetch.writeCommitGraph=false"),
)
_PROTOCOLS = ("https", "ssh", "file")
_KEPT = re.compile(
    r"(?i)(https|all|no)_proxy|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|GIT_SSL_CA(INFO|PATH)"
    r"|GIT_SSH(_COMMAND|_VARIANT)?|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME"
)
_PASSWORD = re.compile(r"://[^/\s@]*@")


async def remotes(repository: Repository, setting: str = "url") -> dict[str, str]:
    """Return the remotes by name, long names first: one may begin like another.

    `setting` is the one that holds the address.
    """
    ask = repository.git.ask("config", "-z", "--get-regexp", rf"^remote\..*\.{setting}$")
    out = (await ask).out.decode("utf-8", "surrogateescape")
    found: dict[str, str] = {}
    for entry in out.split("\0"):
        key, newline, url = entry.partition("\n")
        if newline and url:
            found.setdefault(key.removeprefix("remote.").removesuffix(f".{setting}"), url)
    return dict(sorted(found.items(), key=lambda one: -len(one[0])))


def default_remote(known: dict[str, str], failed: Failed) -> str:
    """Return the remote that is meant where none is named: `origin`, or the only one."""
    if "origin" in known or not known:
        return "origin"
    if len(known) > 1:
        raise failed(f"name the remote: {', '.join(map(printable_name, sorted(known)))}")
    return next(iter(known))


async def remote(
    repository: Repository, name: str | None, failed: Failed, setting: str = "url"
) -> tuple[str, str]:
    """Return a remote and its address; raises `UserError` for an unknown one."""
    known = await remotes(repository)
    if not known and name is None:
        raise failed("there is no remote; add one with `git remote add`")
    name = name or default_remote(known, failed)
    if name not in known:
        raise failed(f"there is no remote {printable_name(name)}")
    own = {} if setting == "url" else await remotes(repository, setting)
    return name, own.get(name, known[name])


def network_environment() -> dict[str, str]:
    """Return the variables with which git reaches remotes without a question."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    quiet = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "never"}
    ssh = {} if kept.keys() & {"GIT_SSH", "GIT_SSH_COMMAND"} else {"GIT_SSH_COMMAND": _SSH}
    return {**ssh, **kept, **quiet, "GIT_ALLOW_PROTOCOL": ":".join(_PROTOCOLS)}


_SSH = "ssh -o BatchMode=yes"


def checked_address(repository: Repository, url: str, failed: Failed) -> str:
    """Return the address to use; raises `UserError` for one that names a program."""
    scheme, has_scheme, _ = url.partition("://")
    is_local = not has_scheme and ":" not in url.split("/", 1)[0]
    if not url.isprintable() or url.startswith("-") or re.match(r"[\w+.-]+::", url):
        raise failed(f"{shown(url)} is not an address of a repository")
    if has_scheme and scheme.lower() not in _PROTOCOLS:
        raise failed(f"{shown(url)} is not an address of https, ssh or file")
    return str((repository.top or repository.common_dir) / url) if is_local else url


def shown(text: str) -> str:
    """Return a text that may hold addresses, without their passwords and safe to show."""
    return printable_name(_PASSWORD.sub("://", text))
