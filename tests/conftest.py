"""What all tests share: a throw-away home that no user's settings reach."""

from __future__ import annotations

import gc
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engine.paths import Paths

# A busy machine is no fault: what a test may take is the time limit's business.
slow_machine = [HealthCheck.too_slow]
settings.register_profile(
    "ours", deadline=None, max_examples=60, suppress_health_check=slow_machine
)
settings.load_profile("ours")

# A shell without job control starts what runs in the background deaf to Ctrl-C, all its children
# with it: the programs that tests start have to hear theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Modules and collected tests stay to the end: looking for garbage among them takes a fifth of the
# time that tests of the dashboard need.
gc.disable()
YOUNG = 20_000


def pytest_collection_finish() -> None:
    """Look for garbage from now on, except among what was collected."""
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = ("SWARM_CODEX", "CODEX_HOME", "CODEX_SQLITE_HOME", "OPENAI_API_KEY", "NO_COLOR", "TMUX")
    for name in ours:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWARM_CONFIG", str(tmp_path / "config.yaml"))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The throw-away home."""
    return Paths(tmp_path / "home", tmp_path / "config.yaml")
