"""What the tests with the real Codex share."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import ROOT, House, NewHouse
from loopback import LoopbackServer, codex_env, codex_home

from engine.config.paths import Paths


def _outside_temporary() -> Path:
    temporary = [Path("/tmp").resolve(), Path(tempfile.gettempdir()).resolve()]
    for base in (ROOT / ".test-home", Path("/var/tmp"), Path.home() / ".cache"):
        if not any(base.resolve().is_relative_to(folder) for folder in temporary):
            return base if base.name == ".test-home" else base / f"swarm-tui-tests-{os.getuid()}"
    raise RuntimeError("no folder outside the temporary ones")


@pytest.fixture
def lab() -> Iterator[Path]:
    """Make a folder of this test's own, outside the temporary folders.

    Codex wants no home there, and lets commands write there: also where this checkout lies in one.
    """
    folder = _outside_temporary() / uuid.uuid4().hex[:12]
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Run a model server."""
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Make a named pipe: the commands of an agent can hold it, and so show that they live.

    It lies in the system's temporary folder, into which the sandbox lets them write.
    """
    path = tmp_path / "alive"
    os.mkfifo(path)
    return path


@pytest.fixture
def new_house(lab: Path, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> NewHouse:
    """Make a house, its Codex set up by `codex_home`; `at` is another base URL."""

    def make(at: str | None = None, **options: Any) -> House:
        home = codex_home(lab / "codex", at or server, **options)
        paths = Paths(lab / "home", lab / "config.yaml")
        wanted = codex_env(home)
        Path(wanted.pop("CODEX_SQLITE_HOME")).rmdir()  # the engine's business
        wanted |= {"SWARM_HOME": str(paths.home), "SWARM_CONFIG": str(paths.config)}
        for name in os.environ.keys() - wanted.keys():
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            monkeypatch.setenv(name, value)
        return House(paths, home)

    return make


@pytest.fixture
def house(new_house: NewHouse) -> House:
    """Make a house whose Codex never retries."""
    return new_house()
