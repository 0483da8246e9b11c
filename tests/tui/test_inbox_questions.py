"""Questions and forms in the inbox: options, free text, and secrets that are shown nowhere."""

from __future__ import annotations

from asking import NPM, ask, asking, request, start
from fake_engine import WIDE, FakeEngine, app_on, plain, shown, toasts
from test_inbox_screen import decisions, open_inbox, press

from engine.domain.input_fields import FieldKind, FieldOption, InputField
from engine.domain.interaction import Decision, RequestAnswer, RequestKind
from engine.domain.model import Run
from tui.screens.answer_form import AnswerForm
from tui.screens.bulk_answer import BulkAnswerDialog

COLOURS = (FieldOption("blue", text="calm"), FieldOption("red", text="[b]loud[/b]"))
COLOUR = InputField("colour", FieldKind.CHOICE, "Which colour?", options=COLOURS)


class Answering(FakeEngine):
    """An engine that remembers the values of answers."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[str, dict[str, tuple[str, ...]]]] = []

    async def answer(self, run: str, answered: RequestAnswer) -> Run:
        found = await super().answer(run, answered)
        self.given.append((run, answered.answers))
        return found


def questions(*fields: InputField, runs: int = 1, **more: object) -> Answering:
    asked = request("Which?", kind=RequestKind.QUESTION, fields=fields, **more)
    return asking(Answering(), {f"r{number}": asked for number in range(runs)})


async def test_one_of_the_options_is_chosen() -> None:
    engine = questions(COLOUR, runs=2)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "#2 red · [b]loud[/b]" in plain(app)
        await press(pilot, "y")
        assert isinstance(app.screen, AnswerForm)
        assert "Question of 2 runs" in shown(app)
        assert "○ red · [b]loud[/b]" in plain(app)
        await press(pilot, "j", "enter", "ctrl+s")
        assert not isinstance(app.screen, AnswerForm)
        assert decisions(engine) == dict.fromkeys(("r0", "r1"), Decision.ANSWER)
        assert engine.given == [("r0", {"colour": ("red",)}), ("r1", {"colour": ("red",)})]


async def test_several_options_and_a_text_of_ones_own() -> None:
    several = InputField(
        "tags", FieldKind.CHOICE, options=COLOURS, is_list=True, allows_other=True, max_items=3
    )
    engine = questions(several)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y", "space", "j", "space", "tab", *"green", "enter")
        assert engine.given == [("r0", {"tags": ("blue", "red", "green")})]


async def test_an_invalid_value_is_refused_in_the_form() -> None:
    count = InputField("count", FieldKind.INTEGER, "How many?", maximum=9)
    engine = questions(count, InputField("note", title="A note", is_required=False))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y", *"12", "enter", "enter")
        assert "it must be at most 9" in plain(app)
        assert isinstance(app.screen, AnswerForm)
        assert decisions(engine) == {}
        await press(pilot, "shift+tab", "5", "ctrl+s")
        assert engine.given == [("r0", {"count": ("5",)})]


async def test_a_secret_is_never_on_the_screen() -> None:
    engine = questions(InputField("token", title="The token", is_secret=True))
    app = app_on(engine)
    given: list[RequestAnswer] = []

    async def answer(run: str, answered: RequestAnswer) -> Run:
        given.append(answered)
        return engine.view.runs[run]

    engine.answer = answer  # pyright: ignore[reportAttributeAccessIssue]  the inbox of a fake is no file
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y", *"hunter2")
        assert "hunter2" not in shown(app)
        assert "•••••••" in shown(app)
        await press(pilot, "enter")
        assert [one.answers for one in given] == [{"token": ("hunter2",)}]
        assert "hunter2" not in shown(app) + str(toasts(app)) + repr(given)


async def test_yes_or_no_and_a_form_with_an_address() -> None:
    engine = Answering()
    start(engine, "r0")
    form = request(
        "Sign in",
        kind=RequestKind.FORM,
        reason="Please [u]sign in[/u]",
        url="https://user@evil.example/?good.example",
        fields=(InputField("again", FieldKind.BOOLEAN, "Again?"),),
    )
    ask(engine, "r0", form)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "its host: evil.example" in plain(app)
        assert "┆ Please [u]sign in[/u]" in plain(app)
        await press(pilot, "y")
        assert "○ yes" in plain(app)
        await press(pilot, "j", "space", "ctrl+s")
        assert engine.given == [("r0", {"again": ("false",)})]


async def test_questions_are_not_part_of_a_bulk_approval() -> None:
    engine = questions(COLOUR)
    for name in ("s0", "s1"):
        start(engine, name)
        ask(engine, name, request(f"{NPM} {name}"))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "A", "y")
        assert isinstance(app.screen, BulkAnswerDialog)
        assert any("1 marked requests stay open" in one for one in toasts(app))
        await press(pilot, "y")
        assert decisions(engine) == dict.fromkeys(("s0", "s1"), Decision.APPROVE)


async def test_esc_answers_nothing() -> None:
    engine = questions(COLOUR)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        await press(pilot, "y", "space", "escape")
        assert decisions(engine) == {}
        await press(pilot, "n")
        assert decisions(engine) == {"r0": Decision.DENY}


async def test_server_that_gets_the_answer_is_named() -> None:
    engine = FakeEngine()
    start(engine, "r0")
    form = {"kind": RequestKind.FORM, "fields": (COLOUR,), "server": "lab\\u202e"}
    ask(engine, "r0", request("Which?", **form))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await open_inbox(pilot)
        assert "MCP server: lab\\u202e" in plain(app)
        await press(pilot, "y")
        assert isinstance(app.screen, AnswerForm)
        assert "MCP server: lab\\u202e" in plain(app)
