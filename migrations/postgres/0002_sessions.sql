-- One row per login. It refers to auth_user without a foreign key: nothing of ours may keep Django from deleting a user.
-- Times are microseconds since the epoch.

CREATE TABLE countersign_session (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- walked in the order of bytes, as on SQLite
    user_id BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    replaced_jti TEXT,
    rotated_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_because TEXT,
    address TEXT,
    client TEXT NOT NULL,
    CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);

CREATE INDEX countersign_session_user_id ON countersign_session (user_id);
