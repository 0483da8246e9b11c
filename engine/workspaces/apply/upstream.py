"""The newest commit of the base that a workspace was made from, and the files it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.domain.base_name import HEADS
from engine.domain.errors import UserError, user_error
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.workspaces.apply.line_endings import LineEndings, line_ends
from engine.workspaces.checkpoints import owned_objects
from engine.workspaces.checkpoints.changes import DIFF, FileSides, is_submodule, parse_pairs
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import base as bases
from engine.workspaces.create import made_from
from engine.workspaces.files.rooted_dir import is_control
from engine.workspaces.git import gitlinks, objects, repository
from engine.workspaces.git.contents import opened
from engine.workspaces.git.file_record import LINK
from engine.workspaces.git.filters import POINTER, POINTER_BYTES, POINTERS_STAY
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.gitlinks import entry_path
from engine.workspaces.git.ignored_above import place_of
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository

HEAD = "refs/heads/"
SHOWN = 8


@dataclass(frozen=True, slots=True)
class BaseSource:
    """The place of a run's base: the folder it came from, and the name of its base there.

    `branch` is what was checked out when the run started, where its request names no base.
    """

    folder: Path
    base: str | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class NewerBase:
    """The commit of a base that a workspace is at, and the newest one; `commits` are between.

    `prefix` is the folder of the repository that the workspace's root stands for, with a `/`.
    """

    repository: Repository
    prefix: bytes
    name: str
    old: str
    new: str
    commits: int = 0
    is_rewritten: bool = False
    """True if the newest commit does not follow on the old one."""

    @property
    def is_news(self) -> bool:
        """Return whether there is a newer commit."""
        return self.old != self.new


@dataclass(slots=True)
class UpstreamChanges:
    """The changes of a base as files of the workspace.

    `left` are those that stay as they are: below control folders, and submodules. `links` are
    submodules without a checkout, which have the new commit at once. `pointers` are files of Git
    LFS whose new content is not on this disk.
    """

    pairs: list[FileSides] = field(default_factory=list[FileSides])
    left: list[bytes] = field(default_factory=list[bytes])
    links: dict[bytes, Entry | None] = field(default_factory=dict[bytes, Entry | None])
    pointers: list[bytes] = field(default_factory=list[bytes])


def branch_noted(store: Path) -> str | None:
    """Return the branch that a run's source had checked out when it started. Blocking."""
    return made_from.noted_branch(store)


async def newer_base(
    store: Checkpoints, workspace: Workspace, source: BaseSource, home: Path, *, fetch: bool = False
) -> NewerBase:
    """Find the newest commit of a run's base; raises `UserError` UPDATE_REFUSED.

    Only with `fetch` the network is used.
    """
    _check_kind(workspace)
    found = await repository.find(source.folder) if source.folder.is_dir() else None
    old = (await store.baseline()).base
    if found is None or old is None:
        what = "had no commit when it started"
        if found is None:
            is_there = source.folder.is_dir()
            what = "is not in a git repository" if is_there else "does not exist any more"
        name = printable_name(str(source.folder))
        raise refused(f"the source {name} {what}, so there is no newer commit")
    if not await _is_commit(found, old):
        raise refused(f"the commit {old[:12]} that it is at is no longer in the repository")
    name, new = await _newest(found, source, home, fetch=fetch)
    prefix = b"" if store.is_worktree else place_of(workspace, found)
    if await _reaches(found, old, new):  # it was fetched, and the branch itself is behind
        return NewerBase(found, prefix, name, old, old)
    is_after = await _reaches(found, new, old)
    counting = ("rev-list", "--count", f"--max-count={bases.MANY}", f"{old}..{new}", "--")
    answer = await found.git.ask(*counting)
    commits = int(answer.out) if answer.code == 0 else 0
    return NewerBase(found, prefix, name, old, new, commits, is_rewritten=not is_after)


def refused(why: str, recovery: str = "") -> UserError:
    """Return the error for a workspace that cannot be updated."""
    return user_error("UPDATE_REFUSED", f"Nothing was updated: {why}.", recovery)


def _check_kind(workspace: Workspace) -> None:
    if workspace.kind is WorkspaceKind.IN_PLACE:
        raise refused(
            "the run works in the folder itself",
            "Update it with git, such as `git pull`: then its diff shows those changes, too.",
        )
    if workspace.source is None:
        raise refused("the workspace has no source", "Start a new run from the newest files.")


async def _newest(
    found: Repository, source: BaseSource, home: Path, *, fetch: bool
) -> tuple[str, str]:
    """Return the name of the base as it is shown, and its newest commit."""
    name = source.base
    if name in HEADS and source.branch:
        name = source.branch
    if name in HEADS and not fetch:
        if found.head is None:
            raise refused("the source has no commit")
        return (found.branch or "HEAD").removeprefix(HEAD), found.head
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source.folder), base=name, fetch=fetch)
    try:
        pinned = await bases.pin(spec, home)
    except UserError as error:
        if error.code != "BASE_INVALID":
            raise
        shown = printable_name((name or "HEAD").removeprefix(HEAD))
        hint = "Name another base with `swarm-tui update RUN --base REF`."
        raise refused(f"its base {shown} cannot be found: {error.message.rstrip('.')}", hint) from (
            error
        )
    assert pinned.base_commit
    return printable_name((name or "HEAD").removeprefix(HEAD)), pinned.base_commit


