"""A command: its id, keys, label, action and help."""

from __future__ import annotations

from engine.domain.record import record


@record
class Command:
    """A command of the user: one id for its key, its palette entry and its help.

    `does` is scope and action: who carries it out, and what. `footer` ranks the command in the
    footer (the smallest first, 0 for none). A command without keys lives in the palette alone.
    """

    id: str
    keys: str
    label: str
    does: str
    help: str
    footer: int = 0

    @property
    def scope(self) -> str:
        """The screen or widget that carries the command out."""
        return self.does.partition(".")[0]

    @property
    def action(self) -> str:
        """The action's name there."""
        return self.does.partition(".")[2]

    @property
    def meaning(self) -> str:
        """The meaning of its keys: one key has one meaning, whatever screen is shown."""
        return _SAME_MEANING.get(self.label, self.label)


_SAME_MEANING = {
    **dict.fromkeys(("read", "start run", "go there", "its log"), "open"),
    **dict.fromkeys(("cancel", "end them", "stop turn", "withdraw"), "stop"),
    **dict.fromkeys(("needs me", "changed", "parked", "only runs"), "show only"),
    **dict.fromkeys(("unfold", "expand", "next hunk"), "right"),
    **dict.fromkeys(("fold", "collapse", "hunk before"), "left"),
    **dict.fromkeys(("next tab", "next run", "older"), "next"),
    **dict.fromkeys(("previous tab", "run before", "newer"), "previous"),
    "copy id": "copy",
    "reviewed": "mark",
    "end": "back",
    "filter": "search",
    "list": "pane",
    "chart": "kinds",
    "send again": "retry",
    "since": "compare",
    "whole file": "files",
}
"""Labels that name the meaning of their key for one screen."""
