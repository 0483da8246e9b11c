"""The command line: the dashboard's twin, on the same engine."""

COMPLETE = "_SWARM_TUI_COMPLETE"
"""Set by a shell that asks how a line could go on."""
