"""Comments in the review, by keys, with a real engine and a real workspace."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fake_engine import toasts
from review_run import FIVE, Review, reviewing
from support import HOSTILE, quick
from textual.widgets._toast import Toast

from engine.config.paths import Paths
from engine.domain.comment_text import UnsavedComment
from engine.domain.errors import user_error
from engine.domain.model import Stage, Status
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.engine import Comparison, Engine
from engine.workspaces.service import Workspaces
from tui.app import SwarmApp
from tui.screens.changes import ChangesScreen
from tui.screens.comment_list import CommentList
from tui.screens.confirm import ConfirmDialog
from tui.screens.runs import RunsScreen
from tui.screens.write import WriteDialog
from tui.widgets.lists.comment_rows import CommentRows
from tui.widgets.status.toast import report, tell

WRITTEN = f"write a.py {FIVE}"
AGAIN = ("attempt 1", WRITTEN, "end", "attempt 2", r"write a.py one\ntwo\n3\nfour\nfive\n")


async def other(paths: Paths, act: str, *words: object) -> None:
    """Change the comments of a run as another process does."""
    async with Engine.open(paths, quick(), follow=False) as engine:
        await getattr(engine.comments, act)(*words)


async def printed(run: str) -> list[str]:
    """The comments as the command line prints them."""
    program = Path(__file__).resolve().parents[2] / "swarm_tui.py"
    words = [sys.executable, str(program), "comments", run, "--json"]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return [
        f"{'sent' if one['phase'] == 'sent' else 'open'} {one['text']}" for one in json.loads(out)
    ]


async def written(review: Review, *keys: str) -> WriteDialog:
    """Press keys that open the dialog of a comment."""
    await review.press(*keys)
    await review.until(lambda: isinstance(review.app.screen, WriteDialog))
    assert isinstance(review.app.screen, WriteDialog)
    return review.app.screen


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=["wide", "narrow"])
async def test_two_comments_are_written_and_sent_with_six_keys(
    paths: Paths, size: tuple[int, int]
) -> None:
    async with reviewing(paths, *AGAIN, size=size) as review:
        await review.comment("Rename it.")
        await review.press("j")
        await review.comment("And this.")
        assert "✎2 to send" in str(review.screen.files.border_title)
        await review.press("R")
        await review.until(lambda: " 2 comments sent" in toasts(review.app))
        assert review.keys == 6
        found = [(one.path, one.first, one.text, one.is_open) for one in review.comments]
        assert found == [("a.py", 1, "Rename it.", False), ("a.py", 2, "And this.", False)]
        await review.ended(attempt=2)
        if size[0] < 100:
            return
        await next_review_is_against_the_reviewed_version(review)


async def next_review_is_against_the_reviewed_version(review: Review) -> None:
    """Check what is shown after the run has changed its files again."""
    await review.open()
    assert "Changes since the version that you commented on" in review.text
    assert [line for line in review.lines if "three" in line or "+ 3" in line]
    assert "sent · Rename it." in review.text
    await review.press("equals_sign")
    await review.until(lambda: "0  all changes" in review.text)
    await review.press("home", "enter")
    await review.until(lambda: not review.screen.since)
    await review.idle()
    assert "Changes since the version" not in review.text
    assert "    1 + one" in review.text


async def test_lost_checkpoint_of_the_reviewed_version_shows_all_changes(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = Workspaces.compare

    async def without_later_ones(self: Workspaces, run: str, since: int = 0) -> Comparison:
        if since:
            raise user_error("INPUT_INVALID", f"The run has no checkpoint {since}.")
        return await compare(self, run)

    monkeypatch.setattr(Workspaces, "compare", without_later_ones)
    async with reviewing(paths, *AGAIN) as review:
        await review.comment("Rename it.")
        await review.press("R")
        await review.ended(attempt=2)
        await review.open()
        assert review.screen.since == 0
        assert "    1 + one" in review.text


async def test_comments_are_marked_edited_and_kept_as_drafts(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN, "write b.py x") as review:
        await review.comment("First.")
        assert "✎1" in review.text
        await written(review, "c")
        assert "First." in review.text
        assert "> one" in review.text
        await review.type(" More.")
        await review.press("escape")
        assert toasts(review.app)[-1].endswith("is kept.")
        assert "1 draft" in str(review.screen.files.border_title)
        assert review.comments[0].text == "First."
        await written(review, "c")
        assert "First. More." in review.text
        await review.press("ctrl+s")
        await review.until(lambda: review.comments[0].text == "First. More.")
        await review.idle()
        assert "✎ First. More." in review.text


async def test_list_edits_deletes_and_leads_to_comments_and_drafts(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN, "write b.py x") as review:
        await review.comment("First.")
        await written(review, "j", "c")
        await review.type("typed for two")
        await review.press("escape", "C")
        await review.until(lambda: isinstance(review.app.screen, CommentList))
        await review.until(lambda: "typed for two" in review.text)
        assert "2 comments · 1 open" in review.text
        assert await printed(review.run_id) == ["open First."]
        await review.press("j", "e")
        await review.until(lambda: isinstance(review.app.screen, WriteDialog))
        await review.press("ctrl+s")
        await review.until(lambda: len(review.comments) == 2)
        await review.until(lambda: "2 open" in review.text)
        await review.press("k", "d")
        await review.until(lambda: isinstance(review.app.screen, ConfirmDialog))
        await review.press("d")
        await review.until(lambda: [one.n for one in review.comments] == [2])
        await review.until(lambda: "1 comment · 1 open" in review.text)
        await review.press("enter")
        await review.until(lambda: isinstance(review.app.screen, ChangesScreen))
        await review.idle()
        assert "▌    2 + two" in review.text


async def test_range_and_removed_lines_are_commented(paths: Paths) -> None:
    script = ("attempt 1", WRITTEN, "end", "attempt 2", r"write a.py one\nfive\nsix\n", "end")
    async with reviewing(paths, *script) as review:
        await review.press("tab", "j", "v", "j", "j")
        marks = "".join(line[:1] for line in review.lines[:4])
        assert marks == "@┃┃▌".replace("@", review.lines[0][:1])
        await review.comment("All three.")
        assert (review.comments[0].first, review.comments[0].last) == (1, 3)
        assert review.comments[0].quoted == "one\ntwo\nthree"
        await review.press("v", "escape")
        assert review.screen.code.marks.anchor is None
        await review.press("R")
        await review.ended(attempt=2)
        await review.open()
        row = next(n for n, line in enumerate(review.lines) if "- four" in line)
        review.screen.code.move_cursor(row)
        await review.comment("Keep it.")
        old = review.comments[-1]
        assert (old.is_old, old.quoted, old.since, old.first) == (True, "four", 1, 4)
        assert "before the last changes" in old.place
        assert any("✎ Keep it." in line for line in review.lines)
        assert [one.line for one in await review.engine.comments.list(review.run_id)] == [None, 4]


async def test_lines_that_moved_are_found_and_lost_ones_keep_the_text(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN) as review:
        (review.workspace / "a.py").write_text("new\none\ntwo\nthree\n")
        await review.comment("It moved.")
        assert (review.comments[0].first, review.comments[0].quoted) == (2, "one")
        (review.workspace / "a.py").write_text("other\n")
        await written(review, "j", "j", "c")
        await review.type("not lost")
        await review.press("ctrl+s")
        await review.until(lambda: "no longer there" in review.text)
        assert "not lost" in review.text
        await review.press("escape", "C")
        await review.until(lambda: "draft" in review.text)
        await review.until(lambda: "not lost" in review.text)


async def test_files_without_lines_are_refused_with_a_message(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN) as review:
        (review.workspace / "a.py").unlink()
        (review.workspace / "blob").write_bytes(b"a\0b")
        (review.workspace / "empty").touch()
        os.symlink("/etc/passwd", review.workspace / "link")
        (review.workspace / "\udcff\n.py").write_text("x\n")
        await review.press("f5")
        await review.until(lambda: len(review.screen.files.files) == 4)
        refused: list[str] = []
        for file in review.screen.files.files:
            await review.screen.show_file(file)
            review.screen.files.show(review.screen.files.files, file.path)
            await review.press("c")
            if not review.is_writing:
                assert "no line to comment on" in toasts(review.app)[-1]
                refused.append(file.path)
                continue
            await review.type("text")
            await review.press("ctrl+s")
            await review.idle()
            if review.is_writing:
                await review.press("escape")
                refused.append(file.path)
        assert refused == ["blob", "empty", "link"]
        assert [one.file for one in review.comments] == ["\udcff\n.py"]
        assert "✎1" in review.text


async def test_changes_of_another_process_are_shown_and_never_overwritten(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN) as review:
        run = review.run_id
        await other(paths, "add", run, "a.py", 2, 2, "From the command line.")
        await review.until(lambda: "From the command line." in review.text)
        await written(review, "tab", "j", "j", "c")
        await review.type(" And mine.")
        await other(paths, "edit", run, 1, "Changed elsewhere.")
        await review.press("ctrl+s")
        await review.until(lambda: "The comment 1 was changed: Changed elsewhere." in review.text)
        await review.press("ctrl+s")
        await review.until(lambda: review.comments[0].text.endswith("And mine."))
        await review.idle()
        await written(review, "c")
        await review.type(" Again.")
        await other(paths, "remove", run, [1])
        await review.press("ctrl+s")
        await review.until(lambda: "was removed meanwhile" in review.text)
        await review.press("ctrl+s")
        await review.until(lambda: [one.n for one in review.comments] == [2])
        assert review.comments[0].text.endswith("And mine. Again.")


async def test_comments_wait_for_the_end_of_a_run_that_reads_no_messages(paths: Paths) -> None:
    script = ("attempt 1", WRITTEN, "end", "attempt 2", "hang", "end", "attempt 3", "say done")
    async with reviewing(paths, *script) as review:
        await review.comment("Later.")
        await review.engine.resume(review.run_id, "go on")
        # An agent that is ended before it reads its script has not begun the attempt.
        is_begun = (Status.RUNNING, Stage.EXECUTING)
        await review.until(lambda: (review.run.status, review.run.stage) == is_begun)
        await review.press("R")
        assert "R sends them when it has ended" in toasts(review.app)[-1]
        assert review.comments[0].is_open
        await review.engine.cancel(review.run_id)
        await review.ended(attempt=2)
        await review.press("R")
        await review.until(lambda: " 1 comment sent" in toasts(review.app))
        await review.ended(attempt=3)
        await review.press("R")
        await review.until(lambda: isinstance(review.app.screen, WriteDialog))
        assert "open comment" not in review.app.screen.query_one("#hint").content  # pyright: ignore


async def test_comments_are_sent_to_an_interactive_agent_at_work(paths: Paths) -> None:
    script = ("attempt 1", WRITTEN, "end", "attempt 2", "until message", "say on")
    async with reviewing(paths, *script, interactive=True) as review:
        await review.comment("Now.")
        await review.engine.resume(review.run_id, "sim: until message\nsim: say on")
        await review.until(lambda: review.run.status is Status.RUNNING)
        await review.press("R")
        await review.until(lambda: " 1 comment sent" in toasts(review.app))
        await review.ended(attempt=2)
        events = await review.engine.events(review.run_id, kinds=("message",))
        assert sum("> one" in str(event.body) for event in events) >= 1


@pytest.mark.parametrize("is_chosen", [True, False])
async def test_resume_dialog_of_the_list_sends_comments_along(
    paths: Paths, is_chosen: bool
) -> None:
    async with reviewing(paths, WRITTEN) as review:
        await review.comment("With it.")
        await review.press("escape", "escape")
        await review.until(lambda: isinstance(review.app.screen, RunsScreen))
        await written(review, "R")
        assert "1 open comment is sent, too" in review.text
        await review.type("sim: say ok")
        if not is_chosen:
            await review.press("tab", "space", "shift+tab")
        await review.press("ctrl+s")
        await review.ended(attempt=2)
        assert review.comments[0].is_open is not is_chosen


async def test_a_hundred_comments_of_any_text_are_shown_as_text(paths: Paths) -> None:
    texts = [
        *(text[:3000] for text in HOSTILE if text.strip("\x1b[\x00\x07\x08\x7f")),
        "漢字" * 400,
    ]
    async with reviewing(paths, WRITTEN) as review:
        for n in range(100):
            text = f"{n} {texts[n % len(texts)]}"
            await review.engine.comments.add(review.run_id, "a.py", 1 + n % 5, 1 + n % 5, text)
        await review.until(lambda: len(review.comments) == 100)
        await review.idle()
        await review.press("tab")
        for _ in range(5):
            assert not any(char in review.text for char in "\x1b\x07\u202e\x9b")
            await review.press("pagedown")
        assert review.screen.code.cursor_line
        await review.press("C")
        await review.until(lambda: "100 comments · 100 open" in review.text)
        rows = review.app.screen.query_one(CommentRows)
        for _ in range(99):
            rows.action_cursor_down()
        assert rows.place == 99
        await review.press("escape")
        await written(review, "g", "j", "v", "c")
        await review.type("one too many")
        await review.press("ctrl+s")
        await review.until(lambda: "100 comments that were not sent" in review.text)
        assert "one too many" in review.text


async def test_comments_survive_a_restart(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN) as review:
        await review.comment("Still here.")
    async with Engine.open(paths, quick()) as engine:
        found = await engine.comments.list(review.run_id)
        assert [(one.comment.text, one.line) for one in found] == [("Still here.", 1)]
        assert found[0].comment == ReviewComment(
            1,
            CommentPhase.ADDED,
            "Still here.",
            "a.py",
            "",
            1,
            1,
            quoted="one",
            checkpoint=found[0].comment.checkpoint,
            fingerprint=found[0].comment.fingerprint,
        )


async def drafts_of(paths: Paths, run: str) -> list[str]:
    """The stored drafts, as another process reads them."""
    async with Engine.open(paths, quick(), follow=False) as engine:
        return [one.text for one in await engine.comments.drafts(run)]


async def test_draft_is_stored_while_it_is_typed_and_continued_after_a_restart(
    paths: Paths,
) -> None:
    async with reviewing(paths, WRITTEN) as review:
        await written(review, "tab", "j", "c")
        await review.type("half")
        service = review.engine.comments
        async with asyncio.timeout(60):
            while [one.text for one in await service.drafts(review.run_id)] != ["half"]:
                await review.pilot.pause(0.05)
        assert await drafts_of(paths, review.run_id) == ["half"]  # were it killed now
        await review.type("-typed")  # and the dashboard is quit at once
    assert await drafts_of(paths, review.run_id) == ["half-typed"]
    async with Engine.open(paths, quick()) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            again = Review(engine, review.run_id, pilot)
            await again.until(lambda: engine.view.runs[review.run_id].finished_at)
            await again.open()
            assert "1 draft" in str(again.screen.files.border_title)
            await written(again, "tab", "j", "c")
            assert "half-typed" in again.text
            await again.press("ctrl+s")
            await again.until(lambda: [one.text for one in again.comments] == ["half-typed"])
            await again.idle()
            assert "draft" not in str(again.screen.files.border_title)
        assert await engine.comments.drafts(review.run_id) == []


async def test_emptied_draft_and_forgotten_run_leave_none_behind(paths: Paths) -> None:
    async with reviewing(paths, WRITTEN) as review:
        await written(review, "c")
        await review.type("x")
        await review.press("escape")
        await written(review, "c")
        await review.press("backspace", "escape")
        await review.idle()
        assert await review.engine.comments.drafts(review.run_id) == []
        unsaved = UnsavedComment("7", ReviewComment(7, CommentPhase.ADDED), "\udcff left\x1b")
        await review.engine.comments.keep_draft(review.run_id, unsaved)
        await review.engine.forgetting.forget([review.run_id], including_unsaved=True)
        await review.engine.comments.keep_draft(review.run_id, unsaved)
    with closing(sqlite3.connect(paths.database)) as db:
        assert db.execute("SELECT count(*) FROM comment_drafts").fetchone() == (0,)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["wide", "narrow"])
async def test_toast_covers_no_line_of_the_diff(paths: Paths, size: tuple[int, int]) -> None:
    lines = r"\n".join(f"line {n}" for n in range(60))
    async with reviewing(paths, f"write a.py {lines}", size=size, with_toasts=True) as review:
        await review.press("enter")
        tell(review.app, "Applied 2 files to /home/me/project: u undoes it.")
        await review.until(lambda: review.app.screen.query(Toast))
        await review.until(lambda: "u undoes it." in review.text)
        read = review.screen.code.content_region
        assert not [one for one in review.app.screen.query(Toast) if one.region.overlaps(read)]
        review.app.clear_notifications()
        report(review.app, user_error("INPUT_INVALID", "That is not a line.", "Use another one."))
        words = "INPUT_INVALID: That is not a line. Use another one."
        await review.until(lambda: words in review.text)
        assert review.app.toasts.records[0].text.startswith("INPUT_INVALID: That is not a line.\n")
