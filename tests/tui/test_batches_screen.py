"""Batches in the dashboard: the form that starts one, and the screen of one."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fake_engine import NARROW, NOW, WIDE, FakeEngine, app_on, painted, plain, shown
from support import quick
from textual.events import Key
from textual.pilot import Pilot

from engine.config import run_environment
from engine.config.paths import Paths
from engine.domain.batch import Batch
from engine.domain.budget import Budget
from engine.domain.errors import user_error
from engine.domain.events import ChangesMeasured, ErrorRaised, StatusChanged, UsageCounted
from engine.domain.model import Agent, RunSpec, Status
from engine.domain.usage import EstimateBasis, SpendEstimate
from engine.engine import BatchRequest, Engine
from tui.app import SwarmApp
from tui.screens import new_batch
from tui.screens.batch import BatchScreen
from tui.screens.new_batch import NewBatch
from tui.screens.runs import RunsScreen
from tui.screens.trust import TrustQuestion
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl
from tui.widgets.forms.text_input import TextInput

LIMIT_S = 60
SIZE = (120, 40)


async def until(pilot: Pilot[None], is_so: Callable[[], object]) -> None:
    """Wait for what other processes and threads do; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.02)
    await painted(pilot)


def order(prompt: str, **more: object) -> BatchRequest:
    spec = RunSpec(prompt=prompt, title="", project="garden", agent=Agent.SIMULATED)
    verify = more.pop("verify", None)
    return BatchRequest(replace(spec, verify=verify), frozenset({"verify"}), **more)  # type: ignore  options of the test by name


async def estimated(specs: Sequence[RunSpec]) -> SpendEstimate:
    return SpendEstimate(len(specs), 3.1e6, 1.9e6, 4.8e6, 43, EstimateBasis.PROJECT)


async def test_the_form_shows_what_would_start_and_starts_it(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("n,prompt\n1,sim: say one\n2,sim: fail quota\n")
    async with Engine.open(paths, quick(), supervise=True) as engine:
        monkeypatch.setattr(engine.usage, "estimate", estimated)
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("N")
            await until(pilot, lambda: isinstance(app.screen, NewBatch))
            form = app.screen
            assert form.query_one("#start").disabled
            form.query_one("#agent", SegmentedControl).choose(1)
            form.query_one("#kind", SegmentedControl).choose(2)
            form.query_one("#file", TextInput).value = "nowhere.csv"
            await until(pilot, lambda: "there is no such file" in plain(app))
            assert form.query_one("#start").disabled
            form.query_one("#file", TextInput).value = "rows.csv"
            form.query_one("#count", TextInput).value = "x"
            await until(pilot, lambda: "Copies: use a number from 1 to 1000" in plain(app))
            form.query_one("#count", TextInput).value = "2"
            await until(pilot, lambda: "4 runs" in plain(app))
            words = "batch --from rows.csv --count 2 --empty --agent simulated"
            takes = "4 runs like these take about 3.1M tokens (1.9M to 4.8M); from 43 runs"
            assert (
                takes in plain(app)
                and words in plain(app)
                and "n=1 #2 · sim: say one" in plain(app)
            )
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, BatchScreen))
            await until(pilot, lambda: "2 succeeded · 2 failed · 50% passed" in plain(app))
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
            await pilot.press("b", "b")
            await until(
                pilot, lambda: "▾ rows ✗ 2 ✓ 2" in plain(app) and "50% passed" in plain(app)
            )


