"""The parts of an engine that not every command needs: imported when they are asked for first.

Half of what a command line waits for is imports, and a list of runs knows nothing of workspaces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from engine.config import Config
from engine.domain.errors import UserError
from engine.domain.events import Body
from engine.domain.fault import Fault
from engine.domain.model import Ask, Run, RunSpec
from engine.memory import Memory
from engine.paths import Paths
from engine.runs.journal import Journal
from engine.search import Search
from engine.store.store import Store

if TYPE_CHECKING:
    from engine.disk import Disk
    from engine.doctor import Doctor
    from engine.notifications import Notifications
    from engine.patterns import Patterns
    from engine.sources import Sources
    from engine.swarms import Swarms
    from engine.templates import Templates
    from engine.trust import Trust
    from engine.workspaces import Workspaces

WHERE = {
    "engine.cleaning": ("Cleaned", "Report"),
    "engine.domain.consent": ("Consent",),
    "engine.disk": ("Usage",),
    "engine.doctor": ("Finding", "Health", "Space"),
    "engine.library.asked": ("Order",),
    "engine.library.cells": ("read_matrix",),
    "engine.library.parameters": ("Parameter",),
    "engine.library.template": ("Filled", "Template"),
    "engine.notifications": ("Condition", "Recipient"),
    "engine.recovery": ("Recovered", "recover"),
    "engine.runs.background": (
        "BackgroundProcess",
        "start_if_needed",
    ),
    "engine.runs.holder": ("Holder", "read_holder"),
    "engine.runs.lookout": ("SupervisionState", "supervision_state"),
    "engine.sources": ("Source",),
    "engine.swarms": ("BatchPlan",),
    "engine.templates": ("Templates",),
    "engine.upkeep.entry": ("Entry",),
    "engine.upkeep.measure": ("Figures",),
    "engine.upkeep.places": ("Place", "PlaceKind"),
    "engine.upkeep.plan": ("Item", "Plan", "Wish"),
    "engine.upkeep.unsaved": ("Unsaved",),
    "engine.workspace.apply": ("As", "Outcome"),
    "engine.workspace.changes": ("Changes", "FileDelta"),
    "engine.workspace.checkpoints": ("Checkpoint",),
    "engine.workspace.comparison": ("Comparison",),
    "engine.workspace.threeway": ("Clash",),
    "engine.workspace.tree": ("Look", "TreeEntry"),
}
"""Where the words come from that faces know from `engine.engine`, and that are imported late."""

MODULE_OF = {name: module for module, names in WHERE.items() for name in names}


class Parts:
    """What an engine offers beside its own commands."""

    def __init__(self, paths: Paths, config: Config, store: Store) -> None:
        self.paths = paths
        self.config = config
        self.config_error: UserError | None = None
        """The mistake in the settings file; while there is one, no run can be started."""
        self._store = store
        self.memory = Memory(store)
        self.search = Search(store)

    _journal: Journal

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What fails at the moment."""
        raise NotImplementedError

    def check_config(self) -> None:
        """Raise the mistake in the settings file, if there is one."""
        if self.config_error:
            raise self.config_error

    async def find(self, name: str) -> Run:
        """Give the run that a name means."""
        raise NotImplementedError

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        """Check a wish for a run."""
        raise NotImplementedError

    async def _change(
        self, run: str, decide: Callable[[Run], Sequence[Body]], ask: Ask | None = None
    ) -> Run:
        raise NotImplementedError

    @cached_property
    def doctor(self) -> Doctor:
        """What runs need, looked at."""
        from engine.doctor import Doctor

        return Doctor(self.paths, self.config, self._store, lambda: self.faults)

    @cached_property
    def workspaces(self) -> Workspaces:
        """The folders agents work in."""
        from engine.workspaces import Workspaces

        return Workspaces(self.paths, self.find, self._change)

    @cached_property
    def trust(self) -> Trust:
        """What of repositories the user has trusted."""
        from engine.trust import Trust

        return Trust(self._store, self.config)

    @cached_property
    def templates(self) -> Templates:
        """The run templates."""
        from engine.templates import Templates

        return Templates(self.paths, self._store, self.trust, self.config.watchdog)

    @cached_property
    def disk(self) -> Disk:
        """What takes room, and how to get it back."""
        from engine.disk import Disk

        return Disk(self.paths, self.config, self._store, self._change, self.check_config)

    @cached_property
    def sources(self) -> Sources:
        """Where workspaces may come from."""
        from engine.sources import Sources

        return Sources(self.paths, self.find)

    @cached_property
    def patterns(self) -> Patterns:
        """What worked, to learn from."""
        from engine.patterns import Patterns

        return Patterns(self.paths, self._store, self.find)

    @cached_property
    def notifications(self) -> Notifications:
        """Who is told of what, and what came of it."""
        from engine.notifications import Notifications

        return Notifications(self.config, self._store)

    @cached_property
    def swarms(self) -> Swarms:
        """Runs launched together."""
        from engine.swarms import Swarms

        return Swarms(
            self.paths,
            self._store,
            self._journal,
            self.templates,
            self.trust,
            self.sources,
            self.check,
        )
