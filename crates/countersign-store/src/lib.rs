//! Every SQL statement of Countersign, on an embedded SQLite database.
