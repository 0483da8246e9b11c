"""The palette: commands, templates and runs by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets.option_list import Option

from engine.domain.model import Run
from engine.engine import Template
from tui import formatting
from tui.commands import Command
from tui.commands.command_line import CommandNames, command_line_hint
from tui.commands.synonyms import SYNONYMS
from tui.screens.search import SearchDialog
from tui.terminal.cells import clean, crop, fit

NAME_WIDTH = 36
ID_WIDTH = 16
REASON_WIDTH = 33
GREY = "$faint"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command; greyed, with the reason, where it cannot act now."""

    command: Command
    keys: str
    why_not: str = ""
    """Reason why it cannot act now; empty where it can."""

    @property
    def enabled(self) -> bool:
        """Return whether it can act now."""
        return not self.why_not

    @property
    def words(self) -> str:
        """The words by which it is found."""
        command = self.command
        return f"{command.help} {command.id} {command.label} {SYNONYMS.get(command.id, '')}"

    def draw(self) -> Content:
        """Draw it with its keys, or with the reason why it is greyed."""
        name = fit(self.command.help, NAME_WIDTH - 1) + " "
        if self.why_not:
            return Content.assemble((name, GREY), (crop(self.why_not, REASON_WIDTH), "$faint"))
        return Content.assemble(
            (name, "$foreground"),
            (self.command.id.ljust(ID_WIDTH), "$faint"),
            (self.keys, "$accent"),
        )


@dataclass(frozen=True, slots=True)
class TemplateEntry:
    """A template to start a run from."""

    template: Template
    enabled = True

    @property
    def words(self) -> str:
        """The words by which it is found."""
        about = clean(self.template.keys.description or "", 200)
        return f"Start from template {self.template.name} {about}"

    def draw(self) -> Content:
        """Draw it with what it does."""
        name = fit(f"Start from template {clean(self.template.name, 80)}", NAME_WIDTH)
        about = clean((self.template.keys.description or "").strip(), 200)
        return Content.assemble((name, "$foreground"), (about, "$secondary"))


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run to go to."""

    run: Run
    enabled = True

    @property
    def words(self) -> str:
        """The words by which it is found."""
        run = self.run
        status, project = formatting.word(run.status), clean(run.spec.project, 80)
        return f"{formatting.title(run)} {run.id} {status} {project}"

    def draw(self) -> Content:
        """Draw it as the list does, its status in words."""
        run = self.run
        status = f"{formatting.glyph(run.status)} {formatting.word(run.status)}"
        return Content.assemble(
            (formatting.fit_title(formatting.title(run), NAME_WIDTH - 1), "$foreground"),
            " ",
            (fit(run.id, ID_WIDTH), "$faint"),
            (status, formatting.style(run.status)),
        )


Entry = CommandEntry | TemplateEntry | RunEntry
Templates = Callable[[], Awaitable[Mapping[str, Template]]]


class Palette(SearchDialog[Entry]):
    """Answers with what was chosen, or None; `templates` are looked for when it is open."""

    PLACEHOLDER = "A command, a run, a template"

    def __init__(
        self,
        commands: Sequence[CommandEntry],
        runs: Sequence[Run],
        templates: Templates,
        command_line: CommandNames = tuple,
    ) -> None:
        super().__init__()
        # Those that can act now come first.
        entries = sorted(commands, key=lambda entry: not entry.enabled)
        self._commands: dict[str, Entry] = {entry.command.id: entry for entry in entries}
        self._templates: dict[str, Entry] = {}
        self._runs: dict[str, Entry] = {f"run {run.id}": RunEntry(run) for run in runs}
        self._look_for = templates
        self._command_line = command_line

    def on_mount(self) -> None:
        """Look for the templates."""
        super().on_mount()
        self.run_worker(self._add_templates, group="templates")

    async def _add_templates(self) -> None:
        for name, template in (await self._look_for()).items():
            if not template.problem:
                self._templates[f"template {name}"] = TemplateEntry(template)
        self.entries_changed()

    def entries(self) -> Sequence[tuple[str, str]]:
        """Return all entries with the words by which they are found."""
        everything = self._commands | self._templates | self._runs
        return [(id, entry.words) for id, entry in everything.items()]

    def offered(self) -> Sequence[str]:
        """Begin with the commands."""
        return list(self._commands)

    def tier(self, id: str) -> int:
        """Return the place of a choice: commands, those that cannot act, templates, runs."""
        entry = self._entry(id)
        match entry:
            case CommandEntry():
                return 0 if entry.enabled else 1
            case TemplateEntry():
                return 2
            case RunEntry():
                return 3

    def note(self, typed: str, found: Sequence[str]) -> str:
        """Name the command of the command line that is meant, where none is found here."""
        if any(id in self._commands for id in found):
            return ""
        hint = command_line_hint(typed, self._command_line)
        if found:
            return hint
        return f"No such command here: {hint}" if hint else "No such command."

    def is_within(self, id: str, words: Sequence[str], text: str) -> bool:
        """Find runs and templates by a part of an id, or of words of a script without spaces."""
        if id in self._commands or not all(_may_be_within(word) for word in words):
            return False
        return super().is_within(id, words, text)

    def allows_close(self, words: Sequence[str]) -> bool:
        """Return whether the words name no command of the command line."""
        return not command_line_hint(" ".join(words), self._command_line)

    def answer(self, id: str) -> Entry:
        """Return the chosen entry."""
        return self._entry(id)

    def option(self, id: str) -> Option:
        """Draw a choice."""
        entry = self._entry(id)
        return Option(entry.draw(), id=id, disabled=not entry.enabled)

    def _entry(self, id: str) -> Entry:
        found = self._commands.get(id) or self._templates.get(id) or self._runs.get(id)
        assert found
        return found


def _may_be_within(word: str) -> bool:
    return not word.isascii() or any(letter.isdigit() for letter in word)
