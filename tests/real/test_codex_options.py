"""Options that are passed on to the real Codex: an output schema, an image, a further folder."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from struct import pack

from house import House, carried, ended, task
from loopback import LoopbackServer, command, message

from engine.domain.model import Status
from engine.domain.run_json import run_json

SCHEMA = {
    "type": "object",
    "properties": {"grade": {"type": "string"}, "tests": {"type": "integer"}},
    "required": ["grade", "tests"],
    "additionalProperties": False,
}
ANSWER = {"grade": "good", "tests": 3}


def png(path: Path) -> Path:
    """Write an image of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + body)
    return path


async def test_schema_image_and_folder_reach_the_model(
    house: House, server: LoopbackServer, lab: Path
) -> None:
    schema, shared = lab / "answer.json", lab / "shared"
    schema.write_text(json.dumps(SCHEMA))
    shared.mkdir()
    turns = [command(f"echo hi >{shared}/note"), message(json.dumps(ANSWER))]
    again = [message(json.dumps({**ANSWER, "tests": 4}))]
    wish = task(
        server.script("options", turns, again),
        schema_file=str(schema),
        images=(str(png(lab / "shot.png")),),
        add_dirs=(str(shared),),
    )
    async with house.engine() as engine:
        run = await carried(engine, wish)
        assert run.status is Status.SUCCEEDED, run.error
        assert run_json(run, 0)["result"] == ANSWER
        assert (shared / "note").read_text() == "hi\n"
        first = server.requests[0].body
        assert first["text"]["format"]["schema"] == SCHEMA
        assert "data:image/png;base64," in json.dumps(first["input"])
        schema.unlink()
        before = len(server.requests)
        await engine.resume(run.id, "Once more")
        done = await ended(engine, run)
    assert done.status is Status.SUCCEEDED, done.error
    assert run_json(done, 0)["result"] == {**ANSWER, "tests": 4}
    assert server.requests[before].body["text"]["format"]["schema"] == SCHEMA
