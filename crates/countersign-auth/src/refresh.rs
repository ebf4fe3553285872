//! Refreshing: a refresh token for an access token, a sliding token for a later one.

use std::fmt;

use countersign_domain::{Client, EndReason, Rotation, Session, SessionId, User};
use countersign_store::{Blacklisting, Exchange, Exchanged, NewSession};
use countersign_token::{Claims, Kind, Refusal, Tokens, generation_of, refresh_jti};
use jiff::Timestamp;
use tracing::warn;

use crate::error::Submitted;
use crate::{Auth, Error, new_jti, parse_token_field};

/// How often a refresh looks again at a session that others exchange under its hands. Whoever is overtaken, is so by one
/// who was served: so many callers at once are served in the worst case, one after another.
const ATTEMPTS: usize = 1000;

/// What a refresh hands out.
pub struct Refreshed {
    /// For protected endpoints.
    pub access: String,
    /// The successor of the presented token, when refresh tokens rotate.
    pub refresh: Option<String>,
}

/// Tokens are not printed.
impl fmt::Debug for Refreshed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Refreshed(..)")
    }
}

/// A refresh token that may be used, and whose it is.
struct Good {
    claims: Claims,
    jti: String,
    /// `None` for a token that names no user, which Simple JWT lets pass.
    user: Option<User>,
    /// `None` for a token made without one, as long as nothing was exchanged for it.
    session: Option<Session>,
    rotation: Rotation,
}

