"""All about one run on one page: to read, to copy, and to go back to a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from engine.domain.activity import activity
from engine.domain.attention import conflicts_left
from engine.domain.children import descendants
from engine.domain.errors import UserError
from engine.domain.events import ArtifactSaved
from engine.domain.model import Run
from engine.domain.placement import node_hold
from engine.domain.queue import pause_of
from tui import formatting
from tui.formatting import families
from tui.formatting.updates import behind
from tui.screens.confirm import ConfirmChoice, confirm
from tui.screens.dialog import Dialog
from tui.screens.live import reveal_run
from tui.terminal.cells import clean, crop
from tui.widgets.base.property_list import Property, PropertyList
from tui.widgets.status.toast import app_of, attempt, tell

if TYPE_CHECKING:
    from engine.engine import Checkpoint
    from engine.ports.engine import EnginePort

MEASURED = 20
"""Number of the latest checkpoints whose changes are shown."""
FAMILY_AT = 4
"""The place of parent and children among the facts: after id, title, status and activity."""
KINDS = ("status", "error", "artifact")


class RunDetails(Dialog[None]):
    """All facts of `swarm-tui show`, and the files on the disk; kept current."""

    DEFAULT_CSS = """
    RunDetails {
        .box { width: 104; height: 90%; padding: 0; border: none; }
        PropertyList { height: 1fr; background: $surface; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i,q", "leave", "back", show=False),
        Binding("y", "copy", "copy"),
        Binding("enter,u", "restore", "restore"),
        Binding("f5", "refresh", "refresh"),
    ]

    page = getters.query_one(PropertyList)

    def __init__(self, engine: EnginePort, run_id: str, clock: Callable[[], float]) -> None:
        super().__init__()
        self._engine, self._run_id, self._clock = engine, run_id, clock
        self._stored: list[Property] = []
        self._points: list[Property] = []
        self._read_at: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Compose the page."""
        with Vertical(classes="box"):
            yield PropertyList(title=f"Details · {crop(formatting.title(self._run), 60)}")

    def on_mount(self) -> None:
        """Begin at the top, and go on with the run."""
        self.page.border_subtitle = Content(self._hint())
        self.page.focus()
        self.set_interval(1, self._tick)
        self._tick()
        self.run_worker(self._show_cost, group="cost")

    def _hint(self) -> str:
        refresh = " · F5 pull request" if self._run.pushed else ""
        to_run = ", or to a run" if self._family() else ""
        return f"y copy · enter back to a checkpoint{to_run}{refresh} · esc back"

    @property
    def _run(self) -> Run:
        return self._engine.view.runs[self._run_id]

    # What is known

    def _tick(self) -> None:
        """Show the current state, and read the disk again where it may have changed."""
        run = self._run
        state = (run.attempt, run.status, run.checkpoint)
        if state != self._read_at:
            self._read_at = state
            self.run_worker(self._read, group="read", exclusive=True)
        self._draw()

    def _draw(self) -> None:
        run, now = self._run, self._clock()
        engine = self._engine
        held = (
            pause_of(run, engine.pause, now)
            or engine.queue_pace.hold_of(run, now)
            or node_hold(engine.view, run, lambda: engine.cluster.places)
        )
        doing = activity(run, now, self._engine.position(run.id), pause=held)
        overlaps = self._engine.view.radar.overlaps(run.id)
        cost = self._engine.costs.known(run)
        tones = {"status": formatting.run_tone(run), "overlaps": "warn", "changes": "good"}
        if conflicts_left(run):
            tones["updated"] = "bad"
        facts = [
            Property(name, text, tones.get(name, "plain"))
            for name, text in formatting.facts(run, now, doing, overlaps, cost)
        ]
        facts[FAMILY_AT:FAMILY_AT] = self._family()
        if run.id in self._engine.view.forgotten:
            facts.insert(0, Property("forgotten", "nothing of this run is stored any more", "warn"))
        if run.error:
            error = run.error
            facts.append(Property(error.code, f"{error.message}\n{error.recovery}", "bad"))
        self.page.show([*facts, *self._stored, *self._points])

    def _family(self) -> list[Property]:
        """Return the parent and the runs below, to each of which `enter` leads."""
        run, runs = self._run, self._engine.view.runs
        found: list[Property] = []
        if run.spec.parent:
            words = families.parent_words(run, runs.get(run.spec.parent))
            known = run.spec.parent if run.spec.parent in runs else None
            found.append(Property("parent", words, "busy" if known else "dim", run=known))
        if below := descendants(runs.values(), [run.id]):
            found.append(Property("children", families.below_words(below)))
            lines = families.child_lines(below[::-1])
            found += [Property("", line, "busy", run=one.id) for one, line in lines]
        return found

    async def _show_cost(self) -> None:
        await self._engine.costs.load()
        self._draw()

    async def _read(self) -> None:
        try:
            events = await self._engine.events(self._run_id, kinds=KINDS)
        except UserError:
            return
        tried = [
            Property(f"attempt {n}", text, formatting.tone(status))
            for n, text, status in formatting.attempts(events)
        ]
        saved = {e.body.path: e.body.bytes for e in events if isinstance(e.body, ArtifactSaved)}
        folder = self._engine.paths.run(self._run_id)
        kept = [
            Property("artifact", f"{folder / path} ({formatting.size(count)})")
            for path, count in saved.items()
        ]
        self._stored = tried + kept
        self._draw()
        if self._run.workspace:
            await self._read_behind()
            await self._measure()

    async def _read_behind(self) -> None:
        """Show how far the workspace is behind its base."""
        found = await self._engine.updates.behind(self._run_id)
        if words := behind(found) if found else "":
            self._stored = [Property("behind", words, "warn"), *self._stored]
            self._draw()

    async def _measure(self) -> None:
        """Show the changes of each of the latest checkpoints, one after another."""
        workspaces = self._engine.workspaces
        try:
            points = await workspaces.checkpoints(self._run_id)
            counts = dict.fromkeys((point.n for point in points), "")
            self._list(points, counts)
            for before, point in list(pairwise(points))[: -MEASURED - 1 : -1]:
                done = await workspaces.changes(self._run_id, before.n, point.n)
                total = done.total
                count = f"{total.files} file{'' if total.files == 1 else 's'}"
                counts[point.n] = f"{formatting.changes(total) or 'nothing'} in {count}"
                self._list(points, counts)
        except UserError as error:
            self._points = [Property("checkpoints", error.message, "dim")]
            self._draw()

    def _list(self, points: list[Checkpoint], counts: dict[int, str]) -> None:
        self._points = [
            Property(
                f"checkpoint {point.n}"[:12],
                " · ".join(
                    text
                    for text in (
                        formatting.time_of_day(point.at),
                        clean(point.message),
                        counts[point.n],
                    )
                    if text
                ),
                "busy",
                point.n,
            )
            for point in points
        ]
        self._draw()

    # What can be done

    def action_copy(self) -> None:
        """Copy the fact that the cursor is on."""
        if fact := self.page.fact:
            app_of(self).copy_to_clipboard(fact.text)
            tell(app_of(self), f"Copied: {crop(clean(fact.text), 60)}")

    def action_refresh(self) -> None:
        """Read the checkpoints and the pull request of the run again."""
        self._read_at = ()
        self._tick()
        if self._run.pushed:
            self.run_worker(self._refresh(), group="refresh", exclusive=True)

    async def _refresh(self) -> None:
        if await attempt(app_of(self), self._engine.pull_requests.refresh(self._run_id)):
            tell(app_of(self), "Pull request read.")
            self._draw()

    def action_restore(self) -> None:
        """Restore the checkpoint that the cursor is on, after a question; or go to that run."""
        fact = self.page.fact
        if fact and fact.run:
            self.dismiss()
            app_of(self).run_worker(partial(reveal_run, app_of(self), fact.run), group="reveal")
            return
        n = fact.checkpoint if fact else None
        if n is None:
            return

        def restore() -> None:
            self.run_worker(partial(self._restore, n), group="restore")

        question = (
            f"Restore checkpoint {n}? The present state becomes a checkpoint first, "
            "so that you can return to it."
        )
        choice = ConfirmChoice("restore", "u", f"Restore checkpoint {n}", is_danger=True)
        confirm(app_of(self), question, choice, restore)

    async def _restore(self, n: int) -> None:
        done = await attempt(app_of(self), self._engine.workspaces.restore(self._run_id, n))
        if done:
            count = len(done.files)
            words = f"{count} file{'' if count == 1 else 's'} put back; checkpoint {done.undo.n}"
            tell(app_of(self), f"{words} takes that back.", stays=True)
            self._read_at = ()
            self._tick()
