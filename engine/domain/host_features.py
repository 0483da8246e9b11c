"""Features that runs have on this machine only, and the error where one is asked for elsewhere."""

from __future__ import annotations

from enum import StrEnum

from engine.domain.errors import UserError, user_error
from engine.domain.model import ANY_NODE, LOCAL, RunSpec, WorkspaceKind
from engine.domain.text import printable_name


class HostFeature(StrEnum):
    """Features that need the run's files on this machine; as a request."""

    IN_PLACE = "work in place"
    ADD_DIRS = "write in folders outside of its workspace (--add-dir)"
    OPEN_FOLDER = "open its folder or files in an editor"
    OPEN_SHELL = "open a shell in its folder"
    OPEN_THREAD = "open its thread in the agent's own program"
    FORK = "be forked"


_AT_START = "Leave that out, or start the run with `--on local`."
_LATER = {
    HostFeature.OPEN_FOLDER: "See its files with `swarm-tui files` and `swarm-tui diff`.",
    HostFeature.OPEN_SHELL: "See its files with `swarm-tui files` and `swarm-tui diff`.",
    HostFeature.OPEN_THREAD: "Go on in its thread with `swarm-tui resume RUN MESSAGE`.",
    HostFeature.FORK: "Start a run from it with `swarm-tui run --from-run RUN`.",
}


def check_feature(host: str, feature: HostFeature) -> None:
    """Raise `UserError` NODE_CANNOT where a run on a machine cannot have a feature."""
    if host != LOCAL:
        raise cannot(host, feature)


def cannot(host: str, feature: HostFeature) -> UserError:
    """Return the error of a feature that is missing on a machine."""
    place = "a node" if host == ANY_NODE else printable_name(host)
    message = f"A run on {place} cannot {feature}."
    return user_error("NODE_CANNOT", message, _LATER.get(feature, _AT_START))


def check_features(spec: RunSpec, host: str) -> None:
    """Raise `UserError` NODE_CANNOT where a requested run needs what its machine cannot do."""
    needed = {
        HostFeature.IN_PLACE: spec.workspace.kind is WorkspaceKind.IN_PLACE,
        HostFeature.ADD_DIRS: bool(spec.add_dirs),
    }
    for feature, is_needed in needed.items():
        if is_needed:
            check_feature(host, feature)
