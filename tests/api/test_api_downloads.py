"""Downloads in parts, of files that change meanwhile, and by clients that leave."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import becomes, played

from engine.engine import Engine, OpenFile
from engine.workspaces.files import open_file
from tui.cli.api import downloads
from tui.cli.api.downloads import FileRewritten
from tui.cli.api.ranges import BytePart, UnsatisfiableRange, requested_part

Client = AsyncTestClient[Litestar]
URL = "/v1/runs/@last/file?path=a.bin"
CONTENT = bytes(range(256))
PARTS = (
    ("bytes=0-0", 0, 1),
    ("bytes=10-19", 10, 10),
    ("bytes=250-", 250, 6),
    ("bytes=-6", 250, 6),
    ("bytes=-1000", 0, 256),
    ("bytes=255-99999999999999999999999", 255, 1),
    ("bytes=000000000000000000000000-1", 0, 2),
    ("BYTES = 1 - 2", 1, 2),
)
BEYOND = (
    *("bytes=256-", "bytes=-0", "bytes=999999999999999999999-"),
    "bytes=" + "9" * 5000 + "-" + "9" * 5000,
)
INVALID = (
    *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=0-1,5-6", "lines=0-1"),
    *("bytes=0x0-1", "bytes=1-2-3", "bytes=--1", "bytes=1.5-2", "bytes=+1-2", "0-1"),
    "bytes=" + ",".join(["0-"] * 1000),
)


@pytest.fixture
async def file(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a workspace; changes of it are settled at once."""
    monkeypatch.setattr(open_file, "SETTLED_S", -1.0)
    run = await played(engine, "say hello")
    assert run.workspace
    path = Path(run.workspace.path) / "a.bin"
    path.write_bytes(CONTENT)
    return path


async def test_parts_are_sent(client: Client, file: Path) -> None:
    for header, start, count in PARTS:
        answer = await client.get(URL, headers={"Range": header})
        assert answer.status_code == 206, header
        assert answer.content == CONTENT[start : start + count]
        assert answer.headers["content-range"] == f"bytes {start}-{start + count - 1}/256"
        assert answer.headers["content-length"] == str(count)


async def test_parts_beyond_the_end_are_refused(client: Client, file: Path) -> None:
    for header in BEYOND:
        answer = await client.get(URL, headers={"Range": header})
        assert answer.status_code == 416, header
        assert answer.headers["content-range"] == "bytes */256"
        assert answer.json()["code"] == "INPUT_INVALID"


async def test_invalid_ranges_are_ignored(client: Client, file: Path) -> None:
    for header in INVALID:
        answer = await client.get(URL, headers={"Range": header})
        assert (answer.status_code, answer.content) == (200, CONTENT), header


def test_parts_of_an_empty_file() -> None:
    assert requested_part("bytes=-5", 0) is None
    with pytest.raises(UnsatisfiableRange):
        requested_part("bytes=0-", 0)
    assert requested_part("bytes=\u0661-\u0662", 9) is None, "digits are ASCII"


async def test_download_continues_where_the_file_is_the_same(client: Client, file: Path) -> None:
    first = await client.get(URL, headers={"Range": "bytes=0-99"})
    tag = first.headers["etag"]
    rest = {"Range": "bytes=100-", "If-Range": tag}
    answer = await client.get(URL, headers=rest)
    assert (answer.status_code, first.content + answer.content) == (206, CONTENT)
    assert (await client.get(URL, headers={"If-None-Match": f'"x", W/{tag}'})).status_code == 304
    file.write_bytes(CONTENT[::-1])
    answer = await client.get(URL, headers=rest)
    assert (answer.status_code, answer.content) == (200, CONTENT[::-1])
    assert answer.headers["etag"] != tag
    dated = {"Range": "bytes=1-", "If-Range": "Mon, 30 Nov 2026 06:00:00 GMT"}
    assert (await client.get(URL, headers=dated)).status_code == 200


async def test_tag_of_a_fresh_file_continues_no_download(
    client: Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_file, "SETTLED_S", 1e9)
    tag = (await client.get(URL)).headers["etag"]
    assert tag.startswith("W/")
    answer = await client.get(URL, headers={"Range": "bytes=1-", "If-Range": tag})
    assert answer.status_code == 200


async def test_log_that_grows_is_sent_as_it_was(client: Client, file: Path) -> None:
    opened = OpenFile(os.open(file, os.O_RDONLY), "a.bin")
    with file.open("ab") as more:
        more.write(b"more")
    assert b"".join([one async for one in pieces(opened)]) == CONTENT
    opened.close()


@pytest.mark.parametrize("change", ["shortened", "rewritten"])
async def test_file_that_is_rewritten_ends_its_download(
    file: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(downloads, "PIECE_BYTES", 16)
    opened = OpenFile(os.open(file, os.O_RDONLY), "a.bin")
    sent = pieces(opened)
    assert await anext(sent) == CONTENT[:16]
    if change == "shortened":
        os.truncate(file, 20)
    else:
        file.write_bytes(CONTENT[::-1])
        os.utime(file, ns=(1, 1))
    with pytest.raises(FileRewritten):
        [one async for one in sent]
    opened.close()


def pieces(file: OpenFile) -> AsyncIterator[bytes]:
    return downloads.pieces(file, BytePart(0, file.size_bytes))


async def test_large_file_is_sent_in_small_pieces(client: Client, file: Path) -> None:
    size = 5 * 1024**3
    os.truncate(file, size)
    answer = await client.get(URL, headers={"Range": f"bytes={size - 10}-"})
    assert (answer.status_code, answer.content) == (206, bytes(10))
    assert (await client.head(URL)).headers["content-length"] == str(size)


async def test_file_is_closed_when_the_client_leaves(
    client: Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.truncate(file, 4 * 1024**2)
    closed: list[OpenFile] = []
    close = OpenFile.close

    def recorded(opened: OpenFile) -> None:
        closed.append(opened)
        close(opened)

    monkeypatch.setattr(OpenFile, "close", recorded)
    async with client.stream("GET", URL) as answer:
        assert answer.status_code == 200
    for header in ("bytes=0-1", "bytes=99999999999-", "x"):
        await client.get(URL, headers={"Range": header})
    await client.head(URL)
    await becomes(lambda: len(set(map(id, closed))) == 5)
