//! Verifying a token: form, signature and times first, then what its class demands.

use crate::claims::{since_epoch, whole_seconds};
use crate::compact::{self, Compact, Header};
use crate::json::Value;
use crate::{Audience, Claims, Kind, Refusal, Settings, VerifyingKey};
use jiff::{SignedDuration, Timestamp};

/// The longest name of a key that is repeated; a thumbprint has 43 characters.
const MAX_NAME: usize = 64;

/// Verifies tokens; immutable, to be shared by all threads.
#[derive(Debug)]
pub struct Verifier {
    settings: Settings,
    keys: Vec<VerifyingKey>,
    /// The headers of the keys' own tokens as we write them, so that these need not be parsed.
    known_headers: Vec<(String, Header)>,
}

impl Verifier {
    /// A verifier with these settings and keys; without keys it refuses every token.
    ///
    /// A token is tried with the keys of exactly its header's `alg`; when it has a `kid`, only with those of that
    /// name and those without a name.
    #[must_use]
    pub fn new(settings: Settings, keys: Vec<VerifyingKey>) -> Self {
        let known_headers = keys.iter().map(Header::of).map(|header| (header.written(), header)).collect();
        Self { settings, keys, known_headers }
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The keys it was made with.
    #[must_use]
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Whether there is a key to try a token with; if not, the token's issuer may have a new one to fetch.
    ///
    /// Nothing is verified: anyone can make up a token with an unknown `kid`, so bound how often one makes you fetch.
    #[must_use]
    pub fn has_key_for(&self, token: &str) -> bool {
        Compact::split(token).is_some_and(|compact| {
            let header = Header::read(compact.header);
            header.is_some_and(|header| self.keys.iter().any(|key| header.points_to(key)))
        })
    }

    /// The name of the key that a token says it was signed with: its `kid`, or `configured` if it has none; `None` if that
    /// cannot be read, or cannot be the name of a key. Nothing is verified.
    #[must_use]
    pub fn named_key(&self, token: &str) -> Option<String> {
        let header = Header::read(Compact::split(token)?.header)?;
        let kid = header.kid().map_or(Some("configured"), Value::as_str)?;
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (kid.len() <= MAX_NAME && kid.bytes().all(is_of_name)).then(|| kid.to_owned())
    }

    /// The claims of a token whose form, header, signature, times, audience and issuer are right.
    ///
    /// The only refusals are [`Refusal::Expired`] (checked after `iat` and `nbf`, before `iss` and `aud`) and
    /// [`Refusal::Invalid`].
    pub fn decode(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        let claims = self.authentic(token).ok_or(Refusal::Invalid)?;
        self.check_registered(&claims, now.as_duration())?;
        Ok(claims)
    }

    /// What a token class demands of decoded claims: `exp` (with its fraction), an id, and the type.
    ///
    /// The caller looks up the blacklist before this, for kinds that [can be blacklisted](Kind::can_be_blacklisted).
    pub fn check(&self, claims: &Claims, kind: Kind, now: Timestamp) -> Result<(), Refusal> {
        self.check_time_claim(claims, "exp", now)?;
        match claims.get(&self.settings.jti_claim) {
            None => return Err(Refusal::NoId),
            // No database holds such an id, so it cannot have been looked up.
            Some(id) if kind.can_be_blacklisted() && id.as_str().is_none() => return Err(Refusal::Invalid),
            Some(_) => {}
        }
        match claims.get(&self.settings.token_type_claim) {
            _ if kind == Kind::Untyped => Ok(()),
            None => Err(Refusal::NoType),
            Some(found) if found.as_str() == Some(kind.name()) => Ok(()),
            Some(_) => Err(Refusal::WrongType),
        }
    }

    /// Refuses unless the time claim is there and in the future.
    pub(crate) fn check_time_claim(
        &self,
        claims: &Claims,
        name: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let value = claims.get(name).ok_or_else(|| Refusal::NoTimeClaim(name.to_owned()))?;
        // Text and times beyond the year 9999 crash the reference.
        let moment = since_epoch(value).ok_or(Refusal::Invalid)?;
        if moment <= now.as_duration().saturating_sub(self.settings.leeway) {
            return Err(Refusal::TimeClaimExpired(name.to_owned()));
        }
        Ok(())
    }

    /// The claims when form, header and signature are right.
    fn authentic(&self, token: &str) -> Option<Claims> {
        let compact = Compact::split(token)?;
        let signature = compact::decode(compact.signature)?;
        let known = self.known_headers.iter().find(|(written, _)| written == compact.header);
        let read = if known.is_none() { Header::read(compact.header) } else { None };
        let header = known.map(|(_, header)| header).or(read.as_ref())?;
        let mut candidates = self.keys.iter().filter(|key| header.points_to(key));
        candidates.find(|key| key.verifies(compact.signed.as_bytes(), &signature))?;
        compact::decode_object(compact.payload).map(Claims)
    }

    /// The registered claims of RFC 7519 section 4.1, in the order that decides between the two refusals.
    fn check_registered(&self, claims: &Claims, now: SignedDuration) -> Result<(), Refusal> {
        let leeway = self.settings.leeway;
        for name in ["iat", "nbf"] {
            if let Some(value) = claims.get(name) {
                let start = whole_seconds(value).ok_or(Refusal::Invalid)?;
                if start > now.saturating_add(leeway) {
                    return Err(Refusal::Invalid);
                }
            }
        }
        if let Some(value) = claims.get("exp") {
            let end = whole_seconds(value).ok_or(Refusal::Invalid)?;
            if end <= now.saturating_sub(leeway) {
                return Err(Refusal::Expired);
            }
        }
        let issuer = self.settings.issuer.as_deref();
        let issuer_fits = issuer.is_none() || claims.get("iss").and_then(Value::as_str) == issuer;
        let audience_fits =
            self.settings.audience.as_ref().is_none_or(|wanted| audience_fits(claims.get("aud"), wanted));
        let are_strings =
            ["sub", "jti"].into_iter().all(|name| claims.get(name).is_none_or(Value::is_string));
        if issuer_fits && audience_fits && are_strings { Ok(()) } else { Err(Refusal::Invalid) }
    }
}

/// Whether `aud` is a string or a list of nothing but strings, and names a wanted audience.
fn audience_fits(claim: Option<&Value>, wanted: &Audience) -> bool {
    match claim {
        // An empty `aud` is a missing one, even where the wanted audience is the empty string.
        Some(Value::String(one)) => !one.is_empty() && wanted.contains(one),
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string)
                && list.iter().filter_map(Value::as_str).any(|one| wanted.contains(one))
        }
        _ => false,
    }
}
