"""Types of setting values: lengths of time, sizes, paths, names; each parses itself."""

from __future__ import annotations

import re

from engine.domain.budget import read_budget, written
from engine.domain.hosts import problem_of_host
from engine.domain.messages import TOPICS
from engine.domain.text import is_utf8
from engine.system.absolute import parse_absolute

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
        """Read a duration; raises ValueError, which names the allowed forms."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", str(value))
        if not found or isinstance(value, bool):
            raise ValueError("a duration such as 90s, 5m, 12h or 30d is needed")
        return cls(float(found[1]) * _UNITS_S[found[2] or "s"])

    def written(self) -> str:
        """Write it as `parse` reads it, in the largest unit that fits."""
        for unit in ("d", "h", "m"):
            if self and self % _UNITS_S[unit] == 0:
                return f"{self / _UNITS_S[unit]:.0f}{unit}"
        return f"{float(self):g}s"


class Size(int):
    """A number of bytes, written `500`, `500MB`, `2GiB` or `2G`."""

    @classmethod
    def parse(cls, value: object) -> Size:
        """Read a size; raises ValueError, which names the allowed forms."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
        if not found or isinstance(value, bool) or found[2] not in _UNITS_BYTES:
            raise ValueError("a size such as 500MB or 2GiB is needed")
        return cls(float(found[1]) * _UNITS_BYTES[found[2]])

    def written(self) -> str:
        """Write it as `parse` reads it, in the largest unit that fits."""
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self and self % _UNITS_BYTES[unit.lower()] == 0:
                return f"{self // _UNITS_BYTES[unit.lower()]}{unit}"
        return str(int(self))


class Percent(float):
    """A part of a whole, written `30%` or `30`, from 0 to 100."""

    @classmethod
    def parse(cls, value: object) -> Percent:
        """Read a percentage; raises ValueError, which names the allowed form."""
        found = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*%?\s*", str(value), re.ASCII)
        if not found or isinstance(value, bool) or float(found[1]) > 100:
            raise ValueError("a percentage from 0% to 100% is needed, such as 30%")
        return cls(float(found[1]))

    def written(self) -> str:
        """Write it as `parse` reads it."""
        return f"{float(self):g}%"


class BudgetText(str):
    """A budget, written `500000`, `500k`, `$5`, `10%` or `10%5h`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> BudgetText:
        """Read a budget; raises ValueError, which names the allowed forms."""
        text = "" if isinstance(value, bool) else str(value)
        return cls(written(read_budget(text)))


class BranchName(str):
    """The name of a run's branch, such as `swarm/{run}`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> BranchName:
        """Read a name; raises ValueError where git could not know it."""
        text = value if isinstance(value, str) else ""
        filled = text.replace("{run}", "r1")
        parts = filled.split("/")
        is_odd = _NO_BRANCH.search(filled) or not filled.isprintable() or len(text) > 100
        if text.count("{run}") != 1 or is_odd or any(_NO_PART.search(part) for part in parts):
            raise ValueError("a branch with {run} in it is needed, such as swarm/{run}")
        return cls(text)


_NO_BRANCH = re.compile(r"[\s~^:?*\[\\{}@]|\.\.|^-|^refs/|\.$")
_NO_PART = re.compile(r"^$|^\.|\.lock$")


class RootFolder(str):
    """A folder for workspaces: an absolute path, where `~` is a home directory."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> RootFolder:
        """Read a folder; raises ValueError where its path is not absolute."""
        return cls(parse_absolute(value, "/data/workspaces or ~/workspaces"))


class PathInside(str):
    """A path or pattern of files below a folder, such as `.env` or `config/*.local.yml`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> PathInside:
        """Read a path; raises ValueError where it leads out of the folder, or is none."""
        text = value.strip("/") if isinstance(value, str) and not value.startswith("/") else ""
        parts = text.split("/")
        if "\0" in text or any(part in ("", ".", "..") for part in parts) or not is_utf8(text):
            raise ValueError("a path below the source is needed, such as .env or conf/*.local")
        return cls(text)


class HostName(str):
    """A machine for runs: `local`, `any`, or the name of a node."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> HostName:
        """Read a name; raises ValueError for one that no node can have."""
        if not isinstance(value, str):
            raise ValueError("`local`, `any` or the name of a node is needed")
        if problem := problem_of_host(value):
            raise ValueError(f"this is not the name of a node: {problem}")
        return cls(value)


class WebhookName(str):
    """The name of a webhook: letters, digits, `-` and `_`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> WebhookName:
        """Read a name; raises ValueError, which names the allowed form."""
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", value):
            raise ValueError("a name of letters, digits, `-` and `_` is needed")
        return cls(value)


class EventName(str):
    """The name of an event for a receiver, such as `run.failed`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> EventName:
        """Read a name; raises ValueError, which names the nearest."""
        if value in TOPICS:
            return cls(value)
        import difflib  # only the wrong pay for it

        near = difflib.get_close_matches(str(value)[:100], TOPICS, n=1, cutoff=0.5)
        hint = f"the nearest is `{near[0]}`" if near else f"there are {', '.join(TOPICS)}"
        raise ValueError(f"there is no such event, {hint}")
