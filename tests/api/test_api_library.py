"""Templates, patterns, settings and diagnosis over HTTP, beside the commands on the same home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api_commands import Printed
from litestar import Litestar
from litestar.testing import AsyncTestClient
from support import played

from engine.config.paths import Paths
from engine.engine import Engine

Client = AsyncTestClient[Litestar]
TIDY = "description: Tidy up\nprompt: Tidy the code up.\n"
SHARED = "goal: Tidy up\nsteps:\n  - {kind: run, text: make test}\n"


async def test_templates_are_listed_as_the_command_prints_them(
    client: Client, printed: Printed
) -> None:
    listed = (await client.get("/v1/templates")).json()
    shown = await client.get("/v1/templates/test")
    assert [listed] == await printed("templates")
    assert [shown.json()] == await printed("templates", "show", "test")
    unknown = await client.get("/v1/templates/nothing")
    assert unknown.status_code == 404


async def test_template_is_created_once_with_its_text(client: Client, paths: Paths) -> None:
    body = {"name": "tidy", "text": TIDY}
    made = await client.post("/v1/templates", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["layer"] == "own"
    assert (paths.config.parent / "templates" / "tidy.yaml").read_text() == TIDY
    again = await client.post("/v1/templates", json=body)
    assert again.status_code == 400
    skeleton = await client.post("/v1/templates", json={"name": "other"})
    assert skeleton.status_code == 201
    assert skeleton.json()["error"] is None
    listed = (await client.get("/v1/templates")).json()
    assert {"tidy", "other"} <= {each["name"] for each in listed}


async def test_template_of_a_repository(client: Client, tmp_path: Path) -> None:
    repository = tmp_path / "shop"
    repository.mkdir()
    body = {"name": "tidy", "text": TIDY, "repository": str(repository)}
    made = await client.post("/v1/templates", json=body)
    assert made.status_code == 201, made.text
    assert (repository / ".swarm/templates/tidy.yaml").is_file()
    at = {"repository": str(repository)}
    shown = await client.get("/v1/templates/tidy", params=at)
    assert shown.json()["layer"] == "repository"
    assert (await client.get("/v1/templates/tidy")).status_code == 404
    for path in ("shop", "", "/nothing/there", "/\0", "~nobody/x"):
        refused = await client.get("/v1/templates", params={"repository": path})
        assert refused.status_code in (400, 404), path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "missing"),
        ("prompt: x\n", "`description` is missing"),
        ("a: &a [x]\nb: *a\n", "not allowed"),
        ("[" * 5000, "nested too deep"),
        ("prompt: !!python/object:os.system x\n", "could not determine"),
        ("description: x\nprompt: '{{ nothing }}'\n", "nothing"),
        ("description: x\nprompt: '{% for a in range(9**9) %}x{% endfor %}'\n", ""),
        ("description: x\nprompt: x\nunknown: 1\n", "unknown"),
        ("\0", ""),
    ],
)
async def test_invalid_template_has_its_error(client: Client, text: str, problem: str) -> None:
    answer = await client.post("/v1/templates/check", json={"name": "tidy", "text": text})
    assert answer.status_code == 200, answer.text
    assert answer.json()["error"]["code"] == "TEMPLATE_INVALID"
    assert problem in answer.json()["error"]["message"]
    refused = await client.post("/v1/templates", json={"name": "tidy", "text": text})
    assert refused.status_code == 400


@pytest.mark.parametrize("name", ["../x", "A", "", "a/b", "x" * 41, "\0"])
async def test_template_needs_a_valid_name(client: Client, name: str) -> None:
    for path in ("/v1/templates", "/v1/templates/check"):
        answer = await client.post(path, json={"name": name, "text": TIDY})
        assert answer.status_code == 400


async def test_valid_template_is_checked_and_not_stored(client: Client, paths: Paths) -> None:
    answer = await client.post("/v1/templates/check", json={"name": "tidy", "text": TIDY})
    assert answer.json()["error"] is None
    assert not (paths.config.parent / "templates").exists()
    large = {"name": "tidy", "text": "x" * (256 * 1024 + 1)}
    assert (await client.post("/v1/templates/check", json=large)).status_code == 400


async def test_patterns_are_listed_edited_removed_and_restored(
    engine: Engine, client: Client, printed: Printed
) -> None:
    await played(engine, "write a.txt hello", "command 'make test'", "say done")
    (listed,) = await printed("patterns")
    assert (await client.get("/v1/patterns")).json() == listed
    id = listed[0]["id"]
    assert [(await client.get(f"/v1/patterns/{id[:4]}")).json()] == await printed(
        "patterns", "show", id
    )
    steps = [{"kind": "run", "text": 'make "test" {all} 😀'}]
    edited = await client.patch(f"/v1/patterns/{id}", json={"steps": steps})
    assert edited.status_code == 200, edited.text
    assert edited.json()["steps"] == steps
    assert edited.json()["goal"] == listed[0]["goal"]
    assert edited.json()["is_edited"]
    removed = await client.delete(f"/v1/patterns/{id}")
    assert removed.json()["id"] == id
    assert (await client.get(f"/v1/patterns/{id}")).status_code == 404
    restored = await client.post("/v1/patterns/undo")
    assert restored.json() == edited.json()


async def test_pattern_is_imported_and_exported(client: Client) -> None:
    made = await client.post("/v1/patterns", json={"text": SHARED})
    assert made.status_code == 201, made.text
    exported = await client.get(f"/v1/patterns/{made.json()['id']}/export")
    assert exported.headers["content-type"].startswith("application/yaml")
    again = await client.post("/v1/patterns", json={"text": exported.text})
    assert again.json()["id"] == made.json()["id"]


@pytest.mark.parametrize(
    "change",
    [
        {"goal": ""},
        {"goal": "a\nb"},
        {"goal": "\x1b[31m"},
        {"goal": "x" * 1000},
        {"goal": None},
        {"steps": []},
        {"steps": [{"kind": "run", "text": "x"}] * 25},
        {"steps": [{"kind": "other", "text": "x"}]},
        {"steps": [{"kind": "run", "text": "\x85\x7f\ufffe"}]},
        {"template": "\0"},
        {"id": "p000000000"},
    ],
)
async def test_invalid_change_of_a_pattern_is_refused(
    client: Client, change: dict[str, Any]
) -> None:
    made = (await client.post("/v1/patterns", json={"text": SHARED})).json()
    answer = await client.patch(f"/v1/patterns/{made['id']}", json=change)
    assert answer.status_code == 400, answer.text
    assert (await client.get(f"/v1/patterns/{made['id']}")).json() == made


@pytest.mark.parametrize("text", ["", "a: &a [x]\nb: *a\n", "[" * 5000, "\0", "goal: x\n", "3"])
async def test_invalid_pattern_is_not_imported(client: Client, text: str) -> None:
    answer = await client.post("/v1/patterns", json={"text": text})
    assert answer.status_code == 400
    assert answer.json()["code"] == "PATTERN_INVALID"
    assert (await client.get("/v1/patterns")).json() == []


@pytest.mark.parametrize("name", ["%00", "%ff", "..", "x" * 3000, "p'; x", "%F0%9F%98%80"])
async def test_hostile_names_are_not_found(client: Client, name: str) -> None:
    for path in ("patterns", "templates"):
        assert (await client.get(f"/v1/{path}/{name}")).status_code in (400, 404)


async def test_settings_are_shown_without_secrets(
    client: Client, printed: Printed, paths: Paths
) -> None:
    paths.config.write_text(
        "slots: 3\nworkspace:\n  env: {TOKEN: hunter2}\n"
        "webhooks:\n- {name: ci, url: 'https://localhost/?token=hunter2', events: [run.failed]}\n"
    )
    shown = await client.get("/v1/config")
    assert shown.status_code == 200, shown.text
    assert [shown.json()] == await printed("config")
    assert shown.json()["slots"] == 3
    assert "hunter2" not in shown.text
    checked = await client.get("/v1/config/check")
    assert [checked.json()] == await printed("config", "check")


async def test_invalid_settings_are_a_problem(client: Client, paths: Paths) -> None:
    for text in ("slots: many\n", "ui:\n  theme: nothing\n"):
        paths.config.write_text(text)
        answer = await client.get("/v1/config/check")
        assert answer.status_code == 409
        assert answer.json()["code"] == "CONFIG_INVALID"
    assert (await client.get("/v1/config")).status_code == 200


async def test_diagnosis_has_the_findings_of_the_command(client: Client, printed: Printed) -> None:
    answer = await client.get("/v1/doctor")
    assert answer.status_code == 200
    (shown,) = await printed("doctor")
    assert answer.json().keys() == shown.keys()
    names = [each["name"] for each in answer.json()["findings"]]
    assert names == [each["name"] for each in shown["findings"]]


async def test_login_is_a_problem_where_the_agent_is_missing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", "/nowhere")
    for account in ("default", "nothing", "\0", "x" * 10000, "../.."):
        answer = await client.get("/v1/login", params={"account": account})
        assert answer.status_code in (400, 409), (account, answer.text)
        assert json.loads(answer.text)["code"] != "INTERNAL"
