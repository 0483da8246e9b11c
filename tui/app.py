"""The dashboard: its screens, its theme, and the pump that hands them what happens."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

from rich.terminal_theme import TerminalTheme
from textual import events, on
from textual.app import App
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.notifications import Notify, SeverityLevel

from tui import commands
from tui.keymap import active_binding, checked_keymap
from tui.screens.live import (
    BatchRequested,
    CodeRequested,
    EditRequested,
    EventRequested,
    InboxRequested,
    LiveScreen,
    RunDiffRequested,
    RunsRequested,
    StartRequested,
    has_cluster,
)
from tui.services.modes import add_modes
from tui.services.queue_actions import QueueActions
from tui.services.theming import FAINT, Theming
from tui.services.toast_history import ToastHistory
from tui.terminal.closed_widgets import let_go_of_closed_widgets
from tui.widgets.base.throttle import FLUSH_S
from tui.widgets.runs.run_columns import checked_columns
from tui.widgets.status.toast import report

if TYPE_CHECKING:
    from textual.theme import Theme

    from engine.domain.node import ClusterSummary
    from engine.engine import EventBatch, EventStream, TaskTree
    from engine.ports.engine import EnginePort
    from tui.commands.command_line import CommandNames
    from tui.containment import Containment
    from tui.services.command_finder import CommandFinder
    from tui.services.external_programs import ExternalPrograms
    from tui.services.start_forms import StartForms


FLOOD, TORRENT = 300, 1500
"""Events of a batch that are more than anybody can follow: the next takes twice as long, or thrice.

