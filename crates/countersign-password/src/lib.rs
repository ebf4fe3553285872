//! Django password-hash strings: parse, verify, make, needs-update.
