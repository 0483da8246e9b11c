"""The form that starts a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    FakePatterns,
    app_on,
    choose,
    chosen,
    four_runs,
    listed,
    plain,
    shown,
    until,
)
from textual.events import Key, Paste
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Button, Input

from engine.agents.codex.settings import CodexSettings
from engine.config.settings import Config
from engine.domain.budget import Budget
from engine.domain.consent import runs
from engine.domain.errors import user_error
from engine.domain.interaction import ApprovalPolicy, RunMode
from engine.domain.model import Agent, RunSpec, Sandbox, WorkspaceKind
from engine.domain.pattern import Pattern, StoredPattern
from engine.domain.text import printable_name
from engine.engine import Consent, SourceInfo
from engine.templates.template import KEYS
from tui.app import SwarmApp
from tui.models.draft import Draft, FormChoices
from tui.models.fields import usual_words
from tui.models.run_defaults import default_workspace
from tui.screens.confirm import ConfirmDialog
from tui.screens.new_run import NewRun
from tui.widgets.forms.file_autocomplete import FileAutocomplete, matching
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl


def form_on(engine: FakeEngine) -> SwarmApp:
    """The dashboard with a form that begins with an empty workspace, wherever tests run."""
    app = app_on(engine)
    app.forms.draft = Draft()
    return app


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_the_form_starts_a_run_and_the_list_chooses_it(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "b2")
        await pilot.press("n")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, NewRun)
        assert form.query_one("#start", Button).disabled
        await pilot.press("ctrl+s")
        assert engine.asked == []
        await pilot.press(*"Do it", "enter", *"now")
        assert not form.query_one("#start", Button).disabled
        await pilot.press("tab", "tab", "right", "ctrl+s")
        await until(pilot, lambda: len(listed(app)) == 5)
        run = engine.view.runs["new1"]
        assert run.spec == RunSpec("Do it\nnow", "Do it", Path.cwd().name, agent=Agent.SIMULATED)
        assert chosen(app) == "new1"


async def test_the_form_shows_a_refusal_with_its_way_out_and_stays(engine: FakeEngine) -> None:
    engine.refusal = user_error("SOURCE_NOT_FOUND", "[/red] is not there.", "Check [it].")
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go")
        await pilot.press("tab", "tab", "tab", "left")
        folder = app.screen.query_one("#source", Input)
        folder.value = ""
        await pilot.pause()
        assert "Name the folder to work from." in shown(app)
        folder.value = "~/nowhere"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, NewRun)
        assert "[/red] is not there." in shown(app)
        assert "Check [it]." in shown(app)


async def test_a_burst_of_keys_starts_what_stands_in_the_fields_then(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await pilot.pause()
        for key in ("N", "o", "ctrl+u", *"Do it", "tab", "tab", "right", "tab", "ctrl+s"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: "new1" in engine.view.runs)
    spec = engine.view.runs["new1"].spec
    assert (spec.prompt, spec.agent) == ("Do it", Agent.SIMULATED)


async def test_what_was_typed_survives_leaving_the_form(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Half a thought", "escape")
        await pilot.pause()
        assert not isinstance(app.screen, NewRun)
        await pilot.press("n")
        await pilot.pause()
        assert "Half a thought" in shown(app)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
async def test_pasted_lines_stay_lines_and_cannot_act(engine: FakeEngine, end: str) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await pilot.pause()
        app.post_message(Paste(f"one{end}\x1b[31mtwo{end}three"))
        await pilot.pause()
        assert prompt_of(app).text == "one\ntwo\nthree"


async def test_a_burst_of_keys_goes_to_the_fields_it_was_meant_for(engine: FakeEngine) -> None:
    app = form_on(engine)
    app.forms.draft = Draft(kind=WorkspaceKind.COPY, folder="")
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await pilot.pause()
        for key in ("D", "o", *["tab"] * 4, "I", "t", *["shift+tab"] * 4, "!"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert prompt_of(app).text == "Do!"
        assert app.screen.query_one("#source", Input).value == "It"


@pytest.mark.parametrize(
    ("key", "started", "trusted"), [("t", True, True), ("w", True, False), ("escape", False, False)]
)
async def test_settings_of_a_repository_are_asked_about(
    engine: FakeEngine, key: str, started: bool, trusted: bool
) -> None:
    long = printable_name("[/red] \x1b[31m" + "x" * 900)
    items = (runs("npm ci"), runs(long), *(runs(f"step {n}") for n in range(300)))
    consent = Consent("/[/red]/shop/.swarm/config.yaml", "digest", items)
    engine.trust.consent = consent
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go", "ctrl+s")
        while not isinstance(app.screen, ConfirmDialog):
            await pilot.pause()
        assert engine.asked == []
        text = shown(app)
        for part in (
            "/[/red]/shop/",
            "runs npm ci",
            "outside Codex's sandbox",
            "of 302, the",
            "[t] Trust",
        ):
            assert part in text
        assert "\x1b" not in text and "step 200" not in text
        await pilot.press("space")
        await until(pilot, lambda: "step 5" in shown(app) and "npm ci" not in shown(app))
        assert "[t] Trust" in shown(app) and "of 302, the" in shown(app)
        await pilot.press(key)
        if started:
            await until(pilot, lambda: len(listed(app)) == 5)
            assert engine.view.runs["new1"].spec.with_setup is (None if trusted else False)
        else:
            await pilot.pause()
            assert isinstance(app.screen, NewRun)
            assert engine.asked == []
        assert engine.trust.given == ([consent] if trusted else [])


def prompt_of(app: SwarmApp) -> PromptArea:
    return app.screen.query_one(PromptArea)


async def becomes(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait until it holds, and is on the screen."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.01)
            await pilot.pause()
    await pilot.pause()


async def shows(pilot: Pilot[None], words: str) -> None:
    """Wait until the form has looked at the disk, and says something."""
    await becomes(pilot, lambda: words in plain(pilot.app))  # pyright: ignore[reportArgumentType]  values come by name


async def offers(pilot: Pilot[None], *names: str) -> None:
    """Wait until these files are offered: those of fewer letters come first."""
    files = pilot.app.screen.query_one(FileAutocomplete)
    await becomes(
        pilot, lambda: files.is_open and {str(one.prompt) for one in files.options} == set(names)
    )
    await shows(pilot, names[0])


async def test_every_field_is_checked_as_it_is_typed_and_means_what_its_flag_means(
    engine: FakeEngine,
) -> None:
    app = form_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Go")
        typed = {
            "title": "A title",
            "project": "shop",
            "model": "gpt-x",
            "verify": "make test",
            "timeout": "30m",
            "retries": "2",
            "budget": "1.5M",
            "at": "+1h",
        }
        mistakes = {
            "timeout": ("soon", "needed"),
            "retries": ("-1", "needed"),
            "budget": ("lots", "invalid budget"),
            "at": ("x", "invalid time"),
        }
        for id, (wrong, message) in mistakes.items():
            field = app.screen.query_one(f"#{id}", Input)
            field.value = wrong
            await pilot.pause()
            assert message in plain(app)
            assert app.screen.query_one("#start", Button).disabled
            await pilot.press("ctrl+s")
            field.value = ""
            await pilot.pause()
            assert not app.screen.query_one("#start", Button).disabled
        assert engine.asked == []
        for id, text in typed.items():
            app.screen.query_one(f"#{id}", Input).value = text
        app.screen.query_one("#sandbox", SegmentedControl).choose(0)
        await pilot.press("ctrl+l", "ctrl+s")
        await until(pilot, lambda: "new1" in engine.view.runs)
    spec = engine.view.runs["new1"].spec
    assert spec == RunSpec(
        "Go",
        "A title",
        "shop",
        model="gpt-x",
        verify="make test",
        sandbox=Sandbox.READ_ONLY,
        timeout_s=1800,
        retries=2,
        budget=Budget(1_500_000),
        not_before=engine.now - 1 + 3600,
    )
    assert app.clipboard == (
        "swarm-tui run --empty --sandbox read-only --title 'A title' --project shop"
        " --verify 'make test' --retries 2 --timeout 30m --budget 1.5M --model gpt-x --at +1h Go"
    )


async def test_options_fold_where_there_is_little_room(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go")
        options = app.screen.query_one("#options")
        assert not options.display
        await pilot.press("ctrl+o")
        app.screen.query_one("#timeout", Input).focus().value = "5m"
        await pilot.press("ctrl+o")
        assert not options.display
        assert "time limit 5m" in shown(app)
        assert prompt_of(app).has_focus
        await pilot.click("#fold")
        assert options.display
        await pilot.resize_terminal(60, 15)
        await pilot.pause()
        assert "Start" in shown(app)


async def test_at_names_files_of_the_source(engine: FakeEngine) -> None:
    engine.sources.names = ["docs/parser.md", "src/parser.py", "src/a b.py", "README.md"]
    app = form_on(engine)
    app.forms.draft = Draft(kind=WorkspaceKind.COPY, folder="/src")
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await becomes(pilot, lambda: isinstance(app.focused, PromptArea))
        await pilot.press(*"See @pars")
        await offers(pilot, "src/parser.py", "docs/parser.md")
        await pilot.press("down")
        files = app.screen.query_one(FileAutocomplete)
        files.offer(["src/parser.py", "docs/parser.md"], Offset(2, 2))  # found again, late
        await pilot.press("enter", *"and @ab")
        await offers(pilot, "src/a b.py")
        await pilot.press("tab", *"or @READ")
        await offers(pilot, "README.md")
        await pilot.press("escape")
        await becomes(pilot, lambda: "README.md" not in shown(app))
        assert prompt_of(app).text == 'See docs/parser.md and "src/a b.py" or @READ'
        assert prompt_of(app).has_focus
        await pilot.press("backspace")
        await offers(pilot, "README.md")
        await pilot.click(FileAutocomplete, offset=(3, 1))
        await becomes(pilot, lambda: prompt_of(app).text.endswith("or README.md "))


def test_files_that_fit_best_come_first() -> None:
    names = ["a/test_app.py", "app/x.py", "app.py", "lib/map.py", "zzz"]
    assert matching(names, "app")[:3] == ["app.py", "app/x.py", "a/test_app.py"]
    assert matching(names, "apy")[0] == "app.py"
    assert len(matching([f"f{n}" for n in range(100)], "")) == 8


async def test_earlier_prompts_can_be_taken_again(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"gone", "ctrl+r")
        await pilot.pause()
        assert "Please Tidy up" in shown(app)
        await pilot.press(*"parser", "enter")
        await pilot.pause()
        assert prompt_of(app).text == "Please Fix the parser"
        assert prompt_of(app).has_focus


async def test_the_form_says_what_it_will_do_and_what_is_uncommitted(engine: FakeEngine) -> None:
    engine.sources.source = SourceInfo("main", 2, ("a.py", "[/red].py"))
    app = form_on(engine)
    app.forms.draft = Draft(kind=WorkspaceKind.WORKTREE, folder="/src/shop")
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Go")
        await shows(pilot, "on main · 2 files: a.py, [/red].py")
        assert "a new git worktree of main, from /src/shop without what is" in plain(app)
        app.screen.query_one("#uncommitted", SegmentedControl).choose(1)
        await pilot.pause()
        assert "from /src/shop with what is" in plain(app)
        assert "--worktree /src/shop --include-uncommitted Go" in plain(app)
        app.screen.query_one("#kind", SegmentedControl).choose(4)
        await pilot.pause()
        assert "Codex works in /src/shop itself: your files change." in plain(app)


async def test_without_codex_the_form_says_how_to_install_it_and_offers_the_stand_in(
    engine: FakeEngine,
) -> None:
    engine.refusal = user_error("CODEX_CLI_MISSING")
    app = form_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await shows(pilot, "npm install -g @openai/codex")
        assert "Or choose the simulated agent" in plain(app)
        engine.refusal = None
        await pilot.press(*"Go", "tab", "tab", "right")
        await shows(pilot, "The simulated agent works in a new, empty folder.")
        await pilot.pause()
        assert "npm install" not in plain(app)


async def test_choices_are_remembered_by_the_home(engine: FakeEngine) -> None:
    app = app_on(engine)
    app.forms.draft = Draft(kind=WorkspaceKind.COPY, folder="/src", agent=Agent.SIMULATED)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Go")
        app.screen.query_one("#timeout", Input).value = "5m"
        app.screen.query_one("#model", Input).value = "gpt-x"
        app.screen.query_one("#title", Input).value = "Once"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "new1" in engine.view.runs)
        await pilot.pause()
    choices = engine.memory.recall("new-run", FormChoices)
    draft = Draft.begin(choices)
    assert (draft.kind, draft.folder, draft.agent) == (
        WorkspaceKind.COPY,
        "/src",
        Agent.SIMULATED,
    )
    assert draft.typed == {"model": "gpt-x"}
    assert app.forms.draft
    assert app.forms.draft.typed == {"model": "gpt-x"}
    assert draft.prompt == ""
    assert choices
    elsewhere = Draft.begin(replace(choices, started_in="/somewhere/else"))
    assert elsewhere.folder == str(Path.cwd())
    assert elsewhere.agent is Agent.SIMULATED


async def test_what_was_done_before_is_offered_and_taken() -> None:
    engine = FakeEngine()
    goals = {"p000000001": "Fix the parser", "p000000002": "Fix the [/red] lexer"}
    assert isinstance(engine.patterns, FakePatterns)
    engine.patterns.known = [
        StoredPattern(id, Pattern(goal), 0.0, runs=("a", "b")) for id, goal in goals.items()
    ]
    app = form_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Fix the other parser")
        async with asyncio.timeout(LIMIT_S):
            while "Done before: Fix the parser (2 runs)" not in plain(app):
                await pilot.pause(0.01)
        await pilot.press("ctrl+t")
        assert "Learns from: Fix the parser" in plain(app)
        await pilot.press("ctrl+t")
        assert "Learns from: Fix the [/red] lexer" in plain(app)
        assert "--learn-from p000000002" in plain(app)
        await pilot.press("ctrl+t")
        assert "Done before: Fix the parser" in plain(app) and "--learn-from" not in plain(app)
        await pilot.press("ctrl+t", "ctrl+s")
        await until(pilot, lambda: bool(engine.asked))
    (run,) = engine.view.runs.values()
    assert run.spec.learn_from == "p000000001"


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        ((), WorkspaceKind.COPY),
        ((".git/",), WorkspaceKind.COPY),  # as Codex's sandbox leaves them in /tmp
        ((".git/", ".git/HEAD"), WorkspaceKind.WORKTREE),
        ((".git",), WorkspaceKind.WORKTREE),  # as in a linked worktree
    ],
)
def test_a_worktree_is_offered_in_a_repository_only(
    tmp_path: Path, inside: tuple[str, ...], kind: WorkspaceKind
) -> None:
    for name in inside:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).touch()
    (tmp_path / "below").mkdir()
    assert default_workspace(tmp_path / "below").kind is kind


async def test_form_starts_an_interactive_run(engine: FakeEngine) -> None:
    app = form_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Do it", "ctrl+o")
        await pilot.pause()
        approvals = app.screen.query_one("#approvals", SegmentedControl)
        assert approvals.disabled
        app.screen.query_one("#interactive", SegmentedControl).choose(1)
        await pilot.pause()
        assert not approvals.disabled
        approvals.choose(1)
        await pilot.pause()
        assert "--interactive --approvals untrusted" in app.forms.draft.command_line()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "new1" in engine.view.runs)
    spec = engine.view.runs["new1"].spec
    assert (spec.interactive, spec.approvals) == (True, ApprovalPolicy.UNTRUSTED)


async def test_form_shows_an_unsafe_home_before_the_start(engine: FakeEngine) -> None:
    engine.refusal = user_error("HOME_UNSAFE")
    app = form_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Do it")
        app.screen.query_one("#interactive", SegmentedControl).choose(1)
        await until(pilot, lambda: "can write to the home" in shown(app))
        assert isinstance(app.screen, NewRun)


def test_mode_of_settings_and_templates_is_what_the_form_begins_with() -> None:
    assert usual_words(Config()) == {"interactive": "no", "approvals": "on-request"}
    interactive = Config(codex=CodexSettings(mode=RunMode.INTERACTIVE))
    assert usual_words(interactive)["interactive"] == "yes"
    exec_template = KEYS(interactive=False)
    assert usual_words(interactive, exec_template)["interactive"] == "no"
    asking = KEYS(approvals=ApprovalPolicy.UNTRUSTED)
    assert usual_words(Config(), asking) == {"interactive": "yes", "approvals": "untrusted"}
    draft = Draft(typed={"interactive": "no"})
    assert "--no-interactive" in draft.command_line()
