"""Commands of the screen of runs, of a run's changes and of its files."""

from __future__ import annotations

from tui.commands.command import Command

OF_RUNS: dict[str, tuple[Command, ...]] = {
    "Runs": (
        Command("run.new", "n", "new", "app.new_run", "Start a new run", 10),
        Command("batch.new", "N", "batch", "app.new_batch", "Start a batch of many runs", 69),
        Command("run.open", "enter", "open", "list.open", "Open the review, or the log", 15),
        Command("run.cancel", "x", "cancel", "runs.cancel_run", "Cancel the run", 20),
        Command("run.kill", "X", "kill", "runs.kill_run", "Kill the run now (asks)"),
        Command("run.retry", "r", "retry", "runs.retry_run", "Retry: continue in its thread", 30),
        Command("run.edit", "e", "edit", "runs.edit_run", "Edit the prompt, then retry", 52),
        Command(
            "run.start", "ampersand", "start", "runs.start_run", "Start past a reserve or pace"
        ),
        Command("run.resume", "R", "resume", "runs.resume_run", "Resume with a message", 47),
        Command("run.fresh", "", "fresh", "runs.fresh_run", "Retry from scratch (asks)"),
        Command("run.message", "m", "message", "runs.message", "Write to the agent, or resume"),
        Command(
            "run.interrupt", "H", "interrupt", "runs.interrupt", "Interrupt the turn of the agent"
        ),
        Command("run.apply", "a", "apply", "runs.apply_run", "Apply the changes to the source", 35),
        Command(
            "run.compare", "equals_sign", "compare", "runs.compare", "Compare runs of one task", 92
        ),
        Command(
            "run.delete", "d", "delete", "runs.delete_workspace", "Delete the workspace (asks)", 42
        ),
        Command("run.undo", "u", "undo", "runs.undo_delete", "Undo the last change", 43),
        Command("run.dismiss", "M", "dismiss", "runs.dismiss_run", "Dismiss or undismiss the run"),
        Command("run.archive", "Z", "archive", "runs.archive_run", "Archive or unarchive the run"),
        Command("run.push", "ctrl+g", "push", "runs.push_run", "Push the branch to a remote"),
        Command("run.tags", "number_sign", "tags", "runs.tag_run", "Edit the tags of the run"),
        Command("run.note", "semicolon", "note", "runs.note_run", "Edit the note of the run"),
        Command("run.update", "U", "update", "runs.update_run", "Update the run onto its base"),
        Command("run.fork", "E", "fork", "runs.fork_run", "Fork: copy workspace and thread"),
        Command("run.forget", "delete", "forget", "runs.forget_run", "Forget the run (asks)"),
        Command("run.copy_id", "y", "copy id", "runs.copy_id", "Copy the run's id"),
    ),
    "Message": (
        Command(
            "message.after",
            "alt+enter,ctrl+n",
            "after turn",
            "message.after",
            "Send: the agent reads it after this turn",
            12,
        ),
        Command(
            "message.interrupt",
            "ctrl+x",
            "interrupt",
            "message.interrupt",
            "Interrupt the turn, and go on with it",
            13,
        ),
        Command("message.pane", "tab", "pane", "message.pane", "Go to the queue, or back", 14),
        Command("queue.withdraw", "x", "withdraw", "queue.withdraw", "Withdraw the message", 11),
        Command("message.leave", "escape", "back", "message.leave", "Keep the draft, and close", 6),
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
        Command("move.down", "j,down", "down", "list.cursor_down", "Go one line down"),
        Command("move.up", "k,up", "up", "list.cursor_up", "Go one line up"),
        Command("move.top", "g,home", "top", "list.cursor_top", "Go to the first line"),
        Command("move.bottom", "G,end", "bottom", "list.cursor_bottom", "Go to the last line"),
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
        Command("view.changes", "D,c", "review", "runs.changes", "Review the changes", 38),
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
        Command(
            "changes.run", "],n", "next run", "changes.next_run", "Go to the next run to review", 13
        ),
        Command(
            "changes.run_before",
            "[,p",
            "run before",
            "changes.last_run",
            "Go to the previous run to review",
        ),
        Command(
            "changes.reviewed",
            "space",
            "reviewed",
            "changes.reviewed",
            "Mark the file as reviewed",
            20,
        ),
        Command(
            "changes.search", "slash", "search", "changes.search", "Search names and changes", 27
        ),
        Command("changes.tree", "O", "tree", "changes.tree", "Show the files as a tree or a list"),
        Command("changes.file", "}", "next file", "changes.next_file", "Go to the next file", 21),
        Command(
            "changes.file_before",
            "{",
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
            25,
        ),
        Command("changes.apply", "a", "apply", "changes.apply", "Apply as edits if they fit", 14),
        Command(
            "changes.apply_as",
            "A",
            "apply as",
            "changes.apply_as",
            "Apply as edits, commit, merge or patch",
        ),
        Command(
            "changes.reject", "x", "reject", "changes.reject_run", "Move the workspace to trash", 15
        ),
        Command("changes.dismiss", "d", "dismiss", "changes.dismiss_run", "Dismiss the run", 16),
        Command("changes.undo", "u", "undo", "changes.undo_decision", "Undo the last change", 18),
        Command(
            "changes.comment",
            "c",
            "comment",
            "changes.comment",
            "Comment on the line or the range",
            17,
        ),
        Command(
            "changes.range", "v", "range", "changes.mark_range", "Start or end a range of lines"
        ),
        Command("changes.comments", "C", "comments", "changes.comments", "List the comments", 24),
        Command(
            "changes.resume",
            "R",
            "resume",
            "changes.resume",
            "Send the comments, or resume the run",
            19,
        ),
        Command(
            "changes.message",
            "i",
            "message",
            "changes.toggle_message",
            "Show the whole message",
            23,
        ),
        Command(
            "changes.since",
            "equals_sign",
            "since",
            "changes.since",
            "Choose the checkpoint to compare",
            26,
        ),
        Command(
            "changes.update", "U", "update", "changes.update", "Update the run onto its base", 22
        ),
        Command(
            "changes.turn", "L", "turn", "changes.turn", "Show the patches of the present turn"
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
        Command(
            "changes.archive", "Z", "archive", "changes.archive", "Archive or unarchive the run"
        ),
        Command("changes.push", "ctrl+g", "push", "changes.push", "Push the branch to a remote"),
        Command("changes.tags", "number_sign", "tags", "changes.tag", "Edit the tags of the run"),
        Command("changes.fork", "E", "fork", "changes.fork", "Fork: copy workspace and thread"),
        Command("changes.forget", "delete", "forget", "changes.forget", "Forget the run (asks)"),
        Command("changes.note", "semicolon", "note", "changes.note", "Edit the note of the run"),
        Command("code.right", "shift+right", "scroll right", "code.right", "Scroll right", 40),
        Command("code.left", "shift+left", "scroll left", "code.left", "Scroll left"),
        Command("code.refresh", "f5", "refresh", "code.refresh", "Refresh the view", 30),
        Command("code.back", "escape", "back", "code.back", "Go back", 11),
    ),
}
