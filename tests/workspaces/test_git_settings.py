"""Hooks that a repository's settings define are not run, and what it includes is bounded."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest
import repos

from engine.domain.errors import UserError
from engine.workspaces.apply.apply import ApplyMode, ApplyRequest, apply
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import worktree
from engine.workspaces.git import config_files, repository
from engine.workspaces.git.git import Git

EVENTS = (
    "reference-transaction",
    "post-checkout",
    "post-index-change",
    "pre-auto-gc",
    "pre-commit",
)
NAMES = ("evil", 'od"d \\ name', "a=b", "x.y", "Ü", "reference-transaction-2")
NEEDED = (2, 54)


def version() -> tuple[int, ...]:
    out = subprocess.check_output(["git", "--version"], env=repos.ENV, text=True)
    return tuple(map(int, re.findall(r"\d+", out)[:2]))


needs_hooks = pytest.mark.skipif(
    version() < NEEDED, reason=f"hooks by settings need git 2.54, this is {version()}"
)


def hooks(ran: Path, names: tuple[str, ...] = NAMES) -> str:
    lines: list[str] = []
    for name in names:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'[hook "{quoted}"]\n\tcommand = touch {ran}')
        lines += [f"\tevent = {event}" for event in EVENTS]
    return "\n".join(lines) + "\n"


def settings_in(source: Path, where: str, text: str) -> None:
    """Put settings where git reads them."""
    git_dir = source / ".git"
    config = git_dir / "config"
    if where == "config":
        config.write_text(config.read_text() + text)
    elif where == "config.worktree":
        repos.git(source, "config", "extensions.worktreeConfig", "true")
        (git_dir / "config.worktree").write_text(text)
    else:
        place = source.parent / "included.cfg"
        place.write_text(text)
        lines = {
            "include": f"[include]\n\tpath = {place}\n",
            "relative": '[INCLUDE] path = "../../included.cfg" ; here\n',
            "continued": f"[include]\n\tpath = {str(place)[:-4]}\\\n.cfg\n",
            "condition": f'[includeIf "gitdir:**"]\n\tpath = {place}\n',
            "nested": "[include]\n\tpath = middle.cfg\n",
        }
        (git_dir / "middle.cfg").write_text(f"[include]\n\tpath = {place}\n")
        config.write_text(config.read_text() + lines[where])


WHERE = ("config", "config.worktree", "include", "relative", "continued", "condition", "nested")


@pytest.mark.parametrize("where", WHERE)
async def test_every_hook_of_the_settings_is_disabled_by_name(tmp_path: Path, where: str) -> None:
    source = repos.repository(tmp_path / "s")
    settings_in(source, where, hooks(tmp_path / "ran"))
    git = Git(source / ".git")
    for name in NAMES:
        answer = await git.run("config", "--type=bool", "--get", f"hook.{name}.enabled")
        assert answer == b"false\n"


@needs_hooks
@pytest.mark.parametrize("where", WHERE)
async def test_no_hook_of_the_settings_runs(tmp_path: Path, home: Path, where: str) -> None:
    source = repos.repository(tmp_path / "s")
    ran = tmp_path / "ran"
    settings_in(source, where, hooks(ran))
    repos.git(source, "update-ref", "refs/heads/probe", "HEAD", ok=False)
    assert ran.exists()  # the user's own git does run them
    ran.unlink()
    made = await worktree.create(source, home / "workspaces" / "p" / "r1", "swarm/r1", home)
    run = await Checkpoints.make(home / "runs" / "r1" / "c.git", made.workspace)
    await run.record("baseline")
    repos.write(Path(made.workspace.path), {"a.txt": "x\n"})
    for how in (ApplyMode.COMMIT, ApplyMode.MERGE):
        await apply(run, ApplyRequest(source, how, "swarm/r1", "m"), home)
    found = await repository.find(source)
    assert found
    await worktree.remove(found, Path(made.workspace.path), "swarm/r1", home)
    assert not ran.exists()


@needs_hooks
async def test_a_hook_that_was_written_since_the_settings_were_read_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version() < (2, 55):
        pytest.skip("hooks are disabled by event since git 2.55")
    source = repos.repository(tmp_path / "s")
    ran = tmp_path / "ran"
    settings_in(source, "config", hooks(ran))
    monkeypatch.setattr("engine.workspaces.git.git.hooks_disabled", lambda _: ())
    await Git(source / ".git").run("update-ref", "refs/heads/x", "HEAD")
    assert not ran.exists()


ODD_HOOKS = (
    "[hook.Evil]",
    '[hook.evil "X y"]',
    '[HOOK.A.b "c\\\\d"]',
    '# \\\n[hook "z"]',
    "[hook.a-b]",
)


@pytest.mark.parametrize("section", ODD_HOOKS)
async def test_a_hook_is_found_as_git_reads_its_name(tmp_path: Path, section: str) -> None:
    source = repos.repository(tmp_path / "s")
    settings_in(source, "config", f"{section}\n\tcommand = touch ran\n")
    named = repos.git(source, "config", "--name-only", "--get-regexp", "^hook[.]")
    name = named.strip().removesuffix(".command")
    git = Git(source / ".git")
    assert await git.run("config", "--type=bool", "--get", f"{name}.enabled") == b"false\n"


ODD_PATHS = (
    "# comment \\\npath = evil.cfg",
    '\tpath = "ev ;il".cfg ; comment',
    "\tpath = ev\\\\il\\tx.cfg",
    '\r\t\rPATH\t=\t "" ev"  "il.cfg \t # c',
    "\tother = x\\\n[core]\n\tpath = evil.cfg",
    "\tpath = ev\\\n il.cfg\r",
    '\tpath = "ev\\"il.cfg"',
)


@pytest.mark.parametrize("lines", ODD_PATHS)
async def test_an_included_file_is_found_as_git_reads_its_name(tmp_path: Path, lines: str) -> None:
    source = repos.repository(tmp_path / "s")
    config = source / ".git" / "config"
    config.write_text(f"{config.read_text()}[include]\n{lines}\n", newline="")
    named = repos.git(source, "config", "--no-includes", "--get", "include.path")
    (source / ".git" / named.removesuffix("\n")).write_text(
        '[hook "evil"]\n\tcommand = touch ran\n'
    )
    git = Git(source / ".git")
    assert await git.run("config", "--type=bool", "--get", "hook.evil.enabled") == b"false\n"


@pytest.mark.parametrize("text", ["path=" * 200_000, "path=" + '""' * 500_000])
def test_what_makes_reading_settings_slow_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(f"[include]\n{text}\n")
    with pytest.raises(UserError, match="too long"):
        config_files.hooks_disabled(tmp_path)


@pytest.mark.parametrize("value", ["files:///elsewhere/.git", '"reftable"://x', "fil\\\nes:x"])
async def test_refs_that_settings_keep_elsewhere_are_not_used(tmp_path: Path, value: str) -> None:
    source = repos.repository(tmp_path / "s")
    config = source / ".git" / "config"
    config.write_text(f"{config.read_text()}[extensions]\n\trefStorage = {value}\n")
    with pytest.raises(UserError, match="keeps its refs elsewhere") as caught:
        await repository.find(source)
    assert caught.value.code == "WORKSPACE_UNSAFE"


@pytest.mark.parametrize("kind", ["pipe", "sparse", "endless", "many", "loop", "missing", "folder"])
async def test_what_settings_include_is_bounded(tmp_path: Path, kind: str) -> None:
    source = repos.repository(tmp_path / "s")
    place = tmp_path / "included.cfg"
    settings_in(source, "include", "")
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "sparse":
        with place.open("wb") as file:
            file.truncate(3 * 1024**3)
    elif kind == "endless":
        config = source / ".git" / "config"
        config.write_text(config.read_text().replace(str(place), "/dev/zero"))
    elif kind == "many":
        lines = [f"[include]\n\tpath = {number}.cfg\n" for number in range(config_files.FILES)]
        place.write_text("".join(lines))
    elif kind == "loop":
        place.write_text(f"[include]\n\tpath = {place}\n")
    elif kind == "folder":
        place.mkdir()
    if kind in ("missing", "loop"):
        assert config_files.hooks_disabled(source / ".git") == ()
        return
    with pytest.raises(UserError) as raised:
        await asyncio.wait_for(repository.find(source), 60)
    assert raised.value.code == "WORKSPACE_UNSAFE"
