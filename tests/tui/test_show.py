from __future__ import annotations

import time

import pytest
from rich.cells import cell_len

from engine.domain.annotation import Annotation
from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.events import (
    ApplyUndone,
    ArtifactSaved,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    ErrorRaised,
    Event,
    FileChange,
    FilesChanged,
    LimitsSeen,
    Notice,
    PlanChanged,
    Progressed,
    Raw,
    RunForgotten,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.file_marks import FilesReviewed, ReviewedFile
from engine.domain.hosts import HostChosen
from engine.domain.model import (
    Agent,
    ChangeCount,
    ErrorInfo,
    LimitWindow,
    PlanItem,
    Run,
    RunSpec,
    Stage,
    Status,
)
from engine.domain.push import BranchPushed
from engine.domain.review_comment import CommentPhase, ReviewComment
from tui import formatting
from tui.terminal import cells

HOSTILE = "[/red] \x1b[31mred\x1b]52;c;aGk=\x07 \u202egnp.exe\u2066 \x00\x9b2J \tend\r\n[bold]more"


@pytest.fixture(autouse=True)
def _unicode(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
    formatting.unicode_ok.cache_clear()
    yield
    formatting.unicode_ok.cache_clear()


def line(body: Body) -> formatting.EventLine:
    return formatting.event_line(Event("r", 1, 0.0, 1, body))


def run(**changes: object) -> Run:
    spec = RunSpec(prompt="p", title="Fix it", project="shop")
    return Run(id="abc", spec=spec, created_at=0.0, **changes)  # pyright: ignore  options of the test by name


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12.3k"), (999_960, "1.0M"), (2**40, "1.1T")],
)
def test_tokens(number: int, text: str) -> None:
    assert formatting.tokens(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**20 - 1, "1.0 MiB"),
        (5 * 2**40, "5.0 TiB"),
    ],
)
def test_size(number: int, text: str) -> None:
    assert formatting.size(number) == text


def test_times() -> None:
    spans = (-5, 59, 60, 3600, 86_400, 14 * 86_400)
    assert [formatting.age(span) for span in spans] == ["0s", "59s", "1m", "1h", "1d", "2w"]
    assert formatting.ago(10, 10.5) == "just now"
    assert formatting.ago(10, 310) == "5m ago"


def test_changes() -> None:
    assert formatting.changes(ChangeCount()) == ""
    assert formatting.changes(ChangeCount(3, 120, 8)) == "+120 −8"


def test_bar_is_as_wide_as_asked_at_any_percentage() -> None:
    for percent in (None, -3, 0, 1, 50, 99, 100, 250):
        for width in (0, 1, 2, 10):
            for beat in (0, 7):
                assert len(formatting.bar(percent, width, beat=beat)) == width
    assert formatting.bar(50, 4, unicode=False) == "##--"
    assert formatting.bar(100, 3) == "━━━"
    assert formatting.bar(None, 6, beat=0) != formatting.bar(None, 6, beat=1)


def test_figure_is_honest() -> None:
    running = run(status=Status.RUNNING, stage=Stage.EXECUTING, percent=30)
    assert formatting.figure(running) is None
    running.plan = (PlanItem("a", True),)
    assert formatting.figure(running) == 30


def test_every_status_has_its_own_sign_in_both_alphabets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({formatting.glyph(status) for status in Status}) == len(Status)
    assert all(cell_len(formatting.glyph(status)) == 1 for status in Status)
    assert all(formatting.tone(status) in formatting.TONES for status in Status)
    assert all(formatting.style(status).startswith("$") for status in Status)
    monkeypatch.setenv("LC_ALL", "POSIX")
    formatting.unicode_ok.cache_clear()
    assert len({formatting.glyph(status) for status in Status}) == len(Status)
    assert all(formatting.glyph(status).isascii() for status in Status)
    assert formatting.bar(50, 4) == "##--"


