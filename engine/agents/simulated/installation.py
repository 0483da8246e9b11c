"""The stand-in's answers about itself: version, login and doctor."""
# Not pathlib: importing it would take a fifth of the time to start.
# ruff: noqa: PTH100

from __future__ import annotations

import json
import os
import sys
import time

from .turn import STDOUT, write_all

VERSION = "0.163.0-simulated"


def doctor(home: str) -> None:
    """Print a health report in the real one's form; all of it is well."""
    checks = [
        _check("auth.credentials", "auth", "simulated account, no credentials needed"),
        _check("config.load", "config", "config loaded", CODEX_HOME=home),
        _check("git.environment", "git", "git executable is not needed"),
        _check("installation", "install", "installation looks consistent",
               **{"current executable": os.path.abspath(sys.argv[0])}),
        _check("network.provider_reachability", "reachability", "no network is needed"),
        _check("sandbox.helpers", "sandbox", "commands are never run"),
        _check("system.disk", "disk", "disk space is not inspected"),
    ]  # fmt: skip
    report = {
        "schemaVersion": 1,
        "generatedAt": f"{int(time.time())}s since unix epoch",
        "overallStatus": "ok",
        "codexVersion": VERSION,
        "checks": {check["id"]: check for check in checks},
    }
    write_all(STDOUT, json.dumps(report, indent=2).encode() + b"\n")


def _check(check_id: str, category: str, summary: str, **details: str) -> dict[str, object]:
    return {
        "id": check_id,
        "category": category,
        "status": "ok",
        "summary": summary,
        "details": details,
        "remediation": None,
        "durationMs": 0,
    }
