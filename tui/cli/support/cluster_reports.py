"""Reports of the processes of a cluster: lines for a human, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.cli.support import output

if TYPE_CHECKING:
    from engine.cluster_processes import ProcessReport


class ClusterReports:
    """Printer of the reports of nodes; the first failure is kept."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.failure: ProcessReport | None = None

    def __call__(self, report: ProcessReport) -> None:
        """Print a report; that of a failure is an error of the command."""
        from engine.cluster_processes import Happening

        if report.event is Happening.FAILED:
            self.failure = self.failure or report
        elif self._as_json:
            output.say_json(report_json(report))
        else:
            output.say(report_line(report))

    def check(self) -> None:
        """Raise `UserError` for the failure of a node."""
        from engine.domain.errors import is_known, user_error

        if failed := self.failure:
            code = failed.code if is_known(failed.code) else "INTERNAL"
            raise user_error(code, failed.reason, failed.recovery)


def report_json(report: ProcessReport) -> dict[str, Any]:
    """Return a report with the keys of JSON output."""
    return {
        "event": report.event.value,
        "node": report.node,
        "scheduler": report.scheduler,
        "address": report.address,
        "slots": report.slots,
        "runs": report.runs,
        "reason": report.reason,
    }


def report_line(report: ProcessReport) -> str:
    """Return a report as a line."""
    from engine.cluster_processes import Happening

    name = f"node {report.node}"
    lines = {
        Happening.JOINED: f"{name} joined {report.scheduler}, {_counted(report.slots, 'slot')}",
        Happening.UNREACHABLE: f"{name} does not reach the scheduler: {report.reason}",
        Happening.LEASE_ENDED: f"{name} has no lease any more: its runs are ended",
        Happening.RESTARTED: f"{name} is started again: its process {report.reason}",
        Happening.DRAINING: _draining(name, report.runs),
        Happening.ENDING: f"{name} ends {_counted(report.runs, 'run')}",
        Happening.LEFT: f"{name} left the cluster",
    }
    return lines.get(report.event, f"{name}: {report.reason}")


def _draining(name: str, runs: int) -> str:
    if not runs:
        return f"{name} stops"
    counted = _counted(runs, "run")
    return f"{name} takes no new runs and waits for {counted}; stop it again to end them"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