async def _is_commit(found: Repository, commit: str) -> bool:
    answer = await found.git.ask("rev-parse", "-q", "--verify", f"{commit}^{{commit}}")
    return answer.code == 0


async def _reaches(found: Repository, new: str, old: str) -> bool:
    return (await found.git.ask("merge-base", "--is-ancestor", old, new)).code == 0


async def changes(
    store: Checkpoints, newer: NewerBase, old: str, new: str, *, may_link: bool
) -> UpstreamChanges:
    """Return what the commit `new` changes over `old`, as files of the workspace.

    Their contents are in the run's store afterwards. Raises `UserError`.
    """
    git = owned_objects.seeing(store.git, newer.repository.objects)
    out = await git.run(*DIFF, "--raw", "--no-renames", "--abbrev=64", old, new)
    below = [
        FileSides(pair.path.removeprefix(newer.prefix), pair.old, pair.new)
        for pair in parse_pairs(out)
        if pair.path.startswith(newer.prefix)
    ]
    skipped = await store.skipped_files()
    found = UpstreamChanges()
    files: list[FileSides] = []
    for pair in below:
        if is_submodule(pair):
            _link(store, pair, found)
        elif is_control(pair.path):
            found.left.append(pair.path)
        elif not (pair.path in skipped and pair.new):  # absent here, as the checkout is sparse
            files.append(pair)
    whole = {pair.path: newer.prefix + pair.path for pair in files}
    before = await _laid_out(
        store, newer, old, {whole[one.path]: one.old for one in files}, may_link
    )
    after = await _laid_out(
        store, newer, new, {whole[one.path]: one.new for one in files}, may_link
    )
    for pair in files:
        path = whole[pair.path]
        found.pairs.append(FileSides(pair.path, before.get(path), after.get(path)))
    brought = {pair.path: pair.new for pair in found.pairs if pair.new}
    found.pointers += await _pointers(store, brought)
    return found


async def _pointers(store: Checkpoints, files: Mapping[bytes, Entry]) -> list[bytes]:
    """Return the files that are pointers of Git LFS."""
    sizes = await objects.sizes(store.git, (oid for _, oid in files.values()))
    small = (oid for oid, size in sizes.items() if size < POINTER_BYTES)
    data = await objects.blobs(store.git, small)
    found = {oid for oid, text in data.items() if text.startswith(POINTER)}
    return [path for path, (_, oid) in files.items() if oid in found]


def _link(store: Checkpoints, pair: FileSides, found: UpstreamChanges) -> None:
    """Sort in a submodule: one that is checked out stays, for the agent or the user to move."""
    is_plain = all(side is None or side[0] == SUBMODULE for side in (pair.old, pair.new))
    if not is_plain:
        raise refused(
            f"{printable_name(os.fsdecode(pair.path))} is a submodule before or after, and a file"
        )
    there = gitlinks.locate(store.root, pair.path, store.git_bases)
    if there or pair.old is None:
        found.left.append(pair.path)
    else:
        found.links[entry_path(pair.path)] = pair.new


async def _laid_out(
    store: Checkpoints,
    newer: NewerBase,
    commit: str,
    sides: Mapping[bytes, Entry | None],
    may_link: bool,
) -> dict[bytes, Entry]:
    """Return stored files as they lie in a workspace, kept in the run's store."""
    files = {path: entry for path, entry in sides.items() if entry}
    if not files:
        return {}
    git = owned_objects.seeing(store.git, newer.repository.objects)
    lenient = replace(git, env={**git.env, **POINTERS_STAY})
    async with line_ends(lenient, store.user, commit, ()) as ends:
        concerned = await ends.after.concerned(files)
        plain = {path for path in files if path not in concerned.some or _is_link(files[path])}
        wanted = {files[path][1] for path in plain}
        objects_folder = newer.repository.objects
        await owned_objects.own(
            store.git, objects_folder, wanted, may_link=may_link, loose_too=True
        )
        converted = await _converted(store, ends, files, files.keys() - plain)
    return {path: converted.get(path, entry) for path, entry in files.items()}


async def _converted(
    store: Checkpoints, ends: LineEndings, files: Mapping[bytes, Entry], paths: Iterable[bytes]
) -> dict[bytes, Entry]:
    found: dict[bytes, Entry] = {}
    async with aclosing(ends.laid_out({path: files[path] for path in paths})) as groups:
        async for group in groups:
            for path, content in group.items():
                how = ("hash-object", "-w", "--stdin", "--no-filters")
                out = await store.git.run(*how, stdin=await asyncio.to_thread(opened, content))
                found[path] = files[path][0], out.decode("ascii").strip()
    return found


def _is_link(entry: Entry) -> bool:
    return entry[0] == LINK
