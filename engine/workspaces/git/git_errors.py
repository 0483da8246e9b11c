"""Errors of git, classified: the only place that knows how git words them (LC_ALL=C)."""

from __future__ import annotations

import errno
import os
import re
import signal
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import one_line, printable_name
from engine.domain.transient import from_message

USAGE = 129
"""The exit code of a git that does not know an option or a command."""

LINE_CHARACTERS = 400

_OBJECT = r"[0-9a-f]{7,64}"

# The first that matches counts: a lock may also be refused by the disk or by permissions.
_KINDS = tuple(
    (re.compile(pattern, re.IGNORECASE), code, recovery)
    for pattern, code, recovery in (
        (r"read-only file system", "DISK_READ_ONLY", ""),
        (r"dubious ownership", "WORKSPACE_UNSAFE", "Make the folder your own, or clone it."),
        (
            r"permission denied|operation not permitted|insufficient permission",
            "GIT_NOT_PERMITTED",
            "",
        ),
        (r"unable to create '.*\.lock'.*: file exists|could not lock config", "GIT_LOCKED", ""),
        (
            r"is at \w+ but expected|reference already exists|unable to resolve reference",
            "WORKSPACE_BUSY",
            "A branch has just moved: try again.",
        ),
        (
            r"' exists; cannot create|cannot process '.*' and '.*' at the same time",
            "GIT_FAILED",
            "Rename or delete the branch whose name stands in the way, then try again.",
        ),
        (r"not a git repository|no such file or directory", "SOURCE_MOVED", ""),
        (
            r"me who you are|auto-detect email|empty ident|ident name consists|no email was"
            r"|no name was",
            "GIT_IDENTITY_MISSING",
            "",
        ),
        (
            r"not concluded|merge_head exists|rebase.*in progress|in the middle of|unmerged"
            r"|resolve your current index|needs merge|committing is not possible",
            "GIT_UNFINISHED",
            "",
        ),
        (
            r"bad config|bad numeric config|bad boolean config|invalid value for|malformed value"
            r"|unable to parse '.*' from",
            "GIT_CONFIG_INVALID",
            "",
        ),
        (
            r"unknown option|unknown switch|unknown subcommand|^usage: git|is not a git command"
            r"|unknown repository extension|expected git repo version|unknown hash algorithm"
            r"|unsupported|unrecognized argument",
            "GIT_TOO_OLD",
            "",
        ),
        (
            r"corrupt|inflate|bad (index file )?(sha1 )?signature|hash mismatch|sha1 mismatch"
            r"|is empty|unable to unpack|garbage|bad object header|not a git packfile"
            r"|smaller than expected|unexpected line in|broken|cannot be mapped"
            r"|unable to parse (commit|object|tree|header)|bad ref|too short",
            "GIT_DAMAGED",
            "",
        ),
        (
            r"'HEAD'|name HEAD|needed a single revision|does not have any commits",
            "GIT_NO_COMMIT",
            "",
        ),
        (
            rf"missing (blob|tree|commit|object)|bad (tree )?object"
            rf"|(unable|could not|cannot) (to )?(read|find|get type|fetch)"
            rf"|(object|tree|commit|blob) {_OBJECT}.* (cannot|could not)"
            rf"|(cannot|could not) be read|not a valid object|failed to traverse|transport '.*' not"
            rf"|promisor|bad file|not a tree object|lazy fetching|bad revision"
            rf"|failed to unpack tree|invalid object",
            "GIT_OBJECT_MISSING",
            "",
        ),
    )
)


def git_failure(command: str | bytes, code: int, complaint: str) -> UserError:
    """Return the error for a git that ended with an exit code and one line of complaint."""
    condition = from_message(complaint)
    if condition and condition.errno in (errno.ENOSPC, errno.EDQUOT):
        return user_error("DISK_FULL")
    if code < 0:
        return _killed(command, -code)
    kind, recovery = _kind(code, complaint)
    how = complaint or f"exit code {code}"
    error = user_error(kind, f"git {_shown(command)} failed: {how}", recovery)
    error.__cause__ = condition
    return error


