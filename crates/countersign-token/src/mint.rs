//! Making tokens: claims in Simple JWT's order, and their compact form.

use crate::compact::{self, Header};
use crate::json::{Object, Value, object_to_compact};
use crate::jwks;
use crate::{Claims, Keys, Kind, Refusal, Settings, SigningKey, Verifier};
use jiff::{SignedDuration, Timestamp};

/// What the shorter signatures take (HMAC with SHA-512: 86 characters), with the dots.
const SIGNATURE_ROOM: usize = 96;

/// Makes and verifies tokens; immutable, to be shared by all threads.
///
/// Times are whole seconds (rounded down). A `jti` is 32 lower-case hexadecimal digits, fresh and random for each
/// token; the caller makes it.
#[derive(Debug)]
pub struct Tokens {
    verifier: Verifier,
    signing: SigningKey,
    /// The header of every token made here.
    header: String,
}

impl Tokens {
    /// With these settings and keys.
    #[must_use]
    pub fn new(settings: Settings, keys: Keys) -> Self {
        let Keys { signing, verifying, mut others } = keys;
        let header = Header::of(&verifying).written();
        others.insert(0, verifying);
        Self { verifier: Verifier::new(settings, others), signing, header }
    }

    /// The settings they are made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        self.verifier.settings()
    }

    /// The public keys that verify these tokens, as a JWK set (RFC 7517) to publish: first the one that signs, then
    /// the others in order, each with its thumbprint (RFC 7638) as `kid`. A shared secret is never in it.
    #[must_use]
    pub fn jwks(&self) -> String {
        jwks::written(self.verifier.keys())
    }

    /// A refresh token for a user. `hash_password` is the digest of the password's hash, when tokens are to end
    /// with the password (`CHECK_REVOKE_TOKEN`).
    #[must_use]
    pub fn refresh_for(
        &self,
        user_id: &str,
        hash_password: Option<&str>,
        jti: &str,
        now: Timestamp,
    ) -> Claims {
        let claims = self.fresh(Kind::Refresh, self.settings().refresh_lifetime, jti, now);
        self.with_user(claims, user_id, hash_password)
    }

    /// The access token that a refresh token gives: its own type, times and id, then every other claim of the
    /// refresh token in its order.
    #[must_use]
    pub fn access_from(&self, refresh: &Claims, jti: &str, now: Timestamp) -> Claims {
        let settings = self.settings();
        let mut access = self.fresh(Kind::Access, settings.access_lifetime, jti, now);
        // `jti` is never copied, even where the id claim has another name.
        let own = ["exp", "iat", "jti", &settings.token_type_claim, &settings.jti_claim];
        for (name, value) in refresh.0.iter() {
            if !name.as_str().is_some_and(|name| own.contains(&name)) {
                access.0.insert(name.clone(), value.clone());
            }
        }
        access
    }

    /// The successor of a refresh token (`ROTATE_REFRESH_TOKENS`): a new id and new times in the old places.
    #[must_use]
    pub fn rotated(&self, refresh: &Claims, jti: &str, now: Timestamp) -> Claims {
        let mut successor = refresh.clone();
        successor.set(&self.settings().jti_claim, jti);
        successor.set("exp", end_of(self.settings().refresh_lifetime, now));
        successor.set("iat", now.as_second());
        successor
    }

    /// Adds what is not Simple JWT's own to fresh claims: those that a deployment adds, and last the session. Audience and
    /// issuer stand between the two, where they would otherwise be added at the end.
    pub fn add_own(&self, claims: &mut Claims, added: &[(String, Value)], session: Option<&str>) {
        for (name, value) in added {
            claims.set(name, value.clone());
        }
        if let (Some(name), Some(session)) = (&self.settings().session_claim, session) {
            self.add_audience_and_issuer(&mut claims.0);
            claims.set(name, session);
        }
    }

    /// A sliding token for a user; `hash_password` as in [`refresh_for`](Self::refresh_for).
    #[must_use]
    pub fn sliding_for(
        &self,
        user_id: &str,
        hash_password: Option<&str>,
        jti: &str,
        now: Timestamp,
    ) -> Claims {
        let settings = self.settings();
        let mut claims = self.fresh(Kind::Sliding, settings.sliding_lifetime, jti, now);
        claims.set(&settings.sliding_refresh_exp_claim, end_of(settings.sliding_refresh_lifetime, now));
        self.with_user(claims, user_id, hash_password)
    }

    /// Refuses claims that nothing can be made from: an `iss` that is no string verifies where no issuer is asked for,
    /// but `PyJWT` does not write it again.
    pub fn check_can_be_continued(&self, claims: &Claims) -> Result<(), Refusal> {
        let is_writable = claims.get("iss").is_none_or(Value::is_string);
        if is_writable { Ok(()) } else { Err(Refusal::Invalid) }
    }

    /// A checked sliding token with new times, while its refresh period (`refresh_exp`) lasts; its id stays.
    pub fn sliding_refreshed(&self, sliding: &Claims, now: Timestamp) -> Result<Claims, Refusal> {
        self.verifier.check_time_claim(sliding, &self.settings().sliding_refresh_exp_claim, now)?;
        let mut refreshed = sliding.clone();
        refreshed.set("exp", end_of(self.settings().sliding_lifetime, now));
        refreshed.set("iat", now.as_second());
        Ok(refreshed)
    }

    /// The token: header, claims (with `aud` and `iss` as configured) and signature. ES* and PS* signatures differ
    /// each time.
    ///
    /// # Panics
    /// When the crypto library runs out of memory or randomness.
    #[must_use]
    pub fn encode(&self, claims: &Claims) -> String {
        self.sign(self.unsigned(claims))
    }

    /// The token without its signature and the dot before it: what is signed.
    #[must_use]
    pub fn unsigned(&self, claims: &Claims) -> String {
        let payload = self.payload(claims);
        // Room for the signature too, so that it need not be moved to be signed.
        let mut token = String::with_capacity(self.header.len() + payload.len() * 4 / 3 + SIGNATURE_ROOM);
        token.push_str(&self.header);
        token.push('.');
        compact::encode_into(payload.as_bytes(), &mut token);
        token
    }

    fn sign(&self, mut token: String) -> String {
        let signature =
            self.signing.try_sign(token.as_bytes()).expect("the key has signed when it was read, so it can");
        token.push('.');
        compact::encode_into(&signature, &mut token);
        token
    }

    /// See [`Verifier::decode`].
    pub fn decode(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        self.verifier.decode(token, now)
    }

    /// See [`Verifier::named_key`].
    #[must_use]
    pub fn named_key(&self, token: &str) -> Option<String> {
        self.verifier.named_key(token)
    }

    /// See [`Verifier::has_key_for`].
    #[must_use]
    pub fn has_key_for(&self, token: &str) -> bool {
        self.verifier.has_key_for(token)
    }

    /// See [`Verifier::check`].
    pub fn check(&self, claims: &Claims, kind: Kind, now: Timestamp) -> Result<(), Refusal> {
        self.verifier.check(claims, kind, now)
    }

    fn fresh(&self, kind: Kind, lifetime: SignedDuration, jti: &str, now: Timestamp) -> Claims {
        let mut claims = Claims::default();
        claims.set(&self.settings().token_type_claim, kind.name());
        claims.set("exp", end_of(lifetime, now));
        claims.set("iat", now.as_second());
        claims.set(&self.settings().jti_claim, jti);
        claims
    }

    fn with_user(&self, mut claims: Claims, user_id: &str, hash_password: Option<&str>) -> Claims {
        claims.set(&self.settings().user_id_claim, user_id);
        if let Some(digest) = hash_password {
            claims.set(&self.settings().revoke_token_claim, digest);
        }
        claims
    }

    fn payload(&self, claims: &Claims) -> String {
        let Settings { audience, issuer, .. } = self.settings();
        if audience.is_none() && issuer.is_none() {
            return object_to_compact(&claims.0);
        }
        let mut object = claims.0.clone();
        self.add_audience_and_issuer(&mut object);
        object_to_compact(&object)
    }

    fn add_audience_and_issuer(&self, claims: &mut Object) {
        if let Some(audience) = &self.settings().audience {
            claims.insert("aud", audience.to_claim());
        }
        if let Some(issuer) = &self.settings().issuer {
            claims.insert("iss", issuer.as_str());
        }
    }
}

/// The whole second in which a lifetime that starts now ends.
fn end_of(lifetime: SignedDuration, now: Timestamp) -> i64 {
    now.as_duration().saturating_add(lifetime).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Keys};

    fn tokens() -> Tokens {
        let keys = Keys::new(Algorithm::HS256, b"secret", b"").expect("any secret will do");
        Tokens::new(Settings::default(), keys)
    }

    #[test]
    fn nothing_is_made_from_claims_whose_issuer_is_no_string() {
        let tokens = tokens();
        let mut claims = tokens.refresh_for("1", None, "id", Timestamp::UNIX_EPOCH);
        assert_eq!(tokens.check_can_be_continued(&claims), Ok(()));
        claims.set("iss", "somebody");
        assert_eq!(tokens.check_can_be_continued(&claims), Ok(()));
        claims.set("iss", 5);
        assert_eq!(tokens.check_can_be_continued(&claims), Err(Refusal::Invalid));
    }
}
