"""The settings: one YAML file, every key optional, every mistake named with its line."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine.agents.sections import AgentSections
from engine.config.addresses import Address, Url
from engine.config.values import (
    BranchName,
    Duration,
    EventName,
    HostName,
    PathInside,
    Percent,
    RootFolder,
    Size,
    WebhookName,
)
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.system import environment

if TYPE_CHECKING:
    from engine.domain.approval_rules import ApprovalRule
    from engine.domain.children import ChildLimits

Positive = Annotated[int, Meta(ge=1, le=1000)]
MOST = 10**9
Count = Annotated[int, Meta(ge=0, le=MOST)]
Seconds = Annotated[float, Meta(ge=0, le=MOST)]
LIMIT_BYTES = 1024**2
HIDDEN = "…"


def _says(text: str) -> Meta:
    return Meta(description=text)


class _Section(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class ReserveSettings(_Section, frozen=True):
    """Parts of the rate-limit windows that the queue leaves for interactive work."""

    weekly: Annotated[
        Percent, _says("percent of each window longer than a day that the queue leaves unused")
    ] = Percent(0)
    window: Annotated[
        Percent, _says("percent of each shorter window, such as 5 h, that it leaves unused")
    ] = Percent(0)


class QueueSettings(_Section, frozen=True):
    """Settings of the queue."""

    per_project: Annotated[Positive | None, _says("runs of one project at a time")] = None
    stagger_s: Annotated[Seconds, _says("seconds between two starts, about")] = 0.5
    reserve: ReserveSettings = ReserveSettings()
    pace: Annotated[
        Literal["none", "even"],
        _says("`even` spreads starts over each rate-limit window: [usage.md](usage.md)"),
    ] = "none"

    @property
    def has_pace(self) -> bool:
        """Return whether a reserve or a pace may hold accounts back."""
        return bool(self.reserve.weekly or self.reserve.window or self.pace != "none")


class ChildrenSettings(_Section, frozen=True):
    """Settings of runs that runs start."""

    depth: Annotated[
        Annotated[int, Meta(ge=0, le=20)],
        _says("levels of runs below a run that the user started; 0: runs start no runs"),
    ] = 2
    runs: Annotated[
        Annotated[int, Meta(ge=0, le=1000)],
        _says("runs below a run that the user started, on all levels together"),
    ] = 20

    @property
    def limits(self) -> ChildLimits:
        """The limits that are checked where a run is queued."""
        from engine.domain.children import ChildLimits

        return ChildLimits(self.depth, self.runs)


class WatchdogSettings(_Section, frozen=True):
    """Settings of stalled runs: when a run counts as stalled, and the reaction."""

    silent_s: Annotated[Seconds, _says("seconds without a sign of life; a command may take 3×")] = (
        300
    )
    first_event_s: Annotated[Seconds, _says("seconds until the first output of the agent")] = 60
    action: Annotated[
        Literal["notice", "resume", "fail"],
        _says("notify only; end it and go on in the same thread; or end it with RUN_STALLED"),
    ] = "notice"


class WorkspaceSettings(_Section, frozen=True):
    """Settings of how workspaces are made."""

    copy_limit: Annotated[Size, _says("the largest folder that is copied")] = Size(2 * 1024**3)
    setup: Annotated[
        tuple[str, ...], _says("commands run in every new worktree and copy, trusted or not")
    ] = ()
    setup_limit: Annotated[Duration, _says("how long all of them together may take")] = Duration(
        15 * 60
    )
    branch: Annotated[
        BranchName,
        _says("branches of runs; where `swarm` is a branch itself, `swarm-{run}` is taken"),
    ] = BranchName("swarm/{run}")
    root: Annotated[
        RootFolder | None,
        _says("the folder in which workspaces are created; else `workspaces` in the home"),
    ] = None
    copy_files: Annotated[
        tuple[PathInside, ...],
        _says("files brought along that git does not carry, or `ignore` names; `*` is allowed"),
    ] = (PathInside(".env"),)
    env: Annotated[dict[str, str], _says("variables of every run: `{NODE_ENV: test}`")] = {}
    ignore: Annotated[
        tuple[str, ...], _says("what copies leave out: patterns as in `.gitignore`")
    ] = (
        # Caches, and environments whose scripts lead back into the source.
        "__pycache__/",
        ".venv/",
        ".tox/",
        ".nox/",
        ".mypy_cache/",
        ".pytest_cache/",
        ".ruff_cache/",
    )

    def __post_init__(self) -> None:
        """Refuse variables that no run can get."""
        _check_env(self.env)


class WorkspaceOverrides(_Section, frozen=True):
    """Workspace settings of one project, where they differ."""

    setup: tuple[str, ...] | None = None
    setup_limit: Duration | None = None
    copy_files: tuple[PathInside, ...] | None = None
    ignore: tuple[str, ...] | None = None
    env: dict[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse variables that no run can get."""
        _check_env(self.env or {})


