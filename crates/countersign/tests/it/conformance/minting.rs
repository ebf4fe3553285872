//! Tokens that a scenario signs itself, and damage done to tokens.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::clock::unix_now;
use super::scenario::{Mutation, TokenSpec};
use super::signing::{key_text, sign};
use super::variables::{Variables, replace_places};

/// The parts of a compact JWT.
pub struct DecodedToken {
    pub header: Value,
    pub claims: Value,
    pub signature: Vec<u8>,
    /// Header and claims as they were signed.
    pub signed: String,
}

/// What the server under test signs with.
#[derive(Debug)]
pub struct Signer {
    pub algorithm: String,
    /// The secret or private key that signs.
    pub signing_key: String,
    /// The secret or public key that verifies.
    pub verifying_key: String,
}

impl Signer {
    /// Reads the signer from Simple JWT's settings, keys already resolved.
    pub fn new(settings: &Map<String, Value>, secret_key: &str) -> Signer {
        let text = |name: &str| {
            settings.get(name).and_then(Value::as_str).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let algorithm = text("ALGORITHM").unwrap_or_else(|| "HS256".to_owned());
        let signing_key = text("SIGNING_KEY").unwrap_or_else(|| secret_key.to_owned());
        let verifying_key = if algorithm.starts_with("HS") {
            signing_key.clone()
        } else {
            text("VERIFYING_KEY").unwrap_or_default()
        };
        Signer { algorithm, signing_key, verifying_key }
    }

    /// Signs a token as a scenario describes it.
    pub fn mint(&self, spec: &TokenSpec, variables: &Variables) -> Result<String, String> {
        let algorithm = spec.alg.as_deref().unwrap_or(&self.algorithm);
        let now = unix_now();
        let header = spec.header_raw.clone().unwrap_or_else(|| {
            let mut header = Map::new();
            header.insert("alg".to_owned(), algorithm.into());
            header.insert("typ".to_owned(), "JWT".into());
            header.extend(spec.header.clone());
            header.retain(|name, _| !spec.header_drop.contains(name));
            Value::Object(header).to_string()
        });
        let claims = match &spec.claims_raw {
            Some(raw) => replace_places(&variables.fill(raw), |place| relative_time(place, now)),
            None => Value::Object(claim_values(&spec.claims, variables, now)?).to_string(),
        };
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        self.complete(signed, algorithm, spec.key.as_deref())
    }

    /// Damages a token.
    pub fn mutate(&self, mutation: &Mutation, variables: &Variables) -> Result<String, String> {
        let token = variables.fill(&mutation.token);
        let [header, claims, signature]: [&str; 3] =
            token.split('.').collect::<Vec<_>>().try_into().map_err(|_| format!("not a JWT: {token}"))?;
        match mutation.op.as_str() {
            "drop_signature" => Ok(format!("{header}.{claims}.")),
            "drop_last_segment" => Ok(format!("{header}.{claims}")),
            "flip_signature" => Ok(format!("{header}.{claims}.{}", flipped(signature)?)),
            "truncate_signature" => {
                Ok(token.get(..token.len().saturating_sub(4)).unwrap_or_default().to_owned())
            }
            "noncanonical_signature" => Ok(format!("{header}.{claims}.{}", noncanonical(signature)?)),
            "pad" => Ok([header, claims, signature].map(padded).join(".")),
            "pad_signature" => Ok(format!("{header}.{claims}.{}", padded(signature))),
            "std_base64" => Ok(token.replace('-', "+").replace('_', "/")),
            "set_claims" => {
                let claims = changed_claims(claims, mutation, variables)?;
                Ok(format!("{header}.{}.{signature}", encode(&Value::Object(claims).to_string())))
            }
            "set_header" => {
                let mut header = object(header)?;
                header.extend(mutation.header.clone());
                Ok(format!("{}.{claims}.{signature}", encode(&Value::Object(header).to_string())))
            }
            "resign" => self.resign(header, claims, mutation, variables),
            other => Err(format!("unknown mutation {other}")),
        }
    }

    fn resign(
        &self,
        header: &str,
        claims: &str,
        mutation: &Mutation,
        variables: &Variables,
    ) -> Result<String, String> {
        let mut header = object(header)?;
        header.extend(mutation.header.clone());
        let mut claims = changed_claims(claims, mutation, variables)?;
        claims.retain(|name, _| !mutation.drop.contains(name));
        let named = header.get("alg").and_then(Value::as_str).unwrap_or(&self.algorithm);
        let algorithm = mutation.alg.clone().unwrap_or_else(|| named.to_owned());
        if !mutation.header.contains_key("alg") {
            header.insert("alg".to_owned(), algorithm.as_str().into());
        }
        let signed = format!(
            "{}.{}",
            encode(&Value::Object(header).to_string()),
            encode(&Value::Object(claims).to_string())
        );
        self.complete(signed, &algorithm, mutation.key.as_deref())
    }

    fn complete(&self, signed: String, algorithm: &str, key: Option<&str>) -> Result<String, String> {
        let key = match key {
            None | Some("secret") => self.signing_key.clone(),
            Some(key) => match key.split_once(':') {
                Some(("text", text)) => text.to_owned(),
                Some(("pem", name)) => key_text(name)?,
                _ => return Err(format!("unknown key {key}")),
            },
        };
        let signature = sign(algorithm, &key, signed.as_bytes())?;
        Ok(signed + "." + &BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn changed_claims(
    claims: &str,
    mutation: &Mutation,
    variables: &Variables,
) -> Result<Map<String, Value>, String> {
    let mut claims = object(claims)?;
    claims.extend(claim_values(&mutation.claims, variables, unix_now())?);
    Ok(claims)
}

/// Takes a compact JWT apart; nothing is verified.
pub fn decode(token: &str) -> Result<DecodedToken, String> {
    let (signed, signature) = token.rsplit_once('.').ok_or("no dot")?;
    let (header, claims) = signed.split_once('.').ok_or("one dot")?;
    Ok(DecodedToken {
        header: Value::Object(object(header)?),
        claims: Value::Object(object(claims)?),
        signature: BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?,
        signed: signed.to_owned(),
    })
}

fn claim_values(
    claims: &Map<String, Value>,
    variables: &Variables,
    now: f64,
) -> Result<Map<String, Value>, String> {
    claims.iter().map(|(name, value)| Ok((name.clone(), claim_value(value, variables, now)?))).collect()
}

/// A claim as it goes into the token: the `{"$…": …}` forms of the README are worked out.
fn claim_value(value: &Value, variables: &Variables, now: f64) -> Result<Value, String> {
    let fields = match value {
        Value::String(text) => return Ok(variables.fill(text).into()),
        Value::Array(items) => return items.iter().map(|item| claim_value(item, variables, now)).collect(),
        Value::Object(fields) => fields,
        other => return Ok(other.clone()),
    };
    let mut entries = fields.iter();
    let (Some((form, argument)), None) = (entries.next(), entries.next()) else {
        return claim_values(fields, variables, now).map(Value::Object);
    };
    let bad = || format!("claim form {value}");
    let whole_second = || argument.as_i64().map(|offset| whole(now) + offset).ok_or_else(bad);
    let text = || argument.as_str().map(|text| variables.fill(text)).ok_or_else(bad);
    match form.as_str() {
        "$now" => whole_second().map(Value::from),
        "$now_float" => format!("{}.5", whole_second()?).parse::<f64>().map(Value::from).map_err(|_| bad()),
        "$now_str" => whole_second().map(|second| second.to_string().into()),
        "$int" => text()?.trim().parse::<i64>().map(Value::from).map_err(|_| bad()),
        "$float" => text()?.trim().parse::<f64>().map(Value::from).map_err(|_| bad()),
        "$jti" => Ok(Uuid::new_v4().simple().to_string().into()),
        _ => claim_values(fields, variables, now).map(Value::Object),
    }
}

/// `now+600` or `now-5` as a Unix time.
fn relative_time(place: &str, now: f64) -> Option<String> {
    let offset = place.strip_prefix("now").filter(|rest| rest.starts_with(['+', '-']))?;
    Some((whole(now) + offset.parse::<i64>().ok()?).to_string())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a clock reading is far below 2^53, and its floor is wanted"
)]
fn whole(now: f64) -> i64 {
    now.floor() as i64
}

fn encode(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn object(segment: &str) -> Result<Map<String, Value>, String> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(segment).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

fn padded(segment: &str) -> String {
    let length = segment.len().next_multiple_of(4);
    format!("{segment:=<length$}")
}

fn flipped(signature: &str) -> Result<String, String> {
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|error| error.to_string())?;
    *bytes.first_mut().ok_or("an empty signature cannot be damaged")? ^= 1;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Sets the lowest bit of the last character, which no byte of the signature uses.
fn noncanonical(signature: &str) -> Result<String, String> {
    let alphabet = URL_SAFE.as_str();
    let last = signature.chars().last().and_then(|last| alphabet.find(last));
    match (signature.len() % 4, last) {
        (2 | 3, Some(index)) => {
            let kept = signature.get(..signature.len() - 1).unwrap_or_default();
            let changed = alphabet.chars().nth(index | 1).ok_or("outside the alphabet")?;
            Ok(format!("{kept}{changed}"))
        }
        _ => Err("this signature has no unused bits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, Mutation, Signer, TokenSpec, Variables, decode};
    use serde_json::json;

    fn minted(spec: serde_json::Value) -> String {
        let spec: TokenSpec = serde_json::from_value(spec).unwrap();
        Signer::new(&Map::new(), "secret").mint(&spec, &Variables::default()).unwrap()
    }

    #[test]
    fn a_minted_token_has_the_header_and_claims_in_the_order_given() {
        let token =
            decode(&minted(json!({"claims": {"b": 1, "a": {"$now_str": 0}}, "header": {"kid": "x"}})));
        let token = token.unwrap();
        assert_eq!(token.header.to_string(), r#"{"alg":"HS256","typ":"JWT","kid":"x"}"#);
        assert_eq!(token.claims.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "a"]);
        assert!(token.claims["a"].is_string());
        let raw = decode(&minted(json!({"claims_raw": r#"{"exp": {{now+600}}, "x": 1e400}"#})));
        assert!(raw.is_err(), "1e400 is no JSON number here, but it was signed all the same");
    }

    #[test]
    fn damage_is_done_where_it_says() {
        let signer = Signer::new(&Map::new(), "secret");
        let token = minted(json!({"claims": {"a": 1}}));
        let damage = |operation: &str| {
            let mutation: Mutation =
                serde_json::from_value(json!({"token": token, "op": operation, "claims": {"a": 2}})).unwrap();
            signer.mutate(&mutation, &Variables::default()).unwrap()
        };
        assert_eq!(damage("drop_last_segment").matches('.').count(), 1);
        assert!(damage("pad").ends_with('='));
        assert_eq!(damage("truncate_signature").len(), token.len() - 4);
        assert_ne!(damage("noncanonical_signature"), token);
        assert!(decode(&damage("noncanonical_signature")).is_err());
        assert_eq!(decode(&damage("set_claims")).unwrap().claims["a"], 2);
        assert_ne!(damage("set_claims"), damage("resign"));
    }
}
