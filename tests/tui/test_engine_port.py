"""The same calls against the engine and against the one of the dashboard's tests."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from fake_engine import FakeEngine
from support import LIMIT_S, quick, spec

from engine.config.paths import Paths
from engine.disk.cleanup_plan import CleanupFilter, CleanupPlan
from engine.domain.api_token import Scope
from engine.domain.approval_rules import RuleScope
from engine.domain.comment_text import UnsavedComment
from engine.domain.errors import UserError
from engine.domain.interaction import (
    Decision,
    InputRequest,
    RequestAnswer,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Pause, Status, WorkspaceSpec
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.usage import UsageQuery, UsageReport
from engine.engine import AttemptFile, AttemptRef, Engine
from engine.ports.cluster import NodesPort
from engine.ports.engine import EnginePort, HistoryPort, MonitorPort
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
from engine.ports.usage import CostsPort, UsagePort
from engine.ports.workspaces import DiskPort, SourcesPort, WorkspacesPort


@asynccontextmanager
async def real(paths: Paths) -> AsyncGenerator[EnginePort]:
    async with Engine.open(paths, quick()) as engine:
        yield engine


@asynccontextmanager
async def fake(_paths: Paths) -> AsyncGenerator[EnginePort]:
    yield cast("EnginePort", FakeEngine())


@pytest.fixture(params=[real, fake], ids=["engine", "fake"])
async def port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[EnginePort]:
    """An engine that nobody supervises: what is queued stays queued."""
    folder = tmp_path_factory.mktemp("port")
    async with request.param(Paths(folder / "home", folder / "config.yaml")) as engine:
        yield engine


async def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error that a call raises."""
    with pytest.raises(UserError) as caught:
        await call()  # pyright: ignore[reportGeneralTypeIssues]  # every call here is a coroutine
    return caught.value.code


async def test_a_started_run_is_queued_and_followed(port: EnginePort) -> None:
    stream = port.batches(0)
    wanted = await port.check(spec("say one", title="One"))
    first, second = await port.start(wanted), await port.start(spec("say two", title="Two"))
    async with asyncio.timeout(LIMIT_S):
        while not port.view.runs.keys() >= {first.id, second.id}:
            await anext(stream)
    assert [port.view.runs[run.id].spec.title for run in (first, second)] == ["One", "Two"]
    assert first.status is Status.QUEUED
    assert [port.position(run.id) for run in (first, second)] == [1, 2]
    assert port.position("unknown") is None


