"""The nodes of the cluster: their condition, slots, load and free space, and the runs there."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode

from tui import commands
from tui.formatting.nodes import node_filter, node_lines, node_name, scheduler_words
from tui.screens.live import LiveScreen, RunsRequested
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.lists.node_list import NodeHeading, NodeList, NodeText
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of, focus_now, tell
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.domain.node import ClusterSummary
    from engine.ports.engine import EnginePort

NOT_SET = """\
No cluster is set up: all runs work on this machine.
A trial on this machine: run `swarm-tui cluster up`.
For other machines, add to the settings:  cluster: {scheduler: 'tls://HOST:8786'}
docs/cluster.md has the ten lines of a set-up.
"""
NO_NODES = "No node has joined the cluster yet: `swarm-tui node` starts one."
MOST_RUNS = 200
"""Runs of a node that are listed here; the list of runs has all."""


class NodesScreen(LiveScreen):
    """The nodes, with the facts and runs of the one under the cursor."""

    DEFAULT_CSS = """
    NodesScreen {
        background: $background;
        NodeText { height: 45%; }
        &.-low NodeText { height: 9; }
        &.-unset { NodeHeading, NodeText { display: none; } }
        &.-tiny, &.-short {
            TopBar, NodeHeading, NodeList, NodeText, KeyBar { display: none; }
            TooSmall { display: block; }
        }
    }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-low"), (30, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("nodes")

    heading = getters.query_one(NodeHeading)
    listed = getters.query_one(NodeList)
    text = getters.query_one(NodeText)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._version = version("swarm-tui")

    def compose(self) -> ComposeResult:
        """Compose the screen."""
        yield TopBar()
        yield NodeHeading()
        yield NodeList()
        yield NodeText()
        yield TooSmall()
        yield KeyBar()

    def on_screen_resume(self) -> None:
        """Ask again: other screens may have been shown for long."""
        super().on_screen_resume()
        focus_now(self.listed)
        is_set = self.engine.cluster.is_set
        self.set_class(not is_set, "-unset")
        if not is_set:
            self.listed.empty_text = NOT_SET
            return
        self._show(self.engine.cluster.last)
        self.action_look()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        return self if scope == "nodes" else None

    def tick(self) -> None:
        """Show the cluster as it is seen now, and the time since nodes answered."""
        super().tick()
        if self.is_current and self.engine.cluster.is_set:
            self._show(self.engine.cluster.last)

    def _show(self, cluster: ClusterSummary) -> None:
        words = scheduler_words(cluster, self.clock())
        self.heading.show(words, "bad" if cluster.problem else "dim")
        self.listed.empty_text = NO_NODES
        if problem := cluster.problem:
            self.listed.empty_text = f"{problem.message} {problem.recovery}"
        elif cluster.answered_at is None:
            self.listed.empty_text = "Asking the cluster …"
        self.listed.show(cluster.nodes)

    @on(NodeList.NodeSelected)
    def _show_node(self) -> None:
        node = self.listed.chosen
        self.text.display = node is not None
        if node:
            lines = node_lines(node, self.clock(), self._version, MOST_RUNS)
            self.text.show(node_name(node), lines)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey what needs a node."""
        del parameters
        if action in ("open_runs", "copy"):
            return True if self.listed.chosen else None
        if action == "look":
            return True if self.engine.cluster.is_set else None
        return True

    def action_look(self) -> None:
        """Ask the cluster now."""
        self.run_worker(self._look, group="nodes", exclusive=True)

    async def _look(self) -> None:
        self._show(await self.engine.cluster.refresh())

    @on(NodeList.NodeOpened)
    def action_open_runs(self) -> None:
        """Show the runs of the node in the list of runs."""
        if node := self.listed.chosen:
            self.post_message(RunsRequested(node_filter(node)))

    def action_copy(self) -> None:
        """Copy the name of the node."""
        if node := self.listed.chosen:
            app_of(self).copy_to_clipboard(node.name)
            tell(app_of(self), f"Copied {node_name(node)}")

    async def action_back(self) -> None:
        """Go back to the runs."""
        await app_of(self).run_action("app.runs")
