"""The estimated cost of runs on the command line: as text, as JSON and as a column of `ls`."""

from __future__ import annotations

import asyncio
import csv
import io

import msgspec
import pytest
from typed import Swarm

from engine.config.paths import Paths
from engine.domain.batch import Batch
from engine.domain.events import StatusChanged, UsageCounted
from engine.domain.model import Agent, RunSpec, Status
from engine.store.store import open_store
from tui.cli import json as shapes

PRICES = "prices:\n  house-model: {input: 2, cached: 0.5, output: 8}\n"
MODELS = {"Dear": "house-model", "Unknown": "no-such-model", "Simulated": "house-model"}
# (1,000,000 − 200,000) × 2 + 200,000 × 0.5 + 100,000 × 8, per million.
DEAR = 2.5


@pytest.fixture
def runs(paths: Paths) -> dict[str, str]:
    """Ids of ended runs by title, in a batch: one with a price, one without, a simulated one."""
    paths.prepare()
    paths.config.write_text(PRICES)

    async def add() -> dict[str, str]:
        used = UsageCounted(1_000_000, 200_000, 100_000, reasoning_output_tokens=90_000, requests=4)
        found: dict[str, str] = {}
        async with open_store(paths.database) as store:
            batch = Batch("night", "night")
            await store.create_batch(batch, [])
            for title, model in MODELS.items():
                agent = Agent.SIMULATED if title == "Simulated" else Agent.CODEX
                wanted = RunSpec("do it", title, "garden", agent=agent, model=model, batch="night")
                ends = Status.PREPARING, Status.RUNNING, Status.SUCCEEDED
                made = await store.create(wanted, (used, *map(StatusChanged, ends)))
                found.update((title, run) for run in made.runs)
        return found

    return asyncio.run(add())


def test_show_labels_the_cost_as_an_estimate(inside: Swarm, runs: dict[str, str]) -> None:
    dear, unknown = (inside("show", runs[title]).out for title in ("Dear", "Unknown"))
    assert "~$2.50 (estimate at list prices)" in dear
    assert "cost" not in unknown
    assert "1000000 in" in unknown


def test_the_run_object_has_the_cost_or_null(inside: Swarm, runs: dict[str, str]) -> None:
    listed = {run["title"]: run["cost_usd"] for run in inside("ls", "--json").json}
    assert listed == {"Dear": DEAR, "Unknown": None, "Simulated": None}
    told = inside("tag", runs["Dear"], "nice", "--json").json
    assert told["cost_usd"] == DEAR
    msgspec.convert(told, shapes.RunJson, strict=True)


def test_a_column_and_an_order_show_the_cost(inside: Swarm, runs: dict[str, str]) -> None:
    assert "COST" not in inside("ls").out
    done = inside("ls", "--sort", "cost")
    heading, first, *rest = [line.split() for line in done.out.splitlines()]
    assert first[0] == runs["Dear"]
    assert first[heading.index("COST")] == "~$2.50"
    assert [line[heading.index("COST")] for line in rest] == ["-", "-"]


def test_tags_are_a_column_of_ls(inside: Swarm, runs: dict[str, str]) -> None:
    inside("tag", runs["Dear"], "release", "docs")
    heading, *lines = inside("ls", "--column", "tags").out.splitlines()
    assert "TAGS" in heading
    assert sum("release docs" in line or "docs release" in line for line in lines) == 1
    assert "TAGS" not in inside("ls").out


def test_batches_add_up_what_is_known(inside: Swarm, runs: dict[str, str]) -> None:
    found = inside("batch", "show", "night", "--json").json
    assert (found["cost_usd"], found["unpriced_runs"]) == (DEAR, 1)
    msgspec.convert(found, shapes.BatchResultsJson, strict=True)
    words = "~$2.50 (estimate at list prices, 1 without a price)"
    assert words in inside("batch", "show", "night").out
    assert words in inside("batch", "report", "night").out.replace("\\", "")
    rows = list(csv.DictReader(io.StringIO(inside("batch", "report", "--format", "csv").out)))
    assert {row["title"]: row["cost_usd"] for row in rows} == {
        "Dear": "2.500000",
        "Unknown": "",
        "Simulated": "",
    }


def test_a_comparison_names_the_costs(inside: Swarm, runs: dict[str, str]) -> None:
    (found,) = inside("compare", runs["Dear"], runs["Unknown"], "--json").json
    assert {run["run"]: run["cost_usd"] for run in found["runs"]} == {
        runs["Dear"]: DEAR,
        runs["Unknown"]: None,
    }
    msgspec.convert([found], list[shapes.ComparisonJson], strict=True)
    assert "~$2.50" in inside("compare", runs["Dear"], runs["Unknown"]).out


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("prices:\n  a: {input: 1,\n    output: -1}", 3, "`prices.a.output`"),
        ("prices:\n  a:\n    input: .nan\n    output: 1", 3, "`prices.a.input`"),
        ("prices:\n  a:\n    output: .inf\n    input: 1", 3, "`prices.a.output`"),
        ("prices:\n  a:\n    input: dear\n    output: 1", 3, "`prices.a.input`"),
        ("prices:\n  a:\n    input: 1", 2, "`prices.a`"),
        ("prices:\n  a: {input: 1, output: 1, cashed: 1}", 2, "Did you mean `cached`?"),
        ("prices:\n  a: 4", 2, "`prices.a`"),
        ("prices:\n  x: {input: 1, output: 1}\n  5.5: {input: 1, output: 1}", 3, "the key 5.5"),
        ("ui:\n  keys:\n    4: x", 3, "the key 4 must be a text"),
        ("4: x", 1, "the key 4 must be a text"),
    ],
)
def test_a_wrong_price_is_named_with_its_line(
    inside: Swarm, paths: Paths, text: str, line: int, words: str
) -> None:
    paths.prepare()
    paths.config.write_text(text)
    done = inside("config", "check")
    assert done.code == 3
    assert f":{line}: " in done.err
    assert words in done.err
