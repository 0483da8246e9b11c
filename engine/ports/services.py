"""Protocols of the services beside the runs: templates, batches, patterns, notifications, trust."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.ports.run_list import BatchNamesPort

if TYPE_CHECKING:
    from engine.batches.request import BatchRequest
    from engine.batches.service import BatchPlan, Told
    from engine.doctor import DiskSpace, Finding
    from engine.domain.api_token import ApiToken, NewApiToken, Scope
    from engine.domain.batch import Batch, BatchSummary
    from engine.domain.budget import Budget
    from engine.domain.consent import Consent
    from engine.domain.messages import Delivery, DeliveryResult, DeliveryState
    from engine.domain.model import Run, RunSpec, TemplateStats, WorkspaceSpec
    from engine.domain.pattern import StoredPattern
    from engine.domain.search import SearchResult
    from engine.domain.start_key import StartKey, StoredStart
    from engine.execution.executor import LivingAttempt
    from engine.notifications.service import ReceiverStatus
    from engine.templates.parameters import Value
    from engine.templates.template import RenderedTemplate, Template


class TemplatesPort(Protocol):
    """Templates, read from their files at each call."""

    async def all(self, repository: Path | None = None) -> dict[str, Template]:
        """Return all templates by name; invalid ones hold their problem."""
        ...

    async def find(self, name: str, repository: Path | None = None) -> Template:
        """Return a template; raises `UserError` TEMPLATE_NOT_FOUND or TEMPLATE_INVALID."""
        ...

    async def check(self, path: Path, repository: Path | None = None) -> Template:
        """Return the template in a file, wherever it lies; `problem` is its error."""
        ...

    async def check_text(self, name: str, text: str, repository: Path | None = None) -> Template:
        """Return the template of a text that is in no file; `problem` is its error."""
        ...

    async def consent(
        self,
        template: Template,
        spec: RunSpec,
        said: Collection[str],
        given: Mapping[str, Value] | None = None,
    ) -> Consent | None:
        """Return the consent needed before the template can be used for `spec`, if any."""
        ...

    async def fill(
        self,
        template: Template,
        given: Mapping[str, Value],
        spec: RunSpec,
        said: Collection[str] = (),
    ) -> RunSpec:
        """Fill a template in; raises `UserError`, TEMPLATE_NOT_TRUSTED among others."""
        ...

    def preview(self, template: Template, given: Mapping[str, Value]) -> RenderedTemplate:
        """Fill a template in to look at it; raises `UserError`."""
        ...

    async def achieved(self) -> dict[str, TemplateStats]:
        """Return the statistics of each template's runs."""
        ...

    async def new(self, name: str, folder: Path | None = None, text: str | None = None) -> Path:
        """Write a template, by default a commented one; return its file. Raises `UserError`."""
        ...

    def repository_of(self, workspace: WorkspaceSpec) -> Path | None:
        """Return the folder whose `.swarm/templates/` count for runs in such a workspace."""
        ...


class BatchesPort(BatchNamesPort, Protocol):
    """Batches; every method raises `UserError`."""

    async def plan(self, order: BatchRequest, told: Told = ...) -> BatchPlan:
        """Read and fill in all that is asked for; nothing is written, and nothing trusted.

        `told` gets the present work, the number of runs it is done for, and of all.
        """
        ...

    async def consents(self, plan: BatchPlan) -> list[Consent]:
        """Return the consents that are missing, each once."""
        ...

    async def check(
        self,
        plan: BatchPlan,
        told: Told = ...,
        *,
        ask_later: bool = False,
        may_fetch: bool = True,
    ) -> BatchPlan:
        """Return the checked plan, each run checked as if it were started alone."""
        ...

    async def size(self, plan: BatchPlan) -> int | None:
        """Estimate the bytes of all workspaces at the start; None: unknown."""
        ...

    async def start(
        self, plan: BatchPlan, key: StartKey | None = None, told: Told = ...
    ) -> tuple[Batch, list[Run]]:
        """Check a batch once more and queue all its runs in one go: all of them, or none.

        Where its task is cancelled, none is queued; if it was too late for that, it returns as
        usual.
        """
        ...

    async def all(self) -> list[Batch]:
        """Return all batches, newest first."""
        ...

    async def runs(self, batch: str) -> list[Run]:
        """Return the runs of a batch in the order they were made, straight from the store."""
        ...

    async def standing(self, batch: str, slots: int) -> BatchSummary:
        """Return the summary of a batch, straight from the store."""
        ...

    async def losers(self, batch: str, kept: Sequence[Run]) -> frozenset[str]:
        """Return the runs whose workspaces can go: ended, not in `kept` and not applied."""
        ...

    async def export(self, swarm: Batch, kind: str, path: Path, slots: int) -> Path:
        """Write the results of a batch into a file: `md`, `csv` or `json`."""
        ...

    async def set_budget(self, batch: str, budget: Budget | None) -> None:
        """Set the budget that the runs share, from now on."""
        ...

    async def to_retry(self, batch: str) -> list[Run]:
        """Return the runs of it that failed, and then those that were cancelled because of them."""
        ...

    async def cancel(
        self, batch: str, cancel: Callable[[Sequence[str]], Awaitable[list[Run]]]
    ) -> list[Run]:
        """Cancel what of it has not ended, those that wait first, so that none of them starts."""
        ...


