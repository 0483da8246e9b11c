"""Runs that runs started, on the command line: the tree, the filter, and ends of a family."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from pseudo import Opener
from support import quick, spec
from typed import Swarm

from engine.config.paths import Paths
from engine.engine import Engine


@pytest.fixture
def family(paths: Paths) -> Iterator[dict[str, str]]:
    """Ids of queued runs by their titles: `low` is below `mid`, and that below `top`."""

    async def make() -> dict[str, str]:
        made: dict[str, str] = {}
        async with Engine.open(paths, quick()) as engine:
            for title, parent in (("top", ""), ("mid", "top"), ("low", "mid"), ("alone", "")):
                run = await engine.start(spec(title=title, parent=made.get(parent)))
                made[title] = run.id
        return made

    async def cancel() -> None:
        async with Engine.open(paths, quick()) as engine:
            await engine.cancel_all([run.id for run in await engine.runs()])

    yield asyncio.run(make())
    asyncio.run(cancel())


def listed(table: str) -> list[str]:
    """Return the titles of a printed table, with the marks before them."""
    heading, *rows = table.splitlines()
    start, end = heading.index("TITLE"), heading.index("NOTE")
    return [row[start:end].rstrip() for row in rows]


def test_a_list_is_plain_in_a_pipe_and_a_tree_on_request(
    inside: Swarm, family: dict[str, str]
) -> None:
    label, plain = "(simulated)", ["alone", "low", "mid", "top"]
    assert listed(inside("ls").out) == [f"{name} {label}" for name in plain]
    tree = ["alone", "top", "└ mid", "  └ low"]
    assert listed(inside("ls", "--tree").out) == [f"{name} {label}" for name in tree]
    # A run whose parent is not listed stands alone.
    done = inside("ls", "--tree", "--sort", "oldest", f"parent:{family['top'][-6:]}")
    assert listed(done.out) == [f"mid {label}", f"└ low {label}"]
    for other in ("--json", "-q"):
        assert inside("ls", "--tree", other).code == 2


def test_a_terminal_shows_the_tree_unless_it_is_sorted(
    terminal: Opener, family: dict[str, str]
) -> None:
    shown = terminal("ls")
    shown.until("alone", "└ mid", "  └ low")
    assert shown.end() == 0
    shown = terminal("ls", "--sort", "title")
    shown.until("alone", "low", "mid", "top")
    assert "└" not in shown.text
    assert shown.end() == 0


def test_json_and_show_name_parent_and_children(inside: Swarm, family: dict[str, str]) -> None:
    parents = {run["title"]: run["parent"] for run in inside("ls", "--json").json}
    assert parents == {"top": None, "mid": family["top"], "low": family["mid"], "alone": None}
    assert inside("show", family["low"], "--json").json["parent"] == family["mid"]
    shown = inside("show", family["mid"]).out
    assert f"parent    {family['top']} · top" in shown
    assert "children  1 run, 1 not ended" in shown
    assert f"{family['low']} queued · low" in shown
    assert "└" in inside("show", family["top"]).out
    inside("cancel", family["top"], "--no-children")
    assert inside("forget", family["top"], "--yes").code == 0
    assert f"parent    {family['top']}\n" in inside("show", family["mid"]).out
    assert inside("ls", "-q", f"parent:{family['top']}").out.split() == [
        family["low"],
        family["mid"],
    ]


def test_children_are_left_with_a_hint_where_nobody_can_be_asked(
    inside: Swarm, family: dict[str, str]
) -> None:
    done = inside("cancel", family["top"])
    assert (done.code, done.out) == (0, f"{family['top']} cancelled\n")
    assert done.err == "2 runs that it started go on. Use --children to cancel these, too.\n"
    done = inside("cancel", family["mid"], "--no-children", "--json")
    assert ([run["id"] for run in done.json], done.err) == ([family["mid"]], "")
    # An ended run can still be named for the sake of its children, as long as there are any.
    done = inside("cancel", family["top"], "--children", "--json")
    assert [run["id"] for run in done.json] == [family["low"]]
    done = inside("cancel", family["top"], "--children")
    assert (done.code, "RUN_NOT_CANCELLABLE" in done.err) == (3, True)


def test_a_family_is_cancelled_together_and_others_go_on(
    inside: Swarm, family: dict[str, str]
) -> None:
    done = inside("cancel", family["top"], "--children")
    assert sorted(line.split()[0] for line in done.out.splitlines()) == sorted(
        family[name] for name in ("top", "mid", "low")
    )
    assert done.err == ""
    assert inside("ls", "-q", "--status", "queued").out.split() == [family["alone"]]
    assert inside("cancel", "--all").err == ""


@pytest.mark.parametrize(("answer", "left"), [("y", 1), ("n", 3)])
def test_a_terminal_is_asked_about_children(
    terminal: Opener, inside: Swarm, family: dict[str, str], answer: str, left: int
) -> None:
    asking = terminal("cancel", family["top"])
    asking.until("Cancel also 2 runs below, started by runs?")
    asking.type(f"{answer}\n".encode())
    asking.until(f"{family['top']} cancelled")
    assert asking.end() == 0
    assert len(inside("ls", "-q", "--status", "queued").out.split()) == left
