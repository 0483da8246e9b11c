"""The settings: one YAML file, every key optional, every mistake named with its line."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import msgspec
from msgspec import Meta, Struct

from engine.domain.errors import UserError, user_error
from engine.domain.model import Sandbox

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNITS_BYTES = {"": 1, "b": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("kmgt", start=1)
    for suffix, base in (("", 1024), ("b", 1000), ("ib", 1024))
}


class Duration(float):
    """A length of time in seconds, written `90`, `90s`, `5m`, `12h`, `30d` or `2w`."""

    @classmethod
    def parse(cls, value: object) -> Duration:
        """Read a duration; raises ValueError, saying what is allowed."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", str(value))
        if not found or isinstance(value, bool):
            raise ValueError("a duration such as 90s, 5m, 12h or 30d is needed")
        return cls(float(found[1]) * _UNITS_S[found[2] or "s"])


class Size(int):
    """A number of bytes, written `500`, `500MB`, `2GiB` or `2G`."""

    @classmethod
    def parse(cls, value: object) -> Size:
        """Read a size; raises ValueError, saying what is allowed."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
        if not found or isinstance(value, bool) or found[2] not in _UNITS_BYTES:
            raise ValueError("a size such as 500MB or 2GiB is needed")
        return cls(float(found[1]) * _UNITS_BYTES[found[2]])


Positive = Annotated[int, Meta(ge=1, le=1000)]
Seconds = Annotated[float, Meta(ge=0)]


def _says(text: str) -> Meta:
    return Meta(description=text)


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Codex(_Section, frozen=True):
    """How Codex is started."""

    bin: Annotated[
        str | None, _says("the Codex executable; else PATH, else the Python package")
    ] = None
    model: Annotated[str | None, _says("the model; else Codex's own choice")] = None
    sandbox: Annotated[Sandbox, _says("what commands may do")] = Sandbox.WORKSPACE_WRITE
    config: Annotated[dict[str, Any], _says("Codex settings, as with `codex -c`")] = {}


class Queue(_Section, frozen=True):
    """How the queue starts runs."""

    per_project: Annotated[Positive | None, _says("runs of one project at a time")] = None
    stagger_s: Annotated[Seconds, _says("seconds between two starts, about")] = 0.5


class Watchdog(_Section, frozen=True):
    """When a run counts as stalled, and what is done then."""

    silent_s: Annotated[Seconds, _says("seconds without a sign of life; a command may take 3×")] = (
        300
    )
    first_event_s: Annotated[Seconds, _says("seconds until Codex must have said something")] = 60
    action: Annotated[
        Literal["notice", "resume", "fail"],
        _says("tell only; end it and go on in the same thread; or end it with RUN_STALLED"),
    ] = "notice"


class WorkspaceSettings(_Section, frozen=True):
    """How workspaces are made."""

    copy_limit: Annotated[Size, _says("the largest folder that is copied")] = Size(2 * 1024**3)
    setup: Annotated[tuple[str, ...], _says("commands run in a new workspace")] = ()
    copy_files: Annotated[tuple[str, ...], _says("untracked files brought along")] = (".env",)


class Webhook(_Section, frozen=True):
    """A receiver of events."""

    name: str
    url: str
    events: tuple[str, ...] = ()
    secret_env: str | None = None


class Notify(_Section, frozen=True):
    """How people are told."""

    bell: Annotated[bool, _says("ring the terminal's bell when a run needs you")] = True
    apprise: Annotated[tuple[str, ...], _says("Apprise addresses")] = ()


class Cleanup(_Section, frozen=True):
    """What is cleaned up, and when."""

    auto: Annotated[bool, _says("clean up without being asked")] = False
    older_than: Annotated[Duration, _says("only what ended longer ago")] = Duration(30 * 86400)
    keep: Annotated[int, _says("runs of a project that always stay")] = 20
    budget: Annotated[Size, _says("disk space above which you are warned")] = Size(50 * 1024**3)
    trash_days: Annotated[int, _says("days until the trash is emptied")] = 7
    rebuildable: Annotated[tuple[str, ...], _says("folders that can be made again, by name")] = (
        "node_modules",
        "target",
        ".venv",
        "venv",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".gradle",
        ".next",
        ".cache",
    )


class Ui(_Section, frozen=True):
    """How the dashboard looks and which keys it takes."""

    theme: Annotated[str, _says("`swarm-dark`, `swarm-light` or one of Textual's")] = "swarm-dark"
    keys: Annotated[dict[str, str], _says("own keys by command: `{run.cancel: x}`")] = {}
    columns: Annotated[tuple[str, ...], _says("columns of the run list, in order")] = (
        "status",
        "title",
        "progress",
        "elapsed",
        "changes",
    )


def _slots() -> int:
    return max(2, os.cpu_count() or 2)


class Config(_Section, frozen=True):
    """All settings, with their defaults."""

    slots: Annotated[Positive, _says("runs at a time; default: as many as processors")] = (
        msgspec.field(default_factory=_slots)
    )
    grace_s: Annotated[Seconds, _says("seconds from SIGTERM to SIGKILL")] = 5.0
    codex: Codex = Codex()
    queue: Queue = Queue()
    watchdog: Watchdog = Watchdog()
    workspace: WorkspaceSettings = WorkspaceSettings()
    webhooks: Annotated[tuple[Webhook, ...], _says("receivers of events (not there yet)")] = ()
    notify: Notify = Notify()
    cleanup: Cleanup = Cleanup()
    ui: Ui = Ui()


def load(path: Path) -> Config:
    """Read the settings at `path`; a missing file gives the defaults.

    Raises `UserError` CONFIG_INVALID, naming file, line and the nearest valid key.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeError) as error:
        raise user_error("CONFIG_INVALID", f"{path} cannot be read: {error}.") from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Config:
    """Read settings from `text`; `name` stands in errors for the file."""
    import yaml  # slow to import, and most homes have no settings file

    try:
        tree = _nodes(text)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or "this is not YAML"
        raise user_error("CONFIG_INVALID", f"{where}: {what}.") from error
    if values is None:
        return Config()
    try:
        return msgspec.convert(values, Config, dec_hook=_decode)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _located(str(error), tree, name) from error


