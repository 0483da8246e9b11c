"""The database's shape, as numbered steps; each is applied once, with its record, or not at all."""

from __future__ import annotations

from engine.store.usage_backfill import BACKFILL

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
        # The id orders the events of all runs: a follower of the database asks for what is above
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
    # Search in the history: an index that reads its text from the events, and how far it has come.
    (
        # Of an event's text, its beginning and its end: an output may be a megabyte.
        """CREATE VIEW said_whole AS SELECT id, CASE type
            WHEN 'step' THEN coalesce(json_extract(data, '$.command'), '') || char(10)
                || coalesce(json_extract(data, '$.text'), '') || char(10)
                || coalesce(json_extract(data, '$.output'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[0].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[1].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[2].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[3].path'), '')
            WHEN 'notice' THEN json_extract(data, '$.text')
            ELSE json_extract(data, '$.error.message') END AS whole
            FROM events WHERE type IN ('step', 'notice', 'error')""",
        """CREATE VIEW said AS SELECT id, CASE WHEN length(whole) <= 32768 THEN whole
            ELSE substr(whole, 1, 16384) || char(10) || substr(whole, -16384) END AS said
            FROM said_whole""",
        """CREATE VIRTUAL TABLE search_events USING fts5 (said, content = 'said',
            content_rowid = 'id', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2')""",
        """CREATE VIEW prompts AS SELECT key, substr(json_extract(spec, '$.prompt') || char(10)
            || json_extract(spec, '$.title'), 1, 32768) AS said FROM runs""",
        """CREATE VIRTUAL TABLE search_prompts USING fts5 (said, content = 'prompts',
            content_rowid = 'key', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2')""",
        "CREATE TABLE search_places (name TEXT PRIMARY KEY, upto INTEGER NOT NULL) WITHOUT ROWID",
        "INSERT INTO search_places VALUES ('events', 0), ('runs', 0)",
    ),
    (
        # Messages to receivers outside, each with its receivers.
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
    # What worked: patterns, the runs they came from, and an index to find the nearest.
    (
        """CREATE TABLE patterns (
            key INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            changed_at REAL NOT NULL,
            is_edited INTEGER NOT NULL,
            removed_at REAL,
            data TEXT NOT NULL
        )""",
        """CREATE TABLE pattern_runs (
            pattern INTEGER NOT NULL REFERENCES patterns (key) ON DELETE CASCADE,
            run TEXT NOT NULL,
            PRIMARY KEY (pattern, run)
        ) WITHOUT ROWID""",
        "CREATE INDEX pattern_runs_run ON pattern_runs (run)",
        """CREATE VIRTUAL TABLE search_patterns USING fts5 (said,
            tokenize = 'unicode61 remove_diacritics 2')""",
        """CREATE INDEX runs_learn_from ON runs (json_extract(spec, '$.learn_from'))
            WHERE json_extract(spec, '$.learn_from') IS NOT NULL""",
    ),
    # Whether the first checkpoint of a workspace is its baseline: only if it came before the agent
    # started there. Where the events of that time were dropped, it is taken for one.
    (
        """CREATE TEMP VIEW made AS SELECT r.key AS run, coalesce((SELECT min(e.seq) FROM events e
            WHERE e.run = r.key AND e.type = 'progress' AND json_extract(e.data, '$.details.path')
                = json_extract(r.state, '$.workspace.path')), 0) AS seq
            FROM runs r WHERE json_extract(r.state, '$.workspace.path') IS NOT NULL""",
        """CREATE TEMP VIEW begun AS SELECT m.run, m.seq, (SELECT min(e.seq) FROM events e
                WHERE e.run = m.run AND e.seq > m.seq AND e.type = 'checkpoint'
                AND json_extract(e.data, '$.n') = 0) AS first, (SELECT min(e.seq) FROM events e
                WHERE e.run = m.run AND e.seq > m.seq AND e.type = 'status'
                AND json_extract(e.data, '$.status') = 'running') AS started,
            NOT EXISTS (SELECT 1 FROM events e WHERE e.run = m.run AND e.seq = 1) AS dropped
            FROM made m""",
        """UPDATE runs SET state = json_set(state, '$.baseline', json(CASE
            WHEN b.first < coalesce(b.started, b.first + 1) THEN 'true'
            WHEN b.dropped AND json_extract(state, '$.checkpoint') IS NOT NULL THEN 'true'
            ELSE 'false' END)) FROM begun b
            WHERE b.run = runs.key AND (b.first IS NOT NULL OR b.started IS NOT NULL
                OR b.dropped)""",
        "DROP VIEW begun",
        "DROP VIEW made",
    ),
    # Folders that runs of earlier versions worked in, in place. Their names as JSON, as they stand
    # in the runs: SQLite returns that for several paths only.
    (
        """INSERT OR IGNORE INTO settings
            SELECT 'worked in ' || substr(named, 2, length(named) - length('[,null]')), ''
            FROM (SELECT json_extract(spec, '$.workspace.source', '$.nothing') AS named FROM runs
                WHERE CASE WHEN json_valid(spec) THEN
                    json_extract(spec, '$.workspace.kind') = 'in-place'
                    AND json_type(spec, '$.workspace.source') = 'text' END)""",
    ),
    # Types beside the texts that decided before: see `engine.store.typed`.
    (
        """UPDATE events SET data = coalesce(typed_event(type, CAST(data AS BLOB)), data)
            WHERE (type = 'status' AND data LIKE '%"reason":%')
            OR (type = 'notice' AND (data LIKE '%stalled: %' OR data LIKE '%waiting for network%'))
            OR (type = 'step' AND data LIKE '%"agent"%waiting for sub-agents%')""",
        "UPDATE runs SET state = coalesce(typed_state(CAST(state AS BLOB)), state)",
        """UPDATE settings SET value = coalesce(typed_pause(CAST(value AS BLOB)), value)
            WHERE name = 'pause'""",
    ),
    # Rules that answer requests of agents, and how often each did: also of those in settings files.
    (
        """CREATE TABLE approval_rules (
            id TEXT PRIMARY KEY,
            scope TEXT NOT NULL,
            scope_id TEXT NOT NULL,
            made_at REAL NOT NULL,
            data TEXT NOT NULL
        ) WITHOUT ROWID""",
        """CREATE TABLE approval_rule_uses (
            rule TEXT PRIMARY KEY,
            data TEXT NOT NULL
        ) WITHOUT ROWID""",
    ),
    # The index of the text of all runs has the user's messages, too.
    (
        "DROP VIEW said_whole",
        """CREATE VIEW said_whole AS SELECT id, CASE type
            WHEN 'step' THEN coalesce(json_extract(data, '$.command'), '') || char(10)
                || coalesce(json_extract(data, '$.text'), '') || char(10)
                || coalesce(json_extract(data, '$.output'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[0].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[1].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[2].path'), '')
                || coalesce(char(10) || json_extract(data, '$.changes[3].path'), '')
            WHEN 'notice' THEN json_extract(data, '$.text')
            WHEN 'message' THEN coalesce(json_extract(data, '$.text'), '')
            ELSE json_extract(data, '$.error.message') END AS whole
            FROM events WHERE type IN ('step', 'notice', 'error', 'message')""",
    ),
    # Runs that were forgotten: what is left of them, their ids and an order of these.
    (
        """CREATE TABLE forgotten_runs (
            key INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL UNIQUE,
            at REAL NOT NULL
        )""",
    ),
    # Usage by time, model and account: it outlives the runs. And the limits, as they were reported.
    (
        """CREATE TABLE usage_slots (
            run TEXT NOT NULL,
            slot INTEGER NOT NULL,
            model TEXT NOT NULL,
            account TEXT NOT NULL,
            project TEXT NOT NULL,
            input INTEGER NOT NULL,
            cached INTEGER NOT NULL,
            output INTEGER NOT NULL,
            reasoning INTEGER NOT NULL,
            requests INTEGER NOT NULL,
            PRIMARY KEY (run, slot, model, account)
        ) WITHOUT ROWID""",
        "CREATE INDEX usage_slots_slot ON usage_slots (slot)",
        """CREATE TABLE limit_samples (
            account TEXT NOT NULL,
            name TEXT NOT NULL,
            at REAL NOT NULL,
            used_percent REAL NOT NULL,
            window_minutes INTEGER,
            resets_at REAL,
            PRIMARY KEY (account, name, at)
        ) WITHOUT ROWID""",
    ),
    # Threads that were started elsewhere: their usage, the places up to which their files were
    # read, and the threads of runs, which are counted there and stay known when one is forgotten.
    (
        """CREATE TABLE session_slots (
            thread TEXT NOT NULL,
            slot INTEGER NOT NULL,
            model TEXT NOT NULL,
            account TEXT NOT NULL,
            project TEXT NOT NULL,
            input INTEGER NOT NULL,
            cached INTEGER NOT NULL,
            output INTEGER NOT NULL,
            reasoning INTEGER NOT NULL,
            requests INTEGER NOT NULL,
            PRIMARY KEY (thread, slot, model, account)
        ) WITHOUT ROWID""",
        "CREATE INDEX session_slots_slot ON session_slots (slot)",
        """CREATE TABLE session_threads (
            thread TEXT PRIMARY KEY,
            root TEXT NOT NULL,
            project TEXT NOT NULL,
            revision INTEGER NOT NULL,
            keys BLOB NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX session_threads_root ON session_threads (root) WHERE root <> ''",
        """CREATE TABLE session_files (
            folder BLOB NOT NULL,
            name BLOB NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            checked BLOB NOT NULL,
            thread TEXT NOT NULL,
            state BLOB NOT NULL,
            PRIMARY KEY (folder, name)
        ) WITHOUT ROWID""",
        """CREATE TABLE session_folders (
            folder BLOB PRIMARY KEY,
            mtime_ns INTEGER NOT NULL,
            newest REAL NOT NULL
        ) WITHOUT ROWID""",
        "CREATE TABLE run_threads (thread TEXT PRIMARY KEY) WITHOUT ROWID",
        """INSERT OR IGNORE INTO run_threads SELECT json_extract(state, '$.thread_id') AS thread
            FROM runs WHERE json_valid(state) AND thread <> ''""",
        """INSERT OR IGNORE INTO run_threads SELECT coalesce(
                json_extract(cursor, '$.agent.thread_id'), json_extract(cursor, '$.thread_id'))
            AS thread FROM attempts WHERE json_valid(cursor) AND thread <> ''""",
    ),
    # The time that attempts took, and the usage of the runs of earlier versions.
    (
        "ALTER TABLE usage_slots ADD COLUMN seconds REAL NOT NULL DEFAULT 0",
        *BACKFILL,
    ),
    # The unit of the budget of a batch.
    ("ALTER TABLE batches ADD COLUMN budget_unit TEXT NOT NULL DEFAULT 'tokens'",),
    # The top run of the family of a run that another run started.
    (
        "ALTER TABLE runs ADD COLUMN top TEXT",
        "CREATE INDEX runs_top ON runs (top) WHERE top IS NOT NULL",
    ),
    # Tokens of clients of the API: hashes of their secrets.
    (
        """CREATE TABLE api_tokens (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            scope TEXT NOT NULL,
            hash BLOB NOT NULL,
            hint TEXT NOT NULL,
            created_at REAL NOT NULL,
            last_used_at REAL
        ) WITHOUT ROWID""",
    ),
    # Keys of requests over HTTP that started a run or a batch: a repeated one starts none.
    (
        """CREATE TABLE start_keys (
            client TEXT NOT NULL,
            key TEXT NOT NULL,
            digest TEXT NOT NULL,
            started TEXT NOT NULL,
            created_at REAL NOT NULL,
            PRIMARY KEY (client, key)
        ) WITHOUT ROWID""",
        "CREATE INDEX start_keys_created ON start_keys (created_at)",
    ),
    # Texts of comments that were typed and not saved yet.
    (
        """CREATE TABLE comment_drafts (
            run TEXT NOT NULL,
            place TEXT NOT NULL,
            data TEXT NOT NULL,
            changed_at REAL NOT NULL,
            PRIMARY KEY (run, place)
        ) WITHOUT ROWID""",
    ),
)
