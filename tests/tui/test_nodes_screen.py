"""The screen of nodes, and the sign in the top bar where one does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import faulty
import pytest
from fake_engine import LIMIT_S, NARROW, WIDE, FakeEngine, app_on, painted, plain, shown, toasts
from node_samples import four_nodes, with_cluster
from task_names import OF_CLUSTER
from textual.pilot import Pilot
from textual.strip import Strip

from engine.domain.errors import user_error
from engine.domain.model import Workspace, WorkspaceKind
from engine.domain.node import ClusterSummary, NodeCondition
from engine.engine import TreeEntry
from engine.execution import task_tree
from tui.app import SwarmApp
from tui.screens.nodes import NodesScreen
from tui.screens.runs import RunsScreen
from tui.widgets.status.screen_tabs import screen_tabs


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for what no event reports."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


async def opened(pilot: Pilot[None]) -> NodesScreen:
    app = pilot.app
    assert isinstance(app, SwarmApp)
    await pilot.press("9")
    await until(pilot, lambda: isinstance(app.live_screen, NodesScreen))
    assert isinstance(app.live_screen, NodesScreen)
    return app.live_screen


async def test_nodes_are_listed_with_their_condition_slots_and_runs() -> None:
    app = app_on(with_cluster())
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot)
        text = shown(app)
        assert "tls://192.0.2.7:8786 · 2 of 4 nodes ready · 5 slots free" in text
        for words in ("garden-1", "unreachable", "lost", "3/8", "0.50", "84.0 GiB", "no login"):
            assert words in text
        await pilot.press("down", "down")
        await until(pilot, lambda: "2 runs there may still be at work." in plain(app))
        assert "Port the tests" in shown(app)


async def test_a_lost_node_has_no_slots_that_its_ended_runs_still_take() -> None:
    engine = with_cluster()
    ready = four_nodes().nodes[0]
    lost = replace(ready, name="n9", condition=NodeCondition.LOST, since=engine.now - 60)
    engine.cluster.found = replace(engine.cluster.found, nodes=(lost,))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "n9 was cut off, and has ended its runs." in plain(app))
        assert "3/8" not in shown(app)
        assert "slots taken" not in shown(app)


async def test_runs_on_nodes_take_no_slots_of_this_machine_in_the_top_bar() -> None:
    engine = with_cluster()
    run = engine.view.runs["1qj8a0k2m4"]
    run.host = "garden-1"
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert f"1/{engine.config.slots} slots" in shown(app)


async def test_enter_shows_the_runs_of_the_node_in_the_list() -> None:
    app = app_on(with_cluster())
    async with app.run_test(size=WIDE) as pilot:
        screen = await opened(pilot)
        await pilot.press("down", "down")
        assert screen.listed.chosen and screen.listed.chosen.name == "n2"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.live_screen, RunsScreen))
        runs = app.live_screen
        assert isinstance(runs, RunsScreen)
        assert runs.browser.options.text == "on:n2"
        await until(pilot, lambda: "on:n2" in shown(app))
        await pilot.press("escape")
        assert runs.browser.options.text == ""


async def test_a_node_with_runs_that_does_not_answer_is_named_on_every_screen() -> None:
    engine = with_cluster()
    engine.cluster.found = replace(engine.cluster.found, nodes=engine.cluster.found.nodes[:2])
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await painted(pilot)
        assert "NODES" not in shown(app)
        engine.cluster.tell(four_nodes(*engine.view.runs.values()))
        await until(pilot, lambda: "NODES n2 does not answer · 2 runs  9 shows them" in shown(app))
        await pilot.press("6")
        await until(pilot, lambda: "Doctor" in shown(app))
        assert "NODES n2 does not answer · 2 runs" in shown(app)
        engine.cluster.tell(replace(engine.cluster.found, nodes=()))
        await until(pilot, lambda: "NODES" not in shown(app))


async def test_lost_and_several_nodes_are_told_apart_in_the_top_bar() -> None:
    engine = with_cluster()
    lost = replace(engine.cluster.found.nodes[2], condition=NodeCondition.LOST)
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await painted(pilot)
        engine.cluster.tell(replace(engine.cluster.found, nodes=(lost,)))
        await until(pilot, lambda: "NODES n2 is lost · 2 runs" in shown(app))
        other = replace(lost, name="n5", condition=NodeCondition.UNREACHABLE)
        engine.cluster.tell(replace(engine.cluster.found, nodes=(lost, other)))
        await until(pilot, lambda: "NODES 2 nodes do not answer · 4 runs" in shown(app))


async def test_a_dead_scheduler_is_named_above_the_last_seen_nodes() -> None:
    engine = with_cluster()
    problem = user_error("CLUSTER_UNREACHABLE").info
    engine.cluster.found = replace(engine.cluster.found, problem=problem)
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await opened(pilot)
        assert "tls://192.0.2.7:8786 does not answer; seen just now" in shown(app)
        assert "garden-1" in shown(app)
        engine.cluster.tell(ClusterSummary("tls://192.0.2.7:8786", problem=problem))
        await until(pilot, lambda: "The scheduler of the cluster cannot be reached" in plain(app))


async def test_files_of_a_run_name_their_checkpoint_while_its_node_does_not_answer() -> None:
    engine = with_cluster()
    engine.cluster.found = replace(engine.cluster.found, nodes=engine.cluster.found.nodes[:2])
    run = next(iter(engine.view.runs))
    place = Workspace("/srv/x", WorkspaceKind.WORKTREE, host="n2")
    engine.view.runs[run] = replace(engine.view.runs[run], workspace=place, checkpoint=4)
    engine.folders[""] = [TreeEntry("a.txt", "a.txt")]
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert isinstance(app.live_screen, RunsScreen)
        app.live_screen.panes.run_list.move_to(run)
        await pilot.press("f")
        await until(pilot, lambda: "a.txt" in shown(app))
        assert "checkpoint 4" not in shown(app)
        engine.folders[""] = [TreeEntry("b.txt", "b.txt")]
        engine.cluster.found = four_nodes(engine.view.runs[run])
        app.live_screen.tick()
        await until(pilot, lambda: "Files · checkpoint 4 · n2 does not answer" in shown(app))
        await until(pilot, lambda: "b.txt" in shown(app))


@pytest.mark.parametrize("keys", [("exclamation_mark",), ("o", "o")], ids=["shell", "editor"])
async def test_a_program_in_the_folder_of_a_run_on_a_node_is_refused_in_words(
    keys: tuple[str, ...],
) -> None:
    engine = with_cluster()
    run = next(iter(engine.view.runs))
    place = Workspace("/srv/x", WorkspaceKind.WORKTREE, host="n2")
    engine.view.runs[run] = replace(engine.view.runs[run], workspace=place)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert isinstance(app.live_screen, RunsScreen)
        app.live_screen.panes.run_list.move_to(run)
        await pilot.press(*keys)
        await until(pilot, lambda: any("A run on n2 cannot open" in one for one in toasts(app)))


@pytest.mark.parametrize("times", ["once", "always"])
async def test_the_dashboard_goes_on_where_the_cluster_cannot_be_followed(
    times: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert frozenset({"nodes"}) == OF_CLUSTER
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    engine = with_cluster()
    engine.cluster.failure = RuntimeError("a bug")
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: engine.tasks.faults.is_failing("nodes"))
        if times == "once":
            engine.cluster.failure = None
            await until(pilot, lambda: "NODES n2 does not answer" in shown(app))
        await opened(pilot)
        assert "garden-1" in shown(app)


async def test_without_a_cluster_the_screen_explains_how_to_get_one() -> None:
    engine = FakeEngine()
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await painted(pilot)
        assert "9 Nodes" not in shown(app)
        await opened(pilot)
        assert "No cluster is set up" in plain(app)
        assert "`swarm-tui cluster up`" in plain(app)
        assert engine.cluster.asked == 0
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.live_screen, RunsScreen))


async def test_refreshed_rows_are_drawn_only_where_something_changed() -> None:
    app = app_on(with_cluster())
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        drawn: list[int] = []
        draw = screen.listed.draw

        def counted(line: int, width: int) -> Strip:
            drawn.append(line)
            return draw(line, width)

        screen.listed.draw = counted
        await pilot.press("f5")
        await painted(pilot)
        assert drawn == []


async def test_only_nodes_in_view_are_drawn() -> None:
    engine = with_cluster()
    (first, *_) = engine.cluster.found.nodes
    many = tuple(replace(first, name=f"node-{n:04}") for n in range(2000))
    engine.cluster.found = replace(engine.cluster.found, nodes=many)
    app = app_on(engine)
    drawn: set[int] = set()
    async with app.run_test(size=NARROW) as pilot:
        screen = await opened(pilot)
        draw = screen.listed.draw

        def counted(line: int, width: int) -> Strip:
            drawn.add(line)
            return draw(line, width)

        screen.listed.draw = counted
        await pilot.press("end")
        await painted(pilot)
        assert "node-1999" in shown(app)
    assert len(drawn) <= NARROW[1]


def test_the_tab_of_nodes_is_shown_only_with_a_cluster() -> None:
    assert "9 Nodes" not in [tab.text.strip() for tab in screen_tabs("runs", {}, 120)]
    for asking in (0, 20, 999):
        tabs = screen_tabs("nodes", {}, 68, asking, most=73, has_cluster=True)
        assert tabs[-1].is_lit and tabs[-1].text.strip() == "9 Nodes"
        assert sum(len(tab.text) for tab in tabs) <= 73
