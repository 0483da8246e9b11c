"""The batches of a home: planned, checked as a whole, started in one go, and looked at as one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from engine.checks import check_texts
from engine.domain import nearest
from engine.domain.batch import Planned, Standing, Swarm, standing
from engine.domain.batch_json import export
from engine.domain.errors import UserError, user_error
from engine.domain.lifecycle import FINISHED, LIVE
from engine.domain.model import Run, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.text import one_line, printable_name
from engine.library import shelf
from engine.library.asked import Order
from engine.library.template import Template
from engine.outfile import write_output
from engine.runs.journal import Journal
from engine.sources import Sources
from engine.store.store import Store
from engine.templates import Templates
from engine.trust import Consent, Trust

NAMED = 8
RETRIED = (Status.FAILED, Status.INTERRUPTED)
VAIN = "did not succeed"
"""How the reason of a run ends that was cancelled because of another."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that could be started: what it would be, and its runs."""

    swarm: Swarm
    planned: tuple[Planned, ...]
    templates: tuple[Template, ...] = ()


class Swarms:
    """Everything about batches; every method raises `UserError`."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        templates: Templates,
        trust: Trust,
        sources: Sources,
        check: Callable[[RunSpec], Awaitable[RunSpec]],
    ) -> None:
        self._store, self._journal = store, journal
        self._templates, self._trust, self._sources = templates, trust, sources
        self._check = check

    # Before it starts

    async def plan(self, order: Order) -> Plan:
        """Read and fill in all that is asked for; nothing is written, and nothing trusted."""
        return await asyncio.to_thread(self._plan, order)

    def _plan(self, order: Order) -> Plan:
        from engine.library import order as orders  # Jinja and YAML take their time to import
        from engine.library import templates

        flow, rows = orders.read(order.file) if order.file else (None, [])
        root = self._templates.repository_of(order.spec.workspace)
        known = templates.load(shelf.files(self._templates.folder, root))
        planned = orders.planned(order, known, rows, flow)
        used = sorted({name for each in planned if (name := each.spec.template)})
        swarm = Swarm(
            "",
            _name(order, flow.name if flow else None),
            order.template,
            made_of=_made_of(order),
            budget_tokens=order.budget_tokens,
        )
        return Plan(swarm, tuple(planned), tuple(known[name] for name in used))

    async def consents(self, plan: Plan) -> list[Consent]:
        """Give what has to be trusted first, each once."""
        found = [await self._templates.consent(template) for template in plan.templates]
        for spec in _places(plan):
            found.append(await self._trust.asked(spec))
        return list({each.digest: each for each in found if each}.values())

    async def check(self, plan: Plan) -> Plan:
        """Check every run as it would be checked alone, and give them as they would be started."""
        for template in plan.templates:
            await self._templates.must_be_trusted(template)
        _check_places(plan)
        known: dict[object, RunSpec] = {}
        checked: list[Planned] = []
        for each in plan.planned:
            spec = each.spec
            check_texts(spec)
            if each.starts_from is not None:
                spec = replace(spec, workspace=WorkspaceSpec())
            if (key := _place(spec)) not in known:
                known[key] = await self._check(spec)
            done = known[key]
            spec = replace(
                each.spec,
                workspace=done.workspace if each.starts_from is None else each.spec.workspace,
                preparation=done.preparation,
                after=done.after,
                learn_from=done.learn_from,
                lesson=done.lesson,
            )
            checked.append(replace(each, spec=spec))
        return replace(plan, planned=tuple(checked))

    async def size(self, plan: Plan) -> int | None:
        """Estimate the bytes that all its workspaces take at first; None: it cannot be said."""
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

    async def start(self, plan: Plan) -> tuple[Swarm, list[Run]]:
        """Check a batch once more and queue all its runs in one go: all of them, or none."""
        plan = await self.check(plan)
        done = await self._journal.create_batch(plan.swarm, plan.planned)
        runs = list(done.runs.values())
        return await self.find(runs[0].spec.batch or ""), runs

    # What there is

    async def all(self) -> list[Swarm]:
        """Give all batches, newest first."""
        return await self._store.batches()

    async def find(self, name: str) -> Swarm:
        """Give the batch that `name` means: its id, a unique prefix of it, or `@last`."""
        known = await self._store.batches()
        exact = [each for each in known if each.id == name]
        found = exact or [each for each in known if name and each.id.startswith(name)]
        if name == "@last":
            found = known[:1]
        if len(found) == 1:
            return found[0]
        shown = printable_name(name[:60])
        if not found:
            meant = nearest.hint(name, [each.id for each in known])
            raise user_error("BATCH_NOT_FOUND", f"There is no batch `{shown}`.{meant}")
        listed = ", ".join(each.id for each in found[:NAMED])
        more = " and more" if len(found) > NAMED else ""
        raise user_error("BATCH_NOT_FOUND", f"`{shown}` could mean {listed}{more}.")

    async def runs(self, batch: str) -> list[Run]:
        """Give the runs of a batch in the order they were made, straight from the store."""
        return (await self._store.runs(batch=batch))[::-1]

    async def standing(self, batch: str, slots: int) -> Standing:
        """Say what a batch has come to, straight from the store."""
        return standing(await self.runs(batch), time.time(), slots)

    async def losers(self, batch: str, kept: Sequence[Run]) -> frozenset[str]:
        """Give the runs whose workspaces can go: those that ended, none of `kept` or applied."""
        if not kept:
            return frozenset()
        stays = {run.id for run in kept}
        return frozenset(
            run.id
            for run in await self.runs(batch)
            if run.status in FINISHED and run.id not in stays and not run.is_applied
        )

    async def export(self, swarm: Swarm, kind: str, path: Path, slots: int) -> Path:
        """Write the results of a batch into a file: `md`, `csv` or `json`."""
        runs, now = await self.runs(swarm.id), time.time()
        text = export(kind, swarm, standing(runs, now, slots), runs, now)
        await asyncio.to_thread(write_output, path, text.encode("utf-8", "replace"))
        return path

    # What can be done

    async def set_budget(self, batch: str, tokens: int | None) -> None:
        """Let its runs use so many tokens together, from now on."""
        await self._store.set_budget(batch, tokens)

    async def to_retry(self, batch: str) -> list[Run]:
        """Give the runs of it that failed, and then those that were cancelled because of them."""
        runs = await self.runs(batch)
        failed = [run for run in runs if run.status in RETRIED]
        vain = [run for run in runs if run.status is Status.CANCELLED and run.reason.endswith(VAIN)]
        return [*failed, *vain]

    async def cancel(self, batch: str, cancel: Callable[[str], Awaitable[Run]]) -> list[Run]:
        """Cancel what of it has not ended, those that wait first, so that none of them starts."""
        live = [run for run in await self.runs(batch) if run.status in LIVE]
        done: list[Run] = []
        for run in sorted(live, key=lambda run: run.status is not Status.QUEUED):
            with suppress(UserError):  # it may have ended in this moment
                done.append(await cancel(run.id))
        return done


def _name(order: Order, flow: str | None) -> str:
    stem = order.file.stem if order.file else ""
    named = order.name or flow or order.template or stem or order.spec.title
    return one_line(named, 60) or "batch"


def _made_of(order: Order) -> str:
    parts = [printable_name(order.file.name)] if order.file else []
    parts += [f"{key}={','.join(values)}" for key, values in order.matrix.items()]
    parts += [f"{order.count} times"] if order.count > 1 else []
    return one_line(" × ".join(parts), 200)


def _check_places(plan: Plan) -> None:
    """Refuse several runs that would work in one folder at once; those of a flow take turns."""
    free = [each.spec.workspace for each in plan.planned if not each.after]
    often = Counter(it.source for it in free if it.kind is WorkspaceKind.IN_PLACE)
    for source, count in often.items():
        if count > 1:
            raise user_error(
                "BATCH_INVALID",
                f"{count} runs would work in {printable_name(source or '')} itself at once.",
                "Give each a worktree or a copy, or a folder of its own by `repository`.",
            )


def _place(spec: RunSpec) -> tuple[object, ...]:
    """Give what of a run has to be checked on the disk; many of a batch have it in common."""
    return (
        spec.workspace,
        spec.project,
        spec.agent,
        spec.codex_bin,
        spec.with_setup,
        spec.after,
        spec.learn_from,
    )


def _places(plan: Plan) -> Sequence[RunSpec]:
    own = [each.spec for each in plan.planned if each.starts_from is None]
    return list({_place(spec): spec for spec in own}.values())
