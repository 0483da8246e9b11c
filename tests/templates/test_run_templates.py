"""Templates: layers, `extends`, parameters, mistakes by line, and what hostile ones can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.settings import WatchdogSettings
from engine.domain.errors import UserError
from engine.domain.interaction import ApprovalPolicy
from engine.domain.model import RunSpec, Sandbox
from engine.templates import loading, template_sources, trust_request
from engine.templates.template import Template

GOOD = "description: d\nprompt: hi\n"
BUILT_IN = {"test", "lint", "format", "doc", "analyze", "refactor", "security", "deps"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / ".swarm" / "templates").mkdir(parents=True)
    return root


def write(folder: Path, name: str, text: str) -> None:
    if (folder / ".swarm").is_dir():
        folder = folder / ".swarm" / "templates"
    (folder / f"{name}.yaml").write_text(text)


def loaded(own: Path, repository: Path | None = None) -> dict[str, Template]:
    return loading.load(template_sources.files(own, repository))


def refused(template: Template) -> str:
    assert template.problem
    assert template.problem.code == "TEMPLATE_INVALID"
    return template.problem.message


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_each_built_in_one_can_be_filled_in(own: Path, name: str) -> None:
    known = loaded(own)
    assert known.keys() == BUILT_IN
    template = loading.find(known, name)
    needed = {key: "src" for key, it in template.params.items() if it.default is None}
    filled = loading.fill(template, needed)
    assert len(filled.prompt) > 1000 and filled.title and filled.verify is None
    assert all(it.help for it in template.params.values())
    assert "{%" not in filled.prompt and "{{" not in filled.prompt and "\n\n\n" not in filled.prompt
    assert template.keys.sandbox is not Sandbox.DANGER_FULL_ACCESS and template.keys.timeout
    if "command" in template.params:
        text = "make test && echo 'a b'"
        assert loading.fill(template, {**needed, "command": text}).verify in (text, None)


def test_later_ones_win_and_can_extend_what_they_stand_before(own: Path, repository: Path) -> None:
    write(own, "test", "extends: test\nparams: {path: {default: src}}\ntimeout: 1h\n")
    write(repository, "test", "extends: test\nverify: make test\n")
    template = loading.find(loaded(own, repository), "test")
    assert [file.layer.value for file in template.files] == ["repository", "own", "built in"]
    filled = loading.fill(template, {})
    assert "`src`" in filled.prompt and filled.verify == "make test"
    assert template.keys.timeout == 3600
    assert template.params["path"].kind == "path" and template.params["path"].help
    assert loading.find(loaded(own), "test").keys.verify == "{{ command }}"


def test_what_the_user_says_comes_before_the_template(own: Path) -> None:
    write(own, "a", GOOD + "timeout: 5m\nretries: 3\nwatchdog: {silent_s: 1m, action: resume}\n")
    filled = loading.fill(loaded(own)["a"], {})
    spec = filled.over(RunSpec("and more", "", "p", retries=1), {"retries"})
    assert (spec.prompt, spec.title, spec.template) == ("hi\n\nand more", "a", "a")
    assert (spec.timeout_s, spec.retries, spec.watchdog.silent_s) == (300, 1, 60)


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        ("text", "two\nlines", "two\nlines"),
        ("number", "2.5", 2.5),
        ("number", " 7 ", 7),
        ("flag", "Yes", True),
        ("flag", "0", False),
        ("path", "src/a b.py", "src/a b.py"),
        ("choice, choices: [one, two]", "two", "two"),
    ],
)
def test_parameters_are_typed(own: Path, type_: str, given: str, value: object) -> None:
    write(own, "a", f"description: d\nprompt: '{{{{ x }}}}.'\nparams: {{x: {{type: {type_}}}}}\n")
    assert loading.fill(loaded(own)["a"], {"x": given}).prompt == f"{value}."


@pytest.mark.parametrize(
    ("type_", "given", "said"),
    [
        ("number", "five", "number"),
        ("number", "nan", "number"),
        ("number, check: 0 < value <= 5", "6", "does not fit"),
        ("flag", "perhaps", "yes or no"),
        ("path", "/etc/passwd", "below"),
        ("path", "a/../../b", "below"),
        ("path", "-rf", "below"),
        ("path", "a\nb", "below"),
        ("text", "a\x1b[31m", "control"),
        ("text", "a\x00", "control"),
        ("choice, choices: [one, two]", "twoo", "did you mean two"),
    ],
)
def test_wrong_values_are_refused(own: Path, type_: str, given: str, said: str) -> None:
    write(own, "a", f"description: d\nprompt: '{{{{ x }}}}'\nparams: {{x: {{type: {type_!s}}}}}\n")
    with pytest.raises(UserError) as raised:
        loading.fill(loading.find(loaded(own), "a"), {"x": given})
    assert raised.value.code == "INPUT_INVALID"
    assert said in raised.value.message and "\x1b" not in raised.value.message


def test_what_is_missing_and_what_is_unknown_is_named(own: Path) -> None:
    write(own, "a", "description: d\nprompt: '{{ x }}'\nparams: {x: {help: what for}}\n")
    template = loaded(own)["a"]
    with pytest.raises(UserError) as raised:
        loading.fill(template, {})
    assert raised.value.code == "TEMPLATE_PARAM_MISSING" and "what for" in raised.value.message
    with pytest.raises(UserError) as raised:
        loading.fill(template, {"x": "1", "y": "2"})
    assert "`y`" in raised.value.message
    with pytest.raises(UserError) as raised:
        loading.find(loaded(own), "tets")
    assert raised.value.code == "TEMPLATE_NOT_FOUND" and "`test`" in raised.value.message


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("descripton: d\nprompt: hi\n", 1, "Did you mean `description`?"),
        ("description: d\nprompt: hi\nparams: {a: {typ: text}}\n", 3, "Did you mean `type`?"),
        ("description: d\n", 1, "`prompt` is missing"),
        ("prompt: p\n", 1, "`description` is missing"),
        (GOOD + "timeout: soon\n", 3, "duration"),
        (GOOD + "timeout: 0s\n", 3, "more than nothing"),
        (GOOD + "retries: 1000\n", 3, "0 to 100"),
        (GOOD + "sandbox: none\n", 3, "sandbox"),
        (GOOD + "watchdog: {action: kill}\n", 3, "action"),
        (GOOD + "verify: a {{ b }}\n", 3, "no parameter `b`"),
        (GOOD + "extends: nobody\n", 3, "no template `nobody`"),
        (GOOD + "name: other\n", 3, "`a` is needed"),
        (GOOD + "params:\n  x: {type: number, default: five}\n", 4, "number"),
        (GOOD + "params:\n  x:\n    type: choice\n", 4, "choices"),
        (GOOD + "params:\n  x:\n    check: value <\n", 5, "check"),
        (GOOD + "params: {../x: {}}\n", 3, "small letters"),
        ("description: d\nprompt: |\n  one\n  {% if %}\n", 4, "prompt"),
        ("description: d\nprompt: |\n  one\n  two {{ nope }}\n", 4, "no parameter `nope`"),
    ],
)
def test_mistakes_are_told_with_their_line(own: Path, text: str, line: int, said: str) -> None:
    write(own, "a", text)
    message = refused(loaded(own)["a"])
    assert f"a.yaml:{line}: " in message and said in message


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ self }}",
        "{{ x|attr('__class__') }}",
        "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}",
        "{{ 9**9**9 }}",
        "{{ 'a' * 999999999 }}",
        "{{ x.format }}",
        "{{ range(9) }}",
        "{{ x() }}",
        "{{ x|replace('', 'aaaa') }}",
        "{% include '/etc/passwd' %}",
        "{% macro a() %}{{ a() }}{% endmacro %}",
        "{% set x = 1 %}",
        pytest.param("{% if x %}" * 500, id="many ifs"),
        pytest.param("(" * 5000, id="brackets"),
        pytest.param("{{" + "(" * 5000, id="brackets within"),
    ],
)
def test_no_text_can_hang_grow_or_look_around(own: Path, text: str) -> None:
    quoted = text.replace("'", "''")
    write(own, "a", f"description: d\nparams: {{x: {{default: y}}}}\nprompt: '{quoted}'\n")
    template = loaded(own)["a"]
    if not template.problem:  # plain text
        assert loading.fill(template, {}).prompt == text
    else:
        refused(template)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: [*a, *a]\n",
        "a: &a {x: 1}\nb: {<<: [*a, *a]}\n",
        "prompt: !!python/object/apply:os.system [id]\n",
        pytest.param("[" * 50_000, id="deep"),
        pytest.param("- " * 50_000, id="deep list"),
        "- a\n- b\n",
        "prompt: \x07\n",
        pytest.param("x" * 300_000, id="large"),
        "prompt: {a: b}\n",
        pytest.param("budget: " + "9" * 5000, id="long number"),
        "just words",
    ],
)
def test_hostile_yaml_is_refused(own: Path, text: str) -> None:
    write(own, "a", text)
    assert "a.yaml" in refused(loaded(own)["a"])


def test_none_extends_itself(own: Path) -> None:
    write(own, "a", "extends: b\n")
    write(own, "b", "extends: c\n")
    write(own, "c", "extends: b\n")
    assert "b → c → b" in refused(loaded(own)["a"])
    write(own, "a", "extends: a\n")
    assert "no template" in refused(loaded(own)["a"])


def test_files_that_are_none_of_the_repository(repository: Path, own: Path) -> None:
    secret = own / "secret.yaml"
    secret.write_text("description: d\nprompt: secret\n")
    folder = repository / ".swarm" / "templates"
    (folder / "link.yaml").symlink_to(secret)
    (folder / "folder.yaml").mkdir()
    (folder / "Bad Name\x1b.yaml").write_text(GOOD)
    (folder / "latin.yaml").write_bytes(b"prompt: \xff")
    known = loaded(Path("/nonexistent"), repository)
    for name in ("link", "folder", "Bad Name\x1b", "latin"):
        message = refused(known[name])
        assert "secret\n" not in message and "\x1b" not in message
    (repository / ".swarm" / "templates").rename(repository / "elsewhere")
    (repository / ".swarm" / "templates").symlink_to(repository / "elsewhere")
    assert loaded(Path("/nonexistent"), repository).keys() == BUILT_IN


def test_what_a_repository_could_do_has_to_be_trusted(own: Path, repository: Path) -> None:
    write(repository, "tidy", GOOD)
    write(repository, "test", "extends: test\nparams: {command: {default: curl evil}}\n")
    write(repository, "bare", GOOD + "sandbox: danger-full-access\n")
    write(own, "strict", GOOD + "sandbox: read-only\nretries: 1\ntimeout: 5m\nbudget: 1000\n")
    write(repository, "loose", "extends: strict\nsandbox: workspace-write\ntimeout: 6m\n")
    write(repository, "tight", GOOD + "sandbox: read-only\ntimeout: 5m\nbudget: 1\nretries: 0\n")
    write(repository, "costly", GOOD + "retries: 100\nmodel: big\nwatchdog: {action: resume}\n")
    write(repository, "silent", GOOD + "interactive: no\n")
    write(repository, "asking", GOOD + "interactive: yes\napprovals: on-request\n")
    write(repository, "doc", GOOD)
    write(repository, "check", GOOD + "verify: make test\nverify_limit: 20m\n")
    known = loaded(own, repository)
    spec = RunSpec("x", "x", "p")

    def asks(name: str, *said: str) -> list[str]:
        found = trust_request.of_template(known[name], spec, said, WatchdogSettings())
        return [item.text for item in found.items] if found else []

    assert asks("tidy") == asks("lint") == asks("strict") == asks("tight") == []
    assert asks("test") == ["runs {{ command }}", "with command curl evil"]
    assert asks("bare") == ["lets Codex work without a sandbox"]
    assert asks("loose") == ["loosens the sandbox to workspace-write", "may take 6:00"]
    assert asks("costly") == [
        "uses the model big",
        "tries again up to 100 times",
        "does this when a run stalls: resume",
    ]
    assert asks("silent") == asks("asking") == []
    spec = replace(spec, interactive=True, approvals=ApprovalPolicy.UNTRUSTED)
    assert asks("silent") == ["lets Codex run its commands without asking"]
    assert asks("asking") == [
        "lets Codex run its commands asking only before they leave the sandbox"
    ]
    assert asks("silent", "interactive") == asks("asking", "approvals") == []
    assert asks("doc") == ["takes the place of the template `doc` that is built in"]
    assert asks("check") == ["lets its check take 20:00", "runs make test"]
    assert asks("check", "verify", "verify_limit_s") == asks("bare", "sandbox") == []
