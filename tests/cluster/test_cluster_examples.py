"""The examples of a cluster: their syntax, and that their commands and flags exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from tui.cli.main import group

FOLDER = Path(__file__).parents[2] / "docs/examples/cluster"


def flags_of(*words: str) -> set[str]:
    command: click.Command = group
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found
        command = found
    return {name for one in command.params for name in one.opts}


def check_flags(text: str, words: tuple[str, ...]) -> None:
    """Fail where a command has a flag that does not exist."""
    used = set(re.findall(r"(?<![\w-])--[a-z]+", text))
    assert used, text
    assert used <= flags_of(*words), used - flags_of(*words)


def documents() -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())


def test_job_of_slurm_is_valid_shell() -> None:
    path = FOLDER / "node.sbatch"
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    subprocess.run([bash, "-n", str(path)], check=True)
    text = path.read_text()
    directives = re.findall(r"^#SBATCH --([a-z-]+)=\S+$", text, re.MULTILINE)
    assert set(directives) >= {"ntasks", "cpus-per-task", "time", "signal"}
    # Slurm reads directives only before the first command.
    assert text.rindex("#SBATCH") < text.index("\nset -euo")
    check_flags(text[text.index("swarm-tui node \\") : text.index("node=$!")], ("node",))


def test_job_of_slurm_passes_the_signal_on_and_waits_for_the_node(tmp_path: Path) -> None:
    program = tmp_path / "swarm-tui"
    program.write_text(
        "#!/usr/bin/env bash\necho \"$@\"\ntrap 'echo drained; exit 0' TERM\n"
        'kill -TERM "$PPID"\nwhile :; do sleep 0.05; done\n'
    )
    program.chmod(0o700)
    done = subprocess.run(
        ["bash", str(FOLDER / "node.sbatch")],
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
            "SLURM_JOB_ID": "7",
            "SLURM_SUBMIT_HOST": "login",
            "SLURM_CPUS_PER_TASK": "8",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "drained", done
    assert "--scheduler tls://login:8786" in done.stdout
    assert "--slots 8" in done.stdout


def test_unit_of_systemd_is_valid(tmp_path: Path) -> None:
    text = (FOLDER / "swarm-tui-node.service").read_text()
    assert re.findall(r"^\[(\w+)\]$", text, re.MULTILINE) == ["Unit", "Service", "Install"]
    started = text[text.index("ExecStart=") : text.index("KillMode=")].replace("\\\n", "")
    assert re.match(r"ExecStart=/usr/bin/env swarm-tui node +--scheduler tls://", started)
    check_flags(started, ("node",))
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / "swarm-tui-node.service"
    unit.write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert "swarm-tui-node.service" not in done.stderr, done.stderr


def test_manifest_of_kubernetes_is_valid() -> None:
    found = {(one["kind"], one["metadata"]["name"]): one for one in documents()}
    assert set(found) == {
        ("Service", "swarm-scheduler"),
        ("Deployment", "swarm-scheduler"),
        ("Service", "swarm-node"),
        ("StatefulSet", "swarm-node"),
    }
    for name in (("Deployment", "swarm-scheduler"), ("StatefulSet", "swarm-node")):
        spec = found[name]["spec"]
        template = spec["template"]
        assert spec["selector"]["matchLabels"] == template["metadata"]["labels"]
        (container,) = template["spec"]["containers"]
        check_flags(" ".join(container["args"]), tuple(container["command"][1:]))
        volumes = {one["name"] for one in template["spec"]["volumes"]}
        claims = {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates", ())}
        assert {one["name"] for one in container["volumeMounts"]} == volumes | claims
    # YAML 1.1 reads 0400 as octal.
    pod = found[("StatefulSet", "swarm-node")]["spec"]["template"]["spec"]
    assert pod["volumes"][0]["secret"]["defaultMode"] == 0o400
