"""The batches of a home: planned, checked as a whole, started in one go, and looked at as one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.agents.profiles import profile_of
from engine.batches.request import BatchRequest
from engine.config.paths import Paths
from engine.config.run_options import FOUND_OUT, PROGRAMS
from engine.domain.attention import is_dismissed
from engine.domain.base_name import PULL
from engine.domain.batch import Batch, BatchSummary, PlannedRun, standing
from engine.domain.batch_json import export
from engine.domain.batch_names import named_batch
from engine.domain.budget import Budget
from engine.domain.consent import Consent, TrustRequest
from engine.domain.cost import RunCost
from engine.domain.errors import user_error
from engine.domain.lifecycle import FINISHED, LIVE
from engine.domain.model import (
    ANY_NODE,
    LOCAL,
    Run,
    RunSpec,
    Status,
    WorkspaceKind,
    WorkspaceSetup,
    WorkspaceSpec,
)
from engine.domain.reasons import Cause
from engine.domain.run_option import value_of, with_values
from engine.domain.text import one_line, printable_name
from engine.execution.base_refs import hold_bases
from engine.execution.journal import Journal
from engine.execution.requested_files import RequestedFiles
from engine.preflight import check_texts
from engine.store.store import Keep, Store
from engine.system.environment import requested_environment
from engine.system.output_file import write_output
from engine.templates import template_sources
from engine.templates.service import Templates
from engine.templates.template import Template
from engine.trust.service import Trust, with_guard
from engine.workspaces.create.create import root_of
from engine.workspaces.sources import SourceInspector

if TYPE_CHECKING:
    from engine.batches.trust_requests import BatchFile
    from engine.domain.start_key import StartKey

READING = "making the runs"
CHECKING = "checking the runs"
QUEUEING = "writing the files of the runs"
STORING = "storing the runs"
EVERY = 25
"""Runs that are checked between two turns of the event loop."""
Told = Callable[[str, int, int], None]
"""Called with the present work, how many runs it is done for, and of how many."""
RETRIED = (Status.FAILED, Status.INTERRUPTED)


def _silent(_work: str, _done: int, _of: int) -> None:
    """Take the progress of work that is shown nowhere."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A batch that could be started: what it would be, and its runs."""

    swarm: Batch
    planned: tuple[PlannedRun, ...]
    requests: tuple[TrustRequest, ...] = ()
    """Requests of its templates and its file, where they came from a repository."""