async def test_keys_in_one_burst_start_what_stands_in_the_fields_then(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Engine.open(paths, quick(), supervise=True) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("N")
            await until(pilot, lambda: isinstance(app.screen, NewBatch))
            form = app.screen
            form.query_one("#agent", SegmentedControl).choose(1)
            form.query_one("#kind", SegmentedControl).choose(2)
            form.query_one(PromptArea).text = "sim: say r9 {{ n }}"
            form.query_one("#count", TextInput).value = "2"
            form.query_one("#matrix", TextInput).focus().value = "m=1"
            await until(pilot, lambda: "there is no parameter `n`" in plain(app))
            for key in ("ctrl+u", *"n=1,2,4", "backspace", "3", "tab", "ctrl+u", "1", "ctrl+s"):
                app.post_message(Key(key, key if len(key) == 1 else None))
            await until(pilot, lambda: isinstance(app.screen, BatchScreen))
            titles = [run.spec.title for run in engine.view.batch("batch")]
            assert sorted(titles) == [f"n={n} · sim: say r9 {n}" for n in (1, 2, 3)]
        await engine.settle()  # an engine that closes while a process starts loses its handle


async def test_options_hold_for_every_run_and_all_that_is_wrong_is_told(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Engine.open(paths, quick(), supervise=False) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("N")
            await until(pilot, lambda: isinstance(app.screen, NewBatch))
            form = app.screen
            assert not form.query_one("#options").display
            await pilot.press("ctrl+o")
            assert form.query_one("#options").display
            form.query_one("#agent", SegmentedControl).choose(1)
            form.query_one("#kind", SegmentedControl).choose(2)
            form.query_one(PromptArea).text = "sim: say hi"
            for id in ("count", "retries", "timeout", "total-budget"):
                form.query_one(f"#{id}", TextInput).value = "x"
            await until(pilot, lambda: "and 2 more" in plain(app))
            wrong = {each.id for each in form.query("TextInput.-wrong")}
            assert wrong == {"count", "retries", "timeout", "total-budget"}
            for id, text in {"count": "2", "retries": "3", "timeout": "5m"}.items():
                form.query_one(f"#{id}", TextInput).value = text
            form.query_one("#total-budget", TextInput).value = ""
            await until(pilot, lambda: "2 runs" in plain(app))
            await pilot.press("ctrl+o", "ctrl+l")
            assert "retries 3 · time limit 5m" in plain(app)
            words = "--count 2 --empty --agent simulated --retries 3 --timeout 5m 'sim: say hi'"
            assert app.clipboard == f"swarm-tui batch {words}"
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, BatchScreen))
            specs = [run.spec for run in engine.view.runs.values()]
            assert [(spec.retries, spec.timeout_s) for spec in specs] == [(3, 300), (3, 300)]


async def test_the_rest_is_dropped_behind_the_winner(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Engine.open(paths, quick(), supervise=True) as engine:
        what = order("sim: write a.txt x", count=2, name="best", verify="test -f a.txt")
        _, runs = await engine.swarms.start(await engine.swarms.plan(what))
        await engine.settle()
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: len(engine.view.runs) == 2)
            screen = app.live_screen
            assert isinstance(screen, RunsScreen)
            screen.panes.run_list.move_to(runs[0].id)
            await pilot.press("B")
            await until(pilot, lambda: "2 succeeded · 100% passed" in plain(app))
            await until(pilot, lambda: "★ 1" in shown(app))
            await pilot.press("equals_sign")
            await until(pilot, lambda: re.search(r"a\.txt +┃?\+1 −0 +┃?\+1 −0", shown(app)))
            lines = shown(app).splitlines()
            ids = next(line for line in lines if runs[0].id in line and runs[1].id in line)
            status = next(line for line in lines if line.count("✓ succeeded") == 2)
            first, second = sorted(ids.index(run.id) for run in runs)
            assert status.index("✓") == first
            assert status.rindex("✓") == second
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, BatchScreen))
            await pilot.press("d")
            await until(pilot, lambda: "changes you have not applied: 1 file (+1 −0)" in plain(app))
            await pilot.press("d")
            await until(pilot, lambda: any(r.in_trash for r in engine.view.batch("best")))
            assert sum(run.in_trash for run in engine.view.batch("best")) == 1


async def test_results_are_exported_and_the_failed_retried(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Engine.open(paths, quick(), supervise=True) as engine:
        bad = order("sim: fail quota", count=2, name="bad")
        await engine.swarms.start(await engine.swarms.plan(bad))
        later = order("sim: say fine", count=1, name="fine")
        await engine.swarms.start(await engine.swarms.plan(later))
        await engine.settle()
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: len(engine.view.runs) == 3)
            await pilot.press("G", "B")
            await until(pilot, lambda: "Batch · fine" in plain(app))
            await pilot.press("]")
            await until(pilot, lambda: "bad 2 times · 2 runs" in plain(app))
            await pilot.press("E")
            await until(pilot, lambda: "Export the results" in plain(app))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: (tmp_path / "bad.md").exists())
            await until(pilot, lambda: isinstance(app.screen, BatchScreen))
            assert "2 failed" in (tmp_path / "bad.md").read_text()
            await pilot.press("r")
            await until(
                pilot,
                lambda: all(
                    run.status is Status.SUCCEEDED and run.attempt == 2
                    for run in engine.view.batch("bad")
                ),
            )
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_what_is_live_is_cancelled_after_a_question(paths: Paths) -> None:
    async with Engine.open(paths, quick(), supervise=True) as engine:
        await engine.swarms.start(await engine.swarms.plan(order("sim: wait 600", count=3)))
        app = SwarmApp(engine)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: len(engine.view.active()) == 3)
            await pilot.press("B")
            await until(pilot, lambda: "3 running" in plain(app))
            await pilot.press("x")
            await until(pilot, lambda: "Cancel 3 runs: " in plain(app))
            await pilot.press("x")
            await until(pilot, lambda: "3 cancelled" in plain(app))


