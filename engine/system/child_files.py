"""Programs of this package that run as processes of their own, started by their files.

A supervisor holds them in memory: a package that is upgraded or removed under it takes nothing from
what it starts later.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

_held: dict[Path, dict[str, bytes]] = {}
_spare: dict[Path, tempfile.TemporaryDirectory[str]] = {}


def hold(program: Path) -> None:
    """Read the folder of a program into memory; raises OSError."""
    folder = program.parent
    _held[folder] = {file.name: file.read_bytes() for file in folder.glob("*.py")}


def path_of(program: Path) -> Path:
    """Return the program's file: a copy of what is held where its folder is not what it was."""
    held = _held.get(program.parent)
    if held is None or _is_whole(program.parent, held):
        return program
    spare = _spare.get(program.parent)
    if spare is None or not Path(spare.name).is_dir():
        spare = _spare[program.parent] = _written(program.parent.name, held)
    return Path(spare.name) / program.parent.name / program.name


def _is_whole(folder: Path, held: dict[str, bytes]) -> bool:
    try:
        return all((folder / name).stat().st_size == len(data) for name, data in held.items())
    except OSError:
        return False


def _written(name: str, files: dict[str, bytes]) -> tempfile.TemporaryDirectory[str]:
    spare = tempfile.TemporaryDirectory(prefix="swarm-tui-")
    folder = Path(spare.name) / name
    try:
        folder.mkdir()
        for file, data in files.items():
            (folder / file).write_bytes(data)
    except OSError:
        shutil.rmtree(spare.name, ignore_errors=True)
        raise
    return spare
