"""The inbox on the real engine: agents that ask are answered through the screen."""

from __future__ import annotations

import pytest
from asking_agent import ASK, asking_agent
from script_agent import SCRIPT
from support import quick, until

from engine.config.paths import Paths
from engine.domain.interaction import Decision, InputRequest, RequestPhase
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine
from tui.app import SwarmApp
from tui.screens.inbox import InboxScreen


def shown(app: SwarmApp) -> str:
    """Return what the screen shows as one line of words, without the lines around them."""
    strips = app.screen._compositor.render_strips()
    words = " ".join(strip.text for strip in strips).split()
    return " ".join(word for word in words if not set(word) & set("│─╭╮╰╯"))


def task(prompt: str) -> RunSpec:
    folder = WorkspaceSpec(WorkspaceKind.EMPTY)
    return RunSpec(
        f"{ASK}{prompt}", "a title", "p", agent=SCRIPT, interactive=True, workspace=folder
    )


async def answers(engine: Engine, run: Run) -> list[tuple[Decision | None, str]]:
    """Return the answers in the history of a run."""
    bodies = [event.body for event in await engine.events(run.id)]
    phase = RequestPhase.ANSWERED
    found = [one for one in bodies if isinstance(one, InputRequest) and one.phase is phase]
    return [(one.decision, one.decided_by) for one in found]


@pytest.mark.parametrize("count", [3])
async def test_agents_are_answered_through_the_screen(paths: Paths, count: int) -> None:
    with asking_agent():
        async with Engine.open(paths, quick(), supervise=True) as engine:
            app = SwarmApp(engine)
            async with app.run_test(size=(120, 40)) as pilot:
                script = "ask 0 'npm ci'; ask 1 'rm -rf /' || echo stays"
                runs = [await engine.start(task(script)) for _ in range(count)]
                view = engine.view.runs

                def all_ask(what: str) -> bool:
                    return all([one.text for one in view[r.id].unanswered] == [what] for r in runs)

                async def on_screen(text: str) -> None:
                    while text not in shown(app):
                        await pilot.pause(0.02)

                await until(engine, lambda: all_ask("npm ci"))
                await pilot.press("7")
                await on_screen(f"×{count}")
                await on_screen("┆ Please")
                await pilot.press("y")
                await until(engine, lambda: all_ask("rm -rf /"))
                await on_screen("approved by you; the agent has the answer")
                await pilot.press("j")
                await on_screen("rm -rf / Folder: the workspace")
                assert isinstance(app.live_screen, InboxScreen)
                await pilot.press("n")
                ended = {Status.SUCCEEDED}
                await until(engine, lambda: {view[run.id].status for run in runs} == ended)
                await on_screen("denied by you; the agent has the answer")
                assert "need you" not in shown(app)
            for run in runs:
                expected = [(Decision.APPROVE, "user"), (Decision.DENY, "user")]
                assert await answers(engine, run) == expected
                assert engine.view.runs[run.id].message == "stays"
