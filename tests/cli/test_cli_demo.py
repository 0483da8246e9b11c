"""`demo` without a terminal."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from typed import COMMAND, Swarm

from engine.domain.errors import user_error
from engine.domain.model import Run, Status
from tui.cli import demo_script


def test_demo_ends_as_scripted_and_leaves_nothing(
    swarm: Swarm, tmp_path: Path, paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = swarm("demo", TMPDIR=str(temporary))
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("All 6 runs ended as scripted.\n")
    for scene in demo_script.SCENES:
        assert f"{scene.title} (simulated)" in done.out
    assert list(temporary.iterdir()) == []
    assert not paths.home.exists()


def test_demo_says_what_did_not_end_as_scripted() -> None:
    scenes = {f"r{number}": scene for number, scene in enumerate(demo_script.SCENES)}
    runs = {
        run_id: Run(
            run_id,
            scene.spec,
            0.0,
            status=scene.ends,
            attempt=scene.attempts,
            error=user_error(scene.error).info if scene.error else None,
        )
        for run_id, scene in scenes.items()
    }
    assert demo_script.faults(runs, scenes) == []
    runs["r0"].status = Status.FAILED
    (told,) = demo_script.faults(runs, scenes)
    assert told == "Add a greeting: failed in attempt 1 instead of succeeded in attempt 1"


def test_demo_can_be_interrupted(tmp_path: Path) -> None:
    import os
    import subprocess

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "demo"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    with process:
        assert process.stdout
        assert any(b"thinks" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 130
    assert list(temporary.iterdir()) == []
