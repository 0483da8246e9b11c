"""Stores on throw-away files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from engine.store.store import Store, open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "swarm.db"


@pytest.fixture
async def store(database: Path) -> AsyncGenerator[Store]:
    async with open_store(database) as opened:
        yield opened


@pytest.fixture
async def other(store: Store, database: Path) -> AsyncGenerator[Store]:
    """Another process's store on the same file, as far as SQLite can tell."""
    async with open_store(database) as opened:
        yield opened