def _decode(kind: type, value: object) -> object:
    return kind.parse(value) if kind in (Duration, Size) else value


def _located(problem: str, tree: Any, name: str) -> UserError:  # noqa: ANN401  a YAML node
    what, _, where = problem.partition(" - at `$")
    keys = [key for key in re.split(r"[.\[\]`]+", where) if key and key != "..."]
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        keys.append(unknown[1])
        nearest = difflib.get_close_matches(unknown[1], _valid_keys(keys[:-1]), n=1, cutoff=0.4)
        hint = f" Did you mean `{nearest[0]}`?" if nearest else ""
        what = f"unknown key `{'.'.join(keys)}`.{hint}"
    elif keys:
        what = f"`{'.'.join(keys)}`: {what}."
    return user_error("CONFIG_INVALID", f"{name}:{_line(tree, keys)}: {what}")


def _nodes(text: str) -> Any:  # noqa: ANN401  YAML nodes know their lines, and have no types
    import yaml

    compose: Any = getattr(yaml, "compose")  # noqa: B009  untyped in its stubs
    return compose(text, Loader=yaml.SafeLoader)


def _line(node: Any, keys: list[str]) -> int:  # noqa: ANN401  a YAML node
    line: int = node.start_mark.line + 1
    for key in keys:
        found = _child(node, key)
        if found is None:
            break
        mark, node = found
        line = mark.line + 1
    return line


def _child(node: Any, key: str) -> tuple[Any, Any] | None:  # noqa: ANN401  a YAML node
    """Give where `key` stands in a mapping or sequence, and what stands there."""
    children: list[Any] = node.value
    for place, child in enumerate(children):
        if isinstance(child, tuple):
            name, value = cast("tuple[Any, Any]", child)
            if name.value == key:
                return name.start_mark, value
        elif str(place) == key:
            return child.start_mark, child
    return None


def _valid_keys(path: list[str]) -> list[str]:
    kind: Any = Config
    for key in path:
        if key.isdigit():
            kind = get_args(_plain(kind))[0]
            continue
        kind = next((f.type for f in msgspec.structs.fields(kind) if f.name == key), None)
        if kind is None:
            return []
    return [field.name for field in msgspec.structs.fields(_plain(kind))]


def _plain(kind: Any) -> Any:  # noqa: ANN401  a type
    """Give a type without what is annotated to it."""
    return get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
