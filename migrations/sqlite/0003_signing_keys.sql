-- The key ring. Times are microseconds since the epoch; private keys are sealed under SECRET_KEY.

CREATE TABLE countersign_key (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'signing', 'verifying', 'retired')),
    sealed BLOB CHECK (sealed IS NULL OR state <> 'retired'), -- none for the configured key, nor for a retired one
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX countersign_key_one_next ON countersign_key (state) WHERE state = 'next';
CREATE UNIQUE INDEX countersign_key_one_signing ON countersign_key (state) WHERE state = 'signing';
