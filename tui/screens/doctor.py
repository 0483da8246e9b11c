"""Problems that may keep runs from working here, and the fix for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from engine.doctor import CheckHealth, Finding
from engine.domain.errors import UserError, user_error
from tui import commands
from tui.keymap import checked_keymap
from tui.screens.live import LiveScreen
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.findings import Findings
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

LOOKING = "Looking at Codex, git, the disk, the database, the settings and the terminal …"
ORPHANS = "orphans"
"""The finding about processes that are left of runs that have ended."""


class DoctorScreen(LiveScreen):
    """The findings, looked up whenever the screen is opened."""

    DEFAULT_CSS = """
    DoctorScreen {
        background: $background;
        Findings { height: 1fr; }
        &.-tiny, &.-short {
            TopBar, Findings, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("doctor")

    findings = getters.query_one(Findings)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._found: Sequence[Finding] = ()

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield Findings(empty_text=LOOKING)
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Check again: earlier problems may be fixed."""
        self.findings.focus()
        self.action_look()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "doctor" else None

    @property
    def _has_orphans(self) -> bool:
        return any(one.name == ORPHANS and one.health is not CheckHealth.OK for one in self._found)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the ending of processes where there are none."""
        del parameters
        return None if action == "end" and not self._has_orphans else True

    def why_not(self, command_id: str) -> UserError | None:
        """Return why there is nothing to end."""
        if command_id != "doctor.end":
            return None
        message = "No processes are left of runs that have ended."
        return user_error("INPUT_INVALID", message, "Nothing to do.")

    def action_look(self) -> None:
        """Look again."""
        self.findings.set_title("Doctor · looking …")
        self.run_worker(self._look, group="look", exclusive=True)

    async def _look(self) -> None:
        found = await attempt(app_of(self), self.engine.doctor.examine(told=self._show_first))
        self._found = self._found if found is None else [*found, *_keys(self.engine)]
        bad = sum(one.health is not CheckHealth.OK for one in self._found)
        self.findings.set_title(f"Doctor · {f'{bad} to look at' if bad else 'all well'}")
        self.findings.show([_here(one) for one in self._found])
        self.refresh_bindings()

    def _show_first(self, found: Sequence[Finding]) -> None:
        """Show what is known while the whole database is read."""
        self._found = [*found, *_keys(self.engine)]
        self.findings.set_title("Doctor · reading the whole database …")
        self.findings.show([_here(one) for one in self._found])
        self.refresh_bindings()

    def action_end(self) -> None:
        """End what is left of runs that have ended, after a question."""
        from tui.screens.confirm import ConfirmChoice, confirm

        def end() -> None:
            self.run_worker(self._end, group="end")

        question = "End the processes that ended runs left behind? No live run is affected."
        confirm(app_of(self), question, ConfirmChoice("end", "x", "End them", is_danger=True), end)

    async def _end(self) -> None:
        count = await attempt(app_of(self), self.engine.doctor.end_orphans())
        if count is not None:
            tell(app_of(self), f"Ended the processes of {count} run{'' if count == 1 else 's'}.")
        self.action_look()

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")


def _keys(engine: EnginePort) -> list[Finding]:
    """Find what is wrong with the user's own keys: only the dashboard knows its commands."""
    way_out = "Fix it in the settings; the help (?) lists all names."
    _, problems = checked_keymap(engine.config.ui.keys)
    return [Finding("keys", CheckHealth.WARNING, problem, way_out) for problem in problems]


def _here(found: Finding) -> Finding:
    """Return the fix in terms of the dashboard, where the doctor names a command."""
    if found.name != ORPHANS or found.health is CheckHealth.OK:
        return found
    return Finding(found.name, found.health, found.message, "x ends them, after a question.")
