"""What users install: a wheel built through the sdist, in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel; built from the sdist, so that what the sdist lacks is missed here."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel and our dependencies."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
        capture_output=True,
    )
    # The dependencies come from this environment by single names, without the checkout's own .pth.
    ours = Path(sysconfig.get_path("purelib"))
    (theirs,) = folder.glob("lib/python*/site-packages")
    for entry in ours.iterdir():
        if not (theirs / entry.name).exists() and not _is_ours(entry.name):
            (theirs / entry.name).symlink_to(entry)
    return folder / "bin"


def _is_ours(name: str) -> bool:
    return name in ("engine", "tui", "swarm_tui.py") or "swarm_tui" in name


def _run(*words: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **env},
        timeout=60,
    )


def test_the_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    done = _run(installed / "swarm-tui", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "swarm-tui 0.1.0\n", "")


def test_the_installed_command_carries_a_run(installed: Path, tmp_path: Path) -> None:
    words = ("run", "--empty", "--agent", "simulated", "sim: write a.txt x")
    done = _run(installed / "swarm-tui", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert " succeeded after " in done.stdout


def test_templates_and_style_sheets_are_installed(installed: Path, tmp_path: Path) -> None:
    program = "import engine, tui; print(engine.__path__[0]); print(tui.__path__[0])"
    done = _run(installed / "python", "-c", program, cwd=tmp_path)
    engine, tui = map(Path, done.stdout.split())
    assert not engine.is_relative_to(ROOT)
    template = yaml.safe_load((engine / "_templates" / "test.yaml").read_text())
    assert template["title"] == "test {{ path }}"
    assert [path.name for path in tui.rglob("*.tcss")]


def test_other_packages_of_these_names_are_left_alone(installed: Path, tmp_path: Path) -> None:
    for name in ("engine", "tui"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    for command in ([installed / "swarm-tui"], [sys.executable, ROOT / "swarm_tui.py"]):
        done = _run(*command, "ls", cwd=tmp_path, PYTHONPATH=".")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("ID ")
        assert done.stderr.startswith("No runs yet.")


def test_every_requirement_has_an_exact_version_and_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    text = (ROOT / "constraints.txt").read_text().replace("\\\n", " ")
    one = r"[A-Za-z0-9._-]+==[0-9][0-9a-z.+]*( ; [^#]+?)?( +--hash=sha256:[0-9a-f]{64})+ *"
    assert all(re.fullmatch(one, line) for line in text.splitlines())
    pinned = {_plain(line.split("==")[0]) for line in text.splitlines()}
    assert {_plain(re.split(r"[\[<>=~! ;]", one)[0]) for one in wanted} <= pinned


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
