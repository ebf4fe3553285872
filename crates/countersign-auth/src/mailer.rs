//! Sends the mail that waits: a few messages at once, beside everything else, so that a mail server that hangs holds nobody
//! up, and one that is slow for some addresses does not do so for the others.
//!
//! At least once: a message whose fate nobody knows, as the server or we ended over it, is sent again.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use countersign_domain::{Email, MailKind};
use countersign_store::{Mail, Queueing};
use jiff::SignedDuration;
use tokio::sync::Semaphore;

use crate::{Auth, Error, MailServer, Message, NotSent};

/// So many are being sent at once.
const SENDERS: usize = 8;
/// How often is looked for mail whose time has come, or that another process has left.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Until the second attempt; it doubles each time.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// What cannot be sent for so long is given up,
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// and not before so many attempts, over an hour: it may have waited for a server of ours to run.
const LEAST_ATTEMPTS: i64 = 8;
/// How often is told that too many wait.
const TOLD_EVERY_SECS: i64 = 60;
/// For so much longer than the server may take a mail is nobody else's: its words are looked up and its end is written, too.
const SPARE: SignedDuration = SignedDuration::from_mins(1);

/// Mail could not be looked after, by no fault of the mail server's.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Stuck {
    /// The id of the mail that was being sent, if one was.
    mail: Option<String>,
    error: Error,
}

/// What those who send share: the turn to look for the next mail, and whether the last look or attempt failed by our fault.
struct Senders {
    turn: Semaphore,
    is_stuck: AtomicBool,
}

impl Senders {
    /// Tells of the first failure of several, and of their end.
    fn note(&self, mail: Option<&Mail>, error: Option<&Error>) {
        let was_stuck = self.is_stuck.swap(error.is_some(), Ordering::Relaxed);
        let id = mail.map(|mail| mail.id.as_str());
        match error {
            Some(error) if !was_stuck => {
                tracing::warn!(mail.id = id, %error, "mail is stuck, and is tried again; see that the database can be used");
            }
            None if was_stuck => tracing::info!("mail is looked after again"),
            _ => {}
        }
    }
}

impl Auth {
    /// Has a mail sent to an address, as soon as may be.
    pub async fn queue_mail(&self, kind: MailKind, address: &Email) -> Result<Queueing, Error> {
        let queued = self.store.queue_mail(kind, address, self.clock.now()).await?;
        self.mail_waits.notify_one();
        match &queued {
            Queueing::Queued | Queueing::Waiting => {}
            Queueing::InPlaceOf(put_off) => {
                tracing::warn!(mail.id = %put_off, "mail was given up, as too many wait; see what the log has of this id, and try countersign sendtestemail");
                self.metrics().mails.given_up.inc();
            }
            Queueing::Full => self.tell_of_full_outbox(),
        }
        Ok(queued)
    }

