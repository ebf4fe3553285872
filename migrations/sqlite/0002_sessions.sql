-- One row per login. It refers to auth_user without a foreign key: nothing of ours may keep Django from deleting a user.
-- Times are microseconds since the epoch.

CREATE TABLE countersign_session (
    id TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    replaced_jti TEXT,
    rotated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_because TEXT,
    address TEXT,
    client TEXT NOT NULL,
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
) STRICT;

CREATE INDEX countersign_session_user_id ON countersign_session (user_id);
