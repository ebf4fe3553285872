//! What is written in a message.

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
