"""A mistake in the settings file stops no command that looks or ends; it is shown."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pseudo import Opener
from support import LIMIT_S, spec
from typed import Detacher, Swarm

from engine.config import config_file
from engine.config.config_file import load_usable
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.fault import SETTINGS
from engine.domain.model import Status
from engine.engine import Engine
from tui.cli.main import run

MISTAKES: dict[str, Callable[[Path], object]] = {
    "syntax": lambda path: path.write_text("slots: ["),
    "unknown key": lambda path: path.write_text("slots: 3\nslotz: 3\n"),
    "key of two lines": lambda path: path.write_text('"a\\n\\u001b[31mb": 3\n'),
    "wrong type": lambda path: path.write_text("slots: many"),
    "wrong tag": lambda path: path.write_text("slots: !!bool maybe"),
    "wrong columns": lambda path: path.write_text("ui: {columns: title}"),
    "not UTF-8": lambda path: path.write_bytes(b"slots: \xff"),
    "NUL": lambda path: path.write_bytes(b"slots: \0"),
    "brackets": lambda path: path.write_text("[" * 5000),
    "too large": lambda path: path.write_text("#" * 1024**2 + "\n"),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "loop of links": lambda path: path.symlink_to(path),
    "below a file": lambda path: path.symlink_to("/dev/null/config.yaml"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
}
COMMANDS = (
    "ls --json",
    "ls",
    "show @last --json",
    "wait @last",
    "watch @last --json",
    "logs @last",
    "du --json",
    "cleanup --dry-run --json",
    "diff @last",
    "files @last",
    "pause",
    "unpause",
    "slots",
    "slots 3",
    "batch ls --json",
    "batch show nobody",
    "search x",
    "templates",
    "webhooks",
    "cancel @last",
    "get @last x",
    "apply @last",
    "restore @last",
    "supervise",
)
REFUSED = (
    "run x --agent simulated --empty",
    "run x --agent simulated --empty --detach --json",
    "batch x --agent simulated --count 2",
    "batch x --agent simulated --count 2 --detach --yes",
    "retry @last",
    "retry @last --detach",
    "resume @last on",
    "resume @last on --detach",
    "cleanup --force",
    "cleanup --empty-trash --force",
    "config check",
    "config check --json",
)


@pytest.fixture
def valid(paths: Paths) -> str:
    """Settings that were valid when a run was made and ended."""
    text = "slots: 7\n"
    paths.config.write_text(text)

    async def fill() -> None:
        async with Engine.open(paths) as engine:
            made = await engine.start(spec())
            await engine.cancel(made.id)
            assert [one.status for one in await engine.runs()] == [Status.CANCELLED]

    asyncio.run(fill())
    return text


def break_it(paths: Paths, mistake: str) -> None:
    paths.config.unlink(missing_ok=True)
    MISTAKES[mistake](paths.config)


def tried(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run(words.split())
    done = capsys.readouterr()
    return code, done.out, done.err


@pytest.mark.usefixtures("valid")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_shown_and_the_last_valid_settings_apply(
    paths: Paths, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    break_it(paths, mistake)
    code, out, err = tried("ls --json", capsys)
    assert (code, len(json.loads(out)), err.count("\n")) == (0, 1, 1), err
    assert err.startswith(f"Warning: {paths.config}")
    assert err.endswith("The last valid settings apply.\n")
    assert "\x1b" not in err
    loaded = load_usable(paths)
    assert loaded.config.slots == 7
    code, out, _ = tried("config check --json", capsys)
    assert (code, json.loads(out)["error"]["code"]) == (3, "CONFIG_INVALID")
    code, out, err = tried("run x --agent simulated --empty", capsys)
    assert (code, out) == (3, "")
    assert "CONFIG_INVALID" in err


@pytest.mark.usefixtures("valid")
def test_a_mistake_blocks_no_command_but_those_that_start_or_delete(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {words: tried(words, capsys)[0] for words in COMMANDS}
    break_it(paths, "unknown key")
    for words in COMMANDS:
        code, out, err = tried(words, capsys)
        assert (words, code) == (words, expected[words]), err
        assert err.count("Warning: ") == 1, (words, err)
        assert "slotz" not in out, words
        if "--json" in words:
            [json.loads(line) for line in out.splitlines()]
    for words in REFUSED:
        code, out, err = tried(words, capsys)
        assert (words, code) == (words, 3)
        assert "CONFIG_INVALID" in out + err
        assert "Warning" not in err
    assert len(json.loads(tried("ls --json", capsys)[1])) == 1


OF_ANY_HOME = (
    "ls",
    "show @last --json",
    "wait @last",
    "logs @last",
    "doctor --json",
    "cancel @last",
)


@pytest.mark.usefixtures("valid")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".swarm/config.yaml", "setup: ["),
        (".swarm/config.yaml", "nope: 1"),
        (".swarm/templates/bad.yaml", "prompt: ["),
        (".swarm/templates/bad.yaml", "\0"),
    ],
)
def test_a_mistake_in_a_repository_blocks_no_command_about_runs(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
) -> None:
    monkeypatch.chdir(here)
    expected = {words: tried(words, capsys)[0] for words in OF_ANY_HOME}
    subprocess.run(["git", "init", "-q"], check=True)
    (here / name).parent.mkdir(parents=True)
    (here / name).write_text(text)
    for words in OF_ANY_HOME:
        assert (words, tried(words, capsys)[0]) == (words, expected[words])


@pytest.mark.usefixtures("valid")
def test_an_invalid_template_of_the_user_blocks_no_command_about_runs(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {words: tried(words, capsys)[0] for words in OF_ANY_HOME}
    folder = paths.config.parent / "templates"
    folder.mkdir(exist_ok=True)
    (folder / "bad.yaml").write_text("prompt: [")
    for words in OF_ANY_HOME:
        assert (words, tried(words, capsys)[0]) == (words, expected[words])


@pytest.mark.usefixtures("valid")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SWARM_CODEX", "/no/such/codex"),
        ("SWARM_CODEX", "relative"),
        ("SWARM_CONFIG", "/dev/null/config.yaml"),
        ("SWARM_CONFIG", "~nobody-at-all/config.yaml"),
        ("SWARM_TUI_COMPLETE", "nonsense"),
        ("SWARM_UNKNOWN", "x"),
    ],
)
def test_an_invalid_variable_blocks_no_command_about_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    expected = {words: tried(words, capsys)[0] for words in OF_ANY_HOME}
    monkeypatch.setenv(name, value)
    for words in OF_ANY_HOME:
        if words != "doctor --json":  # it may count what it finds
            assert (words, tried(words, capsys)[0]) == (words, expected[words])
    assert tried("doctor --json", capsys)[1].startswith("{")


@pytest.mark.parametrize("value", ["/dev/null/home", "/proc/nope"])
def test_a_home_that_cannot_be_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("SWARM_HOME", value)
    for words in ("ls", "cancel --all", "wait --all"):
        code, out, err = tried(words, capsys)
        assert (words, code, out) == (words, 3, "")
        assert "INPUT_INVALID" in err
        assert "SWARM_HOME" in err


@pytest.mark.usefixtures("valid")
def test_doctor_finds_the_mistake(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    break_it(paths, "pipe")
    _, out, err = tried("doctor --json", capsys)
    found = {one["name"]: one for one in json.loads(out)["findings"]}
    assert found["settings"]["health"] == "fail"
    assert "It is not a regular file" in found["settings"]["message"]
    assert err == ""


def test_without_valid_settings_the_defaults_apply(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it(paths, "syntax")
    code, _, err = tried("ls --json", capsys)
    assert (code, err.count("\n")) == (0, 1)
    assert err.endswith("The defaults apply.\n")


def test_the_valid_text_is_private_and_written_only_when_it_changed(
    paths: Paths, valid: str
) -> None:
    kept = paths.valid_config
    before = kept.stat()
    assert kept.read_text() == valid
    assert stat.S_IMODE(before.st_mode) == 0o600
    load_usable(paths)
    assert kept.stat().st_mtime_ns == before.st_mtime_ns
    paths.config.write_text("slots: 8\n")
    load_usable(paths)
    assert kept.read_text() == "slots: 8\n"
    paths.config.unlink()
    assert load_usable(paths).config == Config()
    assert not kept.exists()


@pytest.mark.usefixtures("valid")
@pytest.mark.parametrize("damage", ["slots: [", "older_key: 3", None])
def test_damaged_kept_settings_give_the_defaults(paths: Paths, damage: str | None) -> None:
    paths.valid_config.unlink()
    if damage is None:
        paths.valid_config.mkdir()
    else:
        paths.valid_config.write_text(damage)
    break_it(paths, "wrong type")
    loaded = load_usable(paths)
    assert (loaded.config, loaded.is_kept) == (Config(), False)
    paths.config.write_text("slots: 9")
    assert load_usable(paths).config.slots == 9


def test_an_empty_device_is_an_empty_file(paths: Paths) -> None:
    assert load_usable(Paths(paths.home, Path(os.devnull))).error is None


async def test_an_engine_reports_a_mistake_made_while_it_supervises(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_file, "CHECK_S", 0.02)
    paths.config.write_text("slots: 7\n")
    async with Engine.open(paths, supervise=True) as engine, asyncio.timeout(LIMIT_S):
        batches = engine.batches(0)

        def words() -> str:
            return next((one.error for one in engine.faults if one.task == SETTINGS), "")

        made = await engine.start(spec("hang"))
        break_it(paths, "unknown key")
        while "slotz" not in words():
            await anext(batches)
        with pytest.raises(UserError) as refused:
            await engine.start(spec())
        assert refused.value.code == "CONFIG_INVALID"
        await engine.cancel(made.id, kill=True)  # what lives goes on, and can be ended
        await engine.settle()
        paths.config.write_text("slots: 8\n")
        while "applies after a restart" not in words():
            await anext(batches)
        paths.config.write_text("slots: 7\n")
        while words():
            await anext(batches)
        await engine.start(spec())
        await engine.settle()


def test_a_live_supervisor_goes_on_and_shows_the_mistake(
    paths: Paths, swarm: Swarm, detached: Detacher
) -> None:
    found = detached("sim: hang")
    break_it(paths, "brackets")
    shown = swarm("ls")
    assert (shown.code, shown.err.count("nested too deep")) == (0, 1)
    assert swarm("cancel", found, "--kill").code == 0
    assert swarm("wait", found, "--json").json[0]["status"] == "cancelled"


def test_the_dashboard_opens_shows_the_mistake_and_starts_nothing(
    paths: Paths, terminal: Opener
) -> None:
    paths.config.write_text("slotz: 3\n")
    opened = terminal()
    opened.until("FAULT", "unknown key `slotz`")
    opened.type(b"q")
    assert opened.end() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ui: {theme: nope}", "there is no theme nope"),
        ("ui: {columns: [statsu]}", "Did you mean status?"),
        ("ui: {keys: {run.cancl: x}}", "Did you mean run.cancel?"),
        ("slots: null", "Expected a whole number, got nothing."),
        ("codex: {model: 3}", "Expected a text or nothing, got a whole number."),
        ("codex: 5", "Expected keys with values, got a whole number."),
        ("webhooks: {a: b}", "Expected a list, got keys with values."),
    ],
)
def test_config_check_refuses_a_mistake_in_words(
    swarm: Swarm, paths: Paths, text: str, words: str
) -> None:
    paths.config.write_text(text)
    done = swarm("config", "check")
    assert (done.code, words in " ".join(done.err.split())) == (3, True), done.err


def test_config_show_prints_the_settings_that_apply(swarm: Swarm, paths: Paths) -> None:
    paths.config.write_text("slots: 7")
    assert "slots: 7" in swarm("config").out
    paths.config.write_text("slots: seven")
    done = swarm("config")
    assert (done.code, "slots: 7" in done.out, "slots" in done.err) == (0, True, True)
