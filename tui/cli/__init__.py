"""The command line: the dashboard's twin, on the same engine."""
