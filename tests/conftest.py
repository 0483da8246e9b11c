"""What all tests share: a throw-away home that no user's settings reach."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engine.config.paths import Paths

# The programs that tests start a thousand times are compiled once, also where Python is told not to
# keep what it compiles: each start would take twice as long.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A busy machine is no fault: what a test may take is the time limit's business.
slow_machine = [HealthCheck.too_slow]
settings.register_profile(
    "searching", deadline=None, max_examples=60, suppress_health_check=slow_machine
)
# The same examples every time: a failure comes from a change. `--hypothesis-profile=searching`
# tries new ones.
settings.register_profile("ours", settings.get_profile("searching"), derandomize=True)
settings.load_profile("ours")

# A shell without job control starts what runs in the background deaf to Ctrl-C, all its children
# with it: the programs that tests start have to hear theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

YOUNG = 20_000
"""Objects made before garbage is looked for among them."""
MAX_LEAKED = 50
"""Open files that a test may leave to the garbage collector; CI allows 1,024 in all."""
WORKERS = "PYTEST_XDIST_AUTO_NUM_WORKERS"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage from here on, but never in what was collected: it stays to the end.

    That took a fifth of the processor time of tests of the dashboard.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _commands_freeze_nothing() -> Generator[None]:
    """Let commands that run in this process freeze nothing: a process runs only one otherwise.

    What a test has made by then, a whole server or dashboard, would stay to the end: 700 MB.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tui.cli.support.session.collect_garbage", gc.enable)
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at a time: for half of its time, a test waits for processes."""
    wanted = os.environ.get(WORKERS, "")
    if wanted.isdigit():
        return int(wanted)
    has_affinity = hasattr(os, "sched_getaffinity")
    return 2 * (len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _no_leaked_handles() -> Generator[None]:
    """Fail a test that leaves many files open: the tests after it would run out of them."""
    before = _open_files()
    yield
    left = _open_files() - before
    assert left < MAX_LEAKED, f"the test left {left} files open"


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0


@pytest.fixture(scope="session", autouse=True)
def _codex_homes(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Make the folder of the tests' Codex homes, itself the home of fixtures of a whole module.

    Without `CODEX_HOME`, the sessions of this machine's user would be read. Not in `tmp_path`: a
    folder above a Codex home is no source for work in place.
    """
    folder = tmp_path_factory.mktemp("codex-homes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, _codex_homes: Path) -> None:
    for name in ("SWARM_CODEX", "CODEX_SQLITE_HOME", "OPENAI_API_KEY", "NO_COLOR", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    codex_home = _codex_homes / tmp_path.name
    codex_home.mkdir(exist_ok=True)  # the real Codex refuses a folder that is missing
    monkeypatch.setenv("CODEX_HOME", str(codex_home))
    monkeypatch.setenv("SWARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWARM_CONFIG", str(tmp_path / "config.yaml"))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The throw-away home."""
    return Paths(tmp_path / "home", tmp_path / "config.yaml")
