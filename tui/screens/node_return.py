"""Wait for nodes that do not answer: a screen reads again once they may."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.domain.hosts import host_of
from engine.domain.model import LOCAL, Run
from tui.formatting.symbols import sign

if TYPE_CHECKING:
    from textual.timer import Timer

    from tui.screens.live import LiveScreen

AGAIN_S = 3.0
"""Time from an answer in place of a node's own to the next question."""


class NodeReturn:
    """One screen's wait for nodes; `read` reads again without a sign of it."""

    def __init__(self, screen: LiveScreen, read: Callable[[], None]) -> None:
        self._screen = screen
        self._read = read
        self._runs: Sequence[str] = ()
        self._timer: Timer | None = None

    def wait(self, *runs: str) -> None:
        """Read again once the nodes of these runs may answer; of those before, no longer."""
        self.end()
        self._runs = runs
        self._timer = self._screen.set_timer(AGAIN_S, self._look)

    def end(self) -> None:
        """Wait no longer."""
        if self._timer:
            self._timer.stop()
        self._timer = None

    def _look(self) -> None:
        if not self._screen.is_current or self._is_away():
            self.wait(*self._runs)
        else:
            self._timer = None
            self._read()

    def _is_away(self) -> bool:
        """Return whether a node of the runs is known to be away."""
        engine = self._screen.engine
        known = (engine.view.runs.get(run) for run in self._runs)
        hosts = {host_of(run) for run in known if run}
        return any(node.name in hosts and node.is_away for node in engine.cluster.last.nodes)


def place_words(run: Run | None, checkpoint: int | None) -> str:
    """Return in a few words that a checkpoint is shown while the node of a run is away."""
    if checkpoint is None:
        return ""
    return f"checkpoint {checkpoint}{sign(' · ', ' - ')}{_node(run)} does not answer"


def wait_words(run: Run | None) -> str:
    """Return the text in place of what the node of a run is asked for; empty for one here."""
    node = _node(run)
    return f"Waiting for the node {node} …" if node else ""


def _node(run: Run | None) -> str:
    from tui.formatting.nodes import host_name  # most homes have no cluster

    host = host_of(run) if run else LOCAL
    return "" if host == LOCAL else host_name(host)
