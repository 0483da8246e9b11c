"""Partial updates ask fewer widgets for lines than Textual's, and write the same."""

from __future__ import annotations

import random

from fake_engine import FakeEngine, S, app_on, screen_of, shown
from textual._compositor import Compositor
from textual.geometry import Region

from tui.terminal.compositor import DirtyCompositor

SIZE = (120, 40)
CLOCK, TOAST = Region(0, 0, 120, 1), Region(0, 30, 120, 10)


def some_regions(chance: random.Random) -> set[Region]:
    """Return regions as widgets report them: some cells, lines and corners."""
    found: set[Region] = set()
    for _ in range(chance.randint(1, 4)):
        x, y = chance.randrange(SIZE[0]), chance.randrange(SIZE[1])
        size = chance.randint(1, SIZE[0] - x), chance.randint(1, SIZE[1] - y)
        found.add(Region(x, y, *size))
    return found


async def test_partial_updates_are_the_same_as_textuals_with_a_toast_above() -> None:
    engine, chance = FakeEngine(), random.Random(1)
    for number in range(20):
        engine.add(f"r{number}", f"Task {number}")
        engine.pass_through(f"r{number}", S.PREPARING, S.RUNNING)
    app = app_on(engine)
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        app.notify("A toast", timeout=60)
        await pilot.pause()
        assert "A toast" in shown(app)
        ours = screen_of(app)._compositor  # pyright: ignore[reportPrivateUsage]  as Textual does
        assert isinstance(ours, DirtyCompositor)
        for regions in ({CLOCK}, {CLOCK, TOAST}, *(some_regions(chance) for _ in range(30))):
            written: list[str] = []
            for kind in (Compositor, DirtyCompositor):
                ours._dirty_regions = set(regions)  # pyright: ignore[reportPrivateUsage]  as Textual sets it
                update = kind.render_partial_update(ours)
                assert update
                written.append(update.render_segments(app.console))
            assert written[0] == written[1]
            assert TOAST not in regions or "A toast" in written[1]
