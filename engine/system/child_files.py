"""Programs of this package that run as processes of their own, started by their files.

A supervisor holds them in memory: a package that is upgraded or removed under it takes nothing from
what it starts later.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

_held: dict[Path, dict[str, bytes]] = {}
_packages: dict[Path, tuple[dict[str, int], bytes]] = {}
"""The sizes of the held files of a package, by name, and the files in a zip archive."""
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


def hold_package(package: Path, parts: Iterable[str]) -> None:
    """Read parts of a package into memory: folders with all below them, or files; raises OSError.

    A program that imports only these can be started from `package_root`.
    """
    sizes: dict[str, int] = {}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in parts:
            top = package / part
            for file in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
                data, name = file.read_bytes(), str(file.relative_to(package.parent))
                sizes[name] = len(data)
                packed.writestr(name, data)
    _packages[package] = sizes, archive.getvalue()


def package_root(package: Path) -> Path:
    """Return the path to import a package from: an archive where it is not what was held."""
    held = _packages.get(package)
    if held is None or _has_sizes(package.parent, held[0]):
        return package.parent
    spare = _spare.get(package)
    if spare is None or not Path(spare.name).is_dir():
        spare = _spare[package] = _written("packages", {f"{package.name}.zip": held[1]})
    return Path(spare.name) / "packages" / f"{package.name}.zip"


def _has_sizes(folder: Path, sizes: Mapping[str, int]) -> bool:
    try:
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def _is_whole(folder: Path, held: dict[str, bytes]) -> bool:
    return _has_sizes(folder, {name: len(data) for name, data in held.items()})


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
