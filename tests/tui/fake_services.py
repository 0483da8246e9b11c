"""The services of the fake engine: of a home without templates, batches and workspaces.

Tests put into them what a screen should show. `test_engine_port.py` compares them with real ones.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from engine.disk.cleanup import CleanupItemResult, CleanupReport
from engine.disk.cleanup_plan import CleanupFilter, CleanupPlan
from engine.disk.locations import LocationKind
from engine.disk.service import DiskUsage
from engine.disk.trash_entry import TrashEntry
from engine.disk.unsaved import UnsavedWork
from engine.domain import annotation, comments, file_marks, queue
from engine.domain.annotation import Annotation
from engine.domain.api_token import ApiToken, NewApiToken, Scope, check_name
from engine.domain.batch import Batch, BatchSummary
from engine.domain.budget import Budget
from engine.domain.comment_text import UnsavedComment
from engine.domain.errors import user_error
from engine.domain.forgetting import check_forgettable
from engine.domain.interaction import ModeChange
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Pause, Run, RunSpec, TemplateStats, WorkspaceSpec
from engine.domain.pattern import StoredPattern
from engine.domain.pull_request import is_followed
from engine.domain.review_comment import CommentPhase, ReviewComment
from engine.domain.run_mode import UNCHANGED
from engine.engine import (
    ApplyMode,
    ApplyResult,
    Changes,
    Checkpoint,
    Consent,
    ForgetPlan,
    LocatedComment,
    PullRequest,
    Template,
    TreeEntry,
)

if TYPE_CHECKING:
    from fake_engine import FakeEngine

    from engine.runs.threads import TerminalProgram

FREE_BYTES = 84 * 1024**3


def no_batch() -> NoReturn:
    raise user_error("BATCH_NOT_FOUND")


class FakeAnnotations:
    """The annotations of a fake engine's runs, decided as the real ones are."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def projects(self) -> list[str]:
        return sorted({run.spec.project for run in self._engine.view.runs.values()})

    async def tags(self) -> list[str]:
        return sorted({tag for run in self._engine.view.runs.values() for tag in run.tags})

    async def dismiss(self, runs: Iterable[str], is_dismissed: bool = True) -> list[Run]:
        return self._change(runs, lambda run: annotation.dismiss(run, is_dismissed))

    async def archive(self, runs: Iterable[str], is_archived: bool = True) -> list[Run]:
        return self._change(runs, lambda run: annotation.archive(run, is_archived))

    async def start_past_pace(self, runs: Iterable[str]) -> list[Run]:
        return self._change(runs, annotation.start_past_pace)

    async def tag(
        self, runs: Iterable[str], added: Iterable[str] = (), removed: Iterable[str] = ()
    ) -> list[Run]:
        more, fewer = annotation.read_tags(added), annotation.read_tags(removed)
        return self._change(runs, lambda run: annotation.tag(run, more, fewer))

    async def note(self, run: str, text: str) -> Run:
        return self._change([run], lambda known: annotation.note(known, text))[0]

    async def mark_reviewed(self, run: str, marks: Mapping[str, str]) -> Run:
        self._engine.happen(run, *file_marks.mark(self._engine.view.runs[run], marks))
        return self._engine.view.runs[run]

    def _change(
        self, runs: Iterable[str], decide: Callable[[Run], Sequence[Annotation]]
    ) -> list[Run]:
        known = self._engine.view.runs
        for run, bodies in [(run, decide(known[run])) for run in runs]:
            self._engine.happen(run, *bodies)
        return [known[run] for run in runs]


class FakeQueuePace:
    """Holds the accounts that a test names."""

    def __init__(self) -> None:
        self.held: dict[str, Pause] = {}

    def holds(self, now: float) -> dict[str, Pause]:
        return {
            name: one for name, one in self.held.items() if one.until is None or one.until > now
        }

    def hold_of(self, run: Run, now: float) -> Pause | None:
        return queue.hold_of(run, self.holds(now))


