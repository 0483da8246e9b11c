"""`retry` and `resume`: an ended run goes on."""

from __future__ import annotations

import json

import pytest
from typed import Detacher, Starter, Swarm

BETTER = "sim: attempt 1\nsim: write one.txt x\nsim: crash\nsim: end\nsim: say better"


def _texts(events: list[dict[str, object]]) -> list[object]:
    return [event["text"] for event in events if event.get("role") == "assistant"]


def test_retry_failed_takes_them_all(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say fine")
    for _ in range(2):
        simulated(BETTER)
    done = swarm("retry", "--failed")
    assert done.code == 0
    assert [run["attempts"] for run in swarm("ls", "--json").json] == [2, 2, 1]
    nothing = swarm("retry", "--failed")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "nothing to retry\n")


def test_retry_detached(simulated: Swarm, swarm: Swarm) -> None:
    simulated(BETTER)
    run = swarm("show", "@last", "--json").json["id"]
    done = swarm("retry", run, "--detach")
    assert (done.code, done.out, done.err) == (0, f"{run}\n", "")
    assert swarm("wait", run).code == 0
    again = swarm("retry", run, "--detach", "--json")
    assert again.json["status"] == "queued"
    assert swarm("wait", run).code == 0


def test_retry_goes_on_where_fresh_starts_over(simulated: Swarm, swarm: Swarm) -> None:
    simulated(BETTER)
    first = swarm("show", "@last", "--json").json
    assert swarm("retry", "@last").code == 0
    second = swarm("show", "@last", "--json").json
    assert (second["workspace"], second["thread_id"]) == (first["workspace"], first["thread_id"])
    swarm("retry", "@last", "--fresh")
    third = swarm("show", "@last", "--json").json
    assert third["workspace"]["path"] != first["workspace"]["path"]
    assert third["thread_id"] != first["thread_id"]


@pytest.mark.parametrize("words", [["--prompt", "sim: say new words"], ["--prompt", "-"]])
def test_retry_with_a_prompt_of_its_own(simulated: Swarm, swarm: Swarm, words: list[str]) -> None:
    simulated("sim: fail quota")
    done = swarm("retry", "@last", *words, "--json", stdin=b"sim: say new words")
    assert done.code == 0
    assert _texts(done.events) == ["new words"]
    assert done.events[1]["text"] == "sim: say new words"
    shown = swarm("show", "@last").out
    assert "attempt prompt  sim: say new words" in shown
    assert swarm("show", "@last", "--json").json["attempt_prompt"] == "sim: say new words"


