//! `countersign keys …`: the signing keys, looked at and exchanged while the server runs.

use countersign_auth::{KeyRing, KeyStatus};
use countersign_store::KeyState;
use countersign_token::Algorithm;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::KeysCommand;
use crate::config::Files;
use crate::program::{Failure, block_on, configure, open_key_ring, report};
use crate::progress::meanwhile;

/// Runs one of the commands. A server that is running takes notice within a second or two.
pub fn run(command: KeysCommand, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    let said_peer = config.django_peer;
    let work = async {
        let (ring, made_by_django) = open_key_ring(config).await?;
        if matches!(command, KeysCommand::Rotate { .. }) && said_peer.unwrap_or(made_by_django) {
            tracing::warn!(
                "a Django beside this verifies only tokens by the configured key, and will refuse those to come: have it verify by \
                 /.well-known/jwks.json, or stop it"
            );
        }
        carry_out(&ring, command).await
    };
    let (json, sentence) = meanwhile("At the keys", || block_on(work))?;
    report(as_json, &json, &sentence)
}

async fn carry_out(ring: &KeyRing, command: KeysCommand) -> Result<(Value, String), Failure> {
    match command {
        KeysCommand::List => {
            let keys = ring.list().await?;
            let lines: Vec<_> = keys.iter().map(key_line).collect();
            Ok((keys.iter().map(key_json).collect(), lines.join("\n")))
        }
        KeysCommand::Generate { algorithm, force } => {
            let key = ring.generate(parse_algorithm(&algorithm)?, force).await?;
            let when = key.rotate_after.map(shown).unwrap_or_default();
            let sentence = format!(
                "{} ({}) is published. From {when} on it may sign: countersign keys rotate",
                key.kid, key.algorithm
            );
            Ok((key_json(&key), sentence))
        }
        KeysCommand::Rotate { now } => {
            let rotated = ring.rotate(now).await?;
            let (signing, before) = (&rotated.signing, &rotated.verifying);
            let when = before.retire_after.map(shown).unwrap_or_default();
            let sentence = format!(
                "{} ({}) signs now.\n{before} goes on verifying. It is needed until {when}: countersign keys retire \
                 {before}",
                signing.kid,
                signing.algorithm,
                before = before.kid
            );
            Ok((key_json(signing), sentence))
        }
        KeysCommand::Retire { kid, now } => {
            let key = ring.retire(&kid, now).await?;
            Ok((key_json(&key), format!("{kid} is retired: no token of it is accepted any more.")))
        }
    }
}

fn parse_algorithm(name: &str) -> Result<Algorithm, Failure> {
    let unknown = || format!("--algorithm: {name} is not an algorithm; use EdDSA, ES256 or RS256");
    // ES521 is an old name of ES512 that no other verifier knows.
    let known = Algorithm::from_name(name).filter(|algorithm| *algorithm != Algorithm::ES521);
    known.ok_or_else(|| Failure::Other(unknown()))
}

/// A key as programs read it.
fn key_json(key: &KeyStatus) -> Value {
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state.name(),
        "created": text(key.created),
        "changed": text(key.changed),
        "retire_after": text(key.retire_after),
    })
}

/// A key on one line.
fn key_line(key: &KeyStatus) -> String {
    let since = key.changed.map(|time| format!(" since {}", shown(time))).unwrap_or_default();
    let after = match (key.state, key.rotate_after, key.retire_after) {
        (KeyState::Next, Some(time), _) => format!(", may sign from {}", shown(time)),
        (KeyState::Verifying, _, Some(time)) => format!(", may be retired from {}", shown(time)),
        _ => String::new(),
    };
    format!("{:<43}  {:<6}  {}{since}{after}", key.kid, key.algorithm, key.state.name())
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
