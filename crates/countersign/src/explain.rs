//! `countersign explain REQUEST_ID`: why a request was refused.

use countersign_domain::RefusedRequest;
use serde_json::{Map, Value, json};

use crate::config::Files;
use crate::program::{Failure, block_on, configure, open_store, report};

/// Prints each refusal of a request with this name, the newest first; fails if none is known.
pub fn run(request_id: &str, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    let refusals = block_on(async { Ok(open_store(&config).await?.refusals_of(request_id).await?) })?;
    if refusals.is_empty() {
        return Err(Failure::Other(format!(
            "no refusal of a request called {request_id:?} is known: it was not refused, not by a server on this database, \
             or too many have been since; look for it in the log"
        )));
    }
    let list: Vec<Value> = refusals.iter().map(refusal_json).collect();
    let texts: Vec<String> = refusals.iter().map(refusal_text).collect();
    report(as_json, &json!({ "refusals": list }), &texts.join("\n\n"))
}

fn refusal_json(refusal: &RefusedRequest) -> Value {
    let details = refusal.details.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
    let mut members = Map::from_iter([("at".to_owned(), refusal.at.to_string().into())]);
    members.extend(details);
    members.into()
}

fn refusal_text(refusal: &RefusedRequest) -> String {
    let of = |name: &str| {
        let found = refusal.details.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    let code = of("code");
    let mut lines = vec![format!("{} {} was answered {} {code}.", refusal.at, of("route"), of("status"))];
    lines.extend(countersign_http::cause_of(code).map(str::to_owned));
    let more =
        refusal.details.iter().filter(|(name, _)| !["route", "status", "code"].contains(&name.as_str()));
    lines.extend(more.map(|(name, value)| format!("  {}: {value}", name.replace('_', " "))));
    lines.join("\n")
}
