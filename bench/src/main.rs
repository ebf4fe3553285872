//! The yardsticks of the benchmark, and its front door: without arguments this program runs `bench/run`, which starts
//! everything and comes back here for what is physically possible: bare HTTP, bare hashing, bare commits.

mod commits;
mod hashes;
mod http;

use countersign_bench::operations;
use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::Duration;

const USAGE: &str = "countersign-bench [OPTION OF bench/run …]
countersign-bench http PORT SIZE…                 answers GET and POST at /SIZE with as many bytes of JSON
countersign-bench hashes ours|fresh SECONDS       Argon2id 19456/2/1 on every core
countersign-bench commits FILE GROUP SECONDS      rotates sessions, GROUP to a commit
countersign-bench repeat NAME TIMES               does one operation, for bench/instructions";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("countersign-bench: {error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<ExitCode, Box<dyn Error>> {
    match arguments {
        ["http", port, sizes @ ..] => http::serve(port.parse()?, sizes)?,
        ["hashes", which, seconds] => {
            let per_second = hashes::per_second(which, Duration::from_secs(seconds.parse()?))?;
            println!("{per_second:.1}");
        }
        ["commits", file, group, seconds] => {
            let per_second =
                commits::per_second(file.as_ref(), group.parse()?, Duration::from_secs(seconds.parse()?))?;
            println!("{per_second:.0}");
        }
        ["repeat", name, times] => {
            let mut operation = operations::named(name);
            (0..times.parse::<u32>()?).for_each(|_| operation());
        }
        options => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/run");
            let done = Command::new(script).args(options).status()?;
            return Ok(if done.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}
