"""The database's shape, as numbered steps; each is applied once, with its record, or not at all."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            batch TEXT,
            status TEXT NOT NULL,
            last_seq INTEGER NOT NULL,
            spec TEXT NOT NULL,
            state TEXT NOT NULL
        )""",
        "CREATE INDEX runs_status ON runs (status)",
        """CREATE TABLE attempts (
            run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
            n INTEGER NOT NULL,
            ask TEXT,
            cursor TEXT,
            PRIMARY KEY (run, n)
        ) WITHOUT ROWID""",
        # The id orders the events of all runs: whoever follows the database asks for what is above
        # the last one seen. It is never used twice (AUTOINCREMENT), also after a clean-up.
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
            seq INTEGER NOT NULL,
            at REAL NOT NULL,
            attempt INTEGER NOT NULL,
            type TEXT NOT NULL,
            data TEXT NOT NULL
        )""",
        "CREATE UNIQUE INDEX events_run_seq ON events (run, seq)",
        "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        """CREATE TABLE batches (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            template TEXT,
            made_of TEXT NOT NULL,
            created_at REAL NOT NULL,
            budget INTEGER
        )""",
        "CREATE INDEX runs_batch ON runs (batch) WHERE batch IS NOT NULL",
    ),
)
