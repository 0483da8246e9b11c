"""Nodes in this process with real attempts, of which nothing is left when a test ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fake_channel import FakeChannel

from engine.execution.cluster.node.service import NodeService
from engine.execution.local import process_marks


@pytest.fixture
def service(tmp_path: Path) -> Iterator[NodeService]:
    """A node with two slots and a lease."""
    (tmp_path / "node").mkdir()
    made = NodeService(tmp_path / "node", "one", 2)
    yield made
    made.close()


@pytest.fixture
def channel(service: NodeService) -> Iterator[FakeChannel]:
    """A channel to the node `one`."""
    made = FakeChannel({"one": service})
    yield made
    made.close_nodes()


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """End whatever carries a mark of an attempt below this test's folder."""
    yield
    here = os.path.realpath(tmp_path)
    for mark, pids in process_marks.marks().items():
        if mark.startswith(here):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
