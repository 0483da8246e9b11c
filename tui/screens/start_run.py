"""Start of a run from the fields of the form, with the questions on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.model import RunSpec
from tui.models.draft import Draft, read_copies
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from textual.widget import Widget

    from engine.engine import Consent, Template
    from engine.ports.engine import EnginePort


class StartRun:
    """Starter of the run of a draft; `over` is the screen that questions are asked over."""

    def __init__(self, engine: EnginePort, over: Widget, clock: Callable[[], float]) -> None:
        self._engine, self._over, self._clock = engine, over, clock

    async def start(self, draft: Draft, template: Template | None) -> str | None:
        """Start it and return its id, None where the user went back; raises `UserError`."""
        engine = self._engine
        spec = draft.spec(engine.config.codex.sandbox, self._clock())
        if (count := read_copies(draft.copies)) > 1:
            return await self._start_copies(draft, spec, count)
        if template is not None:
            given, said = draft.given.get(template.name, {}), draft.said()
            if not await self._may_use(template, spec, said, given):
                return None
            spec = await engine.templates.fill(template, given, spec, said)
        wanted = await self._trusted(spec)
        return None if wanted is None else (await engine.start(wanted)).id

    async def _start_copies(self, draft: Draft, spec: RunSpec, count: int) -> str | None:
        """Start copies as a batch: all of them, or none. Return the id of the first."""
        from engine.engine import BatchRequest

        said, given = frozenset(draft.said()), draft.given.get(draft.template, {})
        request = BatchRequest(spec, said, draft.template or None, given, count=count)
        batches = self._engine.swarms
        plan = await batches.check(await batches.plan(request), ask_later=True)
        for consent in await batches.consents(plan):
            if not await self._is_trusted(consent):
                return None
        _, runs = await batches.start(plan)
        return runs[0].id

    async def _is_trusted(self, consent: Consent) -> bool:
        """Ask for trust that has no other answer; return whether it was granted."""
        from tui.screens.trust import question

        asked = question(consent, may_go_without=False)
        if await app_of(self._over).push_screen_wait(asked) != "trust":
            return False
        await self._engine.trust.grant(consent)
        return True

    async def _may_use(
        self, template: Template, spec: RunSpec, said: set[str], given: Mapping[str, str]
    ) -> bool:
        """Ask where a repository's template is not trusted; return whether it is now."""
        consent = await self._engine.templates.consent(template, spec, said, given)
        return consent is None or await self._is_trusted(consent)

    async def _trusted(self, wanted: RunSpec) -> RunSpec | None:
        """Ask where the repository has settings that are not trusted; None: not now."""
        from tui.screens.trust import question

        consent = await self._engine.trust.asked(wanted)
        if consent is None:
            return wanted
        answer = await app_of(self._over).push_screen_wait(question(consent))
        if answer == "trust":
            await self._engine.trust.grant(consent)
        elif answer == "without":
            return replace(wanted, with_setup=False)
        return wanted if answer == "trust" else None
