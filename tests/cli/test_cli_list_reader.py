"""A list of runs is read from the database alone, and is the same as one from an engine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.events import StatusChanged
from engine.domain.model import RunSpec, Status
from engine.run_reader import finish, open_reader
from engine.store import direct
from engine.store.appending import AppendRequest
from engine.store.store import open_store
from tui.cli.main import run


@pytest.fixture
async def home(paths: Paths) -> Paths:
    """A home with runs that wait and one that failed, and a pause of its queue."""
    paths.prepare()
    async with open_store(paths.database) as store:
        for number in range(4):
            await store.create(RunSpec("Work.", f"Task {number}", f"project-{number % 2}"), ())
        newest = (await store.runs(limit=1))[0]
        failed = StatusChanged(Status.FAILED, reason="exit code 1", exit_code=1)
        await store.append([AppendRequest(newest.id, (failed,))])
        await store.change_setting("pause", lambda _: '{"reason": "lunch"}')
    return paths


def opens(paths: Paths) -> bool:
    """Return whether a home is read without an engine."""
    with open_reader(paths) as reader:
        return reader is not None


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-q"],
        ["-n", "2"],
        ["--status", "failed"],
        ["--sort", "title"],
        ["--column", "cost", "--column", "node"],
        ["project:project-1"],
        ["--batch", "nobody"],
    ],
)
def test_a_list_is_the_same_without_an_engine(
    home: Paths,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert opens(home)
    codes = [run(["ls", *words])]
    read = capsys.readouterr()
    monkeypatch.setattr(direct, "MIGRATIONS", ())  # as if it were of another version
    assert not opens(home)
    codes.append(run(["ls", *words]))
    assert capsys.readouterr() == read
    assert codes in ([0, 0], [3, 3])


def replaced(paths: Paths) -> None:
    """Put another database in the place of the home's own."""
    for file in paths.home.glob("swarm.db*"):
        file.unlink()
    with closing(sqlite3.connect(paths.database)) as db:
        db.execute("CREATE TABLE runs (id)")


def emptied(paths: Paths) -> None:
    """Empty the database."""
    for file in paths.home.glob("swarm.db*"):
        file.unlink()
    paths.database.touch()


def damaged(paths: Paths) -> None:
    """Overwrite the database."""
    paths.database.write_bytes(b"no database" * 1000)


def waiting(paths: Paths) -> None:
    """Put a pipe in the place of the settings."""
    os.mkfifo(paths.config)


def mistaken(paths: Paths) -> None:
    """Write settings with a mistake."""
    paths.config.write_text("slots: [")


def reserving(paths: Paths) -> None:
    """Write settings that hold runs back, as `load_usable` keeps them."""
    text = "queue: {pace: even}"
    paths.config.write_text(text)
    paths.valid_config.write_text(text)


def forgetting(paths: Paths) -> None:
    """Leave files of a run that was about to be forgotten."""
    paths.forgotten.mkdir()


@pytest.mark.parametrize(
    "change", [replaced, emptied, damaged, waiting, mistaken, reserving, forgetting]
)
def test_a_home_that_is_not_in_order_is_left_to_an_engine(
    home: Paths, change: Callable[[Paths], None]
) -> None:
    change(home)
    assert not opens(home)
    home.database.unlink()


def test_a_home_that_is_missing_is_not_made(paths: Paths) -> None:
    assert not opens(paths)
    assert not paths.home.exists()


def test_settings_that_hold_nothing_back_need_no_engine(home: Paths) -> None:
    home.config.write_text("slots: 3")
    assert not opens(home)  # an engine keeps them first
    assert run(["ls"]) == 0
    assert opens(home)


def test_a_reader_writes_nothing(home: Paths) -> None:
    def content() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in home.home.iterdir() if file.is_file()}

    before = content()
    assert run(["ls", "-q"]) == 0
    assert content() == before
    with direct.open_direct(home.database) as store, pytest.raises(UserError, match="readonly"):
        assert store
        finish(store._read("DELETE FROM runs"))  # pyright: ignore[reportPrivateUsage]


def test_a_list_without_the_database_names_what_is_missing(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    home.database.unlink()
    assert run(["ls"]) == 3
    assert "DATABASE_MISSING" in capsys.readouterr().err