class Batches:
    """Service for batches; every method raises `UserError`."""

    def __init__(
        self,
        paths: Paths,
        store: Store,
        journal: Journal,
        templates: Templates,
        trust: Trust,
        sources: SourceInspector,
        check: Callable[[RunSpec, bool], Awaitable[RunSpec]],
        check_login: Callable[[Iterable[RunSpec]], Awaitable[None]],
        cost: RunCost,
        check_budget: Callable[[Budget | None, RunSpec], Awaitable[None]],
    ) -> None:
        self._check_budget = check_budget
        self._paths, self._store, self._journal = paths, store, journal
        self._templates, self._trust, self._sources = templates, trust, sources
        self._check, self._check_login = check, check_login
        self._cost = cost

    # Before it starts

    async def plan(self, order: BatchRequest, told: Told = _silent) -> BatchPlan:
        """Read and fill in all that is asked for; nothing is written, and nothing trusted.

        `told` gets the present work, the number of runs it is done for, and of all.
        """
        return await asyncio.to_thread(self._plan, order, partial(_from_thread(told), READING))

    def _plan(self, order: BatchRequest, looked: Callable[[int, int], None]) -> BatchPlan:
        from engine.batches import planning as orders  # Jinja and YAML take their time to import
        from engine.batches import trust_requests
        from engine.templates import loading as templates

        root = self._templates.repository_of(order.spec.workspace)
        known = templates.load(template_sources.files(self._templates.folder, root))
        file = self._file(order)
        flow, rows = (file.flow, file.rows) if file else (None, ())
        is_named = file and order.text is None  # what was sent is the user's own
        is_foreign = file and is_named and self._templates.is_foreign(file.path, root)
        planned = orders.planned(order, known, rows, flow, file if is_foreign else None, looked)
        requests = self._requests(order, planned, known)
        if file and is_foreign:
            watch = self._templates.watchdog
            settled = replace(order, spec=self._templates.settled(order.spec))
            requests.append(trust_requests.of_file(file, settled, planned, known, watch, root))
        swarm = Batch(
            "",
            _name(order, flow.name if flow else None),
            order.template,
            made_of=_made_of(order),
            budget=order.budget,
        )
        return BatchPlan(swarm, tuple(planned), tuple(requests))

    def _file(self, order: BatchRequest) -> BatchFile | None:
        from engine.batches import planning as orders
        from engine.batches import rows
        from engine.batches.trust_requests import BatchFile

        if order.file is None:
            return None
        text = rows.read_file(order.file) if order.text is None else rows.checked(order.text)
        return BatchFile(order.file, text, *orders.parse(order.file, text, is_sent=order.is_sent))

    def _requests(
        self, order: BatchRequest, planned: Sequence[PlannedRun], known: Mapping[str, Template]
    ) -> list[TrustRequest]:
        """Return what the templates of a batch ask for."""
        from engine.batches import trust_requests
        from engine.templates import trust_request

        used: dict[str, list[PlannedRun]] = {}
        for each in planned:
            used.setdefault(each.spec.template or "", []).append(each)
        found = [
            trust_request.of_template(
                known[name],
                self._templates.settled(order.spec),
                order.said,
                self._templates.watchdog,
                roots=trust_requests.roots_of(runs),
                rendered=_guarded(runs),
                cwds=trust_requests.cwds_of(runs),
            )
            for name, runs in sorted(used.items())
            if name
        ]
        return [request for request in found if request]

    async def consents(self, plan: BatchPlan) -> list[Consent]:
        """Return the consents that are missing, each once."""
        found = list[Consent | None](await self._trust.missing(plan.requests))
        for spec in _places(plan):
            found.append(await self._trust.asked(spec))
        return list({each.digest: each for each in found if each}.values())

    async def check(
        self,
        plan: BatchPlan,
        told: Told = _silent,
        *,
        ask_later: bool = False,
        may_fetch: bool = True,
    ) -> BatchPlan:
        """Return the checked plan, each run checked as if it were started alone.

        With `ask_later`, missing trust is not an error. Without `may_fetch`, no network is
        used: bases are taken as they were fetched last. `told` is as of `plan`.
        """
        requests = plan.requests
        consents = await (self._trust.inspect if ask_later else self._trust.require)(requests)
        _check_places(plan)
        known: dict[object, RunSpec] = {}
        pinned: dict[WorkspaceSpec, WorkspaceSpec] = {}
        roots: dict[WorkspaceSpec, str] = {}
        checked: list[PlannedRun] = []
        for done, each in enumerate(plan.planned):
            if done % EVERY == 0:
                told(CHECKING, done, len(plan.planned))
                await asyncio.sleep(0)
            wish = pinned.get(each.spec.workspace, each.spec.workspace)
            wish = wish if may_fetch else _offline(wish)
            spec = replace(each.spec, preparation=WorkspaceSetup(), env={}, workspace=wish)
            check_texts(spec)
            if each.starts_from is not None:
                spec = replace(spec, workspace=WorkspaceSpec())
            if (key := _place(spec)) not in known:
                known[key] = await self._check(spec, ask_later)
                # The commit is that of all rows from this source; the machine is each row's own.
                host = each.spec.workspace.host
                pinned[each.spec.workspace] = replace(known[key].workspace, host=host)
            files: list[Mapping[str, str]] = []
            if each.spec.preparation.guarded:
                wish = each.spec.workspace
                if wish not in roots:
                    roots[wish] = str(await asyncio.to_thread(root_of, wish) or "")
                files = [consent.programs.get(roots[wish], {}) for consent in consents]
            spec = _as_checked(each, known[key], files)
            checked.append(replace(each, spec=_where_it_follows(each, spec, checked)))
        return replace(plan, planned=tuple(checked))

    async def size(self, plan: BatchPlan) -> int | None:
        """Estimate the bytes of all workspaces at the start; None: unknown."""
        sizes: dict[object, int | None] = {}
        total = 0
        for each in plan.planned:
            spec = each.spec
            if (key := spec.workspace) not in sizes:
                sizes[key] = await self._sources.size(spec.workspace, spec.preparation.ignore)
            size = sizes[key]
            if size is None:
                return None
            total += size
        return total

    async def start(
        self, plan: BatchPlan, key: StartKey | None = None, told: Told = _silent
    ) -> tuple[Batch, list[Run]]:
        """Check a batch once more and queue all its runs in one go: all of them, or none.

        At most one batch is started for each key. `told` is as of `plan`. Where its task is
        cancelled, no run is queued; if it was too late for that, it returns as usual.
        """
        plan = await self.check(plan, told)
        for model in {each.spec.model: each.spec for each in plan.planned}.values():
            await self._check_budget(plan.swarm.budget, model)
        await self._check_login(each.spec for each in plan.planned)
        files = RequestedFiles(self._paths, requested_environment())
        done = await files.queue(
            lambda keep: self._journal.create_batch(
                plan.swarm, plan.planned, _counted(keep, len(plan.planned), told), key
            ),
            self._store,
        )
        runs = list(done.runs.values())
        await hold_bases(self._journal, runs)
        return await self.find(runs[0].spec.batch or ""), runs

    # What there is

    async def all(self) -> list[Batch]:
        """Return all batches, newest first."""
        return await self._store.batches()

    async def find(self, name: str) -> Batch:
        """Return the batch that `name` means: its id, a unique prefix of it, or `@last`."""
        return named_batch(name, await self._store.batches())

    async def runs(self, batch: str) -> list[Run]:
        """Return the runs of a batch in the order they were made, straight from the store."""
        return (await self._store.runs(batch=batch))[::-1]

    async def standing(self, batch: str, slots: int) -> BatchSummary:
        """Return the summary of a batch, straight from the store."""
        return standing(await self.runs(batch), time.time(), slots, self._cost)

    async def losers(self, batch: str, kept: Sequence[Run]) -> frozenset[str]:
        """Return the runs whose workspaces can go: ended, not in `kept`, never applied."""
        if not kept:
            return frozenset()
        stays = {run.id for run in kept}
        return frozenset(
            run.id
            for run in await self.runs(batch)
            if run.status in FINISHED and run.id not in stays and not run.applied
        )

    async def export(self, swarm: Batch, kind: str, path: Path, slots: int) -> Path:
        """Write the results of a batch into a file: `md`, `csv` or `json`."""
        runs, now = await self.runs(swarm.id), time.time()
        so_far = standing(runs, now, slots, self._cost)
        text = export(kind, swarm, so_far, runs, now, self._cost)
        await asyncio.to_thread(write_output, path, text.encode("utf-8", "replace"))
        return path

    # What can be done

    async def set_budget(self, batch: str, budget: Budget | None) -> None:
        """Set the budget that the runs share, from now on."""
        await self._store.set_budget(batch, budget)

    async def to_retry(self, batch: str) -> list[Run]:
        """Return the runs of it that failed, and then those that were cancelled because of them.

        Failed runs that the user put aside are left out.
        """
        runs = await self.runs(batch)
        failed = [run for run in runs if run.status in RETRIED and not is_dismissed(run)]
        vain = [
            run for run in runs if run.status is Status.CANCELLED and run.cause is Cause.DEPENDENCY
        ]
        return [*failed, *vain]

    async def cancel(
        self, batch: str, cancel: Callable[[Sequence[str]], Awaitable[list[Run]]]
    ) -> list[Run]:
        """Cancel what of it has not ended, those that wait first, so that none of them starts."""
        live = [run for run in await self.runs(batch) if run.status in LIVE]
        live.sort(key=lambda run: run.status is not Status.QUEUED)
        return await cancel([run.id for run in live])


