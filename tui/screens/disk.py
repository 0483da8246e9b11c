"""Disk usage: by project, run and folder, live while it is measured, and how to free it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.worker import Worker

from engine.domain.lifecycle import FINISHED
from tui import commands, formatting
from tui.screens.deleting import WorkspaceDeletion
from tui.screens.live import LiveScreen, stop_work, works_of
from tui.widgets.base.pane_tabs import PaneTabs
from tui.widgets.base.throttle import Throttle
from tui.widgets.disk.disk_heading import DiskHeading
from tui.widgets.disk.disk_rows import SORTS, TABS
from tui.widgets.disk.disk_tree import DiskTree
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.progress_line import ProgressLine
from tui.widgets.status.toast import app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from pathlib import Path

    from engine.engine import DiskUsage, TrashEntry, UnsavedWork
    from engine.ports.engine import EnginePort


class DiskScreen(LiveScreen):
    """Screen of disk usage; sizes are measured again whenever it is opened."""

    DEFAULT_CSS = """
    DiskScreen {
        background: $background;
        DiskTree { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("disk")

    places = getters.query_one(DiskTree)
    tabs = getters.query_one(PaneTabs)
    heading = getters.query_one(DiskHeading)
    working = getters.query_one(ProgressLine)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._deleting = WorkspaceDeletion(self, self._deleted, lambda: "disk")
        self._pace = Throttle(self, self._show)
        self._looking: Worker[None] | None = None
        self._is_looking = False
        self._progress: tuple[str, float | None] = ("", None)
        self._free = 0
        self._looked_at: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield PaneTabs(tuple(TABS))
        yield DiskHeading()
        yield DiskTree(self.clock)
        yield ProgressLine("x stops")
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Focus the list."""
        self.places.focus()

    def on_resize(self) -> None:
        """Put the names of the columns where these are now."""
        self.call_after_refresh(self._show)

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        widgets: dict[str, DOMNode] = {"disk": self, "disktree": self.places}
        return widgets.get(scope)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what makes no sense in this tab."""
        del parameters
        tab = self.places.model.tab
        if action == "artefacts":
            return True if tab == "workspaces" else None
        if action == "delete":
            return True if tab in ("workspaces", "trash", "Codex") else None
        return True

    # Measuring

    def action_look(self) -> None:
        """Measure again."""
        self._looking = self.run_worker(self._look, group="look", exclusive=True)

    async def _look(self) -> None:
        entries = await attempt(app_of(self), self.engine.disk.trash()) or ()
        self._free = await asyncio.to_thread(self.engine.disk.free)
        places = self.places
        places.runs = self.engine.view.runs
        places.model.begin(places.runs, entries)
        self._is_looking = True
        measuring = self.engine.disk.measure(self._told, looked=self._looked)
        done = await attempt(app_of(self), measuring)
        if done is not None:
            places.model.end()
        self._looked_enough()
        await self._look_for_work()

    def _told(self, one: DiskUsage) -> None:
        self.places.model.tell(one)
        self._pace.ask()

    def _looked_enough(self) -> None:
        self._is_looking = False
        self._progress = "", None
        self._show()

    def _looked(self, done: int, of: int) -> None:
        self._progress = f"measuring: {done} of {of}", 100 * done / of
        self._pace.ask()

    def _show(self) -> None:
        if not works_of(self).is_shown:
            self.working.tell(*self._progress)
        self.places.renew()
        model = self.places.model
        total = model.total()
        parts = [f"Disk usage · {formatting.size(model.bytes(total))}"]
        if total.rebuildable:
            parts.append(f"{formatting.size(total.rebuildable)} can be made again")
        parts.append(f"{formatting.size(self._free)} free")
        parts.append(f"by {model.sort}{', reversed' if model.is_reversed else ''}")
        if self._is_looking:
            parts.append("measuring …")
        self.places.set_title(" · ".join(parts))
        self.heading.name_columns(self.places)

    async def _look_for_work(self) -> None:
        """Find out what of each run's work is nowhere else, where something may be new."""
        wanted: dict[str, int] = {}
        for path, run_id in self.places.model.workspaces():
            run = self.engine.view.runs.get(run_id)
            if run and run.status in FINISHED and self._looked_at.get(path) != run.seq:
                wanted[path] = run.seq

        def found(path: str, what: UnsavedWork) -> None:
            self.places.model.states[path] = what
            self._looked_at[path] = wanted[path]
            self._pace.ask()

        await attempt(app_of(self), self.engine.disk.report_unsaved(wanted, found))

    @on(DiskTree.Unfolded)
    def _unfolded(self, event: DiskTree.Unfolded) -> None:
        path = event.row.path
        if path is not None and not self.places.model.knows_inside(path):
            self.run_worker(partial(self._look_inside, path), group="inside")

    async def _look_inside(self, path: Path) -> None:
        found: list[DiskUsage] = []
        await attempt(app_of(self), self.engine.disk.inside(path, found.append))
        self.places.model.tell_inside(path, found)
        self.places.renew()

    # Tabs and order

    @on(PaneTabs.PaneSelected)
    def _tab_clicked(self, event: PaneTabs.PaneSelected) -> None:
        self._go(event.pane)

    def action_next_tab(self) -> None:
        """Show the next tab."""
        self._step(1)

    def action_previous_tab(self) -> None:
        """Show the tab before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        names = list(TABS)
        self._go(names[(names.index(self.places.model.tab) + by) % len(names)])

    def _go(self, tab: str) -> None:
        self.places.model.tab = tab
        self.tabs.light(tab)
        self.places.marks.set(())
        self._show()
        self.places.move_cursor(0)
        self.refresh_bindings()

    def action_apparent(self) -> None:
        """Show the apparent sizes of files, or those on disk."""
        self.places.model.is_apparent = not self.places.model.is_apparent
        self._show()

    def action_sort(self) -> None:
        """Sort by the next column."""
        model = self.places.model
        model.sort = SORTS[(SORTS.index(model.sort) + 1) % len(SORTS)]
        self._show()

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.places.model.is_reversed = not self.places.model.is_reversed
        self._show()

    # Deleting

    def _deleted(self) -> None:
        self.places.marks.set(())
        self.action_look()

    def _chosen(self) -> set[str]:
        row = self.places.row
        return set(self.places.marks.ids) or ({row.id} if row else set())

    def _workspaces(self) -> list[str]:
        found = self.places.model.workspaces_of(self._chosen())
        if not found:
            tell(app_of(self), "Choose a project, or the workspace of a run.", is_warning=True)
        return found

    def _sessions(self) -> list[str]:
        found = self.places.model.sessions_of(self._chosen())
        if not found:
            words = "Choose sessions of runs here: the rest of Codex's home is left alone."
            tell(app_of(self), words, is_warning=True)
        return found

    def _entries(self) -> list[TrashEntry]:
        model = self.places.model
        return model.entries_of(self._chosen()) if model.tab == "trash" else []

    def action_delete(self) -> None:
        """Delete what is marked, or chosen, after a question."""
        tab = self.places.model.tab
        if tab == "trash":
            self._deleting.empty(self._entries())
        elif tab == "Codex":
            self._deleting.ask(paths=self._sessions(), sessions=True)
        else:
            self._deleting.ask(paths=self._workspaces())

    def action_artefacts(self) -> None:
        """Delete only what can be made again, after a question."""
        self._deleting.ask(paths=self._workspaces(), artefacts_only=True)

    def action_undo(self) -> None:
        """Bring back what was deleted last, or in the trash, what is chosen."""
        self._deleting.undo(self._entries())

    def action_empty(self) -> None:
        """Empty the trash, after a question."""
        self._deleting.empty()

    def action_stop(self) -> None:
        """Measure no further; delete no further workspace."""
        if not stop_work(self) and self._looking:
            self._looking.cancel()
            self._looked_enough()

    async def action_back(self) -> None:
        """Clear the marks, or go back to the runs."""
        if stop_work(self):
            return
        if self.places.marks.ids:
            self.places.marks.clear()
            return
        await app_of(self).run_action("app.runs")
