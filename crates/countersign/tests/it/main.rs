//! The program as its clients and operators see it: a process, a socket, a database file.

#[expect(dead_code, reason = "the store's tests use more of it")]
#[path = "../../../countersign-store/tests/it/cluster.rs"]
mod cluster;
mod conformance;
mod program;
mod readme;
