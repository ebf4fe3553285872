//! The program as its clients and operators see it: a process, a socket, a database file.

#[path = "../../../countersign-store/tests/it/cluster.rs"]
mod cluster;
mod conformance;
mod program;
mod readme;
mod security_page;
