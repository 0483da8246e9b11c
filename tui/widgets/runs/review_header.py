"""The run that is reviewed: its place, how it ended, and the last message of its agent."""

from __future__ import annotations

from textual import getters
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.domain.model import Run, Status
from engine.domain.record import record
from engine.domain.text import printable
from tui import formatting
from tui.terminal.cells import clean
from tui.widgets.status.toast import app_of

Part = tuple[str, str]
DOT: Part = (" · ", "$faint")
TALL = 36
"""Rows of the screen from which four lines of the message are shown."""
MESSAGE_LINES = 400
"""Lines of the agent's last message that are shown at most."""


@record
class ReviewProgress:
    """The place of a run among those to review; None: it is not one of them."""

    place: int | None
    count: int
    undecided: int
    behind: str = ""
    """Distance of the workspace behind its base, in words."""


FORGOTTEN = "This run was forgotten. esc goes back."


class ReviewHeader(Vertical):
    """Three lines, one of them the beginning of the message; `show_whole` shows all of it."""

    DEFAULT_CSS = """
    ReviewHeader {
        height: auto; padding: 0 1;
        Static { height: auto; }
        #review-state { height: 2; text-wrap: nowrap; text-overflow: ellipsis; }
        #review-message {
            height: auto; max-height: 1; overflow-y: hidden; scrollbar-size-vertical: 1;
        }
        #review-text { color: $secondary; }
        &.-tall #review-message { max-height: 4; }
        &.-whole #review-message { max-height: 16; overflow-y: auto; }
        &.-whole #review-text { color: $foreground; }
    }
    """

    state = getters.query_one("#review-state", Static)
    text = getters.query_one("#review-text", Static)
    scroll = getters.query_one("#review-message", VerticalScroll)

    def __init__(self) -> None:
        super().__init__()
        self._drawn = Content("")
        self._message = ""

    def compose(self) -> ComposeResult:
        """Compose the lines."""
        yield Static(id="review-state")
        with VerticalScroll(id="review-message", can_focus=False):
            yield Static(id="review-text")

    def on_resize(self) -> None:
        """Show more of the message where there is room."""
        self.set_class(app_of(self).size.height >= TALL, "-tall")

    @property
    def is_whole(self) -> bool:
        """Return whether the whole message is shown."""
        return self.has_class("-whole")

    def show(self, run: Run | None, progress: ReviewProgress, busy: str = "") -> None:
        """Show a run as it is now; `busy` is what is being done with it."""
        drawn = _lines(run, progress, busy) if run else Content(FORGOTTEN)
        if not drawn.is_same(self._drawn):
            self._drawn = drawn
            self.state.update(drawn)

    def show_message(self, text: str) -> None:
        """Show the last message of the agent; empty: there is none."""
        lines = [clean(line, 2000) for line in printable(text).splitlines()]
        shown = "\n".join(line for line in lines[:MESSAGE_LINES])
        if shown != self._message:
            self._message = shown
            self.text.update(Content(shown))
            self.scroll.scroll_home(animate=False)
        self.scroll.display = bool(shown)

    def show_whole(self, is_whole: bool) -> None:
        """Show the whole message, or its beginning."""
        self.set_class(is_whole, "-whole")
        if not is_whole:
            self.scroll.scroll_home(animate=False)


def _lines(run: Run, progress: ReviewProgress, busy: str) -> Content:
    place = "–" if progress.place is None else str(progress.place)
    first: list[Part] = [
        (f"{place}/{progress.count}", "bold $accent"),
        ("  ", ""),
        (formatting.title(run), "bold"),
    ]
    if busy:
        first += [("  ", ""), (busy, "bold $warning")]
    second = [part for one in _facts(run, progress) for part in (DOT, one)][1:]
    return Content.assemble(*first, "\n", *second)


def _facts(run: Run, progress: ReviewProgress) -> list[Part]:
    facts = [_decision(run), _status(run), (formatting.left_conflicts(run), "bold $error")]
    facts.append(_check(run))
    if base := formatting.base(run.spec.workspace):
        facts.append((f"base {base}", "$secondary"))
    facts.append((progress.behind, "$warning"))
    if progress.count:
        left = f"{progress.undecided} left" if progress.undecided else "all decided"
        facts.append((left, "$secondary" if progress.undecided else "$success"))
    facts.append((run.id, "$secondary"))
    return [fact for fact in facts if fact[0]]


def _decision(run: Run) -> Part:
    done = formatting.sign("✓", "*")
    if run.is_applied:
        return f"{done} applied", "bold $success"
    if run.in_trash:
        return f"{formatting.sign('✗', 'x')} in the trash", "bold $warning"
    if run.is_dismissed or run.is_archived:
        return f"{done} {'archived' if run.is_archived else 'dismissed'}", "bold $secondary"
    return "", ""


def _status(run: Run) -> Part:
    tone = formatting.TONES[formatting.run_tone(run)]
    words = f"{formatting.run_glyph(run)} {formatting.run_word(run)}"
    if run.error and run.error.code != "VERIFY_FAILED":
        words = f"{words} {run.error.code}"
    return words, tone


def _check(run: Run) -> Part:
    """Return the outcome of the user's check of the run's work."""
    if not run.spec.verify:
        return "no check", "$secondary"
    if run.status is Status.SUCCEEDED:
        return f"check {formatting.sign('✓', '*')} passed", "$success"
    if run.error and run.error.code == "VERIFY_FAILED":
        return f"check {formatting.sign('✗', 'x')} failed", "$error"
    return "check not run", "$warning"
