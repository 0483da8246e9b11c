"""An engine without processes or disk: tests say what happens, and see what was asked."""

# It reaches into private parts of the dashboard and of Textual.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fake_cluster import FakeCluster
from fake_history import ListHistory
from fake_services import (
    FakeAnnotations,
    FakeApiTokens,
    FakeBatches,
    FakeComments,
    FakeCosts,
    FakeDisk,
    FakeForgetting,
    FakeForks,
    FakePatterns,
    FakePullRequests,
    FakePushes,
    FakeQueuePace,
    FakeTemplates,
    FakeThreads,
    FakeWorkspaces,
)
from fake_updates import FakeUpdates
from fake_usage import FakeUsage
from textual.pilot import Pilot
from textual.widget import Widget

from engine.config.paths import Paths
from engine.config.preferences import Preferences
from engine.config.settings import Config, UiSettings
from engine.domain import approval_rules, lifecycle, requests, rule_matching
from engine.domain.activity import ALL, Steps
from engine.domain.approval_rules import ApprovalRule
from engine.domain.children import descendants
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.fault import Fault
from engine.domain.interaction import DeliveryTime, InputRequest, ModeChange, RequestAnswer
from engine.domain.kinds import USUAL, EventKind
from engine.domain.live import LiveReport
from engine.domain.messages import Delivery, DeliveryResult, DeliveryState
from engine.domain.model import Agent, Pause, Run, RunSpec, Status, WorkspaceSpec
from engine.domain.projection import View
from engine.domain.radar import OverlapDetector
from engine.domain.run_mode import UNCHANGED
from engine.domain.run_names import shortest_ends
from engine.domain.search import SearchHit, SearchResult, words
from engine.domain.stamp import stamp
from engine.engine import (
    ApplyResult,
    Changes,
    CheckHealth,
    Checkpoint,
    Consent,
    DiskSpace,
    EventBatch,
    EventStream,
    Finding,
    ReceiverStatus,
    SourceInfo,
    TreeEntry,
)
from engine.execution.bus import EventBus
from engine.execution.executor import AttemptFile, AttemptRef
from engine.execution.task_tree import TaskTree
from engine.patterns.service import Patterns
from engine.templates.service import Templates
from tui.app import SwarmApp
from tui.commands.command_line import CommandNames
from tui.screens.runs import RunsScreen
from tui.widgets.base.throttle import FLUSH_S, Throttle

S = Status
WIDE, NARROW = (120, 40), (80, 24)
NOW = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC
LIMIT_S = 60
MOMENTS = 200


class FakeLogins:
    """Every account is logged in."""

    async def require_account(self, account: str) -> None:
        del account


class FakeDoctor:
    """Finds what tests tell it to."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.left: list[str] = []
        self.left_on_disk: DiskSpace | None = DiskSpace(84 * 1024**3, is_low=False)

    async def space(self) -> DiskSpace | None:
        return self.left_on_disk

    async def examine(
        self,
        program: str | None = None,
        told: Callable[[Sequence[Finding]], object] = lambda _: None,
    ) -> list[Finding]:
        if self.left:
            words = f"{len(self.left)} runs that have ended left processes alive."
            return [*self.findings, Finding("orphans", CheckHealth.WARNING, words, "Use the line.")]
        return [*self.findings, Finding("orphans", CheckHealth.OK, "no processes are left")]

    async def orphans(self) -> list[str]:
        return self.left

    async def end_orphans(self) -> int:
        count, self.left = len(self.left), []
        return count


class FakeTrust:
    """Asks what tests tell it to, until it is given."""

    def __init__(self) -> None:
        self.consent: Consent | None = None
        self.given: list[Consent] = []

    async def asked(self, spec: RunSpec) -> Consent | None:
        return None if spec.with_setup is False else self.consent

    async def grant(self, consent: Consent) -> None:
        self.given.append(consent)
        self.consent = None


class FakeSources:
    """Knows what tests tell it of the folder to work from."""

    def __init__(self) -> None:
        self.source: SourceInfo | None = None
        self.names: list[str] = []

    async def inspect(self, spec: WorkspaceSpec) -> SourceInfo | None:
        return self.source

    async def files(self, spec: WorkspaceSpec) -> list[str]:
        return self.names

    async def refs(self, spec: WorkspaceSpec) -> list[tuple[str, str]]:
        return []


class FakeSettings:
    """Keeps settings as long as the test runs."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def settings(self) -> dict[str, str]:
        return self.kept

    async def change_setting(self, name: str, decide: Callable[[str | None], str | None]) -> None:
        self.kept[name] = decide(self.kept.get(name)) or ""


