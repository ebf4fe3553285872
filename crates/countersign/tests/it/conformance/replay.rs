//! Replays one scenario against a running server.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::unix_now;
use super::described::{Described, Got};
use super::differences::Difference;
use super::http_client::{Answer, exchange};
use super::matcher::Matcher;
use super::minting::decode;
use super::scenario::{Expected, Request, Scenario, Step};
use super::server::Server;
use super::variables::Variables;

/// Does what the scenario says. Fails at the first answer that is neither the recorded one nor announced in
/// `difference`, and where an announced difference is not there.
pub fn replay(
    scenario: &Scenario,
    server: &Server,
    difference: Option<&Difference>,
    described: Option<&Described>,
) -> Result<(), String> {
    let variables = Variables::default();
    let mut replay =
        Replay { server, difference, described, variables, began: unix_now(), differing_steps: 0 };
    for (index, step) in scenario.given.iter().enumerate() {
        replay.step(step).map_err(|reason| format!("given[{index}]: {reason}"))?;
    }
    for (index, step) in scenario.steps.iter().enumerate() {
        replay.step(step).map_err(|reason| format!("step {index}: {reason}"))?;
    }
    if difference.is_some() && replay.differing_steps == 0 {
        return Err("equals the recording: remove it from differences.md".to_owned());
    }
    Ok(())
}

struct Replay<'a> {
    server: &'a Server,
    difference: Option<&'a Difference>,
    described: Option<&'a Described>,
    variables: Variables,
    began: f64,
    differing_steps: usize,
}

impl Replay<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let signer = &self.server.signer;
        match step {
            Step::Exchange { request, response, capture } => self.exchange(request, response, capture),
            Step::User { user, name } => self.make_user(user, name),
            Step::Login { login, name, path } => self.log_in(login, name, path),
            Step::Token { token, name } => {
                let minted = signer.mint(token, &self.variables)?;
                self.variables.set(name.clone(), &minted.into());
                Ok(())
            }
            Step::Mutate { mutate, name } => {
                let damaged = signer.mutate(mutate, &self.variables)?;
                self.variables.set(name.clone(), &damaged.into());
                Ok(())
            }
            Step::Hook { hook, args, result, capture } => self.hook(hook, args, result.as_ref(), capture),
            Step::Sleep { sleep } => {
                std::thread::sleep(Duration::from_secs_f64(*sleep));
                Ok(())
            }
            Step::Align { align } => {
                let fraction = unix_now().fract();
                if *align && fraction > 0.1 {
                    std::thread::sleep(Duration::from_secs_f64(1.0 - fraction));
                }
                Ok(())
            }
        }
    }

    fn exchange(
        &mut self,
        request: &Request,
        expected: &Expected,
        capture: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let answer = exchange(self.server.address, request, &self.variables)?;
        self.describes(request, &answer)?;
        let matcher = self.matcher(answer.sent, answer.received, true);
        match (matcher.answer(expected, &answer), self.difference) {
            (Ok(()), _) => {}
            (Err(_), Some(difference)) if difference.allows(&answer) => self.differing_steps += 1,
            (Err(reason), Some(_)) => return Err(format!("not as differences.md says, and {reason}")),
            (Err(reason), None) => return Err(reason),
        }
        if capture.is_empty() {
            return Ok(());
        }
        let body =
            serde_json::from_slice(&answer.body).map_err(|error| format!("nothing to capture: {error}"))?;
        self.capture(capture, &body)
    }

    fn hook(
        &mut self,
        operation: &str,
        arguments: &Map<String, Value>,
        expected: Option<&Value>,
        capture: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let sent = unix_now();
        let found = self.server.hook(operation, &self.variables.fill_fields(arguments))?;
        if let Some(expected) = expected {
            let matcher = self.matcher(sent, unix_now(), false);
            matcher.value(expected, &found, &format!("hook {operation}"))?;
        }
        self.capture(capture, &found)
    }

    fn matcher(&self, sent: f64, received: f64, ordered: bool) -> Matcher<'_> {
        let (variables, signer) = (&self.variables, &self.server.signer);
        Matcher { variables, signer, began: self.began, sent, received, ordered }
    }

    /// Registers the user, or makes it in the database where registration cannot.
    fn make_user(&mut self, user: &Map<String, Value>, name: &str) -> Result<(), String> {
        let can_register = user.keys().all(|key| ["username", "email", "password"].contains(&key.as_str()));
        let id = if can_register {
            let answer = self.post("/user/api/register/", &Value::Object(user.clone()))?;
            let body = json_answer(&answer, 201)?;
            body.get("id").cloned()
        } else {
            self.server.hook("create_user", &self.variables.fill_fields(user))?.get("id").cloned()
        };
        self.variables.set(format!("{name}.id"), &id.ok_or("the new user has no id")?);
        if let Some(username) = user.get("username") {
            self.variables.set(format!("{name}.username"), username);
        }
        Ok(())
    }

    fn log_in(&mut self, login: &Value, name: &str, path: &str) -> Result<(), String> {
        let answer = self.post(path, login)?;
        let body = json_answer(&answer, 200)?;
        for (key, token) in body.as_object().into_iter().flatten() {
            self.variables.set(format!("{name}.{key}"), token);
        }
        Ok(())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let request: Request = serde_json::from_value(json!({
            "method": "POST",
            "path": path,
            "headers": {"Content-Type": "application/json"},
            "body": body.to_string(),
        }))
        .map_err(|error| error.to_string())?;
        let answer = exchange(self.server.address, &request, &Variables::default())?;
        self.describes(&request, &answer)?;
        Ok(answer)
    }

    /// Fails if the OpenAPI document has another answer.
    fn describes(&self, request: &Request, answer: &Answer) -> Result<(), String> {
        let Some(described) = self.described else { return Ok(()) };
        let content_type = answer.header("content-type").unwrap_or_default();
        let got = Got { status: answer.status, content_type, body: &answer.body };
        described.check(&request.method, &request.path, &got)
    }

    fn capture(&mut self, places: &BTreeMap<String, String>, body: &Value) -> Result<(), String> {
        for (name, place) in places {
            let missing = || format!("nothing to capture at {place}");
            let value = match place.strip_prefix("jwt:").and_then(|place| place.split_once('#')) {
                Some((pointer, claim)) => {
                    let token = body.pointer(pointer).and_then(Value::as_str).ok_or_else(missing)?;
                    decode(token)?.claims.get(claim).cloned()
                }
                None => body.pointer(place).cloned(),
            };
            self.variables.set(name.clone(), &value.ok_or_else(missing)?);
        }
        Ok(())
    }
}

fn json_answer(answer: &Answer, status: u16) -> Result<Value, String> {
    if answer.status != status {
        return Err(format!("status {}, expected {status}; body {}", answer.status, answer.text()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("body is not JSON: {error}"))
}
