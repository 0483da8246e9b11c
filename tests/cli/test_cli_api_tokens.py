"""Tokens of clients of the API: created once, listed without secrets, revoked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typed import Swarm

from engine.api_tokens import USE_S, ApiTokens, digest
from engine.config.paths import Paths
from engine.domain.api_token import Scope
from engine.domain.secrets import HIDDEN, hide, is_secret_value
from engine.engine import Engine
from engine.store.store import open_store
from tui.cli import json as shapes


def test_token_is_printed_once_and_listed_without_its_secret(inside: Swarm, paths: Paths) -> None:
    created = inside("api", "token", "create", "ci", "--scope", "run")
    secret = created.out.strip()
    assert created.code == 0 and secret.startswith("swt_") and secret not in created.err
    listed = inside("api", "token", "ls")
    assert listed.out.startswith("ci  run  …") and "never used" in listed.out
    as_json = inside("api", "token", "ls", "--json")
    (token,) = msgspec.json.decode(as_json.out, type=list[shapes.ApiTokenJson])
    assert (token.name, token.scope, token.ends_with) == ("ci", Scope.RUN, secret[-4:])
    assert secret not in listed.out + as_json.out
    assert secret.encode() not in b"".join(
        each.read_bytes() for each in paths.home.rglob("*") if each.is_file()
    )
    assert inside("api", "token", "revoke", "ci").out == "token ci revoked\n"
    assert inside("api", "token", "ls").out == "there are no tokens\n"


def test_default_scope_is_read(inside: Swarm) -> None:
    created = inside("api", "token", "create", "a.b-c_1", "--json")
    token = msgspec.json.decode(created.out, type=shapes.ApiTokenJson)
    assert token.scope is Scope.READ
    assert isinstance(token.secret, str) and len(token.secret) > 40
    revoked = msgspec.json.decode(
        inside("api", "token", "revoke", "a.b-c_1", "--json").out, type=shapes.ApiTokenJson
    )
    assert revoked.secret is msgspec.UNSET


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", ".", "é", "a\n", "a/b", "x" * 65])
def test_names_that_no_token_can_have(inside: Swarm, name: str) -> None:
    assert inside("api", "token", "create", "--", name).code != 0
    assert inside("api", "token", "ls").out == "there are no tokens\n"


def test_mistakes_are_explained(inside: Swarm) -> None:
    assert inside("api", "token", "create", "ci").code == 0
    again = inside("api", "token", "create", "ci")
    assert (again.code, "API_TOKEN_EXISTS" in again.err) == (3, True)
    unknown = inside("api", "token", "revoke", "cd")
    assert (unknown.code, "API_TOKEN_NOT_FOUND" in unknown.err) == (3, True)
    assert inside("api", "token", "create", "x", "--scope", "root").code == 2


async def test_only_the_whole_secret_is_verified(paths: Paths) -> None:
    async with Engine.open(paths) as engine:
        tokens = engine.api_tokens
        made = await tokens.create("ci", Scope.ADMIN)
        found = await tokens.verify(made.secret)
        assert found and (found.id, found.scope) == (made.token.id, Scope.ADMIN)
        wrong = ("", "swt_", made.secret[:-1], made.secret + "x", made.secret.upper(), "é\udc80")
        for secret in (*wrong, "swt_" + "x" * 10**6, digest(made.secret).hex()):
            assert await tokens.verify(secret) is None
        assert made.secret not in repr(made)


async def test_use_is_stored_at_most_once_a_minute(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("engine.api_tokens.time.time", lambda: now[0])
    async with open_store(tmp_path / "tokens.db", is_new=True) as store:
        tokens = ApiTokens(store)
        made = await tokens.create("ci", Scope.READ)
        uses: list[float | None] = []
        for later in (0, 1, USE_S):
            now[0] += later
            await tokens.verify(made.secret)
            uses.append((await tokens.all())[0].last_used_at)
    assert uses == [1_000_000, 1_000_000, 1_000_061]


async def test_scope_of_a_later_version_permits_nothing(paths: Paths) -> None:
    assert not Scope.read("owner").permits(Scope.READ)
    order = list(Scope)
    for have in order:
        for needed in order:
            assert have.permits(needed) is (order.index(have) >= order.index(needed))


def test_secret_is_hidden_wherever_texts_are_shown() -> None:
    secret = "swt_" + "aB3_" * 11
    assert secret not in hide(f"the token {secret} is wrong")
    assert HIDDEN in hide(f"Authorization: Bearer {secret}")
    assert is_secret_value(secret)
