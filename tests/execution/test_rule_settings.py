"""Approval rules of settings files: the user's, and those of a repository, which only deny."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support import quick, spec, supervising, until

from engine.config import settings
from engine.config.paths import Paths
from engine.config.settings import ApprovalSettings, Config, RuleSettings
from engine.domain.approval_rules import RuleOrigin, RuleScope
from engine.domain.errors import UserError
from engine.domain.interaction import Decision, InputRequest, RequestPhase
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.engine import Engine

ALLOW = ApprovalSettings((RuleSettings(allow="git", prefix=True),))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "config.yaml")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / ".swarm").mkdir(parents=True)
    write(folder, "approvals: {rules: [{deny: git push}]}")
    return folder


def write(source: Path, text: str) -> None:
    (source / ".swarm/config.yaml").write_text(text)


def wish(source: Path, *lines: str, kind: WorkspaceKind = WorkspaceKind.COPY) -> RunSpec:
    return spec(*lines, workspace=WorkspaceSpec(kind, str(source)), interactive=True)


def test_rules_are_read_from_the_settings() -> None:
    text = """
approvals:
  rules:
    - {allow: npm ci, projects: [shop, garden]}
    - {allow: npm run, prefix: true}
    - {deny: git push}
    - {deny: lab.deploy, kind: tool}
    - {allow: docs, kind: patch, prefix: true}
"""
    config = settings.parse(text, "config.yaml")
    rules = [rule for one in config.approvals.rules for rule in one.rules()]
    assert [(it.decision.value, it.match, it.scope_id) for it in rules] == [
        ("approve", ("npm ci",), "shop"),
        ("approve", ("npm ci",), "garden"),
        ("approve", ("npm", "run"), ""),
        ("deny", ("git push",), ""),
        ("deny", ("lab", "deploy"), ""),
        ("approve", ("docs",), ""),
    ]
    assert rules[2].scope is RuleScope.HOME
    assert rules[2].words.endswith("in every project, as long as your settings have the rule.")
    written = settings.text(config)
    assert settings.parse(written, "config.yaml").approvals == config.approvals


@pytest.mark.parametrize(
    "rule",
    [
        "{}",
        "{allow: a, deny: b}",
        "{allow: sudo, prefix: true}",
        "{allow: 'a; b', prefix: true}",
        '{allow: "a\\nb"}',
        "{allow: ../x, kind: patch}",
        "{allow: .git, kind: patch, prefix: true}",
        "{allow: lab, kind: tool}",
        "{allow: x, kind: permissions}",
        "{deny: '&&'}",
        "{deny: x, project: shop}",
        "{deny: ../x, kind: patch}",
        "{deny: 'secrets/*', kind: patch}",
        "{allow: uv run, prefix: true}",
    ],
)
def test_rule_that_cannot_be_is_a_mistake_in_the_settings(rule: str) -> None:
    with pytest.raises(UserError) as refused:
        settings.parse(f"approvals: {{rules: [{rule}]}}", "config.yaml")
    assert refused.value.code == "CONFIG_INVALID"


async def test_rules_of_the_settings_are_listed_and_stay_there(paths: Paths) -> None:
    ids: list[str] = []
    for _ in range(2):
        async with Engine.open(paths, quick(approvals=ALLOW), follow=False) as engine:
            (rule,) = await engine.rules()
            assert rule.origin is RuleOrigin.SETTINGS
            with pytest.raises(UserError, match="in a settings file"):
                await engine.remove_rule(rule.id)
            ids.append(rule.id)
    assert ids[0] == ids[1]


async def answers(engine: Engine, run: Run) -> Sequence[tuple[Decision | None, str]]:
    events = await engine.events(run.id, kinds=["input_request"])
    bodies = [event.body for event in events if isinstance(event.body, InputRequest)]
    return [(it.decision, it.decided_by) for it in bodies if it.phase is RequestPhase.ANSWERED]


async def test_denial_of_the_repository_wins_over_the_users_own_rule(
    paths: Paths, source: Path
) -> None:
    lines = ("ask 'git status'", "ask 'git -C x push'", "say done")
    async with supervising(paths, approvals=ALLOW) as engine:
        run = await engine.start(wish(source, *lines))
        write(source, "")  # too late: it counts as it was when the run was requested
        await until(engine, lambda: engine.view.runs[run.id].status in FINISHED)
        (allow,) = await engine.rules()
        first, second = await answers(engine, run)
    assert first == (Decision.APPROVE, f"rule:{allow.id}")
    assert second[0] is Decision.DENY
    assert second[1].startswith("rule:repository-")
    assert allow.uses == 1


@pytest.mark.parametrize("kind", [WorkspaceKind.COPY, WorkspaceKind.IN_PLACE])
async def test_repository_denies_without_a_question(
    paths: Paths, source: Path, kind: WorkspaceKind
) -> None:
    async with Engine.open(paths, Config()) as engine:
        checked = await engine.check(wish(source, kind=kind))
        assert checked.preparation.denied == (("command", "git push"),)


async def test_repository_never_allows(paths: Paths, source: Path) -> None:
    write(source, "approvals: {rules: [{allow: npm ci}]}")
    async with Engine.open(paths, Config()) as engine:
        for kind in (WorkspaceKind.COPY, WorkspaceKind.IN_PLACE):
            with pytest.raises(UserError, match="may only `deny`") as refused:
                await engine.start(wish(source, kind=kind))
            assert refused.value.code == "CONFIG_INVALID"
        assert await engine.runs() == []