def _kind(code: int, complaint: str) -> tuple[str, str]:
    for pattern, kind, recovery in _KINDS:
        if pattern.search(complaint):
            return kind, recovery
    return ("GIT_TOO_OLD" if code == USAGE else "GIT_FAILED"), ""


def telling_line(stderr: bytes) -> str:
    """Return the line of git's output on stderr that names the failure, made printable.

    Hints stand before and after it, and the last `fatal:` often only repeats that something
    failed: the first line of a known kind is what did.
    """
    lines = stderr.decode("utf-8", "surrogateescape").splitlines()
    joined = [_joined(lines, at) for at in range(len(lines))]
    marked = [line for line in joined if line.startswith(("fatal:", "error:"))]
    others = [line for line in joined if not line.startswith(("warning:", "hint:"))]
    known = (line for line in (*marked, *others) if _kind(0, line)[0] != "GIT_FAILED")
    last = next(reversed(marked or joined), "")
    return _shortened(next(known, last))


def _shortened(line: str) -> str:
    """Return a line with its end, where git names the problem of a path, however long that is."""
    text = one_line(line, LINE_CHARACTERS)
    if text == one_line(line, 2 * LINE_CHARACTERS):
        return text
    half = LINE_CHARACTERS // 2
    return f"{text[:half]}…{one_line(line[-half:])}"


def _joined(lines: list[str], at: int) -> str:
    """Return a line, with the next where git names the things concerned there."""
    more = lines[at + 1].strip() if lines[at].endswith(":") and at + 1 < len(lines) else ""
    return f"{lines[at]} {more}" if more else lines[at]


def _killed(command: str | bytes, number: int) -> UserError:
    names = {one.value: one.name for one in signal.Signals}
    name = names.get(number, f"signal {number}")
    return user_error("GIT_KILLED", f"git {_shown(command)} was ended by {name}.")


def start_failure(error: OSError, git_dir: Path, files: Path | None) -> UserError:
    """Return the error for a git that could not be started."""
    for folder, code in ((files, "WORKSPACE_MISSING"), (git_dir, "SOURCE_MOVED")):
        if folder and not folder.is_dir():
            name = printable_name(str(folder))
            return user_error(code, f"The folder {name} is no longer there.")
    recovery = "Check that git can run, then try again."
    failed = user_error("GIT_FAILED", f"git cannot be started: {error}.", recovery)
    failed.__cause__ = error
    return failed


def unreadable(path: Path, error: OSError) -> UserError:
    """Return the error for a repository of which the system refuses to let us read a file."""
    code = {
        errno.EACCES: "GIT_NOT_PERMITTED",
        errno.EPERM: "GIT_NOT_PERMITTED",
        errno.ENOENT: "SOURCE_MOVED",
        errno.ENOTDIR: "SOURCE_MOVED",
    }.get(error.errno or 0, "GIT_FAILED")
    name = printable_name(str(path))
    return user_error(code, f"{name} cannot be read: {error.strerror}.")


def object_missing(oid: str) -> UserError:
    """Return the error for an object that is not there."""
    return user_error("GIT_OBJECT_MISSING", f"The object {oid} is missing.")


def late(command: str | bytes, limit_s: float) -> UserError:
    """Return the error for a git that did not end in time."""
    words = f"git {_shown(command)} took over {limit_s:.0f} s."
    return user_error("GIT_KILLED", words, "Try again when the machine has less to do.")


def talkative(limit_bytes: int) -> UserError:
    """Return the error for a git whose output is larger than it may be."""
    words = f"The output of git is more than {limit_bytes // 1024**2} MiB."
    return user_error("GIT_FAILED", words, "Ask for fewer files.")


def _shown(command: str | bytes) -> str:
    return one_line(os.fsdecode(command), 40)
