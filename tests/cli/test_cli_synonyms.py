"""Words and flags that users of other tools type."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from typed import Swarm

from tui.cli.main import COMMANDS, SYNONYMS, group, run


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("word", SYNONYMS)
def test_a_synonym_is_its_command(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert word not in COMMANDS
    assert SYNONYMS[word] in COMMANDS
    assert _run(capsys, word, "--help") == _run(capsys, SYNONYMS[word], "--help")


def test_help_names_the_synonyms(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = _run(capsys, "--help")
    listed = out.partition("Synonyms:")[2].partition("Examples:")[0].split("\n")
    assert "ls       ps, list, status" in [line.strip() for line in listed]


def test_a_shell_completes_synonyms_when_something_is_typed() -> None:
    context = click.Context(group)
    offered = {item.value: item.help for item in group.shell_complete(context, "tai")}
    assert offered == {"tail": "the same as watch"}
    assert {item.value for item in group.shell_complete(context, "")} == set(COMMANDS)


@pytest.mark.parametrize(
    ("words", "of"),
    [((), ()), (("ls",), ("ls",)), (("ps",), ("ls",)), (("batch", "start"), ("batch", "start"))],
)
def test_help_shows_what_the_flag_shows(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], of: tuple[str, ...]
) -> None:
    assert _run(capsys, "help", *words) == _run(capsys, *of, "--help")


@pytest.mark.parametrize(("words", "hint"), [(["lst"], "'list'"), (["helpp"], "'help'")])
def test_a_typing_mistake_gets_the_nearest_word(
    capsys: pytest.CaptureFixture[str], words: list[str], hint: str
) -> None:
    for given in (words, ["help", *words]):
        code, _, err = _run(capsys, *given)
        assert code == 2
        assert hint in err


def test_help_of_a_word_below_a_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = _run(capsys, "help", "ls", "more")
    assert (code, "no commands of its own" in err) == (2, True)


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("run", "-d -m --count"),
        ("logs", "-f"),
        ("ls", "-a --sort --since"),
        ("cleanup", "-y --yes --force"),
        ("retry", "-d"),
        ("resume", "-d"),
        ("batch start", "-d -y -m"),
        ("batch drop", "-y"),
        ("batch apply", "-y"),
        ("batch retry", "-d"),
    ],
)
def test_short_flags(capsys: pytest.CaptureFixture[str], command: str, flags: str) -> None:
    _, out, _ = _run(capsys, *command.split(), "--help")
    words = out.replace(",", " ").split()
    assert [flag for flag in flags.split() if flag not in words] == []


def test_version_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(capsys, "-V") == _run(capsys, "--version")


def test_batch_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run(capsys, "batch")
    assert (code, err) == (2, "")
    assert out == _run(capsys, "batch", "--help")[1]


def test_copies_of_a_run_are_a_batch(swarm: Swarm) -> None:
    done = swarm("run", "--empty", "--agent", "simulated", "--count", "2", "sim: say hi", "--json")
    assert done.code == 0
    runs = swarm("ls", "--json").json
    assert [run["status"] for run in runs] == ["succeeded"] * 2
    assert runs[0]["batch"] == runs[1]["batch"] is not None


EDITOR = """#!/bin/sh
printf '%s\\n' "$NEW_TEXT" >> "$1"
"""


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """An editor that appends the variable NEW_TEXT."""
    path = tmp_path / "editor"
    path.write_text(EDITOR)
    path.chmod(0o755)
    return path


def test_config_edit_creates_a_commented_file_and_checks_it(swarm: Swarm, editor: Path) -> None:
    path = Path(swarm("config", "path").out.strip())
    assert not path.exists()
    env = {"VISUAL": "", "EDITOR": str(editor)}
    done = swarm("config", "edit", NEW_TEXT="slots: 7", **env)
    assert (done.code, done.out) == (0, f"{path} can be used\n")
    text = path.read_text()
    assert "\n# slots: " in text
    assert text.endswith("slots: 7\n")
    assert "slots: 7" in swarm("config", "show").out
    mistaken = swarm("config", "edit", NEW_TEXT="slts: 7", **env)
    assert mistaken.code == 3
    assert "Did you mean `slots`?" in mistaken.err


def test_config_edit_explains_a_folder_that_cannot_be_created(
    swarm: Swarm, editor: Path, tmp_path: Path
) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for folder in (Path("/proc/nope"), editor, editor / "x", tmp_path / "nowhere"):
        path = str(folder / "x")
        done = swarm("config", "edit", EDITOR=str(editor), VISUAL="", SWARM_CONFIG=path)
        assert done.code == 3, done.err
        assert f"{folder} cannot be created: " in done.err
        assert "SWARM_CONFIG" in done.err


@pytest.mark.parametrize("word", ["edit", "show", "check"])
def test_config_explains_a_path_that_is_too_long(
    swarm: Swarm, editor: Path, tmp_path: Path, word: str
) -> None:
    path = str(tmp_path / ("x" * 300))
    done = swarm("config", word, EDITOR=str(editor), VISUAL="", SWARM_CONFIG=path)
    assert "File name too long" in done.err
    assert "INTERNAL" not in done.err


def test_config_edit_without_an_editor_writes_nothing(swarm: Swarm) -> None:
    path = Path(swarm("config", "path").out.strip())
    done = swarm("config", "edit", VISUAL="no-such-editor")
    assert done.code == 3
    assert "EDITOR_MISSING" in done.err
    assert not path.exists()


def test_login_names_the_command_of_codex(swarm: Swarm, tmp_path: Path) -> None:
    codex = tmp_path / "codex"
    codex.write_text(
        '#!/bin/sh\ntest "$1" = login && exit "$LOGGED_OUT"\n'
        """echo '{"checks":{"auth.credentials":{"status":"fail"}}}'\n"""
    )
    codex.chmod(0o755)
    missing = swarm("login", SWARM_CODEX=str(codex), LOGGED_OUT="1")
    assert (missing.code, "`codex login`" in missing.err) == (3, True)
    there = swarm("login", SWARM_CODEX=str(codex), LOGGED_OUT="0")
    assert (there.code, "`codex login`" in there.out) == (0, True)


def test_a_list_since_a_time_and_in_another_order(swarm: Swarm, simulated: Swarm) -> None:
    simulated("Zebra\nsim: say x")
    simulated("Ape\nsim: say x")

    def titles(*words: str) -> list[str]:
        return [run["title"] for run in swarm("ls", "--json", *words).json]

    assert titles() == titles("--since", "1h") == ["Ape", "Zebra"]
    assert titles("--sort", "oldest", "-n", "1") == ["Zebra"]
    assert titles("--sort", "title") == ["Ape", "Zebra"]
    assert titles("--since", "2000-01-01", "--sort", "oldest") == ["Zebra", "Ape"]
    assert titles("--since", "0s") == []
    assert swarm("ls", "--since", "soon").code == 2
    assert swarm("ls", "-a", "-n", "1").code == 2
