"""Accounts on the command line: logins, refused homes and keys, doctor, and the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typed import Swarm

KEY = "test-key-of-work"
CODEX = """#!/bin/sh
if [ "$1" = login ]; then test -e "$CODEX_HOME/auth" -o -n "$CODEX_API_KEY"; exit; fi
case $1 in --version) echo codex-cli 0.163.0; exit;; esac
if [ "$1" = doctor ]; then echo '{"checks":{"auth.credentials":{"status":"fail"}}}'; exit; fi
cat >/dev/null
echo '{"type": "thread.started", "thread_id": "t"}'
echo '{"type": "turn.started"}'
echo "{\\"type\\": \\"item.completed\\", \\"item\\": {\\"type\\": \\"agent_message\\", \\"text\\": \\"home $CODEX_HOME\\"}}"
echo '{"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}'
"""  # noqa: E501  a line of the file


@pytest.fixture
def work(swarm: Swarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write settings with the accounts `work`, logged in, and `key`; return the home of work."""
    codex, home, config = tmp_path / "codex", tmp_path / "codex-work", tmp_path / "own.yaml"
    codex.write_text(CODEX)
    codex.chmod(0o755)
    home.mkdir()
    (home / "auth").touch()
    config.write_text(
        f"codex: {{bin: {codex}}}\naccounts:\n  - {{name: work, codex_home: {home}}}\n"
        "  - {name: key, api_key_env: WORK_KEY}\n"
    )
    monkeypatch.setenv("SWARM_CONFIG", str(config))
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "own"))
    return home


def test_login_checks_one_account(swarm: Swarm, work: Path) -> None:
    assert swarm("login").code == 3
    assert "under the account work" in swarm("login", "--account", "work").out
    (work / "auth").unlink()
    missing = swarm("login", "--account", "work")
    assert missing.code == 3
    assert f"CODEX_HOME={work} codex login" in missing.err
    unknown = swarm("login", "--account", "wrok")
    assert "ACCOUNT_UNKNOWN" in unknown.err
    assert "ACCOUNT_KEY_MISSING" in swarm("login", "--account", "key").err
    assert swarm("login", "--account", "key", WORK_KEY=KEY).code == 0


def test_usage_reads_the_sessions_of_accounts(swarm: Swarm, work: Path) -> None:
    day = work / "sessions" / "2031" / "05" / "04"
    day.mkdir(parents=True)
    name = "rollout-2031-05-04T10-00-00-0196a000-0000-7000-8000-000000000000.jsonl"
    (day / name).write_text("{}\n")
    shown = swarm("usage", "--json")
    assert (shown.code, shown.err) == (0, "")


def test_doctor_names_each_account(swarm: Swarm, work: Path) -> None:
    found = {one["name"]: one for one in swarm("doctor", "--json").json["findings"]}
    assert found["codex account work"]["health"] == "ok"
    assert found["codex account key"]["health"] == "fail"
    assert "WORK_KEY" in found["codex account key"]["message"]


def test_a_run_under_an_account_has_its_home(swarm: Swarm, work: Path) -> None:
    done = swarm("run", "--account", "work", "--json", "hello")
    assert done.code == 0, done.out + done.err
    run = swarm("show", "@last", "--json").json
    assert (run["account"], run["activity"]) == ("work", f"home {work}")
    assert "account" in swarm("show", "@last").out


@pytest.mark.parametrize(
    ("place", "code"),
    [("gone", "ACCOUNT_HOME_MISSING"), ("file", "ACCOUNT_HOME_MISSING"),
     ("repository/codex", "ACCOUNT_HOME_UNSAFE"), ("added/codex", "ACCOUNT_HOME_UNSAFE")],
)  # fmt: skip
def test_a_home_that_is_missing_or_unsafe_is_refused(
    swarm: Swarm, work: Path, tmp_path: Path, place: str, code: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / ".git" / "HEAD").touch()
    for name in ("repository", "added"):
        (tmp_path / name / "codex").mkdir(parents=True)
    config = tmp_path / "own.yaml"
    config.write_text(config.read_text().replace(str(work), str(tmp_path / place)))
    refused = swarm("run", "--account", "work", "--add-dir", str(tmp_path / "added"), "hello")
    assert refused.code == 3
    assert code in refused.err
    assert not swarm("ls", "--json").json


def test_no_run_works_in_the_home_of_an_account(swarm: Swarm, work: Path) -> None:
    refused = swarm("run", "--in-place", str(work), "hello")
    assert refused.code == 3
    assert "WORKSPACE_UNSAFE" in refused.err
    assert "an account of Codex" in refused.err


def test_a_key_is_kept_nowhere(swarm: Swarm, work: Path, tmp_path: Path) -> None:
    done = swarm("run", "--account", "key", "hello", WORK_KEY=KEY)
    assert done.code == 0, done.err
    missing = swarm("run", "--account", "key", "hello")
    assert "ACCOUNT_KEY_MISSING" in missing.out + missing.err
    refused = swarm("run", "--account", "work", "--env", "WORK_KEY=x", "hello")
    assert "holds a secret" in refused.err
    assert KEY not in json.dumps(swarm("config", "show", "--json").out)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_the_disk_shows_the_sessions_of_each_account(swarm: Swarm, work: Path) -> None:
    folder = work / "sessions" / "2026" / "11" / "30"
    folder.mkdir(parents=True)
    (folder / "rollout-x.jsonl").write_text("x" * 5000)
    assert str(work / "sessions" / "2026") in swarm("du", "--json").out
