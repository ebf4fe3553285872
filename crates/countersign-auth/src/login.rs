//! Logging in: credentials for tokens.

use std::fmt;

use countersign_domain::{Password, User, parse_text};
use countersign_token::Claims;
use jiff::Timestamp;

use crate::error::{Submitted, refused_fields};
use crate::{Auth, Error, new_jti};

/// How often a login checks an account that others change under its hands.
const ATTEMPTS: usize = 3;

/// How a login ended. (Further factors will add a variant for the login that needs one.)
pub enum LoginOutcome<T> {
    /// The credentials sufficed.
    Done(T),
}

/// What a login hands out.
pub struct TokenPair {
    /// For the refresh endpoint.
    pub refresh: String,
    /// For protected endpoints.
    pub access: String,
}

/// Tokens are not printed.
impl<T> fmt::Debug for LoginOutcome<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Done(_) = self;
        formatter.write_str("Done(..)")
    }
}

/// Tokens are not printed.
impl fmt::Debug for TokenPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenPair(..)")
    }
}

impl Auth {
    /// Logs in for a pair of refresh and access token.
    pub async fn log_in(
        &self,
        username: Submitted,
        password: Submitted,
    ) -> Result<LoginOutcome<TokenPair>, Error> {
        let refresh = |user: &User, now| {
            let fingerprint = self.fingerprint(user);
            self.tokens().refresh_for(&user.id.to_string(), fingerprint.as_deref(), &new_jti(), now)
        };
        let issued = self.admit(username, password, refresh).await?;
        let access = self.tokens().access_from(&issued.claims, &new_jti(), issued.at);
        Ok(LoginOutcome::Done(TokenPair { refresh: issued.encoded, access: self.tokens().encode(&access) }))
    }

    /// Logs in for one sliding token.
    pub async fn log_in_sliding(
        &self,
        username: Submitted,
        password: Submitted,
    ) -> Result<LoginOutcome<String>, Error> {
        let sliding = |user: &User, now| {
            let fingerprint = self.fingerprint(user);
            self.tokens().sliding_for(&user.id.to_string(), fingerprint.as_deref(), &new_jti(), now)
        };
        Ok(LoginOutcome::Done(self.admit(username, password, sliding).await?.encoded))
    }

    /// A token with the claims `of` the user, if name and password are right and the account is active. Unknown user,
    /// wrong password, unusable hash and inactive account cost the same work and give the same answer.
    ///
    /// An account that was changed meanwhile is looked at again: by another login that upgraded the hash, it is still
    /// good; with another password, or deactivated, it is not.
    async fn admit(
        &self,
        username: Submitted,
        password: Submitted,
        of: impl Fn(&User, Timestamp) -> Claims,
    ) -> Result<Issued, Error> {
        let (username, password) = parse_credentials(username, password)?;
        for _ in 0..ATTEMPTS {
            let Some(mut user) = self.store.find_user_by_username(&username)? else {
                self.hashing.burn(password).await?;
                tracing::info!("login refused: no such user"); // the name may be a mistyped password
                return Err(Error::NoActiveAccount);
            };
            let (verdict, upgrade) =
                self.hashing.verify(password.clone(), user.password_hash.clone()).await?;
            if let Some(hash) = upgrade {
                let old = std::mem::replace(&mut user.password_hash, hash.clone());
                if !self.store.upgrade_password_hash(user.id, old, hash).await? {
                    continue;
                }
                tracing::info!(user.id = %user.id, "password hash upgraded");
            }
            if !(verdict.is_correct() && user.is_active) {
                tracing::info!(user.id = %user.id, user.is_active, "login refused");
                return Err(Error::NoActiveAccount);
            }
            let at = self.clock.now();
            let claims = of(&user, at);
            if let Some(encoded) = self.issue(&user, &claims, at).await? {
                tracing::info!(user.id = %user.id, "logged in");
                return Ok(Issued { claims, encoded, at });
            }
        }
        Err(Error::Overloaded) // the password may well be right
    }

    /// Signs a new token and records it, with the login where that is wanted; `None` if the account has changed.
    async fn issue(&self, user: &User, claims: &Claims, now: Timestamp) -> Result<Option<String>, Error> {
        let encoded = self.tokens().encode(claims);
        let row = self.token_row(claims, || encoded.clone(), Some(user.id), now)?;
        let last_login = self.rules.update_last_login.then_some(now);
        let record = self.store.record_login(row, user, last_login);
        let (is_recorded, ()) = tokio::join!(record, self.sweep(now));
        Ok(is_recorded?.then_some(encoded))
    }

    /// What ties a token to the password it was issued under, if tokens are to carry that.
    pub(crate) fn fingerprint(&self, user: &User) -> Option<String> {
        self.rules.check_revoke_token.then(|| countersign_password::fingerprint(user.password_hash.as_str()))
    }
}

/// A token that was recorded.
struct Issued {
    claims: Claims,
    encoded: String,
    at: Timestamp,
}

fn parse_credentials(username: Submitted, password: Submitted) -> Result<(String, Password), Error> {
    let username = username.map_err(|error| vec![error]).and_then(|raw| parse_text(&raw));
    let password = password.map_err(|error| vec![error]).and_then(|raw| Password::parse_presented(&raw));
    match (username, password) {
        (Ok(username), Ok(password)) => Ok((username, password)),
        (username, password) => {
            Err(refused_fields([("username", username.err()), ("password", password.err())]))
        }
    }
}
