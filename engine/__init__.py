"""The engine of swarm-tui: supervises Codex, keeps runs; needs no screen."""
