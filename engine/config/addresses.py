"""Addresses of receivers: they may hold a secret, and are never shown whole."""

from __future__ import annotations

import re
from typing import SupportsIndex
from urllib.parse import SplitResult, parse_qsl, urlsplit

from engine.domain.secrets import HIDDEN

_LONGEST_SHOWN = 12
"""Longer parts of a path are as likely a token as a name."""
_NAME = re.compile(r"[A-Za-z][A-Za-z._~-]*|v?\d{1,3}|")
"""A part of a path that is not a token, if it is short."""
_SHORTEST_HIDDEN = 6


class Address(str):
    """An address as Apprise has them, `scheme://…`; of what is printed, only the scheme is true."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Address:
        """Read an address; raises ValueError, which does not repeat it."""
        if not isinstance(value, str) or not re.match(r"[A-Za-z][\w+.-]*://[^\s\0]", value):
            raise ValueError("an address such as ntfy://topic is needed")
        return cls(value)

    @property
    def shown(self) -> str:
        """The part of the address that may be shown."""
        return f"{self.partition('://')[0]}://{HIDDEN}"

    def __repr__(self) -> str:
        return repr(self.shown)

    # Tracebacks with local variables shorten long texts by taking a part of them.
    def __getitem__(self, key: SupportsIndex | slice) -> str:
        return self.shown[key]

    def hide(self, text: str) -> str:
        """Take out of a text what of this address is not to be seen."""
        for part in sorted(self._parts(), key=len, reverse=True):
            text = text.replace(part, HIDDEN)
        return text

    def _parts(self) -> set[str]:
        return {part for part in re.split(r"[/:@?&=]+", self) if len(part) >= _SHORTEST_HIDDEN}


class Url(Address):
    """The address of a webhook, `http://…` or `https://…`."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> Url:
        """Read an address; raises ValueError, which does not repeat it."""
        problem = "an address such as https://example.com/hook is needed"
        if not isinstance(value, str) or not value.isprintable() or " " in value:
            raise ValueError(problem)
        try:
            found = urlsplit(value)
            _ = found.port
        except ValueError:
            raise ValueError(problem) from None
        if found.scheme not in ("http", "https") or not found.hostname:
            raise ValueError(problem)
        return cls(value)

    @property
    def shown(self) -> str:
        """The address without user, query and long parts of its path."""
        found = urlsplit(str(self))
        path = "/".join(_shortened(part) for part in found.path.split("/"))
        query = f"?{HIDDEN}" if found.query else ""
        user = f"{HIDDEN}@" if "@" in found.netloc else ""
        return f"{found.scheme}://{user}{_host(found)}{path}{query}"

    @property
    def has_user(self) -> bool:
        """Return whether it holds a user's name or a password."""
        return "@" in urlsplit(str(self)).netloc

    @property
    def holds_secret(self) -> bool:
        """Return whether it is not shown whole."""
        return self.shown != str(self)

    def _parts(self) -> set[str]:
        found = urlsplit(str(self))
        parts = {found.username or "", found.password or "", found.query}
        parts |= {value for _, value in parse_qsl(found.query)}
        parts |= {part for part in found.path.split("/") if _shortened(part) != part}
        return {part for part in parts if len(part) >= _SHORTEST_HIDDEN}


def _host(found: SplitResult) -> str:
    return found.netloc.rpartition("@")[2]


def _shortened(part: str) -> str:
    if len(part) <= _LONGEST_SHOWN and _NAME.fullmatch(part):
        return part
    return f"{part[:3] if len(part) > _LONGEST_SHOWN else ''}{HIDDEN}"
