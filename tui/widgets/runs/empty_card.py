"""The card of an empty home: what is missing for a first run, and the keys to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from tui import formatting
from tui.commands import BY_ID, first_key
from tui.terminal.cells import clean
from tui.widgets.base.containers import TransparentVertical

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.engine import Finding

KEYS = ("run.new", "batch.new", "app.help", "app.quit")
"""The commands that matter before there are any runs."""
AGENT = "codex"
DEMO = "`swarm-tui demo` shows simulated runs, without Codex."


class EmptyCard(TransparentVertical):
    """A centred card, shown while there are no runs."""

    DEFAULT_CSS = """
    EmptyCard {
        height: 1fr;
        align: center middle;
        #card {
            width: 64; max-width: 96%; height: auto; padding: 1 3;
            border: round $border-blurred; border-title-color: $foreground;
        }
    }
    """

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap
        self._findings: Sequence[Finding] | None = None
        self.display = False

    def compose(self) -> ComposeResult:
        """Create the card."""
        card = Static(self._text(), id="card")
        card.border_title = "No runs yet"
        yield card

    def show(self, findings: Sequence[Finding]) -> None:
        """Show what the doctor found out about Codex."""
        self._findings = findings
        self.query_one("#card", Static).update(self._text())

    def _text(self) -> Content:
        lines = [*self._state(), Content("")]
        for command_id in KEYS:
            command = BY_ID[command_id]
            key = first_key(command_id, self._keymap)
            lines.append(Content.assemble((f"{key:>3}", "bold $accent"), "  ", command.help))
        lines += [Content(""), Content.styled(DEMO, "$secondary")]
        return Content("\n").join(lines)

    def _state(self) -> list[Content]:
        if self._findings is None:
            return [Content.styled("Looking for Codex …", "$secondary")]
        of_agent = [one for one in self._findings if one.name.partition(" ")[0] == AGENT]
        missing = [one for one in of_agent if one.health == "fail"]
        if not missing:
            return [Content.styled("Codex is ready.", "$success")]
        lines: list[Content] = []
        for finding in missing:
            sign = formatting.sign("✗", "x")
            lines.append(
                Content.assemble((f"{sign} ", "$error"), (clean(finding.message, 200), "bold"))
            )
            if finding.recovery:
                lines.append(Content(f"  {clean(finding.recovery, 300)}"))
        return lines
