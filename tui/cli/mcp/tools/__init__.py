"""The tools of the server, one module for each subject; each has `TOOLS`."""
