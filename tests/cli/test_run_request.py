"""Requests for runs as JSON: the options of the command, with its defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from repos import git
from support import settled, supervising

from engine.config.paths import Paths
from engine.config.run_options import RUN_OPTIONS
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, Sandbox, Status
from engine.domain.run_option import value_of
from engine.engine import Engine
from tui.cli.commands.run import make_spec, run
from tui.cli.support import run_request
from tui.cli.support.run_request import RunRequest
from tui.cli.support.workspace_options import workspace_of

VALUES: dict[str, tuple[Any, list[str]]] = {
    "project": ("shop", ["--project", "shop"]),
    "title": ("A title", ["--title", "A title"]),
    "base": ("main", ["--base", "main"]),
    "fetch": (True, ["--fetch"]),
    "cwd": ("packages/api", ["--cwd", "packages/api"]),
    "include_uncommitted": (True, ["--include-uncommitted"]),
    "setup": (False, ["--no-setup"]),
    "model": ("gpt-5.5", ["-m", "gpt-5.5"]),
    "sandbox": ("read-only", ["--sandbox", "read-only"]),
    "env": ({"A": "b=c"}, ["--env", "A=b=c"]),
    "output_schema": ("/tmp/schema.json", ["--output-schema", "/tmp/schema.json"]),
    "images": (["/a.png", "/b.png"], ["--image", "/a.png", "--image", "/b.png"]),
    "add_dirs": (["/srv"], ["--add-dir", "/srv"]),
    "timeout": ("30m", ["--timeout", "30m"]),
    "retries": (0, ["--retries", "0"]),
    "verify": ("make test", ["--verify", "make test"]),
    "verify_limit": (90, ["--verify-limit", "90"]),
    "budget": ("$5", ["--budget", "$5"]),
    "priority": (-3, ["--priority", "-3"]),
    "after": (["r1"], ["--after", "r1"]),
    "at": ("2999-01-01T10:00", ["--at", "2999-01-01T10:00"]),
    "ignore_pace": (True, ["--ignore-pace"]),
    "learn_from": ("p1", ["--learn-from", "p1"]),
    "agent": ("simulated", ["--agent", "simulated"]),
    "codex_config": (['a="b=c"'], ["-c", 'a="b=c"']),
    "account": ("work", ["--account", "work"]),
    "interactive": (False, ["--no-interactive"]),
    "approvals": ("untrusted", ["--approvals", "untrusted"]),
    "on": ("local", ["--on", "local"]),
    "codex_bin": ("codex-next", ["--codex-bin", "codex-next"]),
}
"""A value of each option in JSON, and the flags that set the same one."""


@pytest.fixture
async def engine(paths: Paths) -> Any:
    async with Engine.open(paths, follow=False) as engine:
        yield engine


def request(**keys: Any) -> RunRequest:
    return msgspec.json.decode(msgspec.json.encode(keys), type=RunRequest)


def by_flags(*arguments: str) -> RunSpec:
    with run.make_context("run", ["the task", *arguments]) as ctx:
        asked = dict(ctx.params) | {"workspace": workspace_of(ctx.params)}
        return make_spec("the task", asked, Sandbox(asked["sandbox"] or "workspace-write"))


@pytest.mark.parametrize("key", [option.key for option in RUN_OPTIONS])
async def test_key_sets_the_same_as_the_flag(key: str, engine: Engine, tmp_path: Path) -> None:
    value, flags = VALUES[key]
    git(tmp_path, "init", "-q")
    (option,) = (one for one in RUN_OPTIONS if one.key == key)
    wanted = by_flags("--worktree", str(tmp_path), *flags)
    asked = request(prompt="the task", worktree=str(tmp_path), **{key: value})
    if key == "after":  # the run is looked up, which another test does
        assert run_request.given_fields(asked)["after"] == value_of(wanted, option)
        return
    found = await run_request.make_spec(engine, asked)
    assert found == wanted
    assert value_of(found, option) == value_of(wanted, option)
    assert run_request.given_fields(asked).keys() == {option.sets}


@pytest.mark.parametrize(
    "kind", [("copy", "--copy"), ("worktree", "--worktree"), ("in_place", "--in-place")]
)
async def test_source_is_the_same_as_with_the_flag(
    kind: tuple[str, str], engine: Engine, tmp_path: Path
) -> None:
    asked = request(prompt="the task", **{kind[0]: str(tmp_path)})
    assert await run_request.make_spec(engine, asked) == by_flags(kind[1], str(tmp_path))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "names no workspace"),
        ({"worktree": "shop"}, "`worktree`: the path must be absolute"),
        ({"copy": "/" + "a" * 5000}, "too long"),
        ({"empty": True, "add_dirs": ["/" + "a" * 300]}, "too long"),
        ({"copy": "./shop"}, "`copy`: the path must be absolute"),
        ({"in_place": "/a\0b"}, "`in_place`"),
        ({"copy": "/a", "worktree": "/b"}, "exclude each other"),
        ({"empty": True, "base": "main"}, "go with a worktree"),
        ({"worktree": "/a", "base": "main", "include_uncommitted": True}, "goes with the base"),
        ({"empty": True, "images": ["shot.png"]}, "`images`: the path must be absolute"),
        ({"empty": True, "images": [""]}, "`images`"),
        ({"empty": True, "output_schema": "schema.json"}, "`output_schema`"),
        ({"empty": True, "add_dirs": ["../x"]}, "`add_dirs`"),
        ({"empty": True, "codex_bin": "./codex"}, "`codex_bin`"),
        ({"empty": True, "timeout": "soon"}, "`timeout`: a duration"),
        ({"empty": True, "timeout": "0s"}, "`timeout`"),
        ({"empty": True, "budget": "much"}, "`budget`"),
        ({"empty": True, "at": "yesterday"}, "`at`: invalid time"),
        ({"empty": True, "codex_config": ["secret"]}, "KEY=TOML"),
        ({"empty": True, "env": {"1": "x"}}, "`env`"),
        ({"worktree": "/a", "base": "a b"}, "`base`: no commit"),
        ({"empty": True, "params": {"a": "b"}}, "goes with `template`"),
        ({"empty": True, "trust": True}, "`trust` needs"),
        ({"from_run": "nothing"}, "nothing"),
    ],
)
async def test_invalid_request_is_refused(keys: Any, words: str, engine: Engine) -> None:
    with pytest.raises(UserError) as failed:
        await run_request.to_spec(engine, request(prompt="x", **keys), may_trust=False)
    assert words in str(failed.value)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "keys", [{"unknown": 1}, {"retries": 101}, {"priority": 2**40}, {"prompt": None}, {"budget": 0}]
)
def test_request_of_another_shape_is_refused(keys: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        request(**keys)


async def test_template_and_trust_work_as_with_the_command(paths: Paths, tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    (repository / ".swarm" / "templates").mkdir(parents=True)
    git(repository, "init", "-q")
    (repository / ".swarm/config.yaml").write_text("workspace: {setup: [touch ready]}\n")
    (repository / ".swarm/templates/test.yaml").write_text(
        "description: x\nparams: {path: {}}\n"
        "prompt: 'sim: say {{ path }}'\nverify: 'true'\nretries: 2\n"
    )
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "first")
    keys = {"template": "test", "params": {"path": "src"}, "worktree": str(repository)}
    asked = request(agent="simulated", retries=1, **keys)
    async with supervising(paths) as engine:
        with pytest.raises(UserError) as failed:
            await run_request.to_spec(engine, asked, may_trust=True)
        assert failed.value.info.code == "TEMPLATE_NOT_TRUSTED", str(failed.value)
        asked.trust = True
        started = await engine.start(await run_request.to_spec(engine, asked, may_trust=True))
        assert (started.spec.retries, started.spec.prompt) == (1, "sim: say src")
        await settled(engine)
        ended = await engine.find(started.id)
        assert ended.status is Status.SUCCEEDED
        assert ended.workspace
        assert (Path(ended.workspace.path) / "ready").exists()
        later = request(from_run=started.id[-6:], after=[started.id[-6:]], prompt="x")
        spec = await run_request.to_spec(engine, later, may_trust=False)
        assert (spec.project, spec.after) == ("shop", (started.id,))
