"""The estimated cost of runs in the list, the details, a batch and a comparison."""

from __future__ import annotations

import asyncio

from fake_engine import FakeEngine, app_on, listed, screen_of, shown
from fake_services import FakeCosts
from test_batches_screen import Known
from test_compare_runs import compared_runs, plain, sees

from engine.config.settings import UiSettings
from engine.domain.cost import CostSum, estimate_text, usd_text
from engine.domain.events import UsageCounted
from engine.domain.model import Agent, Status
from tui.models.list_options import ListOptions, SortOrder
from tui.screens.details import RunDetails

COLUMNS = ("status", "title", "tokens", "cost", "age")
TEXTS = {
    0.0: "$0",
    1e-9: "<$0.001",
    0.0005: "~$0.001",
    0.003: "~$0.003",
    0.0994: "~$0.099",
    0.0995: "~$0.10",
    1.236: "~$1.24",
    999.99: "~$999.99",
    999.996: "~$1,000",
    1239.6: "~$1,240",
    999_999.4: "~$999,999",
    1_234_567.0: "~$1.2M",
}


class LatePrices(FakeCosts):
    """Prices that are loaded when the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def load(self) -> None:
        self.begun.set()
        await self.gate.wait()
        await super().load()


def spent(columns: tuple[str, ...] = COLUMNS) -> FakeEngine:
    """An engine with runs that cost different sums, one without a price, and a simulated one."""
    engine = FakeEngine(UiSettings(columns=columns))
    engine.costs = LatePrices()
    for run_id, usd in {"a1": 0.003, "a2": 1240.4, "a3": None, "a4": 1.236}.items():
        engine.add(run_id, f"Task {run_id}", batch="night")
        engine.pass_through(run_id, Status.PREPARING, Status.RUNNING)
        engine.happen(run_id, UsageCounted(5000, 100, 20))
        if usd is not None:
            engine.costs.usd[run_id] = usd
    engine.add("s1", "Task s1", agent=Agent.SIMULATED)
    engine.happen("s1", UsageCounted(5000, 100, 20))
    return engine


def late(engine: FakeEngine) -> LatePrices:
    assert isinstance(engine.costs, LatePrices)
    return engine.costs


def cost_of(screen: str, run_id: str) -> str:
    """Return the words behind the title in the row of a run."""
    row = next(line for line in screen.splitlines() if f"Task {run_id}" in line)
    return " ".join(row.partition(f"Task {run_id}")[2].strip("│ ").split())


def test_costs_are_short_and_never_nothing() -> None:
    assert {usd: usd_text(usd) for usd in TEXTS} == TEXTS
    assert estimate_text(CostSum(None, 3)) == ""
    assert estimate_text(CostSum(1.5, 2)) == "~$1.50 (estimate at list prices, 2 without a price)"


async def test_the_column_waits_for_no_prices_and_sorts_by_them() -> None:
    engine = spent()
    app = app_on(engine)
    async with app.run_test(size=(120, 30)) as pilot:
        await late(engine).begun.wait()
        await pilot.pause()
        assert cost_of(shown(app), "a1").startswith("5.0k –")
        late(engine).gate.set()
        await sees(pilot, lambda: "~$0.003" in plain(app))
        assert cost_of(shown(app), "a2").startswith("5.0k ~$1,240")
        assert cost_of(shown(app), "a3").startswith("5.0k –")
        assert cost_of(shown(app), "s1") == "sim 5.0k 1s"
        screen_of(app).browser.options = ListOptions(sort=SortOrder.COST)
        screen_of(app).rearrange()
        assert listed(app)[:3] == ["a2", "a4", "a1"]
        engine.costs.usd["a1"] = 9999.0
        engine.happen("a1", UsageCounted(9000, 100, 20))
        await sees(pilot, lambda: listed(app)[0] == "a1")


async def test_a_list_without_the_column_loads_no_prices() -> None:
    engine = spent(("status", "title"))
    app = app_on(engine)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert not late(engine).begun.is_set()


async def test_the_column_has_room_in_80_columns() -> None:
    engine = spent(("status", "title", "activity", "elapsed", "changes", "cost", "age"))
    late(engine).gate.set()
    app = app_on(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, lambda: "~$0.003" in plain(app))
        assert "Task a1 thinking" in plain(app)


async def test_the_details_label_the_cost_as_an_estimate() -> None:
    engine = spent(("status", "title"))
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        app.push_screen(RunDetails(engine, "a4", app.clock))
        await late(engine).begun.wait()
        assert "estimate" not in plain(app)
        late(engine).gate.set()
        await sees(pilot, lambda: "~$1.24 (estimate at list prices)" in plain(app))


async def test_a_batch_adds_up_what_is_known() -> None:
    engine = spent(("status", "title"))
    engine.swarms = Known()  # pyright: ignore[reportAttributeAccessIssue]  replaced for the test
    late(engine).gate.set()
    app = app_on(engine)
    async with app.run_test(size=(160, 30)) as pilot:
        await pilot.pause()
        await pilot.press("B")
        await sees(
            pilot, lambda: "~$1,242 (estimate at list prices, 1 without a price)" in plain(app)
        )
        assert "cost" in plain(app)
        assert "~$0.003" in plain(app)


async def test_a_comparison_has_the_costs_where_one_is_known() -> None:
    engine = compared_runs()
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("equals_sign")
        await sees(pilot, lambda: "test_parser.py" in plain(app))
        assert "cost" not in plain(app)
        await pilot.press("escape")
        engine.costs.usd[next(iter(engine.view.runs))] = 0.25
        await pilot.press("equals_sign")
        await sees(pilot, lambda: "~$0.25" in plain(app))
