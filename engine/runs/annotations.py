"""Changes of what the user sets of runs: tags, notes, dismissed and archived."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.domain import annotation, file_marks
from engine.domain.annotation import Annotation
from engine.domain.model import Run
from engine.execution.journal import Journal
from engine.store import run_facts
from engine.store.reading import StoreReader


class RunAnnotations:
    """Annotations of the runs of one home; with several runs, all are changed or none is."""

    def __init__(self, store: StoreReader, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    async def projects(self) -> list[str]:
        """Return the projects of all runs, in order."""
        return await run_facts.projects(self._store)

    async def tags(self) -> list[str]:
        """Return the tags of all runs, in order."""
        return await run_facts.tags(self._store)

    async def dismiss(self, runs: Iterable[str], is_dismissed: bool = True) -> list[Run]:
        """Put finished runs aside: they need no attention until they are started again."""
        return await self._change(runs, lambda run: annotation.dismiss(run, is_dismissed))

    async def archive(self, runs: Iterable[str], is_archived: bool = True) -> list[Run]:
        """Leave finished runs out of the lists until they are started again."""
        return await self._change(runs, lambda run: annotation.archive(run, is_archived))

    async def start_past_pace(self, runs: Iterable[str]) -> list[Run]:
        """Allow queued runs to start although a reserve is kept or starts are spread."""
        return await self._change(runs, annotation.start_past_pace)

    async def tag(
        self, runs: Iterable[str], added: Iterable[str] = (), removed: Iterable[str] = ()
    ) -> list[Run]:
        """Add tags to runs, and remove others."""
        more, fewer = annotation.read_tags(added), annotation.read_tags(removed)
        return await self._change(runs, lambda run: annotation.tag(run, more, fewer))

    async def note(self, run: str, text: str) -> Run:
        """Replace the note of a run; an empty text removes it."""
        return await self._journal.change(run, lambda known: annotation.note(known, text))

    async def mark_reviewed(self, run: str, marks: Mapping[str, str]) -> Run:
        """Mark files as reviewed, each with the fingerprint of its change; empty: no longer."""
        return await self._journal.change(run, lambda known: file_marks.mark(known, marks))

    async def _change(
        self, runs: Iterable[str], decide: Callable[[Run], Sequence[Annotation]]
    ) -> list[Run]:
        named = list(dict.fromkeys(runs))
        done = await self._journal.change_all(named, decide)
        return [done.runs[run] for run in named]
