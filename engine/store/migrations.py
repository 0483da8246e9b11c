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
    (
        # What is told to receivers outside; who is to get a message is said with it.
        """CREATE TABLE messages (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            topic TEXT NOT NULL,
            at REAL NOT NULL,
            subject TEXT NOT NULL,
            payload TEXT NOT NULL
        )""",
        """CREATE TABLE deliveries (
            message INTEGER NOT NULL REFERENCES messages (key) ON DELETE CASCADE,
            receiver TEXT NOT NULL,
            state TEXT NOT NULL,
            tries INTEGER NOT NULL,
            due REAL NOT NULL,
            tried_at REAL,
            answer TEXT,
            PRIMARY KEY (receiver, message)
        ) WITHOUT ROWID""",
        "CREATE INDEX deliveries_message ON deliveries (message)",
        """CREATE INDEX deliveries_waiting ON deliveries (receiver, message)
            WHERE state = 'waiting'""",
        "CREATE INDEX deliveries_parked ON deliveries (receiver) WHERE state = 'parked'",
    ),
)
