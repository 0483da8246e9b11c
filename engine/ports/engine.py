"""The calls by which the dashboard and the command line use an engine, as protocols.

`Engine` implements them, and so does the engine of the dashboard's tests: one contract test runs
the same calls against both (`tests/tui/test_engine_port.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from engine.domain.activity import ALL, Steps
from engine.domain.interaction import DeliveryTime, ModeChange
from engine.domain.kinds import USUAL, EventKind
from engine.domain.run_mode import UNCHANGED
from engine.ports.run_list import RunListPort

if TYPE_CHECKING:
    from engine.config.preferences import Preferences
    from engine.config.settings import Config
    from engine.domain.approval_rules import ApprovalRule
    from engine.domain.errors import UserError
    from engine.domain.events import Event
    from engine.domain.interaction import InputRequest, RequestAnswer
    from engine.domain.live import LiveReport
    from engine.domain.model import Pause, Run, RunSpec
    from engine.domain.projection import View
    from engine.domain.radar import OverlapDetector
    from engine.domain.start_key import StartKey
    from engine.execution.bus import EventStream
    from engine.execution.executor import AttemptFile, AttemptRef
    from engine.execution.task_tree import TaskTree
    from engine.ports.cluster import NodesPort
    from engine.ports.queue_pace import QueuePacePort
    from engine.ports.review import (
        AnnotationsPort,
        CommentsPort,
        ForgettingPort,
        ForksPort,
        PullRequestsPort,
        PushesPort,
        ThreadsPort,
        UpdatesPort,
    )
    from engine.ports.services import (
        ApiTokensPort,
        BatchesPort,
        DoctorPort,
        LoginsPort,
        NotificationsPort,
        PatternsPort,
        SearchPort,
        TemplatesPort,
        TrustPort,
    )
    from engine.ports.usage import UsagePort
    from engine.ports.workspaces import DiskPort, SourcesPort, WorkspacesPort


class HistoryPort(Protocol):
    """The stored events of a run, or of all runs as one stream, each with its number."""

    run: str | None
    kind: EventKind

    async def page(
        self, *, after: int = 0, before: int | None = None, limit: int
    ) -> list[tuple[int, Event]]:
        """Return the first events numbered above `after`, or the last ones below `before`."""
        ...

    async def matching(self, text: str, *, above: int, upto: int) -> list[int]:
        """Return the numbers of the events that contain `text`."""
        ...

    async def last(self) -> int:
        """Return the number of the newest event of any kind; 0 where there is none."""
        ...

    async def times(self, limit: int) -> list[float]:
        """Return when the latest `limit` events of a run happened, the newest first."""
        ...


class LiveReportsPort(Protocol):
    """The live reports of a run's attempt, which may be lost and are never stored."""

    async def read(self) -> list[LiveReport]:
        """Return the new reports, oldest first; raises OSError."""
        ...


class MonitorPort(Protocol):
    """Monitor of the process that supervises the runs."""

    problem: str
    """Reason why the runs are not supervised, in words; empty while they are."""
    since: float | None
    """Until when they were supervised, in seconds since 1970; None while they are."""


