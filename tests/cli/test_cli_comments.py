"""Comments on the changes of a run: written, kept, edited, removed and sent as one message."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from support import quick
from typed import Swarm

from engine.config.paths import Paths
from engine.domain.comments import message_text, open_comments
from engine.engine import Engine
from tui.cli import json as shapes
from tui.cli.main import run

SCRIPT = r"sim: write a.py one\ntwo\nthree\n"


@pytest.fixture
def run_id(simulated: Swarm) -> str:
    """The id of a run that wrote `a.py`, three lines long."""
    return simulated(SCRIPT, "--json").events[0]["run"]


def workspace(swarm: Swarm, run: str) -> Path:
    return Path(swarm("show", run, "--json").json["workspace"]["path"])


def test_comments_are_sent_as_one_message(swarm: Swarm, run_id: str) -> None:
    done = swarm("comment", run_id, "a.py:2-3", "Why both?\x1b[1m", "--json")
    msgspec.convert(done.json, shapes.CommentJson)
    assert (done.json["n"], done.json["quoted"], done.json["text"]) == (
        1,
        "two\nthree",
        "Why both?",
    )
    assert done.json["checkpoint"] is not None
    assert swarm("comment", run_id, "a.py:1", "-", stdin=b"Rename it.\n").out == (
        f"{run_id} comment 2 on a.py, line 1\n"
    )
    swarm("comments", run_id, "2", "--edit", "Rename this.")
    shown = swarm("comments", run_id)
    assert shown.out == (
        "2  a.py, line 1\n   > one\n   Rename this.\n"
        "1  a.py, lines 2–3\n   > two\n   > three\n   Why both?\n"
    )
    assert "comments    2 to send" in swarm("show", run_id).out
    sent = swarm("resume", run_id, "Please:", "--comments", "--json")
    assert sent.code == 0
    (said,) = [one["text"] for one in sent.events if one["type"] == "message" and one["text"]]
    assert said == (
        "Please:\n\n1. a.py, line 1:\n\n> one\n\nRename this."
        "\n\n2. a.py, lines 2–3:\n\n> two\n> three\n\nWhy both?"
    )
    told = swarm("comments", run_id, "--json").json
    msgspec.convert(told, list[shapes.LocatedCommentJson])
    assert [one["phase"] for one in told] == ["sent", "sent"]
    again = swarm("resume", run_id, "--comments")
    assert (again.code, "has no comments to send" in again.err) == (3, True)


def test_lines_that_moved_or_are_gone_are_reported(inside: Swarm, run_id: str) -> None:
    for line in ("1", "2", "3"):
        assert inside("comment", run_id, f"a.py:{line}", "text").code == 0
    (workspace(inside, run_id) / "a.py").write_text("new\none\n2\nthree\n")
    lines = {one["n"]: one["line"] for one in inside("comments", run_id, "--json").json}
    assert lines == {1: 2, 2: None, 3: 4}
    (workspace(inside, run_id) / "a.py").unlink()
    assert inside("comments", run_id).out.count("the lines have changed since") == 3
    assert inside("cleanup", run_id, "--force", "--including-unsaved").code == 0
    assert len(inside("comments", run_id, "--json").json) == 3
    refused = inside("comment", run_id, "a.py:1", "text")
    assert (refused.code, "WORKSPACE_MISSING" in refused.err) == (3, True)


NAMES = [
    "a:1.py",
    "a b\n.py",
    "-x",
    "\udcff.py",
    "\u202ex",
    "a\\xff",
    "dir/a:3-4",
    "ü",
    "a\x1b[31m",
]


def test_files_with_any_name_are_commented(inside: Swarm, run_id: str) -> None:
    for n, name in enumerate(NAMES, start=1):
        path = workspace(inside, run_id) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("line\n")
        done = inside("comment", "--json", "--", run_id, f"{name}:1", "text")
        assert (done.code, done.err, done.json["n"]) == (0, "", n)
        assert done.json["path"].isprintable()
    shown = inside("comments", run_id, "--json").json
    assert [one["line"] for one in shown] == [1] * len(NAMES)
    assert len({one["path"] for one in shown}) == len(NAMES)
    odd = next(one["path"] for one in shown if one["path"].startswith("\\xff"))
    assert inside("comment", run_id, f"{odd}:1", "as it is printed").code == 0


def test_lines_that_are_not_there_are_refused(inside: Swarm, run_id: str) -> None:
    (workspace(inside, run_id) / "bin").write_bytes(b"a\0b")
    for place in ("a.py:9", "a.py:0", "a.py:3-2", "a.py:1-9", "b.py:1", "bin:1"):
        done = inside("comment", run_id, place, "text")
        assert (done.code, "INPUT_INVALID" in done.err) == (3, True)
    assert inside("comments", run_id).out == "no comments\n"


@pytest.mark.parametrize("place", ["a.py", "a.py:", ":3", "a.py:x", "a.py:1-", "a.py:-1", "a.py:٣"])
def test_a_place_without_lines_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assert run(["comment", "nobody", place, "text"]) == 2
    assert "Name the lines" in capsys.readouterr().err


def test_a_link_out_of_the_workspace_is_not_read(
    inside: Swarm, run_id: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    os.symlink(tmp_path / "secret", workspace(inside, run_id) / "link")
    done = inside("comment", run_id, "link:1", "text")
    assert done.code == 3
    assert "secret" not in inside("comments", run_id, "--json").out


def test_lines_before_the_changes_are_commented(swarm: Swarm, inside: Swarm, here: Path) -> None:
    (here / "old.txt").write_text("first\nsecond\n")
    script = "sim: write old.txt new\nsim: delete gone.txt"
    (here / "gone.txt").write_text("was here\n")
    made = swarm("run", "--copy", ".", "--agent", "simulated", "--json", script).events[0]["run"]
    done = inside("comment", made, "old.txt:2", "Keep it.", "--old", "--json")
    assert done.json["quoted"] == "second"
    assert "--old comments on" in inside("comment", made, "gone.txt:1", "x").err
    assert inside("comment", made, "gone.txt:1", "Why?", "--old").code == 0
    shown = inside("comments", made).out
    assert "old.txt, line 2 before the changes" in shown
    assert "changed since" not in shown


def test_comments_are_removed_all_or_none(inside: Swarm, run_id: str) -> None:
    for line in "123":
        inside("comment", run_id, f"a.py:{line}", "text")
    assert inside("comments", run_id, "--remove", "1", "7").code == 3
    left = inside("comments", run_id, "--remove", "1", "3", "--json").json
    assert [one["n"] for one in left] == [2]
    assert inside("comments", run_id, "--remove").code == 2
    assert inside("comments", run_id, "1", "2", "--edit", "x").code == 2


def test_every_comment_is_sent_once_by_two_processes(
    inside: Swarm, paths: Paths, run_id: str
) -> None:
    for line in "123":
        inside("comment", run_id, f"a.py:{line}", f"text {line}")

    def send(_: int) -> str:
        async def once() -> str:
            async with Engine.open(paths, quick(), follow=False) as engine:
                text = message_text(open_comments(await engine.find(run_id)))
                await engine.comments.send(run_id)
                return text

        try:
            return asyncio.run(once())
        except Exception as error:
            return type(error).__name__

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(send, range(2)))
    assert sorted(len(one) > 20 for one in done) == [False, True]
    shown = inside("show", run_id, "--json").json
    assert [one["phase"] for one in shown["comments"]] == ["sent"] * 3
    assert shown["attempt"] == 2