class ProjectSettings(WorkspaceOverrides, frozen=True):
    """The user's own settings of one project, where they differ."""

    on: HostName | None = None


def _check_env(env: dict[str, str]) -> None:
    if problem := environment.problem_in(env):
        raise ValueError(f"{problem}.")


RuleKind = Literal["command", "patch", "tool"]


class RuleSettings(_Section, frozen=True):
    """A rule that answers requests of interactive agents."""

    allow: str | None = None
    deny: str | None = None
    prefix: bool = False
    kind: RuleKind = "command"
    projects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rules that cannot be."""
        from engine.domain.rule_matching import problem  # only where a file has rules

        if (self.allow is None) == (self.deny is None):
            raise ValueError("a rule has `allow` or `deny`")
        for rule in self.rules():
            if reason := problem(rule):
                raise ValueError(reason)

    def rules(self) -> list[ApprovalRule]:
        """Return the rule of each of its projects; without any, the one for all projects."""
        from engine.domain.approval_rules import ApprovalRule, RuleOrigin, RuleScope
        from engine.domain.interaction import Decision, RequestKind
        from engine.domain.rule_matching import match_of

        decision = Decision.DENY if self.allow is None else Decision.APPROVE
        text, kind = self.deny or self.allow or "", RequestKind(self.kind)
        words = text.split(".", 1) if kind is RequestKind.TOOL else [text]
        match = match_of(kind, words, decision, is_prefix=self.prefix)
        scopes = [(RuleScope.PROJECT, name) for name in self.projects] or [(RuleScope.HOME, "")]
        return [
            ApprovalRule(kind, match, *scope, decision, self.prefix, RuleOrigin.SETTINGS)
            for scope in scopes
        ]


class ApprovalSettings(_Section, frozen=True):
    """Settings of the requests of interactive agents."""

    rules: Annotated[
        tuple[RuleSettings, ...],
        _says(
            "rules that answer requests, each `{allow: npm ci, projects: [shop]}` or "
            "`{deny: git push}`, with `prefix` and `kind`: [interactive.md](interactive.md#rules)"
        ),
    ] = ()
    remind: Annotated[
        Duration | None,
        _says("how often people and receivers are notified again of an open request; `null`: once"),
    ] = Duration(15 * 60)
    give_up: Annotated[
        Duration | None,
        _says("how long a request may be open until it is declined; else it waits for ever"),
    ] = None


class DenialSettings(_Section, frozen=True):
    """A rule of a repository, which denies requests of its runs."""

    deny: str | None = None
    allow: str | None = None
    kind: RuleKind = "command"

    def __post_init__(self) -> None:
        """Refuse to allow anything."""
        if self.allow is not None or self.deny is None:
            raise ValueError("a repository may only `deny`: `allow` belongs in your own settings")
        RuleSettings(deny=self.deny, kind=self.kind)


class RepositoryApprovals(_Section, frozen=True):
    """The rules of a repository's own file."""

    rules: tuple[DenialSettings, ...] = ()


class RepositorySettings(_Section, frozen=True):
    """Settings that a repository's own file may hold."""

    workspace: WorkspaceOverrides = WorkspaceOverrides()
    approvals: RepositoryApprovals = RepositoryApprovals()


