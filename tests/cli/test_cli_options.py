"""Options of a run on the command line: files, folders, a base; by flag, template and batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import repos
from typed import Swarm

from tui.cli import json as shapes

SIM = ("--agent", "simulated")
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}, "why": {"type": "string"}}}


@pytest.fixture
def shop(here: Path) -> Path:
    """A repository with a folder and a branch, in which commands are typed."""
    here.rmdir()
    repos.repository(here, {"a.txt": "a\n", "packages/api/b.txt": "b\n"})
    repos.git(here, "branch", "old")
    repos.write(here, {"c.txt": "c\n"})
    repos.commit(here, "more")
    (here / ".git" / "info" / "exclude").write_text("*.json\n*.yaml\n*.csv\n")
    (here / "s.json").write_text(json.dumps(SCHEMA))
    return here


def shown(swarm: Swarm) -> dict[str, Any]:
    run = swarm("show", "@last", "--json").json
    msgspec.convert(run, shapes.ShownRunJson, strict=True)
    return run


def test_answers_that_fit_a_schema_are_results_and_columns(swarm: Swarm, shop: Path) -> None:
    answer = '{"ok": true, "why": "=1+1"}'
    (shop / "flow.yaml").write_text(
        f"steps:\n  - name: rate\n    prompt: 'sim: say {answer}'\n    output_schema: s.json\n"
        "    base: old\n    cwd: packages/api\n"
    )
    done = swarm("batch", "--from", "flow.yaml", "--name", "x", "--trust", *SIM)
    assert done.code == 0, done.err
    run = shown(swarm)
    assert run["result"] == {"ok": True, "why": "=1+1"}
    tip = repos.git(shop, "rev-parse", "old")
    assert run["workspace"]["base"] == {"ref": "old", "commit": tip}
    assert run["workspace"]["cwd"] == "packages/api"
    text = swarm("show", "@last").out
    assert f"old ({tip[:12]})" in text and "packages/api" in text and '"ok": true' in text
    report = swarm("batch", "report", "x", "--format", "csv").out.splitlines()
    assert report[0].endswith(",result.ok,result.why") and report[1].endswith(",true,'=1+1")
    assert "| true | =1+1 |" in swarm("batch", "report", "x").out
    told = swarm("batch", "report", "x", "--format", "json").json
    assert told["tasks"][0]["runs"][0]["result"] == {"ok": True, "why": "=1+1"}


def test_a_template_of_a_repository_asks_before_it_sends_a_file(swarm: Swarm, shop: Path) -> None:
    folder = shop / ".swarm" / "templates"
    folder.mkdir(parents=True)
    text = "description: d\nprompt: 'sim: say {}'\n"
    (folder / "evil.yaml").write_text(f"{text}images: [/etc/hostname]\n")
    refused = swarm("run", "-t", "evil", *SIM)
    assert refused.code == 3 and "shows Codex the file /etc/hostname" in refused.err
    assert swarm("ls", "--json").json == []
    assert "shows Codex the file /etc/hostname" in swarm("templates", "show", "evil").out
    done = swarm("run", "-t", "evil", "--image", "a.txt", *SIM)
    assert done.code == 0, done.err  # what is said comes before what it wants


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--output-schema", "a.txt"), "is not a JSON schema"),
        (("--output-schema", "nowhere.json"), "nowhere.json does not exist"),
        (("--image", "packages"), "cannot be read"),
        (("--add-dir", "a.txt"), "is not a folder"),
        (("--add-dir", "~nosuchuser/x"), "is not a folder"),
    ],
)
def test_what_is_not_there_queues_nothing(
    swarm: Swarm, shop: Path, words: tuple[str, ...], said: str
) -> None:
    done = swarm("run", *SIM, *words, "sim: say x")
    assert (done.code, said in done.err) == (3, True), done.err
    done = swarm("batch", *SIM, *words, "--count", "2", "--yes", "sim: say x")
    assert (done.code, said in done.err) == (3, True), done.err
    assert swarm("ls", "--json").json == []


def test_shells_complete_folders_of_the_repository(swarm: Swarm, shop: Path) -> None:
    (shop / "packages" / "a b").mkdir()
    (shop / "packages" / ".hidden").mkdir()

    def offered(line: str, cwd: Path = shop) -> list[str]:
        env = {"_SWARM_TUI_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_POINT": "99"}
        done = swarm(cwd=cwd, **env)
        return [row.split("\t")[1] for row in done.out.splitlines()]

    assert offered("swarm-tui run --cwd ") == ["packages/"]
    assert offered("swarm-tui run --cwd pa", shop / "packages") == ["packages/"]
    assert offered("swarm-tui batch start --cwd packages/a") == ["packages/a\\ b/", "packages/api/"]
    assert offered("swarm-tui run --cwd ../") == []
    assert offered("swarm-tui run --cwd /") == []
    assert offered(f"swarm-tui run --copy {shop}/packages/api/.. --cwd ") == ["packages/"]


@pytest.mark.parametrize("place", [".", "..", "/"])
def test_nothing_is_copied_of_a_folder_that_holds_the_home_folder(
    swarm: Swarm, tmp_path: Path, place: str
) -> None:
    from tui.models.draft import Draft
    from tui.models.run_defaults import default_workspace

    home = tmp_path / "users" / "me"
    home.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.chdir(home / place)
        assert Draft.begin(None).kind is default_workspace(Path.cwd()).kind
    done = swarm("run", *SIM, "--json", "sim: say x", cwd=home / place, HOME=str(home))
    assert done.code == 0, done.err
    assert shown(swarm)["workspace"]["kind"] == "empty"
