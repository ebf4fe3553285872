//! What is written in a message: its words, and the choice between them.

use std::fmt::Write;

use countersign_domain::{Email, MailKind, RawText};
use countersign_store::Mail;

use crate::{Auth, Error, PrivateRegistration};

/// A message, but for whom it is from and to.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is about: one line of ASCII.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// A link may be in it, which is not printed.
impl std::fmt::Debug for Message {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Message(..)")
    }
}

impl Auth {
    /// What is written here. Other servers of the database may have settings by which they write more.
    pub(crate) fn kinds_with_words(&self) -> Vec<MailKind> {
        let has_words = |kind: &MailKind| match kind {
            MailKind::Registration => self.registers_by_mail(),
        };
        MailKind::ALL.into_iter().filter(has_words).collect()
    }

    /// What is to be written to whom a mail is for; `None` if nothing is. Whoever has got several lately gets no more, so that
    /// nobody's mailbox is flooded through us; only the first attempt counts.
    pub async fn compose(&self, mail: &Mail) -> Result<Option<Message>, Error> {
        let Ok(email) = Email::parse(&RawText::from(mail.address.clone())) else { return Ok(None) };
        // First of all, so that an attempt which fails over the rest is charged.
        if mail.attempts <= 1 && !self.admit_mail(&email).await? {
            return Ok(None);
        }
        match mail.kind {
            MailKind::Registration => self.compose_registration(&email).await,
        }
    }

    async fn compose_registration(&self, email: &Email) -> Result<Option<Message>, Error> {
        let Some(settings) = &self.rules.private_registration else { return Ok(None) };
        if self.has_account(email).await? {
            return Ok(Some(you_have_one(settings, &email.stored())));
        }
        let now = self.clock.now();
        let Ok(expires_at) = now.checked_add(settings.link_lifetime) else { return Ok(None) };
        let link = settings.page.link(&self.links.make(&email.stored(), expires_at));
        Ok(Some(confirm(settings, &email.stored(), &link)))
    }
}

/// It says for which of the mailbox's addresses: whoever asked may have written another than its owner would.
fn confirm(settings: &PrivateRegistration, address: &str, link: &str) -> Message {
    let (site, lifetime) = (settings.page.host(), in_words(settings.link_lifetime.as_secs()));
    let body = format!(
        "Hello,\n\n\
         somebody, you we hope, asked for an account at {site} with the address {address}.\n\n\
         To make it, follow this link and choose a password:\n\n\
         {link}\n\n\
         Log in with {address} then, written just so.\n\n\
         The link is good for {lifetime}. Do not pass it on.\n\n\
         If you did not ask for an account, do nothing: without this link none is made.\n"
    );
    Message { subject: format!("Your account at {site}"), body }
}

/// Without a link, and without the name of the account: the address in it may be nobody's who was asked.
fn you_have_one(settings: &PrivateRegistration, address: &str) -> Message {
    let site = settings.page.host();
    let body = format!(
        "Hello,\n\n\
         somebody, you we hope, asked for an account at {site} with the address {address}.\n\n\
         There is one with it already, so that no other is made. If it is yours, log in with it; upper and lower case count.\n\n\
         If you did not ask for an account, do nothing: nothing has changed.\n"
    );
    Message { subject: format!("Your account at {site}"), body }
}

/// A span of time in its largest whole unit.
fn in_words(secs: i64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) = units.into_iter().find(|(unit, _)| secs % unit == 0).unwrap_or((1, "second"));
    let mut text = format!("{} {name}", secs / unit);
    if secs / unit != 1 {
        let _ = text.write_char('s'); // a string takes any text
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_whole_unit() {
        for (secs, words) in [
            (86_400, "1 day"),
            (172_800, "2 days"),
            (5400, "90 minutes"),
            (3600, "1 hour"),
            (61, "61 seconds"),
        ] {
            assert_eq!(in_words(secs), words);
        }
    }
}
