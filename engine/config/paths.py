"""Paths: the home of runs, the settings, the folders of one run."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from zlib import crc32

from engine.domain.errors import user_error
from engine.domain.record import record
from engine.domain.text import printable_name
from engine.system.durable import sync_path

APP = "codex-swarm"
_NAME_LIMIT = 60
_prepared: set[Path] = set()
"""The homes this process has opened: one that is moved or removed since is not made again."""


@record
class AttemptFolder:
    """The files of one attempt; nothing else knows their names."""

    path: Path

    @property
    def prompt(self) -> Path:
        """The prompt, which the agent reads on stdin."""
        return self.path / "prompt.md"

    @property
    def stdout(self) -> Path:
        """The spool file: the agent's own lines, as it wrote them."""
        return self.path / "stdout.jsonl"

    @property
    def inbox(self) -> Path:
        """The records that an interactive agent reads while it works."""
        return self.path / "inbox.jsonl"

    @property
    def stderr(self) -> Path:
        """The stderr of the agent."""
        return self.path / "stderr.log"

    @property
    def last_message(self) -> Path:
        """The agent's last message, written by itself."""
        return self.path / "last-message.md"

    @property
    def output_schema(self) -> Path:
        """The JSON schema that the last message has to fit."""
        return self.path / "output-schema.json"

    @property
    def pid(self) -> Path:
        """The process group's leader; who creates this file first may start or refuse the start."""
        return self.path / "pid"

    @property
    def exit(self) -> Path:
        """The exit status, written when the agent has ended; it outlives every dashboard."""
        return self.path / "exit"

    def sync(self) -> None:
        """Write the attempt's files through to the disk; raises OSError where that fails."""
        for path in (self.stdout, self.stderr, self.last_message, self.exit, self.path):
            sync_path(path)

    @property
    def setup(self) -> StageFolder:
        """The files of the set-up that made the attempt's workspace ready, where there was one."""
        return StageFolder(self.path / "set-up")

    @property
    def verify(self) -> StageFolder:
        """The files of the check that followed the agent, where there was one."""
        return StageFolder(self.path / "verify")


class StageFolder(AttemptFolder):
    """The files of a stage's commands: a process as an attempt is, that reads nothing."""

    @property
    def prompt(self) -> Path:
        """The stdin of the commands: empty."""
        return Path(os.devnull)

    @property
    def stdout(self) -> Path:
        """The log: all that the commands wrote."""
        return self.path / "output.log"

    @property
    def stderr(self) -> Path:
        """The same log."""
        return self.stdout

    @property
    def step(self) -> Path:
        """The number of the running command, from 1."""
        return self.path / "step"

    @property
    def began(self) -> Path:
        """The start of the commands, by a clock that no jump or sleep moves."""
        return self.path / "began"


