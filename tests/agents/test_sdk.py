"""OpenAI's TypeScript SDK drives the stand-in as it drives Codex itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engine.agents.simulated as simulated

EXECUTABLE = Path(simulated.__file__).with_name("__main__.py")
LIMIT_S = 120
DRIVE = """
import { Codex } from SDK;
const codex = new Codex({ codexPathOverride: AGENT, env: process.env, apiKey: "none",
  baseUrl: "http://127.0.0.1:9", config: { model_verbosity: "low" } });
const options = { model: "gpt-5.5", sandboxMode: "workspace-write", workingDirectory: process.cwd(),
  skipGitRepoCheck: true, modelReasoningEffort: "low", networkAccessEnabled: false,
  webSearchMode: "disabled", approvalPolicy: "never", additionalDirectories: [process.cwd()],
  threadSource: "user" };
const thread = codex.startThread(options);
const turn = { outputSchema: { type: "object" }, cyberAccessProgram: "standard" };
const first = await thread.run("sim: write made.txt by-the-sdk\\nsim: say first", turn);
const types = [];
const { events } = await codex.resumeThread(thread.id, options).runStreamed(
  [{ type: "text", text: "sim: say second" }, { type: "local_image", path: "made.txt" }]);
let second = "";
for await (const event of events) {
  types.push(event.type);
  if (event.type === "item.completed" && event.item.type === "agent_message")
    second = event.item.text;
}
let failure = "";
try { await codex.startThread(options).run("sim: fail quota"); }
catch (error) { failure = String(error.message); }
console.log(JSON.stringify({ id: thread.id, first, second, types, failure }));
"""


@pytest.fixture(scope="module")
def sdk() -> Path:
    if not shutil.which("node"):
        pytest.skip("Node.js is missing")
    folder = Path(os.environ.get("SWARM_TEST_SDK", ""))
    if not (folder / "package.json").is_file():
        pytest.skip("OpenAI's SDK is missing: set SWARM_TEST_SDK to node_modules/@openai/codex-sdk")
    return folder


@pytest.fixture
def driven(sdk: Path, tmp_path: Path) -> dict[str, Any]:
    agent, home, workspace = tmp_path / "codex", tmp_path / "home", tmp_path / "workspace"
    agent.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{EXECUTABLE}" "$@"\n')
    agent.chmod(0o755)
    home.mkdir()
    workspace.mkdir()
    script = tmp_path / "drive.mjs"
    main = json.loads((sdk / "package.json").read_text())["exports"]["."]["import"]
    names = {"SDK": str(sdk / main), "AGENT": str(agent)}
    script.write_text(
        "".join(
            line.replace(" SDK;", f" {json.dumps(names['SDK'])};").replace(
                ": AGENT,", f": {json.dumps(names['AGENT'])},"
            )
            for line in DRIVE.splitlines(keepends=True)
        )
    )
    done = subprocess.run(
        ["node", str(script)],
        cwd=workspace,
        env={**os.environ, "CODEX_HOME": str(home)},
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (workspace / "made.txt").read_text().strip() == "by-the-sdk"
    return json.loads(done.stdout)


def test_the_sdk_drives_the_simulated_agent(driven: dict[str, Any]) -> None:
    assert driven["id"]
    assert driven["first"]["finalResponse"] == "first"
    assert [item["type"] for item in driven["first"]["items"]] == ["file_change", "agent_message"]
    assert driven["first"]["usage"]["input_tokens"] > 0
    assert driven["second"] == "second"
    assert (driven["types"][0], driven["types"][-1]) == ("thread.started", "turn.completed")
    assert "quota" in driven["failure"].lower()
