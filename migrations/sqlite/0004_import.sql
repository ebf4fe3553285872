-- How far an import has come, written with the rows of each batch, so that one which was interrupted goes on.
-- Times are microseconds since the epoch.

CREATE TABLE countersign_import (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    place TEXT NOT NULL,
    last_key TEXT NOT NULL,
    digest BLOB NOT NULL, -- of all that was read up to there, so that another source, or a changed one, is noticed
    started_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
