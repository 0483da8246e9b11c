"""Options of runs that only this machine can carry out."""

from __future__ import annotations

from engine.domain.errors import user_error
from engine.domain.model import LOCAL, RunSpec
from engine.domain.text import printable_name


def check_elsewhere(spec: RunSpec) -> None:
    """Raise `UserError` NODE_CANNOT for a run on another machine with an option for this one."""
    if spec.workspace.host == LOCAL or not spec.add_dirs:
        return
    folder = printable_name(spec.add_dirs[0])
    raise user_error(
        "NODE_CANNOT",
        f"The folder {folder} is on this machine: an agent on another one cannot write there.",
        "Leave out --add-dir, or start the run with `--on local`.",
    )
