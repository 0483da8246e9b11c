"""Outputs of commands that Codex's sandbox could not start, as 0.163 and 0.171 printed them."""

from __future__ import annotations

import json

import pytest

from engine.agents.codex.rollout import CommandRefused, read_record
from engine.agents.codex.sandbox_refusals import MARKERS, refusal, refusal_within
from engine.agents.codex.translation import COMPACTED, CodexState, Translator
from engine.domain.events import Notice

TRACE = (
    "stack backtrace:\n"
    "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
)
NAMESPACE = (
    "Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded"
    " (ENOSPC)"
)
PERMISSIONS = (
    "No permissions to create a new namespace, likely because the kernel does not allow"
    " non-privileged user namespaces. On e.g. debian this can be enabled with"
    " 'sysctl kernel.unprivileged_userns_clone=1'."
)
MISSING = (
    "bubblewrap is unavailable: no system bwrap was found on PATH and no bundled"
    " codex-resources/bwrap binary was found next to the Codex executable"
)
SECCOMP = (
    "error applying Linux sandbox restrictions: Sandbox(SeccompInstall(Seccomp(Os { code: 38,"
    ' kind: Unsupported, message: "Function not implemented" })))'
)
LANDLOCK = "filesystem-restricted execution requires bubblewrap to isolate app-server sockets"
SAMPLES = [
    (f"bwrap: {NAMESPACE}\n", f"bwrap: {NAMESPACE}"),
    (f"bwrap: {PERMISSIONS}\n", f"bwrap: {PERMISSIONS}"),
    (
        "bwrap: Failed to make / slave: Operation not permitted\n",
        "bwrap: Failed to make / slave: Operation not permitted",
    ),
    *[
        (f"\nthread 'main' ({pid}) panicked at linux-sandbox/src/{place}:\n{said}\n{TRACE}", said)
        for pid, place, said in (
            (14509, "launcher.rs:60:13", MISSING),
            (15177, "launcher.rs:68:13", MISSING),
            (1, "linux_run_main.rs:243:13", SECCOMP),
            (25081, "linux_run_main.rs:416:9", LANDLOCK),
        )
    ],
]
HEADER = "Chunk ID: 5d3e55\nWall time: 0.0000 seconds\nProcess exited with code 1\nOutput:\n"


@pytest.mark.parametrize(("output", "reason"), SAMPLES)
def test_refusals_of_the_real_codex_are_recognised(output: str, reason: str) -> None:
    assert refusal(output) == reason
    assert any(marker in output.encode() for marker in MARKERS)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "hi\n",
        "bwrap: unknown option --frob\nmake: *** [Makefile:2: all] Error 1\n",
        "FAILED test_bwrap: bwrap: no namespace\n",
        "thread 'main' panicked at src/main.rs:2:5:\nlinux-sandbox/ is missing\n",
        "x" * 10_000 + "\nbwrap: late\n",
    ],
)
def test_output_of_a_command_that_started_is_no_refusal(output: str) -> None:
    assert refusal(output) == ""


@pytest.mark.parametrize(("output", "reason"), SAMPLES)
@pytest.mark.parametrize("shape", ["function", "code mode", "quoted by a program"])
def test_refusals_without_an_item_are_read_from_the_rollout(
    output: str, reason: str, shape: str
) -> None:
    kind, answer = "custom_tool_call_output", json.dumps({"output": output, "exit_code": 1})
    parts = [
        {"type": "input_text", "text": text} for text in ("Script completed\nOutput:\n", output)
    ]
    payload: dict[str, object] = {"type": kind, "output": answer}
    if shape == "function":
        payload = {"type": "function_call_output", "output": HEADER + output}
    elif shape == "code mode":
        payload = {"type": kind, "output": parts}
    record = read_record(json.dumps({"type": "response_item", "payload": payload}).encode())
    assert isinstance(record, CommandRefused)
    assert record.reason[:40] == reason[:40]


def test_a_command_that_a_person_quotes_is_no_refusal() -> None:
    payload = {"type": "message", "role": "user", "content": [{"text": "\nbwrap: no\n"}]}
    assert read_record(json.dumps({"type": "response_item", "payload": payload}).encode()) is None
    assert refusal_within("the file says bwrap: no") == ""


def test_a_compaction_reported_twice_is_in_the_log_once() -> None:
    translator = Translator(CodexState(), "/w")
    message = "Heads up: Long threads and multiple compactions can cause the model to be less so."
    item = {"type": "item.completed", "item": {"id": "i", "type": "error", "message": message}}
    compacted = read_record(b'{"type":"compacted","payload":{}}')
    assert compacted is not None
    once = [Notice("info", COMPACTED)]
    said = [
        translator.translate(json.dumps(item).encode()),
        translator.recorded(compacted),
        translator.recorded(compacted),
        translator.translate(json.dumps(item).encode()),
    ]
    assert said == [once, [], once, []]
