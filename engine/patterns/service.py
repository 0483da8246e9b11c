"""Patterns of what worked: listed, given to new runs, edited, exported and imported."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from engine.config.paths import Paths
from engine.domain import nearest
from engine.domain import pattern as patterns
from engine.domain.errors import user_error
from engine.domain.lifecycle import status_words
from engine.domain.model import Run, RunSpec, Status
from engine.domain.pattern import StoredPattern, SuccessRate
from engine.domain.text import printable_name
from engine.execution.stages.learn import distil
from engine.store.store import Store

ID = re.compile(r"p[0-9a-f]{1,9}")
MAX_WORDS, MIN_LETTERS = 24, 3
SHARE = 0.4
"""Share of a prompt's words that a pattern must have to be near."""
FindRun = Callable[[str], Awaitable[Run]]
_COMMON = re.compile(
    "the|and|for|with|from|that|this|into|all|not|are|you|please|make|use|can|should|its"
)


class Patterns:
    """Service for patterns; runs are found by `find_run`."""

    def __init__(self, paths: Paths, store: Store, find_run: FindRun) -> None:
        self._paths = paths
        self._store = store
        self._find_run = find_run
        self._kinds: dict[str, str] = {}
        """The pattern that each run without one would have: it never changes."""

    async def all(self) -> list[StoredPattern]:
        """Return all patterns, the last changed first, with the success of their runs."""
        return await self._with_rates(await self._store.patterns())

    async def find(self, name: str) -> StoredPattern:
        """Return the pattern of that id, or its unique beginning; raises `UserError`."""
        known = await self._store.patterns()
        found = [one for one in known if one.id.startswith(name)]
        if len(found) != 1 or not ID.fullmatch(name):
            shown, meant = printable_name(name[:60]), nearest.hint(name, [one.id for one in known])
            many = f"Several patterns begin with `{shown}`."
            none = f"There is no pattern `{shown}`.{meant}"
            raise user_error("PATTERN_NOT_FOUND", many if len(found) > 1 else none)
        return (await self._with_rates(found))[0]

    async def near(self, prompt: str, limit: int = 5) -> list[StoredPattern]:
        """Return the patterns nearest to a prompt, the nearest first."""
        words = _words(prompt)
        if not words:
            return []
        ids = await self._store.pattern_reader.near(words, limit * 3)
        known = {one.id: one for one in await self._store.patterns(ids)} if ids else {}
        needed = SHARE * len(words)
        found = [known[id] for id in ids if id in known and _shared(words, known[id]) >= needed]
        return await self._with_rates(found[:limit])

    async def taught(self, spec: RunSpec) -> RunSpec:
        """Return `spec` with its pattern's text; raises `UserError`, such as PATTERN_NOT_FOUND."""
        if not spec.learn_from or spec.lesson:
            return spec
        known = await self._meant(spec.learn_from)
        text = patterns.lesson(known.pattern, max(1, len(known.runs)))
        return replace(spec, learn_from=known.id, lesson=text)

    async def _meant(self, name: str) -> StoredPattern:
        """Return the pattern that a pattern's or a run's name means."""
        if ID.fullmatch(name):
            return await self.find(name)
        run = await self._find_run(name)
        id = await self._store.pattern_reader.of_run(run.id)
        if id is None and run.status is Status.SUCCEEDED:
            id = await distil(self._store, run)
        if id is None:
            why = (
                "did nothing that could be learned from"
                if run.status is Status.SUCCEEDED
                else f"has not succeeded: it {status_words(run.status)}"
            )
            raise user_error("PATTERN_NOT_FOUND", f"The run {run.id} {why}.")
        return await self.find(id)

    async def _with_rates(self, found: list[StoredPattern]) -> list[StoredPattern]:
        """Count what comes of tasks of the same kinds without the patterns."""
        if not found:
            return []
        runs = await self._store.pattern_reader.plain_runs()
        ended, good = await asyncio.to_thread(self._count, runs)
        return [replace(one, without=SuccessRate(ended[one.id], good[one.id])) for one in found]

    def _count(
        self, runs: list[tuple[str, str, str | None, bool]]
    ) -> tuple[Counter[str], Counter[str]]:
        ended: Counter[str] = Counter()
        good: Counter[str] = Counter()
        for run, prompt, template, is_good in runs:
            kind = self._kinds.get(run) or patterns.id_of(prompt, template)
            self._kinds[run] = kind
            ended[kind] += 1
            good[kind] += is_good
        return ended, good

    # What the user does to them

    async def export(self, name: str) -> str:
        """Write a pattern as YAML."""
        from engine.patterns import pattern_file  # YAML takes its time to import

        known = await self.find(name)
        return pattern_file.write(known.id, known.pattern)

    async def write(self, text: str, path: Path) -> None:
        """Write what was exported into a file; raises `UserError`."""
        from engine.patterns import pattern_file

        await asyncio.to_thread(pattern_file.put, path, text, over=True)

    async def save(self, text: str, name: str, *, id: str | None = None) -> StoredPattern:
        """Store a pattern that the user wrote, replacing one with the same id.

        `name` stands in errors for the file. Raises `UserError` PATTERN_INVALID.
        """
        from engine.patterns import pattern_file

        own, pattern = await asyncio.to_thread(pattern_file.read, text, name)
        id = id or own or patterns.id_of(pattern.goal, pattern.template)
        await self._store.keep_pattern(id, pattern, is_edited=True)
        return await self.find(id)

    async def save_file(self, path: Path) -> StoredPattern:
        """Keep the pattern that a file holds; raises `UserError`."""
        from engine.patterns import pattern_file

        text = await asyncio.to_thread(pattern_file.load, path)
        return await self.save(text, printable_name(str(path)))

    async def begin_edit(self, name: str) -> Path:
        """Write a pattern into a file to be edited; one that was left wrong is still there."""
        from engine.patterns import pattern_file

        known = await self.find(name)
        path = self._paths.home / f"pattern-{known.id}.yaml"
        text = pattern_file.write(known.id, known.pattern, note=True)
        await asyncio.to_thread(pattern_file.put, path, text)
        return path

    async def end_edit(self, name: str, path: Path) -> StoredPattern:
        """Store an edited pattern; an invalid file stays, and `UserError` has the reason."""
        from engine.patterns import pattern_file

        known = await self.find(name)
        text = await asyncio.to_thread(pattern_file.load, path)
        _, pattern = await asyncio.to_thread(pattern_file.read, text, path.name)
        if pattern != known.pattern:
            await self._store.keep_pattern(known.id, pattern, is_edited=True)
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return await self.find(known.id)

    async def remove(self, name: str) -> StoredPattern:
        """Remove a pattern; `bring_back` undoes it."""
        known = await self.find(name)
        await self._store.remove_pattern(known.id)
        return known

    async def bring_back(self) -> StoredPattern:
        """Bring the pattern back that was removed last; raises `UserError`."""
        id = await self._store.pattern_reader.last_removed()
        if id is None:
            raise user_error("PATTERN_NOT_FOUND", "No pattern was removed.")
        await self._store.remove_pattern(id, bring_back=True)
        return await self.find(id)


def _words(text: str) -> list[str]:
    """Return the significant words of a prompt, each once."""
    found = re.findall(r"[^\W_]+", text[: patterns.MAX_PROMPT].casefold())
    telling = (word for word in found if len(word) >= MIN_LETTERS and not _COMMON.fullmatch(word))
    return list(dict.fromkeys(telling))[:MAX_WORDS]


def _shared(words: list[str], known: StoredPattern) -> int:
    has = set(re.findall(r"[^\W_]+", known.pattern.said().casefold()))
    return sum(word in has for word in words)
