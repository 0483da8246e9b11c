"""Files and folders passed on to Codex: an output schema, images, further folders."""

from __future__ import annotations

import json
from pathlib import Path

from support import fake_codex, played, settled, spec, supervising

from engine.batches.request import BatchRequest
from engine.config.paths import Paths
from engine.domain.batch import standing
from engine.domain.batch_json import export
from engine.domain.model import Agent
from engine.domain.run_json import run_json

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "kind": {"enum": ["a", "b"]}},
        "required": ["name", "kind"],
    }
)


async def test_schema_images_and_folders_reach_codex(paths: Paths, tmp_path: Path) -> None:
    image, other = tmp_path / "shot.png", tmp_path / "other"
    image.write_bytes(b"png")
    other.mkdir()
    message = {"id": "i", "type": "agent_message", "text": '{"a": 1}'}
    events: tuple[dict[str, object], ...] = (
        {"type": "thread.started", "thread_id": "0199a213-81c0-7800-8aa1-bbab2a035a53"},
        {"type": "item.completed", "item": message},
        {"type": "turn.completed", "usage": {}},
    )
    (tmp_path / "events").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    codex = fake_codex(tmp_path, f'printf "%s\\n" "$@" >{tmp_path}/args; cat {tmp_path}/events')
    async with supervising(paths) as engine:
        run = await played(
            engine,
            agent=Agent.CODEX,
            codex_bin=codex,
            output_schema=SCHEMA,
            images=(str(image),),
            add_dirs=(str(other),),
        )
        assert run.error is None
        image.unlink()
        arguments = (tmp_path / "args").read_text().splitlines()
        assert arguments[:3] == ["exec", "--add-dir", str(other)]
        kept = paths.image(run.id, 1, ".png")
        assert f"--image={kept}" in arguments and kept.read_bytes() == b"png"
        schema = arguments[arguments.index("--output-schema") + 1]
        assert json.loads(Path(schema).read_text()) == json.loads(SCHEMA)
        assert run_json(run, 0)["result"] == {"a": 1}
        await engine.resume(run.id, "more")
        await settled(engine)
        again = (tmp_path / "args").read_text().splitlines()
        assert "resume" in again and not any(word.startswith("--image") for word in again)


async def test_results_are_columns_of_the_report(paths: Paths) -> None:
    async with supervising(paths) as engine:
        wish = spec('say {"name": "=x", "kind": "b"}', output_schema=SCHEMA)
        swarm, _ = await engine.swarms.start(await engine.swarms.plan(BatchRequest(wish, count=2)))
        await settled(engine)
        runs = await engine.swarms.runs(swarm.id)
        text = export("csv", swarm, standing(runs, 0, 1), runs, 0, lambda _: None)
    assert text.splitlines()[0].endswith(",result.name,result.kind")
    assert text.splitlines()[1].endswith(",'=x,b")


def test_the_simulated_agent_makes_a_value_that_fits(tmp_path: Path) -> None:
    from engine.agents.simulated.schema import answer

    file = tmp_path / "schema.json"
    file.write_text(SCHEMA)
    assert json.loads(answer(str(file))) == {"name": "", "kind": "a"}