class WebhookSettings(_Section, frozen=True):
    """A receiver of events."""

    name: WebhookName
    url: Url
    events: tuple[EventName, ...] = ()
    secret_env: str | None = None
    secret_keyring: bool = False

    @property
    def has_secret(self) -> bool:
        """Return whether what is sent is signed."""
        return bool(self.secret_env or self.secret_keyring)

    def __post_init__(self) -> None:
        """Refuse two places for one secret."""
        if self.secret_env and self.secret_keyring:
            raise ValueError("a hook has `secret_env` or `secret_keyring`, not both")


class NotificationSettings(_Section, frozen=True):
    """Settings of notifications."""

    bell: Annotated[
        bool,
        _says(
            "ring the terminal's bell, and notify the desktop, when a run needs you or a batch ends"
        ),
    ] = True
    apprise: Annotated[
        tuple[Address, ...],
        _says("Apprise addresses of people, with the `notify` extra: [webhooks.md](webhooks.md)"),
    ] = ()
    events: Annotated[
        tuple[EventName, ...],
        _says(
            "the events that are sent; of a batch only its end and expensive runs, and no pause of "
            "your own"
        ),
    ] = (
        EventName("run.failed"),
        EventName("run.stalled"),
        EventName("run.needs_input"),
        EventName("run.expensive"),
        EventName("queue.paused"),
        EventName("batch.finished"),
    )


class ApiSettings(_Section, frozen=True):
    """Settings of the HTTP API."""

    port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)],
        _says("the port that `swarm-tui api` listens on; 0 chooses a free one"),
    ] = 8765
    names: Annotated[
        tuple[str, ...],
        _says("names in addresses by which clients may call it, beside `localhost` and --host"),
    ] = ()
    requests_per_minute: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)], _says("requests of each token in a minute")
    ] = 1200
    failures_per_minute: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)],
        _says("requests without a valid token in a minute, from each address"),
    ] = 60
    streams: Annotated[Positive, _says("streams of events that may be open")] = 400
    streams_per_token: Annotated[Positive, _says("streams of events of each token")] = 250
    body_limit: Annotated[Size, _says("the largest body of a request")] = Size(8 * 1024**2)


class UsageSettings(_Section, frozen=True):
    """Settings of usage."""

    flag_at: Annotated[
        Annotated[float, Meta(ge=1.5, le=MOST)] | None,
        _says(
            "how many times the median of its batch, or of its template, a run has to use to be "
            "flagged as expensive; `null`: never"
        ),
    ] = 5
    other_sessions: Annotated[
        bool,
        _says("count the threads, too, that were started without swarm-tui: [usage.md](usage.md)"),
    ] = True


Price = Annotated[float, Meta(ge=0, le=10**6)]
"""USD per million tokens."""


class ModelPrice(_Section, frozen=True):
    """The price of a model; without `cached`, cached input costs as much as other."""

    input: Price
    output: Price
    cached: Price | None = None

    @property
    def of_cached(self) -> float:
        """Return the price of cached input."""
        return self.input if self.cached is None else self.cached


class PullRequestSettings(_Section, frozen=True):
    """Settings of the pull requests of runs."""

    refresh: Annotated[
        Duration | None,
        _says("how often open pull requests are read with `gh`; `null`: only on demand"),
    ] = Duration(5 * 60)


McpPermission = Literal["apply", "push", "cleanup", "verify", "sources"]


class McpSettings(_Section, frozen=True):
    """Settings of the MCP server, which lets other agents start and follow runs."""

    agents: Annotated[
        bool, _says("let the agents of runs start runs of their own: they get the server")
    ] = False
    enable: Annotated[
        tuple[McpPermission, ...],
        _says(
            "further rights of agents: `apply`, `push` and `cleanup` are tools, `verify` sets the "
            "check of a run, `sources` lets an agent of a run choose any source folder"
        ),
    ] = ()
    others: Annotated[
        Literal["read", "none"],
        _says("access of an agent of a run to runs that it did not start"),
    ] = "read"