These are 3,000 and 7,500 events a second.
"""
TERMINAL_ACTIONS = ("editor", "shell", "codex", "settings", "suspend_process")
APP_ACTIONS = {command.action for command in commands.COMMANDS if command.scope == "app"}


class SwarmApp(App[None]):
    """The full-screen face of an open engine; `goes_on`: its runs may outlive it."""

    TITLE = "swarm-tui"
    ENABLE_COMMAND_PALETTE = False  # the palette is a command of the table, with its own keys
    DEFAULT_MODE = "runs"
    CSS_PATH = "screens/runs.tcss"
    """The first screen's: read with it, Textual would parse all that came before once more."""
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("app")
    _colours: tuple[Theme, dict[str, str]] | None = None
    """A theme and its colours; Textual asks for them before our own constructor goes on."""

    def __init__(
        self,
        engine: EnginePort,
        clock: Callable[[], float] = time.time,
        *,
        goes_on: bool = True,
        seen: Callable[[], object] | None = None,
        command_line: CommandNames = tuple,
    ) -> None:
        super().__init__()
        let_go_of_closed_widgets()
        self.engine = engine
        self.clock = self._time_of_runs(clock)
        self.theming = Theming(self)
        self.toasts = ToastHistory(self)
        self.queue = QueueActions(self, goes_on=goes_on)
        self._command_line = command_line
        self._ansi: tuple[str, TerminalTheme] | None = None
        self._seen = seen
        self.containment: Containment | None = None
        """Container of faults of screens and widgets; without it, Textual ends at the first one."""
        self._tasks: TaskTree | None = None
        self.keys, self._problems = checked_keymap(engine.config.ui.keys)
        self._problems += checked_columns(engine.config.ui.columns)[1]
        self._problems += self.theming.begin()
        add_modes(self)

    def get_driver_class(self) -> type[Driver]:
        """Return the driver of our own, except in a browser and in tests of widgets."""
        if os.environ.get("TEXTUAL_DRIVER"):
            return super().get_driver_class()
        from tui.terminal.handover_driver import HandoverDriver

        return HandoverDriver

    # Collaborators that the first paint does not need are imported at first use

    @cached_property
    def programs(self) -> ExternalPrograms:
        """The user's own editor and shell."""
        from tui.services.external_programs import ExternalPrograms

        return ExternalPrograms(self)

    @cached_property
    def forms(self) -> StartForms:
        """The forms that start runs and batches."""
        from tui.services.start_forms import StartForms

        return StartForms(self)

    @cached_property
    def finder(self) -> CommandFinder:
        """The palette and the help."""
        from tui.services.command_finder import CommandFinder

        return CommandFinder(self, self._command_line)

    # Colours, toasts and the terminal: what Textual asks of an app

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything again if the colours changed; Textual asks once more at the start."""
        if self.theming.colours_changed():
            super().refresh_css(animate)

    @property
    def ansi_theme(self) -> TerminalTheme:
        """The terminal's own colours; found once per theme, because every drawn line reads it."""
        if self._ansi is None or self._ansi[0] != self.theme:
            self._ansi = (self.theme, super().ansi_theme)
        return self._ansi[1]

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return Textual's filters, and those for a terminal that shows only ASCII."""
        return [*super().get_line_filters(), *self.theming.line_filters]

    def get_css_variables(self) -> dict[str, str]:
        """Return the colours of the theme, computed once: Textual asks with every style."""
        if self._colours is None or self._colours[0] is not self.current_theme:
            self._colours = (self.current_theme, super().get_css_variables())
        return self._colours[1]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the colours that a theme may leave out."""
        return FAINT

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a toast, and remember it."""
        self.toasts.remember(message, title, severity)
        message, title = self.toasts.fitted(message, title)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def on_notify(self, event: Notify) -> None:
        """Remove toasts with the same text as a new one: many would cover the screen."""
        new = event.notification
        for old in list(self._notifications):
            if (old.title, old.message) == (new.title, new.message):
                self._unnotify(old, refresh=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy a text; in tmux by way of it too."""
        super().copy_to_clipboard(text)
        if not self.is_web:
            self.programs.copy(text)

    def write_control(self, text: str) -> None:
        """Write a control sequence to the terminal, where there is one."""
        if self._driver is not None and not self.is_headless and not self.is_web:
            self._driver.write(text)

    def stop_process(self) -> None:
        """Return the terminal, and stop this process until it is continued."""
        from tui.terminal.handover_driver import HandoverDriver

        if isinstance(self._driver, HandoverDriver):
            self._driver.stop_process()
            self.refresh(layout=True)  # the screen was given back
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def contain_faults(self) -> None:
        """Contain the faults of screens, widgets and workers: none ends the dashboard."""
        from tui.containment import Containment

        self.containment = Containment(self)

    def on_mount(self) -> None:
        """Take the settings' keys, and begin to listen."""
        self.set_keymap(self.keys)
        for problem in self._problems:
            self.notify(problem, title="CONFIG_INVALID", severity="warning", markup=False)
        self.toasts.begin_alerts()
        self._tasks = self.engine.tasks.branch()
        batches = self.engine.batches(FLUSH_S)
        self._tasks.start("dashboard", lambda: self._pump(batches))

    async def on_unmount(self) -> None:
        """Stop receiving events."""
        if self._tasks:
            await self._tasks.close()

    def on_ready(self) -> None:
        """Show the first screen as soon as it is composed, then start all that can wait."""
        from tui.screens.runs import RunsScreen

        # A key that was pressed early may have shown another screen by now.
        for first in self._first_stack():
            if isinstance(first, RunsScreen):
                first.call_later(first.unveil)
        self.screen.call_after_refresh(self._begin)

    def _first_stack(self) -> list[object]:
        """Return the screens of the first mode; none where its screen has failed already."""
        try:
            stack = self.get_screen_stack(self.DEFAULT_MODE)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  the library's type is partial
        except KeyError:
            return []
        return cast("list[object]", stack)

    def _begin(self) -> None:
        """Do what can wait until there is something to be seen."""
        from tui.screens.preload import preload_screens

        if self._seen:
            self._seen()
        if self._tasks:
            self._tasks.start("overlaps", self.engine.find_overlaps)
            if has_cluster(self.engine):
                self._tasks.start("nodes", lambda: self.engine.cluster.follow(self._hear_nodes))
            if not self.is_headless:  # tests import what they need
                self._tasks.start("screens", preload_screens)
        doctor = commands.BY_ID["screen.doctor"]
        way = " ".join(commands.keys_of(doctor, self.keys)[:1]) or "The palette"
        self.queue.report_orphans(f"{way} shows the doctor, who can end them.")

    def _time_of_runs(self, clock: Callable[[], float]) -> Callable[[], float]:
        """Return a clock that stands still while no process supervises the runs."""

        def now() -> float:
            stands_at = self.engine.lookout.since
            return clock() if stands_at is None else min(clock(), stands_at)

        return now

    async def _pump(self, batches: EventStream) -> None:
        """Hand every batch to the current mode's screen; in a flood a half or a third as often."""
        guard = self.engine.tasks.faults.guard
        async for batch in batches:
            with guard("alerts"):
                self.toasts.alert(batch)
            screen = self.live_screen
            # When the dashboard closes, the widgets of a screen go before the screen does.
            if screen and screen.is_mounted and screen.is_running:
                self._show(screen, batch)
            if len(batch.events) > FLOOD:
                await asyncio.sleep(FLUSH_S * (2 if len(batch.events) > TORRENT else 1))

    def _show(self, screen: LiveScreen, batch: EventBatch) -> None:
        """Show what happened; where that fails, show how all stands, and that it failed."""
        faults = self.engine.tasks.faults
        with faults.guard("screen"):
            screen.take(batch)
        if not faults.is_failing("screen"):
            faults.clear("whole screen")  # it is not entered again until the next fault
            return
        with faults.guard("whole screen"):
            screen.on_screen_resume()

    def _hear_nodes(self, cluster: ClusterSummary) -> None:
        """Show the cluster as it is seen now."""
        del cluster  # screens show the state that was seen last
        screen = self.live_screen
        if screen and screen.is_mounted and screen.is_running:
            screen.tick() if self.current_mode == "nodes" else screen.tell_queue()

    def _handle_exception(self, error: Exception) -> None:
        """Contain what was raised; where the program itself failed, end it with one message."""
        if self.containment is None:
            super()._handle_exception(error)
        elif not self.containment.contain(error):
            self._return_code = 1
            self.panic(self.containment.last_words(error))

    # Screens

    @property
    def live_screen(self) -> LiveScreen | None:
        """The screen of the current mode, below any open dialog."""
        screen = self.screen_stack[0]
        return screen if isinstance(screen, LiveScreen) else None

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The run that is shown, and the file, if it is one."""
        return self.live_screen.subject if self.live_screen else None

    @on(CodeRequested)
    async def _show_wanted(self, wanted: CodeRequested) -> None:
        """Show something of a run on the screen made for it."""
        from tui.screens.changes import ChangesScreen
        from tui.screens.code import CodeScreen

        came_from = self.current_mode
        await self.switch_mode(wanted.mode)
        screen = self.live_screen
        if isinstance(screen, ChangesScreen):
            screen.review.begin(wanted.queue)
        if isinstance(screen, CodeScreen):
            # The file leads back to its diff, the diff never back to the file.
            back = wanted.mode == "file" or came_from in ("batch", "usage")
            screen.came_from = came_from if back else "runs"
            screen.open(wanted.run_id, wanted.path)

    @on(RunDiffRequested)
    async def _show_run_diff(self, wanted: RunDiffRequested) -> None:
        """Show how a run differs from another one; the way back leads to where it was asked."""
        from tui.screens.run_diff import RunDiffScreen

        came_from = self.current_mode
        await self.switch_mode("rundiff")
        if isinstance(self.live_screen, RunDiffScreen):
            self.live_screen.came_from = came_from
            self.live_screen.open(wanted.run_id, wanted.other)

    @on(BatchRequested)
    async def _show_batch(self, wanted: BatchRequested) -> None:
        """Show a batch on the screen made for it."""
        from tui.screens.batch import BatchScreen

        came_from = self.current_mode
        await self.switch_mode("batch")
        if isinstance(self.live_screen, BatchScreen):
            self.live_screen.came_from = "usage" if came_from == "usage" else "runs"
            self.live_screen.open(wanted.batch)

    @on(EventRequested)
    async def _show_event(self, wanted: EventRequested) -> None:
        """Show an event in the log of its run."""
        from tui.screens.runs import RunsScreen

        await self.action_runs()
        screen = self.live_screen
        if isinstance(screen, RunsScreen):
            screen.show_event(wanted)

    # Keys that cannot act now

    def on_key(self, event: events.Key) -> None:
        """Show why a greyed key does nothing, where its grey does not explain it."""
        active = active_binding(self.screen, event.key)
        if active and not active.enabled and active.binding.id:
            self._explain(active.binding.id)

    def _explain(self, command_id: str) -> None:
        screen = self.live_screen
        reason = screen.why_not(command_id) if screen else None
        if reason:
            report(self, reason)

    # Commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep the program's own commands out of dialogs, an editor from where it has nothing."""
        if action in APP_ACTIONS and self.screen is not self.live_screen:
            return False
        if action in ("editor", "shell", "codex") and self.subject is None:
            return False
        # In a browser there is no terminal to lend.
        if action in TERMINAL_ACTIONS and self.is_web:
            return False
        return super().check_action(action, parameters)

    def action_new_run(self) -> None:
        """Open the form of a new run."""
        self.forms.new_run()

    @on(StartRequested)
    def _start_wanted(self, wanted: StartRequested) -> None:
        self.forms.new_run(wanted.template)

    def action_new_batch(self) -> None:
        """Open the form of a new batch."""
        self.forms.new_batch()

    def action_help(self) -> None:
        """Show the keys of this screen."""
        self.finder.open_help()

    def action_palette(self) -> None:
        """Offer every command, template and run by its name."""
        self.finder.open_palette()

    async def action_runs(self) -> None:
        """Show the runs."""
        await self.switch_mode("runs")

    async def action_disk(self) -> None:
        """Show what takes room, and measure again."""
        await self.switch_mode("disk")
        await self.run_action("screen.look")

    async def action_templates(self) -> None:
        """Show the run templates."""
        await self.switch_mode("templates")

    async def action_notifications(self) -> None:
        """Show the receivers of notifications."""
        await self.switch_mode("notifications")

    async def action_find(self) -> None:
        """Search the history of all runs."""
        await self.switch_mode("find")

    async def action_patterns(self) -> None:
        """Show what worked."""
        await self.switch_mode("patterns")

    async def action_doctor(self) -> None:
        """Show what may keep runs from working, and look again."""
        await self.switch_mode("doctor")

    async def action_inbox(self) -> None:
        """Show what agents ask for."""
        from tui.screens.inbox import InboxScreen

        await self.switch_mode("inbox")
        if isinstance(self.live_screen, InboxScreen):
            self.live_screen.show_requests()

    async def action_usage(self) -> None:
        """Show usage and limits."""
        await self.switch_mode("usage")

    async def action_nodes(self) -> None:
        """Show the nodes of the cluster."""
        await self.switch_mode("nodes")

    @on(RunsRequested)
    async def _show_runs(self, wanted: RunsRequested) -> None:
        """Show the runs that match a filter."""
        from tui.screens.runs import RunsScreen

        await self.action_runs()
        if isinstance(self.live_screen, RunsScreen):
            self.live_screen.browser.show_filtered(wanted.filter)

    @on(InboxRequested)
    async def _show_inbox(self, wanted: InboxRequested) -> None:
        """Show the requests of a run."""
        from tui.screens.inbox import InboxScreen

        await self.action_inbox()
        if isinstance(self.live_screen, InboxScreen):
            self.live_screen.go_to_run(wanted.run_id)

    def action_pause(self) -> None:
        """Pause the queue, or continue it."""
        self.queue.toggle_pause()

    def action_more_slots(self) -> None:
        """Allow one run more at a time."""
        self.queue.change_slots(1)

    def action_fewer_slots(self) -> None:
        """Allow one run less at a time; those that run go on."""
        self.queue.change_slots(-1)

    async def action_quit(self) -> None:
        """Quit; live runs continue where they can, else ask first."""
        self.queue.quit()

    def action_switch_theme(self) -> None:
        """Switch between the dark and the light theme."""
        self.theming.switch()

    def action_choose_theme(self) -> None:
        """Choose one of all themes."""
        self.theming.choose()

    def action_editor(self) -> None:
        """Open the file that is shown in the editor, or the run in a program to choose."""
        self.programs.open()

    def action_codex(self) -> None:
        """Open the thread of the run in interactive Codex."""
        self.programs.open_thread()

    def action_settings(self) -> None:
        """Edit the settings file."""
        self.programs.edit_settings()

    def action_shell(self) -> None:
        """Open a shell in the workspace."""
        self.programs.open_shell()

    @on(EditRequested)
    def _edit_wanted(self, wanted: EditRequested) -> None:
        self.programs.edit_own(wanted)