@pytest.mark.parametrize(
    ("environment", "is_ok"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, False),
        ({"LANG": "en_US.UTF-8", "TERM": "dumb"}, False),
    ],
)
def test_unicode_ok(
    environment: dict[str, str], is_ok: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    formatting.unicode_ok.cache_clear()
    assert formatting.unicode_ok() is is_ok


def test_simulated_runs_are_labelled() -> None:
    assert formatting.label(run()) == ""
    simulated = Run("abc", RunSpec("p", "t", "shop", agent=Agent.SIMULATED), 0.0)
    assert formatting.label(simulated) == "simulated"


BODIES: list[Body] = [
    StatusChanged(Status.FAILED, Status.RUNNING, HOSTILE, 1),
    Progressed(Stage.EXECUTING, HOSTILE, 30),
    Step("assistant", "message", "completed", HOSTILE),
    Step("reasoning", "message", "completed", HOSTILE),
    Step("tool", "command", "started", command=HOSTILE),
    Step("tool", "command", "failed", command=HOSTILE, exit_code=2, output=HOSTILE),
    Step("tool", "file_change", "completed", changes=(FileChange(HOSTILE, "added"),)),
    Step("tool", "mcp", "completed", HOSTILE),
    Step("tool", "web_search", "completed", HOSTILE),
    Step("tool", "other", "completed", HOSTILE),
    PlanChanged((PlanItem(HOSTILE, True), PlanItem(HOSTILE, False))),
    FilesChanged(tuple(FileChange(f"{HOSTILE}{n}", "modified") for n in range(9))),
    ChangesMeasured(1, 2, 3),
    UsageCounted(12_345, 1_000, 99),
    LimitsSeen((LimitWindow(HOSTILE, 3),)),
    Notice("warning", HOSTILE),
    Notice("info", HOSTILE),
    CheckpointTaken(1, HOSTILE, "ref"),
    ArtifactSaved(HOSTILE, 4),
    ReviewComment(1, CommentPhase.ADDED, HOSTILE, HOSTILE, "", 1, 2, quoted=HOSTILE),
    ReviewComment(1, CommentPhase.EDITED, HOSTILE),
    BranchPushed(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE),
    ApplyUndone(HOSTILE, 1),
    FilesReviewed((ReviewedFile(HOSTILE, "1-2"), ReviewedFile("b", ""))),
    RunForgotten(),
    WorkspaceUpdated(UpdatePhase.UPDATED, HOSTILE, HOSTILE, HOSTILE, 1, conflicts=(HOSTILE,)),
    HostChosen(HOSTILE, HOSTILE),
    Annotation((HOSTILE,), HOSTILE, True, False),
    ErrorRaised(ErrorInfo("RATE_LIMITED", HOSTILE, HOSTILE, "")),
    Raw({"type": HOSTILE}),
    Raw(HOSTILE),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.type)
def test_whatever_an_event_holds_its_lines_are_harmless(body: Body) -> None:
    shown = line(body)
    for text in (shown.text, *shown.extra):
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in text)
        assert not set(text) & set("\u202e\u2066\u200b")
    assert shown.tone in formatting.TONES
    assert cell_len(shown.glyph) == 1
    assert shown.kind
    assert len(shown.kind) <= 8


def test_a_command_says_how_it_ended() -> None:
    step = Step("tool", "command", "failed", command="pytest -q", exit_code=1, output="a\nb\n\n")
    shown = line(step)
    assert (shown.text, shown.tone, shown.extra) == ("exit 1 · pytest -q", "bad", ("a", "b"))
    assert line(Step("tool", "command", "completed", command="ls", exit_code=0)).tone == "good"


def test_long_output_keeps_its_end_and_a_line_of_a_megabyte_is_cut() -> None:
    output = "\n".join(str(number) for number in range(10_000))
    extra = line(Step("tool", "command", "completed", command="x", output=output)).extra
    assert extra[-1] == "9999"
    assert len(extra) == 401
    assert extra[0] == "… 9600 lines before"
    long = line(Step("tool", "command", "completed", command="x", output="y" * 1_000_000))
    assert [len(text) for text in long.extra] == [2001]


