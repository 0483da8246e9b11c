"""Runs that are tagged, noted, dismissed and archived from the command line."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest
from support import quick, spec
from typed import Swarm

from engine.config.paths import Paths
from engine.domain.model import Run, RunSpec, Status
from engine.engine import Engine, recover
from engine.store.store import open_store
from tui.cli import json as shapes
from tui.cli.support.run_table import note


@pytest.fixture
def ended(paths: Paths) -> list[str]:
    """Ids of three runs that have ended, the oldest first."""

    async def make() -> list[str]:
        async with Engine.open(paths, quick()) as engine:
            runs = [await engine.start(spec(title=name)) for name in ("One", "Two", "Three")]
            return [run.id for run in await engine.cancel_all([run.id for run in runs])]

    return asyncio.run(make())


def listed(inside: Swarm, *words: str) -> list[str]:
    return inside("ls", "-q", *words).out.split()


def test_archived_runs_are_listed_on_request_only(inside: Swarm, ended: list[str]) -> None:
    one, two, three = ended
    done = inside("archive", one, three)
    assert (done.code, done.out) == (0, f"{one} archived\n{three} archived\n")
    assert listed(inside) == listed(inside, "-n", "1") == listed(inside, "!is:archived") == [two]
    assert listed(inside, "--archived") == listed(inside, "is:archived") == [three, one]
    assert listed(inside, "is:archived", "one") == listed(inside, "--archived", "One") == [one]
    assert inside("archive", one).code == 0
    assert inside("unarchive", one).out == f"{one} no longer archived\n"
    assert listed(inside) == [two, one]
    assert inside("show", three, "--json").json["is_archived"]


def test_dismissed_runs_stay_in_the_list_and_can_be_found(inside: Swarm, ended: list[str]) -> None:
    one, two, three = ended
    (shown,) = inside("dismiss", two, "--json").json
    msgspec.convert(shown, shapes.RunJson)
    assert (shown["id"], shown["is_dismissed"]) == (two, True)
    assert listed(inside) == [three, two, one]
    assert listed(inside, "is:dismissed") == [two]
    assert listed(inside, "!is:dismissed") == [three, one]
    assert "put aside  dismissed" in inside("show", two).out
    assert inside("undismiss", two).out == f"{two} no longer dismissed\n"


def test_runs_are_found_by_their_tags(inside: Swarm, ended: list[str]) -> None:
    one, two, _ = ended
    assert inside("tag", one, "Bug", "v1").out == f"{one} bug v1\n"
    assert inside("tag", two, "bugfix").code == 0
    assert inside("tag", one).out == "bug v1\n"
    assert listed(inside, "tag:bug") == [one]
    assert listed(inside, "tag:v1,bugfix") == [two, one]
    assert listed(inside, "tag:bugfix", "!tag:bug") == [two]
    assert inside("tag", one, "--remove", "bug", "v1").out == f"{one} has no tags\n"
    assert inside("tag", one, "a b").code == 3
    assert inside("tag", one, "--remove").code == 2
    assert inside("show", two, "--json").json["tags"] == ["bugfix"]


def test_runs_that_need_you_are_listed(swarm: Swarm, inside: Swarm, ended: list[str]) -> None:
    failed = swarm("run", "--empty", "--agent", "simulated", "--json", "sim: fail quota")
    run = failed.events[0]["run"]
    assert listed(inside, "is:needs-you") == listed(inside, "--status", "needs-you") == [run]
    assert listed(inside, "!is:needs-you") == ended[::-1]
    assert inside("dismiss", run).code == 0
    assert listed(inside, "is:needs-you") == listed(inside, "--status", "needs-you") == []


@pytest.mark.parametrize(
    ("term", "problem"),
    [
        (
            "is:foo",
            "unknown value foo; is: takes archived, dismissed, applied, needs-you, review,",
        ),
        ("!is:archived,needs", "unknown value needs; is: takes"),
        ("is:needs", "Did you mean `needs-you`?"),
        ("status:fialed", "Did you mean `failed`?"),
        ("agent:gpt", "unknown value gpt; agent: takes codex, simulated."),
    ],
)
def test_values_that_no_run_can_have_are_refused(swarm: Swarm, term: str, problem: str) -> None:
    done = swarm("ls", term)
    assert (done.code, done.out) == (2, "")
    assert problem in " ".join(done.err.split())


def test_no_match_prints_no_table(swarm: Swarm) -> None:
    for state in ("is:applied", "is:review"):
        done = swarm("ls", state)
        assert (done.code, done.out, done.err) == (0, "", "No runs match.\n")


def test_a_note_is_set_printed_and_removed(swarm: Swarm, inside: Swarm, ended: list[str]) -> None:
    assert swarm("note", ended[0], "-", stdin=b"first\nsecond\x1b[1m\n").out.endswith("note set\n")
    assert inside("note", ended[0]).out == "first\nsecond\n"
    assert "note     " in inside("show", ended[0]).out
    assert "note: first" in inside("logs", ended[0]).out
    assert inside("note", ended[0], "").out == f"{ended[0]} note removed\n"
    assert inside("note", ended[0]).out == ""


def test_a_live_run_is_refused_and_none_of_the_others_is_changed(
    inside: Swarm, paths: Paths, ended: list[str]
) -> None:
    async def queue() -> str:
        async with Engine.open(paths, quick()) as engine:
            return (await engine.start(spec())).id

    live = asyncio.run(queue())
    for command in ("dismiss", "archive"):
        done = inside(command, ended[0], live)
        assert (done.code, done.out) == (3, "")
        assert f"The run {live} is queued." in done.err
        assert "RUN_NOT_ENDED" in done.err
    assert not listed(inside, "is:archived") + listed(inside, "is:dismissed")
    assert inside("cancel", live).code == 0


def test_two_processes_tag_the_same_run_at_once(paths: Paths, ended: list[str]) -> None:
    def tag(name: str) -> None:
        async def add() -> None:
            async with Engine.open(paths, quick(), follow=False) as engine:
                for n in range(5):
                    await engine.annotations.tag(ended, [f"{name}{n}"])

        asyncio.run(add())

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(tag, "abc"))

    async def read() -> None:
        async with open_store(paths.database) as store:
            for run in await store.runs():
                assert sorted(run.tags) == sorted(f"{name}{n}" for name in "abc" for n in range(5))

    asyncio.run(read())


def test_annotations_survive_the_loss_of_the_database(
    inside: Swarm, paths: Paths, ended: list[str]
) -> None:
    inside("tag", ended[0], "bug")
    inside("note", ended[0], "text")
    inside("archive", ended[0])
    for path in paths.home.glob(f"{paths.database.name}*"):
        path.unlink()

    asyncio.run(recover(paths))
    (run,) = inside("ls", "--archived", "--json").json
    assert (run["id"], run["tags"], run["note"]) == (ended[0], ["bug"], "text")


def test_a_sweeping_retry_leaves_out_what_is_put_aside(
    swarm: Swarm, inside: Swarm, simulated: Swarm, ended: list[str]
) -> None:
    failed = [simulated("sim: exit 1", "--json").events[0]["run"] for _ in range(3)]
    inside("dismiss", failed[0])
    inside("archive", failed[1])
    retried = swarm("retry", "--failed", "--detach").out
    assert [run in retried for run in failed] == [False, False, True]


def test_terms_and_tags_are_completed(inside: Swarm, ended: list[str]) -> None:

    from tui.cli.support import completion

    inside("tag", ended[0], "bug", "docs")
    assert [one.value for one in completion.filter_terms("ta")] == ["tag:"]
    assert [one.value for one in completion.filter_terms("!is:a")] == [
        "!is:archived",
        "!is:applied",
    ]
    assert [one.value for one in completion.filter_terms("tag:")] == ["tag:bug", "tag:docs"]
    assert "status:failed" in [one.value for one in completion.filter_terms("status:f")]
    assert [one.value for one in completion.tags("d")] == ["docs"]
    assert [one.value for one in completion.tags("", ended[1])] == []


def test_the_table_shows_the_decision_and_the_own_note(
    swarm: Swarm, inside: Swarm, ended: list[str]
) -> None:
    assert inside("dismiss", ended[0]).code == 0
    row = next(line for line in inside("ls").out.splitlines() if ended[0] in line)
    assert "dismissed" in row
    row = Run("r", RunSpec("p", "t", "x"), 0.0, Status.SUCCEEDED, note="mine\nand more")
    assert note(row, 0.0, None) == "¶ mine"
    gone = replace(row, in_trash=True, result="It works.")
    assert note(gone, 0.0, None) == "in the trash · It works."
