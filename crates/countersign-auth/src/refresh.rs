//! Refreshing: a refresh token for an access token, a sliding token for a later one.

use std::fmt;

use countersign_domain::{
    Actor, EndReason, EventKind, Presented, Rotation, Session, SessionId, User, UserId,
};
use countersign_store::{Account, Blacklisting, Exchange, Exchanged, NewSession};
use countersign_token::{Claims, Kind, Refusal, Tokens, generation_of, refresh_jti};
use jiff::Timestamp;
use tracing::warn;

use crate::error::Submitted;
use crate::holder::SessionOf;
use crate::sessions::presented;
use crate::{Auth, Error, Origin, new_jti, parse_token_field};

/// How often a refresh looks again at a session that others exchange under its hands. Whoever is overtaken, is so by one
/// who was served: so many callers at once are served in the worst case, one after another.
const ATTEMPTS: usize = 1000;

/// What a refresh hands out.
pub struct Refreshed {
    /// For protected endpoints.
    pub access: String,
    /// The successor of the presented token, when refresh tokens rotate.
    pub refresh: Option<String>,
    /// Whose they are, where the token names a user.
    pub user: Option<UserId>,
    /// Whether that had been handed out before.
    is_repeated: bool,
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

/// The claims of a successor, and the session it belongs to.
type Successor = (Claims, Option<SessionId>);

impl Auth {
    /// Exchanges a refresh token for an access token, and with `ROTATE_REFRESH_TOKENS` for a successor too.
    ///
    /// Callers who race with one token, or present it again within the grace period because the answer was lost, are given
    /// the same successor. With `BLACKLIST_AFTER_ROTATION` a token that was exchanged before ends its session.
    pub async fn refresh(&self, refresh: Submitted, origin: &Origin<'_>) -> Result<Refreshed, Error> {
        let refreshed = self.slow_down(self.try_to_refresh(refresh, origin).await, origin).await;
        self.count_refresh(refreshed.as_ref().map(|refreshed| refreshed.is_repeated));
        refreshed
    }

    async fn try_to_refresh(&self, refresh: Submitted, origin: &Origin<'_>) -> Result<Refreshed, Error> {
        let token = parse_token_field("refresh", refresh)?;
        let refreshed = self.exchange_token(&token, origin).await;
        self.with_key_noted(refreshed, &token, origin)
    }

    async fn exchange_token(&self, token: &str, origin: &Origin<'_>) -> Result<Refreshed, Error> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let (tokens, claims) = self.decode(token, now).await?;
            let good = self.check_refresh_token(&tokens, claims, now, origin).await?;
            tokens.check_can_be_continued(&good.claims)?;
            let added = match &good.user {
                Some(user) => self.added_claims(user).await?,
                None => Vec::new(),
            };
            let mut access = tokens.access_from(&good.claims, &new_jti(), now);
            let successor = if self.rules.rotate_refresh_tokens {
                // Boxed, as it is large and most refreshes go without it.
                let rotated = Box::pin(self.rotate(&tokens, &good, origin, now)).await?;
                let Some((mut claims, session)) = rotated else { continue };
                let session = session.as_ref().map(SessionId::as_str);
                tokens.add_own(&mut claims, &added, session);
                tokens.add_own(&mut access, &added, session);
                Some(tokens.encode(&claims))
            } else {
                self.touch(good.session.as_ref(), now);
                tokens.add_own(&mut access, &added, None);
                None
            };
            let is_repeated = successor.is_some() && good.rotation == Rotation::Repeat;
            let user = good.user.as_ref().map(|user| user.id);
            return Ok(Refreshed { access: tokens.encode(&access), refresh: successor, user, is_repeated });
        }
        Err(Error::Overloaded)
    }

    /// Extends a sliding token whose refresh window is still open; the later one is what is for protected endpoints.
    pub async fn refresh_sliding(&self, token: Submitted, origin: &Origin<'_>) -> Result<Refreshed, Error> {
        let refreshed = self.slow_down(self.try_to_refresh_sliding(token, origin).await, origin).await;
        self.count_refresh(refreshed.as_ref().map(|_| false));
        refreshed
    }

