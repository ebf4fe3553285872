-- Mail that waits to be sent. Times are microseconds since the epoch.

CREATE TABLE countersign_mail (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL, -- whoever sends it moves this on first, so that nobody else does
    attempts INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX countersign_mail_address ON countersign_mail (address, kind);
CREATE INDEX countersign_mail_next_attempt_at ON countersign_mail (attempts, next_attempt_at);