def test_an_error_says_the_way_out() -> None:
    shown = line(ErrorRaised(ErrorInfo("DISK_FULL", "The disk is full.", "Free some space.", "")))
    assert shown.text == "The disk is full. (DISK_FULL)"
    assert shown.extra == ("Free some space.",)


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "世界世界",
        "e\u0301" * 9,
        "👨\u200d👩\u200d👧 family",
        "👍🏽👍🏽",
        "❤️ x",
        "a" + "\u0301" * 500,
    ],
)
def test_fit_is_exact_for_any_alphabet(text: str) -> None:
    for width in range(12):
        assert cell_len(cells.fit(cells.clean(text), width)) == width
    assert "\u200d" not in cells.clean(text)
    assert len(cells.clean(text)) <= len(text)


def test_wrapped_lines_fit_and_lose_nothing_but_spaces() -> None:
    text = "the quick 世界世界世界世界 brown fox_jumps_over_the_lazy_dog 🎉🎉🎉🎉🎉🎉🎉 end"
    for width in (2, 5, 8, 20, 200):
        wrapped = list(cells.wrap(text, width))
        assert all(cell_len(part) <= width for part in wrapped)
        assert "".join(wrapped).replace(" ", "") == text.replace(" ", "")


def test_a_command_is_shown_unwrapped_and_its_detail_is_the_whole() -> None:
    wrapped = "/bin/bash -lc 'ls -l'"
    shown = line(Step("tool", "command", "started", "ls -l", command=wrapped))
    assert (shown.text, shown.detail) == ("ls -l", (wrapped,))
    assert line(Step("tool", "command", "started", "ls", command="ls")).detail == ()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("See **this overview** of the project", "See this overview of the project"),
        ("**all**", "all"),
        ("one **two** and **three**", "one two and three"),
        ("2**3**4 and a ** b ** c", "2**3**4 and a ** b ** c"),
        ("**open", "**open"),
        ("`f(**a, **b)`", "`f(**a, **b)`"),
    ],
)
def test_bold_loses_its_asterisks_and_nothing_else_does(text: str, plain: str) -> None:
    assert line(Step("reasoning", "message", "completed", text)).text == plain
    said = line(Step("assistant", "message", "completed", f"First\n{text}"))
    assert said.extra == (plain,)


def test_limits_name_their_windows_and_when_they_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    now = 1_767_225_600.0  # Thursday, 2026-01-01 00:00
    windows = (
        LimitWindow("primary", 42.4, 300, now + 3_600),
        LimitWindow("secondary", 80, 10_080, now + 2 * 86_400),
        LimitWindow("other", 3, None, now + 20 * 86_400),
        LimitWindow("old", 99, 60, now - 1),
        LimitWindow("vast", 1, 90, 1e300),  # no clock knows that time: the largest number kept
    )
    shown = [
        ("5h 42% ↻ 01:00", "dim"),
        ("week 80% ↻ Sat 00:00", "warn"),
        ("other 3% ↻ 21 Jan", "dim"),
        ("90m 1% ↻ 8 Mar", "dim"),
    ]
    assert formatting.limits(windows, now) == shown
    assert formatting.limits(windows[:1], now, brief=True) == [("5h 42%", "dim")]
    assert line(LimitsSeen(windows[:2])).text == "5h 42.4% used · week 80% used"
    monkeypatch.undo()
    time.tzset()


def test_a_run_is_stalled_only_while_it_works() -> None:
    at_work = run(status=Status.RUNNING, stalled="stalled: silent")
    assert formatting.is_stalled(at_work)
    assert formatting.run_tone(at_work) == "warn"
    assert not formatting.is_stalled(run(status=Status.FAILED, stalled="stalled: silent"))
