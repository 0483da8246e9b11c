"""The log on the command line: the work by default, all events on request, several runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pseudo import Opener
from typed import Starter, Swarm

BOOKKEEPING = {"stage", "saved", "tokens", "changes", "artifact"}


def kinds(text: str) -> list[str]:
    """Return the kinds of the events in lines of a log."""
    return re.findall(r"^(?:\w+  )?\d\d:\d\d:\d\d  (\w+)", text, re.MULTILINE)


@pytest.fixture
def two(simulated: Swarm, swarm: Swarm) -> list[str]:
    """The ids of two runs that ended, oldest first."""
    simulated("Plant the beans\nsim: write beans.txt green\nsim: say planted")
    simulated("Plant the peas\nsim: write peas.txt green\nsim: say planted")
    return swarm("ls", "-q").out.split()[::-1]


def test_book_keeping_is_printed_only_with_all(two: list[str], swarm: Swarm) -> None:
    work = swarm("logs", two[0]).out
    assert kinds(work)[0] == "prompt"
    assert kinds(work)[-1] == "end"
    assert kinds(work).count("edit") + kinds(work).count("files") == 1
    assert not BOOKKEEPING & set(kinds(work))
    assert "Plant the beans" in work.splitlines()[0]
    for command in ("logs", "watch"):
        whole = kinds(swarm(command, two[0], "--all").out)
        assert {"stage", "tokens"} <= BOOKKEEPING & set(whole)
        assert [kind for kind in whole if kind in ("prompt", "edit", "says")] == [
            kind for kind in kinds(work) if kind in ("prompt", "edit", "says")
        ]


def test_json_has_every_event_with_and_without_all(two: list[str], swarm: Swarm) -> None:
    events = swarm("logs", two[0], "--json").events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert swarm("logs", two[0], "--json", "--all").events == events


def test_the_log_of_several_runs_names_each_in_the_order_of_time(
    two: list[str], swarm: Swarm
) -> None:
    lines = swarm("logs", two[1], two[0]).out.splitlines()
    assert all(line.startswith((f"{two[0]}  ", f"{two[1]}  ")) for line in lines)
    assert kinds("\n".join(lines)).count("prompt") == 2
    assert lines[0].startswith(two[0]) and lines[-1].startswith(two[1])
    for run in two:
        own = [line.removeprefix(f"{run}  ") for line in lines if line.startswith(run)]
        assert own == swarm("logs", run).out.splitlines()
    wrong = swarm("logs", *two, "--raw")
    assert wrong.code == 2 and "needs a single run" in wrong.err


def test_on_a_terminal_each_run_has_a_colour_and_its_own_name(
    two: list[str], terminal: Opener
) -> None:
    shown = terminal("logs", *two)
    assert shown.end() == 0
    assert re.search(r"^Plant the beans +│ .*prompt", shown.text, re.MULTILINE)
    assert re.search(r"^Plant the peas +│ .*prompt", shown.text, re.MULTILINE)


def test_watch_without_a_run_follows_all_live_ones(
    two: list[str], swarm: Swarm, start: Starter, detached: Callable[..., str]
) -> None:
    done = swarm("watch")
    assert (done.code, done.out) == (2, "")
    assert "No run is live: name the runs to watch" in done.err
    live = [detached(f"{word}\nsim: say {word} is up\nsim: hang") for word in ("one", "two")]
    watch = start("watch")
    for _ in live:  # in whatever order
        watch.until(role="assistant")
    assert swarm("cancel", *live).code == 0
    assert watch.end() == 130
    assert {event["run"] for event in watch.events} == set(live)
