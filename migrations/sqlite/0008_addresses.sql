-- An account is looked for by its address, whatever the case: the one index of ours on a table of Django's, which some databases
-- have under another name.

CREATE INDEX IF NOT EXISTS countersign_user_email ON auth_user (lower(email)) WHERE email <> '';
