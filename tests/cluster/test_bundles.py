"""Packs and archives between machines: damaged and hostile ones put nothing where it may not be."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import repos
from workspace_node import NODE, Node, workspaces_of

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Workspace, WorkspaceKind, WorkspaceSetup, WorkspaceSpec
from engine.execution.cluster.archive import Extraction, remove, write
from engine.execution.cluster.channel import LARGEST_BYTES
from engine.execution.cluster.messages import Envelope, Reply
from engine.execution.cluster.node.transfers import Transfers
from engine.execution.cluster.workspace_messages import PackBeginning, Point, StoreState
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.host_workspaces import WorkspaceRequest
from engine.workspaces.checkpoints.checkpoints import Checkpoints

RUN = "r1"


def never() -> bool:
    return False


# Archives


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    """Return an archive of any entries."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        for entry, content in entries:
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))
    file.seek(0)
    return file


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.mode = kind, target, 0o644
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    "name", ["../out", "/out", "a/../../out", ".git/hooks/post-checkout", "a/.GIT/x", ".", "a//b"]
)
def test_no_file_lands_outside_or_among_those_of_git(root: Path, name: str) -> None:
    with pytest.raises(UserError):
        Extraction(root).run(archive((entry(name), b"x")), never)
    assert not list(root.rglob("*"))
    assert not (root.parent / "out").exists()


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_only_files_folders_and_links_are_extracted(root: Path, kind: bytes) -> None:
    with pytest.raises(UserError):
        Extraction(root, is_copy=True).run(archive((entry("a", kind, "/etc/passwd"), b"")), never)
    assert not list(root.rglob("*"))


def test_nothing_is_written_through_a_link(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "there").write_text("mine")
    link = entry("link", tarfile.SYMTYPE, str(outside))
    file = entry("file", tarfile.SYMTYPE, str(outside / "there"))
    work = Extraction(root, replaces=True)
    entries = ((link, b""), (entry("link/x"), b"x"), (file, b""), (entry("file"), b"y"))
    work.run(archive(*entries), never)
    assert [path.name for path in outside.iterdir()] == ["there"]
    assert (outside / "there").read_text() == "mine"
    assert work.lost == ["link/x"]
    assert (root / "file").read_text() == "y"


def test_files_that_are_gone_are_removed_here_alone(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").touch()
    (root / "link").symlink_to(outside)
    (root / "a").mkdir()
    (root / "a" / "b").touch()
    remove(root, [b"../outside/x", b"link/x", b"a/b", b"missing/file"])
    assert (outside / "x").exists()
    assert not (root / "a").exists()
    with pytest.raises(UserError):
        remove(root, [b".git/config"])


@pytest.mark.parametrize("cut", [10, 600, 1500])
def test_a_damaged_archive_is_named(root: Path, cut: int, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"x" * 1500)
    file = io.BytesIO()
    write(source, file, never)
    with pytest.raises(UserError, match="damaged"):
        Extraction(root).run(io.BytesIO(file.getvalue()[:cut]), never)


def test_an_archive_brings_all_as_it_was(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    names = ["plain", "new\nline", "\udcff\udcfe", "ü", " ", "x" * 200, "-dash"]
    for name in names:
        (source / name).write_text(name, errors="surrogateescape")
    (source / "deep" / "er").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "link").symlink_to("\udcff nowhere")
    (source / "deep" / "er" / "tool").write_text("#!")
    (source / "deep" / "er" / "tool").chmod(0o4755)
    os.utime(source / "plain", ns=(1, 1_700_000_000_123_456_000))
    file = io.BytesIO()
    write(source, file, never)
    file.seek(0)
    work = Extraction(root, is_copy=True)
    work.run(file, never)
    assert work.lost == []
    assert repos.files(root) == repos.files(source)
    assert (root / "empty").is_dir()
    assert (root / "deep" / "er" / "tool").stat().st_mode & 0o7777 == 0o755  # no set-user-id
    moved = (root / "plain").stat().st_mtime_ns - 1_700_000_000_123_456_000
    assert abs(moved) < 1000


def test_a_stop_is_heard_between_files(root: Path, tmp_path: Path) -> None:
    file = archive((entry("a"), b""), (entry("b"), b""))
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    with pytest.raises(InterruptedError):
        Extraction(root).run(file, stop)
    with pytest.raises(InterruptedError):
        write(root, io.BytesIO(), lambda: True)


# Packs of checkpoints


class HostileNode(Node):
    """A node whose answers are changed on their way."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.change: Callable[[str, bytes], bytes] = lambda _, body: body
        self.pack: bytes | None = None
        """The pack of each answer, in place of the node's own."""

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        name = msgspec.msgpack.decode(message, type=Envelope).name
        if name == "FetchObjects" and self.pack is not None:
            answer = PackBeginning(True, len(self.pack), self.pack)
            body = msgspec.msgpack.encode(answer)
            return msgspec.msgpack.encode(Reply(msgspec.Raw(body)))
        data = await super().call(node, message, limit_s, limit_bytes)
        reply = msgspec.msgpack.decode(data, type=Reply)
        if reply.failure is None and not reply.os_error:
            body = self.change(name, bytes(reply.body))
            reply = msgspec.structs.replace(reply, body=msgspec.Raw(body))
        return msgspec.msgpack.encode(reply)


@pytest.fixture
def node(tmp_path: Path) -> HostileNode:
    return HostileNode(tmp_path)


@pytest.fixture
def spaces(paths: Paths, node: HostileNode) -> NodeWorkspaces:
    paths.prepare()
    return workspaces_of(paths, node)


@pytest.fixture
async def begun(spaces: NodeWorkspaces, tmp_path: Path) -> tuple[Workspace, Checkpoints]:
    source = repos.repository(tmp_path / "s", {"a.txt": "one\n"})
    spec = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source), host=NODE)
    found = await spaces.prepare(WorkspaceRequest(RUN, "demo", spec, WorkspaceSetup()), never)
    assert found
    store = await spaces.make_checkpoints(RUN, found.workspace, ())
    await store.record("workspace_prep")
    return found.workspace, store


