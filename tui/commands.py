"""The one table of commands: bindings, footer, palette, help and the README's keys come from it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from textual.binding import Binding, BindingType

from engine.domain.record import record


@record
class Command:
    """Something the user can ask for: one id for its key, its palette entry and its help.

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
    **dict.fromkeys(("read", "start run", "go there"), "open"),
    **dict.fromkeys(("cancel", "end them"), "stop"),
    **dict.fromkeys(("needs me", "changed", "parked"), "show only"),
    **dict.fromkeys(("unfold", "expand", "next hunk"), "right"),
    **dict.fromkeys(("fold", "collapse", "hunk before"), "left"),
    **dict.fromkeys(("next tab", "next file", "older"), "next"),
    **dict.fromkeys(("previous tab", "file before", "newer"), "previous"),
    "copy id": "copy",
    "end": "back",
    "filter": "search",
    "list": "pane",
    "send again": "retry",
    "since": "compare",
    "whole file": "files",
}
"""Labels that name the meaning of their key for one screen."""

_REMOVE = "Delete (asks); trash: for good"
_ARTEFACTS = "Delete rebuildable folders (asks)"

GROUPS: dict[str, tuple[Command, ...]] = {
    "Runs": (
        Command("run.new", "n", "new", "app.new_run", "Start a new run", 10),
        Command("batch.new", "N", "batch", "app.new_batch", "Start a batch of many runs", 69),
        Command("run.open", "enter", "open", "list.open", "Open the log of the run", 15),
        Command("run.cancel", "x", "cancel", "runs.cancel_run", "Cancel the run", 20),
        Command("run.kill", "X", "kill", "runs.kill_run", "Kill the run now (asks)"),
        Command("run.retry", "r", "retry", "runs.retry_run", "Retry: continue in its thread", 30),
        Command("run.edit", "e", "edit", "runs.edit_run", "Edit the prompt, then retry", 52),
        Command("run.resume", "R", "resume", "runs.resume_run", "Resume with a message", 47),
        Command("run.fresh", "", "fresh", "runs.fresh_run", "Retry from scratch (asks)"),
        Command("run.apply", "a", "apply", "runs.apply_run", "Apply the changes to the source", 35),
        Command(
            "run.delete", "d", "delete", "runs.delete_workspace", "Delete the workspace (asks)", 42
        ),
        Command("run.undo", "u", "undo", "runs.undo_delete", "Restore the last deletion", 43),
        Command("run.copy_id", "y", "copy id", "runs.copy_id", "Copy the run's id"),
    ),
    "Marks": (
        Command("mark.toggle", "space", "mark", "list.mark", "Mark or unmark the run", 95),
        Command("mark.range", "v", "range", "list.mark_range", "Start or end a range of marks"),
        Command("mark.all", "A", "mark all", "list.mark_all", "Mark all shown runs"),
        Command(
            "mark.clear",
            "ctrl+backslash",
            "clear",
            "list.clear_marks",
            "Clear the marks (esc, too)",
        ),
    ),
    "List": (
        Command("move.down", "j,down", "down", "list.cursor_down", "Go to the next run"),
        Command("move.up", "k,up", "up", "list.cursor_up", "Go to the previous run"),
        Command("move.top", "g,home", "top", "list.cursor_top", "Go to the first run"),
        Command("move.bottom", "G,end", "bottom", "list.cursor_bottom", "Go to the last run"),
        Command(
            "move.page_down", "pagedown", "page down", "list.page_down", "Scroll one page down"
        ),
        Command("move.page_up", "pageup", "page up", "list.page_up", "Scroll one page up"),
        Command("list.filter", "slash", "filter", "runs.filter", "Filter the runs as you type", 45),
        Command(
            "list.needs_me",
            "w",
            "needs me",
            "runs.needs_me",
            "Show only runs that need attention",
            90,
        ),
        Command("list.sort", "s", "sort", "runs.sort", "Sort by the next column", 87),
        Command("list.reverse", "S", "reverse", "runs.reverse", "Reverse the order"),
        Command("list.group", "b", "group", "runs.group", "Group by the next property", 88),
        Command("list.triage", "C", "causes", "runs.triage", "Group failed runs by cause", 89),
        Command("list.fold", "left", "fold", "list.left", "Fold the group, or move left"),
        Command("list.unfold", "right", "unfold", "list.right", "Unfold the group, or move right"),
    ),
    "Panes": (
        Command("view.log", "l", "log", "runs.log", "Go to the event log", 58),
        Command("view.files", "f", "files", "runs.files", "Go to the workspace's files", 55),
        Command("view.changes", "c", "changes", "runs.changes", "Show the changes of the run", 38),
        Command("view.fleet", "T", "fleet", "runs.fleet", "Show runs as tiles or as a list", 72),
        Command("view.batch", "B", "its batch", "runs.batch", "Show the batch of the run", 91),
        Command("view.details", "i", "details", "runs.details", "Show the details of the run", 50),
        Command(
            "run.checkpoints",
            "",
            "checkpoints",
            "runs.details",
            "Restore a checkpoint of the run",
        ),
        Command("pane.next", "tab", "pane", "runs.next_pane", "Go to the next pane", 75),
        Command(
            "pane.previous",
            "shift+tab",
            "pane before",
            "runs.previous_pane",
            "Go to the previous pane",
        ),
        Command("tab.next", "]", "next tab", "runs.next_pane", "Go to the next tab"),
        Command(
            "tab.previous", "[", "previous tab", "runs.previous_pane", "Go to the previous tab"
        ),
        Command("pane.zoom", "z", "zoom", "runs.zoom", "Maximize or restore the pane", 70),
        Command("pane.wider", "greater_than_sign", "wider", "runs.wider", "Widen the run list"),
        Command(
            "pane.narrower", "less_than_sign", "narrower", "runs.narrower", "Narrow the run list"
        ),
        Command("view.back", "escape", "back", "runs.back", "Clear the marks, or go back", 6),
    ),
    "Log": (
        Command("log.follow", "F", "follow", "runs.follow", "Follow the end of the log", 80),
        Command(
            "log.unfold", "enter", "open", "log.unfold", "Unfold the entry, or open its file", 15
        ),
        Command("log.search", "slash", "search", "logs.search", "Search the whole log", 16),
        Command("log.next", "n", "next match", "logs.next_match", "Go to the next match", 17),
        Command(
            "log.previous",
            "N",
            "previous match",
            "logs.previous_match",
            "Go to the previous match",
            18,
        ),
        Command("log.leave", "escape", "end", "logs.leave", "Leave the range or the search"),
        Command(
            "log.bookkeeping",
            "full_stop",
            "book-keeping",
            "logs.bookkeeping",
            "Show or hide book-keeping",
            19,
        ),
        Command("log.kinds", "K", "kinds", "logs.kinds", "Choose which events to show", 60),
        Command("log.wrap", "W", "wrap", "log.wrap", "Wrap or cut long lines", 61),
        Command("log.times", "t", "time", "log.times", "Switch how times are shown", 62),
        Command("log.range", "v", "range", "log.mark_range", "Start or end a range of lines", 63),
        Command("log.copy", "y", "copy", "log.copy", "Copy the line or the marked lines", 64),
        Command(
            "log.all", "L", "all runs", "runs.all_runs", "Show the log of all runs or of one", 84
        ),
        Command("plan.whole", "P", "plan", "runs.plan", "Show or hide the whole plan", 86),
    ),
    "Files": (
        Command("tree.open", "enter", "open", "files.open", "Open the file or folder", 15),
        Command("tree.expand", "right", "expand", "files.expand", "Expand the folder"),
        Command("tree.collapse", "left", "collapse", "files.collapse", "Collapse the folder"),
        Command("tree.filter", "slash", "filter", "files.filter", "Filter the files", 40),
        Command(
            "tree.changed", "w", "changed", "files.changed_only", "Show only changed files", 45
        ),
    ),
    "Changes and files": (
        Command("changes.open", "enter", "read", "changes.open", "Go to the file's diff", 10),
        Command(
            "changes.hunk", "right", "next hunk", "changes.next_hunk", "Go to the next hunk", 12
        ),
        Command(
            "changes.hunk_before",
            "left",
            "hunk before",
            "changes.last_hunk",
            "Go to the previous hunk",
        ),
        Command("changes.file", "]", "next file", "changes.next_file", "Go to the next file", 14),
        Command(
            "changes.file_before",
            "[",
            "file before",
            "changes.last_file",
            "Go to the previous file",
        ),
        Command(
            "changes.beside",
            "vertical_line",
            "side by side",
            "changes.beside",
            "Switch side by side and inline",
            16,
        ),
        Command(
            "changes.apply", "a", "apply", "changes.apply", "Apply the changes to the source", 17
        ),
        Command(
            "changes.since",
            "equals_sign",
            "since",
            "changes.since",
            "Choose the checkpoint to compare",
            18,
        ),
        Command("changes.whole", "f", "whole file", "changes.whole", "Show the whole file", 20),
        Command(
            "changes.pane", "tab", "pane", "changes.next_pane", "Switch between files and diff", 22
        ),
        Command(
            "changes.pane_before",
            "shift+tab",
            "pane before",
            "changes.next_pane",
            "Switch between diff and files",
        ),
        Command("changes.zoom", "z", "zoom", "changes.zoom", "Maximize or restore the diff", 24),
        Command("code.right", "shift+right", "scroll right", "code.right", "Scroll right", 40),
        Command("code.left", "shift+left", "scroll left", "code.left", "Scroll left"),
        Command("code.refresh", "f5", "refresh", "code.refresh", "Refresh the view", 30),
        Command("code.back", "escape", "back", "code.back", "Go back", 11),
    ),
    "Queue": (
        Command("queue.pause", "p", "pause", "app.pause", "Pause or resume the queue", 85),
        Command("queue.more", "plus", "more slots", "app.more_slots", "Add a slot"),
        Command("queue.fewer", "minus", "fewer slots", "app.fewer_slots", "Remove a slot"),
    ),
    "Program": (
        Command("screen.runs", "1", "runs", "app.runs", "Show the runs"),
        Command("screen.disk", "2", "disk", "app.disk", "Show disk usage"),
        Command("screen.templates", "3", "templates", "app.templates", "Show the run templates"),
        Command(
            "screen.patterns", "4", "patterns", "app.patterns", "Show patterns of successful runs"
        ),
        Command("screen.told", "5", "notifications", "app.notifications", "Show notifications"),
        Command("screen.find", "ctrl+f", "find", "app.find", "Search the history of all runs"),
        Command("screen.doctor", "6", "doctor", "app.doctor", "Check this machine", 98),
        Command("app.editor", "o", "editor", "app.editor", "Open in your editor", 92),
        Command("app.shell", "!", "shell", "app.shell", "Open a shell in the workspace", 93),
        Command("app.palette", ":,ctrl+p", "commands", "app.palette", "Find a command", 100),
        Command("app.help", "?,f1", "help", "app.help", "Show all keys", 5),
        Command("app.theme", "", "theme", "app.switch_theme", "Switch between dark and light"),
        Command("app.themes", "", "themes", "app.choose_theme", "Choose a theme"),
        Command(
            "app.suspend", "ctrl+z", "suspend", "app.suspend_process", "Suspend; runs continue"
        ),
        Command("app.quit", "q", "quit", "app.quit", "Quit; runs continue", 7),
    ),
    "Disk usage": (
        Command("disk.open", "enter", "open", "disktree.unfold", "Unfold or fold the row", 11),
        Command("disk.expand", "right", "unfold", "disktree.expand", "Unfold the row"),
        Command("disk.collapse", "left", "fold", "disktree.collapse", "Fold the row"),
        Command(
            "disk.delete",
            "d",
            "delete",
            "disk.delete",
            _REMOVE,
            12,
        ),
        Command("disk.artefacts", "J", "rebuildable", "disk.artefacts", _ARTEFACTS, 13),
        Command("disk.undo", "u", "undo", "disk.undo", "Restore the chosen deletion", 14),
        Command("disk.empty", "ctrl+d", "empty trash", "disk.empty", "Empty the trash (asks)"),
        Command("disk.stop", "x", "stop", "disk.stop", "Stop measuring or deleting", 20),
        Command(
            "disk.apparent",
            "number_sign",
            "apparent",
            "disk.apparent",
            "Switch apparent and disk size",
        ),
        Command("disk.sort", "s", "sort", "disk.sort", "Sort by the next column", 16),
        Command("disk.reverse", "S", "reverse", "disk.reverse", "Reverse the order"),
        Command("disk.look", "f5", "refresh", "disk.look", "Measure again", 17),
        Command("disk.next", "]", "next tab", "disk.next_tab", "Go to the next tab", 18),
        Command(
            "disk.previous", "[", "previous tab", "disk.previous_tab", "Go to the previous tab"
        ),
        Command("disk.back", "escape", "back", "disk.back", "Back to the runs", 19),
    ),
    "New run": (
        Command("form.start", "ctrl+s,ctrl+enter", "start", "form.start", "Start the run"),
        Command("form.options", "ctrl+o", "options", "form.options", "Show or hide the options"),
        Command("form.template", "ctrl+g", "template", "form.template", "Choose a template"),
        Command("form.history", "ctrl+r", "history", "form.history", "Choose an earlier prompt"),
        Command("form.learn", "ctrl+t", "learn", "form.learn", "Learn from the nearest pattern"),
        Command("form.copy", "ctrl+l", "copy", "form.copy", "Copy the form as a command line"),
    ),
    "Templates": (
        Command(
            "templates.start",
            "enter",
            "start run",
            "templates.start",
            "Start a run from the template",
            12,
        ),
        Command("templates.edit", "e", "edit", "templates.edit", "Edit the template", 14),
        Command("templates.new", "M", "make", "templates.new", "Create a template", 16),
        Command("templates.back", "escape", "back", "templates.back", "Back to the runs", 18),
    ),
    "Patterns": (
        Command("patterns.edit", "e", "edit", "patterns.edit", "Edit the pattern", 12),
        Command(
            "patterns.export", "E", "export", "patterns.export", "Export the pattern to a file", 14
        ),
        Command(
            "patterns.import", "I", "import", "patterns.import", "Import a pattern from a file", 16
        ),
        Command(
            "patterns.remove", "d", "delete", "patterns.remove", "Delete the pattern (asks)", 17
        ),
        Command(
            "patterns.undo", "u", "undo", "patterns.undo", "Restore the last removed pattern", 18
        ),
        Command("patterns.back", "escape", "back", "patterns.back", "Back to the runs", 19),
    ),
    "Notifications": (
        Command("notify.again", "r", "send again", "notify.again", "Send the delivery again", 12),
        Command("notify.test", "m", "test", "notify.test", "Send a test to the receiver", 14),
        Command("notify.parked", "w", "parked", "notify.parked", "Show only parked deliveries", 16),
        Command("notify.history", "h", "history", "notify.history", "Show past messages here", 18),
        Command("notify.pane", "tab", "pane", "notify.pane", "Go to the next pane", 20),
        Command("notify.back", "escape", "back", "notify.back", "Back to the runs", 22),
    ),
    "Batch": (
        Command("batch.open", "enter", "open", "batch.open", "Go to the run", 10),
        Command(
            "batch.changes", "c", "changes", "batch.changes", "Show the changes of the run", 11
        ),
        Command(
            "batch.compare",
            "equals_sign",
            "compare",
            "batch.compare",
            "Compare the runs of a task",
            18,
        ),
        Command("batch.apply", "a", "apply", "batch.apply", "Apply the best run of each task", 12),
        Command(
            "batch.drop", "d", "delete", "batch.drop", "Delete the other workspaces (asks)", 13
        ),
        Command("batch.retry", "r", "retry", "batch.retry", "Retry failed runs", 14),
        Command("batch.cancel", "x", "cancel", "batch.cancel", "Cancel live runs (asks)", 15),
        Command("batch.export", "E", "export", "batch.export", "Export the results to a file", 17),
        Command("batch.undo", "u", "undo", "batch.undo", "Restore the last deletion", 30),
        Command("batch.next", "]", "older", "batch.older", "Show the previous batch", 31),
        Command("batch.previous", "[", "newer", "batch.newer", "Show the next batch", 32),
        Command("batch.back", "escape", "back", "batch.back", "Back to the runs", 16),
    ),
    "Search": (
        Command("find.open", "enter", "go there", "find.open", "Open the event in its log", 12),
        Command("find.next", "down", "down", "find.next", "Go to the next match", 14),
        Command("find.previous", "up", "up", "find.previous", "Go to the previous match", 15),
        Command(
            "find.page_down", "pagedown", "page down", "find.page_down", "Scroll one page down"
        ),
        Command("find.page_up", "pageup", "page up", "find.page_up", "Scroll one page up"),
        Command("find.type", "tab", "list", "find.type", "Switch between list and input", 16),
        Command("find.back", "escape", "back", "find.back", "Back to the runs", 18),
    ),
    "Doctor": (
        Command("doctor.look", "f5", "refresh", "doctor.look", "Run the checks again", 12),
        Command("doctor.end", "x", "end them", "doctor.end", "End leftover processes (asks)", 14),
        Command("doctor.back", "escape", "back", "doctor.back", "Back to the runs", 16),
    ),
}

