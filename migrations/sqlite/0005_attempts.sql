-- What was spent of budgets of attempts, a row for each that is not whole. Which budget it is, is in the id: the kind, and
-- some bits of a keyed hash of whose it is, so that there are never more rows than these can tell apart.
-- Times are microseconds since the epoch.

CREATE TABLE countersign_attempt (
    id INTEGER NOT NULL PRIMARY KEY,
    whole_at INTEGER NOT NULL, -- the row is of no use any more from then on
    free_at INTEGER NOT NULL -- the next attempt may come
) STRICT;

CREATE INDEX countersign_attempt_whole_at ON countersign_attempt (whole_at);