class ClusterSettings(_Section, frozen=True):
    """Settings of runs on other machines."""

    scheduler: Annotated[
        str | None,
        _says("the address of the scheduler, such as `tls://192.0.2.7:8786`"),
    ] = None
    ca: Annotated[str | None, _says("the file with the certificate of the CA")] = None
    certificate: Annotated[str | None, _says("the file with the certificate of this machine")] = (
        None
    )
    key: Annotated[str | None, _says("the file with its private key")] = None
    on: Annotated[
        HostName,
        _says("where a run works that names no node: `local`, `any`, or the name of a node"),
    ] = HostName("local")


class CleanupSettings(_Section, frozen=True):
    """Settings of the automatic cleanup."""

    auto: Annotated[
        bool, _says("clean up without being asked, every hour; never work that is nowhere else")
    ] = False
    older_than: Annotated[Duration, _says("only what ended longer ago, with `auto`")] = Duration(
        30 * 86400
    )
    keep: Annotated[Count, _says("runs of a project that always stay, with `auto`")] = 20
    budget: Annotated[
        Size,
        _says(
            "disk space of the home, without its trash, above which you are warned; with `auto`, "
            "the oldest go until it fits"
        ),
    ] = Size(50 * 1024**3)
    trash_days: Annotated[Count, _says("days until the trash is emptied")] = 7
    trash_size: Annotated[Size, _says("what the trash may hold; the oldest go first")] = Size(
        20 * 1024**3
    )
    events_days: Annotated[
        Count | None,
        _says("days after a run's end until all but its last 200 events are dropped; else never"),
    ] = None
    rebuildable: Annotated[tuple[str, ...], _says("folders that can be made again, by name")] = (
        "node_modules",
        "target",
        ".venv",
        "venv",
        "__pycache__",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".gradle",
        ".next",
        ".cache",
    )
    disposable: Annotated[
        tuple[str, ...],
        _says(
            "git-ignored files and folders that are not work, by name or pattern; others "
            "that an agent changed keep a workspace from being cleaned up"
        ),
    ] = (
        *("dist", "build", "out", "coverage", "htmlcov"),
        *(".coverage", "*.log", "*.tmp", "*.o", "*.class", "*.egg-info", "*.tsbuildinfo"),
    )

    @property
    def worthless(self) -> tuple[str, ...]:
        """Names of ignored files and folders that are not work."""
        return (*self.rebuildable, *self.disposable)


class UiSettings(_Section, frozen=True):
    """Settings of the dashboard: its look and its keys."""

    theme: Annotated[str, _says("`swarm-dark`, `swarm-light` or one of Textual's")] = "swarm-dark"
    keys: Annotated[dict[str, str], _says("own keys by command: `{run.cancel: x}`")] = {}
    columns: Annotated[
        tuple[str, ...], _says("columns of the run list, in order, as far as there is room")
    ] = (
        "status",
        "title",
        "activity",
        "progress",
        "elapsed",
        "changes",
        "age",
    )


def _slots() -> int:
    return max(2, os.cpu_count() or 2)


