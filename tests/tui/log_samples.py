"""A run with every kind of event, and a log of it alone on the screen."""

from __future__ import annotations

from bare_app import BareApp
from fake_history import ListHistory
from textual.app import ComposeResult
from textual.pilot import Pilot

from engine.domain.events import (
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
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.kinds import EventKind
from engine.domain.model import ErrorInfo, LimitWindow, PlanItem, Run, RunSpec, Stage, Status
from engine.domain.reasons import Cause, reason
from tui.theme import DARK
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.log_pane import LogPane
from tui.widgets.log.log_runs import LogRuns

AT = 1_800_000_000.0


def edit(phase: str, *paths: str) -> Step:
    changes = tuple(FileChange(path, "modified") for path in paths)
    return Step("tool", "file_change", phase, ", ".join(paths), changes=changes)


def seen(*paths: str) -> FilesChanged:
    return FilesChanged(tuple(FileChange(path, "modified") for path in paths))


def message(role: str, text: str) -> Step:
    return Step(role, "message", "completed", text)


def command(phase: str, text: str, exit_code: int | None = None, output: str = "") -> Step:
    return Step("tool", "command", phase, text, text, exit_code, output)


EVERY_KIND: tuple[Body, ...] = (
    StatusChanged(Status.QUEUED),
    StatusChanged(Status.PREPARING, Status.QUEUED),
    Progressed(Stage.WORKSPACE_PREP, "preparing", 5),
    CheckpointTaken(0, "baseline", "refs/0"),
    StatusChanged(Status.RUNNING, Status.PREPARING),
    Progressed(Stage.EXECUTING, "thinking", 30),
    message("reasoning", "**Reading the parser** Two loops.\n\n**Planning**\n\nOne is enough."),
    PlanChanged((PlanItem("Find the loop", True), PlanItem("Remove it", False))),
    message("assistant", "I remove the second loop."),
    edit("started", "src/parser.py"),
    seen("src/parser.py", "src/generated.py"),
    edit("completed", "src/parser.py"),
    command("started", "make"),
    command("completed", "make", 0, "built"),
    edit("completed", *(f"src/part{number}.py" for number in range(120))),
    seen(*(f"src/part{number}.py" for number in range(120))),
    command("started", "pytest -q"),
    command("failed", "pytest -q", 1, "2 failed, 55 passed"),
    Step("tool", "mcp", "completed", "files.read"),
    Step("tool", "web_search", "completed", "python parser loops"),
    UsageCounted(9_000, 4_000, 700),
    LimitsSeen((LimitWindow("primary", 40, 300, None),)),
    Notice("warning", "Reconnecting 1/5"),
    Raw({"type": "item.new", "text": "unknown"}),
    ChangesMeasured(122, 240, 12),
    ArtifactSaved("last-message.md", 512),
    ErrorRaised(ErrorInfo("VERIFY_FAILED", "Check failed: 2 failed.", "Retry.", "")),
    StatusChanged(Status.FAILED, Status.RUNNING, reason(Cause.ERROR, code="VERIFY_FAILED")),
)


def events(run: str, *bodies: Body, step_s: float = 0.2) -> list[Event]:
    return [Event(run, seq, AT + seq * step_s, 1, body) for seq, body in enumerate(bodies, 1)]


class LogHost(BareApp):
    """A log of runs alone on the screen, over a list of events that may grow."""

    def __init__(self, told: list[Event], titles: dict[str, str] | None = None) -> None:
        super().__init__()
        self.told = told
        titles = titles or {event.run: "Remove a loop" for event in told}
        self.runs = {
            run: Run(run, RunSpec("Remove the loop in the parser.", title, "demo"), AT)
            for run, title in titles.items()
        }

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name

    def compose(self) -> ComposeResult:
        yield LogPane(self.history, LogRuns(lambda: self.runs))

    def history(self, run: str | None, kind: EventKind) -> ListHistory:
        told = [event for event in self.told if event.run == run] if run else self.told
        return ListHistory(run, kind, told)

    @property
    def pane(self) -> LogPane:
        return self.query_one(LogPane)

    @property
    def log_view(self) -> EventLog:
        return self.pane.log_view

    @property
    def texts(self) -> list[str]:
        window = self.log_view.window
        return [window.at(line)[1].text for line in range(window.line_count)]

    async def happen(
        self, pilot: Pilot[None], *bodies: Body, run: str = "r", at: float = 0
    ) -> None:
        """Add events to a run, live."""
        last = sum(event.run == run for event in self.told)
        numbered = enumerate(bodies, last + 1)
        fresh = [Event(run, seq, at or AT + seq, 1, body) for seq, body in numbered]
        self.told += fresh
        self.log_view.append(fresh)
        await settled(pilot)


async def opened(pilot: Pilot[None]) -> LogHost:
    app = pilot.app
    assert isinstance(app, LogHost)
    await app.pane.open(app.told[0].run)
    app.log_view.focus()
    await settled(pilot)
    return app


async def settled(pilot: Pilot[None]) -> None:
    await pilot.pause()
    while any(not worker.is_finished for worker in pilot.app.workers):  # one page asks for the next
        await pilot.pause(0.01)
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settled(pilot)