async def test_the_events_of_a_run_are_selected_alike(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    await port.cancel(run.id)
    found = await port.events(run.id)
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    assert [event.body.type for event in found] == ["status", "status"]
    assert await port.events(run.id, after=1) == found[1:]
    assert await port.events(run.id, limit=1) == found[:1]
    assert await port.events(run.id, before=3, limit=1) == found[-1:]
    assert await port.events(run.id, kinds=["status"]) == found
    assert await port.events(run.id, kinds=["message"]) == []


async def test_requests_that_do_not_fit_a_run_are_refused_alike(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    assert await code_of(lambda: port.retry(run.id)) == "RUN_NOT_RETRYABLE"
    assert await code_of(lambda: port.resume(run.id, "go on")) == "RUN_NOT_RETRYABLE"
    assert await code_of(lambda: port.send(run.id, "go on")) == "RUN_NOT_INTERACTIVE"
    assert await code_of(lambda: port.interrupt(run.id)) == "RUN_NOT_INTERACTIVE"
    answered = RequestAnswer(run.attempt, "0", "", Decision.APPROVE)
    assert await code_of(lambda: port.answer(run.id, answered)) == "REQUEST_NOT_PENDING"
    assert (await port.cancel(run.id)).status is Status.CANCELLED
    assert await code_of(lambda: port.cancel(run.id)) == "RUN_NOT_CANCELLABLE"
    assert (await port.retry(run.id)).status is Status.QUEUED
    assert (await port.cancel(run.id, kill=True)).status is Status.CANCELLED
    assert (await port.retry(run.id, prompt="sim: say y", fresh=True)).status is Status.QUEUED


async def test_answers_in_bulk_fail_each_by_itself(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    answered = RequestAnswer(run.attempt, "0", "", Decision.APPROVE)
    done = await port.answer_all([(run.id, answered), (run.id, answered)])
    assert [one.code for one in done if isinstance(one, UserError)] == ["REQUEST_NOT_PENDING"] * 2
    assert await port.answer_all([]) == []


async def test_approval_rules_are_kept_alike(port: EnginePort) -> None:
    request = InputRequest(
        "0", RequestPhase.RAISED, RequestKind.COMMAND, subject=("bash", "npm run x")
    )
    run = await port.start(spec("say x"))
    possible = port.possible_rules(run, request)
    wanted = [one for one in possible if one.scope is RuleScope.PROJECT]
    assert wanted[0].words.startswith("Approve each run of exactly `npm run x` in project")
    added = await port.add_rule(wanted[0])
    assert added.id
    assert [one.words for one in await port.rules()] == [added.words]
    odd = replace(added, match=("a\nb",))
    assert await code_of(lambda: port.add_rule(odd)) == "INPUT_INVALID"
    assert (await port.remove_rule(added.id)).words == added.words
    assert await port.rules() == []
    assert await code_of(lambda: port.remove_rule(added.id)) == "RULE_NOT_FOUND"


async def test_slots_and_the_pause_are_set_alike(port: EnginePort) -> None:
    await port.set_slots(3)
    assert port.slots == 3
    for slots in (0, 1001):
        assert await code_of(lambda slots=slots: port.set_slots(slots)) == "INPUT_INVALID"
    assert port.slots == 3
    assert port.pause is None
    await port.set_pause(Pause("by hand"))
    assert port.pause == Pause("by hand")
    await port.set_pause(None)
    assert port.pause is None


async def test_nothing_is_left_to_wait_for_where_all_has_ended(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    await port.cancel(run.id)
    stream = port.batches(0)
    async with asyncio.timeout(LIMIT_S):
        while port.view.runs[run.id].status is not Status.CANCELLED:
            await anext(stream)
        await port.settle()


# The shape of each part of the port


PARTS: dict[str, tuple[type, Callable[[EnginePort], object]]] = {
    "engine": (EnginePort, lambda engine: engine),
    "history": (HistoryPort, lambda engine: engine.history(None)),
    "lookout": (MonitorPort, lambda engine: engine.lookout),
    "workspaces": (WorkspacesPort, lambda engine: engine.workspaces),
    "sources": (SourcesPort, lambda engine: engine.sources),
    "usage": (UsagePort, lambda engine: engine.usage),
    "disk": (DiskPort, lambda engine: engine.disk),
    "cluster": (NodesPort, lambda engine: engine.cluster),
    "templates": (TemplatesPort, lambda engine: engine.templates),
    "batches": (BatchesPort, lambda engine: engine.swarms),
    "costs": (CostsPort, lambda engine: engine.costs),
    "patterns": (PatternsPort, lambda engine: engine.patterns),
    "notifications": (NotificationsPort, lambda engine: engine.notifications),
    "api_tokens": (ApiTokensPort, lambda engine: engine.api_tokens),
    "trust": (TrustPort, lambda engine: engine.trust),
    "logins": (LoginsPort, lambda engine: engine.logins),
    "doctor": (DoctorPort, lambda engine: engine.doctor),
    "search": (SearchPort, lambda engine: engine.search),
}


def members(protocol: type) -> Iterator[tuple[str, Any]]:
    """Yield the public members of a protocol, and their functions if they are methods."""
    for base in protocol.__mro__[:-1]:
        for name in {**vars(base), **inspect.get_annotations(base)}:
            if not name.startswith("_"):
                yield name, vars(base).get(name)


def differences(wanted: Any, found: Any) -> list[str]:
    """Return in what calls that fit one function do not fit the other."""
    parameters = dict(inspect.signature(found).parameters)
    words = (
        []
        if inspect.iscoroutinefunction(wanted) == inspect.iscoroutinefunction(found)
        else ["async"]
    )
    for name, one in list(inspect.signature(wanted).parameters.items())[1:]:  # without self
        other = parameters.pop(name, None)
        if other is None or other.kind is not one.kind:
            words.append(name)
        elif one.default is not one.empty and other.default is other.empty:
            words.append(f"{name} has no default")
    return words + [
        f"{one.name} is required" for one in parameters.values() if one.default is one.empty
    ]


@pytest.mark.parametrize("part", PARTS)
def test_both_have_each_member_with_the_parameters_of_the_port(port: EnginePort, part: str) -> None:
    protocol, part_of = PARTS[part]
    found = part_of(port)
    for name, member in members(protocol):
        assert hasattr(found, name), name
        if inspect.isfunction(member):
            assert differences(member, getattr(found, name)) == [], name


def test_a_member_that_does_not_fit_is_noticed() -> None:
    class Wanted:
        async def find(self, name: str, *, limit: int = 1) -> None: ...

    class Found:
        def find(self, title: str, limit: int) -> None: ...

    assert differences(Wanted.find, Found().find) == [
        "async",
        "name",
        "limit",
        "title is required",
    ]


# What a new home has


async def test_a_new_home_has_nothing(port: EnginePort) -> None:
    assert await port.runs() == []
    assert await code_of(lambda: port.find("@last")) == "RUN_NOT_FOUND"
    assert await code_of(lambda: port.find("x")) == "RUN_NOT_FOUND"
    assert await port.usage.report(UsageQuery()) == UsageReport(UsageQuery())
    assert await port.usage.points(UsageQuery(), 3600) == ()
    assert await port.usage.cycles() == ()
    assert await port.disk.trash() == []
    assert await code_of(port.disk.undo) == "INPUT_INVALID"
    assert await port.disk.plan(CleanupFilter()) == CleanupPlan()
    assert not (await port.disk.clean(CleanupPlan(), CleanupFilter())).cleaned
    assert await port.disk.empty([]) == 0
    assert port.disk.free() > 0
    assert await port.swarms.all() == []
    assert await code_of(lambda: port.swarms.find("x")) == "BATCH_NOT_FOUND"
    assert await port.swarms.runs("x") == []
    assert await code_of(lambda: port.templates.find("no-such")) == "TEMPLATE_NOT_FOUND"
    assert await port.templates.achieved() == {}
    assert await port.patterns.all() == []
    assert await port.patterns.near("a long enough prompt") == []
    for call in (port.patterns.find, port.patterns.remove, port.patterns.begin_edit):
        assert await code_of(lambda call=call: call("x")) == "PATTERN_NOT_FOUND"
    assert await port.notifications.receivers() == []
    assert await port.notifications.deliveries() == []
    assert not port.notifications.has_written
    assert await port.trust.asked(spec("say x")) is None
    assert await port.sources.inspect(WorkspaceSpec()) is None
    assert await port.sources.files(WorkspaceSpec()) == []
    assert await port.sources.refs(WorkspaceSpec()) == []
    assert await port.doctor.orphans() == []
    assert await port.doctor.end_orphans() == 0
    assert (await port.search.find("word")).hits == ()


async def test_a_new_home_has_no_cluster(port: EnginePort) -> None:
    assert not port.cluster.is_set
    assert (port.cluster.last.scheduler, port.cluster.last.nodes) == ("", ())
    problem = (await port.cluster.refresh()).problem
    assert problem and problem.code == "CLUSTER_NOT_SET"


async def test_no_engine_is_needed_in_a_new_home(port: EnginePort) -> None:
    port.check_works()
    assert not await port.is_needed()
    assert port.faults == ()
    assert (port.lookout.problem, port.lookout.since) == ("", None)
    await port.start(spec("say x"))
    assert await port.is_needed()


# Runs


async def test_runs_are_found_and_selected_alike(port: EnginePort) -> None:
    first = await port.start(spec("say one", project="a"))
    second = await port.start(spec("say two", project="b"))
    assert [run.id for run in await port.runs()] == [second.id, first.id]
    assert [run.id for run in await port.runs(project="a")] == [first.id]
    assert [run.id for run in await port.runs(limit=1)] == [second.id]
    assert [run.id for run in await port.runs(statuses=[Status.SUCCEEDED])] == []
    assert await port.runs(batch="x") == []
    assert (await port.find("@last")).id == second.id
    assert (await port.find(first.id)).id == first.id
    ends = await port.shortest_ends([first.id, second.id])
    assert [(await port.find(ends[run.id])).id for run in (first, second)] == [first.id, second.id]
    assert not (await port.radar()).overlaps(first.id)
    assert await port.read_attempt(AttemptRef(first.id, 1), AttemptFile.OUTPUT) is None


async def test_many_runs_are_cancelled_alike(port: EnginePort) -> None:
    ended, first, second = [await port.start(spec("say x")) for _ in range(3)]
    await port.cancel(ended.id)
    found = await port.cancel_all([ended.id, first.id, second.id])
    assert {run.id for run in found} == {first.id, second.id}
    assert {run.status for run in found} == {Status.CANCELLED}


async def test_the_history_is_read_alike(port: EnginePort) -> None:
    run = await port.start(spec("say x"))
    await port.cancel(run.id)
    events = await port.events(run.id)
    history = port.history(run.id)
    assert history.run == run.id
    assert [event for _, event in await history.page(limit=9)] == events
    ((number, event),) = await history.page(before=await history.last(), limit=1)
    assert event == events[0]
    assert await history.page(after=number, limit=9) == [(await history.last(), events[1])]
    assert await history.matching("no such word", above=0, upto=9) == []
    assert len(await history.times(9)) == 2


async def test_a_run_without_a_workspace_is_reported_alike(port: EnginePort) -> None:
    run = (await port.start(spec("say x"))).id
    workspaces = port.workspaces
    assert await workspaces.folder(run) == []
    assert await workspaces.files(run) == []
    assert await workspaces.sizes(run, ["a.txt"]) == {}
    for call in (
        lambda: workspaces.read(run, "a.txt"),
        lambda: workspaces.preview(run, "a.txt"),
        lambda: workspaces.place(run),
        lambda: workspaces.working_folder(run),
        lambda: workspaces.shell_guard(run),
        lambda: workspaces.changes(run),
        lambda: workspaces.compare(run),
        lambda: workspaces.write_diff(run, io.BytesIO()),
        lambda: workspaces.restore(run, 0),
        lambda: workspaces.save_patch(run),
    ):
        assert await code_of(call) == "WORKSPACE_MISSING"
    known = await port.find(run)
    assert await workspaces.check(known) == known


async def test_runs_are_annotated_alike(port: EnginePort) -> None:
    first, second = [(await port.start(spec("say x"))).id for _ in range(2)]
    assert await code_of(lambda: port.annotations.dismiss([first])) == "RUN_NOT_ENDED"
    await port.cancel_all([first, second])
    for call in (port.annotations.dismiss, port.annotations.archive):
        assert len(await call([first, second])) == 2
    assert (await port.find(first)).is_dismissed
    assert (await port.annotations.dismiss([first], False))[0].is_dismissed is False
    (tagged,) = await port.annotations.tag([first], ["B", "a"])
    assert tagged.tags == ("b", "a")
    assert (await port.annotations.tag([first], removed=["a"]))[0].tags == ("b",)
    assert (await port.annotations.note(first, "text")).note == "text"
    assert await code_of(lambda: port.workspaces.undo_apply(first)) == "UNDO_REFUSED"
    assert await port.comments.list(first) == []
    unsaved = UnsavedComment("1 1 new 0 a.py", ReviewComment(0, CommentPhase.ADDED), "half")
    await port.comments.keep_draft(first, unsaved)
    assert await port.comments.drafts(first) == [unsaved]
    await port.comments.keep_draft(first, replace(unsaved, text=""))
    assert await port.comments.drafts(first) == []
    assert await code_of(lambda: port.comments.edit(first, 1, "x")) == "COMMENT_NOT_FOUND"
    assert await code_of(lambda: port.comments.remove(first, [1])) == "COMMENT_NOT_FOUND"
    assert await code_of(lambda: port.comments.send(first)) == "COMMENT_NOT_FOUND"


async def test_tokens_are_created_verified_and_revoked_alike(port: EnginePort) -> None:
    made = await port.api_tokens.create("ci", Scope.RUN)
    assert made.token.scope is Scope.RUN and made.secret.endswith(made.token.hint)
    assert await code_of(lambda: port.api_tokens.create("ci", Scope.READ)) == "API_TOKEN_EXISTS"
    assert await code_of(lambda: port.api_tokens.create("a b", Scope.READ)) == "INPUT_INVALID"
    found = await port.api_tokens.verify(made.secret)
    assert found and found.id == made.token.id
    assert await port.api_tokens.verify("swt_wrong") is None
    assert [one.name for one in await port.api_tokens.all()] == ["ci"]
    assert (await port.api_tokens.revoke("ci")).id == made.token.id
    assert await port.api_tokens.verify(made.secret) is None
    assert await code_of(lambda: port.api_tokens.revoke("ci")) == "API_TOKEN_NOT_FOUND"
