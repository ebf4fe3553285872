//! `countersign sendtestemail`: one message, now, to see that the mail server takes it.

use countersign_auth::{Clock, MailServer, Message};
use countersign_domain::{Email, RawText};
use serde_json::json;

use crate::cli::SendTestEmailArgs;
use crate::config::Files;
use crate::program::{Failure, block_on, configure, report};

/// Sends it, past the outbox, and says what the server said.
pub fn run(args: &SendTestEmailArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::NotNeeded)?;
    let other = |why: &str| Failure::Other(why.to_owned());
    let settings = config.mail.ok_or_else(|| {
        other("there is no mail server; set EMAIL_HOST and DEFAULT_FROM_EMAIL, see docs/mail.md")
    })?;
    let address = Email::parse(&RawText::from(args.address.as_str())).ok();
    let address = address.map(|email| email.stored()).filter(|address| !address.is_empty());
    let address =
        address.ok_or_else(|| other("this is no e-mail address; write one such as ada@example.com"))?;
    let server = MailServer::new(&settings).map_err(Failure::Other)?;
    let message = Message {
        subject: "Test of mail from Countersign".to_owned(),
        body: "Hello,\n\nthis is what `countersign sendtestemail` sends. Mail works.\n".to_owned(),
    };
    let now = Clock::System.now();
    let id = format!("test.{}", now.as_microsecond());
    let sent = block_on(async { Ok(server.send(&address, message, &id, now).await) })?;
    let code = sent.map_err(|why| {
        let place = format!("{}:{}", settings.host, settings.port);
        Failure::Other(format!(
            "{place} did not take the message: {why}; see the settings EMAIL_* and docs/mail.md"
        ))
    })?;
    let sentence = format!("{}:{} has taken the message, with {code}.", settings.host, settings.port);
    report(as_json, &json!({ "host": settings.host, "port": settings.port, "code": code }), &sentence)
}