async def refused(store: Checkpoints, words: str) -> None:
    """Take a checkpoint that is refused, and find the store as it was."""
    before = repos.git(store.git.git_dir, "for-each-ref")
    with pytest.raises(UserError, match=words):
        await store.record("agent")
    assert repos.git(store.git.git_dir, "for-each-ref") == before
    assert not list(store.git.git_dir.glob("incoming*"))


def with_points(change: Callable[[Point], Point]) -> Callable[[str, bytes], bytes]:
    """Return a change of the last checkpoint in an answer."""

    def changed(name: str, body: bytes) -> bytes:
        if name != "TakeCheckpoint":
            return body
        state = msgspec.msgpack.decode(body, type=StoreState)
        last = change(state.points[-1])
        points = (*state.points[:-1], last)
        return msgspec.msgpack.encode(msgspec.structs.replace(state, points=points, taken=last))

    return changed


async def test_a_damaged_or_empty_pack_is_refused(
    node: HostileNode, begun: tuple[Workspace, Checkpoints]
) -> None:
    workspace, store = begun
    (Path(workspace.path) / "a.txt").write_text("two\n")
    node.pack = b"PACK nonsense"
    await refused(store, "damaged")
    node.pack = b""
    await refused(store, "damaged")
    node.pack = None
    assert (await store.record("agent")).n == 1


async def test_a_checkpoint_cannot_take_the_place_of_another(
    node: HostileNode, begun: tuple[Workspace, Checkpoints]
) -> None:
    workspace, store = begun
    (Path(workspace.path) / "a.txt").write_text("two\n")
    node.change = with_points(lambda one: msgspec.structs.replace(one, n=0))
    await refused(store, "another checkpoint 0")
    node.change = with_points(lambda one: msgspec.structs.replace(one, n=7))
    await refused(store, "lost checkpoints")
    node.change = with_points(lambda one: msgspec.structs.replace(one, tree="f" * 40))
    await refused(store, "bad object|another than")
    node.change = with_points(lambda one: msgspec.structs.replace(one, sha="--all"))
    await refused(store, "invalid object id")


@pytest.mark.parametrize("path", ["sub/.git/config", "../out", "./x", "sub/.GIT"])
async def test_a_tree_that_leads_elsewhere_is_refused(
    node: HostileNode, begun: tuple[Workspace, Checkpoints], path: str
) -> None:
    workspace, store = begun
    (Path(workspace.path) / "a.txt").write_text("two\n")
    sha, tree, pack = _hostile(Path(workspace.path).parent / "other", path)
    node.change = with_points(lambda one: msgspec.structs.replace(one, sha=sha, tree=tree))
    node.pack = pack
    await refused(store, "may not be in it|is damaged")


def _hostile(folder: Path, path: str) -> tuple[str, str, bytes]:
    """Make a commit with a file at a path that no git would check out."""
    folder.mkdir()
    repos.git(folder, "init", "-q")
    oid = repos.git(folder, "hash-object", "-w", "--stdin", stdin=b"evil")
    oids = [oid]
    mode = "100644"
    for name in reversed(path.split("/")):
        data = f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid)
        write_tree = ("hash-object", "-w", "-t", "tree", "--literally", "--stdin")
        oid = repos.git(folder, *write_tree, stdin=data)
        oids.append(oid)
        mode = "40000"
    sha = repos.git(folder, "commit-tree", "-m", "agent", oid)
    lines = "".join(f"{one}\n" for one in [*oids, sha]).encode()
    name = repos.git(folder, "pack-objects", "-q", "pack", stdin=lines)
    return sha, oid, (folder / f"pack-{name}.pack").read_bytes()


async def test_refs_and_settings_of_the_node_do_not_come_along(
    begun: tuple[Workspace, Checkpoints], node: HostileNode
) -> None:
    workspace, store = begun
    there = node.paths.checkpoints(RUN, workspace.path)
    repos.git(there, "update-ref", "refs/heads/evil", "refs/swarm/checkpoints/0")
    repos.git(there, "config", "core.fsmonitor", "/bin/false")
    (Path(workspace.path) / "a.txt").write_text("two\n")
    assert (await store.record("agent")).n == 1
    refs = repos.git(store.git.git_dir, "for-each-ref", "--format=%(refname)").splitlines()
    assert refs == ["refs/swarm/checkpoints/0", "refs/swarm/checkpoints/1"]
    assert "fsmonitor" not in (store.git.git_dir / "config").read_text()


def test_a_file_on_its_way_has_no_name_that_leads_elsewhere(tmp_path: Path) -> None:
    for name in ("../x", "/etc/x", "x", "A" * 32):
        with pytest.raises(UserError):
            Transfers(tmp_path / "t").put(name, 0, b"x", 1)
    assert not (tmp_path / "t").exists()