def _from_thread(told: Told) -> Told:
    """Return a function that calls `told` in this event loop, from any thread."""
    loop = asyncio.get_running_loop()

    def tell(work: str, done: int, of: int) -> None:
        loop.call_soon_threadsafe(told, work, done, of)

    return tell


def _counted(keep: Keep, of: int, told: Told) -> Keep:
    """Return `keep`, which reports how many runs it was called for."""
    tell, done = _from_thread(told), 0

    def keep_next(run: str, spec: RunSpec) -> RunSpec:
        nonlocal done
        kept = keep(run, spec)
        done += 1
        tell(*(STORING, 0, 0) if done == of else (QUEUEING, done, of))
        return kept

    return keep_next


def _name(order: BatchRequest, flow: str | None) -> str:
    stem = order.file.stem if order.file else ""
    named = order.name or flow or order.template or stem or order.spec.title
    return one_line(named, 60) or "batch"


def _made_of(order: BatchRequest) -> str:
    parts = [printable_name(order.file.name)] if order.file else []
    parts += [f"{key}={','.join(values)}" for key, values in order.matrix.items()]
    parts += [f"{order.count} times"] if order.count > 1 else []
    return one_line(" × ".join(parts), 200)


def _check_places(plan: BatchPlan) -> None:
    """Refuse several runs that would work in one folder at once; those of a flow take turns."""
    free = [each.spec.workspace for each in plan.planned if not each.after]
    often = Counter(it.source for it in free if it.kind is WorkspaceKind.IN_PLACE)
    for source, count in often.items():
        if count > 1:
            raise user_error(
                "BATCH_INVALID",
                f"{count} runs would work in {printable_name(source or '')} itself at once.",
                "Use for each a worktree or a copy, or a folder of its own by `repository`.",
            )


