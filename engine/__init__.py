"""The engine of swarm-tui: supervises agents, keeps runs; needs no screen."""
