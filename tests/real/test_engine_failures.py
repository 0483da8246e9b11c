"""Each way in which the real Codex fails, as a run's status, code and way out (docs/codex.md)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from house import House, NewHouse, bodies, carried, happened, task, wrapped
from loopback import (
    LoopbackServer,
    Step,
    closed_port,
    codex_binary,
    codex_home,
    command,
    context_window,
    first,
    http_error,
    message,
    overloaded,
    quota_exceeded,
    server_error,
    stream_cut,
    unauthorized,
)

from engine import login_check
from engine.domain.errors import CATALOGUE, UserError
from engine.domain.events import ArtifactSaved, ErrorRaised, Notice, StatusChanged
from engine.domain.events import Step as Told
from engine.domain.model import Run, Status
from engine.domain.reasons import Cause

FAILURES: dict[str, tuple[Step, str, str]] = {
    "401": (unauthorized(), "CODEX_AUTH_FAILED", "Incorrect API key provided"),
    "403": (http_error(403, "not you"), "CODEX_AUTH_FAILED", "403 Forbidden: not you"),
    "quota": (quota_exceeded(), "QUOTA_EXCEEDED", "Quota exceeded. Check your plan"),
    "no plan": (
        http_error(429, {"error": {"type": "usage_not_included"}}),
        "QUOTA_EXCEEDED",
        "upgrade to Plus",
    ),
    "500": (server_error(500), "API_OVERLOADED", "We’re currently experiencing high demand"),
    "502": (http_error(502, "<html>[/red]"), "API_OVERLOADED", "502 Bad Gateway: <html>[/red]"),
    "503": (server_error(503), "API_OVERLOADED", "503 Service Unavailable"),
    "capacity": (overloaded(), "API_OVERLOADED", "Selected model is at capacity."),
    "cut": (stream_cut(), "API_UNREACHABLE", "stream disconnected before completion"),
    "room": (context_window(), "CONTEXT_WINDOW_EXCEEDED", "ran out of room in the model's"),
    "404": (http_error(404, "no model"), "API_REFUSED", "404 Not Found: no model"),
    "400": (http_error(400, "odd \x1b[31mrequest"), "AGENT_CRASHED", "odd request"),
}


def _check(run: Run, code: str, says: str) -> None:
    assert (run.status, run.reason, run.exit_code) == (Status.FAILED, code, 1)
    assert run.error
    assert (run.error.code, run.error.recovery) == (code, CATALOGUE[code].recovery)
    assert says in run.error.message
    assert run.error.docs_url == f"docs/errors.md#{code.lower()}"


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failed_turn(name: str, house: House, server: LoopbackServer) -> None:
    step, code, says = FAILURES[name]
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("fails", [command("true"), step])))
        told = await bodies(engine, run)
        notices = await happened(engine, run, Notice)
    _check(run, code, says)
    assert run.error
    ending = StatusChanged(Status.FAILED, Status.RUNNING, code, 1, cause=Cause.ERROR)
    assert told[-2:] == [ErrorRaised(run.error), ending]
    assert notices == []  # Codex says why twice: told once
    assert (run.percent, run.workspace is None) == (30, False)
    assert not any(isinstance(body, ArtifactSaved) for body in told)


async def test_a_closed_port_with_bounded_retries(new_house: NewHouse) -> None:
    house = new_house(at=closed_port(), stream_max_retries=2)
    spec = task("hello", codex_config=("features.unbounded_connection_retries=false",))
    async with house.engine() as engine:
        run = await carried(engine, spec)
        notices = [notice.text for notice in await happened(engine, run, Notice)]
    _check(run, "API_UNREACHABLE", "Connection failed: error sending request")
    assert [text.split(" (")[0] for text in notices] == [
        "Reconnecting... 1/2",
        "Reconnecting... 2/2",
    ]


@pytest.mark.parametrize("name", ["no TOML", "a wrong value", "no such provider"])
async def test_a_bad_config(
    name: str, new_house: NewHouse, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, says = {
        "no TOML": ("this = = bad", "config.toml:3:8"),
        "a wrong value": ('sandbox_mode = "odd"', "unknown variant `odd`"),
        "no such provider": ('model_provider = "nope"', "Model provider `nope` not found"),
    }[name]
    house = new_house(extra=extra)
    config = house.codex_home / "config.toml"
    if name == "no such provider":
        config.write_text(config.read_text().replace('model_provider = "loopback"\n', ""))
    bad = config.read_text()
    async with house.engine() as engine:
        # Seen before a run is created.
        with pytest.raises(UserError) as caught:
            await engine.start(task("hello"))
        assert caught.value.code == "CODEX_CONFIG_INVALID"
        assert name != "no TOML" or says in caught.value.message
        assert await engine.runs() == []
        # Seen by the run alone, where it was fixed in between and damaged again.
        monkeypatch.setattr(login_check, "VALID_S", math.inf)
        codex_home(house.codex_home, server)
        assert (await carried(engine, task("hello"))).status is Status.SUCCEEDED
        config.write_text(bad)
        run = await carried(engine, task("hello"))
    _check(run, "CODEX_CONFIG_INVALID", says)


@pytest.mark.parametrize("missing", ["a path", "a name", "the settings"])
async def test_without_codex_nothing_begins(
    missing: str, house: House, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"a path": str(lab / "codex-is-not-here"), "a name": "no-such-codex"}.get(missing)
    if named is None:
        monkeypatch.setenv("SWARM_CODEX", "no-such-codex")
    async with house.engine() as engine:
        with pytest.raises(UserError) as raised:
            await engine.start(task("hello", codex_bin=named))
        assert await engine.runs() == []
    assert raised.value.code == "CODEX_CLI_MISSING"
    assert "npm install -g @openai/codex" in raised.value.recovery
    assert not (house.paths.home / "workspaces").exists()
    assert not (house.paths.home / "runs").exists()


async def test_codex_that_vanishes_before_its_turn(
    house: House, lab: Path, server: LoopbackServer
) -> None:
    codex = wrapped(lab, "echo 'thread main panicked' >&2; exit 101")
    async with house.engine() as engine:
        run = await carried(engine, task("hello", codex_bin=codex))
    assert (run.status, run.exit_code) == (Status.FAILED, 101)
    assert run.error
    assert run.error.code == "AGENT_CRASHED"
    assert "exit code 101" in run.error.message
    assert "thread main panicked" in run.error.message


async def test_exit_0_without_a_completed_turn_is_a_failure(house: House, lab: Path) -> None:
    codex = wrapped(lab, f'{codex_binary()} "$@" | grep -v turn.completed; exit 0')
    async with house.engine() as engine:
        run = await carried(engine, task("hello", codex_bin=codex))
        (said,) = await happened(engine, run, Told)
    assert (said.text, run.status, run.exit_code) == ("OK.", Status.FAILED, 0)
    assert run.error
    assert (run.error.code, run.percent) == ("AGENT_CRASHED", 30)


async def test_a_completed_turn_with_another_exit_code_is_a_failure(
    house: House, lab: Path
) -> None:
    codex = wrapped(lab, f'{codex_binary()} "$@"; exit 3')
    async with house.engine() as engine:
        run = await carried(engine, task("hello", codex_bin=codex))
    assert (run.status, run.exit_code, run.usage.input) == (Status.FAILED, 3, 1000)


async def test_warnings_are_no_failures(new_house: NewHouse) -> None:
    house = new_house(model="mystery", extra="no_such_setting = 1")
    async with house.engine() as engine:
        run = await carried(engine, task("hello"))
        notices = await happened(engine, run, Notice)
    assert (run.status, run.error) == (Status.SUCCEEDED, None)
    assert {notice.level for notice in notices} == {"warning"}
    for says in ("Model metadata for `mystery` not found.", "unrecognized configuration setting"):
        assert any(says in notice.text for notice in notices)


async def test_a_reconnect_is_no_failure(new_house: NewHouse, server: LoopbackServer) -> None:
    house = new_house(stream_max_retries=3)
    script = [command("true"), first(2, stream_cut(), message("There."))]
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("cut", script)))
        notices = [notice.text for notice in await happened(engine, run, Notice)]
    assert (run.status, run.error) == (Status.SUCCEEDED, None)
    assert [text[:19] for text in notices] == ["Reconnecting... 1/3", "Reconnecting... 2/3"]
