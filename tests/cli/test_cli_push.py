"""A run's branch pushed with the real git to a local bare repository, and `gh` replaced."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import repos
from typed import Swarm

from engine.workspaces.git.pull_request import web_address
from tui.cli import json as shapes
from tui.cli.support import output

SCRIPT = "sim: write new.txt work"


@pytest.fixture
def bare(tmp_path: Path, here: Path) -> Path:
    """A bare repository, the remote `origin` of the folder in which commands are typed."""
    here.rmdir()
    repos.repository(here)
    bare = tmp_path / "bare.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(bare))
    repos.git(here, "remote", "add", "origin", str(bare))
    repos.git(here, "push", "-q", "origin", "main")
    return bare


@pytest.fixture
def run_id(swarm: Swarm, bare: Path) -> str:
    """The id of a run that wrote a file in a worktree."""
    return swarm("run", "--agent", "simulated", "--json", SCRIPT).events[0]["run"]


def gh(folder: Path, code: int, out: str, err: str = "") -> dict[str, str]:
    """Replace `gh` by a script that keeps its arguments and its input; return the environment."""
    folder.mkdir(exist_ok=True)
    program = folder / "gh"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/arguments\ncat > {folder}/body\n'
        f"echo '{out}'\necho '{err}' >&2\nexit {code}\n"
    )
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_branch_is_pushed_and_nothing_of_the_repository_runs(
    inside: Swarm, here: Path, bare: Path, run_id: str
) -> None:
    hook = here / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {here}/ran\nexit 1\n")
    hook.chmod(0o755)
    repos.git(here, "config", "core.fsmonitor", f"touch {here}/ran")
    done = inside("push", run_id, "--json")
    assert (done.code, done.err) == (0, "")
    msgspec.convert(done.json, shapes.PushedJson)
    assert done.json["branch"] == f"swarm/{run_id}"
    assert repos.git(bare, "show", f"swarm/{run_id}:new.txt") == "work"
    assert repos.git(bare, "rev-parse", f"swarm/{run_id}") == done.json["commit"]
    assert not (here / "ran").exists()
    assert not (here / "new.txt").exists()
    assert inside("push", run_id).out.startswith(f"{run_id} swarm/{run_id} already on origin")
    shown = inside("show", run_id, "--json").json["push"]
    assert (shown["remote"], shown["address"]) == ("origin", str(bare))
    assert "pushed" in inside("show", run_id).out
    assert [one["type"] for one in inside("logs", run_id, "--json").events].count("push") == 1


def test_a_push_does_not_count_as_applied(inside: Swarm, bare: Path, run_id: str) -> None:
    assert inside("push", run_id).code == 0
    assert f"pushed to origin swarm/{run_id}" in inside("ls").out
    shown = inside("show", run_id, "--json").json
    assert (shown["applied"], shown["push"]["remote"]) == (None, "origin")
    assert inside("ls", "-q", "is:applied").out == ""
    assert not any("applied as" in str(one) for one in inside("logs", run_id, "--json").events)
    assert inside("apply", run_id).code == 0
    assert inside("push", run_id).code == 0
    assert inside("show", run_id, "--json").json["applied"]["how"] == "edits"
    assert inside("ls", "-q", "is:applied").out.split() == [run_id]


def test_without_a_remote_the_error_names_the_command(
    inside: Swarm, here: Path, run_id: str
) -> None:
    repos.git(here, "remote", "remove", "origin")
    done = inside("push", run_id)
    assert done.code == 3
    assert "there is no remote; add one with `git remote add`." in " ".join(done.err.split())
    assert inside("show", run_id, "--json").json["applied"] is None


def test_a_remote_branch_with_other_commits_is_not_overwritten(
    inside: Swarm, here: Path, bare: Path, run_id: str
) -> None:
    (here / "other.txt").write_text("theirs")
    theirs = repos.commit(here, "theirs")
    repos.git(here, "push", "-q", "origin", "HEAD:refs/heads/taken")
    refused = inside("push", run_id, "--branch", "taken")
    assert (refused.code, "PUSH_FAILED" in refused.err) == (3, True)
    assert "--branch" in refused.err
    assert repos.git(bare, "rev-parse", "taken") == repos.git(here, "rev-parse", "HEAD")
    assert inside("push", run_id, "--branch", "free").code == 0
    assert repos.git(bare, "show", "free:new.txt") == "work"
    assert theirs is None or theirs


@pytest.mark.parametrize("name", ["-f", "a b", "refs/heads/../x", "x:main", "@{-1}", ""])
def test_names_that_are_not_branches_are_refused(
    inside: Swarm, bare: Path, run_id: str, name: str
) -> None:
    before = repos.git(bare, "for-each-ref")
    done = inside("push", run_id, f"--branch={name}")
    assert done.code in (0, 3) if not name else done.code == 3
    if name:
        assert repos.git(bare, "for-each-ref") == before


def test_an_unknown_remote_and_one_that_names_a_program_are_refused(
    inside: Swarm, here: Path, run_id: str
) -> None:
    repos.git(here, "remote", "add", "evil", f"ext::touch {here}/ran")
    for name in ("evil", "nobody", "--all"):
        done = inside("push", run_id, f"--remote={name}")
        assert (done.code, "PUSH_FAILED" in done.err) == (3, True)
    assert not (here / "ran").exists()


def test_a_push_address_comes_first_and_passwords_are_not_shown(
    inside: Swarm, here: Path, tmp_path: Path, run_id: str
) -> None:
    other = tmp_path / "other.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(other))
    repos.git(here, "config", "remote.origin.pushurl", f"file://user:secret@{other}")
    done = inside("push", run_id, "--json")
    assert "secret" not in done.out + done.err
    assert "secret" not in inside("show", run_id, "--json").out


def test_a_pull_request_has_the_title_and_the_last_message(
    inside: Swarm, here: Path, tmp_path: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gh"
    monkeypatch.setenv("PATH", gh(folder, 0, "https://github.com/o/r/pull/7")["PATH"])
    bare = repos.git(here, "remote", "get-url", "origin")
    repos.git(here, "remote", "set-url", "origin", "git@github.com:o/r.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{bare}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git@github.com:o/r.git")
    done = inside("push", run_id, "--pr", "--draft", "--base", "main", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["pull_request"] == "https://github.com/o/r/pull/7"
    assert done.json["web_address"] == f"https://github.com/o/r/compare/swarm/{run_id}?expand=1"
    words = (folder / "arguments").read_text().splitlines()
    assert words[:5] == ["pr", "create", "--repo", "github.com/o/r", "--head"]
    assert "--draft" in words
    assert words[words.index("--title") + 1] == SCRIPT
    (folder / "arguments").unlink()
    again = inside("push", run_id, "--pr")
    assert again.out.splitlines()[-1] == "https://github.com/o/r/pull/7"
    assert not (folder / "arguments").exists(), "one that is open is not opened again"


def _is_terminal(*streams: object) -> bool:
    del streams
    return True


def test_title_and_text_are_edited_first(
    inside: Swarm, here: Path, tmp_path: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gh"
    monkeypatch.setenv("PATH", gh(folder, 0, "https://github.com/o/r/pull/7")["PATH"])
    bare = repos.git(here, "remote", "get-url", "origin")
    repos.git(here, "remote", "set-url", "origin", "git@github.com:o/r.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{bare}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git@github.com:o/r.git")
    monkeypatch.setattr(output, "is_terminal", _is_terminal)
    monkeypatch.delenv("VISUAL", raising=False)
    script = tmp_path / "editor"
    for text, code in (("", 3), ("Another title\n\nAnother text.\n", 0)):
        script.write_text(f'#!/bin/sh\ncat "$1" > {tmp_path}/seen\nprintf \'{text}\' > "$1"\n')
        script.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(script))
        done = inside("push", run_id, "--pr", "--edit")
        assert done.code == code, done.err
        assert (tmp_path / "seen").read_text().startswith(f"{SCRIPT}\n\n")
    words = (folder / "arguments").read_text().splitlines()
    assert words[words.index("--title") + 1] == "Another title"
    assert (folder / "body").read_text() == "Another text."


def test_without_gh_the_branch_is_pushed_and_the_address_printed(
    inside: Swarm, bare: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.workspaces.git.gh.program", lambda: None)
    done = inside("push", run_id, "--pr")
    assert (done.code, "gh is not installed" in done.err) == (0, True)
    assert repos.git(bare, "rev-parse", f"swarm/{run_id}")


def test_a_run_without_changes_is_not_pushed(swarm: Swarm, inside: Swarm, bare: Path) -> None:
    run = swarm("run", "--agent", "simulated", "--json", "sim: say done").events[0]["run"]
    done = inside("push", run)
    assert (done.code, "has no changes to push" in done.err) == (3, True)
    assert repos.git(bare, "for-each-ref", "refs/heads/swarm") == ""


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r/compare/a/b%23?expand=1"),
        ("ssh://git@github.com:22/o/r", "https://github.com/o/r/compare/a/b%23?expand=1"),
        ("git@git.example.org:o/r.git", "https://git.example.org/o/r"),
        (
            "https://gitlab.com/g/s/r",
            "https://gitlab.com/g/s/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=a/b%23",
        ),
        ("/srv/git/r.git", "/srv/git/r.git"),
        ("file:///srv/git/r.git", "file:///srv/git/r.git"),
    ],
)
def test_the_address_of_a_branch_follows_from_its_remote(remote: str, address: str) -> None:
    assert web_address(remote, "a/b#") == address


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n"


def test_a_branch_with_new_pointers_of_git_lfs_is_refused_by_name(
    inside: Swarm,
    swarm: Swarm,
    here: Path,
    bare: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text('[filter "lfs"]\nclean = cat\nsmudge = cat\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    (here / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (here / "old.bin").write_text(POINTER.format("a" * 64))
    repos.commit(here, "a file of Git LFS that the remote has")
    repos.git(here, "push", "-q", "origin", "main")
    words = ("run", "--agent", "simulated", "--json")
    plain = swarm(*words, SCRIPT).events[0]["run"]
    assert inside("push", plain).code == 0
    made = swarm(*words, SCRIPT).events[0]["run"]
    place = Path(inside("show", made, "--json").json["workspace"]["path"])
    (place / "new.bin").write_text(POINTER.format("b" * 64))
    refused = inside("push", made)
    assert (refused.code, "PUSH_FAILED" in refused.err) == (3, True), refused.err
    assert "1 file of Git LFS would be missing on origin: new.bin" in " ".join(refused.err.split())
    assert repos.git(bare, "for-each-ref", f"refs/heads/swarm/{made}") == ""
    repos.git(here, "push", "-q", "--no-verify", "origin", f"swarm/{made}")
    assert inside("push", made).code == 0
