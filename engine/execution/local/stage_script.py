"""The commands of a set-up or a check as one process that notes which of them runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.config.paths import StageFolder, private_folder
from engine.execution.executor import AttemptPart, CommandsState
from engine.execution.local.process import AttemptProcess
from engine.system.clock import boot_id
from engine.system.files import read_regular

# $1 is the file for the number of the command that runs, the others are the commands.
_SCRIPT = """
step=$1 n=0; shift
for command in "$@"; do
    n=$((n + 1)); echo $n >"$step"
    printf '$ %s\\n' "$command"
    /bin/sh -c "$command" || exit $?
done
"""


def command(part: AttemptPart, folder: StageFolder, commands: Sequence[str]) -> list[str]:
    """Return the argv that runs the commands up to the first that fails."""
    name = "check" if part is AttemptPart.VERIFY else part.value
    return ["/bin/sh", "-c", _SCRIPT, name, str(folder.step), *commands]


def note_begin(folder: StageFolder) -> None:
    """Note the time of a start, and forget the place of an earlier one."""
    private_folder(folder.path)
    folder.step.unlink(missing_ok=True)
    folder.began.unlink(missing_ok=True)
    folder.began.write_text(f"{boot_id()}\n{time.monotonic()}\n")


def state(attempt: AttemptProcess) -> CommandsState:
    """Return where the commands are, and how they ended."""
    end = attempt.ending()  # first: the place that follows is the last one's
    folder = attempt.folder
    if not isinstance(folder, StageFolder):
        return CommandsState(end, 0, 0.0)
    return CommandsState(end, _place(folder), _running_s(folder))


def _running_s(folder: StageFolder) -> float:
    now = time.monotonic()
    try:
        boot, awake = read_regular(folder.began).decode("utf-8", "replace").splitlines()
        # A process of an earlier start of the machine is no longer there to be limited.
        return max(0.0, now - float(awake)) if boot == boot_id() else 0.0
    except (OSError, ValueError):
        return 0.0


def _place(folder: StageFolder) -> int:
    try:
        text = read_regular(folder.step).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
