"""Being told when a file is written."""

import asyncio
import sys
from pathlib import Path
from time import monotonic

import pytest

from engine.store.written import WriteSignal

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell")


@on_linux
async def test_writes_end_the_wait_also_those_before_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    with WriteSignal(file) as written:
        waiting = asyncio.create_task(written.wait(60))
        await asyncio.sleep(0)
        file.write_text("news")
        await waiting
        file.write_text("more")
        await written.wait(60)


@on_linux
async def test_without_a_write_the_wait_ends_in_time(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    with WriteSignal(file) as written:
        began = monotonic()
        await written.wait(0.1)
        assert monotonic() - began >= 0.09


async def test_a_file_that_is_not_there_is_never_waited_for(tmp_path: Path) -> None:
    with WriteSignal(tmp_path / "none") as written:
        await written.wait(60)
