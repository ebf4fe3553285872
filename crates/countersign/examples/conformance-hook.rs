//! `conformance-hook OPERATION`: one database operation of the conformance scenarios, JSON on standard input to JSON
//! on standard output. The environment is the server's (`DATABASE_URL`, `PASSWORD_HASHER`, …).

use std::process::ExitCode;

#[path = "../tests/it/conformance/hooks.rs"]
mod hooks;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match answer().await {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("conformance-hook: {message}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, beside the server with the real clock")]
async fn answer() -> Result<serde_json::Value, String> {
    let operation = std::env::args().nth(1).ok_or("usage: conformance-hook OPERATION < arguments.json")?;
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let arguments = serde_json::from_str(&text).map_err(|error| format!("arguments: {error}"))?;
    hooks::run(&operation, &arguments, |name| std::env::var(name).ok(), jiff::Timestamp::now()).await
}
