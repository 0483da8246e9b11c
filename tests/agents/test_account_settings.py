"""The list `accounts` of the settings: each mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.settings import Config, parse, plain
from engine.domain.errors import UserError

KEY = "sk-proj-abcdefgh12345678"


def test_accounts_keep_their_order() -> None:
    text = (
        "accounts:\n  - {name: work, codex_home: ~/.codex-work}\n  - {name: b, api_key_env: B_KEY}"
    )
    config = parse(text, "c.yaml")
    assert [one.name for one in config.accounts] == ["work", "b"]
    assert config.accounts[0].codex_home == str(Path.home() / ".codex-work")
    assert config.codex.on_limit == "wait"
    assert plain(config)["accounts"][1] == {
        "name": "b",
        "codex_home": None,
        "api_key_env": "B_KEY",
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{name: default, codex_home: /a}", "is the account of your own Codex home"),
        ("{name: Default, codex_home: /a}", "is the account of your own Codex home"),
        ("{name: a b, codex_home: /a}", "letters, digits"),
        ("{name: ../a, codex_home: /a}", "letters, digits"),
        ("{name: '', codex_home: /a}", "letters, digits"),
        ("{name: 5, codex_home: /a}", "letters, digits"),
        (f"{{name: {'a' * 33}, codex_home: /a}}", "letters, digits"),
        ("{name: a}", "has `codex_home`, `api_key_env` or both"),
        ("{codex_home: /a}", "`name`"),
        ("{name: a, codex_home: relative/a}", "an absolute path is needed"),
        ("{name: a, codex_home: ''}", "an absolute path is needed"),
        ("{name: a, codex_home: ~nobody-of-this-name/a}", "an absolute path is needed"),
        (f"{{name: a, api_key_env: {KEY}}}", "the name of a variable is needed"),
        ("{name: a, api_key_env: ''}", "the name of a variable is needed"),
        ("{name: a, api_key_env: SWARM_HOME}", "variables of swarm-tui hold no keys"),
        ("{name: a, codex_hom: /a}", "Did you mean `codex_home`?"),
        ("{name: FIRST, codex_home: /b}", "another account is called `first`"),
        ("{name: b, codex_home: /first}", "another account has the login of `first`"),
    ],
)
def test_a_mistake_is_named_with_its_line(line: str, words: str) -> None:
    text = f"slots: 2\naccounts:\n  - {{name: first, codex_home: /first}}\n  - {line}\n"
    with pytest.raises(UserError) as caught:
        parse(text, "c.yaml")
    assert caught.value.message.startswith("c.yaml:4: ")
    assert words in caught.value.message
    assert KEY not in caught.value.message


def test_without_accounts_nothing_changes() -> None:
    assert Config().accounts == ()
    assert Config().key_variables == frozenset()
