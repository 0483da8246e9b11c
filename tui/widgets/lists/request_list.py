"""The open requests of all agents, a line each: equal ones are one line."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain.interaction import RequestKind
from tui import commands, formatting
from tui.formatting.request_text import oddities, subject
from tui.models.open_requests import OpenRequests, RequestGroup
from tui.terminal.cells import clean, crop, fit
from tui.widgets.base.line_view import MOVES
from tui.widgets.base.marks import MarkableView, Marks
from tui.widgets.status.toast import app_of

NOTHING = (
    "No agent asks for anything. Runs that were started with --interactive ask here: for commands "
    "outside their sandbox, patches outside their workspace, more permissions, tools."
)
AGE, TIMES, KIND = 4, 5, 8
RUN_MIN, RUN_MAX = 10, 32
MAX_KNOWN = 1_000
KINDS = {RequestKind.PERMISSIONS: "rights"}
"""Short words for kinds whose own word is too long for a column."""
MARKS = [
    binding
    for binding in commands.bindings("list")
    if (getattr(binding, "id", None) or "").startswith("mark.")
]


class RequestList(MarkableView):
    """Lines of open requests; the cursor stays on its request, also when that is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [*MOVES, *MARKS]

    class RequestHighlighted(Message):
        """The cursor is on another request, or that has changed."""

    class RequestOpened(Message):
        """The user wants to see the run of the request under the cursor."""

    def __init__(self, requests: OpenRequests) -> None:
        super().__init__(title="Requests", empty_text=NOTHING)
        self.requests = requests
        self.marks = Marks(self, lambda: self.requests)
        self.sending: Collection[str] = frozenset()
        """The keys of groups whose answers are on their way to the engine."""
        self.painted_key: str | None = None
        """The key of the group under the cursor as it was painted last."""
        self._now = 0.0
        self._second_looks: dict[str, bool] = {}
        """True if a group needs a second look, of those that were drawn."""

    @property
    def chosen(self) -> RequestGroup | None:
        """The group under the cursor, as it is now."""
        return self.requests[self.cursor_line] if len(self.requests) else None

    def show(self, now: float) -> None:
        """Show the requests as they are now, the cursor on the one it was on."""
        self._now = now
        held = self.requests.held
        line = self.requests.line_of(held) if held else None
        old, top = self.cursor_line, self.scroll_offset.y
        new = old if line is None else line
        if not (self.line_count and len(self.requests)):
            self.refresh()
        self.set_lines(len(self.requests), cursor=new, top=max(0, top + new - old) if top else None)
        self.show_line(self.cursor_line)
        self.requests.hold(self.chosen.key if self.chosen else None)
        self.marks.drop_hidden()
        self._show_count()
        self.post_message(self.RequestHighlighted())

    def _show_count(self) -> None:
        count = self.requests.open_count
        self.set_title(f"Requests {count}" if count else "Requests")

    def tick(self, now: float) -> None:
        """Advance the ages of the visible lines."""
        self._now = now
        if self.is_on_screen:
            self.repaint(*self.visible_lines())

    def go_to(self, key: str) -> None:
        """Put the cursor on a group."""
        line = self.requests.line_of(key)
        if line is not None:
            self.move_cursor(line)

    def move_cursor(self, line: int) -> None:
        """Put the cursor on a line; a closed request that it leaves is removed."""
        super().move_cursor(line)
        wanted = self.chosen.key if self.chosen else None
        if self.requests.held == wanted and self.chosen and self.chosen.is_closed:
            wanted = None  # it is the only one: there is nowhere to go
        if self.requests.hold(wanted):
            place = self.requests.line_of(wanted) if wanted else 0
            self.set_lines(len(self.requests), cursor=place or 0)
            self.requests.hold(self.chosen.key if self.chosen else None)
        self.post_message(self.RequestHighlighted())

    def cursor_moved(self) -> None:
        """Mark the range up to the cursor; toasts are dismissed, which cover the next request."""
        app_of(self).clear_notifications()
        self.marks.follow_cursor()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw one group."""
        group, cursor = self.requests[line], line == self.cursor_line
        if cursor:
            self.painted_key = group.key
        is_dim = not group.open or group.key in self.sending
        sign = formatting.sign
        mark = sign("◆", "*") if group.key in self.marks.ids else " "
        segments = [
            Segment(sign("▌", "|") if cursor else " ", self.paint.tone("live")),
            Segment(mark, self.paint.tone("warn")),
        ]
        for text, tone in self._cells(group, width - 2):
            style = self.paint.tone("faint" if is_dim else tone)
            segments.append(Segment(text, style))
        return self.paint.strip(segments, width, cursor=cursor)

    def _cells(self, group: RequestGroup, width: int) -> list[tuple[str, str]]:
        request, count = group.request, group.run_count
        times = f"{formatting.sign('×', 'x')}{count}" if count > 1 else ""
        kind = KINDS.get(request.kind, request.kind.value) if request.kind else "?"
        before = [
            (fit(formatting.age(self._now - group.since), AGE, right=True), "dim"),
            (fit(times, TIMES, right=True), "warn"),
            (f" {fit(clean(kind, 20), KIND)} ", "dim"),
            (f"{'!' if self._is_odd(group) else ' '} ", "bad"),
        ]
        room = width - AGE - TIMES - KIND - 4
        run = max(RUN_MIN, min(RUN_MAX, room // 3))
        what = fit(subject(request), max(4, room - run - 2))
        return [*before, (what, "plain"), ("  ", "dim"), (crop(self._source(group), run), "dim")]

    def _is_odd(self, group: RequestGroup) -> bool:
        if group.key not in self._second_looks:
            if len(self._second_looks) >= MAX_KNOWN:
                self._second_looks.clear()
            self._second_looks[group.key] = bool(oddities(group.request))
        return self._second_looks[group.key]

    def _source(self, group: RequestGroup) -> str:
        """Return the run that asks, or the batch of all that ask."""
        refs = group.refs
        runs = [run for ref in refs[:200] if (run := self.requests.runs.get(ref.run))]
        batches = {run.spec.batch for run in runs}
        batch = batches.pop() if len(batches) == 1 else None
        if batch and group.run_count > 1:
            return clean(batch, 60)
        return formatting.title(runs[0]) if runs else ""

    # Mouse and keys

    def action_open(self) -> None:
        """Open the run of the request."""
        self.post_message(self.RequestOpened())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the click is; a double click opens the run."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.action_open()