    async fn try_to_refresh_sliding(
        &self,
        token: Submitted,
        origin: &Origin<'_>,
    ) -> Result<Refreshed, Error> {
        let token = parse_token_field("token", token)?;
        let extended = self.extend(&token, origin).await;
        self.with_key_noted(extended, &token, origin)
    }

    async fn extend(&self, token: &str, origin: &Origin<'_>) -> Result<Refreshed, Error> {
        let now = self.clock.now();
        let (claims, holder) = self.validate(token, Kind::Sliding, now).await?;
        let session = holder.session.found();
        if holder.refuses_access() || session.is_some_and(|session| session.ended.is_some()) {
            origin.note_session(session, "");
            return Err(Refusal::Blacklisted.into());
        }
        let tokens = self.tokens();
        tokens.check_can_be_continued(&claims)?;
        let mut refreshed = tokens.sliding_refreshed(&claims, now)?;
        if let Some(user) = &holder.user {
            tokens.add_own(&mut refreshed, &self.added_claims(user).await?, None);
        }
        self.touch(session, now);
        let (access, user) = (tokens.encode(&refreshed), holder.user.as_ref().map(|user| user.id));
        Ok(Refreshed { access, refresh: None, user, is_repeated: false })
    }

    /// The claims of a refresh token, if it, its session and its user are good.
    async fn check_refresh_token(
        &self,
        tokens: &Tokens,
        claims: Claims,
        now: Timestamp,
        origin: &Origin<'_>,
    ) -> Result<Good, Error> {
        let jti = self.jti(&claims)?.to_owned();
        let holder = self.holder_of_refresh(&claims, &jti).await?;
        let is_blacklisted = holder.is_blacklisted;
        if matches!(holder.session, SessionOf::Gone) && holder.user.is_some() {
            return Err(Refusal::Blacklisted.into());
        }
        let session = holder.session.found();
        let rotation = match session {
            Some(session) => self.rotation(session, &jti, is_blacklisted, now),
            None => Rotation::Advance,
        };
        if let (Rotation::Reuse, Some(session)) = (rotation, session) {
            origin.note_session(Some(session), &jti);
            self.end_reused(session, &jti, now, origin).await?;
            return Err(Error::RefreshTokenReused);
        }
        let is_refused = match (rotation, session) {
            (Rotation::Refuse | Rotation::Reuse, _) => true,
            // Its exchange may have blacklisted it; then the successor is what counts.
            (Rotation::Repeat, Some(session)) if self.rules.blacklist_after_rotation => {
                self.store.is_blacklisted(&refresh_jti(session.id.as_str(), session.generation)).await?
            }
            (Rotation::Advance | Rotation::Repeat, _) => is_blacklisted,
        };
        if is_refused {
            origin.note_session(session, &jti);
            return Err(Refusal::Blacklisted.into());
        }
        tokens.check(&claims, Kind::Refresh, now)?;
        let user = self.check_active(&claims, holder.user)?;
        let session = match holder.session {
            SessionOf::Found(session) => Some(session),
            SessionOf::None | SessionOf::Gone => None,
        };
        Ok(Good { claims, jti, user, session, rotation })
    }

    /// Somebody presented a token that somebody else, or they themselves long ago, had exchanged: one of the two is a
    /// thief, and nobody can tell which (RFC 9700 §4.14.2).
    async fn end_reused(
        &self,
        session: &Session,
        jti: &str,
        now: Timestamp,
        origin: &Origin<'_>,
    ) -> Result<(), Error> {
        let because = EndReason::RefreshTokenReused;
        let presented = match presented(session, jti) {
            Presented::Generation(generation) => generation.to_string(),
            Presented::Foreign => "foreign".to_owned(),
        };
        let mut event = self.event(EventKind::RefreshReuseDetected, Actor::Client, origin);
        event.user = Some(session.user);
        let event = event
            .with("because", because.name())
            .with("presented_generation", presented)
            .with("current_generation", session.generation.to_string());
        let store = self.store.noting(event);
        if store.end_session(session.id.clone(), session.user, now, because, refresh_jti).await? {
            self.count_ended(because, 1);
            warn!(user.id = %session.user, session.id = %session.id, session.generation = session.generation,
                "an exchanged refresh token was presented again: its session was ended");
        }
        Ok(())
    }

