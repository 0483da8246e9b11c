"""The machines on which workspaces are."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from engine.domain.errors import UserError, user_error
from engine.domain.model import LOCAL, Run, Workspace
from engine.domain.record import record
from engine.domain.text import is_utf8, printable_name

HOST_CHARACTERS = 100
"""The longest name of a machine."""
FREE_THERE = "Free some space on that node; `swarm-tui cleanup` deletes workspaces there, too."


@record
class HostChosen:
    """The machine of the run's next attempt, with the reason for the choice in words.

    `is_request`: the user named it, or lets another be chosen: `host` may be `any` then.
    """

    type: ClassVar[str] = "host"
    host: str
    reason: str = ""
    is_request: bool = False


def check_host(host: str) -> None:
    """Raise `UserError` INPUT_INVALID for a text that cannot be the name of a machine."""
    problem = problem_of_host(host)
    if problem:
        shown = printable_name(host[:HOST_CHARACTERS])
        raise user_error("INPUT_INVALID", f"`{shown}` is not the name of a node: {problem}.")


def problem_of_host(host: str) -> str:
    """Return why a text cannot be the name of a machine; empty where it can."""
    if not host.strip() or host != host.strip():
        return "it is empty, or begins or ends with a space"
    if len(host) > HOST_CHARACTERS:
        return f"{HOST_CHARACTERS} characters are allowed"
    return "" if host.isprintable() and is_utf8(host) else "it holds control characters"


def choose(run: Run, chosen: HostChosen) -> None:
    """Fold the choice of a machine into a run."""
    run.host = chosen.host
    if chosen.is_request:
        run.requested_host = chosen.host


def requested_host(run: Run) -> str:
    """Return the machine that the user asked for last: `local`, `any`, or the name of a node."""
    return run.requested_host or run.spec.workspace.host


def host_of(run: Run) -> str:
    """Return the machine of a run: the one chosen for its attempt, or the one requested for it.

    It is `any` as long as it waits for a node.
    """
    return run.machine


def is_remote(run: Run) -> bool:
    """Return whether a run works on another machine, or is to."""
    return host_of(run) != LOCAL


def disk_full(host: str) -> UserError:
    """Return the error of a program of a run that found no room on a machine."""
    error = user_error("DISK_FULL")
    if host != LOCAL:
        message = f"The disk of the node {printable_name(host)} is full."
        error = user_error("DISK_FULL", message, FREE_THERE)
    error.is_reported = True
    return error


def local_path(workspace: Workspace) -> Path:
    """Return a workspace's folder on this machine; raises `UserError` WORKSPACE_REMOTE."""
    if workspace.host != LOCAL:
        host = printable_name(workspace.host)
        raise user_error("WORKSPACE_REMOTE", f"The run's workspace is on another machine, {host}.")
    return Path(workspace.path)


def path_here(run: Run) -> str:
    """Return the path of a run's workspace on this machine; empty where it has none here."""
    return run.workspace.path if run.workspace and run.workspace.host == LOCAL else ""


def place_text(workspace: Workspace) -> str:
    """Return where a workspace is, to show."""
    is_here = workspace.host == LOCAL
    return printable_name(workspace.path if is_here else f"{workspace.host}:{workspace.path}")
