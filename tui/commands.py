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


_REMOVE = "Delete (asks); trash: for good"
_ARTEFACTS = "Delete rebuildable folders (asks)"

GROUPS: dict[str, tuple[Command, ...]] = {
    "Runs": (
        Command("run.new", "n", "new", "app.new_run", "Start a new run", 10),
        Command("batch.new", "N", "batch", "app.new_batch", "Start a batch: many runs at once", 69),
        Command("run.open", "enter", "open", "list.open", "Open the run: go to its log", 15),
        Command("run.cancel", "x", "cancel", "runs.cancel_run", "Cancel the run", 20),
        Command("run.kill", "X", "kill", "runs.kill_run", "Kill the run now (asks)"),
        Command("run.retry", "r", "retry", "runs.retry_run", "Retry: go on where it stood", 30),
        Command("run.edit", "e", "edit", "runs.edit_run", "Edit the prompt, then retry", 52),
        Command("run.resume", "R", "resume", "runs.resume_run", "Resume with a message", 47),
        Command("run.fresh", "", "fresh", "runs.fresh_run", "Retry from scratch (asks)"),
        Command("run.apply", "a", "apply", "runs.apply_run", "Take the changes home", 35),
        Command(
            "run.delete", "d", "delete", "runs.delete_workspace", "Delete the workspace (asks)", 42
        ),
        Command(
            "run.undo", "u", "undo", "runs.undo_delete", "Bring back what was deleted last", 43
        ),
        Command("run.copy_id", "y", "copy id", "runs.copy_id", "Copy the run's id"),
    ),
    "Marks": (
        Command("mark.toggle", "space", "mark", "list.mark", "Mark the run, or unmark it", 95),
        Command("mark.range", "v", "range", "list.mark_range", "Mark a range; again to end it"),
        Command("mark.all", "A", "mark all", "list.mark_all", "Mark all shown"),
        Command("mark.clear", "ctrl+backslash", "clear", "list.clear_marks", "Clear the marks"),
    ),
    "List": (
        Command("move.down", "j,down", "down", "list.cursor_down", "Next run"),
        Command("move.up", "k,up", "up", "list.cursor_up", "Previous run"),
        Command("move.top", "g,home", "top", "list.cursor_top", "First run"),
        Command("move.bottom", "G,end", "bottom", "list.cursor_bottom", "Last run"),
        Command("move.page_down", "pagedown", "page", "list.page_down", "A page down"),
        Command("move.page_up", "pageup", "page", "list.page_up", "A page up"),
        Command("list.filter", "slash", "filter", "runs.filter", "Filter as you type", 45),
        Command("list.needs_me", "w", "needs me", "runs.needs_me", "Only what needs me", 90),
        Command("list.sort", "s", "sort", "runs.sort", "Sort by the next column", 87),
        Command("list.reverse", "S", "reverse", "runs.reverse", "Reverse the order"),
        Command("list.group", "b", "group", "runs.group", "Group by the next thing", 88),
        Command("list.triage", "c", "causes", "runs.triage", "What failed, by its cause", 89),
        Command("list.fold", "left", "fold", "list.left", "Fold the group; a tile to the left"),
        Command("list.unfold", "right", "unfold", "list.right", "Unfold it; a tile to the right"),
    ),
    "Panes": (
        Command("view.log", "l", "log", "runs.log", "Go to the event log", 58),
        Command("view.files", "f", "files", "runs.files", "Go to the workspace's files", 55),
        Command("view.changes", "D", "changes", "runs.changes", "Show what the run changed", 38),
        Command("view.fleet", "T", "fleet", "runs.fleet", "All runs as tiles, and back", 72),
        Command("view.batch", "B", "its batch", "runs.batch", "Show the batch of the run", 91),
        Command("view.details", "i", "details", "runs.details", "Show all about the run", 50),
        Command(
            "run.checkpoints",
            "",
            "checkpoints",
            "runs.details",
            "Go back to a checkpoint: its page",
        ),
        Command("pane.next", "tab", "pane", "runs.next_pane", "Next pane", 75),
        Command("pane.previous", "shift+tab", "pane", "runs.previous_pane", "Previous pane"),
        Command("tab.next", "]", "next tab", "runs.next_pane", "Next tab"),
        Command("tab.previous", "[", "previous tab", "runs.previous_pane", "Previous tab"),
        Command("pane.zoom", "z", "zoom", "runs.zoom", "Zoom the pane, and back", 70),
        Command("pane.wider", "greater_than_sign", "wider", "runs.wider", "More room for the list"),
        Command("pane.narrower", "less_than_sign", "narrower", "runs.narrower", "Less room for it"),
        Command("view.back", "escape", "back", "runs.back", "Back", 6),
    ),
    "Log": (
        Command("log.follow", "F", "follow", "runs.follow", "Follow the end of the log", 80),
        Command("log.unfold", "enter", "unfold", "log.unfold", "Unfold, or open the file", 15),
        Command("log.search", "slash", "search", "logs.search", "Search the whole log", 16),
        Command("log.next", "n", "next", "logs.next_match", "Next place found", 17),
        Command("log.previous", "N", "previous", "logs.previous_match", "Place found before", 18),
        Command("log.leave", "escape", "end", "logs.leave", "End the range, or the search"),
        Command("log.kinds", "K", "kinds", "logs.kinds", "Choose the kinds of events", 60),
        Command("log.wrap", "w", "wrap", "log.wrap", "Wrap long lines, or cut them", 61),
        Command("log.times", "t", "time", "log.times", "Time of day, since the start, none", 62),
        Command("log.range", "v", "range", "log.mark_range", "Mark lines; again to end it", 63),
        Command("log.copy", "y", "copy", "log.copy", "Copy the line, or those marked", 64),
        Command("log.all", "L", "all runs", "runs.all_runs", "All runs as one log, and back", 84),
        Command("plan.whole", "P", "plan", "runs.plan", "Show the whole plan, or hide it", 86),
    ),
    "Files": (
        Command("tree.open", "enter,space", "open", "files.open", "Open the file or folder", 15),
        Command("tree.expand", "right", "expand", "files.expand", "Expand the folder"),
        Command("tree.collapse", "left", "collapse", "files.collapse", "Collapse the folder"),
        Command("tree.filter", "slash", "filter", "files.filter", "Filter the files", 40),
        Command("tree.changed", "c", "changed", "files.changed_only", "Only changed files", 45),
    ),
    "Changes and files": (
        Command("changes.open", "enter", "read", "changes.open", "Go to the file's diff", 10),
        Command("changes.hunk", "l,right", "next hunk", "changes.next_hunk", "Next hunk", 12),
        Command("changes.hunk_before", "h,left", "hunk", "changes.last_hunk", "Hunk before"),
        Command("changes.file", "J", "next file", "changes.next_file", "Next file", 14),
        Command("changes.file_before", "K", "file", "changes.last_file", "File before"),
        Command(
            "changes.beside", "s", "side by side", "changes.beside", "Side by side, or not", 16
        ),
        Command("changes.apply", "a", "apply", "changes.apply", "Take the run's changes home", 17),
        Command("changes.since", "c", "since", "changes.since", "Since which checkpoint", 18),
        Command("changes.whole", "f", "whole file", "changes.whole", "Show the whole file", 20),
        Command("changes.pane", "tab,]", "pane", "changes.next_pane", "Files or diff", 22),
        Command("changes.pane_before", "shift+tab,[", "pane", "changes.next_pane", "Diff or files"),
        Command("changes.zoom", "z", "zoom", "changes.zoom", "The diff alone, and back", 24),
        Command("code.right", "L", "right", "code.right", "Further to the right", 40),
        Command("code.left", "H", "left", "code.left", "Back to the left"),
        Command("code.refresh", "r,ctrl+r", "look again", "code.refresh", "Look again", 30),
        Command("code.back", "escape", "back", "code.back", "Back", 11),
    ),
    "Queue": (
        Command("queue.pause", "p", "pause", "app.pause", "Pause the queue, or let it go on", 85),
        Command("queue.more", "plus", "slots", "app.more_slots", "One slot more"),
        Command("queue.fewer", "minus", "slots", "app.fewer_slots", "One slot fewer"),
    ),
    "Program": (
        Command("screen.runs", "1", "runs", "app.runs", "Show the runs"),
        Command("screen.disk", "2", "disk", "app.disk", "Show what takes room"),
        Command("screen.templates", "3,t", "templates", "app.templates", "Show the run templates"),
        Command("screen.patterns", "4", "patterns", "app.patterns", "Show what worked"),
        Command("screen.told", "5", "told", "app.notifications", "Show who is told, and what"),
        Command("screen.find", "ctrl+f", "find", "app.find", "Search the history of all runs"),
        Command("screen.doctor", "6", "doctor", "app.doctor", "Show what is wrong here", 98),
        Command("app.editor", "o", "editor", "app.editor", "Open in your editor", 92),
        Command("app.shell", "!", "shell", "app.shell", "A shell in the workspace", 93),
        Command("app.palette", ":,ctrl+p", "commands", "app.palette", "Find a command", 100),
        Command("app.help", "?,f1", "help", "app.help", "Show all keys", 5),
        Command("app.theme", "", "theme", "app.switch_theme", "Switch dark and light"),
        Command("app.themes", "", "themes", "app.choose_theme", "Choose a theme"),
        Command(
            "app.suspend", "ctrl+z", "suspend", "app.suspend_process", "Suspend; the runs go on"
        ),
        Command("app.quit", "q", "quit", "app.quit", "Quit; asks while runs are live", 7),
    ),
    "Disk usage": (
        Command("disk.open", "enter", "open", "disktree.unfold", "Unfold the row, or fold it", 11),
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
        Command("disk.artefacts", "a", "artefacts", "disk.artefacts", _ARTEFACTS, 13),
        Command("disk.undo", "u", "undo", "disk.undo", "Bring back what is chosen, or last", 14),
        Command("disk.empty", "E", "empty trash", "disk.empty", "Empty the trash (asks)"),
        Command("disk.stop", "x", "stop", "disk.stop", "Measure or delete no further", 20),
        Command("disk.apparent", "b", "apparent", "disk.apparent", "Apparent sizes, or on disk"),
        Command("disk.sort", "s", "sort", "disk.sort", "Sort by the next column", 16),
        Command("disk.reverse", "S", "reverse", "disk.reverse", "Reverse the order"),
        Command("disk.look", "r,ctrl+r", "look again", "disk.look", "Measure again", 17),
        Command("disk.next", "]", "next tab", "disk.next_tab", "Next tab", 18),
        Command("disk.previous", "[", "previous tab", "disk.previous_tab", "Previous tab"),
        Command("disk.back", "escape", "back", "disk.back", "Back to the runs", 19),
    ),
    "New run": (
        Command("form.start", "ctrl+s,ctrl+enter", "start", "form.start", "Start the run"),
        Command("form.options", "ctrl+o", "options", "form.options", "Show options, or fold them"),
        Command("form.template", "ctrl+g", "template", "form.template", "Choose a template"),
        Command("form.history", "ctrl+r", "history", "form.history", "Take an earlier prompt"),
        Command("form.learn", "ctrl+t", "learn", "form.learn", "Learn from what is nearest"),
        Command("form.copy", "ctrl+l", "copy", "form.copy", "Copy it as a command line"),
    ),
    "Templates": (
        Command("templates.start", "enter", "start", "templates.start", "Start a run from it", 12),
        Command("templates.edit", "e", "edit", "templates.edit", "Edit it in your editor", 14),
        Command("templates.new", "a", "add", "templates.new", "Make one of your own", 16),
        Command("templates.back", "escape", "back", "templates.back", "Back to the runs", 18),
    ),
    "Patterns": (
        Command("patterns.edit", "e", "edit", "patterns.edit", "Edit it in your editor", 12),
        Command("patterns.export", "w", "export", "patterns.export", "Write it into a file", 14),
        Command("patterns.import", "i", "import", "patterns.import", "Take one from a file", 16),
        Command("patterns.remove", "d", "remove", "patterns.remove", "Remove it (asks)", 17),
        Command("patterns.undo", "u", "undo", "patterns.undo", "Bring back what was removed", 18),
        Command("patterns.back", "escape", "back", "patterns.back", "Back to the runs", 19),
    ),
    "Notifications": (
        Command("notify.again", "a", "send again", "notify.again", "Send it again", 12),
        Command("notify.test", "T", "test", "notify.test", "Send the receiver a test", 14),
        Command("notify.parked", "w", "parked", "notify.parked", "Only what was given up", 16),
        Command("notify.history", "h", "told here", "notify.history", "What was told here", 18),
        Command("notify.pane", "tab,]", "pane", "notify.pane", "Next pane", 20),
        Command("notify.back", "escape", "back", "notify.back", "Back to the runs", 22),
    ),
    "Batch": (
        Command("batch.open", "enter", "open", "batch.open", "Go to the run", 10),
        Command("batch.changes", "D", "changes", "batch.changes", "Show what the run changed", 11),
        Command("batch.compare", "c", "compare", "batch.compare", "A task's runs side by side", 18),
        Command("batch.apply", "a", "apply", "batch.apply", "Take the best of each home", 12),
        Command("batch.drop", "d", "drop", "batch.drop", "Delete the others' work (asks)", 13),
        Command("batch.retry", "r", "retry", "batch.retry", "Start what failed again", 14),
        Command("batch.cancel", "x", "cancel", "batch.cancel", "Cancel what is live (asks)", 15),
        Command("batch.export", "E", "export", "batch.export", "Write the results to a file", 17),
        Command("batch.undo", "u", "undo", "batch.undo", "Bring back what was deleted last", 30),
        Command("batch.next", "]", "older", "batch.older", "The batch before this one", 31),
        Command("batch.previous", "[", "newer", "batch.newer", "The batch after this one", 32),
        Command("batch.back", "escape", "back", "batch.back", "Back to the runs", 16),
    ),
    "Search": (
        Command("find.open", "enter", "go there", "find.open", "Go to the event in its log", 12),
        Command("find.next", "down,ctrl+n", "next", "find.next", "Next place", 14),
        Command("find.previous", "up", "previous", "find.previous", "Place before", 15),
        Command("find.page_down", "pagedown", "page", "find.page_down", "A page down"),
        Command("find.page_up", "pageup", "page", "find.page_up", "A page up"),
        Command("find.type", "tab", "list", "find.type", "To the list, and back to typing", 16),
        Command("find.back", "escape", "back", "find.back", "Back to the runs", 18),
    ),
    "Doctor": (
        Command("doctor.look", "r,ctrl+r", "look again", "doctor.look", "Look again", 12),
        Command("doctor.end", "x", "end them", "doctor.end", "End processes left (asks)", 14),
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
