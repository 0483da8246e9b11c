"""Commands of the whole program and of the other screens."""

from __future__ import annotations

from tui.commands.command import Command

_REMOVE = "Delete (asks); trash: for good"
_ARTEFACTS = "Delete rebuildable folders (asks)"

OF_SCREENS: dict[str, tuple[Command, ...]] = {
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
        Command("screen.inbox", "7", "inbox", "app.inbox", "Show requests of agents"),
        Command("screen.usage", "8", "usage", "app.usage", "Show usage and limits"),
        Command("screen.nodes", "9", "nodes", "app.nodes", "Show the nodes of the cluster"),
        Command("app.editor", "o", "open", "app.editor", "Open in editor, shell or Codex", 92),
        Command("app.codex", "", "codex", "app.codex", "Open the thread in interactive Codex"),
        Command("app.shell", "!", "shell", "app.shell", "Open a shell in the workspace", 93),
        Command("app.palette", ":,ctrl+p", "commands", "app.palette", "Find a command", 100),
        Command("app.help", "?,f1", "help", "app.help", "Show all keys", 5),
        Command("app.settings", "", "settings", "app.settings", "Edit the settings"),
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
            "percent_sign",
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
        Command("templates.new", "O", "make", "templates.new", "Create a template", 16),
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
        Command("notify.test", "V", "test", "notify.test", "Send a test to the receiver", 14),
        Command("notify.parked", "w", "parked", "notify.parked", "Show only parked deliveries", 16),
        Command("notify.history", "h", "history", "notify.history", "Show past messages here", 18),
        Command("notify.pane", "tab", "pane", "notify.pane", "Go to the next pane", 20),
        Command("notify.back", "escape", "back", "notify.back", "Back to the runs", 22),
    ),
    "Inbox": (
        Command("inbox.approve", "y", "approve", "inbox.approve", "Approve the request", 10),
        Command("inbox.deny", "n", "deny", "inbox.deny", "Deny the request", 11),
        Command(
            "inbox.deny_message",
            "N",
            "deny, reply",
            "inbox.deny_message",
            "Deny with a message",
            12,
        ),
        Command(
            "inbox.stop", "x", "stop turn", "inbox.stop_turn", "Deny and end the agent's turn", 14
        ),
        Command("inbox.always", "Y", "always", "inbox.always", "Make a rule of the request", 15),
        Command("inbox.remove", "d", "delete", "inbox.remove_rule", "Remove the rule (asks)", 15),
        Command("inbox.next", "]", "next tab", "inbox.next_tab", "Show requests or rules", 17),
        Command("inbox.previous", "[", "previous tab", "inbox.previous_tab", "Show the other tab"),
        Command("inbox.open", "enter", "its log", "inbox.open", "Open the log of the run", 16),
        Command("inbox.pane", "tab", "pane", "inbox.pane", "Go to the next pane", 18),
        Command("inbox.back", "escape", "back", "inbox.back", "Back to the runs", 20),
    ),
    "Usage": (
        Command(
            "usage.open", "enter", "open", "usage.open_row", "Open the run, batch or group", 10
        ),
        Command("usage.group", "b", "group", "usage.group", "Group by the next property", 11),
        Command("usage.range", "t", "time", "usage.range", "Show the next time range", 12),
        Command("usage.filter", "slash", "filter", "usage.filter", "Filter the runs", 13),
        Command("usage.only_runs", "w", "only runs", "usage.only_runs", "Hide other sessions", 15),
        Command("usage.chart", "K", "chart", "usage.chart", "Chart tokens, cost or cached", 14),
        Command("usage.sort", "s", "sort", "usage.sort", "Sort by the next column", 16),
        Command("usage.reverse", "S", "reverse", "usage.reverse", "Reverse the order"),
        Command("usage.details", "i", "details", "usage.details", "Show the run's details", 17),
        Command("usage.zoom", "z", "zoom", "usage.zoom", "Maximize or restore the table", 18),
        Command("usage.copy", "y", "copy", "usage.copy", "Copy the row with its numbers"),
        Command("usage.look", "f5", "refresh", "usage.look", "Read the ledger again"),
        Command("usage.next", "]", "next tab", "usage.next_tab", "Show the next groups"),
        Command(
            "usage.previous", "[", "previous tab", "usage.previous_tab", "Show the groups before"
        ),
        Command("usage.back", "escape", "back", "usage.back", "Back to the runs", 19),
    ),
    "Nodes": (
        Command("nodes.open", "enter", "open", "nodes.open_runs", "Show the runs there", 10),
        Command("nodes.look", "f5", "refresh", "nodes.look", "Ask the cluster again", 12),
        Command("nodes.copy", "y", "copy", "nodes.copy", "Copy the name of the node"),
        Command("nodes.back", "escape", "back", "nodes.back", "Back to the runs", 16),
    ),
    "Batch": (
        Command("batch.open", "enter", "open", "batch.open", "Go to the run", 10),
        Command("batch.changes", "D,c", "review", "batch.changes", "Review the changes", 11),
        Command(
            "batch.compare",
            "equals_sign",
            "compare",
            "batch.compare",
            "Compare the runs of a task",
            18,
        ),
        Command("batch.apply", "a", "apply", "batch.apply", "Apply the changes of the run", 12),
        Command(
            "batch.apply_best",
            "A",
            "apply best",
            "batch.apply_best",
            "Apply the best run of each task",
            13,
        ),
        Command(
            "batch.drop", "d", "delete", "batch.drop", "Delete the other workspaces (asks)", 14
        ),
        Command("batch.retry", "r", "retry", "batch.retry", "Retry failed runs", 15),
        Command("batch.cancel", "x", "cancel", "batch.cancel", "Cancel live runs (asks)", 16),
        Command("batch.export", "E", "export", "batch.export", "Export the results to a file", 17),
        Command("batch.undo", "u", "undo", "batch.undo", "Undo the last change", 30),
        Command("batch.next", "]", "older", "batch.older", "Show the batch before (older)", 31),
        Command("batch.previous", "[", "newer", "batch.newer", "Show the batch after (newer)", 32),
        Command("batch.back", "escape", "back", "batch.back", "Back to the runs", 19),
    ),
    "Comparison of runs": (
        Command("compare.open", "enter", "read", "compare.open", "Show the changes of the run"),
        Command(
            "compare.diff",
            "d",
            "diff of two",
            "compare.diff",
            "Compare the run with the marked or best",
        ),
        Command("compare.mark", "space", "mark", "compare.mark", "Mark the run to compare with"),
        Command("compare.apply", "a", "apply", "compare.apply", "Apply the changes of the run"),
        Command("compare.right", "right", "right", "compare.right", "Choose the next run"),
        Command("compare.left", "left", "left", "compare.left", "Choose the run before"),
    ),
    "Diff of two runs": (
        Command("rundiff.open", "enter", "read", "rundiff.open", "Go to the diff of the file", 10),
        Command(
            "rundiff.hunk", "right", "next hunk", "rundiff.next_hunk", "Go to the next hunk", 12
        ),
        Command(
            "rundiff.hunk_before",
            "left",
            "hunk before",
            "rundiff.last_hunk",
            "Go to the previous hunk",
        ),
        Command(
            "rundiff.file",
            "right_curly_bracket",
            "next file",
            "rundiff.next_file",
            "Go to the next file",
            14,
        ),
        Command(
            "rundiff.file_before",
            "left_curly_bracket",
            "file before",
            "rundiff.last_file",
            "Go to the previous file",
        ),
        Command(
            "rundiff.beside",
            "vertical_line",
            "side by side",
            "rundiff.beside",
            "Switch side by side and inline",
            16,
        ),
        Command(
            "rundiff.pane", "tab", "pane", "rundiff.next_pane", "Switch between files and diff", 22
        ),
        Command(
            "rundiff.pane_before",
            "shift+tab",
            "pane before",
            "rundiff.next_pane",
            "Switch between diff and files",
        ),
        Command("rundiff.zoom", "z", "zoom", "rundiff.zoom", "Maximize or restore the diff", 24),
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
