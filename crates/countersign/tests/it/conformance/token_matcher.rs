//! Whether a token in an answer is like the recorded one.

use serde_json::{Map, Value};

use super::matcher::{CLOCK_SLACK, Matched, Matcher};
use super::minting::{DecodedToken, Signer, decode};
use super::signing;

/// A claim that our tokens may carry beside those of the reference, as their last.
const OWN_CLAIM: &str = "sid";

impl Matcher<'_> {
    /// Compares a compact JWT with `{"$any": "jwt", …}`: header, claims, times and signature.
    pub fn token(&self, fields: &Map<String, Value>, found: &Value, place: &str) -> Matched {
        let text = found.as_str().ok_or_else(|| format!("{place}: expected a JWT, got {found}"))?;
        let token = decode(text).map_err(|error| format!("{place}: not a JWT ({error}): {found}"))?;
        if let Some(header) = fields.get("header") {
            self.value(header, &token.header, &format!("{place} header"))?;
        }
        if let Some(Value::Object(expected)) = fields.get("claims") {
            let mut claims = token.claims.as_object().cloned().unwrap_or_default();
            if claims.keys().next_back().is_some_and(|last| last == OWN_CLAIM)
                && !expected.contains_key(OWN_CLAIM)
            {
                claims.remove(OWN_CLAIM);
            }
            self.object(expected, &claims.into(), &format!("{place} claims"))?;
        }
        self.token_times(fields, &token, place)?;
        let verify = fields.get("verify").and_then(Value::as_bool).unwrap_or(true);
        let Signer { algorithm, verifying_key, .. } = self.signer;
        let signed = token.signed.as_bytes();
        if verify && !signing::is_valid(algorithm, verifying_key, signed, &token.signature)? {
            return Err(format!("{place}: the signature of the JWT does not verify"));
        }
        Ok(())
    }

    fn token_times(&self, fields: &Map<String, Value>, token: &DecodedToken, place: &str) -> Matched {
        let claim = |name: &str| {
            let value = token.claims.get(name).and_then(Value::as_f64);
            value.ok_or_else(|| format!("{place}: claim {name} is not a number"))
        };
        if let Some(range) = fields.get("exp_minus_iat").and_then(Value::as_array) {
            let lifetime = claim("exp")? - claim("iat")?;
            let bounds: Vec<f64> = range.iter().filter_map(Value::as_f64).collect();
            if !matches!(bounds.as_slice(), [low, high] if (*low..=*high).contains(&lifetime)) {
                return Err(format!("{place}: exp - iat is {lifetime}, expected {bounds:?}"));
            }
        }
        for (name, offset) in fields.get("from_now").and_then(Value::as_object).into_iter().flatten() {
            let (value, offset) = (claim(name)?, offset.as_f64().unwrap_or_default());
            let (early, late) = (self.sent + offset - CLOCK_SLACK, self.received + offset + CLOCK_SLACK);
            if !(early..=late).contains(&value) {
                return Err(format!("{place}: claim {name} is {value}, expected about now{offset:+}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{Matched, Matcher, Signer};
    use crate::conformance::variables::Variables;

    fn compare(expected: &Value, found: &Value) -> Matched {
        let (variables, signer) = (Variables::default(), Signer::new(&Map::new(), "secret"));
        let (sent, received) = (1000.0, 1001.0);
        let matcher =
            Matcher { variables: &variables, signer: &signer, began: sent, sent, received, ordered: true };
        matcher.value(expected, found, "body")
    }

    #[test]
    fn tokens_are_verified_and_may_carry_our_own_claim_only() {
        let signer = Signer::new(&Map::new(), "secret");
        let mint = |claims: Value, key: &str| {
            let spec = serde_json::from_value(json!({"claims": claims, "key": key})).unwrap();
            Value::from(signer.mint(&spec, &Variables::default()).unwrap())
        };
        let expected = json!({
            "$any": "jwt",
            "header": {"alg": "HS256", "typ": "JWT"},
            "claims": {"exp": {"$any": "int"}, "iat": 1000},
            "exp_minus_iat": [299, 300],
            "from_now": {"exp": 300},
        });
        let good = json!({"exp": 1300, "iat": 1000, "sid": 5});
        assert_eq!(compare(&expected, &mint(good.clone(), "secret")), Ok(()));
        assert!(compare(&expected, &mint(good, "text:other")).is_err());
        for bad in [
            json!({"exp": 1300, "iat": 1000, "uid": 5}),
            json!({"iat": 1000, "exp": 1300}),
            json!({"exp": 1301, "iat": 1000}),
            json!({"exp": 1299, "iat": 1000, "jti": 1, "sid": 1}),
            json!({"exp": 1300, "sid": 5, "iat": 1000}),
        ] {
            assert!(compare(&expected, &mint(bad.clone(), "secret")).is_err(), "{bad}");
        }
    }
}
