"""Sources of templates: built in, the user's own, a repository's; later ones win by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.domain.text import printable_name
from engine.workspaces.files.rooted_dir import RootedDir

LIMIT_BYTES = 256 * 1024
MOST_FILES = 500
REPOSITORY_BYTES = 1024 * 1024
"""All template files of a repository together: reading YAML takes its time."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
FOLDER = b".swarm/templates"
_HERE = Path(__file__).resolve().parent.parent


class TemplateLayer(StrEnum):
    """The origin of a template."""

    BUILT_IN = "built in"
    OWN = "own"
    REPOSITORY = "repository"


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """One template file as it is now; `problem` is the reason why it cannot be read, if so."""

    name: str
    layer: TemplateLayer
    path: Path
    text: str = ""
    problem: str = ""

    @property
    def shown(self) -> str:
        """The path, safe to show."""
        return printable_name(str(self.path))


def built_in_folder() -> Path:
    """Return the folder of the built-in templates: in the package, or beside it in a checkout."""
    shipped = _HERE / "_templates"
    return shipped if shipped.is_dir() else _HERE.parent / "templates"


def files(own: Path, repository: Path | None) -> list[TemplateSource]:
    """Read all template files, later ones winning; it looks at the disk: call it in a thread."""
    found = _of_folder(TemplateLayer.BUILT_IN, built_in_folder()) + _of_folder(
        TemplateLayer.OWN, own
    )
    return found + (_of_repository(repository) if repository else [])


def read_file(path: Path, layer: TemplateLayer = TemplateLayer.OWN) -> TemplateSource:
    """Read one file that was named, wherever it lies."""
    return _file(layer, path, lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))


def sent(path: Path, text: str) -> TemplateSource:
    """Return the text of a template that is in no file as if it were the file at `path`."""
    return _source(TemplateLayer.OWN, path, text.encode("utf-8", "surrogatepass"))


def _of_folder(layer: TemplateLayer, folder: Path) -> list[TemplateSource]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  names are enough
    except OSError:
        return []
    wanted = [name for name in names if _is_template(name)][:MOST_FILES]
    return [read_file(folder / name, layer) for name in wanted]


def _of_repository(root: Path) -> list[TemplateSource]:
    found: list[TemplateSource] = []
    left = REPOSITORY_BYTES
    try:
        with RootedDir(root) as below:
            names = sorted(os.listdir(below.folder(FOLDER)))  # noqa: PTH208  a handle
            for name in [name for name in names if _is_template(name)][:MOST_FILES]:
                inside = FOLDER + b"/" + os.fsencode(name)
                path = root / os.fsdecode(inside)
                file = _file(TemplateLayer.REPOSITORY, path, lambda at=inside: below.open(at))
                left -= len(file.text)
                if left < 0:
                    problem = "the templates of this repository are larger than 1 MiB together"
                    file = TemplateSource(file.name, file.layer, file.path, problem=problem)
                found.append(file)
    except OSError:  # it has none
        return found
    return found


def _is_template(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def _file(layer: TemplateLayer, path: Path, open_it: Callable[[], int]) -> TemplateSource:
    name = path.stem
    try:
        with os.fdopen(open_it(), "rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        return TemplateSource(name, layer, path, problem=f"it cannot be read: {error.strerror}")
    return _source(layer, path, content)


def _source(layer: TemplateLayer, path: Path, content: bytes) -> TemplateSource:
    name = path.stem
    if len(content) > LIMIT_BYTES:
        return TemplateSource(name, layer, path, problem="it is larger than 256 KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return TemplateSource(name, layer, path, problem="it is not UTF-8")
    if not NAME.fullmatch(name):
        needed = "its name must be of small letters, digits, `-` and `_`"
        return TemplateSource(name, layer, path, text, needed)
    return TemplateSource(name, layer, path, text)