class RunsPort(RunListPort, Protocol):
    """Runs as they are, and requests for them; requests raise `UserError`."""

    view: View
    """All runs as they are now; faces only read it."""

    @property
    def slots(self) -> int:
        """The number of runs that may be active at a time."""
        ...

    @property
    def queue_pace(self) -> QueuePacePort:
        """The accounts that may start no run, to keep a reserve or to spread starts."""
        ...

    def batches(self, interval_s: float = 0.05) -> EventStream:
        """Return the events from now on, at most one batch every `interval_s` seconds."""
        ...

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """Return a run's events in order: after `after`, or the last ones before `before`."""
        ...

    def history(self, run: str | None, kind: EventKind = USUAL) -> HistoryPort:
        """Return the stored events of a run, or of all runs as one stream."""
        ...

    async def radar(self) -> OverlapDetector:
        """Return which of the latest runs change the same lines."""
        ...

    async def find_overlaps(self) -> None:
        """Find the overlaps of runs from now on."""
        ...

    async def read_attempt(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        """Return a file that an attempt left, from its host; None if missing. Raises OSError."""
        ...

    def live_output(self, run: Run) -> LiveReportsPort | None:
        """Return the live reports of a run, read while it works; None where there are none."""
        ...

    def position(self, run: str) -> int | None:
        """Return a queued run's place in the queue, from 1."""
        ...

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        """Check a request for a run, and return it complete."""
        ...

    async def start(self, spec: RunSpec, key: StartKey | None = None) -> Run:
        """Check a request, then queue a run; at most one for each key."""
        ...

    async def answer(self, run: str, answered: RequestAnswer) -> Run:
        """Answer an open request of a run; raises `UserError` where it is not open any more."""
        ...

    async def answer_all(
        self, answers: Sequence[tuple[str, RequestAnswer]]
    ) -> list[Run | UserError]:
        """Answer open requests of runs in one step; returns for each the run, or the error."""
        ...

    async def rules(self) -> list[ApprovalRule]:
        """Return the approval rules with their uses."""
        ...

    async def add_rule(self, rule: ApprovalRule) -> ApprovalRule:
        """Add a rule, and return it with its id; it also answers equal requests that are open."""
        ...

    async def remove_rule(self, rule: str) -> ApprovalRule:
        """Remove a rule by its id: from the next request on; raises RULE_NOT_FOUND."""
        ...

    def possible_rules(self, run: Run, request: InputRequest) -> list[ApprovalRule]:
        """Return the rules that could answer requests like this one, the narrowest first."""
        ...

    async def send(self, run: str, text: str, delivery: DeliveryTime = DeliveryTime.NOW) -> Run:
        """Send a message to the agent of a run; one that has ended goes on with it."""
        ...

    async def withdraw(self, run: str, message: str) -> Run:
        """Withdraw a message to the agent by its id; raises MESSAGE_NOT_PENDING."""
        ...

    async def interrupt(self, run: str, text: str = "") -> Run:
        """End the turn of a run's agent; with a text, it goes on with that at once."""
        ...

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Request the end of a run; raises RUN_NOT_CANCELLABLE where it has ended."""
        ...

    async def cancel_all(
        self, runs: Iterable[str], *, kill: bool = False, children: bool = False, work: Steps = ALL
    ) -> list[Run]:
        """Cancel those of the runs that can be, in parts; return their new state.

        With `children`, all runs below them are cancelled, too.
        """
        ...

    async def retry(
        self,
        run: str,
        *,
        prompt: str | None = None,
        fresh: bool = False,
        change: ModeChange = UNCHANGED,
    ) -> Run:
        """Queue a finished run's next attempt; raises RUN_NOT_RETRYABLE before its end."""
        ...

    async def resume(self, run: str, message: str, change: ModeChange = UNCHANGED) -> Run:
        """Continue a finished run's thread with a message."""
        ...

    async def set_slots(self, slots: int) -> None:
        """Allow `slots` runs at a time."""
        ...

    async def set_pause(self, pause: Pause | None) -> None:
        """Stop starting runs, or with None, continue."""
        ...

    async def settle(self) -> None:
        """Wait until no run is queued or active."""
        ...


class EnginePort(RunsPort, Protocol):
    """An engine as the dashboard uses it: the runs, its services, and its own state."""

    memory: Preferences
    tasks: TaskTree
    """All long-lived tasks of this engine, and of the face that has it open."""

    @property
    def config(self) -> Config:
        """The settings."""
        ...

    @property
    def lookout(self) -> MonitorPort:
        """Monitor of the supervising process, where that is not this one."""
        ...

    @property
    def supervises(self) -> bool:
        """Return whether this engine, and no other, runs what is queued."""
        ...

    def check_works(self) -> None:
        """Raise `UserError` if this engine can no longer do what it was opened for."""
        ...

    async def is_needed(self) -> bool:
        """Return whether the supervisor has something left to do: a run, or a message."""
        ...

    async def stop_supervising(self) -> None:
        """Leave the supervision of runs to another process."""
        ...

    def supervise_again(self) -> None:
        """Supervise as soon as no other process does."""
        ...

    @property
    def workspaces(self) -> WorkspacesPort:
        """The folders in which agents work."""
        ...

    @property
    def annotations(self) -> AnnotationsPort:
        """State of runs that the user sets: tags, notes, dismissed and archived."""
        ...

    @property
    def comments(self) -> CommentsPort:
        """Comments of the user on the changes of runs."""
        ...

    @property
    def pushes(self) -> PushesPort:
        """Pushes of runs' branches to a remote."""
        ...

    @property
    def threads(self) -> ThreadsPort:
        """Threads of runs, opened in their agent's own program."""
        ...

    @property
    def pull_requests(self) -> PullRequestsPort:
        """Pull requests of runs."""
        ...

    @property
    def forks(self) -> ForksPort:
        """New runs on copies of another run's workspace and thread."""
        ...

    @property
    def forgetting(self) -> ForgettingPort:
        """The removal of runs with all that belongs to them."""
        ...

    @property
    def updates(self) -> UpdatesPort:
        """Updates of workspaces onto the newest commit of their base."""
        ...

    @property
    def sources(self) -> SourcesPort:
        """The possible sources of workspaces."""
        ...

    @property
    def usage(self) -> UsagePort:
        """Usage of all runs and other sessions, and the limits."""
        ...

    @property
    def disk(self) -> DiskPort:
        """Disk usage, and how to free space."""
        ...

    @property
    def cluster(self) -> NodesPort:
        """The nodes of the cluster."""
        ...

    @property
    def templates(self) -> TemplatesPort:
        """The run templates."""
        ...

    @property
    def swarms(self) -> BatchesPort:
        """Runs started together."""
        ...

    @property
    def patterns(self) -> PatternsPort:
        """Patterns of what worked."""
        ...

    @property
    def notifications(self) -> NotificationsPort:
        """Receivers of notifications, and their deliveries."""
        ...

    @property
    def api_tokens(self) -> ApiTokensPort:
        """The tokens of clients of the API."""
        ...

    @property
    def trust(self) -> TrustPort:
        """The repositories' files that the user has trusted."""
        ...

    @property
    def logins(self) -> LoginsPort:
        """The logins of agents."""
        ...

    @property
    def doctor(self) -> DoctorPort:
        """Diagnosis of all that runs need."""
        ...

    @property
    def search(self) -> SearchPort:
        """Search in the history of all runs."""
        ...
