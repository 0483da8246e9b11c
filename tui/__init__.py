"""The faces of swarm-tui: the dashboard and the command line."""