    /// The token's user; `None` for a token that names none, which Simple JWT lets pass.
    fn check_active(&self, claims: &Claims, user: Option<User>) -> Result<Option<User>, Error> {
        if !claims.is_truthy(&self.tokens().settings().user_id_claim) {
            return Ok(None);
        }
        match user {
            Some(user) if user.is_active || !self.rules.check_user_is_active => Ok(Some(user)),
            _ => Err(Error::NoActiveAccountForToken),
        }
    }

    /// The successor of a good token; `None` if others exchanged the token meanwhile.
    async fn rotate(
        &self,
        tokens: &Tokens,
        good: &Good,
        origin: &Origin<'_>,
        now: Timestamp,
    ) -> Result<Option<Successor>, Error> {
        let known = good.session.as_ref().map(|session| session.id.clone());
        let (Some(id), Some(user)) = (known.or_else(|| self.own_session_id(&good.jti)), &good.user) else {
            return Ok(Some((self.rotate_without_session(tokens, good, now).await?, None)));
        };
        if let (Rotation::Repeat, Some(session)) = (good.rotation, &good.session) {
            let jti = refresh_jti(id.as_str(), session.generation);
            let mut successor = tokens.rotated(&good.claims, &jti, session.rotated_at);
            successor.set("exp", session.expires_at.as_second());
            return Ok(Some((successor, Some(id))));
        }
        let generation = good.session.as_ref().map_or(0, |session| session.generation);
        let next = generation.checked_add(1).ok_or(Refusal::Blacklisted)?; // after four thousand million exchanges
        let mut successor = tokens.rotated(&good.claims, &refresh_jti(id.as_str(), next), now);
        tokens.add_own(&mut successor, &[], Some(id.as_str()));
        match self.exchange(good, user, &successor, id.clone(), origin, now).await? {
            Exchanged::Done => Ok(Some((successor, Some(id)))),
            Exchanged::Overtaken => Ok(None),
        }
    }

    /// Moves the session on to the successor, in its row and in Django's tables as far as they are kept.
    async fn exchange(
        &self,
        good: &Good,
        user: &User,
        successor: &Claims,
        session: SessionId,
        origin: &Origin<'_>,
        now: Timestamp,
    ) -> Result<Exchanged, Error> {
        let expires_at = successor.expires_at().ok_or(Refusal::Invalid)?;
        let is_foreign = || generation_of(session.as_str(), &good.jti).is_none();
        let is_blacklisted = self.rules.blacklist_after_rotation && (self.rules.django_peer || is_foreign());
        let row = |claims| self.token_row(claims, Some(user.id), now);
        let begun = good.session.is_none().then(|| {
            let client = origin.client.clone();
            let begun =
                NewSession { id: session.clone(), user: user.id, created_at: now, expires_at, client };
            (begun, Account::of(user, self.rules.check_user_is_active))
        });
        let adds_rows = begun.is_some() || self.rules.django_peer;
        let exchanged = self.store.exchange(Exchange {
            session,
            begun,
            generation: good.session.as_ref().map_or(0, |session| session.generation),
            jti: good.jti.clone(),
            at: now,
            expires_at,
            blacklisted: is_blacklisted.then(|| row(&good.claims)).transpose()?,
            recorded: self.rules.django_peer.then(|| row(successor)).transpose()?,
        });
        Ok(if adds_rows { tokio::join!(exchanged, self.sweep(now)).0? } else { exchanged.await? })
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
