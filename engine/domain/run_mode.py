"""The mode of a run: chosen when it is requested, and changed between attempts."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.errors import user_error
from engine.domain.hosts import requested_host
from engine.domain.interaction import ApprovalPolicy, ModeChange, RunMode
from engine.domain.model import Run, RunSpec

UNCHANGED = ModeChange()


def with_mode(spec: RunSpec, usual: RunMode, approvals: ApprovalPolicy) -> RunSpec:
    """Return `spec` with its mode settled; `usual` and `approvals` are those of the settings.

    To choose when the agent asks is to choose an agent that asks.
    """
    is_usual = usual is RunMode.INTERACTIVE or spec.approvals is not None
    is_interactive = is_usual if spec.interactive is None else spec.interactive
    policy = spec.approvals or approvals if is_interactive else None
    return replace(spec, interactive=is_interactive, approvals=policy)


def changed(run: Run, change: ModeChange) -> RunSpec:
    """Return the spec of the run's next attempt; raises `UserError` where the change is none."""
    interactive = change.interactive
    if interactive is None:
        interactive = run.is_interactive or change.approvals is not None
    if change.approvals is not None and not interactive:
        raise user_error("INPUT_INVALID", "--approvals does not go with --no-interactive.")
    approvals = (change.approvals or run.approval_policy) if interactive else None
    ignores = run.spec.ignore_pace or change.ignores_pace
    wish = replace(run.spec.workspace, host=change.on or requested_host(run))
    return replace(
        run.spec,
        interactive=interactive,
        approvals=approvals,
        ignore_pace=ignores,
        workspace=wish,
    )


def mode_of(spec: RunSpec) -> RunMode:
    """Return the mode of a spec."""
    return RunMode.INTERACTIVE if spec.interactive else RunMode.EXEC
