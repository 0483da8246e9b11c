"""Commits that are made for the user: signed where the user's own configuration says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import repos
from test_apply import LINES, Scene, scene

from engine.domain.errors import UserError
from engine.workspaces.apply.apply import ApplyMode


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repos.repository(tmp_path / "s", {"a.txt": LINES})


@pytest.fixture
def key(home: Path) -> Path:
    """A key of the user's, and a global configuration that signs commits with it."""
    path = home.parent / "user" / "key"
    making = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "uma", "-f", str(path)]
    subprocess.run(making, check=True)
    text = "[commit]\ngpgSign = true\n[gpg]\nformat = ssh\n[user]\nsigningKey = {}.pub\n"
    (home.parent / "user" / ".gitconfig").write_text(text.format(path))
    return path


async def changed(source: Path, home: Path) -> Scene:
    here = await scene(source, home)
    repos.write(here.root, {"new": "n\n"})
    return here


def is_good(source: Path, commit: str | None, key: Path) -> bool:
    """Return whether git finds the signature good."""
    allowed = source.parent / "allowed"
    allowed.write_text(f"uma@example.com {key.with_suffix('.pub').read_text()}")
    settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}")
    shown = repos.git(source, *settings, "log", "-1", "--format=%G?", commit or "")
    return shown == "G"


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_signed_where_the_users_configuration_says_so(
    source: Path, home: Path, key: Path, how: ApplyMode
) -> None:
    here = await changed(source, home)
    repos.write(source, {"mine": "m\n"})
    repos.commit(source, "mine")
    assert (await here.check(how)).signed is None
    done = await here.apply(how)
    assert done.signed is True
    assert is_good(source, done.commit, key)
    assert is_good(source, here.branch, key)
    assert done.into == ("main" if how is ApplyMode.MERGE else None)
    assert (await here.apply(how)).signed is None  # nothing new


async def test_a_repository_asks_for_no_signature_and_names_no_program(
    source: Path, home: Path
) -> None:
    ran = home / "ran"
    program = home / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    for setting in ("commit.gpgSign=true", f"gpg.program={program}", f"gpg.ssh.program={program}"):
        repos.git(source, "config", *setting.split("="))
    done = await (await changed(source, home)).apply(ApplyMode.MERGE)
    assert done.signed is False
    assert not ran.exists()


async def test_a_repository_does_not_change_how_the_user_signs(
    source: Path, home: Path, key: Path
) -> None:
    ran = home / "ran"
    program = home / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    for setting in ("commit.gpgSign=false", f"gpg.ssh.program={program}", "user.signingKey=/x"):
        repos.git(source, "config", *setting.split("="))
    done = await (await changed(source, home)).apply(ApplyMode.COMMIT)
    assert not ran.exists()
    repos.git(source, "config", "--unset", "gpg.ssh.program")
    assert is_good(source, done.commit, key)


@pytest.mark.parametrize("how", [ApplyMode.COMMIT, ApplyMode.MERGE])
async def test_what_cannot_be_signed_is_not_committed(
    source: Path, home: Path, key: Path, how: ApplyMode
) -> None:
    here = await changed(source, home)
    key.unlink()
    before = repos.git(source, "for-each-ref"), repos.files(source)
    with pytest.raises(UserError) as caught:
        await here.apply(how)
    assert caught.value.code == "SIGNING_FAILED"
    assert (repos.git(source, "for-each-ref"), repos.files(source)) == before
    assert (await here.apply(ApplyMode.EDITS)).files == ("new",)  # which nobody signs


async def test_hooks_of_the_repository_are_not_run(source: Path, home: Path) -> None:
    ran = home / "ran"
    for name in ("pre-commit", "commit-msg", "post-commit", "post-merge", "reference-transaction"):
        hook = source / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    done = await (await changed(source, home)).apply(ApplyMode.MERGE)
    assert done.signed is False
    assert not ran.exists()


async def test_signed_where_the_environment_says_so(
    source: Path, home: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.parent / "user" / ".gitconfig").unlink()
    settings = {"commit.gpgSign": "yes", "gpg.format": "ssh", "user.signingKey": f"{key}.pub"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (name, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    done = await (await changed(source, home)).apply(ApplyMode.COMMIT)
    assert done.signed is True
    assert is_good(source, done.commit, key)
