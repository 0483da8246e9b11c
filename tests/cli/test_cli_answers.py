"""Answers typed where the request stands, and the `answer` command."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from pseudo import Opener
from typed import Starter, Swarm

from engine.config.paths import Paths

ASK = 'sim: ask "npm ci" reason="May I?" writes=ran.txt\nsim: say after'
QUESTION = 'sim: question "Which colour?" "Red|Blue"\nsim: say after'
FORM = (
    'sim: form {"type":"object","required":["name"],"properties":'
    '{"name":{"type":"string","minLength":2},"age":{"type":"integer"}}}\nsim: say after'
)
RUN = ("run", "--interactive", "--empty", "--agent", "simulated")
Detached = Callable[..., str]


def phases(swarm: Swarm, run: str) -> list[str]:
    log = map(json.loads, swarm("logs", run, "--json").out.splitlines())
    return [event["phase"] for event in log if event["type"] == "input_request"]


def said(swarm: Swarm, run: str) -> str:
    return swarm("logs", run).out


def test_foreground_run_is_approved_where_it_asks(terminal: Opener, swarm: Swarm) -> None:
    shown = terminal(*RUN, ASK)
    shown.until(":1:0 · command · waits", "reason given by the agent: May I?", "y approve")
    shown.type(b"y")
    assert shown.end() == 0
    assert "after" in shown.text
    assert "y approve" not in shown.text
    assert not shown.screen.cursor.hidden
    run = swarm("show", "@last", "--json").json["id"]
    assert phases(swarm, run) == ["raised", "answered", "applied"]


def test_watch_denies_with_a_message(terminal: Opener, detached: Detached, swarm: Swarm) -> None:
    run = detached(ASK, "--interactive")
    shown = terminal("watch", run)
    shown.until("y approve")
    shown.type(b"m")
    shown.until("message (enter sends")
    shown.type("not thät\x7f\x7f\x7fhis way\r".encode())
    assert shown.end() == 0
    assert "you" in shown.text
    assert "not this way" in said(swarm, run)
    assert "denied by you" in said(swarm, run)


def test_watch_stops_the_turn(terminal: Opener, detached: Detached, swarm: Swarm) -> None:
    run = detached(ASK, "--interactive")
    shown = terminal("watch", run)
    shown.until("y approve")
    shown.type(b"s")
    assert shown.end() != 0
    assert swarm("show", run, "--json").json["status"] == "interrupted"


def test_watch_fills_in_a_form_and_asks_again_for_a_wrong_value(
    terminal: Opener, detached: Detached, swarm: Swarm
) -> None:
    run = detached(FORM, "--interactive")
    shown = terminal("watch", run)
    shown.until("1. name (text; at least 2 characters; required)", "y answer")
    shown.type(b"y")
    shown.until("name (enter sends, esc goes back)")
    shown.type(b"B\r")
    shown.until("The field name is not valid: at least 2 characters")
    shown.type(b"Bo\r")
    shown.until("age (enter sends")
    shown.type(b"3\r")
    assert shown.end() == 0
    assert 'answered: {"name": "Bo", "age": 3}' in said(swarm, run)


def test_request_that_was_answered_elsewhere_is_no_longer_asked_for(
    terminal: Opener, detached: Detached, swarm: Swarm
) -> None:
    run = detached(f"{ASK}\n{QUESTION}", "--interactive")
    shown = terminal("watch", run)
    shown.until("y approve")
    assert swarm("deny", f"{run}:1:0").code == 0
    shown.until(f"{run}:1:0 is no longer open", "Which colour?", "y answer")
    shown.type(b"y")
    shown.until("q1 (enter sends")
    shown.type(b"2\r")
    assert shown.end() == 0
    assert 'answered: {"q1": {"answers": ["Blue"]}}' in said(swarm, run)


def test_no_output_is_lost_while_a_request_is_asked_for(
    terminal: Opener, detached: Detached, swarm: Swarm
) -> None:
    asking = detached(ASK, "--interactive")
    talking = detached("sim: until message\nsim: say one\nsim: say two", "--interactive")
    shown = terminal("watch", asking, talking)
    shown.until("y approve")
    shown.type(b"m")
    shown.until("message (enter sends")
    shown.type(b"hal")
    assert swarm("send", talking, "go on").code == 0
    shown.until("▪ says     one", "▪ says     two", "back): hal_")
    shown.type(b"t\r")
    assert shown.end() == 0
    assert "halt" in said(swarm, asking)


def test_request_that_is_left_open_can_be_answered_elsewhere(
    terminal: Opener, detached: Detached, swarm: Swarm
) -> None:
    run = detached(QUESTION, "--interactive")
    shown = terminal("watch", run)
    shown.until("y answer")
    shown.type(b"\r")
    shown.until(f"left open: swarm-tui answer {run}:1:0 q1=…")
    shown.until_not("y answer")
    done = swarm("answer", f"{run}:1:0", "1=#1")
    assert (done.code, done.out) == (0, f"{run}:1:0 answered\n")
    assert shown.end() == 0
    assert 'answered: {"q1": {"answers": ["Red"]}}' in said(swarm, run)


def test_ctrl_c_leaves_a_watched_request_open(
    terminal: Opener, detached: Detached, swarm: Swarm
) -> None:
    run = detached(ASK, "--interactive")
    shown = terminal("watch", run)
    shown.until("y approve")
    shown.type(b"\x03")
    assert shown.end() == 130
    assert not shown.screen.cursor.hidden
    assert len(swarm("inbox", run, "--json").json) == 1


def test_ctrl_c_in_the_foreground_asks_first_and_then_the_request_again(
    terminal: Opener, swarm: Swarm
) -> None:
    shown = terminal(*RUN, ASK)
    shown.until("y approve")
    shown.type(b"\x03")
    shown.until("Leave it running in the background (Enter)")
    shown.until_not("y approve")
    shown.type(b"\x1b")
    shown.until_not("Leave it running")
    shown.until("y approve")
    shown.type(b"n")
    assert shown.end() == 0
    assert "denied by you" in said(swarm, "@last")


def test_pipe_prints_the_id_and_the_command_and_never_asks(
    detached: Detached, start: Starter, swarm: Swarm
) -> None:
    run = detached(QUESTION, "--interactive")
    with start("watch", run, as_json=False).process as watching:
        assert watching.stdout
        hint = f"swarm-tui answer {run}:1:0 q1=…, or swarm-tui deny {run}:1:0"
        assert any(hint in line.decode() for line in watching.stdout)
        assert swarm("answer", f"{run}:1:0", "q1=Blue", "--json").json[0]["id"] == run
        watching.stdout.read()
        assert watching.wait() == 0


def test_wrong_answers_leave_the_request_open(
    detached: Detached, swarm: Swarm, paths: Paths
) -> None:
    run = detached(FORM, "--interactive")
    assert swarm("wait", run, "--needs-input").code == 75
    request = f"{run}:1:0"
    bare = swarm("answer", request)
    assert (bare.code, f"Use `swarm-tui answer {request} name=… age=…`" in bare.err) == (3, True)
    wrong = swarm("answer", request, "name=B")
    assert (wrong.code, "The field name is not valid: at least 2" in wrong.err) == (3, True)
    approved = swarm("approve", request)
    assert (approved.code, "it cannot be approved" in approved.err) == (3, True)
    done = swarm("answer", request, "name=-", stdin=b"B\xc3\xb6\n")
    assert done.code == 0, done.err
    assert swarm("wait", run).code == 0
    assert 'answered: {"name": "Bö"}' in said(swarm, run)
    assert phases(swarm, run) == ["raised", "answered", "applied"]
    assert not paths.attempt(run, 1).inbox.exists()


SECRET = "correct-horse"


def test_secret_is_typed_unseen_and_is_nowhere_in_the_home(
    terminal: Opener, detached: Detached, swarm: Swarm, paths: Paths
) -> None:
    run = detached('sim: question "Token?" "a|b" secret=yes\nsim: hang', "--interactive")
    assert swarm("wait", run, "--needs-input").code == 75
    refused = swarm("answer", f"{run}:1:0", f"q1={SECRET}")
    assert (refused.code, "is secret" in refused.err) == (3, True)
    assert SECRET not in refused.err
    shown = terminal("answer", f"{run}:1:0")
    shown.until("Token?", "secret", "q1 (not shown):")
    shown.type(f"{SECRET}\r".encode())
    assert shown.end() == 0
    assert SECRET.encode() not in shown.raw
    watching = terminal("watch", run)
    watching.until(" characters")
    assert holders(paths, SECRET) == ["inbox.jsonl"]
    assert swarm("cancel", run, "--kill").code == 0
    watching.end()
    assert holders(paths, SECRET) == []
    assert SECRET.encode() not in watching.raw


def test_secret_typed_in_watch_is_not_shown(
    terminal: Opener, detached: Detached, paths: Paths
) -> None:
    run = detached('sim: question "Token?" "a|b" secret=yes', "--interactive")
    shown = terminal("watch", run)
    shown.until("y answer")
    shown.type(b"y")
    shown.until("q1 (not shown; enter sends")
    shown.type(f"{SECRET}\r".encode())
    assert shown.end() == 0
    assert SECRET.encode() not in shown.raw
    assert holders(paths, SECRET) == []


def holders(paths: Paths, text: str) -> list[str]:
    """Return the names of the files of the home that contain a text."""
    found: list[str] = []
    for path in paths.home.rglob("*"):
        with suppress(FileNotFoundError):  # the background process may end in this moment
            if path.is_file() and text.encode() in path.read_bytes():
                found.append(path.name)
    return found
