"""A project's own user model: UUIDs for keys, and e-mail addresses in the place of usernames."""
