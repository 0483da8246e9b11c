"""Knowledge of an agent stays behind the port: the rest of the engine asks the registry."""

from __future__ import annotations

import re
from pathlib import Path

from engine.agents import profiles, registry
from engine.config.run_options import RUN_OPTIONS

ENGINE = Path(__file__).parents[2] / "engine"
WORDS = re.compile("codex|openai", re.IGNORECASE)
KEPT = {
    ("config/paths.py", 'APP = "codex-swarm"'): "the folder that users have their runs in",
    ("disk/locations.py", 'AGENT = "codex"'): "the kind of a location in `du --json`",
    ("domain/model.py", 'CODEX = "codex"'): "the agent that is stored with runs",
    ("domain/model.py", "agent: Agent = Agent.CODEX"): "runs of earlier versions name no agent",
    ("domain/model.py", "codex_bin: str | None = None"): "a field of stored runs",
    ("domain/model.py", "codex_config: tuple[str, ...] = ()"): "a field of stored runs",
}
"""Lines that keep a name for compatibility, each with its reason. The list may only shrink."""


def test_the_rest_of_the_engine_knows_no_agent_by_name() -> None:
    found = {
        (str(path.relative_to(ENGINE)), line.strip())
        for path in ENGINE.rglob("*.py")
        if "agents" not in path.relative_to(ENGINE).parts
        for line in path.read_text().splitlines()
        if WORDS.search(line)
    }
    assert found == set(KEPT)


def test_every_agent_brings_its_profile_and_options() -> None:
    assert {agent.name for agent in registry.agents()} == {it.name for it in profiles.PROFILES}
    for agent in registry.agents():
        assert agent.profile in profiles.PROFILES
        assert set(agent.profile.options) <= set(RUN_OPTIONS)


def test_no_two_agents_share_a_name_an_error_or_a_flag() -> None:
    names = [profile.name for profile in profiles.PROFILES]
    codes = [code for profile in profiles.PROFILES for code in profile.errors]
    flags = [option.flag for option in RUN_OPTIONS]
    for each in (names, codes, flags):
        assert len(set(each)) == len(each)


def test_a_prompt_without_a_run_is_read_as_the_agent_that_understands_it() -> None:
    assert profiles.profile_for_prompt("sim: say hello").name == "simulated"
    assert profiles.profile_for_prompt("fix the tests") is profiles.DEFAULT
    assert profiles.profile_of("of a later version") is profiles.DEFAULT
