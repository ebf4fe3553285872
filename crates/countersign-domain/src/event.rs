//! Events: what was done with accounts, sessions and keys, by whom and from where, as the audit log keeps it.

use jiff::Timestamp;

use crate::{Client, User, UserId};

/// Declares what can happen, with the words that the database and the operator have for it.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal,)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EventKind {
            $($(#[doc = $doc])+ $kind,)*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The word that the database keeps.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Somebody logged in, and a session began.
    Login = "login",
    /// A login was refused.
    LoginFailed = "login_failed",
    /// More logins were refused within a minute than are noted one by one.
    LoginFailuresOmitted = "login_failures_omitted",
    /// A refresh token that had been exchanged was presented again, which ended its session.
    RefreshReuseDetected = "refresh_reuse_detected",
    /// Sessions ended.
    SessionEnded = "session_ended",
    /// A password was changed, which ended the sessions of the account.
    PasswordChanged = "password_changed",
    /// An account was made.
    UserCreated = "user_created",
    /// An account was changed.
    UserChanged = "user_changed",
    /// An account was deleted.
    UserDeleted = "user_deleted",
    /// A signing key was made.
    KeyMade = "key_made",
    /// Another key signs.
    KeyRotated = "key_rotated",
    /// A signing key was ended.
    KeyRetired = "key_retired",
    /// A signing key was sealed under another secret.
    KeyResealed = "key_resealed",
    /// A server started with these settings.
    ServerStarted = "server_started",
    /// Events stood beyond the end of the audit log's chain, where only somebody else can have put them or set the end back
    /// before them, and were linked anew.
    EventsLinkedAnew = "events_linked_anew",
    /// The personal data in the events of a user were erased.
    PersonalDataErased = "personal_data_erased",
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// The user whom the event is about.
    User,
    /// A client that has not shown who it is.
    Client,
    /// Whoever may run the command line.
    Operator,
    /// The server by itself.
    Server,
}

impl Actor {
    /// The word that the database keeps.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Operator => "operator",
            Self::Server => "server",
        }
    }
}

/// An event, before it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was.
    pub at: Timestamp,
    /// What it was.
    pub kind: EventKind,
    /// Who did it.
    pub actor: Actor,
    /// The user whom it is about.
    pub user: Option<UserId>,
    /// What the request is called.
    pub request_id: Option<String>,
    /// What else is to be known of it; nothing here is erased with a user's personal data.
    pub details: Vec<(&'static str, String)>,
    /// The user's log-in name: personal data, as is the client.
    pub name: Option<String>,
    /// Where it came from.
    pub client: Client,
}

impl Event {
    /// An event of which no more is known yet.
    #[must_use]
    pub fn new(kind: EventKind, actor: Actor, at: Timestamp) -> Self {
        let (client, details) = (Client::default(), Vec::new());
        Self { at, kind, actor, user: None, request_id: None, details, name: None, client }
    }

    /// The same, about this user.
    #[must_use]
    pub fn about(self, user: &User) -> Self {
        Self { user: Some(user.id), name: Some(user.username.clone()), ..self }
    }

    /// Whether anything in it is personal.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        self.name.is_some() || self.client != Client::default()
    }

    /// The same without what is personal.
    #[must_use]
    pub fn impersonal(self) -> Self {
        Self { name: None, client: Client::default(), ..self }
    }

    /// The same, with something more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }
}

/// The refusal of a request, for whoever asks why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// When it was.
    pub at: Timestamp,
    /// What the request is called.
    pub request_id: String,
    /// Why it was refused, as names and values; no secret, no token and no address.
    pub details: Vec<(String, String)>,
}
