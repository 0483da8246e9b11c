"""What takes room: by project, run and folder, live while it is measured, and how to free it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.domain.lifecycle import FINISHED
from tui import commands, show
from tui.screens.deleting import Deleting
from tui.screens.live import LiveScreen
from tui.toast import app_of, attempt
from tui.widgets.disk_rows import SORTS, TABS
from tui.widgets.disk_tree import DiskTree
from tui.widgets.key_bar import KeyBar
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from pathlib import Path

    from engine.engine import Engine, Usage


class DiskScreen(LiveScreen):
    """Sizes are measured anew whenever the screen is asked for."""

    DEFAULT_CSS = """
    DiskScreen {
        background: $background;
        DiskTree { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("disk")

    places = getters.query_one(DiskTree)
    tabs = getters.query_one(PaneTabs)

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._deleting = Deleting(self, self._say, self.action_look)
        self._said = ""
        self._is_looking = False
        self._looked_at: dict[str, int] = {}

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield TopBar()
        yield PaneTabs(tuple(TABS))
        yield DiskTree(self.clock)
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Give the keys to the list."""
        self.places.focus()

    def carrier(self, scope: str) -> DOMNode | None:
        """Give who carries out the commands of a scope here."""
        widgets: dict[str, DOMNode] = {"disk": self, "disktree": self.places}
        return widgets.get(scope)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what makes no sense in this tab."""
        del parameters
        if action in ("delete", "artefacts"):
            return True if self.places.model.tab == "workspaces" else None
        return True

    # Measuring

    def action_look(self) -> None:
        """Measure again."""
        self.run_worker(self._look, group="look", exclusive=True)

    async def _look(self) -> None:
        entries = await attempt(app_of(self), self.engine.disk.trash()) or ()
        places = self.places
        places.runs = self.engine.view.runs
        places.model.begin(places.runs, entries)
        self._is_looking = True
        try:
            await attempt(app_of(self), self.engine.disk.measure(self._told))
            places.model.end()
        finally:
            self._is_looking = False
        self._show()
        await self._look_for_work()

    def _told(self, one: Usage) -> None:
        self.places.model.tell(one)
        self._show()

    def _show(self) -> None:
        self.places.ask_renewal()
        total = self.places.model.total()
        parts = [f"Disk usage · {show.size(total.disk)}"]
        if total.rebuildable:
            parts.append(f"{show.size(total.rebuildable)} can be made again")
        parts.append(f"{show.size(self.engine.disk.free())} free")
        parts.append(f"by {self.places.model.sort}")
        if self._said or self._is_looking:
            parts.append(self._said or "measuring …")
        self.places.set_title(" · ".join(parts))

    def _say(self, text: str) -> None:
        self._said = text
        self._show()

    async def _look_for_work(self) -> None:
        """Find out what of each run's work is nowhere else, one after the other."""
        for run in list(self.engine.view.runs.values()):
            there = run.workspace is not None and not run.in_trash
            if there and run.status in FINISHED and self._looked_at.get(run.id) != run.seq:
                lost = await attempt(app_of(self), self.engine.disk.unsaved(run.id))
                if lost is not None:
                    self._looked_at[run.id] = run.seq
                    self.places.states[run.id] = lost
                    self.places.refresh()

    @on(DiskTree.Unfolded)
    def _unfolded(self, event: DiskTree.Unfolded) -> None:
        path = event.row.path
        if path is not None and not self.places.model.knows_inside(path):
            self.run_worker(self._look_inside(path), group="inside")

    async def _look_inside(self, path: Path) -> None:
        found: list[Usage] = []
        await attempt(app_of(self), self.engine.disk.inside(path, found.append))
        self.places.model.tell_inside(path, found)
        self.places.renew()

    # Tabs and order

    @on(PaneTabs.Chosen)
    def _tab_clicked(self, event: PaneTabs.Chosen) -> None:
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
        self.places.renew()
        self.places.move_cursor(0)
        self._show()
        self.refresh_bindings()

    def action_sort(self) -> None:
        """Sort by the next column."""
        model = self.places.model
        model.sort = SORTS[(SORTS.index(model.sort) + 1) % len(SORTS)]
        self.places.renew()
        self._show()

    # Deleting

    def _chosen(self) -> list[str]:
        row = self.places.row
        ids = self.places.marks or ({row.id} if row else set[str]())
        return self.places.model.runs_of(ids)

    def action_delete(self) -> None:
        """Delete the marked workspaces, or the chosen one, after a question."""
        self._deleting.ask(self._chosen())

    def action_artefacts(self) -> None:
        """Delete only what can be made again, after a question."""
        self._deleting.ask(self._chosen(), artefacts_only=True)

    def action_undo(self) -> None:
        """Bring back what was deleted last."""
        self._deleting.undo()

    def action_empty(self) -> None:
        """Empty the trash, after a question."""
        self._deleting.empty()

    def action_stop(self) -> None:
        """Delete no further workspace."""
        self._deleting.stop()

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")
