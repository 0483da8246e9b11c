"""The palette and the help: which commands there are, who carries them out, and why not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.dom import DOMNode

from tui import commands
from tui.commands import Command
from tui.commands.command_line import CommandNames
from tui.screens.live import StartRequested

if TYPE_CHECKING:
    from tui.app import SwarmApp
    from tui.screens.palette import CommandEntry, Entry

OPENED_BY = {
    "batch": "view.batch",
    "changes": "view.changes",
    "code": "view.changes",
    "compare": "batch.compare",
    "disk": "screen.disk",
    "disktree": "screen.disk",
    "doctor": "screen.doctor",
    "find": "screen.find",
    "form": "run.new",
    "inbox": "screen.inbox",
    "message": "run.message",
    "queue": "run.message",
    "rundiff": "compare.diff",
    "notify": "screen.told",
    "patterns": "screen.patterns",
    "templates": "screen.templates",
    "usage": "screen.usage",
}
"""The commands that lead to where the commands of a scope can be used; else to the runs."""
NOT_NOW = "Not available now."


class CommandFinder:
    """Finder of commands for the palette and the help."""

    def __init__(self, app: SwarmApp, command_line: CommandNames = tuple) -> None:
        self._app, self._command_line = app, command_line

    def carrier(self, command: Command) -> DOMNode | None:
        """Return the node that runs a command on the present screen; None if there is none."""
        if command.scope == "app":
            return self._app
        screen = self._app.live_screen
        return screen.carrier(command.scope) if screen else None

    def applicable(self) -> list[Command]:
        """Return the commands that mean something on the present screen, even if not right now."""
        active = {each.binding.id for each in self._app.screen.active_bindings.values()}
        return [
            command
            for command in commands.COMMANDS
            if command.id in active or self.carrier(command) is not None
        ]

    def open_help(self) -> None:
        """Show the keys of the present screen."""
        from tui.screens.help import HelpScreen

        self._app.push_screen(HelpScreen(self.applicable(), self._app.keys, self._command_line))

    def open_palette(self) -> None:
        """Offer every command, template and run by its name."""
        from tui.screens.drafted_template import templates_for
        from tui.screens.palette import Palette

        app = self._app
        offered = [self._entry(each) for each in commands.COMMANDS if each.id != "app.palette"]
        runs = sorted(app.engine.view.runs.values(), key=lambda run: run.id, reverse=True)
        templates = partial(templates_for, app.engine.templates)
        palette = Palette(offered, runs, templates, self._command_line)
        app.push_screen(palette, self._chosen)

    def _entry(self, command: Command) -> CommandEntry:
        from tui.screens.palette import CommandEntry

        keys = " ".join(commands.keys_of(command, self._app.keys))
        node = self.carrier(command)
        if node is None:
            return CommandEntry(command, keys, self._where(command))
        if node.check_action(command.action, ()):
            return CommandEntry(command, keys)
        screen = self._app.live_screen
        error = screen.why_not(command.id) if screen else None
        return CommandEntry(command, keys, error.message if error else NOT_NOW)

    def _where(self, command: Command) -> str:
        opener = commands.BY_ID[OPENED_BY.get(command.scope, "screen.runs")]
        keys = commands.keys_of(opener, self._app.keys)
        return f"First {keys[0]} ({opener.label})" if keys else f"First: {opener.help}"

    async def _chosen(self, entry: Entry | None) -> None:
        """Run the command, or open the run or template, chosen in the palette."""
        from tui.screens.palette import CommandEntry, RunEntry, TemplateEntry

        app = self._app
        match entry:
            case CommandEntry(command):
                await app.run_action(command.action, self.carrier(command))
            case TemplateEntry(template):
                app.post_message(StartRequested(template.name))
            case RunEntry(run):
                await app.action_runs()
                if app.live_screen:
                    app.live_screen.reveal(run.id)
            case None:
                pass
