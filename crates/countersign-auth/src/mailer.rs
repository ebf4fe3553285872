//! Sends the mail that waits: one message after the other, beside everything else, so that a mail server that hangs holds
//! nobody up.
//!
//! At least once: a message whose fate nobody knows, as the server or we ended over it, is sent again.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use countersign_domain::{Email, MailKind};
use countersign_store::{Mail, Queueing};
use jiff::SignedDuration;

use crate::{Auth, Error, MailServer, Message, NotSent};

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

impl Auth {
    /// Has a mail sent to an address, as soon as may be.
    pub async fn queue_mail(&self, kind: MailKind, address: &Email) -> Result<Queueing, Error> {
        let queued = self.store.queue_mail(kind, address, self.clock.now()).await?;
        self.mail_waits.notify_one();
        if queued == Queueing::Full {
            self.tell_of_full_outbox();
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
        let mut ended = pin!(ended);
        // A server beside it, with other settings, may have the words for what waits.
        let Some(server) = server.filter(|_| self.registers_by_mail()) else { return ended.await };
        let mut is_stuck = false;
        loop {
            let sent = self.send_next_mail(server, &compose).await;
            match &sent {
                Err(Stuck { mail, error }) if !is_stuck => {
                    tracing::warn!(mail.id = mail, %error, "mail is stuck, and is tried again; see that the database can be used");
                }
                Ok(_) if is_stuck => tracing::info!("mail is looked after again"),
                _ => {}
            }
            is_stuck = sent.is_err();
            let next = async {
                if !matches!(sent, Ok(true)) {
                    let _ = tokio::time::timeout(LOOK_EVERY, self.mail_waits.notified()).await;
                }
            };
            tokio::select! {
                biased;
                () = &mut ended => return,
                () = next => {}
            }
        }
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
        Ok(self.store.claim_mail(self.clock.now(), lease).await?)
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
