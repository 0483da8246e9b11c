"""Random work of a user and an agent, applied and cleaned up: is every byte of it still somewhere?

User and agent work on files and with git, in the source and in the workspace; in between, what the
run changed is applied in every way, and the workspace is cleaned up, restored and emptied from the
trash. Every write has a mark of its own. What is there before a step of swarm-tui has to be found
after it: in the source's files, in a ref that is reached, in the trash, in the workspace, among the
run's files, or in a checkpoint that opens.

`PYTHONPATH=tests python tests/chaos/lost_work.py --sequences 1000` prints its figures; the test
plays a few.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import repos
from support import settled, spec, supervising

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, CleanupFilter, Engine

MARK = re.compile(rb"<<[0-9a-z]+>>")
KINDS = ("worktree", "worktree", "copy", "plain copy", "in-place", "in-place plain", "empty")
FILES = ("a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt", "new.txt", "more/e.txt", "x.dat")
IGNORED = ("notes/n.txt", "secret.key")
CONFIG = (
    *("-c", "protocol.file.allow=always", "-c", "core.editor=true", "-c", "gc.auto=0"),
    *("-c", "user.name=A", "-c", "user.email=a@example.com"),
)


@dataclass
class Figures:
    """What a number of sequences came to."""

    sequences: int = 0
    steps: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    lost: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])


class Actor:
    """Somebody who works in a folder: random steps, each as a person or agent would do it."""

    def __init__(self, name: str, folder: Path, story: Sequence) -> None:
        self.name = name
        self.folder = folder
        self.rng = story.rng
        self.story = story.story
        self._count = 0
        self._library = story.folder / f"{name}-library"

    def step(self) -> None:
        """Do one thing."""
        ways: list[Callable[[], object]] = [*[self.edit] * 4, self.add, self.delete, self.rename]
        ways += [self.chmod, self.link, self.ignore]
        if (self.folder / ".git").exists():
            ways += [*[self.commit] * 3, self.amend, self.stash, self.pop, self.switch, self.back]
            ways += [self.detach, self.reset, self.soft, self.merge, self.rebase, self.gc]
            ways += [self.submodule, self.in_submodule, self.sparse, self.filter, self.nested]
        way = self.rng.choice(ways)
        self.story.append(f"{self.name} {way.__name__}")
        way()

    def mark(self) -> str:
        """Return a mark that nobody has written before."""
        self._count += 1
        return f"<<{self.name[0]}{self._count}x{self.rng.randrange(16**6):x}>>"

    def _git(self, *words: str) -> str:
        return repos.git(self.folder, *CONFIG, *words, ok=False)

    def _some(self) -> Path | None:
        found = [
            path
            for path in sorted(self.folder.rglob("*"))
            if ".git" not in path.parts and (path.is_file() or path.is_symlink())
        ]
        return self.rng.choice(found) if found else None

    def edit(self) -> None:
        path = self._some()
        if path is None or path.is_symlink():
            self.add()
            return
        lines = path.read_bytes().splitlines()
        at = self.rng.randrange(len(lines) + 1)
        keep = lines[at + self.rng.randrange(2) :]
        path.chmod(path.stat().st_mode | 0o600)
        path.write_bytes(b"\n".join([*lines[:at], self.mark().encode(), *keep]) + b"\n")

    def add(self) -> None:
        name = self.rng.choice(FILES)
        try:
            repos.write(self.folder, {name: f"{self.mark()}\n" * self.rng.randrange(1, 4)})
        except OSError:  # a link or a file is in the way
            repos.write(self.folder, {f"other{self.rng.randrange(9)}.txt": self.mark()})

    def write_fresh(self, mark: str) -> bytes | None:
        """Write a file that nobody else has; return its mark, or None where the folder is gone."""
        try:
            (self.folder / f"fresh-{mark[2:-2]}").write_text(mark)
        except OSError:
            return None
        return mark.encode()

    def ignore(self) -> None:
        repos.write(self.folder, {self.rng.choice(IGNORED): f"{self.mark()}\n"})

    def delete(self) -> None:
        if path := self._some():
            path.unlink()

    def rename(self) -> None:
        if path := self._some():
            path.rename(path.with_name(f"r{self.rng.randrange(99)}.txt"))

    def chmod(self) -> None:
        path = self._some()
        if path and not path.is_symlink():
            path.chmod(self.rng.choice([0o644, 0o755, 0o600]))

    def link(self) -> None:
        path = self.folder / f"link{self.rng.randrange(5)}"
        if not os.path.lexists(path):
            path.symlink_to(self.mark())

    def commit(self) -> None:
        self._git("add", "-A")
        self._git("commit", "-q", "-m", self.mark())

    def amend(self) -> None:
        self._git("commit", "-q", "-a", "--amend", "-m", self.mark())

    def stash(self) -> None:
        self._git("stash", "push", "-q", *self.rng.choice([(), ("-u",)]))

    def pop(self) -> None:
        self._git("stash", "pop", "-q")

    def switch(self) -> None:
        self._git("switch", "-q", "-c", f"{self.name}{self.rng.randrange(4)}")

    def back(self) -> None:
        names = self._git("branch", "--format=%(refname:short)").splitlines()
        if names:
            self._git("switch", "-q", self.rng.choice(names))

    def detach(self) -> None:
        self._git("switch", "-q", "--detach")

    def reset(self) -> None:
        self._git("reset", "-q", "--hard", self.rng.choice(["HEAD", "HEAD~"]))

    def soft(self) -> None:
        self._git("reset", "-q", self.rng.choice(["--soft", "--mixed"]), "HEAD~")

    def merge(self) -> None:
        names = self._git("branch", "--format=%(refname:short)").splitlines()
        if names:
            self._git("merge", "-q", "--no-edit", self.rng.choice(names))
            self._git("merge", "--abort")

    def rebase(self) -> None:
        names = self._git("branch", "--format=%(refname:short)").splitlines()
        if names:
            self._git("rebase", "-q", self.rng.choice(names))
            self._git("rebase", "--abort")

    def gc(self) -> None:
        self._git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "HEAD")
        self._git("gc", "-q", "--prune=now")

    def submodule(self) -> None:
        if not self._library.exists():
            repos.repository(self._library, {"lib.txt": f"{self.mark()}\n"})
        self._git("submodule", "add", "-q", str(self._library), "lib")

    def in_submodule(self) -> None:
        inside = self.folder / "lib"
        if (inside / ".git").exists():
            repos.write(inside, {"lib.txt": f"{self.mark()}\n"})
            repos.git(inside, *CONFIG, "commit", "-q", "-a", "-m", self.mark(), ok=False)

    def sparse(self) -> None:
        words = self.rng.choice([("set", "sub"), ("set", "more"), ("disable",)])
        self._git("sparse-checkout", *words)

    def filter(self) -> None:
        repos.write(self.folder, {".gitattributes": self.rng.choice(["*.dat filter=up\n", ""])})

    def nested(self) -> None:
        inside = self.folder / "own"
        if not inside.exists():
            repos.repository(inside, {"own.txt": f"{self.mark()}\n"})


# Where marks are


def in_files(folder: Path) -> Iterator[bytes]:
    """Return the marks in the files and links below a folder, those of git left out."""
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in [*names, *folders]:
            path = Path(base, name)
            if path.is_symlink():
                yield from MARK.findall(os.fsencode(path.readlink()))
            elif path.is_file():
                yield from MARK.findall(path.read_bytes())


def git_dirs(folder: Path) -> Iterator[Path]:
    """Return the git directories below a folder that hold objects."""
    for base, folders, names in os.walk(folder):
        if "HEAD" in names and "objects" in folders:
            yield Path(base)
            folders[:] = [name for name in folders if name in ("modules", "worktrees")]


def in_refs(git_dir: Path) -> set[bytes]:
    """Return the marks in all that a repository reaches: refs, stashes, checked-out commits."""
    env = {**repos.ENV, "GIT_DIR": str(git_dir)}
    heads = [git_dir / "HEAD", *git_dir.glob("worktrees/*/HEAD")]
    tips = {
        line for head in heads if re.fullmatch("[0-9a-f]{40}", line := head.read_text().strip())
    }
    stashed = subprocess.run(
        ["git", "rev-list", "-g", "refs/stash"], env=env, capture_output=True, check=False
    )
    tips |= set(stashed.stdout.decode().split())
    asked = ["git", "rev-list", "--objects", "--all", "--ignore-missing", "--stdin"]
    text = "".join(f"{tip}\n" for tip in sorted(tips)).encode()
    listed = subprocess.run(asked, env=env, input=text, capture_output=True, check=False)
    ids = b"".join(line.split(b" ")[0] + b"\n" for line in listed.stdout.splitlines())
    shown = subprocess.run(
        ["git", "cat-file", "--batch"], env=env, input=ids, capture_output=True, check=False
    )
    return set(MARK.findall(shown.stdout))


def marks(folder: Path) -> set[bytes]:
    """Return the marks in the files of a folder and in its repositories."""
    found = set(in_files(folder))
    for git_dir in git_dirs(folder):
        found |= in_refs(git_dir)
    return found


def in_bundles(folder: Path, sources: Path, scratch: Path) -> set[bytes]:
    """Return the marks in the bundles below a folder, fetched beside the sources they are of."""
    found: set[bytes] = set()
    for bundle in folder.rglob("*.bundle"):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        repos.git(scratch, "init", "-q")
        borrowed = [path / "objects" for path in git_dirs(sources) if scratch not in path.parents]
        text = "".join(f"{path}\n" for path in borrowed)
        (scratch / ".git/objects/info/alternates").write_text(text)
        listed = repos.git(scratch, "bundle", "list-heads", str(bundle), ok=False)
        for number, line in enumerate(listed.splitlines()):
            name = line.split(" ", 1)[1]
            into = f"+{name}:refs/kept/{number}"
            repos.git(scratch, *CONFIG, "fetch", "-q", str(bundle), into, ok=False)
        found |= in_refs(scratch / ".git")
    return found


def in_archives(folder: Path) -> Iterator[bytes]:
    """Return the marks in the archives of ignored files below a folder."""
    for path in folder.rglob("*.tar"):
        with tarfile.open(path) as archive:
            for member in archive.getmembers():
                file = archive.extractfile(member)
                if file:
                    yield from MARK.findall(file.read())


class Sequence:
    """One story: a source, a run, and what happens to them."""

    def __init__(self, engine: Engine, folder: Path, seed: int) -> None:
        self.engine = engine
        self.folder = folder
        self.rng = random.Random(seed)
        self.story: list[str] = []
        self.refused: Counter[str] = Counter()
        self.steps = 0
        self.kind = self.rng.choice(KINDS)
        self.source = folder / "source"
        self.run: Run | None = None

    async def play(self) -> set[bytes]:
        """Play it; return the marks that were lost."""
        self.story.append(f"kind {self.kind}")
        self._make_source()
        user = Actor("user", self.source, self)
        for _ in range(self.rng.randrange(3)):
            user.step()
        run = await self.engine.start(spec("say done", workspace=self._wish()))
        await settled(self.engine)
        self.run = run = await self.engine.find(run.id)
        assert run.workspace, run.error
        agent = Actor("agent", Path(run.workspace.path), self)
        for _ in range(self.rng.randrange(2, 6)):
            for _ in range(self.rng.randrange(1, 7)):
                self.rng.choice([user, agent, agent]).step()
                self.steps += 1
            if lost := await self._kept(user, agent, self._ours()):
                return lost
            if not agent.folder.is_dir():
                break
        return await self._cleaned_up()

    def _make_source(self) -> None:
        files: dict[str, str | bytes] = {
            name: f"{name}\n<<s{number}>>\nend\n" for number, name in enumerate(FILES[:4])
        }
        files[".gitignore"] = "notes/\n*.key\n"
        if "plain" in self.kind or self.kind == "empty":
            self.source.mkdir(parents=True)
            repos.write(self.source, files)
        else:
            repos.repository(self.source, files)

    def _wish(self) -> WorkspaceSpec:
        kind = self.kind.replace(" plain", "").replace("plain ", "")
        source = None if kind == "empty" else str(self.source)
        return WorkspaceSpec(WorkspaceKind(kind), source)

    def _ours(self) -> Callable[[], Awaitable[object]]:
        """Choose a step of swarm-tui."""
        assert self.run
        run, engine = self.run.id, self.engine
        to = str(self.source) if self.kind == "empty" else None
        how = self.rng.choice(list(ApplyMode))
        ways: list[Callable[[], Awaitable[object]]] = [
            *[lambda: engine.workspaces.apply(run, how, to=to)] * 4,
            lambda: self._again(),
            lambda: engine.workspaces.restore(run, 0),
            lambda: engine.disk.delete(run),
            lambda: self._clean(including_unsaved=self.rng.random() < 0.3),
            lambda: engine.disk.tend(),
        ]
        names = [*[f"apply {how.value}"] * 4, "resume", "restore", "delete", "clean", "tend"]
        number = self.rng.randrange(len(ways))
        self.story.append(f"swarm {names[number]}")
        return ways[number]

    async def _again(self) -> None:
        assert self.run
        await self.engine.resume(self.run.id, "sim: say more")
        await settled(self.engine)

    async def _clean(self, *, including_unsaved: bool) -> None:
        assert self.run
        wish = CleanupFilter(runs=frozenset([self.run.id]), including_unsaved=including_unsaved)
        report = await self.engine.disk.clean(await self.engine.disk.plan(wish), wish)
        for one in report.cleaned:
            if one.failure:
                raise one.failure

    async def _kept(
        self, user: Actor, agent: Actor, step: Callable[[], Awaitable[object]]
    ) -> set[bytes]:
        """Do one step of ours, and return the marks that were there before it and are not now.

        Now and then user and agent write meanwhile.
        """
        before = self._all()
        if self.rng.random() < 0.25:
            self.story.append("meanwhile both write")
            fresh = [actor.mark() for actor in (user, agent)]
            writing = [
                asyncio.to_thread(actor.write_fresh, mark)
                for actor, mark in zip((user, agent), fresh, strict=True)
            ]
            done = await asyncio.gather(self._tried(step), *writing)
            before |= {mark for mark in done[1:] if mark}
        else:
            await self._tried(step)
        lost = self._lost(before)
        if not lost and self.rng.random() < 0.3 and (self.source / ".git").exists():
            self.story.append("gc")
            everywhere = self._all()
            repos.git(self.source, *CONFIG, "gc", "-q", "--prune=now", ok=False)
            lost = self._lost(everywhere)
        return lost

    async def _tried(self, step: Callable[[], Awaitable[object]]) -> None:
        try:
            await step()
        except UserError as error:
            self.refused[error.code] += 1
            self.story.append(f"  {error.code}: {error.message[:200]}")

    async def _cleaned_up(self) -> set[bytes]:
        """Clean up, undo or empty the trash, and let git forget what it can."""
        before = self._all()
        including = self.rng.random() < 0.5
        self.story.append(f"swarm clean {including=}")
        await self._tried(lambda: self._clean(including_unsaved=including))
        if lost := self._lost(before):
            return lost
        if self.rng.random() < 0.3:
            self.story.append("swarm undo")
            await self._tried(lambda: self.engine.disk.undo(self.run and self.run.id))
            if lost := self._lost(before):
                return lost
        self.story.append("swarm empty trash, git gc")
        entries = [
            one for one in await self.engine.disk.trash() if self.run and one.run == self.run.id
        ]
        await self._tried(lambda: self.engine.disk.empty(entries))
        if (self.source / ".git").exists():
            repos.git(self.source, *CONFIG, "gc", "-q", "--prune=now", ok=False)
        return self._lost(before)

    # Looking

    def _places(self) -> list[Path]:
        assert self.run
        found = [self.source]
        workspace = Path(self.run.workspace.path) if self.run.workspace else None
        if workspace and workspace.is_dir() and workspace != self.source:
            found.append(workspace)
        trash = self.engine.paths.trash
        return found + sorted(trash.glob(f"*-{self.run.id}"))

    def _all(self) -> set[bytes]:
        """Return all marks of the story that are anywhere now."""
        found: set[bytes] = set()
        for place in self._places():
            found |= marks(place)
        return found

    def _lost(self, wanted: set[bytes]) -> set[bytes]:
        lost = wanted - self._all()
        if not lost:
            return lost
        assert self.run
        files = self.engine.paths.run(self.run.id)
        for store in git_dirs(files):
            lost -= in_refs(store)
        lost -= set(in_files(files))
        lost -= set(in_archives(files))
        if lost:
            for place in (files, *self._places()[1:]):
                lost -= in_bundles(place, self.folder, self.folder / "scratch")
        return lost


async def sequences(home: Path, seeds: Iterable[int], until: float | None = None) -> Figures:
    """Play the stories of these seeds; return what they came to."""
    figures = Figures()
    async with supervising(Paths(home / "home", home / "config.yaml")) as engine:
        for seed in seeds:
            if until and time.monotonic() > until:
                break
            folder = home / str(seed)
            one = Sequence(engine, folder, seed)
            try:
                lost = await one.play()
                if lost:
                    names = b" ".join(sorted(lost)).decode()
                    figures.lost.append(f"seed {seed}: {names}\n  " + "\n  ".join(one.story))
            except Exception:
                story = "\n  ".join([*one.story, traceback.format_exc()])
                figures.failed.append(f"seed {seed}:\n  {story}")
            figures.sequences += 1
            figures.steps += one.steps
            figures.refused += one.refused
            shutil.rmtree(folder, ignore_errors=True)
    return figures


def main() -> int:
    """Play many, and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=None)
    asked = parser.parse_args()
    until = time.monotonic() + asked.minutes * 60 if asked.minutes else None
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        os.environ.pop("XDG_CONFIG_HOME", None)
        seeds = range(asked.seed, asked.seed + asked.sequences)
        found = asyncio.run(sequences(Path(folder), seeds, until))
    for one in (*found.lost, *found.failed):
        print(one)
    print(f"{found.sequences} sequences, {found.steps} steps; refused: {dict(found.refused)}")
    print(f"lost: {len(found.lost)}, failed: {len(found.failed)}")
    return 1 if found.lost or found.failed else 0


if __name__ == "__main__":
    sys.exit(main())
