"""Attacks by options: files of the user's sent to a model, folders opened, the network used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import repos
from support import spec, supervising

from engine.config.paths import Paths
from engine.domain.consent import Consent
from engine.domain.errors import UserError
from engine.domain.model import RunSpec, WorkspaceKind, WorkspaceSpec
from engine.engine import BatchRequest, Engine

PROMPT = "description: d\nprompt: 'sim: say hi'\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A cloned repository, beside a file of the user's."""
    folder = repos.repository(tmp_path / "shop", {"a.json": "{}"})
    (folder / ".swarm" / "templates").mkdir(parents=True)
    (tmp_path / "auth.json").write_text("{}")
    return folder


def wish(shop: Path) -> RunSpec:
    return spec(workspace=WorkspaceSpec(WorkspaceKind.WORKTREE, str(shop)), title="")


async def asked_by_template(engine: Engine, shop: Path, keys: str) -> list[str]:
    file = shop / ".swarm" / "templates" / "odd.yaml"
    file.write_text(PROMPT + keys)
    found = await engine.templates.find("odd", shop)
    consent = await engine.templates.consent(found, wish(shop), (), {})
    if consent:
        with pytest.raises(UserError) as raised:
            await engine.templates.fill(found, {}, wish(shop))
        assert raised.value.code == "TEMPLATE_NOT_TRUSTED"
    return consent.lines() if consent else []


async def asked_by_file(engine: Engine, shop: Path, name: str, text: str) -> list[str]:
    (shop / name).write_text(text)
    plan = await engine.swarms.plan(BatchRequest(wish(shop), file=shop / name))
    consents: list[Consent] = await engine.swarms.consents(plan)
    if consents:
        with pytest.raises(UserError) as raised:
            await engine.swarms.start(plan)
        assert raised.value.code == "BATCH_NOT_TRUSTED"
    return [line for each in consents for line in each.lines()]


async def test_a_repository_names_only_its_own_files_unasked(
    paths: Paths, shop: Path, tmp_path: Path
) -> None:
    top = "../.."
    (shop / "link.json").symlink_to(tmp_path / "auth.json")
    outside = tmp_path / "auth.json"
    cases = {
        f"output_schema: {top}/a.json\nimages: [{top}/a.json]": [],
        f"output_schema: {outside}": [f"sends Codex the file {outside} as a schema"],
        f"output_schema: {top}/link.json": ["link.json as a schema"],
        f"output_schema: {top}/../auth.json": ["auth.json as a schema"],
        "images: [~/.ssh/id_ed25519]": ["shows Codex the file /", ".ssh/id_ed25519"],
        f"images: [{top}/link.json]": ["shows Codex the file"],
        f"add_dirs: [{top}]": ["lets Codex write in the folder"],
        "add_dirs: ['/tmp/\\e[2K']": ["lets Codex write in the folder"],
        "fetch: true": ["fetches the base from its remote"],
        "env: {LD_PRELOAD: ./x.so}": ["sets the variable LD_PRELOAD"],
        "base: other": [],
    }
    async with Engine.open(paths) as engine:
        for keys, said in cases.items():
            told = " ".join(await asked_by_template(engine, shop, keys))
            assert bool(told) == bool(said) and all(part in told for part in said), (keys, told)
            assert "\x1b" not in told
            flow = f"steps:\n  - name: one\n    prompt: 'sim: say hi'\n    {keys.splitlines()[0]}\n"
            flow = flow.replace(f"{top}/", "").replace(f"[{top}]", "[.]")
            told = " ".join(await asked_by_file(engine, shop, "flow.yaml", flow))
            assert bool(told) == bool(said), (keys, told)
        assert await engine.runs() == []


async def test_rows_of_a_repository_are_asked_about_too(paths: Paths, shop: Path) -> None:
    rows = "output_schema,images,add_dirs\n/etc/hostname,/etc/passwd,/etc\n"
    async with Engine.open(paths) as engine:
        told = await asked_by_file(engine, shop, "rows.csv", rows)
    assert told == [
        "sends Codex the file /etc/hostname as a schema",
        "shows Codex the file /etc/passwd",
        "lets Codex write in the folder /etc",
    ]


async def test_what_the_user_says_is_not_asked_about(paths: Paths, shop: Path) -> None:
    file = shop / ".swarm" / "templates" / "odd.yaml"
    file.write_text(f"{PROMPT}images: [/etc/passwd]\nadd_dirs: [/etc]\nfetch: true\n")
    async with supervising(paths) as engine:
        found = await engine.templates.find("odd", shop)
        said = ("images", "add_dirs", "workspace.fetch")
        mine = replace(wish(shop), workspace=replace(wish(shop).workspace, base="HEAD"))
        assert await engine.templates.consent(found, mine, said, {}) is None
        done = await engine.templates.fill(found, {}, mine, said)
    assert (done.images, done.add_dirs, done.workspace.fetch) == ((), (), False)
