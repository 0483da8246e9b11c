"""The machine of a run: asked for, chosen, and that of its workspace."""

from __future__ import annotations

from dataclasses import asdict, replace

from engine.domain.events import Body, Event, Progressed
from engine.domain.hosts import HostChosen, host_of, requested_host
from engine.domain.model import ANY_NODE, LOCAL, Run, RunSpec, Stage, Workspace, WorkspaceSpec
from engine.domain.model import WorkspaceKind as Kind
from engine.domain.projection import fold
from engine.domain.run_json import run_json


def run(host: str = LOCAL) -> Run:
    return Run("abc", RunSpec("p", "t", "shop", workspace=WorkspaceSpec(host=host)), 0.0)


def after(known: Run, *bodies: Body) -> Run:
    return fold(known, [Event("abc", n, 1.0, 1, body) for n, body in enumerate(bodies, 1)])


def made(host: str) -> Progressed:
    folder = asdict(Workspace("/w", Kind.EMPTY, host=host))
    return Progressed(Stage.WORKSPACE_CLONED, "ready", 20, folder)


def test_a_run_without_a_choice_is_where_it_was_asked_for() -> None:
    assert [host_of(run(one)) for one in (LOCAL, "n1", ANY_NODE)] == [LOCAL, "n1", ANY_NODE]


def test_the_chosen_node_is_the_runs_machine_and_the_request_is_kept() -> None:
    chosen = after(run(ANY_NODE), HostChosen("n1", "it has the most free slots"))
    assert (host_of(chosen), requested_host(chosen)) == ("n1", ANY_NODE)
    assert run_json(chosen, 1.0)["host"] == "n1"


def test_another_choice_counts_before_the_workspace_of_an_earlier_attempt() -> None:
    there = after(run(ANY_NODE), HostChosen("n1"), made("n1"), HostChosen("n2"))
    assert host_of(there) == "n2"
    assert there.workspace and there.workspace.host == "n1"


def test_a_later_request_of_the_user_replaces_the_first_one() -> None:
    asked = after(run("n1"), HostChosen(ANY_NODE, is_request=True))
    assert (host_of(asked), requested_host(asked)) == (ANY_NODE, ANY_NODE)
    moved = after(replace(asked, seq=0), HostChosen("n2"))
    assert (host_of(moved), requested_host(moved)) == ("n2", ANY_NODE)


def test_a_choice_is_not_a_sign_of_life_of_the_agent() -> None:
    assert after(run(ANY_NODE), HostChosen("n1")).last_sign_at == 0.0
