"""Settings: every key optional, every mistake named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings import Config, load, parse
from engine.config.values import Duration, Size
from engine.domain.errors import UserError
from engine.domain.model import Sandbox

DOCUMENTED = """
slots: 4                     # Codex processes at a time
grace_s: 5                   # from SIGTERM to SIGKILL
codex: {bin: codex, model: null, sandbox: workspace-write, config: {}}
queue: {per_project: null, stagger_s: 0.5}
watchdog: {silent_s: 300, first_event_s: 60, action: notice}        # notice | resume | fail
workspace: {copy_limit: 2GiB, setup: [], copy_files: [.env]}
webhooks:
  - {name: ci, url: "https://example.org", events: [run.succeeded, run.failed], secret_env: CI_HOOK_SECRET}
notify: {bell: true, apprise: []}
cleanup: {auto: false, older_than: 30d, keep: 20, budget: 50GiB, trash_days: 7}
ui: {theme: swarm-dark, keys: {run.cancel: x}, columns: [status, title, progress, elapsed, changes]}
"""  # noqa: E501  a line of the file


def refused(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse(text, "config.yaml")
    assert caught.value.code == "CONFIG_INVALID"
    assert "config.yaml" in caught.value.message
    return caught.value.message


def test_a_missing_or_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "nowhere.yaml") == Config()
    for text in ("", "# only words\n", "---\n", "{}"):
        assert parse(text, "config.yaml") == Config()


def test_the_documented_file_gives_the_documented_settings() -> None:
    config = parse(DOCUMENTED, "config.yaml")
    assert (config.slots, config.grace_s) == (4, 5.0)
    assert config.codex.sandbox is Sandbox.WORKSPACE_WRITE
    assert config.workspace.copy_limit == 2 * 1024**3
    assert config.cleanup.older_than == 30 * 86400
    assert config.webhooks[0].secret_env == "CI_HOOK_SECRET"
    assert config.ui.keys == {"run.cancel": "x"}
    defaults = Config()
    for section in ("queue", "watchdog", "workspace", "notify", "cleanup"):
        assert getattr(config, section) == getattr(defaults, section)


def test_there_are_at_least_two_slots() -> None:
    assert Config().slots >= 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slots: 4\nslotz: 5\n", "config.yaml:2: unknown key `slotz`. Did you mean `slots`?"),
        ("codex:\n  modle: x\n", "config.yaml:2: unknown key `codex.modle`. Did you mean `model`?"),
        ("queue: {}\n\nui:\n  theem: a\n",
         "config.yaml:4: unknown key `ui.theem`. Did you mean `theme`?"),
        ("webhooks:\n- {name: a, url: https://b}\n- name: c\n  urll: d\n",
         "config.yaml:4: unknown key `webhooks.1.urll`. Did you mean `url`?"),
        ("xyzzy: 1\n", "config.yaml:1: unknown key `xyzzy`."),
    ],
)  # fmt: skip
def test_an_unknown_key_is_named_with_its_line_and_the_nearest(text: str, said: str) -> None:
    assert refused(text) == said


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("slots: many", 1, "slots"),
        ("slots: 0", 1, "slots"),
        ("slots: 1.5", 1, "slots"),
        ("slots: true", 1, "slots"),
        ("a: &x 1\nslots: 2", 1, "a"),
        ("slots: 2\ngrace_s: -1", 2, "grace_s"),
        ("codex:\n  sandbox: none", 2, "codex.sandbox"),
        ("codex: yes", 1, "codex"),
        ("watchdog:\n  action:\n    - fail", 2, "watchdog.action"),
        ("workspace:\n  copy_limit: lots", 2, "workspace.copy_limit"),
        ("workspace:\n  setup: [a, 5]", 2, "workspace.setup"),
        ("cleanup:\n  keep: 1\n  older_than: soon", 3, "cleanup.older_than"),
        ("webhooks:\n  - name: a", 2, "webhooks"),
        ("ui:\n  keys: {run.cancel: 1}", 2, "ui.keys"),
        ("- a\n- b", 1, ""),
        ("just text", 1, ""),
        ("5", 1, ""),
    ],
)
def test_a_wrong_value_is_named_with_its_line(text: str, line: int, key: str) -> None:
    message = refused(text)
    assert message.startswith(f"config.yaml:{line}: ")
    assert key in message


@pytest.mark.parametrize(
    "text",
    ["a: [", "a: b: c", "\t- x", "a: *nobody", "!!python/object:os.system x", "a: 'b", "\x00",
     pytest.param("[" * 1000, id="deep")],
)  # fmt: skip
def test_what_is_no_yaml_is_said(text: str) -> None:
    refused(text)


@given(st.text(max_size=40) | st.text(":-{}[],&*!|>'\"%@ \n\tab1", max_size=40))
def test_any_text_is_settings_or_a_clear_refusal(text: str) -> None:
    try:
        assert isinstance(parse(text, "config.yaml"), Config)
    except UserError as error:
        assert error.code == "CONFIG_INVALID"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"slots: \xff")
    for path in (tmp_path, tmp_path / "bad.yaml"):
        with pytest.raises(UserError) as caught:
            load(path)
        assert caught.value.code == "CONFIG_INVALID"
        assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("12h", 43200), ("30d", 2592000),
     ("2w", 1209600), (" 7 d ", 604800), (60, 60)],
)  # fmt: skip
def test_durations(text: object, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("500", 500), ("500MB", 500_000_000), ("2GiB", 2 * 1024**3), ("2G", 2 * 1024**3),
     ("1.5 kib", 1536), ("1TB", 10**12), (7, 7)],
)  # fmt: skip
def test_sizes(text: object, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1y", "s", "1 2", "soon", True, None, "1e9"])
def test_what_is_no_duration_and_no_size_is_refused(text: object) -> None:
    for kind in (Duration, Size):
        with pytest.raises(ValueError, match="is needed"):
            kind.parse(text)
