"""What a storm of faults is judged by: promises kept, every line stored once."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

from chaos_home import COMMAND, ENDED, ChaosHome, Reported

NUMBER = re.compile(r"n (\d+)")


def undone(home: ChaosHome) -> list[str]:
    """Name the runs whose reported acceptance or end is no longer true."""
    return _broken(home.listed(), frozenset(home.accepted), home.ended)


def _broken(
    listed: list[dict[str, object]], accepted: frozenset[str], ended: dict[str, str]
) -> list[str]:
    now = {str(run["id"]): str(run["status"]) for run in listed}
    gone = [f"{run} is gone" for run in accepted if run not in now]
    changed = [
        f"{run} was {status}, is {now[run]}"
        for run, status in ended.items()
        if run in now and now[run] != status
    ]
    return gone + changed


def spooled_and_stored(home: ChaosHome) -> tuple[int, int, int]:
    """Return how many numbers agents wrote, how many are not stored, how many are stored twice."""
    lines = lost = doubled = 0
    with closing(connect(home.paths.database)) as db:
        for run in home.accepted:
            query = (
                "SELECT e.attempt, e.data FROM events e JOIN runs r ON r.key = e.run"
                " WHERE r.id = ? AND e.type = 'step' ORDER BY e.seq"
            )
            stored: dict[int, Counter[int]] = {}
            for attempt, data in db.execute(query, (run,)):
                if found := NUMBER.fullmatch(json.loads(data).get("text", "")):
                    stored.setdefault(attempt, Counter())[int(found[1])] += 1
            for folder in home.paths.run(run).glob("attempt-*"):
                spooled = _numbers(folder / "stdout.jsonl")
                kept = stored.get(int(folder.name.removeprefix("attempt-")), Counter())
                lines += len(spooled)
                lost += sum(number not in kept for number in spooled)
                doubled += sum(count - 1 for count in kept.values())
    return lines, lost, doubled


def _numbers(spool: Path) -> list[int]:
    if not spool.is_file():
        return []
    numbers: list[int] = []
    for line in spool.read_bytes().split(b"\n"):
        try:
            known = json.loads(line)
            if known.get("method") == "item/started":
                continue
            item = known["params"]["item"] if "params" in known else known["item"]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # cut short by a full disk, or another event
        if found := NUMBER.fullmatch(str(item.get("text", ""))):
            numbers.append(int(found[1]))
    return numbers


def after_power_cut(home: ChaosHome, cut: Reported) -> list[str]:
    """Open a copy of the disk in the place of the disk, and name what is no longer true.

    In namespaces of its own: nothing of the living home is seen there. After the first look, what
    was at work is supervised to its end.
    """
    listing, later = home.folder / "listed.json", home.folder / "later.json"
    swarm = shlex.join(COMMAND)
    image, disk = shlex.quote(str(cut.image)), shlex.quote(str(home.disk.path))
    script = (
        f"mount -o loop {image} {disk} || exit 9\n"
        f"cd {shlex.quote(str(home.repository))}\n"
        f"{swarm} ls --json > {shlex.quote(str(listing))}\n"
        f"timeout 120 {swarm} supervise >/dev/null 2>&1\n"
        f"{swarm} ls --json > {shlex.quote(str(later))}\n"
        + "".join(
            f"{swarm} diff {run} --stat >/dev/null || echo unreadable {run}\n"
            for run, status in list(cut.ended.items())[-5:]
            if status == "succeeded"
        )
        + f"{swarm} ls --status queued >&2; {swarm} ls --status running >&2\n"
        + f"df {disk} >&2; tail -n 8 {shlex.quote(str(home.paths.log))} >&2\n"
    )
    done = subprocess.run(
        ["unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script],
        env=home.env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    cut.image.unlink()
    if done.returncode == 9 or not listing.is_file():
        return [f"power cut: {done.stderr.strip()}"]
    wrong = _broken(_json(listing), cut.accepted, cut.ended)
    wrong += [line for line in done.stdout.splitlines() if line.startswith("unreadable")]
    wrong += [
        f"{run['id']} never ends"
        for run in _json(later)
        if run["id"] in cut.accepted and run["status"] not in ENDED
    ]
    if wrong:
        wrong.append(f"the log ends with: {done.stderr[-2000:]}")
    return [f"power cut: {it}" for it in wrong]


def _json(path: Path) -> list[dict[str, object]]:
    try:
        return json.loads(path.read_text())
    except ValueError:
        return []
