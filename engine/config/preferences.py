"""Preferences of the faces: choices made, cheap to lose."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from engine.domain.errors import UserError
from engine.system.decoding import json_decoder

_PREFIX = "remembered."
_log = logging.getLogger(__name__)
T = TypeVar("T")


class PreferenceStore(Protocol):
    """A store of text by name."""

    def settings(self) -> Awaitable[dict[str, str]]:
        """Return all words."""
        ...

    def change_setting(
        self, name: str, decide: Callable[[str | None], str | None]
    ) -> Awaitable[None]:
        """Change one."""
        ...


class Preferences:
    """Small dataclasses by name, for all dashboards of a home; what is unreadable is forgotten."""

    def __init__(self, settings: PreferenceStore) -> None:
        self._settings = settings
        self._kept: dict[str, str] = {}

    async def load(self) -> None:
        """Take in what is stored."""
        self._kept = await self._settings.settings()

    def recall(self, name: str, kind: type[T]) -> T | None:
        """Return the value remembered under `name`; None if there is none of that `kind`."""
        text = self._kept.get(_PREFIX + name)
        try:
            return None if text is None else json_decoder(kind)(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None

    async def remember(self, name: str, value: object) -> None:
        """Keep a value in the place of what was there; where that fails, it is forgotten."""
        text = msgspec.json.encode(value).decode()
        self._kept[_PREFIX + name] = text
        try:
            await self._settings.change_setting(_PREFIX + name, lambda _: text)
        except UserError as error:
            _log.warning("cannot remember %s: %s", name, error.message)
