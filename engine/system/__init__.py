"""The operating system: clocks, files, folders, programs, environment variables."""
