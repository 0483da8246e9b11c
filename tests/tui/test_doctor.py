"""The doctor's screen, and what the dashboard says of it elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    app_on,
    four_runs,
    listed,
    plain,
    shown,
    toasts,
    until,
)

from engine.domain.errors import user_error
from engine.engine import CheckHealth, Finding
from tui.screens.doctor import DoctorScreen
from tui.screens.new_run import NewRun

HOSTILE = "[/red] \x1b[31mred\x1b]52;c;aGk=\x07 \u202egnp"


@pytest.fixture
def engine() -> FakeEngine:
    engine = four_runs()
    engine.doctor.findings = [
        Finding("codex", CheckHealth.OK, "Codex 0.163.0"),
        Finding("disk", CheckHealth.WARNING, "1.2 GiB free", "Free some space."),
        Finding("settings", CheckHealth.FAIL, HOSTILE, HOSTILE),
    ]
    return engine


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_each_finding_is_a_line_with_its_way_out(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("6")
        await pilot.pause()
        text = shown(app)
        assert "2 to look at" in text
        assert "✓ ok" in text
        assert "! warning" in text
        assert "✗ fail" in text
        assert "Free some space." in text
        assert not any(char in text for char in "\x1b\x07\u202e")
        assert "1 running" in text
        await pilot.press("escape")
        await pilot.pause()
        assert listed(app) == ["b2", "c3", "d4", "a1"]


async def test_it_looks_again_when_asked_and_when_opened(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("6")
        await pilot.pause()
        engine.doctor.findings = []
        await pilot.press("f5")
        await pilot.pause()
        assert "all well" in shown(app)
        engine.doctor.findings = [Finding("git", CheckHealth.FAIL, "no git", "Install git.")]
        await pilot.press("1", "6")
        await pilot.pause()
        assert "Install git." in shown(app)


async def test_what_happens_meanwhile_is_there_on_the_way_back(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("6")
        await pilot.pause()
        engine.add("e5", "Meanwhile")
        await pilot.pause()
        await pilot.press("1")
        await pilot.pause()
        assert "e5" in listed(app)
        assert "2 queued" in shown(app)


async def test_a_new_run_leads_back_to_the_runs(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("6", "n")
        await pilot.pause()
        assert isinstance(app.screen, NewRun)
        await pilot.press(*"Do it", "ctrl+s")
        await until(pilot, lambda: "new1" in listed(app))
        assert "Do it" in shown(app)


async def test_orphans_are_told_once_and_ended_after_a_question(engine: FakeEngine) -> None:
    engine.doctor.left = ["a1", "b2"]
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert len(toasts(app)) == 1
        assert "2 runs that have ended left processes alive. 6 shows the doctor" in toasts(app)[0]
        await pilot.press("6")
        await pilot.pause()
        assert "x ends them" in shown(app)
        await pilot.press("x", "enter")  # stay
        await pilot.pause()
        assert engine.doctor.left
        await pilot.press("x", "x")
        await pilot.pause()
        assert engine.doctor.left == []
        assert any("Ended the processes of 2 runs." in toast for toast in toasts(app))
        assert "no processes are left" in shown(app)
        await pilot.press("x")
        await pilot.pause()
        assert isinstance(app.screen, DoctorScreen)
        assert "Nothing to do." in toasts(app)[-1]


async def test_an_empty_home_without_codex_says_the_ways_out() -> None:
    engine = FakeEngine()
    missing = user_error("CODEX_CLI_MISSING")
    engine.doctor.findings = [Finding("codex", CheckHealth.FAIL, missing.message, missing.recovery)]
    engine.refusal = missing
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        text = plain(app)
        assert "npm install -g @openai/codex" in text
        assert "`swarm-tui demo` shows simulated runs" in text
        await pilot.press("n", *"Do it", "ctrl+s")
        await pilot.pause()
        text = plain(app)
        assert "npm install -g @openai/codex" in text
        assert "Or choose the simulated agent" in text


async def test_other_findings_are_shown_while_the_whole_database_is_read(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = asyncio.Event()

    async def examine(
        program: str | None = None, told: Callable[[Sequence[Finding]], object] = len
    ) -> list[Finding]:
        told(engine.doctor.findings)
        await read.wait()
        return [*engine.doctor.findings, Finding("database", CheckHealth.OK, "no damage")]

    monkeypatch.setattr(engine.doctor, "examine", examine)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("6")
        while "reading the whole database" not in plain(app):
            await pilot.pause()
        assert "Free some space." in plain(app)
        assert "no damage" not in plain(app)
        read.set()
        while "no damage" not in plain(app):
            await pilot.pause()
