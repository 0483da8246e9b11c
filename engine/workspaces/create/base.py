"""The commit that a worktree starts from: resolved and pinned when its run is requested.

The commit is held by a ref of ours in the source until the run is gone, so that git keeps it
whatever becomes of the branch or tag that named it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.domain.base_name import CHARACTERS, HEADS, PULL, is_possible, split
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run, WorkspaceSpec
from engine.domain.text import printable_name
from engine.workspaces.git import fetch
from engine.workspaces.git.repository import BASES, PULLS, Repository, find, must_find

MANY = 9999
"""More commits than this are not counted."""
_PLACES = ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/")


async def pin(spec: WorkspaceSpec, home: Path) -> WorkspaceSpec:
    """Return the wish for a worktree with the commit that it starts from; raises `UserError`.

    One that is pinned already is only checked. Network is used for `fetch` and pull requests only.
    """
    is_head = spec.base in HEADS
    if spec.include_uncommitted and not is_head:
        raise user_error(
            "INPUT_INVALID",
            "Uncommitted changes can only be brought along to the commit that is checked out.",
            "Leave out --base, or --include-uncommitted.",
        )
    needs_commit = is_head and spec.base_commit is None
    repository = await must_find(Path(spec.source or ""), needs_commit=needs_commit)
    if spec.base_commit:
        await _check_there(repository, spec)
        return spec
    name = await _updated(repository, spec, home)
    commit = repository.head if name in HEADS else await resolve(repository, name)
    return replace(spec, base_commit=commit, fetch=False)


async def _updated(repository: Repository, spec: WorkspaceSpec, home: Path) -> str:
    """Return the name to resolve, after fetching what it names where that was asked for."""
    name = "HEAD" if spec.base is None else spec.base
    check_name(name)
    pull = PULL.fullmatch(name)
    if pull and not await _refs_called(repository, name):
        return await fetch.pull_request(repository, pull[1], pull[2], home)
    if not spec.fetch:
        return name
    stem, suffix = split(name)
    is_ref = bool(await _refs_called(repository, stem))
    is_commit = not is_ref and stem not in HEADS and await _commit_of(repository, stem)
    if is_commit:
        raise invalid(name, "names a commit, and --fetch needs a branch or a tag")
    return await fetch.update(repository, stem, home) + suffix


def check_name(name: str) -> None:
    """Raise `UserError` BASE_INVALID for a name that cannot be one of a commit."""
    if "@{" in name:
        raise invalid(name, "is a place in a reflog or an upstream; name the branch or the commit")
    if not is_possible(name):
        raise invalid(name, "is not the name of a branch, a tag or a commit")


async def resolve(repository: Repository, name: str) -> str:
    """Return the commit that a name means; raises `UserError` BASE_INVALID."""
    stem, suffix = split(name)
    named = await _refs_called(repository, stem)
    if len({commit for _, commit in named}) > 1:
        refs = ", ".join(printable_name(ref) for ref, _ in named)
        raise invalid(name, f"could mean {refs}; name it in full")
    full = named[0][0] + suffix if named else name
    answer = await repository.git.ask("rev-parse", "--verify", f"{full}^{{commit}}")
    if answer.code == 0:
        return answer.out.decode("ascii").strip()
    kind = await repository.git.ask("cat-file", "-t", full)
    if kind.code == 0:
        what = kind.out.decode("ascii", "replace").strip()
        raise invalid(name, f"is a {what}, not a commit")
    is_short = "ambiguous" in answer.complaint
    raise invalid(name, "could mean several commits" if is_short else "is not there", repository)


async def hold(runs: Sequence[Run]) -> None:
    """Hold the commits that runs start from; raises `UserError`."""
    by_source: dict[str, list[str]] = {}
    for run in runs:
        wish = run.spec.workspace
        if wish.base_commit and wish.source:
            line = f"update {BASES}{run.id} {wish.base_commit}\n"
            by_source.setdefault(wish.source, []).append(line)
    for source, lines in by_source.items():
        repository = await must_find(Path(source), needs_commit=False)
        await repository.git.run("update-ref", "--stdin", stdin="".join(lines).encode())


async def held(source: Path) -> set[str]:
    """Return the runs, of any home, whose commits are held in a source; raises `UserError`."""
    repository = await find(source) if source.is_dir() else None
    if repository is None:
        return set()
    out = await repository.git.run("for-each-ref", "--format=%(refname)", BASES)
    return {name.removeprefix(BASES) for name in out.decode("utf-8", "replace").splitlines()}


async def release(source: Path, *runs: str) -> None:
    """Hold the commits of runs no longer; with the last one, forget fetched pull requests."""
    repository = await find(source) if source.is_dir() else None
    if repository is None:
        return
    git = repository.git
    lines = "".join(f"delete {BASES}{run}\n" for run in runs)
    await git.run("update-ref", "--stdin", stdin=lines.encode())
    if (await git.run("for-each-ref", "--count=1", "--format=%(refname)", BASES)).strip():
        return
    pulls = (await git.run("for-each-ref", "--format=delete %(refname)", PULLS)).strip()
    if pulls:
        await git.run("update-ref", "--stdin", stdin=pulls + b"\n")


async def behind(repository: Repository, name: str, commit: str) -> str:
    """Return a notice where a branch is behind its upstream as it was fetched last, or nothing."""
    branch = repository.branch if name in HEADS else f"refs/heads/{name}"
    if not branch:
        return ""
    ask = repository.git.ask
    answer = await ask("for-each-ref", "--format=%(refname) %(upstream)", branch)
    lines = (line.split(" ", 1) for line in answer.out.decode("utf-8", "replace").splitlines())
    upstreams = dict(line for line in lines if len(line) == 2)
    if branch not in upstreams:
        return ""
    short = branch.removeprefix("refs/heads/")
    upstream = upstreams[branch] or f"refs/remotes/origin/{short}"
    counting = ("rev-list", "--count", f"--max-count={MANY}", f"{commit}..{upstream}", "--")
    answer = await ask(*counting)
    count = int(answer.out) if answer.code == 0 else 0  # the upstream may be unknown here
    if not count:
        return ""
    commits = "1 commit" if count == 1 else f"{count}{'+' if count == MANY else ''} commits"
    there = upstream.removeprefix("refs/remotes/")
    return f"{printable_name(short)} is {commits} behind {printable_name(there)}"


async def _refs_called(repository: Repository, name: str) -> list[tuple[str, str]]:
    """Return the refs that a name means in full or in short, each with its commit."""
    if name in HEADS:
        return []
    full = [name] if name.startswith("refs/") else [place + name for place in _PLACES]
    full += [] if name.startswith("refs/") else [f"refs/remotes/{name}/HEAD"]
    words = ("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", *full)
    out = (await repository.git.run(*words)).decode("utf-8", "surrogateescape")
    lines = (line.split(" ") for line in out.splitlines())
    return [(line[0], line[2] or line[1]) for line in lines if line[0] in full]


async def _commit_of(repository: Repository, name: str) -> str | None:
    answer = await repository.git.ask("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


async def _check_there(repository: Repository, spec: WorkspaceSpec) -> None:
    assert spec.base_commit
    if await _commit_of(repository, spec.base_commit) is None:
        shown = printable_name(spec.base or "HEAD")
        raise user_error(
            "BASE_INVALID",
            f"The commit {spec.base_commit[:12]} ({shown}) is no longer in the repository.",
            "Start a new run from another commit.",
        )


def invalid(name: str, what: str, repository: Repository | None = None) -> UserError:
    """Return the error for a name that cannot be a base."""
    shown = printable_name(name[:CHARACTERS])
    where = f" in {printable_name(str(repository.top or repository.git_dir))}" if repository else ""
    return user_error("BASE_INVALID", f"The base `{shown}` {what}{where}.")
