//! The program as its clients and operators see it: a process, a socket, a database file.

mod conformance;
mod program;
mod readme;
