"""Where everything lies, and who may read it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from engine.config import paths as module
from engine.config.paths import Paths, private_folder
from engine.domain.errors import UserError


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWARM_HOME", "here")
    monkeypatch.setenv("SWARM_CONFIG", "settings.yaml")
    assert module.find() == Paths(tmp_path / "here", tmp_path / "settings.yaml")


def test_otherwise_the_platform_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SWARM_HOME", "SWARM_CONFIG", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = module.find()
    assert found.home.is_relative_to(tmp_path)
    assert found.home.name == "codex-swarm"
    assert found.config.name == "config.yaml"
    assert found.config.is_relative_to(tmp_path)
    monkeypatch.setenv("SWARM_HOME", "/elsewhere")
    assert module.find() == Paths(Path("/elsewhere"), found.config)


def test_a_home_is_made_with_its_parents_for_its_owner_only(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "a/b/home", tmp_path / "config.yaml")
    paths.prepare()
    paths.prepare()
    for path in (paths.home, paths.home.parent, paths.home.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert private_folder(tmp_path) == tmp_path
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_home_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file/home"):
        with pytest.raises(UserError) as caught:
            Paths(home, tmp_path / "config.yaml").prepare()
        assert "SWARM_HOME" in caught.value.recovery


def test_an_attempt_has_its_files_in_one_folder(paths: Paths) -> None:
    folder = paths.attempt("abc", 3)
    assert folder.path == paths.home / "runs/abc/attempt-3"
    files = [
        folder.prompt,
        folder.stdout,
        folder.stderr,
        folder.last_message,
        folder.pid,
        folder.exit,
    ]
    assert {file.parent for file in files} == {folder.path}
    assert [file.name for file in files[:4]] == [
        "prompt.md", "stdout.jsonl", "stderr.log", "last-message.md",
    ]  # fmt: skip


def test_a_home_whose_path_is_not_utf8_is_refused(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"h\xe9")
    with pytest.raises(UserError, match=r"h\\xe9 has a path that is not UTF-8"):
        Paths(home, tmp_path / "config.yaml").prepare()
    assert not home.exists()


def test_without_home_and_without_a_passwd_entry_it_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(_uid: int) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "SWARM_HOME", "SWARM_CONFIG", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(UserError) as caught:
        module.find()
    assert caught.value.recovery == "Set HOME, or both SWARM_HOME and SWARM_CONFIG."
