//! The mail server that takes messages from us, spoken to in SMTP. What becomes of them there is not known here.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use zeroize::Zeroizing;

use crate::Message;
use crate::bounded_stream::BoundedStream;

/// Enhanced status codes (RFC 3463) that are about the address and nothing else. Every other refusal may be about us, as a
/// sender who is not allowed, a relay that is closed to us, a login: an operator can mend that, and the message waits.
const ABOUT_THE_ADDRESS: [&str; 7] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.2.2"];
/// How long a server may take to say good-bye.
const LAST_WORD: Duration = Duration::from_secs(1);
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Who messages are from, such as `Example <noreply@example.com>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    /// Reads an address, with a name before it or without; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().map(Self)
    }

    /// The address alone.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.email.as_ref()
    }
}

/// How what is said to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailEncryption {
    /// Not at all.
    None,
    /// From the first byte.
    Tls,
    /// After `STARTTLS`, which the server has to have.
    StartTls,
}

/// Where mail is handed in, and as whom.
#[derive(Clone)]
pub struct MailSettings {
    /// The server's name, which its certificate has to have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether others on the way can read along.
    pub encryption: MailEncryption,
    /// Name and password, if the server wants to know us.
    pub login: Option<(String, Zeroizing<String>)>,
    /// How long it may take for a message, from the connection to its last word.
    pub timeout: Duration,
    /// Who messages are from.
    pub sender: Sender,
}

/// A mail server, not connected: each message has a connection of its own.
pub struct MailServer {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    sender: Mailbox,
    timeout: Duration,
}

/// Why a message was not taken. No address is in it, and nothing that the server said but its code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It never will be.
    #[error("{0}")]
    ForGood(String),
    /// It may be later.
    #[error("{0}")]
    ForNow(String),
}

impl MailServer {
    /// Does not connect. Fails if what is said is to be encrypted, and this machine trusts no certificate.
    pub fn new(settings: &MailSettings) -> Result<Self, String> {
        let parameters = || {
            refuse_without_roots()?;
            TlsParameters::new(settings.host.clone()).map_err(|error| in_words(&error))
        };
        let tls = match settings.encryption {
            MailEncryption::None => Tls::None,
            MailEncryption::Tls => Tls::Wrapper(parameters()?),
            MailEncryption::StartTls => Tls::Required(parameters()?),
        };
        let login = settings.login.as_ref();
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            tls,
            login: login.map(|(name, password)| Credentials::new(name.clone(), password.as_str().to_owned())),
            sender: settings.sender.0.clone(),
            timeout: settings.timeout,
        })
    }

    /// How long a message may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Hands a message in; the server's word on it. `id` names it for ever, so that whoever gets it twice can tell.
    pub async fn send(
        &self,
        to: &str,
        message: Message,
        id: &str,
        now: Timestamp,
    ) -> Result<String, NotSent> {
        let no_address = || NotSent::ForGood("it is no address that mail can be sent to".to_owned());
        let to: Address = to.parse().map_err(|_| no_address())?;
        let built = MessageBuilder::new()
            .from(self.sender.clone())
            .to(Mailbox::new(None, to))
            .subject(message.subject)
            .date(date(now))
            .message_id(Some(format!("<{id}@{}>", self.sender.email.domain())))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(message.body)
            .map_err(|_| no_address())?;
        tokio::time::timeout(self.timeout, self.hand_in(&built)).await.map_err(|_| {
            NotSent::ForNow(format!("the mail server did not answer within {} s", self.timeout.as_secs()))
        })?
    }

    async fn hand_in(&self, message: &lettre::Message) -> Result<String, NotSent> {
        let mut connection = self.connect().await?;
        let taken = connection.send(message.envelope(), &message.formatted()).await;
        let _ = tokio::time::timeout(LAST_WORD, connection.abort()).await; // what was said about the message stands
        match taken {
            Ok(response) => Ok(response.code().to_string()),
            Err(error) if lacks_smtputf8(&error) => {
                Err(NotSent::ForGood("the mail server takes no address beyond ASCII".to_owned()))
            }
            Err(error) if is_about_the_address(&error) => Err(NotSent::ForGood(in_words(&error))),
            Err(error) => Err(for_now(&error)),
        }
    }

    /// As somebody whom the server knows, if there is a login. What it refuses here is never about a message.
    async fn connect(&self) -> Result<AsyncSmtpConnection, NotSent> {
        let hello = ClientId::Domain(self.sender.email.domain().to_owned());
        let mut connection = if let Tls::Wrapper(parameters) = &self.tls {
            let (place, tls) = ((self.host.as_str(), self.port), Some(parameters.clone()));
            AsyncSmtpConnection::connect_tokio1(place, Some(self.timeout), &hello, tls, None).await
        } else {
            let stream = BoundedStream::connect(&self.host, self.port).await;
            let stream = stream.map_err(|error| NotSent::ForNow(format!("Connection error: {error}")))?;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
        }
        .map_err(|error| for_now(&error))?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &hello).await.map_err(|error| for_now(&error))?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await.map_err(|error| for_now(&error))?;
        }
        Ok(connection)
    }
}

/// lettre would go on with none, and trust no server.
fn refuse_without_roots() -> Result<(), String> {
    let found = rustls_native_certs::load_native_certs();
    let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
    let fix =
        "install those of your system (ca-certificates), or name a file in SSL_CERT_FILE that can be read";
    if found.certs.is_empty() {
        return Err(format!(
            "mail cannot be encrypted, as there is no certificate that this machine trusts{why}; {fix}"
        ));
    }
    Ok(())
}

/// The same time as the standard library has it.
fn date(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default())
}

/// By its words, as lettre has no other sign of it; the sender's address is ASCII.
fn lacks_smtputf8(error: &SmtpError) -> bool {
    error.is_client() && said(error).contains("SMTPUTF8")
}

fn is_about_the_address(error: &SmtpError) -> bool {
    let code = enhanced_code(error);
    error.is_permanent() && code.is_some_and(|code| ABOUT_THE_ADDRESS.contains(&code.as_str()))
}

/// The three numbers that an answer may begin with.
fn enhanced_code(error: &SmtpError) -> Option<String> {
    let said = said(error);
    let first = said.split_whitespace().next()?;
    let is_number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    (first.split('.').count() == 3 && first.split('.').all(is_number)).then(|| first.to_owned())
}

/// What an error says beside its kind: an answer of the server without its code, or lettre's own sentence.
fn said(error: &SmtpError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

fn for_now(error: &SmtpError) -> NotSent {
    NotSent::ForNow(in_words(error))
}

/// What went wrong. The server's own words may have the address in them, and are left out.
fn in_words(error: &SmtpError) -> String {
    if let Some(code) = error.status() {
        let more = enhanced_code(error).map(|more| format!(" {more}")).unwrap_or_default();
        return format!("the mail server answered with {code}{more}");
    }
    if error.is_response() {
        return "what the mail server answered is no SMTP".to_owned();
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let more = next.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = next.source();
    }
    words
}
