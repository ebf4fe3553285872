//! The use-cases of Countersign: register, log in, refresh, verify, blacklist.
