"""A project's own user model: `AbstractUser` with a field more."""