    /// Not more often than each minute: who brings it about may go on.
    fn tell_of_full_outbox(&self) {
        let now = self.clock.now().as_second();
        let is_time = |told| (now - told >= TOLD_EVERY_SECS).then_some(now);
        if self.full_outbox_told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_time).is_ok() {
            tracing::error!(
                "too many messages wait, and requests for more are refused; see that the mail server can be used, by countersign sendtestemail, and who asks"
            );
        }
    }

    /// Sends the mail that waits and that will, with these words, until `ended`: to be run beside the server. What it has
    /// begun to send it sends to the end.
    pub async fn keep_mail(
        &self,
        server: Option<&MailServer>,
        compose: impl AsyncFn(&Mail) -> Result<Option<Message>, Error>,
        ended: impl Future<Output = ()>,
    ) {
        let Some(server) = server.filter(|_| !self.kinds_with_words().is_empty()) else { return ended.await };
        let shared = Senders { turn: Semaphore::new(1), is_stuck: AtomicBool::new(false) };
        let sender = |_| Box::pin(self.send_mails(server, &compose, &shared));
        let mut senders: Vec<_> = (0..SENDERS).map(sender).collect();
        let senders = poll_fn(|context| {
            senders.retain_mut(|sender| sender.as_mut().poll(context).is_pending());
            if senders.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        let end = async {
            ended.await;
            shared.turn.close();
            self.mail_waits.notify_one();
        };
        tokio::join!(end, senders);
    }

    /// Sends one mail after the other, until nobody may look for more.
    async fn send_mails(
        &self,
        server: &MailServer,
        compose: impl AsyncFn(&Mail) -> Result<Option<Message>, Error>,
        shared: &Senders,
    ) {
        while let Some(mail) = self.await_mail(server, shared).await {
            let attempted = self.attempt(server, &mail, &compose).await;
            shared.note(Some(&mail), attempted.as_ref().err());
        }
    }

    /// The next mail, as soon as there is one; `None` at the end. One looks at a time, and who has found something lets the
    /// next one look.
    async fn await_mail(&self, server: &MailServer, shared: &Senders) -> Option<Mail> {
        let _turn = shared.turn.acquire().await.ok()?;
        while !shared.turn.is_closed() {
            let next = self.next_mail(server).await;
            shared.note(None, next.as_ref().err());
            if let Ok(Some(mail)) = next {
                return Some(mail);
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.mail_waits.notified()).await;
        }
        None
    }

    /// Sends the next mail whose time has come; whether there was one.
    pub async fn send_next_mail(
        &self,
        server: &MailServer,
        compose: impl AsyncFn(&Mail) -> Result<Option<Message>, Error>,
    ) -> Result<bool, Stuck> {
        let stuck = |error| Stuck { mail: None, error };
        let Some(mail) = self.next_mail(server).await.map_err(stuck)? else { return Ok(false) };
        let attempted = self.attempt(server, &mail, compose).await;
        attempted.map(|()| true).map_err(|error| Stuck { mail: Some(mail.id), error })
    }

    async fn next_mail(&self, server: &MailServer) -> Result<Option<Mail>, Error> {
        self.metrics().mails_waiting.set(self.store.waiting_mails().await?);
        let lease = SignedDuration::try_from(server.timeout()).unwrap_or(LONGEST_WAIT) + SPARE;
        Ok(self.store.claim_mail(&self.kinds_with_words(), self.clock.now(), lease).await?)
    }

    async fn attempt(
        &self,
        server: &MailServer,
        mail: &Mail,
        compose: impl AsyncFn(&Mail) -> Result<Option<Message>, Error>,
    ) -> Result<(), Error> {
        let counts = &self.metrics().mails;
        let Some(message) = compose(mail).await? else {
            counts.dropped.inc();
            return Ok(self.store.delete_mail(mail).await?);
        };
        match server.send(&mail.address, message, &mail.id, self.clock.now()).await {
            Ok(code) => {
                tracing::info!(mail.id = %mail.id, smtp.code = %code, "mail sent");
                counts.sent.inc();
            }
            Err(NotSent::ForGood(why)) => {
                tracing::warn!(mail.id = %mail.id, why, "mail was refused for good; look into the mail server's log if it should not be");
                counts.refused.inc();
            }
            Err(NotSent::ForNow(why)) if self.is_to_be_given_up(mail) => {
                tracing::warn!(mail.id = %mail.id, mail.attempts, why, "mail was given up after a day; see that the mail server can be used, by countersign sendtestemail");
                counts.given_up.inc();
            }
            Err(NotSent::ForNow(why)) => return self.postpone(mail, &why).await,
        }
        Ok(self.store.delete_mail(mail).await?)
    }

    fn is_to_be_given_up(&self, mail: &Mail) -> bool {
        mail.attempts >= LEAST_ATTEMPTS && self.clock.now().duration_since(mail.created_at) > GIVEN_UP_AFTER
    }

    async fn postpone(&self, mail: &Mail, why: &str) -> Result<(), Error> {
        let wait = wait_after(mail.attempts);
        tracing::warn!(mail.id = %mail.id, why, "mail waits for {} s; see that the mail server can be used, by countersign sendtestemail", wait.as_secs());
        self.metrics().mails.postponed.inc();
        let until = self.clock.now().checked_add(wait).unwrap_or(jiff::Timestamp::MAX);
        Ok(self.store.postpone_mail(mail, until).await?)
    }
}

/// How long a mail waits after so many attempts.
fn wait_after(attempts: i64) -> SignedDuration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
    let wait = 2_i32.checked_pow(doublings).and_then(|times| FIRST_WAIT.checked_mul(times));
    wait.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_from_half_a_minute_to_an_hour_and_no_further() {
        let waits = [1, 2, 3, 7, 8, 9, 40, i64::MAX].map(|attempts| wait_after(attempts).as_secs());
        assert_eq!(waits, [30, 60, 120, 1920, 3600, 3600, 3600, 3600]);
    }
}