class Config(AgentSections, _Section, frozen=True):
    """All settings, with their defaults; those of agents come first."""

    slots: Annotated[Positive, _says("runs at a time; default: as many as processors")] = (
        msgspec.field(default_factory=_slots)
    )
    spare: Annotated[
        tuple[str, ...],
        _says("words in the command lines of processes that outlive a run, as `GradleDaemon`"),
    ] = ()
    grace_s: Annotated[Seconds, _says("seconds from SIGTERM to SIGKILL")] = 5.0
    queue: QueueSettings = QueueSettings()
    children: ChildrenSettings = ChildrenSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    workspace: WorkspaceSettings = WorkspaceSettings()
    projects: Annotated[
        dict[str, ProjectSettings],
        _says(
            "own `setup`, `setup_limit`, `copy_files`, `ignore`, `env`, `on` of a project: "
            "`{shop: {setup: [npm ci]}}`"
        ),
    ] = {}
    webhooks: Annotated[
        tuple[WebhookSettings, ...],
        _says(
            "receivers of events, each `{name, url, events, secret_env}`: "
            "[webhooks.md](webhooks.md)"
        ),
    ] = ()
    notify: NotificationSettings = NotificationSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    prices: Annotated[
        dict[str, ModelPrice],
        _says(
            "own prices of models in USD per million tokens, instead of the list's: "
            "`{gpt-5.5: {input: 5, cached: 0.5, output: 30}}`; without `cached`, cached input "
            "costs as much as other: [usage.md](usage.md#cost)"
        ),
    ] = {}
    pull_requests: PullRequestSettings = PullRequestSettings()
    usage: UsageSettings = UsageSettings()
    api: ApiSettings = ApiSettings()
    mcp: McpSettings = McpSettings()
    cluster: ClusterSettings = ClusterSettings()
    cleanup: CleanupSettings = CleanupSettings()
    ui: UiSettings = UiSettings()

    def __post_init__(self) -> None:
        """Refuse two hooks, or two prices, of one name."""
        names = [hook.name for hook in self.webhooks]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two webhooks are called `{twice}`.")
        self.check_accounts()
        models = [name.lower() for name in self.prices]
        if twice := next((name for name in models if models.count(name) > 1), None):
            raise ValueError(f"two prices are for the model `{twice}`.")
        # Programs that are started from now on do not get them.
        environment.withhold(hook.secret_env for hook in self.webhooks if hook.secret_env)
        environment.withhold(self.key_variables)
        environment.reserve_for_agents(self.secret_variables)


def load(path: Path) -> Config:
    """Return the settings at `path`; the defaults where the file is missing.

    Raises `UserError` CONFIG_INVALID, naming file, line and the nearest valid key.
    """
    return parse(read(path), shown(path))


def read(path: Path) -> str:
    """Return the text of a settings file; a missing one is empty. Raises `UserError`.

    Only a regular file is read: a pipe or a device could block or never end.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if not is_regular and str(path) != os.devnull:
                raise _unreadable(path, "It is not a regular file")
            content = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if len(content) > LIMIT_BYTES:
        raise _unreadable(path, "It is larger than 1 MiB")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(path, "It is not UTF-8") from error


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _unreadable(path: Path, reason: str) -> UserError:
    return user_error("CONFIG_INVALID", f"{shown(path)} cannot be read: {reason}.")


def shown(path: Path) -> str:
    """Return a path as it may be shown."""
    return printable_name(str(path))


def parse(text: str, name: str) -> Config:
    """Read settings from `text`; `name` stands in errors for the file."""
    if not text:  # most homes have no file: every key has its default
        return Config()
    from engine.config import yaml_file

    return yaml_file.parse(text, name, Config)


def parse_repository(text: str, name: str) -> RepositorySettings:
    """Read a repository's own settings, as `parse` does."""
    from engine.config import yaml_file

    return yaml_file.parse(text, name, RepositorySettings)


def plain(config: Config) -> dict[str, Any]:
    """Return all settings as JSON values, lengths of time in seconds and sizes in bytes.

    Addresses and variables may hold secrets, and are only hinted at.
    """
    return _without_values(msgspec.to_builtins(config, enc_hook=_number))


def _without_values(values: dict[str, Any]) -> dict[str, Any]:
    """Put `…` in the place of the values of all variables."""
    for section in (values["workspace"], *values["projects"].values()):
        section["env"] = section["env"] and dict.fromkeys(section["env"], HIDDEN)
    return values


def _number(value: object) -> object:
    if isinstance(value, (Duration, Percent)):
        return float(value)
    if isinstance(value, Address):
        return value.shown
    return int(value) if isinstance(value, Size) else str(value)


def text(config: Config) -> str:
    """Write all settings as the file that would set them; secrets are only hinted at."""
    import yaml

    values = _without_values(msgspec.to_builtins(config, enc_hook=_word))
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _word(value: object) -> str:
    if isinstance(value, Address):
        return value.shown
    return value.written() if isinstance(value, (Duration, Percent, Size)) else str(value)
