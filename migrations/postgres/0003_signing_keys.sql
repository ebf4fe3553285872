-- The key ring. Times are microseconds since the epoch; private keys are sealed under SECRET_KEY.

CREATE TABLE countersign_key (
    kid TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- sorted in the order of bytes, as on SQLite
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'signing', 'verifying', 'retired')),
    sealed BYTEA CHECK (sealed IS NULL OR state <> 'retired'), -- none for the configured key, nor for a retired one
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX countersign_key_one_next ON countersign_key (state) WHERE state = 'next';
CREATE UNIQUE INDEX countersign_key_one_signing ON countersign_key (state) WHERE state = 'signing';
