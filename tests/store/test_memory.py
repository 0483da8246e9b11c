"""What dashboards remember: shared by a home, and worth nothing when it is damaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.config.preferences import Preferences
from engine.domain.errors import user_error
from engine.store.store import open_store


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    texts: dict[str, str] = field(default_factory=dict[str, str])


async def test_what_was_remembered_is_there_the_next_time(tmp_path: Path) -> None:
    async with open_store(tmp_path / "swarm.db") as store:
        memory = Preferences(store)
        await memory.load()
        assert memory.recall("choice", Choice) is None
        await memory.remember("choice", Choice("one"))
        await memory.remember("choice", Choice("two", {"a": "b"}))
    async with open_store(tmp_path / "swarm.db") as store:
        memory = Preferences(store)
        await memory.load()
        assert memory.recall("choice", Choice) == Choice("two", {"a": "b"})


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"name": 7}', '{"name": "x", "texts": []}', '"\ud800"']
)
async def test_what_is_unreadable_is_forgotten(text: str) -> None:
    class Damaged:
        async def settings(self) -> dict[str, str]:
            return {"remembered.choice": text}

        async def change_setting(self, name: str, decide: object) -> None:
            raise user_error("DATABASE_LOCKED")

    memory = Preferences(Damaged())
    await memory.load()
    assert memory.recall("choice", Choice) is None
    await memory.remember("choice", Choice("kept as long as this goes on"))
    assert memory.recall("choice", Choice) == Choice("kept as long as this goes on")
