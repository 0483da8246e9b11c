"""The home of somebody else, and a limit on processes: one clear error, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typed import COMMAND, PATIENCE_S, Result

NOBODY = "65534"
CAPABILITIES = "-dac_override,-dac_read_search,-fowner"
STRANGER = ["setpriv", f"--inh-caps={CAPABILITIES}", f"--bounding-set={CAPABILITIES}"]
"""Root with no right to the files of others."""
LIMITED = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    # Python may be installed where only root can read it.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
    *("prlimit", "--nproc=1"),
]
"""Another user than root, for whom the limit does not count, with no further process or thread."""


def _works(*words: str) -> bool:
    try:
        return subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not (_works(*STRANGER) and _works(*LIMITED)),
    reason="needs root, setpriv and prlimit",
)


@pytest.fixture
def of_nobody() -> Iterator[Path]:
    """A home of another user's, in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    home = folder / "home"
    home.mkdir(0o700)
    os.chown(home, int(NOBODY), int(NOBODY))
    yield home
    shutil.rmtree(folder)


def _typed(prefix: list[str], home: Path, words: str) -> Result:
    own = {
        "SWARM_HOME": str(home),
        "SWARM_CONFIG": str(home.parent / "config.yaml"),
        "HOME": str(home),
    }
    command = [*prefix, *COMMAND, *words.split()]
    env, folder = {**os.environ, **own}, home.parent
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, env=env,
        timeout=PATIENCE_S,
    )  # fmt: skip
    return Result(done)


@pytest.mark.parametrize(
    "words", ["ls", "wait --all", "run --empty --agent simulated --detach x", "supervise"]
)
def test_the_home_of_somebody_else_is_one_clear_error(of_nobody: Path, words: str) -> None:
    done = _typed(STRANGER, of_nobody, words)
    assert (done.code, done.out) == (3, "")
    assert "Permission denied" in done.err
    assert "DATABASE_UNUSABLE" in done.err
    assert not list(of_nobody.iterdir())


@pytest.mark.parametrize("words", ["ls", "run --empty --agent simulated --detach x"])
def test_a_refused_fork_is_one_clear_error(of_nobody: Path, words: str) -> None:
    done = _typed(LIMITED, of_nobody, words)
    assert (done.code != 0, done.out) == (True, "")
    assert "the limit on processes and threads is reached" in done.err
    assert "Traceback" not in done.err
