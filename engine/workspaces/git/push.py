"""A branch pushed to a remote, on explicit request, with the user's own git.

It runs in a private git directory that sees the repository's objects: no hook of the repository
runs (`pre-push` neither), and none of its settings counts, except the remote's address.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.git import lfs
from engine.workspaces.git.remotes import (
    NETWORK_SETTINGS,
    checked_address,
    network_environment,
    remote,
    shown,
)
from engine.workspaces.git.repository import Repository, private_git

LIMIT_S = 300.0
_SETTINGS = (*NETWORK_SETTINGS, "push.followTags=false", "push.gpgSign=false")
_FLAGS = ("--porcelain", "--no-verify", "--no-follow-tags", "--no-recurse-submodules")


@dataclass(frozen=True, slots=True)
class PushedBranch:
    """A branch on a remote: the remote's name and address, without a password, and the commit."""

    remote: str
    address: str
    branch: str
    commit: str
    is_new: bool
    """True if the remote had another commit there before, or no such branch."""


async def push(
    repository: Repository, name: str | None, commit: str, branch: str, home: Path
) -> PushedBranch:
    """Push a commit as a branch of a remote; raises `UserError` PUSH_FAILED.

    `name` is that of the remote; None: `origin`, or the only one. A branch of the remote with
    commits that this one lacks stays as it is.
    """
    await _check_branch(repository, branch)
    name, url = await remote(repository, name, _failed, "pushurl")
    to = checked_address(repository, url, _failed)
    if pointers := await lfs.pointers_to_push(repository, name, commit):
        recovery = f"`git push {printable_name(name)} BRANCH` uploads them; then push again here."
        problem = lfs.problem(name, pointers)
        raise user_error("PUSH_FAILED", f"Nothing was pushed: {problem}.", recovery)
    with private_git(home, repository) as private:
        shallow = repository.common_dir / "shallow"
        if shallow.is_file():
            (private.git_dir / "shallow").write_bytes(shallow.read_bytes())
        git = replace(private, users_settings=True, settings=_SETTINGS)
        git = replace(git, env=network_environment())
        words = (*_FLAGS, "--", to, f"{commit}:refs/heads/{branch}")
        try:
            answer = await git.ask("push", *words, limit_s=LIMIT_S)
        except UserError as error:
            raise _failed(error.message.rstrip(".")) from error
    # A line for the branch: a flag, the refs and the result, each after a tab.
    lines = (line.decode("utf-8", "replace").split("\t") for line in answer.out.splitlines())
    flag, result = next(((one[0], one[2]) for one in lines if len(one) == 3), ("", ""))
    if flag == "!":
        raise _refused(name, branch, shown(result))
    if answer.code:
        what = f"{printable_name(branch)} to {printable_name(name)}: {shown(answer.complaint)}"
        raise _failed(what)
    return PushedBranch(name, shown(to), branch, commit, flag != "=")


async def _check_branch(repository: Repository, branch: str) -> None:
    answer = await repository.git.ask("check-ref-format", "--branch", branch)
    if answer.code or branch.startswith("-") or answer.out.strip() != branch.encode():
        name = printable_name(branch[:200])
        raise user_error("INPUT_INVALID", f"{name} is not the name of a branch.", "Use another.")


def _refused(name: str, branch: str, result: str) -> UserError:
    where = f"{printable_name(branch)} on {printable_name(name)}"
    message = f"Nothing was pushed: {where} was not changed: {result}."
    recovery = "If the branch has other commits there, name another one with --branch."
    return user_error("PUSH_FAILED", message, recovery)


def _failed(what: str) -> UserError:
    return user_error("PUSH_FAILED", f"Nothing was pushed: {what.rstrip('.')}.")