class PatternsPort(Protocol):
    """Stored patterns of what worked."""

    async def all(self) -> list[StoredPattern]:
        """Return all patterns, the last changed first, with the success of their runs."""
        ...

    async def find(self, name: str) -> StoredPattern:
        """Return the pattern of that id, or its unique beginning; raises `UserError`."""
        ...

    async def near(self, prompt: str, limit: int = 5) -> list[StoredPattern]:
        """Return the patterns nearest to a prompt, the nearest first."""
        ...

    async def export(self, name: str) -> str:
        """Write a pattern as YAML."""
        ...

    async def write(self, text: str, path: Path) -> None:
        """Write what was exported into a file; raises `UserError`."""
        ...

    async def save(self, text: str, name: str, *, id: str | None = None) -> StoredPattern:
        """Store a pattern that the user wrote, replacing one with the same id."""
        ...

    async def save_file(self, path: Path) -> StoredPattern:
        """Keep the pattern that a file holds; raises `UserError`."""
        ...

    async def begin_edit(self, name: str) -> Path:
        """Write a pattern into a file to be edited; one that was left wrong is still there."""
        ...

    async def end_edit(self, name: str, path: Path) -> StoredPattern:
        """Store an edited pattern; an invalid file stays, and `UserError` has the reason."""
        ...

    async def remove(self, name: str) -> StoredPattern:
        """Remove a pattern; `bring_back` undoes it."""
        ...

    async def bring_back(self) -> StoredPattern:
        """Bring the pattern back that was removed last; raises `UserError`."""
        ...


class NotificationsPort(Protocol):
    """Receivers and deliveries, read from the database at each call."""

    @property
    def has_written(self) -> bool:
        """Return whether this engine has written messages."""
        ...

    async def receivers(self) -> list[ReceiverStatus]:
        """Return all receivers, and how things stand with each."""
        ...

    async def deliveries(
        self,
        *,
        receiver: str | None = None,
        states: Iterable[DeliveryState] = (),
        limit: int = -1,
    ) -> list[Delivery]:
        """Return the deliveries that match, the newest first."""
        ...

    async def test(self, name: str) -> DeliveryResult:
        """Send a message at once that is about nothing; raises `UserError` WEBHOOK_FAILED."""
        ...

    async def retry(self, name: str | None = None, message: str | None = None) -> int:
        """Try parked deliveries again, of one receiver, one message, or all."""
        ...


class ApiTokensPort(Protocol):
    """The tokens of clients of the API."""

    async def all(self) -> list[ApiToken]:
        """Return the tokens, the oldest first."""
        ...

    async def create(self, name: str, scope: Scope) -> NewApiToken:
        """Create a token with a new secret; raises `UserError`."""
        ...

    async def revoke(self, name: str) -> ApiToken:
        """Remove a token by its name; raises `UserError` API_TOKEN_NOT_FOUND."""
        ...

    async def started_with(self, key: StartKey) -> StoredStart | None:
        """Return what a request with this key started; raises `UserError` for another request."""
        ...

    async def verify(self, secret: str) -> ApiToken | None:
        """Return the token of a secret, and note its use; None for an unknown secret."""
        ...


class TrustPort(Protocol):
    """The trust of a home's user in repositories."""

    async def asked(self, spec: RunSpec) -> Consent | None:
        """Return what a repository's settings ask for, unless it is trusted; raises `UserError`."""
        ...

    async def grant(self, consent: Consent) -> None:
        """Trust this, from now on."""
        ...


class LoginsPort(Protocol):
    """The logins of agents."""

    async def require_account(self, account: str) -> None:
        """Raise `UserError` where the default agent cannot work under an account here and now."""
        ...


class DoctorPort(Protocol):
    """Diagnosis of all that runs need."""

    async def examine(
        self, program: str | None = None, told: Callable[[Sequence[Finding]], object] = ...
    ) -> list[Finding]:
        """Check the agents, git, disk, database, receivers, settings and terminal."""
        ...

    async def space(self) -> DiskSpace | None:
        """Return the space left on the home's disk; None: unknown."""
        ...

    async def orphans(self) -> list[LivingAttempt]:
        """Find the processes of runs that have ended: a dead engine left them."""
        ...

    async def end_orphans(self) -> int:
        """End the processes that `orphans` finds, and return the number of their runs."""
        ...


class SearchPort(Protocol):
    """Search in prompts, messages, commands and outputs of all runs."""

    async def find(
        self,
        text: str,
        *,
        project: str | None = None,
        statuses: Sequence[str] = (),
        limit: int = 50,
        as_typed: bool = False,
        patience_s: float = ...,
    ) -> SearchResult:
        """Return the latest places where all the words are; `as_typed`: the last one may go on."""
        ...