def _offline(wish: WorkspaceSpec) -> WorkspaceSpec:
    """Return a workspace whose base needs no network; a pull request is left out."""
    is_pull = PULL.fullmatch(wish.base or "")
    return replace(wish, base=None if is_pull else wish.base, fetch=False)


def _place(spec: RunSpec) -> tuple[object, ...]:
    """Return the parts of a spec that are checked on disk; many runs of a batch share them."""
    return (
        spec.workspace,
        spec.project,
        spec.agent,
        spec.with_setup,
        spec.on,
        spec.output_schema,
        *(value_of(spec, option) for option in (*PROGRAMS, *FOUND_OUT)),
        *(value_of(spec, option) for option in profile_of(spec.agent).options),
    )


def _as_checked(each: PlannedRun, done: RunSpec, files: Sequence[Mapping[str, str]]) -> RunSpec:
    """Return a run with what was found out for all runs that are made in the same place."""
    spec = each.spec
    # What was found at an earlier look at the plan is not what was trusted.
    asked = replace(spec.preparation, trusted={})
    found = {option.sets: value_of(done, option) for option in FOUND_OUT}
    return replace(
        with_values(spec, found),
        workspace=done.workspace if each.starts_from is None else spec.workspace,
        project=done.project
        if spec.project == Path(done.workspace.source or "").name
        else spec.project,
        preparation=with_guard(done.preparation, asked, files),
        parent=done.parent,
        env={**done.env, **spec.env},
        output_schema=done.output_schema,
        interactive=done.interactive,
        approvals=done.approvals,
        lesson=done.lesson,
    )


def _where_it_follows(each: PlannedRun, spec: RunSpec, before: Sequence[PlannedRun]) -> RunSpec:
    """Return the spec of a run, which works on the machine of the run that it starts from."""
    if each.starts_from is None:
        return spec
    is_here = before[each.starts_from].spec.workspace.host == LOCAL
    # The node is not chosen yet, or may still change: at the start it is that of the workspace.
    host = LOCAL if is_here else ANY_NODE
    return replace(spec, workspace=replace(spec.workspace, host=host))


def _guarded(planned: Sequence[PlannedRun]) -> tuple[str, ...]:
    return tuple({text: None for each in planned for text in each.spec.preparation.guarded})


def _places(plan: BatchPlan) -> Sequence[RunSpec]:
    own = [each.spec for each in plan.planned if each.starts_from is None]
    return list({_place(spec): spec for spec in own}.values())
