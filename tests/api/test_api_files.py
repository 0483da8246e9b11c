"""Files of workspaces over HTTP: lists, downloads, and paths that lead nowhere."""

from __future__ import annotations

import os
import socket
from contextlib import chdir
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import repos
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from tui.cli.json import ArtifactJson, EntryJson

Client = AsyncTestClient[Litestar]
ODD_NAMES = (
    b"caf\xe9.txt",
    "café.txt".encode(),
    b"new\nline",
    b'quote"d;%41.txt',
    b"back\\xe9slash",
    "\u202egnp.exe".encode(),
    b" space ",
    b"a+b&c=d#e?f",
    b"-rf",
)
HOSTILE_PATHS = (
    "..",
    "../../../../etc/passwd",
    "src/../a.txt",
    "./a.txt",
    "/etc/passwd",
    "src//deep/b.txt",
    "a.txt/b",
    "src",
    "",
    "/",
    "none",
    "%00",
    "a.txt%00.png",
    "%FF%FE",
    "%ED%A0%80",
    "%5Cud800",
    "%5CU00110000",
    "..%2f..%2fetc%2fpasswd",
    "%E2%80%A4%E2%80%A4/a.txt",
    "\uff0e\uff0e\uff0fetc",
    "a" * 10_000,
    "a/" * 5_000,
    "out",
    "out/passwd",
    "inner",
    "pipe",
    "socket",
)


@pytest.fixture
async def folder(engine: Engine) -> Path:
    """The workspace of a run that has ended."""
    run = await played(engine, "write a.txt hello", "write src/deep/b.txt b")
    assert run.workspace
    return Path(run.workspace.path)


async def test_lists_are_those_of_the_command(
    client: Client, printed: Printed, folder: Path
) -> None:
    (folder / "link").symlink_to("/etc")
    (folder / os.fsdecode(ODD_NAMES[0])).write_text("x")
    for path in ("", "src", "src/deep/"):
        answer = await client.get("/v1/runs/@last/files", params={"path": path})
        assert answer.status_code == 200
        assert [answer.json()] == await printed("files", "@last", path)
        msgspec.convert(answer.json(), list[EntryJson], strict=True)


async def test_files_are_downloaded_as_attachments_that_no_browser_shows(
    client: Client, folder: Path
) -> None:
    (folder / "page.html").write_text("<script>alert(1)</script>")
    answer = await client.get("/v1/runs/@last/file", params={"path": "page.html"})
    assert (answer.status_code, answer.text) == (200, "<script>alert(1)</script>")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith('attachment; filename="page.html"')
    assert answer.headers["content-length"] == "25"
    assert answer.headers["accept-ranges"] == "bytes"


async def test_head_has_the_headers_without_the_file(client: Client, folder: Path) -> None:
    whole = await client.get("/v1/runs/@last/file?path=a.txt")
    head = await client.head("/v1/runs/@last/file?path=a.txt", headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    names = ("content-length", "content-type", "content-disposition", "x-content-type-options")
    assert [head.headers[name] for name in names] == [whole.headers[name] for name in names]
    assert (await client.head("/v1/runs/@last/file?path=none")).status_code == 404


async def test_names_have_any_bytes(client: Client, folder: Path) -> None:
    for name in ODD_NAMES:
        (folder / os.fsdecode(name)).write_bytes(name)
    listed = (await client.get("/v1/runs/@last/files")).json()
    for name in ODD_NAMES:
        (entry,) = [one for one in listed if os.fsencode(one["path"]) == name]
        for path in (quote(os.fsencode(entry["path"])), quote(entry["name"])):
            answer = await client.get(f"/v1/runs/@last/file?path={path}")
            assert (answer.status_code, answer.content) == (200, name)
            disposition = answer.headers["content-disposition"]
            assert disposition.isascii() and disposition.isprintable()
            assert disposition.count('"') == 2 and "\\" not in disposition


@pytest.fixture
def hostile(folder: Path) -> Path:
    """A workspace with links that lead out of it, a pipe and a socket."""
    (folder / "out").symlink_to("/etc")
    (folder / "inner").symlink_to("a.txt")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound, chdir(folder):
        bound.bind("socket")
    return folder


async def test_hostile_paths_lead_nowhere(client: Client, hostile: Path) -> None:
    for path in HOSTILE_PATHS:
        answer = await client.get(f"/v1/runs/@last/file?path={path}")
        assert answer.status_code == 404, path
        listed = await client.get(f"/v1/runs/@last/files?path={path}")
        assert listed.status_code in (200, 404), path
        assert b"root:" not in answer.content + listed.content


async def test_request_without_a_path_is_invalid(client: Client, folder: Path) -> None:
    answer = await client.get("/v1/runs/@last/file")
    assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_INVALID")


async def test_git_directories_are_read_as_by_the_command(client: Client, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("[core]\n")
    answer = await client.get("/v1/runs/@last/file?path=.git/config")
    assert (answer.status_code, answer.text) == (200, "[core]\n")


async def test_artifacts_are_listed_and_downloaded(
    engine: Engine, client: Client, printed: Printed, tmp_path: Path
) -> None:
    source = repos.repository(tmp_path / "source")
    place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(source))
    run = await played(engine, "write a.txt hello", workspace=place)
    saved = await engine.workspaces.save_patch(run.id)
    listed = (await client.get(f"/v1/runs/{run.id}/artifacts")).json()
    assert [listed] == await printed("artifacts", run.id)
    paths = [one.path for one in msgspec.convert(listed, list[ArtifactJson])]
    assert str(saved) in paths
    for path in (str(saved), saved.name):
        answer = await client.get(f"/v1/runs/{run.id}/artifact", params={"path": path})
        assert (answer.status_code, answer.content) == (200, saved.read_bytes())
    head = await client.head(f"/v1/runs/{run.id}/artifact", params={"path": saved.name})
    assert head.headers["content-length"] == str(saved.stat().st_size)


async def test_other_files_beside_a_workspace_are_no_artifacts(
    client: Client, folder: Path
) -> None:
    for path in ("", ".", "run.json", "../../config.yaml", "/etc/passwd", "%00"):
        answer = await client.get(f"/v1/runs/@last/artifact?path={path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "WORKSPACE_MISSING"), path
