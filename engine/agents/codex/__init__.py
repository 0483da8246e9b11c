"""Codex's command line, output and failures: the only place that knows its words."""
