"""Codex as an interactive agent: `codex app-server` behind a bridge."""