COMMANDS: tuple[Command, ...] = tuple(chain.from_iterable(GROUPS.values()))
BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}

_PLACES = {command.id: place for place, command in enumerate(COMMANDS)}
NAMES = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "ctrl+backslash": "ctrl+\\",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "vertical_line": "|",
    "equals_sign": "=",
    "number_sign": "#",
    "f5": "F5",
    "plus": "+",
    "minus": "-",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "f1": "F1",
}


OTHER_SCREENS = frozenset(
    {
        "batch",
        "doctor",
        "notify",
        "templates",
        "code",
        "changes",
        "disk",
        "disktree",
        "find",
        "patterns",
    }
)
"""Scopes of screens on which there are no runs to choose from."""


def bindings(scope: str) -> list[BindingType]:
    """Give the bindings of everything that `scope` carries out.

    They have priority: those without are carried out only after keys typed meanwhile were handed
    to whatever had the focus before, so that `/fix` in one burst would filter nothing, and press x.
    """
    return [
        Binding(
            command.keys,
            command.action,
            command.label,
            show=bool(command.footer),
            tooltip=command.help,
            priority=True,
            id=command.id,
        )
        for command in COMMANDS
        if command.scope == scope and command.keys
    ]


def rank(command_id: str | None) -> int:
    """Give a command's place in the footer; what the table does not know comes last."""
    command = BY_ID.get(command_id or "")
    return command.footer if command and command.footer else 1000


def place(command_id: str | None) -> int:
    """Give a command's place in the table; what it does not know comes first."""
    return _PLACES.get(command_id or "", -1)


def key_name(key: str) -> str:
    """Write a key as people read it: `slash` as `/`, `escape` as `esc`."""
    return NAMES.get(key, key)


def keys_of(command: Command, keymap: Mapping[str, str]) -> list[str]:
    """Give the keys of a command as people read them, the user's own where there are any."""
    keys = keymap.get(command.id, command.keys)
    return [key_name(key.strip()) for key in keys.split(",") if key.strip()]


def hints(scope: str, keymap: Mapping[str, str]) -> str:
    """Write the keys of a dialog for its frame: `^s start  esc back`."""
    found = ((keys_of(each, keymap), each) for each in COMMANDS if each.scope == scope)
    parts = [f"{keys[0].replace('ctrl+', '^')} {each.label}" for keys, each in found if keys]
    return "  ".join([*parts, "esc back"])