def test_message_to_a_run_that_has_ended_says_what_happens(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say first")
    run = swarm("show", "@last", "--json").json["id"]
    sent = swarm("send", run, "sim: say second")
    assert (sent.code, sent.out) == (0, f"{run} had ended: attempt 2 begins with the message\n")
    assert swarm("wait", run).code == 0
    assert swarm("send", run, "--list").out == "no message waits\n"
    refused = swarm("send", run, "--withdraw", "message:1")
    assert (refused.code, "has read the message" in refused.err) == (3, True)
    assert swarm("send", run).code == 2
    assert swarm("send", run, "x", "--list").code == 2


def test_mode_changes_with_another_attempt(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say first")
    refused = swarm("resume", "@last", "sim: say x", "--approvals", "untrusted", "--no-interactive")
    assert (refused.code, "does not go with --no-interactive" in refused.err) == (3, True)
    shown = swarm("show", "@last", "--json").json
    assert (shown["attempt"], shown["interactive"], shown["approvals"]) == (1, False, None)
    assert "mode       exec" in swarm("show", "@last").out
    done = swarm("resume", "@last", "sim: say second", "--approvals", "untrusted", "--json")
    assert (done.code, _texts(done.events)) == (0, ["second"])
    assert "interactive, asks untrusted" in swarm("show", "@last").out
    assert swarm("retry", "@last", "--no-interactive", "--prompt", "sim: say third").code == 0
    shown = swarm("show", "@last", "--json").json
    assert (shown["attempt"], shown["interactive"], shown["approvals"]) == (3, False, None)


def test_resume_continues_the_thread(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say first")
    thread = swarm("show", "@last", "--json").json["thread_id"]
    done = swarm("resume", "@last", "sim: say second", "--json")
    assert (done.code, done.err) == (0, "")
    assert _texts(done.events) == ["second"]
    messages = [event for event in done.events if event["type"] == "message"]
    assert [event["phase"] for event in messages] == ["queued", "delivered"]
    assert messages[0]["text"] == "sim: say second"
    piped = swarm("resume", "@last", "-", stdin=b"sim: say third")
    assert "third" in piped.out
    run = swarm("show", "@last", "--json").json
    assert (run["thread_id"], run["attempts"]) == (thread, 3)


def test_resume_detached(simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say first")
    run = swarm("show", "@last", "--json").json["id"]
    assert swarm("resume", run, "sim: say second", "--detach").out == f"{run}\n"
    assert swarm("wait", run).code == 0
    assert swarm("resume", run, "sim: say third", "--detach", "--json").json["id"] == run


def test_resume_refuses_what_cannot_be(start: Starter, simulated: Swarm, swarm: Swarm) -> None:
    simulated("sim: say x")
    assert swarm("resume", "@last", " ").code == 3
    assert "Add a MESSAGE" in swarm("resume", "@last").err
    run = start("run", "--empty", "--agent", "simulated", "sim: say working\nsim: hang")
    run.until(type="step", text="working")
    refused = swarm("resume", "@last", "go on", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (3, "RUN_NOT_RETRYABLE")
    run.interrupt()
    assert run.end() == 130


def test_several_runs_are_resumed_with_one_message(simulated: Swarm, swarm: Swarm) -> None:
    for title in ("One", "Two"):
        simulated(f"{title}\nsim: say first")
    ids = swarm("ls", "-q").out.split()
    done = swarm("resume", *ids, "sim: say second", "--detach", "--json")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ids
    assert swarm("wait", *ids).code == 0
    assert [run["attempt"] for run in swarm("ls", "--json").json] == [2, 2]
    done = swarm("resume", ids[0][-4:], ids[1][-4:], "-m", "sim: say third", "-d")
    assert done.out.split() == ids
    assert swarm("wait", *ids).code == 0


def test_the_name_of_a_run_is_no_message(simulated: Swarm, swarm: Swarm) -> None:
    for title in ("One", "Two"):
        simulated(f"{title}\nsim: say first")
    ids = swarm("ls", "-q").out.split()
    done = swarm("resume", *ids)
    assert (done.code, "Add a MESSAGE" in done.err) == (2, True)
    assert [run["attempt"] for run in swarm("ls", "--json").json] == [1, 1]


def test_several_runs_are_retried_with_one_prompt(simulated: Swarm, swarm: Swarm) -> None:
    for title in ("One", "Two"):
        simulated(f"{title}\nsim: fail context")
    ids = swarm("ls", "-q").out.split()
    assert swarm("retry", *ids, "--prompt", "sim: say better", "-d").out.split() == ids
    assert swarm("wait", *ids).code == 0
    assert [run["status"] for run in swarm("ls", "--json").json] == ["succeeded"] * 2


def test_a_run_that_never_had_a_workspace_is_named_so(swarm: Swarm, detached: Detacher) -> None:
    swarm("pause")
    run = detached("sim: say x")
    waiting = swarm("diff", run)
    assert (waiting.code, "has no workspace yet: it is queued" in waiting.err) == (3, True)
    swarm("cancel", run)
    for words in ("diff", "diff --stat", "apply", "restore", "get", "run --from-run"):
        done = swarm(*words.split(), run, *(["x"] if words in ("get", "run --from-run") else []))
        assert done.code == 3
        assert f"The run {run} never had a workspace" in done.err, words
    swarm("unpause")
