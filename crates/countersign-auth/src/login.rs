//! Logging in: credentials for tokens.

use countersign_domain::{Password, User, parse_text};
use countersign_token::Claims;
use jiff::Timestamp;

use crate::error::{Submitted, refused_fields};
use crate::{Auth, Error, new_jti};

/// How often a login looks at a hash that others replace under its hands.
const UPGRADE_ATTEMPTS: usize = 3;

/// How a login ended. (Further factors will add a variant for the login that needs one.)
#[derive(Debug)]
pub enum LoginOutcome<T> {
    /// The credentials sufficed.
    Done(T),
}

/// What a login hands out.
#[derive(Debug)]
pub struct TokenPair {
    /// For the refresh endpoint.
    pub refresh: String,
    /// For protected endpoints.
    pub access: String,
}

impl Auth {
    /// Logs in for a pair of refresh and access token.
    pub async fn log_in(
        &self,
        username: Submitted,
        password: Submitted,
    ) -> Result<LoginOutcome<TokenPair>, Error> {
        let user = self.check_credentials(username, password).await?;
        let now = self.clock.now();
        let refresh = self.tokens.refresh_for(
            &user.id.to_string(),
            self.fingerprint(&user).as_deref(),
            &new_jti(),
            now,
        );
        let access = self.tokens.access_from(&refresh, &new_jti(), now);
        let refresh = self.issue(&user, &refresh, now).await?;
        Ok(LoginOutcome::Done(TokenPair { refresh, access: self.tokens.encode(&access) }))
    }

    /// Logs in for one sliding token.
    pub async fn log_in_sliding(
        &self,
        username: Submitted,
        password: Submitted,
    ) -> Result<LoginOutcome<String>, Error> {
        let user = self.check_credentials(username, password).await?;
        let now = self.clock.now();
        let claims = self.tokens.sliding_for(
            &user.id.to_string(),
            self.fingerprint(&user).as_deref(),
            &new_jti(),
            now,
        );
        Ok(LoginOutcome::Done(self.issue(&user, &claims, now).await?))
    }

    /// The user, if name and password are right and the account is active. Unknown user, wrong password, unusable hash
    /// and inactive account cost the same work and give the same answer.
    async fn check_credentials(&self, username: Submitted, password: Submitted) -> Result<User, Error> {
        let (username, password) = parse_credentials(username, password)?;
        for _ in 0..UPGRADE_ATTEMPTS {
            let Some(mut user) = self.store.find_user_by_username(&username)? else {
                self.hashing.burn(password).await?;
                return Err(Error::NoActiveAccount);
            };
            let (verdict, upgrade) =
                self.hashing.verify(password.clone(), user.password_hash.clone()).await?;
            if let Some(hash) = upgrade {
                let old = std::mem::replace(&mut user.password_hash, hash.clone());
                if !self.store.upgrade_password_hash(user.id, old, hash).await? {
                    continue; // another login upgraded it first, or the password was changed: look again
                }
                tracing::info!(user.id = %user.id, "password hash upgraded");
            }
            return if verdict.is_correct() && user.is_active {
                Ok(user)
            } else {
                Err(Error::NoActiveAccount)
            };
        }
        Err(Error::NoActiveAccount)
    }

    /// Signs a new token and records it, with the login where that is wanted.
    async fn issue(&self, user: &User, claims: &Claims, now: Timestamp) -> Result<String, Error> {
        let encoded = self.tokens.encode(claims);
        let row = self.token_row(claims, &encoded, Some(user.id), now)?;
        let last_login = self.rules.update_last_login.then_some(now);
        let is_recorded = self.store.record_login(row, user, last_login).await?;
        if is_recorded { Ok(encoded) } else { Err(Error::NoActiveAccount) }
    }

    /// What ties a token to the password it was issued under, if tokens are to carry that.
    pub(crate) fn fingerprint(&self, user: &User) -> Option<String> {
        self.rules.check_revoke_token.then(|| countersign_password::fingerprint(user.password_hash.as_str()))
    }
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
