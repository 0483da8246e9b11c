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
from textual.widgets import Input, OptionList, Static

from tui.app import SwarmApp
from tui.cli.main import command_names
from tui.commands import BY_ID, COMMANDS
from tui.commands.synonyms import SYNONYMS
from tui.models.filters import FIELDS, HINT, LISTS, SYNTAX
from tui.models.word_match import is_close
from tui.screens.palette import Palette


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
        ("tag", "run.tags"),
        ("note", "run.note"),
        ("dismiss", "run.dismiss"),
        ("archive", "run.archive"),
        ("clone", "run.fork"),
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


@pytest.mark.parametrize("word", ["completion", "ps"])
async def test_a_command_of_the_command_line_is_named_and_nothing_else_runs(
    engine: FakeEngine, word: str
) -> None:
    engine.add("z9", f"{word.capitalize()} everything")
    app = app_on(engine, command_names)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("colon", *word)
        await pilot.pause()
        assert found(app) == ["", "run z9"]
        assert f"`swarm-tui {word}` is on the command line" in plain(app)
        await pilot.press(*" @last", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Palette)
        assert "No such command here: `swarm-tui" in plain(app)
        assert engine.asked == []


async def test_the_help_names_a_command_of_the_command_line(engine: FakeEngine) -> None:
    app = app_on(engine, command_names)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("question_mark", "slash", *"completion")
        await pilot.pause()
        said = str(app.screen.query_one("#left", Static).content)
        assert said.startswith("Nothing is called “completion” here. `swarm-tui completion` is")


@pytest.mark.parametrize("word", ["zebra", "ause", "otify", "clove", "use fleet", "["])
async def test_unknown_words_find_nothing(engine: FakeEngine, word: str) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("colon")
        app.screen.query_one(Input).value = word
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Palette)
        assert "No such command." in shown(app)
        assert engine.asked == []


@pytest.mark.parametrize(
    ("typed", "word", "close"),
    [
        ("cancle", "cancel", True),
        ("setings", "settings", True),
        ("comit", "commit", True),
        ("themee", "theme", True),
        ("retrt", "retry", False),
        ("clone", "close", False),
        ("push", "pause", False),
        ("note", "node", False),
        ("comment", "command", False),
        ("templatas", "templates", True),
        ("port", "export", False),
    ],
)
def test_a_close_spelling_is_one_slip(typed: str, word: str, close: bool) -> None:
    assert is_close(typed, word) is close
    assert is_close(word, typed) is close


async def test_a_misspelt_word_finds_its_command(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("colon", *"setings")
        await pilot.pause()
        assert "app.settings" in found(app)
        assert all("settings" in f"{BY_ID[id].help} {SYNONYMS[id]}".lower() for id in found(app))


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
        assert "First B (its batch)" in shown(app)
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
        assert all(each.split(".")[1].startswith("apply") for each in found(app))
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


@pytest.mark.parametrize("width", [80, 100, 108, 160])
async def test_long_lines_of_the_help_are_indented(engine: FakeEngine, width: int) -> None:
    app = app_on(engine)
    async with app.run_test(size=(width, 200)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        for column in app.screen.query("HelpScreen Static.column").results(Static):
            lines = str(column.content).splitlines()
            assert max(len(line) for line in lines) <= column.content_size.width
            continued = [line for line in lines if line.startswith(" ")]
            assert all(line.startswith(" " * 15) for line in continued)
        assert "stalled," in plain(app)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["slash", *"zzz"], "No run matches: esc shows all."),
        (["w", "slash", *"zzz"], "No run that needs you matches: esc clears the filter."),
        (["C", "slash", *"zzz"], "No failed run matches: esc clears the filter."),
        (["w", "C", "slash", *"zzz"], "No run that needs you matches: esc clears the filter."),
    ],
)
async def test_an_empty_list_names_what_escape_does(
    engine: FakeEngine, keys: Sequence[str], said: str
) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert listed(app) == []
        assert said in shown(app)
        await pilot.press("escape")
        await pilot.pause()
        assert screen_of(app).panes.filter_input.text == ""
        assert len(listed(app)) == (4 if len(keys) == 4 else 1)


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
        assert (
            "unknown value needs; is: takes archived, dismissed, applied, needs-you, review,"
            in plain(app)
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