@record
class Paths:
    """The folders of one home and the settings beside it."""

    home: Path
    config: Path

    @property
    def database(self) -> Path:
        """All runs and their events."""
        return self.home / "swarm.db"

    @property
    def lock(self) -> Path:
        """Held by the engine that supervises this home."""
        return self.home / "supervisor.lock"

    @property
    def valid_config(self) -> Path:
        """The last valid text of the settings file; each settings file has its own."""
        return self.home / f"valid-config-{crc32(os.fsencode(self.config)):08x}.yaml"

    @property
    def log(self) -> Path:
        """The log of internal errors, for reports."""
        return self.home / "swarm.log"

    @property
    def workspaces(self) -> Path:
        """The workspaces of all projects."""
        return self.home / "workspaces"

    @property
    def trash(self) -> Path:
        """Deleted workspaces that can still be restored."""
        return self.home / "trash"

    def agent_home(self, agent: str) -> Path:
        """Return the folder of an agent that keeps nothing in the user's own home."""
        return self.home / safe_name(agent)

    def workspace(self, project: str, run: str, root: str | None = None) -> Path:
        """Return the folder an agent works in, in the home's own root or in another one."""
        top = Path(root) if root else self.workspaces
        return top / safe_name(project) / safe_name(run)

    def run(self, run: str) -> Path:
        """Return the folder of a run's own files."""
        return self.home / "runs" / safe_name(run)

    @property
    def forgotten(self) -> Path:
        """Files of runs that were forgotten, until they are removed."""
        return self.home / "forgotten"

    def attempt(self, run: str, attempt: int) -> AttemptFolder:
        """Return the folder of one attempt's files."""
        return AttemptFolder(self.run(run) / f"attempt-{attempt}")

    def environment(self, run: str) -> Path:
        """Return the file with the environment that a run was requested with."""
        return self.run(run) / "environment.json"

    def variables(self, run: str) -> Path:
        """Return the file with the variables that were named for a run on another machine."""
        return self.run(run) / "variables.json"

    def temporary(self, run: str) -> Path:
        """Return the folder for temporary files of a run's programs."""
        return self.run(run) / "tmp"

    def image(self, run: str, place: int, suffix: str) -> Path:
        """Return the file with the copy of an image that a run was requested with."""
        return self.run(run) / f"image-{place}{suffix}"

    def port(self, run: str) -> Path:
        """Return the file with the first port of a run's block."""
        return self.run(run) / "port"

    def checkpoints(self, run: str, workspace: str | Path) -> Path:
        """Return where the checkpoints of a run's workspace are kept, outside the workspace."""
        return self.run(run) / "checkpoints" / f"{Path(workspace).name}.git"

    def prepare(self) -> None:
        """Create the home, readable by its owner only; raises `UserError` where that fails."""
        try:
            str(self.home).encode()
        except UnicodeEncodeError as error:
            raise user_error(
                "INPUT_INVALID",
                f"The home {printable_name(str(self.home))} has a path that is not UTF-8.",
                "Name another folder in SWARM_HOME.",
            ) from error
        _prepared.discard(self.home)
        try:
            private_folder(self.home)
        except OSError as error:
            raise user_error(
                "INPUT_INVALID",
                f"The home {self.home} cannot be used: {error.strerror}.",
                "Name a folder you can write to in SWARM_HOME.",
            ) from error
        _prepared.add(self.home)


def find() -> Paths:
    """Return the user's paths: SWARM_HOME and SWARM_CONFIG, or the platform's own places."""
    home, config = os.environ.get("SWARM_HOME"), os.environ.get("SWARM_CONFIG")
    try:
        Path.home()
    except RuntimeError as error:  # no HOME, and no entry for this user id
        if not (home and config):
            raise user_error(
                "INPUT_INVALID",
                "There is no home directory: HOME is not set, and this user id has no entry.",
                "Set HOME, or both SWARM_HOME and SWARM_CONFIG.",
            ) from error
        os.environ["HOME"] = str(Path(home).absolute())  # git and agents need one, too
    if home and config:
        return Paths(Path(home).absolute(), Path(config).absolute())
    import platformdirs  # only where it is needed: every command pays for its imports

    data = home or platformdirs.user_data_path(APP, appauthor=False)
    settings = config or platformdirs.user_config_path(APP, appauthor=False) / "config.yaml"
    return Paths(Path(data).absolute(), Path(settings).absolute())


def private_folder(path: Path) -> Path:
    """Create a folder, and the parents it lacks, with mode 0700, unless it is there.

    Raises OSError, also for a home that this process has opened and that is gone: a new one in its
    place would keep the old one from being moved back.
    """
    if not path.is_dir():
        if path in _prepared:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        if not path.parent.exists():
            private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_path(path.parent)  # a power cut keeps a folder only where its parent is synced
    return path


def safe_name(name: str) -> str:
    """Return a file name for any `name` at all: one component, never empty, `.` or `..`, bounded.

    A name that had to be changed carries a digest of the original, so that two stay two.
    """
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:_NAME_LIMIT]
    if plain and plain == name:
        return name
    from hashlib import sha256

    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'project'}-{digest}"