class Known:
    """Knows one batch, as it was asked for."""

    async def find(self, name: str) -> Batch:
        return Batch(name, name, "test", "path=parser,server × 2 times", NOW, Budget(2_000_000))


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_batch_looks_the_same(
    snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    engine = FakeEngine()
    engine.swarms = Known()  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
    for place, path in enumerate(("parser", "parser", "server", "server")):
        run_id, copy = f"1qj8a{place}k2m4", place % 2 + 1
        spec = RunSpec("x", f"test {path} #{copy}", "demo", batch="test", given={"path": path})
        engine._create(run_id, spec)
        engine.pass_through(run_id, Status.PREPARING, Status.RUNNING)
        used, size_of = UsageCounted(48_200 * copy, 0, 950), ChangesMeasured(copy, 28 * copy, 9)
        engine.happen(run_id, used, size_of, after_s=60 + 30 * place)
        if place == 1:
            error = user_error("VERIFY_FAILED").info
            engine.happen(run_id, ErrorRaised(error), StatusChanged(Status.FAILED))
        elif place != 3:
            engine.happen(run_id, StatusChanged(Status.SUCCEEDED))

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()
        await pilot.press("B")
        await until(pilot, lambda: "path=server" in shown(cast(SwarmApp, pilot.app)))

    assert snap_compare(app_on(engine), terminal_size=size, run_before=prepare)


async def test_a_flow_of_a_repository_is_asked_about(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".swarm").mkdir()
    monkeypatch.chdir(tmp_path)
    step = "{name: one, prompt: 'sim: say hi', verify: 'true', sandbox: danger-full-access}"
    (tmp_path / "flow.yaml").write_text(f"steps:\n  - {step}\n")
    async with Engine.open(paths, quick(), supervise=True) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("N")
            await until(pilot, lambda: isinstance(app.screen, NewBatch))
            app.screen.query_one("#agent", SegmentedControl).choose(1)
            app.screen.query_one("#kind", SegmentedControl).choose(2)
            app.screen.query_one("#file", TextInput).value = "flow.yaml"
            asks = "lets Codex work without a sandbox"
            await until(pilot, lambda: f"asks first: it {asks}" in plain(app))
            for key in ("escape", "t"):
                await pilot.press("ctrl+s")
                await until(pilot, lambda: isinstance(app.screen, TrustQuestion))
                await until(pilot, lambda: asks in plain(app) and "runs true" in plain(app))
                assert not engine.view.runs
                await pilot.press(key)
                screen = NewBatch if key == "escape" else BatchScreen
                await until(pilot, lambda wanted=screen: isinstance(app.screen, wanted))
            assert len(engine.view.runs) == 1
        await engine.settle()  # as above


async def test_a_long_start_shows_its_count_and_esc_stops_it(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new_batch, "PATIENCE_S", -1.0)
    reached, opened = threading.Event(), threading.Event()
    encoded = run_environment.encoded

    def slow(values: Mapping[str, str]) -> bytes:
        if reached.is_set():
            opened.wait(LIMIT_S)
        reached.set()
        return encoded(values)

    async with Engine.open(paths, quick(), supervise=False) as engine:
        app = SwarmApp(engine)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("N")
            await until(pilot, lambda: isinstance(app.screen, NewBatch))
            form = app.screen
            form.query_one("#agent", SegmentedControl).choose(1)
            form.query_one("#kind", SegmentedControl).choose(2)
            form.query_one(PromptArea).text = "sim: say hello"
            form.query_one("#count", TextInput).value = "30"
            await until(pilot, lambda: "30 runs" in plain(app))
            with monkeypatch.context() as patch:
                patch.setattr(run_environment, "encoded", slow)
                await pilot.press("ctrl+s")
                await until(pilot, lambda: "writing the files of the runs: 1 of 30" in plain(app))
                assert "esc stops" in plain(app)
                await pilot.press("escape")
                opened.set()
                await until(pilot, lambda: "Stopped: no run was started." in plain(app))
            assert (app.screen, engine.view.runs) == (form, {})
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
