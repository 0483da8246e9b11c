"""Restrictions that a file from a repository loosens, compared with the user's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.agents.profiles import profile_of
from engine.config.settings import WatchdogSettings
from engine.domain import base_name
from engine.domain.activity import clock
from engine.domain.budget import amount_words
from engine.domain.consent import TrustConcern, TrustItem, runs
from engine.domain.interaction import ApprovalPolicy
from engine.domain.model import RunSpec, Sandbox, WatchdogOverride
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.workspaces.files.command_words import leaves_folder, uses_network
from engine.workspaces.files.named_files import ALL_CHARACTERS

_SANDBOXES = [Sandbox.READ_ONLY, Sandbox.WORKSPACE_WRITE, Sandbox.DANGER_FULL_ACCESS]
_ACTIONS = ("fail", "notice", "resume")


def looser(
    wanted: Mapping[str, Any], base: RunSpec, usual: WatchdogSettings, homes: Sequence[str] = ()
) -> Iterator[TrustItem]:
    """Return what `wanted`, by the fields of `RunSpec`, allows or costs more than `base` does.

    `usual` are the settings of the watchdog, `homes` the folders whose files it may name. A command
    is judged elsewhere.
    """
    sandbox = wanted.get("sandbox")
    if sandbox is not None and _level(sandbox) > _level(base.sandbox):
        text = f"loosens the sandbox to {printable_name(sandbox)}"
        if sandbox is Sandbox.DANGER_FULL_ACCESS:
            text = f"lets {profile_of(base.agent).title} work without a sandbox"
        yield TrustItem(TrustConcern.SANDBOX, text)
    yield from _approvals(wanted, base)
    model = wanted.get("model")
    if model is not None and model != base.model:
        yield TrustItem(TrustConcern.COST, f"uses the model {printable_name(model)}")
    account = wanted.get("account")
    if account is not None and account != base.account:
        yield TrustItem(TrustConcern.COST, f"uses the account {printable_name(account)}")
    retries = wanted.get("retries")
    if retries is not None and retries > base.retries:
        yield TrustItem(TrustConcern.COST, f"tries again up to {retries} times")
    if wanted.get("ignore_pace") and not base.ignore_pace:
        yield TrustItem(TrustConcern.COST, "starts past the reserve of the settings")
    yield from _limits(wanted, base)
    yield from variables(wanted.get("env") or {}, base.env)
    yield from _files(wanted, base, homes)
    yield from _network(wanted, base)
    if isinstance(watch := wanted.get("watchdog"), WatchdogOverride):
        yield from _watch(watch, base.watchdog, usual)


def _approvals(wanted: Mapping[str, Any], base: RunSpec) -> Iterator[TrustItem]:
    """Return the item of a run that asks the user for less."""
    if not base.interactive or base.approvals is not ApprovalPolicy.UNTRUSTED:
        return
    is_silent = wanted.get("interactive") is False
    if is_silent or wanted.get("approvals") is ApprovalPolicy.ON_REQUEST:
        title = profile_of(base.agent).title
        text = "without asking" if is_silent else "asking only before they leave the sandbox"
        yield TrustItem(TrustConcern.SANDBOX, f"lets {title} run its commands {text}")


def _files(wanted: Mapping[str, Any], base: RunSpec, homes: Sequence[str]) -> Iterator[TrustItem]:
    """Return the files outside that the agent's model would see; all folders to write in."""
    title = profile_of(base.agent).title
    schema = wanted.get("schema_file")
    for path in (schema,) if schema and schema != base.schema_file else ():
        if not _is_below(path, homes):
            yield TrustItem(
                TrustConcern.LEAVES, f"sends {title} the file {printable_name(path)} as a schema"
            )
    for path in wanted.get("images") or ():
        if path not in base.images and not _is_below(path, homes):
            yield TrustItem(TrustConcern.LEAVES, f"shows {title} the file {printable_name(path)}")
    for path in wanted.get("add_dirs") or ():
        if path not in base.add_dirs:
            yield TrustItem(
                TrustConcern.LEAVES, f"lets {title} write in the folder {printable_name(path)}"
            )


def _is_below(path: str, homes: Sequence[str]) -> bool:
    return any(real_path(path).is_relative_to(real_path(home)) for home in homes)


def _network(wanted: Mapping[str, Any], base: RunSpec) -> Iterator[TrustItem]:
    ref, usual = wanted.get("workspace.base") or "", base.workspace
    if base_name.PULL.fullmatch(ref) and ref != usual.base:
        yield TrustItem(
            TrustConcern.NETWORK, f"fetches the base {printable_name(ref)} from its remote"
        )
    if wanted.get("workspace.fetch") and not usual.fetch:
        yield TrustItem(TrustConcern.NETWORK, "fetches the base from its remote")


def variables(wanted: Mapping[str, str], usual: Mapping[str, str]) -> Iterator[TrustItem]:
    """Return the items of variables: programs take commands and libraries from some."""
    for name, value in wanted.items():
        if usual.get(name) != value:
            yield TrustItem(
                TrustConcern.COMMAND, f"sets the variable {name} to {printable_name(value)}"
            )


def command(text: str, root: str) -> TrustItem:
    """Return the item of a command, by what is unusual about it."""
    if leaves_folder(text, root):
        return runs(text, TrustConcern.LEAVES)
    return runs(text, TrustConcern.NETWORK if uses_network(text) else TrustConcern.COMMAND)


def commands(texts: Sequence[str], root: str) -> list[TrustItem]:
    """Return the items of some commands; where they are too long to be judged, all are unusual."""
    if sum(map(len, texts)) > ALL_CHARACTERS:
        return [runs(text, TrustConcern.LEAVES) for text in texts]
    return [command(text, root) for text in texts]


def _level(sandbox: Sandbox) -> int:
    return _SANDBOXES.index(sandbox) if sandbox in _SANDBOXES else len(_SANDBOXES)


def _limits(wanted: Mapping[str, Any], base: RunSpec) -> Iterator[TrustItem]:
    """Return the limits that are higher; where the user has none, any limit tightens."""
    for name, words, shown in (
        ("timeout_s", "may take {}", clock),
        ("verify_limit_s", "lets its check take {}", clock),
    ):
        more, limit = wanted.get(name), getattr(base, name)
        if more is not None and limit is not None and more > limit:
            yield TrustItem(TrustConcern.COST, words.format(shown(more)))
    budget, usual = wanted.get("budget"), base.budget
    # Amounts in different units cannot be compared.
    if budget and usual and (budget.unit is not usual.unit or budget.amount > usual.amount):
        words = amount_words(budget.amount, budget.unit)
        yield TrustItem(TrustConcern.COST, f"may use {words}")


def _watch(
    watch: WatchdogOverride, base: WatchdogOverride, usual: WatchdogSettings
) -> Iterator[TrustItem]:
    action = base.action or usual.action
    if watch.action is not None and _ACTIONS.index(watch.action) > _ACTIONS.index(action):
        yield TrustItem(TrustConcern.COST, f"does this when a run stalls: {watch.action}")
    for name, words in (
        ("silent_s", "waits {} for a silent agent"),
        ("first_event_s", "waits {} for an agent's first sign of life"),
    ):
        more, limit = getattr(watch, name), getattr(base, name)
        limit = getattr(usual, name) if limit is None else limit
        if more is not None and more > limit:
            yield TrustItem(TrustConcern.COST, words.format(clock(more)))
