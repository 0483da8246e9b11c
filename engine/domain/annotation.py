"""State of a run that the user sets: tags, a note, whether it is dismissed or archived.

And whether it leaves the queue although a reserve is kept or starts are spread.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

from engine.domain.errors import user_error
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Status
from engine.domain.record import record
from engine.domain.text import printable, printable_name

if TYPE_CHECKING:
    from engine.domain.model import Run

MAX_TAGS, TAG_CHARACTERS = 20, 40
NOTE_CHARACTERS = 4000


@record
class Annotation:
    """A change of the state that the user sets; None: unchanged."""

    type: ClassVar[str] = "annotation"
    tags: tuple[str, ...] | None = None
    note: str | None = None
    is_dismissed: bool | None = None
    is_archived: bool | None = None
    ignores_pace: bool | None = None


def apply(run: Run, change: Annotation) -> None:
    """Fold a change into the run."""
    for one in fields(change):
        value = getattr(change, one.name)
        if value is not None:
            setattr(run, one.name, value)


def begin_attempt(run: Run) -> None:
    """Put a run that goes on back into the lists; its tags and its note stay."""
    run.is_dismissed = run.is_archived = False


def dismiss(run: Run, is_dismissed: bool) -> Sequence[Annotation]:
    """Put a finished run aside, or no longer; a dismissed one needs no attention."""
    if is_dismissed:
        check_ended(run)
    return [] if run.is_dismissed is is_dismissed else [Annotation(is_dismissed=is_dismissed)]


def archive(run: Run, is_archived: bool) -> Sequence[Annotation]:
    """Leave a finished run out of the lists, or no longer."""
    if is_archived:
        check_ended(run)
    return [] if run.is_archived is is_archived else [Annotation(is_archived=is_archived)]


def start_past_pace(run: Run) -> Sequence[Annotation]:
    """Allow a queued run to start past a reserve, or before its time is due, until it ends."""
    if run.status is not Status.QUEUED:
        raise user_error("RUN_NOT_QUEUED", f"The run {run.id} {status_words(run.status)}.")
    return [] if run.ignores_pace else [Annotation(ignores_pace=True)]


def tag(run: Run, added: Sequence[str], removed: Sequence[str] = ()) -> Sequence[Annotation]:
    """Add tags to a run, which `read_tag` has read, and remove others."""
    tags = tuple(one for one in dict.fromkeys((*run.tags, *added)) if one not in removed)
    if len(tags) > MAX_TAGS:
        message = f"The run {run.id} would have {len(tags)} tags; {MAX_TAGS} are possible."
        raise user_error("INPUT_INVALID", message, "Remove some with `swarm-tui tag --remove`.")
    return [] if tags == run.tags else [Annotation(tags=tags)]


def note(run: Run, text: str) -> Sequence[Annotation]:
    """Replace the note of a run; an empty text removes it."""
    text = printable(text.strip())
    if len(text) > NOTE_CHARACTERS:
        message = f"The note has {len(text)} characters; {NOTE_CHARACTERS} are possible."
        raise user_error("INPUT_INVALID", message, "Shorten it.")
    return [] if text == run.note else [Annotation(note=text)]


def read_tag(text: str) -> str:
    """Return a tag in lower case; raises `UserError` for what no filter could name."""
    tag = unicodedata.normalize("NFC", text.strip().removeprefix("#")).lower()
    is_plain = tag.isprintable() and tag == printable_name(tag)
    if not tag or not is_plain or tag.startswith("-") or set(tag) & set(' ,"\\'):
        message = f"Invalid tag: `{printable_name(text[:TAG_CHARACTERS])}`."
        recovery = "Use a word without spaces, commas and quotes, such as `release-2`."
        raise user_error("INPUT_INVALID", message, recovery)
    if len(tag) > TAG_CHARACTERS:
        message = f"The tag has {len(tag)} characters; {TAG_CHARACTERS} are possible."
        raise user_error("INPUT_INVALID", message, "Shorten it.")
    return tag


def read_tags(texts: Iterable[str]) -> list[str]:
    """Return tags, each once; raises `UserError`."""
    return list(dict.fromkeys(map(read_tag, texts)))


def check_ended(run: Run) -> None:
    """Raise `UserError` RUN_NOT_ENDED for a run that has not ended."""
    if run.status not in FINISHED:
        raise user_error("RUN_NOT_ENDED", f"The run {run.id} {status_words(run.status)}.")
