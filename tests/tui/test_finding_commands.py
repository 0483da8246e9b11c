"""Commands found by everyday words in the palette, and by the help of a screen."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    app_on,
    choose,
    four_runs,
    listed,
    plain,
    screen_of,
    shown,
)
from textual.widgets import OptionList

from tui.app import SwarmApp
from tui.commands import BY_ID, COMMANDS
from tui.commands.synonyms import SYNONYMS
from tui.models.filters import FIELDS, HINT, LISTS, SYNTAX


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


def found(app: SwarmApp) -> Sequence[str]:
    """Return the ids of what the palette offers, in order."""
    options = app.screen.query_one(OptionList)
    return [options.get_option_at_index(n).id or "" for n in range(options.option_count)]


def first_enabled(app: SwarmApp) -> str:
    options = app.screen.query_one(OptionList)
    at = options.highlighted
    assert at is not None
    return options.get_option_at_index(at).id or ""


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("diff", "view.changes"),
        ("stop", "run.cancel"),
        ("kill", "run.kill"),
        ("merge", "run.apply"),
        ("commit", "run.apply"),
        ("settings", "app.settings"),
        ("config", "app.settings"),
        ("export", "batch.export"),
        ("compare", "batch.compare"),
        ("abort", "run.cancel"),
        ("restart", "run.retry"),
        ("rerun", "run.retry"),
        ("remove", "run.delete"),
        ("message", "run.resume"),
        ("create", "run.new"),
        ("exit", "app.quit"),
        ("detach", "app.quit"),
        ("search", "screen.find"),
        ("space", "screen.disk"),
        ("colors", "app.themes"),
        ("shortcuts", "app.help"),
        ("terminal", "app.shell"),
        ("parallel", "queue.more"),
        ("rollback", "run.checkpoints"),
        ("clean", "run.delete"),
    ],
)
async def test_an_everyday_word_finds_the_command(
    engine: FakeEngine, word: str, command: str
) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("colon", *word)
        await pilot.pause()
        assert command in found(app)


async def test_commands_come_before_templates_and_runs(engine: FakeEngine) -> None:
    engine.add("z9", "Stop the leak and cancel nothing")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("colon", *"stop")
        await pilot.pause()
        ids = list(found(app))
        assert ids[0] == "run.cancel"
        place = ids.index("run z9")
        assert all(id in BY_ID for id in ids[:place])
        assert first_enabled(app) == "run.cancel"


async def test_disabled_commands_are_shown_with_the_reason(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "a1")  # it has ended
        await pilot.press("colon", *"cancel the run")
        await pilot.pause()
        assert "The run a1 has succeeded." in shown(app)
        await pilot.press("ctrl+u", *"export the results")
        await pilot.pause()
        assert "First B: Show the batch of the r" in shown(app)
        await pilot.press("enter")
        assert app.screen is not screen_of(app)  # nothing was done


async def test_enter_never_hits_a_similar_command_in_place_of_a_disabled_one(
    engine: FakeEngine,
) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "d4")  # it has not begun: nothing can be applied
        await pilot.press("colon", *"merge", "enter")
        await pilot.pause()
        assert set(found(app)) <= {"run.apply", "changes.apply", "batch.apply"}
        assert engine.asked == []


def test_synonyms_are_of_commands_and_in_small_letters() -> None:
    assert set(SYNONYMS) <= set(BY_ID)
    assert all(words == words.lower() for words in SYNONYMS.values())
    without = {each.id for each in COMMANDS} - set(SYNONYMS)
    assert not [id for id in without if id.startswith(("run.", "queue.", "app.quit"))]


async def test_the_help_begins_with_the_screen_and_shows_what_applies(
    engine: FakeEngine,
) -> None:
    app = app_on(engine)
    async with app.run_test(size=(120, 200)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        text = shown(app)
        assert "Retry: continue in its thread" in text
        assert "Empty the trash" not in text and "Export the pattern" not in text
        assert "⇄" in text and "cause:quota" in text
        await pilot.press("escape", "4", "question_mark")
        await pilot.pause()
        text = shown(app)
        assert "Export the pattern to a file" in text
        assert "Retry: continue" not in text and "cause:" not in text


async def test_the_help_is_searched(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("question_mark", "slash", *"delet")
        await pilot.pause()
        assert "Delete the workspace (asks)" in shown(app)
        assert "Start a new run" not in shown(app)
        await pilot.press("ctrl+u", *"zzz")
        await pilot.pause()
        assert "Nothing is called “zzz” here." in shown(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen_of(app)


async def test_plain_words_of_the_filter_search_prompts_too() -> None:
    engine = FakeEngine()
    engine.add("a1", "One", prompt="Plant an Oak tree")
    engine.add("b2", "Two")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"oak")
        await pilot.pause()
        assert listed(app) == ["a1"]
        assert "word !word status:failed" in plain(app)
        await pilot.press("ctrl+u", *"!oak", "enter")
        await pilot.pause()
        assert listed(app) == ["b2"]
        assert "word !word status:failed" not in plain(app)


async def test_filter_names_the_values_that_a_field_takes() -> None:
    engine = FakeEngine()
    engine.add("a1", "One")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"is:needs")
        await pilot.pause()
        assert "unknown value needs; is: takes archived, dismissed, applied, needs-you." in plain(
            app
        )
        assert "Did you mean `needs-you`?" in plain(app)
        await pilot.press(*"-you")
        await pilot.pause()
        assert "unknown value" not in plain(app)
        assert "word !word status:failed" in plain(app)


def test_every_field_of_the_filter_that_is_shown_exists() -> None:
    shown_fields = {term.partition(":")[0] for term, _ in SYNTAX if ":" in term}
    shown_fields |= {term.partition(":")[0] for term in HINT.split() if ":" in term}
    assert shown_fields <= {*FIELDS, *LISTS}
    assert {"status", "cause", "batch"} <= shown_fields


@pytest.mark.parametrize("mode", ["3", "4", "5", "6", "ctrl+f"])
@pytest.mark.parametrize("width", [80, 160])
async def test_the_footer_has_the_keys_of_the_screen_first_and_the_way_back(
    engine: FakeEngine, mode: str, width: int
) -> None:
    app = app_on(engine)
    async with app.run_test(size=(width, 24)) as pilot:
        await pilot.press(mode)
        await pilot.pause()
        footer = shown(app).splitlines()[-1]
        assert "esc back" in footer
        assert " help" in footer
        if "n new" in footer:
            assert footer.index("esc back") < footer.index("n new")
