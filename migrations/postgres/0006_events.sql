-- The audit log: each event is linked to the one before by its hash. Times are microseconds since the epoch.

CREATE TABLE countersign_event (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    position BIGINT, -- in the chain; none until it is linked
    hash TEXT,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT, -- the key of the user, as text
    request_id TEXT,
    details TEXT NOT NULL,
    personal TEXT, -- with a salt; set to NULL when it is erased
    commitment TEXT, -- the hash of what is personal, which stays
    CHECK ((position IS NULL) = (hash IS NULL))
);

CREATE UNIQUE INDEX countersign_event_position ON countersign_event (position);
CREATE INDEX countersign_event_waiting ON countersign_event (at, id) WHERE position IS NULL;
CREATE INDEX countersign_event_subject ON countersign_event (subject);

-- One row: where the chain begins, after the last event that was deleted, and where it ends.
CREATE TABLE countersign_event_chain (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    deleted_position BIGINT NOT NULL,
    deleted_hash TEXT NOT NULL,
    last_position BIGINT NOT NULL,
    last_hash TEXT NOT NULL
);

INSERT INTO countersign_event_chain VALUES (1, 0, '', 0, '');

-- Requests that were refused lately, for `countersign explain`.
CREATE TABLE countersign_refusal (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    details TEXT NOT NULL
);

CREATE INDEX countersign_refusal_at ON countersign_refusal (at);
CREATE INDEX countersign_refusal_request_id ON countersign_refusal (request_id);
