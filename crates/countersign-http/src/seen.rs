//! A request as the log sees it: when it came, what it is called, and who turns out to send it.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use countersign_domain::UserId;
use countersign_traces::span;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

/// The header that says what a request is called: to us, where a proxy of ours has named it, and back in every answer.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// The longest id that is taken over.
const MAX_ID: usize = 128;

/// A request that has begun.
pub(crate) struct Seen {
    pub(crate) began: Instant,
    /// What it is called: by our proxy, where that can be printed, or by us.
    name: Name,
    user: OnceLock<UserId>,
    /// What a collector is told of it, if anything.
    pub(crate) span: Span,
    /// Why it was refused, as far as its code does not say.
    why: OnceLock<Vec<(String, String)>>,
}

impl Seen {
    /// `may_name` says whether whoever sent it may say what it is called: else a client could have it take the name of
    /// another's.
    pub(crate) fn now(headers: &HeaderMap, ids: &RequestIds, may_name: impl FnOnce() -> bool) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let given = given.filter(|id| is_sane(id.as_bytes()) && may_name());
        let name = given.map_or_else(|| ids.next(), |id| Name::of(format_args!("{id}")));
        let (began, span) = (Instant::now(), span::request(headers));
        Self { began, name, user: OnceLock::new(), span, why: OnceLock::new() }
    }

    /// What it is called.
    pub(crate) fn id(&self) -> &str {
        str::from_utf8(self.name.bytes()).unwrap_or_default() // never: it is visible ASCII
    }

    /// The same, for a header.
    pub(crate) fn id_header(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.name.bytes()).unwrap_or(HeaderValue::from_static("-")) // never, as above
    }

    /// Notes why it is refused.
    pub(crate) fn is_refused(&self, why: Vec<(String, String)>) {
        let _ = self.why.set(why); // it is refused once
    }

    /// Why it was refused.
    pub(crate) fn why(&self) -> &[(String, String)] {
        self.why.get().map_or(&[], Vec::as_slice)
    }

    /// Notes whose request it is, if that is known.
    pub(crate) fn is_of(&self, user: impl Into<Option<UserId>>) {
        if let Some(user) = user.into() {
            let _ = self.user.set(user); // the first to know is right
        }
    }

    /// Whose request it is, where that is known.
    pub(crate) fn user(&self) -> Option<&UserId> {
        self.user.get()
    }
}

/// What a request is called. Each has a name, so that it is written on the stack.
struct Name {
    buffer: [u8; MAX_ID],
    length: usize,
}

impl Name {
    fn of(name: fmt::Arguments<'_>) -> Self {
        let mut buffer = [0; MAX_ID];
        let mut rest = buffer.as_mut_slice();
        let _ = rest.write_fmt(name); // there is room
        let length = MAX_ID - rest.len();
        Self { buffer, length }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

/// Makes names for requests that have none: unlike those of other processes, and one after another.
pub(crate) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        // The keys of a `RandomState` are random; it is the way to some in std.
        Self { process: RandomState::new().build_hasher().finish(), next: AtomicU64::new(1) }
    }

    /// The next name.
    fn next(&self) -> Name {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Name::of(format_args!("{:016x}-{number:x}", self.process))
    }
}

/// The id of the trace that a request is part of (W3C Trace Context).
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut parts = headers.get(TRACE_PARENT)?.to_str().ok()?.splitn(4, '-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?; // flags
    let is_hex = |text: &str, length| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == length && text.bytes().all(is_digit)
    };
    let is_set = |id: &str| id.bytes().any(|digit| digit != b'0');
    let is_valid = is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(span, 16);
    (is_valid && is_set(trace) && is_set(span)).then_some(trace)
}

/// Visible ASCII of a bounded length, without what would have to be escaped in the log. A token is none: it is longer, or
/// has dots.
fn is_sane(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:+/=@".contains(byte);
    (1..=MAX_ID).contains(&id.len()) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value.as_bytes()).unwrap())])
    }

    #[test]
    fn a_given_id_is_taken_over_if_it_can_be_printed_and_is_short_and_no_token() {
        let ids = RequestIds::new();
        let name = |given: &str| Seen::now(&headers(REQUEST_ID, given), &ids, || true).id().to_owned();
        for good in ["a", "0f3c-77_x", "Root=1-67891233-abcdef", &"x".repeat(128)] {
            assert_eq!(name(good), good);
        }
        for bad in ["", "a b", "a\tb", "\u{e4}", "a\"b", "eyJh.eyJz.c2ln", &"x".repeat(129)] {
            assert_ne!(name(bad), bad);
        }
        let strangers = Seen::now(&headers(REQUEST_ID, "a"), &ids, || false);
        assert_ne!(strangers.id(), "a");
        let made = || Seen::now(&HeaderMap::new(), &ids, || true).id().to_owned();
        let (one, other) = (made(), made());
        assert!(is_sane(one.as_bytes()) && one.len() > 17 && one != other, "{one}, {other}");
        let last = RequestIds { process: u64::MAX, next: AtomicU64::new(u64::MAX) };
        assert_eq!(last.next().bytes(), b"ffffffffffffffff-ffffffffffffffff");
        assert_ne!(RequestIds::new().process, ids.process);
    }

    #[test]
    fn a_traceparent_that_is_none_names_no_trace() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let found = |value: &str| trace_id(&headers(TRACE_PARENT, value)).map(str::to_owned);
        assert_eq!(found(&format!("00-{trace}-{span}-01")).as_deref(), Some(trace));
        assert_eq!(found(&format!("cc-{trace}-{span}-01-later")).as_deref(), Some(trace), "a later version");
        let zeros = "0".repeat(32);
        for bad in [
            format!("ff-{trace}-{span}-01"),
            format!("00-{zeros}-{span}-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}"),
            trace.to_owned(),
        ] {
            assert_eq!(found(&bad), None, "{bad}");
        }
    }
}
