//! The Countersign program: reads its settings, puts the floors together, and runs one subcommand.

mod account;
mod adopt;
mod audit;
mod cgroup;
mod changepassword;
mod check;
mod cli;
mod config;
mod createsuperuser;
mod demo;
mod dotenv;
mod durations;
mod explain;
mod export;
mod flushexpiredtokens;
mod healthcheck;
mod import;
mod init;
mod keys;
mod logging;
mod migrate;
mod new_password;
mod packaging;
mod private_file;
mod program;
mod progress;
mod secret_key;
mod sendtestemail;
mod serve;
mod settings;
mod show_config;
mod sources;
mod user;

use std::process::ExitCode;

/// Requests are many small pieces of memory, made on one thread and freed on another: `docs/decisions/0022-allocator.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
