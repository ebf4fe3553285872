//! Logging in: credentials for tokens.

use std::fmt;

use countersign_domain::{Client, LoginField, Password, SessionId, User, UserId, parse_text};
use countersign_store::NewSession;
use countersign_token::{Claims, Kind, Refusal, refresh_jti};
use jiff::Timestamp;

use crate::error::{Submitted, refused_fields};
use crate::hashing::Network;
use crate::{Auth, Error, UserIdField, new_jti};

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
    /// Whose they are.
    pub user: UserId,
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
    /// Logs in for a pair of refresh and access token, and begins a session. The name is what [`Auth::login_field`] says.
    pub async fn log_in(
        &self,
        username: Submitted,
        password: Submitted,
        client: &Client,
    ) -> Result<LoginOutcome<TokenPair>, Error> {
        let issued = self.admit(username, password, client, Kind::Refresh).await?;
        let tokens = self.tokens();
        let access = tokens.encode(&tokens.access_from(&issued.claims, &new_jti(), issued.at));
        Ok(LoginOutcome::Done(TokenPair {
            refresh: tokens.encode(&issued.claims),
            access,
            user: issued.user,
        }))
    }

    /// Logs in for one sliding token, and begins a session.
    pub async fn log_in_sliding(
        &self,
        username: Submitted,
        password: Submitted,
        client: &Client,
    ) -> Result<LoginOutcome<String>, Error> {
        let issued = self.admit(username, password, client, Kind::Sliding).await?;
        Ok(LoginOutcome::Done(self.tokens().encode(&issued.claims)))
    }

    /// The claims of a new token of this kind, if name and password are right and the account is active. Unknown user,
    /// wrong password, unusable hash and inactive account cost the same work and the same one statement, and give the same
    /// answer. (So the hash of an inactive account is not upgraded, though Django would.)
    ///
    /// An account that was changed meanwhile is looked at again: by another login that upgraded the hash, it is still
    /// good; with another password, or deactivated, it is not.
    async fn admit(
        &self,
        username: Submitted,
        password: Submitted,
        client: &Client,
        kind: Kind,
    ) -> Result<Issued, Error> {
        let (username, password) = parse_credentials(self.login_field(), username, password)?;
        let from = Network::of(client);
        for _ in 0..ATTEMPTS {
            let Some(mut user) = self.store.find_user_by_username(&username).await? else {
                self.hashing.burn(from, password).await?;
                self.metrics().logins.unknown_user.inc();
                tracing::info!("login refused: no such user"); // the name may be a mistyped password
                return Err(Error::NoActiveAccount);
            };
            let (verdict, upgrade) = self
                .hashing
                .verify(from, password.clone(), user.password_hash.clone(), !user.is_active)
                .await?;
            if let Some(hash) = upgrade {
                let old = std::mem::replace(&mut user.password_hash, hash.clone());
                if !self.store.upgrade_password_hash(user.id, old, hash).await? {
                    continue;
                }
                tracing::info!(user.id = %user.id, "password hash upgraded");
            }
            if !(verdict.is_correct() && user.is_active) {
                let logins = &self.metrics().logins;
                if verdict.is_correct() { &logins.inactive } else { &logins.wrong_password }.inc();
                tracing::info!(user.id = %user.id, user.is_active, "login refused");
                return Err(Error::NoActiveAccount);
            }
            if let Some(issued) = self.issue(&user, client, kind).await? {
                self.metrics().logins.done.inc();
                tracing::info!(user.id = %user.id, "logged in");
                return Ok(issued);
            }
        }
        Err(Error::Overloaded) // the password may well be right
    }

    /// Begins a session with a new token and records both; `None` if the account has changed.
    async fn issue(&self, user: &User, client: &Client, kind: Kind) -> Result<Option<Issued>, Error> {
        let at = self.clock.now();
        let id = self.new_session_id();
        let claims = self.new_claims(user, kind, id.as_ref(), at).await?;
        let is_recorded_for_django = id.is_none() || self.rules.django_peer;
        let row = is_recorded_for_django.then(|| self.token_row(&claims, Some(user.id), at)).transpose()?;
        let session = match id {
            None => None,
            Some(id) => {
                let expires_at = self.end_of_refreshing(&claims, kind, at).ok_or(Refusal::Invalid)?;
                Some(NewSession { id, user: user.id, created_at: at, expires_at, client: client.clone() })
            }
        };
        let last_login = self.rules.update_last_login.then_some(at);
        let record = self.store.record_login(session, row, user, last_login);
        let (is_recorded, ()) = tokio::join!(record, self.sweep(at));
        Ok(is_recorded?.then_some(Issued { claims, at, user: user.id }))
    }

    async fn new_claims(
        &self,
        user: &User,
        kind: Kind,
        session: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<Claims, Error> {
        let tokens = self.tokens();
        let fingerprint = self.fingerprint(user);
        let id = match self.rules.user_id_field {
            UserIdField::Id => user.id.to_string(),
            UserIdField::Username => user.username.clone(),
        };
        let mut claims = match (kind, session) {
            (Kind::Sliding, _) => tokens.sliding_for(&id, fingerprint.as_deref(), &new_jti(), now),
            (_, Some(session)) => {
                tokens.refresh_for(&id, fingerprint.as_deref(), &refresh_jti(session.as_str(), 0), now)
            }
            (_, None) => tokens.refresh_for(&id, fingerprint.as_deref(), &new_jti(), now),
        };
        tokens.add_own(&mut claims, &self.added_claims(user).await?, session.map(SessionId::as_str));
        Ok(claims)
    }

    /// When the session of a new token is over unless that is exchanged. The last refresh of a sliding token is good for as
    /// long as the first token was.
    fn end_of_refreshing(&self, claims: &Claims, kind: Kind, now: Timestamp) -> Option<Timestamp> {
        let tokens = self.tokens();
        let settings = tokens.settings();
        match kind {
            Kind::Sliding => now
                .checked_add(settings.sliding_refresh_lifetime)
                .ok()?
                .checked_add(settings.sliding_lifetime)
                .ok(),
            _ => claims.expires_at(),
        }
    }

    /// What ties a token to the password it was issued under, if tokens are to carry that.
    pub(crate) fn fingerprint(&self, user: &User) -> Option<String> {
        self.rules.check_revoke_token.then(|| countersign_password::fingerprint(user.password_hash.as_str()))
    }
}

/// A token that was recorded.
struct Issued {
    claims: Claims,
    at: Timestamp,
    user: UserId,
}

fn parse_credentials(
    field: LoginField,
    username: Submitted,
    password: Submitted,
) -> Result<(String, Password), Error> {
    let username = username.map_err(|error| vec![error]).and_then(|raw| parse_text(&raw));
    let password = password.map_err(|error| vec![error]).and_then(|raw| Password::parse_presented(&raw));
    match (username, password) {
        (Ok(username), Ok(password)) => Ok((username, password)),
        (username, password) => {
            Err(refused_fields([(field.name(), username.err()), ("password", password.err())]))
        }
    }
}
