"""Start of a run from the fields of the form, with the questions on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.model import RunSpec
from tui.models.draft import Draft
from tui.widgets.status.toast import app_of

if TYPE_CHECKING:
    from textual.widget import Widget

    from engine.engine import Template
    from engine.ports.engine import EnginePort


class StartRun:
    """Starter of the run of a draft; `over` is the screen that questions are asked over."""

    def __init__(self, engine: EnginePort, over: Widget, clock: Callable[[], float]) -> None:
        self._engine, self._over, self._clock = engine, over, clock

    async def start(self, draft: Draft, template: Template | None) -> str | None:
        """Start it and return its id, None where the user went back; raises `UserError`."""
        engine = self._engine
        spec = draft.spec(engine.config.codex.sandbox, self._clock())
        if template is not None:
            given, said = draft.given.get(template.name, {}), draft.said()
            if not await self._may_use(template, spec, said, given):
                return None
            spec = await engine.templates.fill(template, given, spec, said)
        wanted = await self._trusted(spec)
        return None if wanted is None else (await engine.start(wanted)).id

    async def _may_use(
        self, template: Template, spec: RunSpec, said: set[str], given: Mapping[str, str]
    ) -> bool:
        """Ask where a repository's template is not trusted; return whether it is now."""
        from tui.screens.trust import question

        consent = await self._engine.templates.consent(template, spec, said, given)
        if consent is None:
            return True
        asked = question(consent, may_go_without=False)
        if await app_of(self._over).push_screen_wait(asked) != "trust":
            return False
        await self._engine.trust.grant(consent)
        return True

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
