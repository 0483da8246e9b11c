"""Alerts beside the screen: a run needs the user, or a batch has ended.

A bell everywhere (tmux marks the window by it), and a notification of the desktop where the
terminal is known to make one of OSC 9 or OSC 777: another might print what it does not understand.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from engine.domain.account_choice import of_queue
from engine.domain.attention import needs_you
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Pause, Run
from engine.domain.reasons import WaitingFor
from engine.domain.text import one_line
from tui import formatting

GAP_S = 3.0
"""Seconds from one bell to the next, for others in the same room."""
CHARACTERS = 120
_OSC_9 = frozenset({"iTerm.app", "WezTerm", "ghostty"})
_OSC_777 = ("foot", "rxvt")


class AlertTracker:
    """Tracker of events that deserve a bell; receives every batch of events."""

    def __init__(self) -> None:
        self._needy = set[str]()
        self._open = set[str]()
        self._pause: Pause | None = None

    def begin(self, pause: Pause | None) -> None:
        """Remember the present pause, which is not news."""
        self._pause = of_queue(pause)

    def know(self, runs: Iterable[Run]) -> None:
        """Remember how runs are, which is not news."""
        for run in runs:
            if needs_you(run):
                self._needy.add(run.id)
            if run.spec.batch and not _is_over(run):
                self._open.add(run.spec.batch)

    def hear(
        self,
        runs: Mapping[str, Run],
        changed: Collection[str],
        live: Collection[str],
        pause: Pause | None,
    ) -> list[str]:
        """Return the news, a line each, now that some runs or the pause changed."""
        found = [runs[run_id] for run_id in changed if run_id in runs]
        news = [line for run in found if (line := self._of_run(run))]
        news += [f"Batch {one_line(name, 60)} has ended" for name in self._ended(runs, found, live)]
        pause = of_queue(pause)
        if pause and not self._pause and pause.waiting_for is not WaitingFor.USER:
            news.append(f"The queue is paused: {one_line(pause.reason, 80)}")
        self._pause = pause
        return news

    def _of_run(self, run: Run) -> str:
        needy = needs_you(run)
        is_news = needy and run.id not in self._needy
        (self._needy.add if needy else self._needy.discard)(run.id)
        if not is_news or run.spec.batch:  # of a batch, only its end is reported
            return ""
        what = formatting.run_word(run)
        return f"{formatting.title(run)}: {what}"

    def _ended(
        self, runs: Mapping[str, Run], found: Sequence[Run], live: Collection[str]
    ) -> list[str]:
        self._open |= {run.spec.batch for run in found if run.spec.batch and not _is_over(run)}
        ended = {run.spec.batch for run in found if run.spec.batch and _is_over(run)} & self._open
        if ended:
            ended -= {runs[run_id].spec.batch or "" for run_id in live if run_id in runs}
            self._open -= ended
        return sorted(ended)


def desktop(news: Sequence[str], env: Mapping[str, str] = os.environ) -> str:
    """Return the sequence that makes the terminal notify the desktop, or an empty string.

    Inside tmux or screen, the terminal that shows it is not known.
    """
    if not news or env.get("TMUX") or env.get("STY"):
        return ""
    more = f" (and {len(news) - 1} more)" if len(news) > 1 else ""
    # A semicolon would begin another field.
    text = one_line(news[0], CHARACTERS).replace(";", ",") + more
    term = env.get("TERM", "")
    if env.get("TERM_PROGRAM") in _OSC_9 or term == "xterm-kitty":
        return f"\x1b]9;swarm-tui: {text}\x07"
    if term.startswith(_OSC_777) or "VTE_VERSION" in env:
        return f"\x1b]777;notify;swarm-tui;{text}\x07"
    return ""


def _is_over(run: Run) -> bool:
    return run.status in FINISHED
