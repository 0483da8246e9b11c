"""Refs fetched from a remote: the only use of the network by git, on explicit request.

The network part runs in a private git directory with the user's own settings (credentials, ssh,
proxies): nothing that the repository's settings define has an effect, except the remote's address.
The result is then copied into the repository from there, as a local fetch without hooks.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.git import remotes
from engine.workspaces.git.git import Git
from engine.workspaces.git.remotes import (
    NETWORK_SETTINGS,
    checked_address,
    network_environment,
    shown,
)
from engine.workspaces.git.repository import PULLS, Repository, private_git

LIMIT_S = 120.0
FETCHED = "refs/swarm/fetched"
SEEDS = 2000
"""Refs that are announced to the remote, so that it sends only what is new."""
_FLAGS = (
    *("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
    *("--no-auto-gc", "--no-prune"),
)


async def pull_request(repository: Repository, remote: str | None, number: str, home: Path) -> str:
    """Fetch a pull request and return the ref that it is at; raises `UserError`."""
    remote, url = await remotes.remote(repository, remote, _failed)
    there = f"{PULLS}{remote}/{number}"
    await _fetch(repository, url, f"refs/pull/{number}/head", f"+{there}", home)
    return there


async def update(repository: Repository, name: str, home: Path) -> str:
    """Fetch a branch or tag and return the ref to start from; raises `UserError`.

    A branch of the user's own never moves: where it is only behind, its upstream is returned.
    """
    known = await remotes.remotes(repository)
    branch = await _local_branch(repository, name)
    if branch:
        upstream = await _upstream(repository, branch)
        there = upstream or f"{_tracked(known)}/{branch.removeprefix('refs/heads/')}"
        await _track(repository, there, known, home)
        is_behind = await repository.git.ask("merge-base", "--is-ancestor", branch, there)
        return there if is_behind.code == 0 else branch
    if name in ("HEAD", "@"):
        raise user_error("BASE_INVALID", "HEAD is detached: --fetch needs a branch or a tag.")
    if await _exists(repository, tag := f"refs/tags/{name.removeprefix('refs/tags/')}"):
        _, url = await remotes.remote(repository, None, _failed)
        await _fetch(repository, url, tag, tag, home)
        return tag
    short = name.removeprefix("refs/remotes/")
    of = next((one for one in known if short.startswith(f"{one}/")), None)
    there = f"refs/remotes/{short}" if of else f"{_tracked(known)}/{short}"
    await _track(repository, there, known, home)
    return there


def _tracked(known: dict[str, str]) -> str:
    return f"refs/remotes/{remotes.default_remote(known, _failed)}"


async def _track(repository: Repository, there: str, known: dict[str, str], home: Path) -> None:
    """Fetch the branch that a remote-tracking ref stands for."""
    short = there.removeprefix("refs/remotes/")
    of = next((one for one in known if short.startswith(f"{one}/")), None)
    if of is None:
        raise _failed(f"{printable_name(there)} belongs to no remote with an address")
    await _fetch(repository, known[of], f"refs/heads/{short[len(of) + 1 :]}", f"+{there}", home)


async def _fetch(repository: Repository, url: str, ref: str, into: str, home: Path) -> None:
    """Fetch one ref of a remote `into` a ref of the repository."""
    address = checked_address(repository, url, _failed)
    with private_git(home, repository) as private:
        await _seed(repository, private)
        git = replace(
            private, users_settings=True, settings=NETWORK_SETTINGS, env=network_environment()
        )
        try:
            words = (*_FLAGS, "--", address, f"+{ref}:{FETCHED}")
            answer = await git.ask("fetch", *words, limit_s=LIMIT_S)
        except UserError as error:
            raise _failed(error.message.rstrip(".")) from error
        if answer.code:
            raise _failed(f"{printable_name(ref)} of {shown(url)}: {shown(answer.complaint)}")
        local = replace(repository.git, env={"GIT_ALLOW_PROTOCOL": "file"})
        sign, there = ("+", into[1:]) if into.startswith("+") else ("", into)
        words = (*_FLAGS, "--", str(private.git_dir), f"{sign}{FETCHED}:{there}")
        answer = await local.ask("fetch", *words)
    if answer.code:
        raise _failed(f"{printable_name(there)} was not updated: {shown(answer.complaint)}")


async def _seed(repository: Repository, private: Git) -> None:
    """Copy refs of the repository, and the end of a shallow history, to a private git directory."""
    words = ("for-each-ref", f"--count={SEEDS}", "--sort=-creatordate")
    out = await repository.git.run(*words, "--format=%(objectname) refs/seed/%(objectname)")
    lines = sorted(set(out.splitlines()), key=lambda line: line.split(b" ")[1])
    packed = b"# pack-refs with: sorted \n" + b"".join(line + b"\n" for line in lines)
    (private.git_dir / "packed-refs").write_bytes(packed)
    shallow = repository.common_dir / "shallow"
    if shallow.is_file():
        (private.git_dir / "shallow").write_bytes(shallow.read_bytes())


async def _local_branch(repository: Repository, name: str) -> str | None:
    if name in ("HEAD", "@"):
        return repository.branch
    full = f"refs/heads/{name.removeprefix('refs/heads/')}"
    return full if await _exists(repository, full) else None


async def _upstream(repository: Repository, branch: str) -> str | None:
    out = await repository.git.run("for-each-ref", "--format=%(refname) %(upstream)", branch)
    lines = (line.partition(" ") for line in out.decode("utf-8", "surrogateescape").splitlines())
    found = next((upstream for ref, _, upstream in lines if ref == branch), "")
    return found if found.startswith("refs/remotes/") else None


async def _exists(repository: Repository, ref: str) -> bool:
    return (await repository.git.ask("show-ref", "--verify", "-q", ref)).code == 0


def _failed(what: str) -> UserError:
    return user_error("FETCH_FAILED", f"Nothing was fetched: {what}.")