class FakeForks:
    """Forks runs of a fake engine: the new run is queued."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def fork(self, run: str, prompt: str, change: ModeChange = UNCHANGED) -> Run:
        from engine.runs.forks import check_forkable

        del change
        check_forkable(self._engine.view.runs[run])
        self._engine.asked.append(("fork", f"{run} {prompt}"))
        return await self._engine.start(RunSpec(prompt, prompt, "demo"))


class FakeForgetting:
    """Forgets runs of a fake engine that have ended; tests say what is unsaved."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def plan(
        self, runs: Iterable[str], looked: Callable[[int, int], None] = lambda _done, _of: None
    ) -> ForgetPlan:
        known = self._engine.view.runs
        found = [known[run] for run in runs]
        check_forgettable(found, [run for run in known.values() if run.status not in FINISHED])
        places = sum(run.workspace is not None and not run.in_trash for run in found)
        return ForgetPlan(tuple(run.id for run in found), places, self._engine.unsaved_words)

    async def forget(
        self,
        runs: Iterable[str],
        *,
        including_unsaved: bool = False,
        told: Callable[[str, int, int], None] = lambda _work, _done, _of: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        planned = await self.plan(runs)
        if planned.unsaved and not including_unsaved:
            raise user_error("WORK_UNSAVED", planned.unsaved[0])
        self._engine.forget(*planned.runs)
        return list(planned.runs)


class FakeComments:
    """The comments on a fake engine's runs: every file has a hundred lines."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._drafts: dict[str, dict[str, UnsavedComment]] = {}

    def _run(self, run: str) -> Run:
        return self._engine.view.runs[run]

    async def list(self, run: str) -> list[LocatedComment]:
        return [LocatedComment(one, one.first) for one in self._run(run).comments]

    async def add(
        self,
        run: str,
        path: str,
        first: int,
        last: int,
        text: str,
        *,
        is_old: bool = False,
        since: int = 0,
        quoted: str | None = None,
    ) -> ReviewComment:
        if last > 100:
            raise user_error("INPUT_INVALID")
        made = ReviewComment(0, CommentPhase.ADDED, text, path, "", first, last, is_old, "line")
        (added,) = comments.add(self._run(run), made)
        self._engine.happen(run, added)
        return added

    async def edit(self, run: str, n: int, text: str, seen: str | None = None) -> ReviewComment:
        self._engine.happen(run, *comments.edit(self._run(run), n, text, seen))
        return comments.find(self._run(run), n)

    async def remove(self, run: str, numbers: Iterable[int]) -> Run:
        self._engine.happen(run, *comments.remove(self._run(run), numbers))
        return self._run(run)

    async def drafts(self, run: str) -> list[UnsavedComment]:
        return list(self._drafts.get(run, {}).values())

    async def keep_draft(self, run: str, draft: UnsavedComment) -> None:
        kept = self._drafts.setdefault(run, {})
        kept.pop(draft.place, None)
        if draft.text.strip():
            kept[draft.place] = draft

    async def send(self, run: str, before: str = "", change: ModeChange = UNCHANGED) -> Run:
        found = comments.open_comments(self._run(run))
        if not found:
            raise comments.none_to_send(self._run(run))
        await self._engine.send(run, comments.message_text(found, before))
        self._engine.happen(run, *comments.mark_sent(found))
        return self._run(run)


class FakePushes:
    """Pushes of the runs of a fake engine, which has no remote."""

    async def push(self, run: str, wanted: object = None) -> NoReturn:
        raise user_error("INPUT_INVALID")

    async def draft(self, run: str) -> PullRequest:
        return PullRequest("title", "")


class FakePullRequests:
    """The pull requests of a fake engine: they are as its tests have put them."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def followed(self) -> list[Run]:
        return [run for run in await self._engine.runs() if is_followed(run)]

    async def refresh(self, run: str) -> Run:
        return await self._engine.find(run)


class FakeThreads:
    """The threads of a fake engine, which has no program for them."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def open(self, run: str) -> AsyncGenerator[TerminalProgram]:
        await self._engine.find(run)
        raise user_error("THREAD_NOT_FOUND")
        yield  # a generator


class FakeWorkspaces:
    """The workspaces of a fake engine: what its tests put into it."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    async def folder(self, run: str, path: str = "", *, sizes: bool = True) -> list[TreeEntry]:
        return self._engine.folders.get(path, [])

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        return {}

    async def files(self, run: str) -> list[TreeEntry]:
        found = self._engine.folders.values()
        return [entry for entries in found for entry in entries if not entry.is_folder]

    async def read(self, run: str, path: str, limit_bytes: int = 0) -> bytes:
        return _missing()

    async def open(self, run: str, path: str) -> NoReturn:
        _missing()

    async def open_artifact(self, run: str, path: str) -> NoReturn:
        _missing()

    async def preview(self, run: str, path: str, limit_bytes: int = 0) -> NoReturn:
        _missing()

    async def place(self, run: str, path: str = "") -> Path:
        return _missing()

    async def working_folder(self, run: str) -> Path:
        return _missing()

    async def shell_guard(self, run: str) -> NoReturn:
        _missing()

    async def environment(self, run: str) -> dict[str, str]:
        return {}

    async def changes(self, run: str, since: int = 0, until: int | None = None) -> Changes:
        return self._engine.measured or _missing()

    async def undo_apply(self, run: str, looked: object = None) -> NoReturn:
        raise user_error("UNDO_REFUSED")

    async def content(self, run: str, path: str, at: int) -> bytes | None:
        return _missing()

    async def compare(self, run: str, since: int = 0, until: int | None = None) -> NoReturn:
        _missing()

    async def compare_runs(self, run: str, other: str) -> NoReturn:
        _missing()

    async def write_run_diff(
        self, run: str, other: str, file: BinaryIO, paths: Sequence[str] = ()
    ) -> None:
        _missing()

    async def write_diff(
        self,
        run: str,
        file: BinaryIO,
        since: int = 0,
        until: int | None = None,
        paths: Sequence[str] = (),
    ) -> NoReturn:
        _missing()

    async def checkpoints(self, run: str) -> list[Checkpoint]:
        return self._engine.points

    async def restore(self, run: str, n: int) -> NoReturn:
        _missing()

    async def apply(
        self,
        run: str,
        how: ApplyMode,
        *,
        to: str | None = None,
        message: str = "",
        check: bool = False,
        patch: BinaryIO | None = None,
        looked: object = None,
    ) -> ApplyResult:
        if not check:
            self._engine.asked.append((f"apply as {how}", f"{run}: {message}"))
        return self._engine.outcomes.get(run, ApplyResult())

    async def save_patch(self, run: str) -> Path:
        return _missing()

    async def message(self, run: str) -> str:
        return f"{self._engine.view.runs[run].spec.title}\n\nAll of it is done."

    async def check(self, known: Run) -> Run:
        return known


def _missing() -> NoReturn:
    raise user_error("WORKSPACE_MISSING")


class FakeDisk:
    """A disk with nothing of runs on it."""

    def free(self) -> int:
        return FREE_BYTES

    async def measure(
        self,
        told: Callable[[DiskUsage], None] = lambda _: None,
        kinds: Collection[LocationKind] = frozenset(LocationKind),
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        return 0

    async def inside(self, path: Path, told: Callable[[DiskUsage], None]) -> None:
        return

    async def report_unsaved(
        self, paths: Collection[str], told: Callable[[str, UnsavedWork], None]
    ) -> None:
        return

    async def plan(
        self, wish: CleanupFilter, looked: Callable[[int, int], None] | None = None
    ) -> CleanupPlan:
        return CleanupPlan((), (), wish.artefacts_only)

    async def clean(
        self,
        planned: CleanupPlan,
        wish: CleanupFilter,
        told: Callable[[CleanupItemResult], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        why: str = "",
    ) -> CleanupReport:
        return CleanupReport()

    async def trash(self) -> list[TrashEntry]:
        return []

    async def restore(self, entry: TrashEntry) -> None:
        raise user_error("WORKSPACE_MISSING")

    async def undo(self, run: str | None = None) -> list[TrashEntry]:
        raise user_error("INPUT_INVALID", "The trash holds nothing.")

    async def empty(
        self,
        entries: Sequence[TrashEntry],
        stop: Callable[[], bool] = lambda: False,
        looked: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> int:
        return len(entries)


class FakeCosts:
    """Costs by the id of a run; `is_loaded` is whether they are known without a wait."""

    def __init__(self) -> None:
        self.usd: dict[str, float] = {}
        self.is_loaded = False

    async def load(self) -> None:
        self.is_loaded = True

    def of_run(self, run: Run) -> float | None:
        return self.usd.get(run.id)

    def known(self, run: Run) -> float | None:
        return self.usd.get(run.id) if self.is_loaded else None


class FakeBatches:
    """No batches; tests of them use a real engine."""

    async def plan(self, order: object, told: object = None) -> NoReturn:
        raise user_error("BATCH_INVALID")

    async def consents(self, plan: object) -> list[Consent]:
        return []

    async def check(
        self,
        plan: object,
        told: object = None,
        *,
        ask_later: bool = False,
        may_fetch: bool = True,
    ) -> NoReturn:
        raise user_error("BATCH_INVALID")

    async def size(self, plan: object) -> int | None:
        return None

    async def start(
        self, plan: object, key: object = None, told: object = None
    ) -> tuple[Batch, list[Run]]:
        raise user_error("BATCH_INVALID")

    async def all(self) -> list[Batch]:
        return []

    async def find(self, name: str) -> Batch:
        no_batch()

    async def runs(self, batch: str) -> list[Run]:
        return []

    async def standing(self, batch: str, slots: int) -> BatchSummary:
        no_batch()

    async def losers(self, batch: str, kept: Sequence[Run]) -> frozenset[str]:
        return frozenset()

    async def export(self, swarm: Batch, kind: str, path: Path, slots: int) -> Path:
        no_batch()

    async def set_budget(self, batch: str, budget: Budget | None) -> None:
        no_batch()

    async def to_retry(self, batch: str) -> list[Run]:
        return []

    async def cancel(
        self, batch: str, cancel: Callable[[Sequence[str]], Awaitable[list[Run]]]
    ) -> list[Run]:
        return []


class FakeTemplates:
    """No templates; tests of them use real ones."""

    def repository_of(self, workspace: WorkspaceSpec) -> Path | None:
        return None

    async def all(self, repository: Path | None = None) -> dict[str, Template]:
        return {}

    async def find(self, name: str, repository: Path | None = None) -> Template:
        raise user_error("TEMPLATE_NOT_FOUND")

    async def check(self, path: Path, repository: Path | None = None) -> Template:
        raise user_error("TEMPLATE_NOT_FOUND")

    async def consent(
        self,
        template: Template,
        spec: RunSpec,
        said: Collection[str],
        given: Mapping[str, Any] | None = None,
    ) -> Consent | None:
        return None

    async def fill(
        self,
        template: Template,
        given: Mapping[str, Any],
        spec: RunSpec,
        said: Collection[str] = (),
    ) -> RunSpec:
        raise user_error("TEMPLATE_NOT_FOUND")

    def preview(self, template: Template, given: Mapping[str, Any]) -> NoReturn:
        raise user_error("TEMPLATE_NOT_FOUND")

    async def achieved(self) -> dict[str, TemplateStats]:
        return {}

    async def check_text(self, name: str, text: str, repository: Path | None = None) -> Template:
        raise user_error("TEMPLATE_NOT_FOUND")

    async def new(self, name: str, folder: Path | None = None, text: str | None = None) -> Path:
        raise user_error("TEMPLATE_INVALID")


class FakePatterns:
    """The patterns that tests put here."""

    def __init__(self) -> None:
        self.known: list[StoredPattern] = []

    async def all(self) -> list[StoredPattern]:
        return self.known

    async def find(self, name: str) -> StoredPattern:
        for pattern in self.known:
            if pattern.id.startswith(name):
                return pattern
        raise user_error("PATTERN_NOT_FOUND")

    async def near(self, prompt: str, limit: int = 5) -> list[StoredPattern]:
        return self.known[:limit] if len(prompt.split()) > 2 else []

    async def export(self, name: str) -> str:
        return f"id: {(await self.find(name)).id}\n"

    async def write(self, text: str, path: Path) -> None:
        raise user_error("INPUT_INVALID")

    async def save(self, text: str, name: str, *, id: str | None = None) -> StoredPattern:
        raise user_error("PATTERN_INVALID")

    async def save_file(self, path: Path) -> StoredPattern:
        raise user_error("PATTERN_INVALID")

    async def begin_edit(self, name: str) -> Path:
        raise user_error("PATTERN_NOT_FOUND")

    async def end_edit(self, name: str, path: Path) -> StoredPattern:
        return await self.find(name)

    async def remove(self, name: str) -> StoredPattern:
        found = await self.find(name)
        self.known.remove(found)
        return found

    async def bring_back(self) -> StoredPattern:
        raise user_error("PATTERN_NOT_FOUND")


class FakeApiTokens:
    """Tokens in memory."""

    def __init__(self) -> None:
        self._found: dict[str, NewApiToken] = {}

    async def all(self) -> list[ApiToken]:
        return [one.token for one in self._found.values()]

    async def create(self, name: str, scope: Scope) -> NewApiToken:
        check_name(name)
        if name in self._found:
            raise user_error("API_TOKEN_EXISTS")
        secret = f"swt_{name}"
        token = ApiToken(f"t{len(self._found)}", name, scope, secret[-4:], 0.0)
        self._found[name] = NewApiToken(token, secret)
        return self._found[name]

    async def revoke(self, name: str) -> ApiToken:
        check_name(name)
        if name not in self._found:
            raise user_error("API_TOKEN_NOT_FOUND")
        return self._found.pop(name).token

    async def started_with(self, key: object) -> None:
        return None

    async def verify(self, secret: str) -> ApiToken | None:
        return next((one.token for one in self._found.values() if one.secret == secret), None)
