//! What mail is sent for.

/// Why a message is sent, of which its words depend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// Somebody asked for an account with this address.
    Registration,
}

impl MailKind {
    /// Every kind.
    pub const ALL: [Self; 1] = [Self::Registration];

    /// The word that the database keeps.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
        }
    }
}
