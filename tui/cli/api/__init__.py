"""The HTTP API: the commands as REST operations, with the shapes of `--json`, on one engine."""
