"""Completion: what a shell is told when it asks how a line could go on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pseudo import Terminal
from support import spec
from typed import ROOT, Swarm

from engine.config.paths import Paths
from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.main import COMMANDS, run

Complete = Callable[[str], dict[str, str]]


@pytest.fixture
def complete(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Complete:
    """Ask as bash does what a line could go on with: the values, and what is said of each."""

    def ask(line: str) -> dict[str, str]:
        monkeypatch.setenv("_SWARM_TUI_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_LINE", f"swarm-tui {line}")
        run([])
        out, err = capfdbinary.readouterr()
        assert not err
        rows = [row.split("\t") for row in out.decode().splitlines()]
        return {value or kind: said for kind, value, said in rows}

    return ask


@pytest.fixture
async def home(paths: Paths) -> AsyncGenerator[tuple[Run, Run]]:
    """A home with a run that has ended and, after it, a queued one."""
    async with Engine.open(paths, follow=False) as engine:
        ended = await engine.start(spec(title="Mend \x1b[31mit\nwell", project="roof"))
        await engine.cancel(ended.id)
        queued = await engine.start(spec(title="Paint it", project="wall"))
        yield ended, queued
        await engine.cancel(queued.id)


def test_commands_and_flags(complete: Complete) -> None:
    assert complete("") == {name: lazy.summary for name, lazy in COMMANDS.items()}
    assert list(complete("re")) == ["retry", "resume", "restore", "reviewed"]
    assert complete("ls --st") == {
        "--status": "Only runs with this status; repeatable. "
        "needs-you: failed, stalled, or an agent asks."
    }
    assert list(complete("ls --status f")) == ["failed"]
    assert list(complete("ls --status=f")) == ["failed"]
    assert list(complete("apply x --as ")) == ["edits", "commit", "merge", "patch"]
    assert list(complete("completion ")) == ["bash", "zsh", "fish"]
    assert list(complete("run --copy /u")) == ["/u"]  # a folder: the shell knows more
    assert complete("nonsense x") == {}


def test_runs_with_status_and_title(complete: Complete, home: tuple[Run, Run]) -> None:
    ended, queued = home
    both = {
        queued.id: "queued · Paint it",
        ended.id: "cancelled · Mend it",
        "@last": "the newest run",
    }
    assert complete("show ") == complete("run --after ") == complete("diff --stat ") == both
    assert list(complete(f"show {ended.id[:-1]}")) == [ended.id]
    assert list(complete("show @")) == ["@last"]
    assert list(complete("cancel ")) == [queued.id, "@last"]
    assert list(complete("retry ")) == list(complete("resume ")) == [ended.id]
    assert list(complete(f"wait {queued.id} ")) == [ended.id, "@last"]


def test_projects(complete: Complete, home: tuple[Run, Run]) -> None:
    assert list(complete("ls --project ")) == ["roof", "wall"]
    assert list(complete("run --project w")) == ["wall"]


def test_groups_and_accounts_of_usage(
    complete: Complete, home: tuple[Run, Run], paths: Paths
) -> None:
    paths.config.write_text("accounts: [{name: work, codex_home: /tmp/other}]\n")
    assert list(complete("usage --by w")) == ["week"]
    assert list(complete("usage --account ")) == ["default", "work"]
    assert list(complete("usage --account w")) == ["work"]


def test_patterns_templates_and_receivers(
    complete: Complete, simulated: Swarm, swarm: Swarm, paths: Paths
) -> None:
    simulated("sim: write a.py x")
    (pattern,) = swarm("patterns", "--json").json
    (run,) = swarm("ls", "--json").json
    both = {pattern["id"]: pattern["goal"], run["id"]: f"succeeded · {run['title']}"}
    assert complete("run --learn-from ").items() >= both.items()
    # The id of the run may end in what is typed, too.
    assert pattern["id"] in complete("batch --learn-from p")
    assert list(complete(f"batch --learn-from {pattern['id'][:6]}")) == [pattern["id"]]
    assert list(complete("patterns show ")) == [pattern["id"]]
    assert list(complete("patterns import ")) == ["file"]
    assert "test" in complete("templates show t")
    paths.config.write_text("webhooks: [{name: ci, url: 'https://example.org/hook'}]\n")
    assert list(complete("webhooks test ")) == ["ci"]
    assert list(complete("webhooks test ci ")) == []


def test_files_of_a_workspace(complete: Complete, simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: write src/a.py x\nsim: write src/b.py x\nsim: write .hidden x")
    assert list(complete("files @last ")) == ["src/"]
    assert list(complete("get @last src/")) == ["src/a.py", "src/b.py"]
    assert list(complete("diff @last src/b")) == ["src/b.py"]
    assert list(complete("get @last ../")) == []


def test_no_name_of_an_agent_becomes_an_option(complete: Complete, simulated: Swarm) -> None:
    simulated("sim: write --json x\nsim: write -o/root/f x\nsim: write src/-a x")
    assert list(complete("diff @last ")) == ["src/"]
    assert list(complete("get @last src/")) == ["src/-a"]
    assert list(complete("get @last -- -")) == ["-o/", "--json"]


def test_a_shell_that_asks_makes_no_home(complete: Complete, paths: Paths) -> None:
    assert complete("show ") == {}
    assert not paths.home.exists()


def test_a_damaged_database_is_no_answer(complete: Complete, paths: Paths) -> None:
    paths.prepare()
    paths.database.write_text("this is no database" * 1000)
    assert complete("show ") == {}
    paths.database.unlink()


@pytest.mark.parametrize(
    ("shell", "words", "number", "told"),
    [
        ("zsh", "swarm-tui ls --status fail", "3", "plain\nfailed\n_\n"),
        ("zsh", "swarm-tui sh", "1", "plain\nshow\nShow the details of a run\n"),
        ("fish", "swarm-tui sh", "sh", "plain,show\tShow the details of a run\n"),
        ("fish", "swarm-tui show '", "'", ""),
    ],
)
def test_zsh_and_fish(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    shell: str,
    words: str,
    number: str,
    told: str,
) -> None:
    monkeypatch.setenv("_SWARM_TUI_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", number)
    run([])
    assert capfdbinary.readouterr() == (told.encode(), b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert f"_SWARM_TUI_COMPLETE={shell}_complete" in out
    assert err == ""


def test_another_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "bsh"]) == 2
    assert "Did you mean 'bash'?" in capsys.readouterr().err


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Terminal]:
    """An interactive bash that knows how to complete."""
    if not (program := shutil.which("bash")):
        pytest.skip("there is no bash")
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "swarm-tui"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/swarm_tui.py "$@"\n')
    command.chmod(0o755)
    script = tmp_path / "rc"
    script.write_text(
        f"PATH={folder}:$PATH\nsource <(swarm-tui completion bash)\nPS1='ready> '\n"
        "bind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\n"
    )
    words = ["--noprofile", "--rcfile", str(script), "-i"]
    with closing(Terminal(tmp_path, words, {}, command=[program])) as opened:
        opened.until("ready>")
        yield opened


def test_bash_completes(bash: Terminal, home: tuple[Run, Run]) -> None:
    ended, queued = home
    bash.type(b"swarm-tui show @l\t")
    bash.until("swarm-tui show @last")
    bash.type(b"\x15swarm-tui ls --status=fa\t")
    bash.until("--status=failed")
    bash.type(b"\x15swarm-tui wait \t\t\t")
    bash.until(f"{queued.id}  (queued · Paint it)", f"{ended.id}  (cancelled · Mend it)")
    bash.type(f"\x15swarm-tui retry {ended.id[:-1]}\t".encode())
    bash.until(f"swarm-tui retry {ended.id}")


def test_rules_that_can_be_removed(complete: Complete, swarm: Swarm) -> None:
    rules = [
        swarm("rules", "add", text, "--project", "shop", "--yes", "--json").json
        for text in ("npm ci", "npm test")
    ]
    offered = complete("rules remove ")
    assert list(offered) == [rule["id"] for rule in rules]
    assert offered[rules[0]["id"]].startswith("Approve each run of exactly `npm ci`")
    assert list(complete(f"rules remove {rules[0]['id']} ")) == [rules[1]["id"]]
    assert complete("rules add ") == {}
    assert list(complete("rules a")) == ["add"]
