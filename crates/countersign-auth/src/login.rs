//! Logging in: credentials for tokens.

use std::fmt;

use countersign_domain::{Actor, EventKind, LoginField, Password, SessionId, User, UserId, parse_text};
use countersign_store::NewSession;
use countersign_token::{Claims, Kind, Refusal, refresh_jti};
use jiff::Timestamp;

use crate::error::{Submitted, refused_fields};
use crate::hashing::Network;
use crate::throttle::Pass;
use crate::{Auth, Error, KnownDevice, Origin, UserIdField, new_jti};

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
    /// What the device is to send with its next login, where that makes a difference.
    pub known_device: Option<KnownDevice>,
}

/// What a login for a sliding token hands out.
pub struct SlidingToken {
    /// Access and refresh token in one.
    pub token: String,
    /// Whose it is.
    pub user: UserId,
    /// What the device is to send with its next login, where that makes a difference.
    pub known_device: Option<KnownDevice>,
}

/// Tokens are not printed.
impl<T> fmt::Debug for LoginOutcome<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Done(_) = self;
        formatter.write_str("Done(..)")
    }
}

/// Tokens are not printed.
impl fmt::Debug for SlidingToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SlidingToken(..)")
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
    /// A client that has logged in before sends the `marks` that it was given then ([`KnownDevice`]).
    pub async fn log_in(
        &self,
        username: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
        marks: &[&str],
    ) -> Result<LoginOutcome<TokenPair>, Error> {
        let issued = self.admit(username, password, origin, marks, Kind::Refresh).await?;
        let tokens = self.tokens();
        let access = tokens.encode(&tokens.access_from(&issued.claims, &new_jti(), issued.at));
        Ok(LoginOutcome::Done(TokenPair {
            refresh: tokens.encode(&issued.claims),
            access,
            user: issued.user,
            known_device: issued.known_device,
        }))
    }

    /// Logs in for one sliding token, and begins a session.
    pub async fn log_in_sliding(
        &self,
        username: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
        marks: &[&str],
    ) -> Result<LoginOutcome<SlidingToken>, Error> {
        let issued = self.admit(username, password, origin, marks, Kind::Sliding).await?;
        let token = self.tokens().encode(&issued.claims);
        Ok(LoginOutcome::Done(SlidingToken { token, user: issued.user, known_device: issued.known_device }))
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
        origin: &Origin<'_>,
        marks: &[&str],
        kind: Kind,
    ) -> Result<Issued, Error> {
        let (username, password) = parse_credentials(self.login_field(), username, password)?;
        self.refuse_again(&username, origin, marks)?;
        let mut pass = None;
        let admitted = self.try_to_admit(&username, &password, origin, marks, kind, &mut pass).await;
        if let (Err(error), Some(pass)) = (&admitted, &mut pass)
            && !matches!(error, Error::NoActiveAccount)
        {
            self.give_back(pass, false).await; // nothing was learnt of the password
        }
        admitted
    }

    async fn try_to_admit(
        &self,
        username: &str,
        password: &Password,
        origin: &Origin<'_>,
        marks: &[&str],
        kind: Kind,
        pass: &mut Option<Pass>,
    ) -> Result<Issued, Error> {
        let from = Network::of(&origin.client);
        for _ in 0..ATTEMPTS {
            let user = self.store.find_user_by_username(username).await?;
            let pass = match pass {
                Some(pass) => pass,
                None => pass.insert(self.admit_login(username, user.as_ref(), origin, marks).await?),
            };
            let Some(mut user) = user else {
                self.hashing.burn(from, password.clone()).await?;
                self.metrics().logins.unknown_user.inc();
                self.note_failed_login("unknown_user", None, origin);
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
                let rule = if verdict.is_correct() { "inactive" } else { "wrong_password" };
                self.note_failed_login(rule, Some(&user), origin);
                tracing::info!(user.id = %user.id, user.is_active, "login refused");
                return Err(Error::NoActiveAccount);
            }
            let (issued, ()) = tokio::join!(self.issue(&user, origin, kind), self.give_back(pass, true));
            if let Some(issued) = issued? {
                self.metrics().logins.done.inc();
                tracing::info!(user.id = %user.id, "logged in");
                let known_device = self.make_known(&user, pass.device.as_ref());
                return Ok(Issued { known_device, ..issued });
            }
        }
        Err(Error::Overloaded) // the password may well be right
    }

    /// Begins a session with a new token and records both; `None` if the account has changed.
    async fn issue(&self, user: &User, origin: &Origin<'_>, kind: Kind) -> Result<Option<Issued>, Error> {
        let at = self.clock.now();
        let id = self.new_session_id();
        let claims = self.new_claims(user, kind, id.as_ref(), at).await?;
        let is_recorded_for_django = id.is_none() || self.rules.django_peer;
        let row = is_recorded_for_django.then(|| self.token_row(&claims, Some(user.id), at)).transpose()?;
        let session = match id {
            None => None,
            Some(id) => {
                let expires_at = self.end_of_refreshing(&claims, kind, at).ok_or(Refusal::Invalid)?;
                Some(NewSession {
                    id,
                    user: user.id,
                    created_at: at,
                    expires_at,
                    client: origin.client.clone(),
                })
            }
        };
        let last_login = self.rules.update_last_login.then_some(at);
        let event = self.event(EventKind::Login, Actor::User, origin).about(user);
        let store = self.store.noting(event);
        let record = store.record_login(session, row, user, last_login);
        let (is_recorded, ()) = tokio::join!(record, self.sweep(at));
        Ok(is_recorded?.then_some(Issued { claims, at, user: user.id, known_device: None }))
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
    known_device: Option<KnownDevice>,
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