impl Auth {
    /// Exchanges a refresh token for an access token, and with `ROTATE_REFRESH_TOKENS` for a successor too.
    ///
    /// Callers who race with one token, or present it again within the grace period because the answer was lost, are given
    /// the same successor. With `BLACKLIST_AFTER_ROTATION` a token that was exchanged before ends its session.
    pub async fn refresh(&self, refresh: Submitted, client: &Client) -> Result<Refreshed, Error> {
        let token = parse_token_field("refresh", refresh)?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let tokens = self.tokens();
            let good = self.check_refresh_token(&tokens, &token, now).await?;
            tokens.check_can_be_continued(&good.claims)?;
            let added = good.user.as_ref().map_or_else(|| Ok(Vec::new()), |user| self.added_claims(user))?;
            let mut access = tokens.access_from(&good.claims, &new_jti(), now);
            let successor = if self.rules.rotate_refresh_tokens {
                let Some((mut claims, session)) = self.rotate(&tokens, &good, client, now).await? else {
                    continue;
                };
                let session = session.as_ref().map(SessionId::as_str);
                tokens.add_own(&mut claims, &added, session);
                tokens.add_own(&mut access, &added, session);
                Some(tokens.encode(&claims))
            } else {
                self.touch(good.session.as_ref(), now).await;
                tokens.add_own(&mut access, &added, None);
                None
            };
            return Ok(Refreshed { access: tokens.encode(&access), refresh: successor });
        }
        Err(Error::Overloaded)
    }

    /// Extends a sliding token whose refresh window is still open.
    pub async fn refresh_sliding(&self, token: Submitted) -> Result<String, Error> {
        let token = parse_token_field("token", token)?;
        let now = self.clock.now();
        let claims = self.validate(&token, Kind::Sliding, now)?;
        let session = self.find_session_of(&claims)?;
        if session.as_ref().is_some_and(|session| session.ended.is_some()) {
            return Err(Refusal::Blacklisted.into());
        }
        let tokens = self.tokens();
        tokens.check_can_be_continued(&claims)?;
        let refreshed = tokens.sliding_refreshed(&claims, now)?;
        self.touch(session.as_ref(), now).await;
        Ok(tokens.encode(&refreshed))
    }

    /// The claims of a refresh token, if it, its session and its user are good.
    async fn check_refresh_token(&self, tokens: &Tokens, token: &str, now: Timestamp) -> Result<Good, Error> {
        let claims = tokens.decode(token, now)?;
        let jti = self.jti(&claims)?.to_owned();
        // First: an exchange writes both at once, and what it blacklists it also notes as exchanged.
        let is_blacklisted = self.store.is_blacklisted(&jti)?;
        let session = self.find_continued_session(&claims, &jti)?;
        let rotation = match &session {
            Some(session) => self.rotation(session, &jti, now),
            None => Rotation::Advance,
        };
        match (rotation, &session) {
            (Rotation::Reuse, Some(session)) => {
                self.end_reused(session, now).await?;
                return Err(Refusal::Blacklisted.into());
            }
            (Rotation::Refuse | Rotation::Reuse, _) => return Err(Refusal::Blacklisted.into()),
            // Its exchange may have blacklisted it.
            (Rotation::Repeat, _) if self.rules.blacklist_after_rotation => {}
            (Rotation::Advance | Rotation::Repeat, _) if is_blacklisted => {
                return Err(Refusal::Blacklisted.into());
            }
            (Rotation::Advance | Rotation::Repeat, _) => {}
        }
        tokens.check(&claims, Kind::Refresh, now)?;
        let user = self.active_user_of(&claims)?;
        Ok(Good { claims, jti, user, session, rotation })
    }

    fn find_continued_session(&self, claims: &Claims, jti: &str) -> Result<Option<Session>, Error> {
        if self.session_id_of(claims).is_some() || !self.rules.rotate_refresh_tokens {
            return self.find_session_of(claims);
        }
        match self.continued_session_id(claims, jti) {
            Some(id) => Ok(self.store.find_session(&id)?),
            None => Ok(None),
        }
    }

    /// Somebody presented a token that somebody else, or they themselves long ago, had exchanged: one of the two is a
    /// thief, and nobody can tell which (RFC 9700 §4.14.2).
    async fn end_reused(&self, session: &Session, now: Timestamp) -> Result<(), Error> {
        let because = EndReason::RefreshTokenReused;
        if self.store.end_session(session.id.clone(), session.user, now, because, refresh_jti).await? {
            warn!(user.id = %session.user, session.id = %session.id, session.generation = session.generation,
                "an exchanged refresh token was presented again: its session was ended");
        }
        Ok(())
    }

    /// The token's user; `None` for a token that names none, which Simple JWT lets pass.
    fn active_user_of(&self, claims: &Claims) -> Result<Option<User>, Error> {
        if !claims.is_truthy(&self.tokens().settings().user_id_claim) {
            return Ok(None);
        }
        match self.find_user_of(claims)? {
            Some(user) if user.is_active || !self.rules.check_user_is_active => Ok(Some(user)),
            _ => Err(Error::NoActiveAccountForToken),
        }
    }

    /// The claims of the successor and its session; `None` if others exchanged the token meanwhile.
    async fn rotate(
        &self,
        tokens: &Tokens,
        good: &Good,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<(Claims, Option<SessionId>)>, Error> {
        let session = self.continued_session_id(&good.claims, &good.jti);
        let (Some(id), Some(user)) = (session, &good.user) else {
            return Ok(Some((self.rotate_without_session(tokens, good, now).await?, None)));
        };
        let generation = good.session.as_ref().map_or(0, |session| session.generation);
        if let (Rotation::Repeat, Some(session)) = (good.rotation, &good.session) {
            let jti = refresh_jti(id.as_str(), generation);
            return Ok(Some((tokens.rotated(&good.claims, &jti, session.rotated_at), Some(id))));
        }
        let jti = refresh_jti(id.as_str(), generation + 1);
        let mut successor = tokens.rotated(&good.claims, &jti, now);
        let expires_at = successor.expires_at().ok_or(Refusal::Invalid)?;
        tokens.add_own(&mut successor, &[], Some(id.as_str()));
        let is_ours = generation_of(id.as_str(), &good.jti).is_some();
        let is_blacklisted = self.rules.blacklist_after_rotation && (self.rules.django_peer || !is_ours);
        let user = user.id;
        let row = |claims| self.token_row(claims, Some(user), now);
        let exchange = Exchange {
            begun: good.session.is_none().then(|| NewSession {
                id: id.clone(),
                user,
                created_at: now,
                expires_at,
                client: client.clone(),
            }),
            session: id.clone(),
            generation,
            jti: good.jti.clone(),
            at: now,
            expires_at,
            blacklisted: is_blacklisted.then(|| row(&good.claims)).transpose()?,
            recorded: self.rules.django_peer.then(|| row(&successor)).transpose()?,
        };
        let has_begun = exchange.begun.is_some();
        let exchanged = self.store.exchange(exchange);
        let exchanged = if has_begun || self.rules.django_peer {
            tokio::join!(exchanged, self.sweep(now)).0 // rows were added
        } else {
            exchanged.await
        };
        match exchanged? {
            Exchanged::Done => Ok(Some((successor, Some(id)))),
            Exchanged::Overtaken => Ok(None),
        }
    }

    /// Rotation as Simple JWT does it, by its tables alone: where sessions are left out, or the token names no user.
    async fn rotate_without_session(
        &self,
        tokens: &Tokens,
        good: &Good,
        now: Timestamp,
    ) -> Result<Claims, Error> {
        let successor = tokens.rotated(&good.claims, &new_jti(), now);
        let user = good.user.as_ref().map(|user| user.id);
        let row = self.token_row(&successor, user, now)?;
        let record = async {
            if self.rules.blacklist_after_rotation {
                let old_row = self.token_row(&good.claims, user, now)?;
                Ok::<_, Error>(self.store.replace_token(old_row, row, now).await? == Blacklisting::Done)
            } else {
                Ok(self.store.record_successor(good.jti.clone(), row).await?)
            }
        };
        // Whatever was seen before, the token may have been used up or ended meanwhile.
        let (is_recorded, ()) = tokio::join!(record, self.sweep(now));
        if is_recorded? { Ok(successor) } else { Err(Refusal::Blacklisted.into()) }
    }
}
