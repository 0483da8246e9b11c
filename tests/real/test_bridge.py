"""The bridge with the real Codex: each fact of the protocol that it relies on.

Every test runs with the Codex of the development tools, and with npm's newest where there is one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from bridge_run import BridgeHouse, BridgeRun, escalated, gone, method, newest_codex, note
from loopback import (
    LoopbackServer,
    add_file,
    codex_binary,
    command,
    hang,
    message,
    patch,
    rate_limits,
    unauthorized,
)

from engine.agents.base import AttemptEnd
from engine.agents.codex.interactive.translation import state_from
from engine.agents.registry import agent_of
from engine.domain.events import Body, LimitsSeen, Progressed, Step, UsageCounted
from engine.domain.interaction import InputRequest, MessageChanged, RequestPhase
from engine.domain.model import Usage

Json = dict[str, Any]
COMMAND = "item/commandExecution/requestApproval"
PATCH = "item/fileChange/requestApproval"
HOLD = "sleep 300 & while :; do echo out; sleep 0.1; done"
"""A command without end. What it writes in its first moment may be missing in its live output."""


@pytest.fixture(params=["packaged", "newest"])
def house(request: pytest.FixtureRequest, lab: Path, server: LoopbackServer) -> BridgeHouse:
    """Make a house for one of the two binaries."""
    codex = codex_binary() if request.param == "packaged" else newest_codex()
    if codex is None:
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return BridgeHouse(lab, server, codex)


def _answer(request: Json, decision: str) -> Json:
    number = request["id"]
    return {"id": f"answer:{number}", "do": "answer", "request": number, "decision": decision}


def _outputs(server: LoopbackServer) -> list[str]:
    """Return what the model was told in its last request, by its tools and by the user."""
    items = server.requests[-1].body["input"]
    return [str(one.get("output") or one.get("content") or "") for one in items]


def _read(run: BridgeRun, house: BridgeHouse, code: int) -> tuple[list[Body], str]:
    """Return the events of a run, read one line at a time from a stored state, and its error."""
    codex, bodies = agent_of("codex"), list[Body]()
    state = codex.first_state(None, Usage(), (), interactive=True)
    for line in run.raw:
        reader = codex.reader(state, str(house.workspace), None)
        bodies += reader.read([line])
        state = reader.state()
    reader = codex.reader(state, str(house.workspace), None)
    bodies += reader.finish()
    error = reader.outcome(AttemptEnd(code)).error
    return bodies, error.code if error else ""


def test_approved_command_runs_outside_the_sandbox(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    wish = escalated(f"touch {house.outside}/x", "May I write outside?")
    prompt = server.script("a", [wish, message("done").with_headers(rate_limits(42.4))])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        assert not (house.outside / "x").exists()
        run.write(_answer(request, "approve"))
        code = run.end()
    assert code == 0
    assert (house.outside / "x").exists()
    assert run.notes("ended")[0]["undelivered"] == []
    bodies, error = _read(run, house, code)
    assert error == ""
    raised, applied = [body for body in bodies if isinstance(body, InputRequest)]
    assert (raised.request, raised.phase, raised.kind) == ("0", RequestPhase.RAISED, "command")
    assert (raised.text, raised.cwd) == (f"touch {house.outside}/x", ".")
    assert raised.reason == "May I write outside?"
    assert raised.command == f"/bin/bash -lc 'touch {house.outside}/x'"
    assert applied == InputRequest("0", RequestPhase.APPLIED)
    assert not [body for body in bodies if body.type == "raw"]
    steps = [body for body in bodies if isinstance(body, Step)]
    assert [(step.kind, step.phase) for step in steps] == [
        ("command", "started"),
        ("command", "completed"),
        ("message", "completed"),
    ]
    assert [body.details for body in bodies if isinstance(body, Progressed)] == [
        {"thread_id": run.thread}
    ]
    used = [body for body in bodies if isinstance(body, UsageCounted)][-1]
    assert (used.input_tokens, used.cached_input_tokens, used.output_tokens) == (2000, 400, 100)
    windows = [body for body in bodies if isinstance(body, LimitsSeen)][-1].windows
    assert windows[0].used_percent == 42


def test_denied_command_does_not_run_and_the_turn_goes_on(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated(f"touch {house.outside}/x"), message("I see")])
    with house.start(prompt) as run:
        run.write(_answer(run.until(method(COMMAND)), "deny"))
        code = run.end()
    assert code == 0
    assert not (house.outside / "x").exists()
    assert "rejected by user" in " ".join(_outputs(server))
    bodies, _ = _read(run, house, code)
    assert [body.phase for body in bodies if isinstance(body, Step)][:2] == ["started", "declined"]


def test_denial_with_a_message_reaches_the_model_with_it(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated("touch /x")], [message("I see")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        steer = {"id": "m1", "do": "steer", "text": "use the workspace"}
        run.write(steer, _answer(request, "deny"))
        code = run.end()
    assert code == 0
    told = _outputs(server)
    assert any("rejected by user" in text for text in told)
    assert any("use the workspace" in text for text in told)


def test_stop_denies_and_ends_the_turn(house: BridgeHouse, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated(f"touch {house.outside}/x"), message("never said")])
    with house.start(prompt) as run:
        run.write(_answer(run.until(method(COMMAND)), "stop"))
        code = run.end()
    assert code == 130
    assert not (house.outside / "x").exists()
    assert _read(run, house, code)[1] == "RUN_INTERRUPTED"


def test_approval_is_asked_for_again_each_time(house: BridgeHouse, server: LoopbackServer) -> None:
    wish = escalated(f"echo x >> {house.outside}/x")
    prompt = server.script("a", [wish, wish, message("done")])
    with house.start(prompt) as run:
        first = run.until(method(COMMAND))
        run.write(_answer(first, "approve"))
        second = run.until(method(COMMAND))
        run.write(_answer(second, "approve"))
        assert run.end() == 0
    assert first["id"] != second["id"]
    assert (house.outside / "x").read_text() == "x\nx\n"
    raised = [body for body in _read(run, house, 0)[0] if isinstance(body, InputRequest)]
    digests = {body.digest for body in raised if body.phase is RequestPhase.RAISED}
    assert len(digests) == 1


def test_patch_outside_the_workspace_is_shown_with_its_diff(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    (house.workspace / "link").symlink_to(house.outside)
    prompt = server.script("a", [patch(add_file(f"{house.outside}/x", "new")), message("done")])
    with house.start(prompt) as run:
        run.write(_answer(run.until(method(PATCH)), "approve"))
        code = run.end()
    assert code == 0
    assert (house.outside / "x").read_text() == "new\n"
    request = next(body for body in _read(run, house, 0)[0] if isinstance(body, InputRequest))
    assert isinstance(request, InputRequest)
    (change,) = request.changes
    assert (change.path, change.change) == (str(house.outside / "x"), "added")
    assert change.outside
    assert "new" in change.diff


def test_target_of_a_rename_is_shown(house: BridgeHouse, server: LoopbackServer) -> None:
    (house.workspace / "inside").write_text("old\n")
    moved = f"{house.outside}/moved"
    text = f"*** Update File: inside\n*** Move to: {moved}\n@@\n-old\n+new\n"
    prompt = server.script("a", [patch(text), message("done")])
    with house.start(prompt) as run:
        run.write(_answer(run.until(method(PATCH)), "approve"))
        assert run.end() == 0
    assert Path(moved).read_text() == "new\n"
    request = next(body for body in _read(run, house, 0)[0] if isinstance(body, InputRequest))
    before, after = request.changes
    assert (before.path, before.change, before.outside) == ("inside", "renamed", False)
    assert moved in before.diff
    assert (after.path, after.change, after.outside) == (moved, "added", True)


def test_steered_message_is_read_in_the_same_turn(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated("true")], [message("done")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        run.write({"id": "m1", "do": "steer", "text": "be quick"})
        run.until(note("applied", do="steer", id="m1"))
        run.write(_answer(request, "approve"))
        code = run.end()
    assert code == 0
    assert len(run.said("turn/completed")) == 1
    assert any("be quick" in text for text in _outputs(server))
    phases = [body.phase for body in _read(run, house, 0)[0] if isinstance(body, MessageChanged)]
    assert phases == ["sent", "delivered"]


def test_queued_message_gets_a_turn_and_a_withdrawn_one_none(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated("true"), message("one")], [message("two")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        run.write(
            {"id": "m1", "do": "queue", "text": "then this"},
            {"id": "m2", "do": "queue", "text": "withdrawn-words"},
            {"id": "unqueue:m2", "do": "unqueue", "message": "m2"},
            _answer(request, "approve"),
        )
        code = run.end()
    assert code == 0
    assert len(run.said("turn/completed")) == 2
    assert any("then this" in text for text in _outputs(server))
    assert not any("withdrawn-words" in text for text in _outputs(server))
    changes = [body for body in _read(run, house, 0)[0] if isinstance(body, MessageChanged)]
    assert [(body.message, body.phase) for body in changes] == [
        ("m2", "withdrawn"),
        ("m1", "delivered"),
    ]


def test_interrupt_ends_the_running_command_and_goes_on_with_the_queue(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a", [command(HOLD, yield_time_ms=30_000), message("never")], [message("back")]
    )
    with house.start(prompt) as run:
        run.until(note("output"))
        sleeping = _named(run.server, "sleep")
        assert sleeping
        run.write(
            {"id": "m1", "do": "queue", "text": "go on", "first": True},
            {"id": "i1", "do": "interrupt"},
        )
        run.until(method("turn/completed"))
        run.until(method("turn/started"))
        assert all(gone(pid) for pid in sleeping)
        code = run.end()
    assert code == 0
    assert any("go on" in text for text in _outputs(server))
    assert [turn["turn"]["status"] for turn in run.said("turn/completed")] == [
        "interrupted",
        "completed",
    ]


def test_interrupt_alone_ends_the_attempt_and_the_thread_goes_on(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a", [command(HOLD, yield_time_ms=30_000), message("never")], [message("back")]
    )
    with house.start(prompt) as run:
        run.until(note("output"))
        run.write({"id": "i1", "do": "interrupt"})
        code = run.end()
    assert code == 130
    assert _read(run, house, code)[1] == "RUN_INTERRUPTED"
    with house.start("go on", "--thread", run.thread) as again:
        assert again.end() == 0
        assert again.thread == run.thread


def test_steer_that_an_interrupt_swallowed_comes_first_in_the_next_turn(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script(
        "a", [command(HOLD, yield_time_ms=30_000), message("never")], [message("back")]
    )
    with house.start(prompt) as run:
        run.until(note("output"))
        run.write({"id": "m1", "do": "steer", "text": "not lost"})
        run.until(note("applied", do="steer"))
        run.write({"id": "i1", "do": "interrupt"})
        assert run.end() == 0
    assert any("not lost" in text for text in _outputs(server))


@pytest.mark.parametrize("round_number", range(3))
def test_interrupt_at_once_loses_neither_the_prompt_nor_its_message(
    house: BridgeHouse, server: LoopbackServer, round_number: int
) -> None:
    del round_number  # the moment at which the interrupt meets the turn varies
    prompt = server.script("a", [message("never")], [message("done")], [message("later")])
    with house.start(f"{prompt} task-words") as run:
        run.write(
            {"id": "m1", "do": "queue", "text": "other-way", "first": True},
            {"id": "s1", "do": "steer", "text": "steer-words"},
            {"id": "i", "do": "interrupt"},
        )
        assert run.end() == 0
    said = str(server.requests[-1].body["input"])
    places = [said.index(words) for words in ("task-words", "steer-words", "other-way")]
    assert places == sorted(places)
    assert [said.count(words) for words in ("task-words", "steer-words", "other-way")] == [1, 1, 1]


def test_request_is_withdrawn_by_an_interrupt(house: BridgeHouse, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated("true"), message("never")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        run.write({"id": "i1", "do": "interrupt"})
        run.until(method("turn/completed"))
        code = run.end()
    assert code == 130
    assert request["id"] == 0
    phases = [body.phase for body in _read(run, house, code)[0] if isinstance(body, InputRequest)]
    assert phases == [RequestPhase.RAISED, RequestPhase.WITHDRAWN]


def test_killed_bridge_takes_the_server_with_it_and_the_agent_asks_again(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated(f"touch {house.outside}/x"), message("done")])
    with house.start(prompt) as run:
        run.until(method(COMMAND))
        app_server = run.server
        run.kill()
        assert gone(app_server)
        assert run.end() == -signal.SIGKILL
    again = server.script("b", [escalated(f"touch {house.outside}/x"), message("done")])
    with house.start(again, "--thread", run.thread) as second:
        second.write(_answer(second.until(method(COMMAND)), "approve"))
        assert second.end() == 0
    assert (house.outside / "x").exists()


def test_killed_server_ends_the_attempt(house: BridgeHouse, server: LoopbackServer) -> None:
    prompt = server.script("a", [hang()])
    with house.start(prompt) as run:
        run.until(method("turn/started"))
        for process in [*psutil.Process(run.server).children(recursive=True)][::-1]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        with suppress(ProcessLookupError):
            os.kill(run.server, signal.SIGKILL)
        code = run.end()
    assert code == 70
    assert _read(run, house, code)[1] == "AGENT_CRASHED"


def test_signal_ends_everything(house: BridgeHouse, server: LoopbackServer) -> None:
    prompt = server.script("a", [command(HOLD, yield_time_ms=30_000), message("never")])
    with house.start(prompt) as run:
        run.until(note("output"))
        sleeping = _named(run.server, "sleep")
        os.kill(run.pid, signal.SIGTERM)
        assert run.end() == 128 + signal.SIGTERM
        assert all(gone(pid) for pid in (*sleeping, run.server))


def test_resumed_thread_gets_its_sandbox_again(house: BridgeHouse, server: LoopbackServer) -> None:
    write = command("touch written; ls")
    prompt = server.script("a", [message("one")], [write, message("two")], [write, message("3")])
    with house.start(prompt) as run:
        assert run.end() == 0
    with house.start("more", "--thread", run.thread, sandbox="read-only") as read_only:
        assert read_only.end() == 0
    assert not (house.workspace / "written").exists()
    with house.start("more", "--thread", run.thread) as again:
        assert again.end() == 0
    assert (house.workspace / "written").exists()


def test_resumed_thread_still_asks(house: BridgeHouse, server: LoopbackServer) -> None:
    wish = escalated(f"touch {house.outside}/x")
    prompt = server.script("a", [message("one")], [wish, message("two")])
    with house.start(prompt) as run:
        assert run.end() == 0
    with house.start("more", "--thread", run.thread) as again:
        again.write(_answer(again.until(method(COMMAND)), "deny"))
        assert again.end() == 0
    assert not (house.outside / "x").exists()


def test_message_that_the_thread_has_is_not_sent_again(
    house: BridgeHouse, server: LoopbackServer
) -> None:
    prompt = server.script("a", [escalated("true")], [message("one")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        run.write({"id": "m1", "do": "steer", "text": "said-once"}, _answer(request, "approve"))
        assert run.end() == 0
    with house.start("more", "--thread", run.thread) as again:
        again.write({"id": "m1", "do": "queue", "text": "said-once"})
        again.until(method("turn/completed"))
        again.end()
    said = " ".join(_outputs(server))
    assert said.count("said-once") == 1


def test_folders_to_add_are_writable(house: BridgeHouse, server: LoopbackServer) -> None:
    write = command(f"touch {house.outside}/x here")
    prompt = server.script("a", [write, message("one")], [write, message("two")])
    with house.start(prompt) as run:
        assert run.end() == 0
    assert not (house.outside / "x").exists()
    added = ("--add-dir", str(house.outside), "--thread", run.thread)
    with house.start("more", *added) as again:
        assert again.end() == 0
    assert (house.outside / "x").exists()
    assert (house.workspace / "here").exists()


def test_user_settings_of_codex_are_left_alone(
    house: BridgeHouse, server: LoopbackServer, git_repository: Callable[[Path], None]
) -> None:
    git_repository(house.workspace)
    before = (house.home / "config.toml").read_bytes()
    prompt = server.script(
        "a", [escalated("true"), message("1")], [escalated("true"), message("2")]
    )
    with house.start(prompt) as run:
        run.write(_answer(run.until(method(COMMAND)), "approve"))
        assert run.end() == 0
    with house.start("more", "--thread", run.thread) as again:
        again.write(_answer(again.until(method(COMMAND)), "approve"))
        assert again.end() == 0
    assert (house.home / "config.toml").read_bytes() == before
    assert not (house.home / "rules").exists()


def test_failed_turn_has_the_code_of_exec(house: BridgeHouse, server: LoopbackServer) -> None:
    with house.start(server.script("a", [unauthorized()])) as run:
        code = run.end()
    assert code == 1
    assert _read(run, house, code)[1] == "CODEX_AUTH_FAILED"


def test_unknown_thread_is_its_own_error(house: BridgeHouse) -> None:
    with house.start("x", "--thread", "01a22527-a4df-7c20-a428-c4e1e745ccd7") as run:
        code = run.end()
    assert code == 1
    assert _read(run, house, code)[1] == "THREAD_NOT_FOUND"


def test_broken_settings_are_their_own_error(house: BridgeHouse) -> None:
    with (house.home / "config.toml").open("a") as file:
        file.write("[broken\n")
    with house.start("x") as run:
        code = run.end()
    assert code == 1
    assert _read(run, house, code)[1] == "CODEX_CONFIG_INVALID"


def test_thread_has_one_writer(house: BridgeHouse, server: LoopbackServer) -> None:
    prompt = server.script("a", [escalated("true"), message("done")])
    with house.start(prompt) as run:
        request = run.until(method(COMMAND))
        with house.start("me too", "--thread", run.thread) as second:
            code = second.end()
        assert code == 1
        assert _read(second, house, code)[1] == "THREAD_BUSY"
        run.write(_answer(request, "approve"))
        assert run.end() == 0


def test_missing_codex_is_its_own_error(house: BridgeHouse) -> None:
    with house.start("x", codex=str(house.workspace / "nowhere")) as run:
        code = run.end()
    assert code == 127
    assert _read(run, house, code)[1] == "CODEX_CLI_MISSING"


def test_state_of_an_exec_attempt_is_read() -> None:
    read = state_from(b'{"thread_id":"x","turn":"completed"}')
    assert (read.thread_id, read.turn, read.requests) == ("x", "completed", [])


def _named(server: int, name: str) -> list[int]:
    found: list[int] = []
    for process in psutil.Process(server).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # some end in this moment
            found += [process.pid] if process.name() == name else []
    return found


@pytest.fixture
def git_repository() -> Callable[[Path], None]:
    """Return a function that makes a folder a git repository."""
    import subprocess

    def make(folder: Path) -> None:
        subprocess.run(["git", "init", "-q", str(folder)], check=True)

    return make
