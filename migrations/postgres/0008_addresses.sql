-- An account is looked for by its address, whatever the case: the one index of ours on a table of Django's, which some databases
-- have under another name. ASCII's case alone, whatever the language of the database, as on SQLite.

CREATE INDEX IF NOT EXISTS countersign_user_email ON auth_user (lower(email COLLATE "C")) WHERE email <> '';