class FakeNotifications:
    """Tells what tests tell it to."""

    def __init__(self, asked: list[tuple[str, str]]) -> None:
        self.found: list[ReceiverStatus] = []
        self.told: list[Delivery] = []
        self.refusal: UserError | None = None
        self.has_written = False
        self._asked = asked

    async def receivers(self) -> list[ReceiverStatus]:
        return self.found

    async def deliveries(
        self, *, receiver: str | None = None, states: Iterable[DeliveryState] = (), limit: int = -1
    ) -> list[Delivery]:
        return [
            one
            for one in self.told
            if receiver in (None, one.receiver) and (not states or one.state in states)
        ]

    async def test(self, name: str) -> DeliveryResult:
        if self.refusal:
            raise self.refusal
        self._asked.append(("test", name))
        return DeliveryResult("200 OK", 200, 0.1)

    async def retry(self, name: str | None = None, message: str | None = None) -> int:
        self._asked.append(("again", f"{name} {message}"))
        return 1


class FakeSearch:
    """Finds the events, and the prompts, in which all the words are; remembers what was asked."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.asked: list[tuple[str, str | None, list[str]]] = []
        self.behind = 0

    async def find(
        self,
        text: str,
        *,
        project: str | None = None,
        statuses: Sequence[str] = (),
        limit: int = 50,
        as_typed: bool = False,
        patience_s: float = 1.0,
    ) -> SearchResult:
        self.asked.append((text, project, list(statuses)))
        wanted = [word.text for word in words(text)]
        hits = [
            hit
            for event in reversed(self._engine._all)
            if (hit := self._hit(event, wanted)) and hit.status in (statuses or [hit.status])
        ]
        return SearchResult(tuple(hits), behind=self.behind)

    def _hit(self, event: Event, wanted: list[str]) -> SearchHit | None:
        run = self._engine.view.runs[event.run]
        body = event.body
        text = run.spec.prompt if event.seq == 1 else getattr(body, "text", "") or ""
        if not all(word in text for word in wanted):
            return None
        what = "prompt" if event.seq == 1 else getattr(body, "kind", body.type)
        marks = tuple((text.index(word), text.index(word) + len(word)) for word in wanted)
        spec = run.spec
        at, seq = event.at, event.seq
        return SearchHit(run.id, spec.title, spec.project, run.status, seq, at, what, text, marks)


class FakeLive:
    """Reports what tests say, each once."""

    def __init__(self) -> None:
        self.reports: list[LiveReport] = []
        self.failure: OSError | None = None
        self.reads = 0
        self.watched: list[str] = []
        """The runs whose live reports were asked for."""

    async def read(self) -> list[LiveReport]:
        self.reads += 1
        if self.failure:
            raise self.failure
        found, self.reports = self.reports, []
        return found


class FakeEngine:
    """Has the engine's door; with `is_slow` it takes requests and says nothing of them yet."""

    supervises = True
    unsaved_words: tuple[str, ...] = ()
    pause: Pause | None = None
    logins = FakeLogins()
    _approval_rules: tuple[ApprovalRule, ...] = ()

    def __init__(self, ui: UiSettings | None = None) -> None:
        self.view = View()
        self.config = Config(slots=4, ui=ui or UiSettings())
        self.slots = 4
        self.queue_pace = FakeQueuePace()
        self.doctor = FakeDoctor()
        self.trust = FakeTrust()
        self.workspaces = FakeWorkspaces(self)
        self.disk = FakeDisk()
        self.swarms = FakeBatches()
        self.sources = FakeSources()
        self.memory = Preferences(FakeSettings())
        self.search = FakeSearch(self)
        self.patterns: Patterns | FakePatterns = FakePatterns()
        self.templates: Templates | FakeTemplates = FakeTemplates()
        self.now = NOW
        self.asked: list[tuple[str, str]] = []
        self.notifications = FakeNotifications(self.asked)
        self.is_slow = False
        self.refusal: UserError | None = None
        self.folders: dict[str, list[TreeEntry]] = {}
        self.paths = Paths(Path("/home/you/.swarm"), Path("/home/you/config.yaml"))
        self.outcomes: dict[str, ApplyResult] = {}
        self.points: list[Checkpoint] = []
        self.measured: Changes | None = None
        self._events: dict[str, list[Event]] = {}
        self._all: list[Event] = []
        self._bus = EventBus()
        self.tasks = TaskTree()
        self.faults: tuple[Fault, ...] = ()
        self.lookout = SimpleNamespace(problem="", since=None)

    @property
    def annotations(self) -> FakeAnnotations:
        return FakeAnnotations(self)

    @cached_property
    def api_tokens(self) -> FakeApiTokens:
        """Tokens of clients of the API."""
        return FakeApiTokens()

    @cached_property
    def live(self) -> FakeLive:
        """The live reports of all interactive runs at work."""
        return FakeLive()

    @cached_property
    def costs(self) -> FakeCosts:
        """Costs of runs, as a test has put them."""
        return FakeCosts()

    @cached_property
    def cluster(self) -> FakeCluster:
        """The cluster, as a test has put it."""
        return FakeCluster()

    @cached_property
    def updates(self) -> FakeUpdates:
        """Updates of workspaces, as a test has put them."""
        return FakeUpdates(self)

    @cached_property
    def usage(self) -> FakeUsage:
        """Usage, as a test has put it."""
        return FakeUsage()

    @property
    def pushes(self) -> FakePushes:
        return FakePushes()

    @property
    def threads(self) -> FakeThreads:
        return FakeThreads(self)

    @property
    def pull_requests(self) -> FakePullRequests:
        return FakePullRequests(self)

    @cached_property
    def comments(self) -> FakeComments:
        return FakeComments(self)

    @property
    def forks(self) -> FakeForks:
        return FakeForks(self)

    @property
    def forgetting(self) -> FakeForgetting:
        return FakeForgetting(self)

    # What tests say

    def forget(self, *runs: str) -> None:
        """Any process forgets runs."""
        ends = self.view.remove(runs, self.now)
        self._bus.publish(ends, {event.run for event in ends})
        for run in runs:
            self._events[run] = []

    def add(
        self,
        run_id: str,
        title: str,
        *,
        agent: Agent = Agent.CODEX,
        project: str = "demo",
        batch: str | None = None,
        prompt: str = "",
        after: tuple[str, ...] = (),
        interactive: bool = False,
        parent: str | None = None,
    ) -> None:
        """A run is queued."""
        above = (*self.view.runs[parent].spec.ancestors, parent) if parent else ()
        family = {"parent": parent, "ancestors": above}
        said = {"title": title, "project": project, "agent": agent, "batch": batch}
        said |= {"interactive": interactive, **family}
        spec = RunSpec(prompt=prompt or f"Please {title}", after=after, **said)
        self._create(run_id, spec)

    def happen(self, run_id: str, *bodies: Body, after_s: float = 0) -> None:
        """Something happens to a run."""
        self.now += after_s
        before = self.view.runs[run_id]
        if before.workspace and before.baseline is None:
            before = replace(before, baseline=True)
        events, run = stamp(before, bodies, self.now)
        changed = self.view.put(run)
        self._events[run_id] += events
        self._all += events
        self._bus.publish(events, changed)

    def pass_through(self, run_id: str, *statuses: Status) -> None:
        """A run goes from status to status."""
        for status in statuses:
            self.happen(run_id, StatusChanged(status))

    def _create(self, run_id: str, spec: RunSpec) -> None:
        self._events[run_id] = []
        self.view.put(Run(id=run_id, spec=spec, created_at=self.now, queued_at=self.now))
        self.happen(run_id, StatusChanged(Status.QUEUED), after_s=1)

    # The engine's door

    def batches(self, interval_s: float = 0.05) -> EventStream:
        return self._bus.batches(0)

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        found = [
            event
            for event in self._events[run]
            if event.seq > after
            and (before is None or event.seq < before)
            and (not kinds or event.body.type in kinds)
        ]
        if limit < 0:
            return found
        return found[-limit:] if before is not None else found[:limit]

    def history(self, run: str | None, kind: EventKind = USUAL) -> ListHistory:
        return ListHistory(run, kind, self._events[run] if run else self._all)

    async def find_overlaps(self) -> None:
        await asyncio.Event().wait()

    def position(self, run: str) -> int | None:
        return next((i for i, r in enumerate(self.view.queue(), 1) if r.id == run), None)

    async def runs(
        self,
        *,
        ids: Iterable[str] = (),
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        below: str | None = None,
        like: str = "",
        older_than: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        wanted, named = set(statuses), set(ids)
        found = [
            run
            for run in reversed(self.view.runs.values())
            if (not wanted or run.status in wanted)
            and (not named or run.id in named)
            and (run.id.startswith(like) or run.id.endswith(like))
            and project in (None, run.spec.project)
            and batch in (None, run.spec.batch)
            and (below is None or below in run.spec.ancestors)
            and (older_than is None or run.id < older_than)
        ]
        return found if limit < 0 else found[:limit]

    async def radar(self) -> OverlapDetector:
        return self.view.radar

    async def find(self, name: str) -> Run:
        found = await self.runs()
        if name == "@last" and found:
            return found[0]
        starts = [run for run in found if run.id.startswith(name)]
        found = starts or [run for run in found if run.id.endswith(name)]
        if len(found) != 1:
            raise user_error("RUN_AMBIGUOUS" if found else "RUN_NOT_FOUND")
        return found[0]

    async def shortest_ends(self, runs: Iterable[str]) -> dict[str, str]:
        return shortest_ends(runs, self.view.runs)

    async def read_attempt(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        await self.find(ref.run)
        return None

    def live_output(self, run: Run) -> FakeLive | None:
        if run.status is not Status.RUNNING or not run.is_interactive:
            return None
        self.live.watched.append(run.id)
        return self.live

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        if self.refusal:
            raise self.refusal
        return spec

    async def start(self, spec: RunSpec, key: object = None) -> Run:
        self.asked.append(("start", spec.title))
        if self.refusal:
            raise self.refusal
        run_id = f"new{len(self.asked)}"
        self._create(run_id, spec)
        return self.view.runs[run_id]

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        self.asked.append(("kill" if kill else "cancel", run))
        status = self.view.runs[run].status
        if self.refusal or status not in lifecycle.CANCELLABLE:
            raise self.refusal or user_error("RUN_NOT_CANCELLABLE")
        if not self.is_slow:
            waits = status is Status.QUEUED
            ways = (Status.CANCELLED,) if waits else (Status.CANCELLING, Status.CANCELLED)
            self.pass_through(run, *ways)
        return self.view.runs[run]

    async def cancel_all(
        self, runs: Iterable[str], *, kill: bool = False, children: bool = False, work: Steps = ALL
    ) -> list[Run]:
        wanted = list(runs)
        if children:
            below = descendants(self.view.runs.values(), wanted)
            wanted = list(dict.fromkeys((*wanted, *(run.id for run in below))))
        can_be = [run for run in wanted if self.view.runs[run].status in lifecycle.CANCELLABLE]
        done: list[Run] = []
        for run in can_be:
            if work.stop():
                break
            done.append(await self.cancel(run, kill=kill))
            work.told(len(done), len(can_be))
        return done

    async def retry(
        self,
        run: str,
        *,
        prompt: str | None = None,
        fresh: bool = False,
        change: ModeChange = UNCHANGED,
    ) -> Run:
        self.asked.append((f"retry{' fresh' if fresh else ''}", run))
        if prompt is not None:
            self.asked[-1] = ("edit", f"{run}: {prompt}")
        if change.interactive is not None:
            self.asked.append(("interactive" if change.interactive else "exec", run))
        return self._again(run)

    async def answer(self, run: str, answered: RequestAnswer) -> Run:
        self.asked.append(("answer", run))
        self.happen(run, *requests.answer(self.view.runs[run], answered, "message:1"))
        return self.view.runs[run]

    async def answer_all(
        self, answers: Sequence[tuple[str, RequestAnswer]]
    ) -> list[Run | UserError]:
        done: list[Run | UserError] = []
        for run, answered in answers:
            try:
                done.append(await self.answer(run, answered))
            except UserError as error:
                done.append(error)
        return done

    async def rules(self) -> list[ApprovalRule]:
        return list(self._approval_rules)

    async def add_rule(self, rule: ApprovalRule) -> ApprovalRule:
        rule_matching.check(rule)
        added = replace(rule, id=f"r{len(self.asked)}", made_at=NOW)
        self.asked.append(("add_rule", rule.words))
        self._approval_rules += (added,)
        return added

    async def remove_rule(self, rule: str) -> ApprovalRule:
        found = approval_rules.find(self._approval_rules, rule)
        if isinstance(found, UserError):
            raise found
        self.asked.append(("remove_rule", rule))
        self._approval_rules = tuple(one for one in self._approval_rules if one != found)
        return found

    def possible_rules(self, run: Run, request: InputRequest) -> list[ApprovalRule]:
        return rule_matching.possible(run, request)

    async def send(self, run: str, text: str, delivery: DeliveryTime = DeliveryTime.NOW) -> Run:
        self.asked.append(("send", run))
        if self.view.runs[run].status in lifecycle.FINISHED:
            return await self.resume(run, text)
        if self.refusal:
            raise self.refusal
        message = f"message:{len(self.asked)}"
        self.happen(run, *requests.send(self.view.runs[run], message, text, delivery))
        return self.view.runs[run]

    async def withdraw(self, run: str, message: str) -> Run:
        self.asked.append(("withdraw", run))
        self.happen(run, *requests.withdraw(self.view.runs[run], message))
        return self.view.runs[run]

    async def interrupt(self, run: str, text: str = "") -> Run:
        self.asked.append(("interrupt", run))
        message = f"message:{len(self.asked)}"
        self.happen(run, *requests.interrupt(self.view.runs[run], "interrupt:1", message, text))
        return self.view.runs[run]

    async def resume(self, run: str, message: str, change: ModeChange = UNCHANGED) -> Run:
        self.asked.append(("resume", f"{run}: {message}"))
        if change.interactive is not None:
            self.asked.append(("interactive" if change.interactive else "exec", run))
        return self._again(run)

    def _again(self, run: str) -> Run:
        if self.refusal:
            raise self.refusal
        if self.view.runs[run].status not in lifecycle.FINISHED:
            raise user_error("RUN_NOT_RETRYABLE")
        if not self.is_slow:
            self.pass_through(run, Status.QUEUED)
        return self.view.runs[run]

    async def set_slots(self, slots: int) -> None:
        await asyncio.sleep(0)
        if not 1 <= slots <= 1000:
            raise user_error("INPUT_INVALID", "Slots must be between 1 and 1000.")
        self.slots = slots
        self._bus.publish((), ())

    async def set_pause(self, pause: Pause | None) -> None:
        await asyncio.sleep(0)
        self.pause = pause
        self._bus.publish((), ())

    def check_works(self) -> None:
        return

    async def is_needed(self) -> bool:
        return bool(self.view.live)

    async def stop_supervising(self) -> None:
        self.supervises = False

    def supervise_again(self) -> None:
        self.supervises = True

    async def settle(self) -> None:
        assert all(run.status in lifecycle.FINISHED for run in self.view.runs.values())


def app_on(engine: FakeEngine, command_line: CommandNames = tuple) -> SwarmApp:
    """The dashboard on a fake engine, its clock standing still between events."""
    return SwarmApp(engine, clock=lambda: engine.now, command_line=command_line)


def screen_of(app: SwarmApp) -> RunsScreen:
    """The main screen, whatever dialog is above it."""
    assert isinstance(app.live_screen, RunsScreen)
    return app.live_screen


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait until `is_so`, looking again after each batch the screen has taken in."""
    while not is_so():
        await taken(pilot)
    await painted(pilot)


async def taken(pilot: Pilot[None]) -> None:
    """Wait until the screen has taken in the next batch, and shows it."""
    screen = screen_of(cast(SwarmApp, pilot.app))
    done = asyncio.Event()
    take = screen.take

    def watched(batch: EventBatch) -> None:
        take(batch)
        done.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screen, "take", watched)
        async with asyncio.timeout(LIMIT_S):
            await done.wait()
    await painted(pilot)


async def painted(pilot: Pilot[None]) -> None:
    """Wait until the screen shows what is known; a moment, where there is always something new."""
    app = cast(SwarmApp, pilot.app)
    for _ in range(MOMENTS):
        if not _is_behind(app):
            break
        await pilot.pause(FLUSH_S / 10)
    await pilot.pause()


def _is_behind(app: SwarmApp) -> bool:
    """Return whether a batch waits for the screen, or a widget for its turn to paint."""
    pace_s = 0 if isinstance(app.engine, FakeEngine) else FLUSH_S
    batches = [each for each in app.engine._bus._listeners if each._interval_s == pace_s]
    widgets = [widget for screen in app.screen_stack for widget in screen.walk_children()]
    return any(each._ready.is_set() for each in batches) or any(map(_is_late, widgets))


def _is_late(widget: Widget) -> bool:
    """Return whether a widget paints what it knows only when its pace lets it."""
    pace = getattr(widget, "_pace", None)
    return isinstance(pace, Throttle) and pace._is_due


def shown(app: SwarmApp) -> str:
    """Everything the screen shows, as text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines)


def plain(app: SwarmApp) -> str:
    """What the screen shows as one line of words, without the lines around them."""
    return " ".join(word for word in shown(app).split() if not set(word) & set("│─╭╮╰╯"))


def four_runs(ui: UiSettings | None = None) -> FakeEngine:
    """Four runs: succeeded, failed, running and, the newest, queued."""
    engine = FakeEngine(ui)
    engine.add("a1", "Write the docs")
    engine.pass_through("a1", S.PREPARING, S.RUNNING, S.SUCCEEDED)
    engine.add("b2", "Fix the parser", project="parser")
    engine.pass_through("b2", S.PREPARING, S.RUNNING, S.FAILED)
    engine.add("c3", "Port the tests", agent=Agent.SIMULATED)
    engine.pass_through("c3", S.PREPARING, S.RUNNING)
    engine.add("d4", "Tidy up")
    return engine


def listed(app: SwarmApp) -> list[str]:
    return [run.id for run in screen_of(app).panes.run_list.runs]


def chosen(app: SwarmApp) -> str | None:
    return screen_of(app).panes.chosen.run_id


async def choose(pilot: Pilot[None], run_id: str) -> None:
    assert isinstance(pilot.app, SwarmApp)
    assert screen_of(pilot.app).panes.run_list.move_to(run_id)
    await pilot.pause()


def toasts(app: SwarmApp) -> list[str]:
    return [f"{toast.title} {toast.message}" for toast in app._notifications]
