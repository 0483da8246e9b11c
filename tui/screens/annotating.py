"""Dismissing, archiving, tags and notes of the runs that a screen means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from engine.domain.errors import UserError
from engine.domain.model import Run
from engine.domain.record import record
from tui import formatting
from tui.commands import first_key
from tui.models.undo_history import ChangeKind, UndoableChange, history_of
from tui.screens.live import LiveScreen
from tui.terminal.cells import crop
from tui.widgets.status.toast import app_of, report, tell

TITLE = 60
"""Cells of a run's title in a message."""


@record
class PutAside:
    """A way to put runs aside: its kind, and whether a run is put aside so."""

    kind: ChangeKind
    is_set: Callable[[Run], bool]
    hint: str = ""
    """The filter that finds the runs afterwards."""


DISMISSED = PutAside(ChangeKind.DISMISSED, lambda run: run.is_dismissed)
ARCHIVED = PutAside(ChangeKind.ARCHIVED, lambda run: run.is_archived, "; /is:archived finds it")


class AnnotationActions:
    """Changes of what the user sets of runs, from one screen."""

    def __init__(self, screen: LiveScreen, place: Callable[[], str]) -> None:
        self._screen, self._engine, self._place = screen, screen.engine, place

    # Dismissed and archived

    def put_aside(
        self, way: PutAside, runs: Sequence[Run], done: Callable[[], None] = lambda: None
    ) -> None:
        """Dismiss or archive runs; if all of them are, revert it. `done` is called on success."""
        is_set = not all(way.is_set(run) for run in runs)
        changed = [run for run in runs if way.is_set(run) is not is_set]
        if not changed:
            return
        ids = tuple(run.id for run in changed)
        name = _name(changed)

        async def change() -> None:
            if not await self._set(way, ids, is_set):
                return
            change = UndoableChange(way.kind, ids, self._place(), is_set)
            history_of(app_of(self._screen)).add(change)
            tell(app_of(self._screen), f"{name} {self._state(way, is_set=is_set)}.")
            done()

        self._screen.run_worker(change, group="annotate")

    def _state(self, way: PutAside, *, is_set: bool) -> str:
        if not is_set:
            return f"no longer {way.kind}"
        key = first_key("run.undo", self._screen.top_bar.keymap)
        return f"{way.kind}{f': {key} undoes' if key else ''}{way.hint}"

    async def _set(self, way: PutAside, ids: Iterable[str], is_set: bool) -> bool:
        annotations = self._engine.annotations
        change = annotations.dismiss if way is DISMISSED else annotations.archive
        try:
            await change(ids, is_set)
        except UserError as error:
            report(app_of(self._screen), error)
            return False
        return True

    def start_past_pace(self, runs: Sequence[Run], done: Callable[[], None] = lambda: None) -> None:
        """Start queued runs although a reserve is kept or starts are spread."""

        async def change() -> None:
            try:
                await self._engine.annotations.start_past_pace([run.id for run in runs])
            except UserError as error:
                report(app_of(self._screen), error)
                return
            tell(app_of(self._screen), f"{_name(runs)}: starts past the reserve.")
            done()

        self._screen.run_worker(change, group="annotate")

    # Tags and notes

    def tag(self, runs: Sequence[Run], done: Callable[[], None] = lambda: None) -> None:
        """Edit the tags of runs in a dialog."""
        from tui.screens.tags import TagRequest, TagsDialog

        if not runs:
            return
        ids = [run.id for run in runs]
        counts = Counter(tag for run in runs for tag in run.tags)
        common = [tag for tag in runs[0].tags if counts[tag] == len(runs)]
        some = [tag for tag in counts if counts[tag] < len(runs)]

        async def save(added: Sequence[str], removed: Sequence[str]) -> None:
            await self._engine.annotations.tag(ids, added, removed)

        def answered(tags: Sequence[str] | None) -> None:
            if tags is not None:
                shown = " ".join(tags) or "no tags"
                each = "" if len(ids) == 1 else ", added to each" * bool(tags)
                tell(app_of(self._screen), f"{_name(runs)}: {shown}{each}.")
                done()

        wanted = TagRequest(f"Tags · {_name(runs)}", common, some, known_tags(self._runs()), save)
        app_of(self._screen).push_screen(TagsDialog(wanted), answered)

    def note(self, runs: Sequence[Run], done: Callable[[], None] = lambda: None) -> None:
        """Edit the note of runs in a dialog; an empty text removes it."""
        from tui.screens.write import WriteDialog, WriteRequest

        if not runs:
            return
        notes = {run.note for run in runs}
        waiting = [run.id for run in runs]

        async def save(text: str) -> None:
            while waiting:  # what one of them refused is sent again to those that are left
                await self._engine.annotations.note(waiting[0], text)
                waiting.pop(0)

        def answered(text: str | None) -> None:
            if text is not None:
                state = "set" if text.strip() else "removed"
                tell(app_of(self._screen), f"{_name(runs)}: note {state}.")
                done()

        heading = f"Note · {_name(runs)}"
        hint = "Only you see it, never the agent. An empty note is removed."
        if len(notes) > 1:
            hint = f"The {len(runs)} runs have different notes: this text replaces them."
        text = notes.pop() if len(notes) == 1 else ""
        wanted = WriteRequest(heading, text, hint, "Save", save, may_be_empty=True)
        wanted.keys, wanted.placeholder = "^s save · esc back", "A note"
        app_of(self._screen).push_screen(WriteDialog(wanted), answered)

    def _runs(self) -> Iterable[Run]:
        return self._engine.view.runs.values()


def known_tags(runs: Iterable[Run]) -> list[str]:
    """Return the tags of all runs, the most frequent first."""
    counts = Counter(tag for run in runs for tag in run.tags)
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def _name(runs: Sequence[Run]) -> str:
    if len(runs) == 1:
        return crop(formatting.title(runs[0]), TITLE)
    return f"{len(runs)} runs"
