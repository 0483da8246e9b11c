"""Rights of a run that an agent asks for: never more than those of the agent itself.

The bound is the run of that agent, the parent; without a parent, it is the user's settings. Fields
that a request leaves open are those of the parent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from engine.domain.budget import Budget, written
from engine.domain.errors import user_error
from engine.domain.interaction import ApprovalPolicy
from engine.domain.model import LOCAL, Agent, Run, RunSpec, Sandbox, WorkspaceKind
from engine.domain.record import record

_LOOSENESS = (Sandbox.READ_ONLY, Sandbox.WORKSPACE_WRITE, Sandbox.DANGER_FULL_ACCESS)
_RULED = frozenset({"account", "interactive", "approvals"})
_MADE_FROM_FOLDERS = (WorkspaceKind.WORKTREE, WorkspaceKind.COPY)


@record
class RunRights:
    """The most that a run may do."""

    sandbox: Sandbox = Sandbox.WORKSPACE_WRITE
    agent: Agent | None = None
    """The agent that it has; None: any."""
    account: str | None = None
    """The account that it uses; None: as the settings have it."""
    interactive: bool | None = None
    approvals: ApprovalPolicy | None = None
    of_agent: tuple[tuple[str, object], ...] = ()
    """Fields of one agent alone that every run has with these values, such as its program."""
    add_dirs: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None
    """The real paths of folders that its workspace may be made from; None: any."""
    may_set_up: bool = True
    """True if set-up commands may run in a workspace made from these folders."""
    may_verify: bool = False
    may_leave: bool = False
    """True if it may work on another machine than this one."""
    budget: Budget | None = None
    """The most that it may use; None: unbounded."""


def rights_of(
    parent: Run,
    sources: tuple[str, ...] | None,
    budget: Budget | None,
    of_agents: Collection[str] = (),
) -> RunRights:
    """Return the rights that a run can hand to a run that it starts.

    `budget` is the part of its own that is left, `of_agents` the fields of single agents.
    """
    spec = parent.spec
    return RunRights(
        sandbox=spec.sandbox,
        agent=spec.agent,
        account=parent.account or spec.account,
        interactive=parent.is_interactive,
        approvals=parent.approval_policy if parent.is_interactive else None,
        of_agent=values_of(spec, of_agents),
        add_dirs=spec.add_dirs,
        sources=sources,
        # Its agent writes there: the commands would run what it wrote, outside of its sandbox.
        may_set_up=not (parent.workspace and parent.workspace.kind is WorkspaceKind.IN_PLACE),
        budget=budget,
    )


def within(spec: RunSpec, said: Collection[str], rights: RunRights) -> RunSpec:
    """Return a request with what it left open, bounded by `rights`; raises RIGHTS_EXCEEDED.

    `said` are the fields that were set.
    """
    for problem in _problems(spec, said, rights):
        raise user_error("RIGHTS_EXCEEDED", problem)
    return replace(
        spec,
        agent=rights.agent or spec.agent,
        account=rights.account if rights.account is not None else spec.account,
        interactive=spec.interactive if rights.interactive is None else rights.interactive,
        approvals=rights.approvals or spec.approvals,
        add_dirs=rights.add_dirs,
        sandbox=_stricter(spec.sandbox, rights.sandbox),
        budget=spec.budget or rights.budget,
        with_setup=spec.with_setup if rights.may_set_up else False,
        priority=min(spec.priority, 0),
        **dict(rights.of_agent),  # pyright: ignore[reportArgumentType]  values of the same fields
    )


def values_of(spec: RunSpec, names: Collection[str]) -> tuple[tuple[str, object], ...]:
    """Return the values of fields of one agent alone; those with a rule of their own are not in."""
    return tuple((name, getattr(spec, name)) for name in sorted(names) if name not in _RULED)


def _problems(spec: RunSpec, said: Collection[str], rights: RunRights) -> Iterator[str]:
    """Yield a sentence for each part of a request that `rights` do not allow."""
    for check in _CHECKS:
        if problem := check(spec, rights):
            yield problem
    if "sandbox" in said and _is_looser(spec.sandbox, rights.sandbox):
        yield f"The sandbox may not be looser than {rights.sandbox}."
    if "agent" in said and rights.agent not in (None, spec.agent):
        yield f"The agent has to be {rights.agent}."


def _stricter(one: Sandbox, other: Sandbox) -> Sandbox:
    return other if _is_looser(one, other) else one


def _is_looser(sandbox: Sandbox, bound: Sandbox) -> bool:
    # A word of a newer version may allow anything.
    if sandbox not in _LOOSENESS or bound not in _LOOSENESS:
        return sandbox is not bound
    return _LOOSENESS.index(sandbox) > _LOOSENESS.index(bound)


def _account(spec: RunSpec, rights: RunRights) -> str:
    if spec.account is None or spec.account == rights.account:
        return ""
    return "Another account may not be used."


def _of_agent(spec: RunSpec, rights: RunRights) -> str:
    for name, value in rights.of_agent:
        asked = getattr(spec, name)
        if asked and asked != value:
            return f"The agent's option {name.replace('_', '-')} may not be changed."
    return ""


def _environment(spec: RunSpec, _: RunRights) -> str:
    return "Variables may not be set." if spec.env else ""


def _folders(spec: RunSpec, rights: RunRights) -> str:
    is_more = not set(spec.add_dirs) <= set(rights.add_dirs)
    return "Further writable folders may not be added." if is_more else ""


def _verify(spec: RunSpec, rights: RunRights) -> str:
    if spec.verify is None or rights.may_verify:
        return ""
    return "A check may not be set: it runs outside of the agent's sandbox."


def _set_up(spec: RunSpec, _: RunRights) -> str:
    is_forced = spec.with_setup and spec.workspace.kind not in _MADE_FROM_FOLDERS
    return "Set-up commands may not run in a workspace of agents." if is_forced else ""


def _workspace(spec: RunSpec, rights: RunRights) -> str:
    wish = spec.workspace
    if wish.kind is WorkspaceKind.IN_PLACE:
        return "A run may not work in place: use a worktree or a copy."
    is_here = wish.host == LOCAL and spec.on in (None, LOCAL)
    if not (is_here or rights.may_leave):
        return "A run may not work on another machine."
    is_made = wish.kind in _MADE_FROM_FOLDERS and rights.sources is not None
    if is_made and wish.source not in (rights.sources or ()):
        return "The source folder may not be used: only that of the run itself."
    return ""


def _network(spec: RunSpec, _: RunRights) -> str:
    wish = spec.workspace
    is_remote = wish.fetch or (wish.base or "").startswith("pr/")
    return "Nothing may be fetched from the network." if is_remote else ""


def _pace(spec: RunSpec, _: RunRights) -> str:
    return "The pace of the queue may not be ignored." if spec.ignore_pace else ""


def _budget(spec: RunSpec, rights: RunRights) -> str:
    bound, asked = rights.budget, spec.budget
    if bound is None:
        return ""
    if bound.amount <= 0:
        return "Nothing is left of the budget of the run."
    if asked and (asked.unit is not bound.unit or asked.amount > bound.amount):
        return f"The budget may be {written(bound)} at most: that is left of the run's own."
    return ""


_CHECKS: tuple[Callable[[RunSpec, RunRights], str], ...] = (
    _account,
    _of_agent,
    _environment,
    _folders,
    _verify,
    _set_up,
    _workspace,
    _network,
    _pace,
    _budget,
)
