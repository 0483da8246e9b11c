"""The inbox: what agents ask for, each request whole, and the answers to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.dom import DOMNode

from engine.domain.errors import UserError, user_error
from engine.domain.events import Event, Step
from engine.domain.interaction import Decision, InputRequest, RequestPhase
from tui import commands
from tui.formatting.request_text import STEPS, RequestContext
from tui.models.open_requests import OpenRequests, RequestGroup, RequestRef
from tui.screens.answering import RequestAnswers
from tui.screens.inbox_rules import InboxRules
from tui.screens.live import EventRequested, LiveScreen
from tui.widgets.base.marks import MarksChanged
from tui.widgets.base.throttle import Throttle
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.request_list import RequestList
from tui.widgets.lists.request_view import RequestView
from tui.widgets.lists.rule_list import RuleList, RuleView
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, attempt, report
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort

LOOK_BACK = 60
"""Events before a request in which the steps before it are searched."""
OF_REQUESTS = frozenset({"approve", "deny", "deny_message", "stop_turn", "always", "open"})
"""Actions that need a request."""
SHOWN_RUNS = 500
"""Runs that are named below a request."""


class InboxScreen(LiveScreen):
    """The open requests, and all of the one under the cursor."""

    DEFAULT_CSS = """
    InboxScreen {
        background: $background;
        #inbox { height: 1fr; layout: horizontal; }
        RequestList { width: 50%; height: 1fr; }
        RequestView { width: 1fr; height: 1fr; }
        &.-narrow #inbox { layout: vertical; }
        &.-narrow RequestList { width: 1fr; height: 35%; }
        RuleList, RuleView { display: none; width: 50%; height: 1fr; }
        &.-narrow RuleList { width: 1fr; height: 50%; }
        &.-narrow RuleView { width: 1fr; height: 1fr; }
        &.-rules RequestList, &.-rules RequestView { display: none; }
        &.-rules RuleList, &.-rules RuleView { display: block; }
        &.-tiny, &.-short {
            TopBar, #inbox, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (110, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("inbox")

    listed = getters.query_one(RequestList)
    whole = getters.query_one(RequestView)
    rule_list = getters.query_one(RuleList)
    rule = getters.query_one(RuleView)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.requests = OpenRequests(engine.view.runs)
        self._answers = RequestAnswers(self)
        self._rules = InboxRules(self)
        self._changed: set[str] = set()
        self._events: list[Event] = []
        self._steps: tuple[RequestRef, Sequence[Event]] | None = None
        self._raised_in: dict[RequestRef, int] = {}
        self._pace = Throttle(self, self._update)

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        with Container(id="inbox"):
            yield RequestList(self.requests)
            yield RequestView()
            yield RuleList()
            yield RuleView()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Show the requests as they are now."""
        self._changed.clear()
        self._events.clear()
        self.requests.rebuild()
        self.listed.show(self.clock())
        (self.rule_list if self.shows_rules else self.listed).focus()
        self.run_worker(self._rules.read(), group="rules")

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Return whether a key is one of the answers: here it never means anything else."""
        del character
        return any(one.id for one in self._bindings.key_to_bindings.get(key, ()))

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "inbox" else None

    # What is shown

    def take(self, batch: EventBatch) -> None:
        """Show what changed, at the cost of the runs that did."""
        super().take(batch)
        self._changed |= batch.runs
        self._events += [one for one in batch.events if isinstance(one.body, InputRequest)]
        self._pace.ask()

    def _update(self) -> None:
        if not self.is_mounted:
            return
        changed, self._changed = self._changed, set()
        events, self._events = self._events, []
        if self.requests.update(changed, events):
            self.listed.show(self.clock())

    def tick(self) -> None:
        """Advance the ages."""
        super().tick()
        if self.shows_rules:
            self.run_worker(self._rules.read(), group="rules")
        else:
            self.listed.tick(self.clock())

    def go_to_run(self, run_id: str) -> None:
        """Put the cursor on the oldest request of a run."""
        for line, group in enumerate(self.requests):
            if any(ref.run == run_id for ref in group.open):
                self.listed.move_cursor(line)
                return

    @on(RequestList.RequestHighlighted)
    def _show(self) -> None:
        group = self.listed.chosen
        self.whole.show(group, self._around(group))
        self.refresh_bindings()
        if group and group.refs and (self._steps is None or self._steps[0] != group.refs[0]):
            self._read_steps(group.refs[0])

    def _around(self, group: RequestGroup | None) -> RequestContext:
        refs = group.refs[:SHOWN_RUNS] if group else ()
        runs = (self.engine.view.runs.get(run_id) for run_id in dict.fromkeys(r.run for r in refs))
        steps = self._steps[1] if refs and self._steps and self._steps[0] == refs[0] else ()
        return RequestContext(tuple(run for run in runs if run), tuple(steps))

    @work(group="steps", exclusive=True)
    async def _read_steps(self, ref: RequestRef) -> None:
        """Read the steps of a run before its request."""
        kinds = (Step.type, InputRequest.type)
        run = self.engine.view.runs.get(ref.run)
        asked = self.engine.events(ref.run, before=run.seq + 1 if run else None, limit=LOOK_BACK)
        found = [one for one in await attempt(app_of(self), asked) or () if one.body.type in kinds]
        raised = next((one for one in reversed(found) if _is_raised(one, ref)), None)
        number = raised.attempt if raised else run.attempt if run else 0
        found = [one for one in found if one.attempt == number]
        if raised:
            self._raised_in[ref] = raised.seq
        before = [one for one in found if isinstance(one.body, Step) and _is_done(one.body)]
        before = [one for one in before if raised is None or one.seq < raised.seq]
        self._steps = (ref, before[-STEPS:])
        group = self.listed.chosen
        if group and group.refs and group.refs[0] == ref:
            self.whole.show(group, self._around(group))

    # Answers

    @property
    def marked(self) -> list[RequestGroup]:
        """Return the marked requests that can be answered, in order."""
        marks = self.listed.marks.ids
        return [group for group in self.requests if group.key in marks and group.open]

    @property
    def shown(self) -> RequestGroup:
        """Return the request as it is on the screen; raises `UserError` for any other."""
        chosen, painted = self.listed.chosen, self.whole.painted_group
        if chosen is None:
            raise user_error("REQUEST_NOT_PENDING", "No agent asks for anything.")
        keys = {chosen.key, self.listed.painted_key, painted.key if painted else None}
        if painted is None or len(keys) > 1 or self.query_one(TooSmall).display:
            message = "The request was not on the screen yet: nothing was answered."
            raise user_error("REQUEST_NOT_PENDING", message, "Read it, then answer again.")
        if not painted.open or chosen.key in self.listed.sending:
            message = "The request is answered or withdrawn: nothing was answered."
            raise user_error("REQUEST_NOT_PENDING", message, "Go on to the next one.")
        return painted

    def action_approve(self) -> None:
        """Approve the request that is shown, or the marked ones."""
        self._answers.answer(Decision.APPROVE)

    def action_deny(self) -> None:
        """Deny the request; the agent goes on."""
        self._answers.answer(Decision.DENY)

    def action_deny_message(self) -> None:
        """Deny the request with a message to the agent."""
        self._answers.deny_with_message()

    def action_stop_turn(self) -> None:
        """Deny the request, and end the agent's turn."""
        self._answers.answer(Decision.STOP)

    # Rules

    @property
    def shows_rules(self) -> bool:
        """Return whether the rules are shown, not the requests."""
        return self.has_class("-rules")

    @on(RuleList.RuleHighlighted)
    def _show_rule(self) -> None:
        self.rule.show(self.rule_list.chosen, self.clock())
        self.refresh_bindings()

    def action_always(self) -> None:
        """Make a rule from the request that is shown."""
        self._rules.offer()

    def action_remove_rule(self) -> None:
        """Remove the rule, after a question."""
        self._rules.remove()

    def action_next_tab(self) -> None:
        """Show the rules instead of the requests, or the requests again."""
        self.toggle_class("-rules")
        (self.rule_list if self.shows_rules else self.listed).focus()
        self.run_worker(self._rules.read(), group="rules")
        self.refresh_bindings()

    def show_requests(self) -> None:
        """Show the requests, whatever was shown before."""
        if self.shows_rules:
            self.action_next_tab()

    def on_key(self, event: events.Key) -> None:
        """Report where the requests are, for a key that answers them while the rules are shown."""
        bound = self._bindings.key_to_bindings.get(event.key, ())
        if self.shows_rules and any(one.action in OF_REQUESTS for one in bound):
            event.stop()
            message = "The rules are shown, not the requests: nothing was answered."
            way = "] shows the requests."
            report(app_of(self), user_error("REQUEST_NOT_PENDING", message, way))

    def action_previous_tab(self) -> None:
        """Show the other tab: there are two."""
        self.action_next_tab()

    @on(MarksChanged)
    def _marks_changed(self) -> None:
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the answers where there is no request, and hide those of the other tab."""
        del parameters
        if action == "remove_rule":
            return self.shows_rules and (True if self.rule_list.chosen else None)
        if action not in OF_REQUESTS:
            return True
        return not self.shows_rules and (True if len(self.requests) else None)

    def why_not(self, command_id: str) -> UserError | None:
        """Return the reason why there is nothing to answer."""
        if not command_id.startswith("inbox."):
            return None
        recovery = "Start a run with --interactive: its agent asks here."
        return user_error("REQUEST_NOT_PENDING", "No agent asks for anything.", recovery)

    # Elsewhere

    @on(RequestList.RequestOpened)
    def action_open(self) -> None:
        """Show the request in the log of its run."""
        group = self.listed.chosen
        refs = group.refs if group else ()
        if refs:
            run = self.engine.view.runs.get(refs[0].run)
            seq = self._raised_in.get(refs[0], run.seq if run else 0)
            self.post_message(EventRequested(refs[0].run, seq))

    def action_pane(self) -> None:
        """Go to the other pane."""
        if self.shows_rules:
            (self.rule if self.rule_list.has_focus else self.rule_list).focus()
        else:
            (self.whole if self.listed.has_focus else self.listed).focus()

    async def action_back(self) -> None:
        """Clear the marks, or go back to the list, to the requests, or to the runs."""
        if self.shows_rules:
            self.action_next_tab()
        elif self.listed.marks.ids:
            self.listed.marks.clear()
        elif self.whole.has_focus:
            self.listed.focus()
        else:
            await app_of(self).run_action("app.runs")


def _is_raised(event: Event, ref: RequestRef) -> bool:
    body = event.body
    if not isinstance(body, InputRequest) or body.phase is not RequestPhase.RAISED:
        return False
    return body.request == ref.request


def _is_done(step: Step) -> bool:
    return step.role != "tool" or step.phase != "started"
