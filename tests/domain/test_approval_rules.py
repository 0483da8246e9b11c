"""Approval rules: the requests that they answer, and those that no rule may approve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain import rule_matching
from engine.domain.approval_rules import ApprovalRule, RuleOrigin, RuleScope, RuleUses, used
from engine.domain.errors import UserError
from engine.domain.interaction import (
    Decision,
    InputRequest,
    ProposedChange,
    RequestKind,
    RequestPhase,
)
from engine.domain.model import Run, RunSpec, Workspace, WorkspaceKind, WorkspaceSpec

K, D = RequestKind, Decision


def run(id: str = "01run", project: str = "shop", batch: str | None = "nightly") -> Run:
    return Run(id, RunSpec("x", "t", project, batch=batch), 0.0)


def command(script: str, shell: str = "bash", **more: object) -> InputRequest:
    request = InputRequest(
        "0",
        RequestPhase.RAISED,
        K.COMMAND,
        command=f"/bin/bash -lc '{script}'",
        cwd=".",
        digest="d",
        subject=(shell, script),
    )
    return replace(request, **more)


def patch(*paths: str, **more: object) -> InputRequest:
    changes = tuple(ProposedChange(path, "modified", "x") for path in paths)
    request = InputRequest("0", RequestPhase.RAISED, K.PATCH, changes=changes, subject=paths)
    return replace(request, **more)


def tool(server: str, name: str, **more: object) -> InputRequest:
    request = InputRequest(
        "0", RequestPhase.RAISED, K.TOOL, text=f"{server}.{name}", subject=(server, name)
    )
    return replace(request, **more)


def rule(*match: str, kind: RequestKind = K.COMMAND, **more: object) -> ApprovalRule:
    made = ApprovalRule(kind, match, RuleScope.PROJECT, "shop", D.APPROVE, id="r1")
    return replace(made, **more)


def is_approved(request: InputRequest, *rules: ApprovalRule) -> bool:
    found = rule_matching.decide(run(), request, rules)
    return found is not None and not found.is_deny


def is_denied(request: InputRequest, *rules: ApprovalRule) -> bool:
    found = rule_matching.decide(run(), request, rules)
    return found is not None and found.is_deny


def test_exact_command_is_equal_in_each_character() -> None:
    exact = rule("npm ci && npm test")
    assert is_approved(command("npm ci && npm test"), exact)
    for other in ("npm ci  && npm test", "npm ci && npm test ", "npm ci", "npm ci && npm test; x"):
        assert not is_approved(command(other), exact)


def test_prefix_answers_simple_commands_of_known_shells_only() -> None:
    prefix = rule("npm", "run", is_prefix=True)
    assert is_approved(command("npm run test -- --watch"), prefix)
    assert is_approved(command("npm run test", shell="sh"), prefix)
    for shell in ("zsh", "fish", ""):
        assert not is_approved(command("npm run test", shell=shell), prefix)
    for script in ("npm run x; evil", "npm run $(evil)", "npm", "npm runx", "X=1 npm run x"):
        assert not is_approved(command(script), prefix)


def test_deny_wins_over_approve_wherever_it_stands() -> None:
    allow, deny = rule("git", is_prefix=True), rule("git push", decision=D.DENY, id="r2")
    assert is_approved(command("git status"), allow, deny)
    for rules in ((allow, deny), (deny, allow)):
        assert is_denied(command("git -C sub push"), *rules)
        assert is_denied(command("git -c 'x=a;b' push"), *rules)


def test_deny_sees_what_no_rule_may_approve() -> None:
    deny = rule("git push", decision=D.DENY)
    hidden = command("x", subject=(), command="/bin/bash -lc 'cd a\ngit push'")
    assert is_denied(hidden, deny)
    assert is_denied(replace(hidden, is_cut=True, details="{}"), deny)


@pytest.mark.parametrize(
    "request_",
    [
        command("npm ci", is_cut=True),
        command("npm ci", subject=()),
        command("npm ci", kind=K.PERMISSIONS),
        command("npm ci", kind=None),
        command("npm ci", kind=K.TOOL),
    ],
)
def test_no_rule_approves_a_request_of_a_forbidden_kind(request_: InputRequest) -> None:
    kinds = [kind for kind in (*K, request_.kind) if kind]
    rules = [
        rule(*match, kind=kind, is_prefix=is_prefix)
        for kind in kinds
        for match in (("npm ci",), ("npm", "ci"), ("bash", "npm ci"))
        for is_prefix in (True, False)
    ]
    assert not any(is_approved(request_, one) for one in rules if one.kind is not K.TOOL)
    approvals = rule_matching.possible(run(), request_)
    assert [one for one in approvals if not one.is_deny and request_.kind is not K.TOOL] == []


def test_rule_of_permissions_cannot_be() -> None:
    for kind in (K.PERMISSIONS, RequestKind.read("network")):
        with pytest.raises(UserError, match="Rules answer"):
            rule_matching.check(rule("x", kind=kind))


@pytest.mark.parametrize("text", ["npm\nci", "npm\tci", "npm\x1b[31m", "npm\u202e", "a\u200bb", ""])
def test_rule_with_characters_that_cannot_be_seen_cannot_be(text: str) -> None:
    for decision in (D.APPROVE, D.DENY):
        with pytest.raises(UserError):
            rule_matching.check(rule(text, decision=decision))
    assert not is_approved(command(text), rule(text))


@pytest.mark.parametrize("match", [("bash",), ("sudo",), ("python3", "-c"), ("npm ci",), ("a;b",)])
def test_prefix_that_is_too_wide_cannot_be(match: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        rule_matching.check(rule(*match, is_prefix=True))


def test_path_prefix_answers_patches_below_it_only() -> None:
    docs = rule("docs", kind=K.PATCH, is_prefix=True)
    assert is_approved(patch("docs/a.md", "docs/b/c.md"), docs)
    for paths in (
        ("docs/a.md", "src/a.py"),
        ("docsx/a.md",),
        ("docs/../src/a.py",),
        ("/docs/a.md",),
        ("docs/.git/hooks/x",),
        ("docs",),
        (),
    ):
        assert not is_approved(patch(*paths), docs)
    assert not is_approved(patch("docs/link.md", subject=("src/a.py",)), docs)
    assert not is_approved(patch("docs/a.md", is_cut=True), docs)


@pytest.mark.parametrize("path", [".git/config", "a/.GIT/x", ".github/workflows/x", "a/.env"])
def test_no_rule_approves_a_patch_to_files_that_decide_what_runs(path: str) -> None:
    for match in (".", path, path.rpartition("/")[0]):
        for is_prefix in (True, False):
            assert not is_approved(patch(path), rule(match, kind=K.PATCH, is_prefix=is_prefix))


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", ".git", "a//b", "./a"])
def test_path_out_of_the_workspace_cannot_be_in_a_rule(path: str) -> None:
    with pytest.raises(UserError):
        rule_matching.check(rule(path, kind=K.PATCH, is_prefix=True))


def test_deny_of_a_path_answers_any_patch_that_touches_it() -> None:
    deny = rule("secrets", kind=K.PATCH, decision=D.DENY)
    assert is_denied(patch("src/a.py", "secrets/key"), deny)
    assert is_denied(patch("Secrets/key"), deny)
    assert is_denied(patch("link/key", subject=("secrets/key",)), deny)
    assert is_denied(patch("/etc/x", subject=()), rule("/etc", kind=K.PATCH, decision=D.DENY))
    assert not is_denied(patch("secretsx/key"), deny)


@pytest.mark.parametrize(
    "path",
    [
        "secrets",
        "./secrets",
        "secrets/",
        "secrets//x",
        "secrets/./x",
        "/ws/secrets",
        "/ws//secrets",
        "//ws/secrets",
        "/ws/./secrets/x",
        "/src/shop/secrets",
    ],
)
def test_deny_of_a_path_however_it_is_written(path: str) -> None:
    asking = replace(
        run(),
        spec=replace(run().spec, workspace=WorkspaceSpec(WorkspaceKind.COPY, "/src/shop")),
        workspace=Workspace("/ws", WorkspaceKind.COPY),
    )
    deny = rule(path, kind=K.PATCH, decision=D.DENY)
    allow = rule(".", kind=K.PATCH, is_prefix=True, id="r2")
    for touched in ("secrets/x", "secrets//x", "./secrets/x", "/ws/secrets/x", "a/../secrets/x"):
        found = rule_matching.decide(asking, patch(touched), (allow, deny))
        assert found is deny, touched
    assert rule_matching.decide(asking, patch("other/x"), (allow, deny)) is allow


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a/..", "~/x", "secrets/*", "**/x", "/a/.."])
def test_deny_of_a_path_that_never_matches_cannot_be(path: str) -> None:
    with pytest.raises(UserError, match="The path of a rule"):
        rule_matching.check(rule(path, kind=K.PATCH, decision=D.DENY))


def test_rule_of_the_settings_approves_in_exactly_its_project() -> None:
    request, other = command("npm ci"), run(project="two/shop")
    allow = rule("npm ci", origin=RuleOrigin.SETTINGS)
    assert rule_matching.decide(run(), request, [allow]) is allow
    assert rule_matching.decide(other, request, [allow]) is None
    exact = replace(allow, scope_id="two/shop")
    assert rule_matching.decide(other, request, [exact]) is exact
    deny = replace(allow, decision=D.DENY)
    assert rule_matching.decide(other, request, [deny]) is deny


def test_tool_is_its_server_and_its_name() -> None:
    deploy = rule("lab", "deploy", kind=K.TOOL)
    assert is_approved(tool("lab", "deploy"), deploy)
    for other in (tool("lab", "x"), tool("x", "deploy"), tool("lab", "deploy", subject=())):
        assert not is_approved(other, deploy)
    assert is_denied(tool("lab", "x"), rule("lab", kind=K.TOOL, decision=D.DENY))
    with pytest.raises(UserError):
        rule_matching.check(rule("lab", kind=K.TOOL))


def test_rule_is_for_its_run_batch_or_project() -> None:
    request = command("npm ci")
    for scope, name in ((RuleScope.RUN, "01run"), (RuleScope.BATCH, "nightly")):
        of_it = rule("npm ci", scope=scope, scope_id=name)
        assert is_approved(request, of_it)
        assert not is_approved(request, replace(of_it, scope_id="other"))
    other = run("01other", "garden", None)
    assert rule_matching.decide(other, request, [rule("npm ci")]) is None
    home = rule("npm ci", scope=RuleScope.HOME, scope_id="", origin=RuleOrigin.SETTINGS)
    assert rule_matching.decide(other, request, [home])


def test_unknown_scope_of_a_newer_version_approves_nothing() -> None:
    assert not is_approved(command("npm ci"), rule("npm ci", scope=RuleScope.read("fleet")))


def test_possible_rules_name_the_narrowest_first() -> None:
    found = rule_matching.possible(run(), command("npm run test -- --watch"))
    approve = [one for one in found if one.decision is D.APPROVE]
    assert [(one.scope.value, one.match, one.is_prefix) for one in approve] == [
        (scope, match, is_prefix)
        for scope in ("run", "batch", "project")
        for match, is_prefix in (
            (("npm run test -- --watch",), False),
            (("npm", "run"), True),
        )
    ]
    assert len(found) == 2 * len(approve)
    assert rule_matching.possible(run(), command("a && b"))[0].match == ("a && b",)
    assert {one.match for one in rule_matching.possible(run(), patch("a/b/c", "a/d"))} == {("a",)}
    outside = patch("/etc/x", subject=())
    assert {one.decision for one in rule_matching.possible(run(), outside)} == {D.DENY}


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            rule("npm ci"),
            "Approve each run of exactly `npm ci` in project shop, until you remove the rule.",
        ),
        (
            rule("npm", "run", is_prefix=True, scope=RuleScope.RUN, scope_id="01run"),
            "Approve each simple command that begins with `npm run`, with any further arguments, "
            "in the run 01run, until the run ends.",
        ),
        (
            rule("git push", decision=D.DENY, scope=RuleScope.BATCH, scope_id="nightly"),
            "Deny each command that contains the words `git push` in this order, also with others "
            "between or around them, in the batch nightly, until all runs of the batch have ended.",
        ),
        (
            rule("docs", kind=K.PATCH, is_prefix=True),
            "Approve each patch that only changes files below `docs` in project shop, "
            "until you remove the rule.",
        ),
        (
            rule("lab", "deploy", kind=K.TOOL),
            "Approve each call of the tool `deploy` of the MCP server `lab` in project shop, "
            "until you remove the rule.",
        ),
        (
            rule("echo `x`"),
            'Approve each run of exactly "echo `x`" in project shop, until you remove the rule.',
        ),
    ],
)
def test_words_of_a_rule(one: ApprovalRule, sentence: str) -> None:
    assert one.words == sentence


def test_one_notice_for_a_rule_that_answers_very_often() -> None:
    uses, notices = RuleUses(), []
    for at in range(100):
        uses, is_due = used(uses, at * 2.0)
        notices += [at] if is_due else []
    assert notices == [19]
    assert (uses.uses, uses.latest[-1]) == (100, 198.0)
    for at in range(20):
        uses, is_due = used(uses, 1000.0 + at)
        notices += [at] if is_due else []
    assert notices == [19, 19]


def test_seldom_used_rule_writes_no_notice() -> None:
    uses = RuleUses()
    for at in range(100):
        uses, is_due = used(uses, at * 4.0)
        assert not is_due
