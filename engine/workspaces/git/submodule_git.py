"""The git directory that a submodule of a worktree has: what is in it, and nothing else.

Of an index and of `.gitmodules` only paths, names and commits are read, as data.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.config.paths import private_folder
from engine.system.files import read_regular
from engine.workspaces.files.special_files import SETTINGS_BYTES
from engine.workspaces.git import repository
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository, private_git
from engine.workspaces.git.user_git_config import UserGitConfig

URL_BYTES = 4096
KEPT_REFS = ("refs/remotes/origin", "refs/tags")
_DEFAULT = b"refs/remotes/origin/HEAD"


@dataclass(frozen=True, slots=True)
class Link:
    """A submodule: its path and commit, and its name in `.gitmodules`."""

    path: str
    commit: str
    name: str


async def links(found: Repository, index: Path, scratch: Path) -> list[Link]:
    """Return the submodules in the index of a working tree at the commit `found.head`."""
    with private_git(scratch, found, None, index) as git:
        listed = await git.run("ls-files", "-s", "-z")
        blob = f"{found.head}:.gitmodules"
        asking = ("config", "--blob", blob, "-z", "--get-regexp", r"^submodule\..*\.path$")
        answer = await git.ask(*asking)
    names = {path: name for name, path in settings(answer.out, "path")}
    entries = (line.split(b"\t", 1) for line in listed.split(b"\0") if line.startswith(b"160000 "))
    pairs = ((os.fsdecode(path), head.split()[1].decode("ascii")) for head, path in entries)
    return [Link(path, commit, names.get(path, path)) for path, commit in pairs]


def settings(out: bytes, last: str) -> Iterator[tuple[str, str]]:
    """Return the name of each submodule with the value of its setting `last`."""
    for line in out.split(b"\0"):
        key, _, value = os.fsdecode(line).partition("\n")
        if key:
            yield key.removeprefix("submodule.").removesuffix(f".{last}"), value


async def make_module(
    source: Git,
    git_dir: Path,
    folder: Path,
    user: UserGitConfig,
    head: bytes,
    url: bytes,
    kept: Iterable[str] = KEPT_REFS,
) -> None:
    """Make a git directory for the folder of a submodule; `head` is what HEAD is to hold.

    Objects and the `kept` refs come from `source`. Raises OSError or `UserError`.
    """
    asked = ("for-each-ref", "--format=%(objectname) %(refname) %(symref)", *kept)
    lines = (line.split(b" ") for line in (await source.run(*asked)).splitlines())
    found = [tuple(line) for line in lines if len(line) == 3]
    refs = [(sha, name) for sha, name, symbolic in found if not symbolic]
    default = next((to for _, name, to in found if name == _DEFAULT and to), b"")
    algorithm = await source.run("rev-parse", "--show-object-format")
    text = _config(folder, user, url, algorithm.strip() == b"sha256")
    await asyncio.to_thread(_write_module, source.git_dir, git_dir, text, head, refs, default)
    tips = [sha for sha, _ in refs] + ([] if head.startswith(b"ref:") else [head.strip()])
    wanted = b"".join(sha + b"\n" for sha in tips)
    pack = os.fsencode(git_dir / "objects" / "pack" / "pack")
    # No search for differences: those that the source's packs hold are used as they are.
    how = ("--revs", "--window=0", "--delta-base-offset", "--non-empty", "-q")
    await source.run("pack-objects", *how, pack, stdin=wanted)


def _write_module(
    source: Path,
    git_dir: Path,
    text: bytes,
    head: bytes,
    refs: Iterable[tuple[bytes, bytes]],
    default: bytes,
) -> None:
    private_folder(git_dir / "objects" / "pack")
    private_folder(git_dir / "refs")
    (git_dir / "config").write_bytes(text)
    with suppress(FileNotFoundError):
        (git_dir / "shallow").write_bytes(read_regular(source / "shallow", SETTINGS_BYTES))
    (git_dir / "packed-refs").write_bytes(b"".join(b"%s %s\n" % ref for ref in refs))
    if default.startswith(b"refs/remotes/origin/"):
        private_folder(git_dir / "refs" / "remotes" / "origin")
        (git_dir / os.fsdecode(_DEFAULT)).write_bytes(b"ref: " + default + b"\n")
    (git_dir / "HEAD").write_bytes(head.strip() + b"\n")


async def address(source: Git) -> bytes:
    """Return the address that a repository fetches from, empty where it has none."""
    answer = await source.ask("config", "--get", "remote.origin.url")
    return answer.out.removesuffix(b"\n")


def _config(folder: Path, user: UserGitConfig, url: bytes, is_sha256: bool) -> bytes:
    """Return the settings of a submodule's repository, of which none is a command."""
    passed = dict(line.split("=", 1) for line in (*user.settings, *user.sparse))
    paths = ("core.excludesfile", "core.attributesfile")
    core: Mapping[str, str] = {
        "repositoryformatversion": "1" if is_sha256 else "0",
        "bare": "false",
        "logallrefupdates": "true",
        **{key.removeprefix("core."): one for key, one in passed.items() if key not in paths},
    }
    lines = [b"[core]", *(f"\t{key} = {one}".encode() for key, one in core.items())]
    lines.append(b"\tworktree = " + repository.quoted(os.fsencode(folder)))
    if is_sha256:
        lines += [b"[extensions]", b"\tobjectFormat = sha256"]
    if _is_address(url):
        lines += [b'[remote "origin"]', b"\turl = " + repository.quoted(url)]
        lines.append(b"\tfetch = +refs/heads/*:refs/remotes/origin/*")
    return b"\n".join(lines) + b"\n"


def _is_address(url: bytes) -> bool:
    """Return whether an address can be kept: it names no program, and is not an option."""
    is_text = bool(url) and len(url) <= URL_BYTES and not any(byte < 32 for byte in url)
    return is_text and not url.startswith(b"-") and b"::" not in url
