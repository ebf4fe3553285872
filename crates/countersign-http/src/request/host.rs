//! Which `Host` headers are served (Django's `ALLOWED_HOSTS`).

/// The hosts a server answers for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    /// `.example.org`, kept with its dot: the domain and everything below it.
    DomainAndBelow(String),
    Exactly(String),
}

impl AllowedHosts {
    /// Reads the setting: patterns parted by commas, each a host, `.domain` (with all below it) or `*`.
    ///
    /// With no pattern at all nothing is served, except the names of this machine when `debug` is on.
    #[must_use]
    pub fn parse(setting: &str, debug: bool) -> Self {
        let read = |text: &str| -> Vec<Pattern> {
            text.split(',').map(str::trim).filter(|host| !host.is_empty()).map(Pattern::parse).collect()
        };
        let patterns = read(setting);
        Self(if patterns.is_empty() && debug { read(".localhost,127.0.0.1,[::1]") } else { patterns })
    }

    /// Those patterns of the setting that no host can match, as they stand there.
    #[must_use]
    pub fn never_matching(setting: &str) -> Vec<&str> {
        let is_sound = |pattern: &Pattern| match pattern {
            Pattern::Any => true,
            Pattern::DomainAndBelow(suffix) => suffix.strip_prefix('.').is_some_and(is_domain),
            Pattern::Exactly(host) => is_domain(host),
        };
        let patterns = setting.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        patterns.filter(|pattern| !is_sound(&Pattern::parse(pattern))).collect()
    }

    /// A host that is served, if one is named.
    #[must_use]
    pub fn example(&self) -> Option<&str> {
        let mut named = self.0.iter().filter_map(|pattern| match pattern {
            Pattern::Any => None,
            Pattern::DomainAndBelow(suffix) => suffix.strip_prefix('.'),
            Pattern::Exactly(host) => Some(host.as_str()),
        });
        named.find(|host| self.permits(host.as_bytes()))
    }

    /// Whether a request to this host is served. Without a `Host` header ask with the server's own
    /// `name:port`. The port never matters, but must be one.
    #[must_use]
    pub fn permits(&self, host: &[u8]) -> bool {
        domain(host).is_some_and(|domain| self.0.iter().any(|pattern| pattern.matches(&domain)))
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        match text.to_lowercase() {
            any if any == "*" => Self::Any,
            domain if domain.starts_with('.') => Self::DomainAndBelow(domain),
            host => Self::Exactly(host),
        }
    }

    fn matches(&self, domain: &str) -> bool {
        match self {
            Self::Any => true,
            Self::DomainAndBelow(suffix) => {
                domain.ends_with(suffix.as_str()) || suffix.strip_prefix('.') == Some(domain)
            }
            Self::Exactly(host) => host == domain,
        }
    }
}

/// The lower-case domain of a `Host` header, without port and without one trailing dot.
/// `None` when the header has not the form of a name or bracketed IPv6 address with an optional port.
pub(crate) fn domain(host: &[u8]) -> Option<String> {
    let host = std::str::from_utf8(host).ok()?.to_ascii_lowercase();
    let (name, port) = match host.rfind(']') {
        Some(bracket) => host.split_at(bracket + 1),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port_is_sound = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if !port_is_sound || !(is_name(name) || is_bracketed_address(name)) {
        return None;
    }
    let domain = name.strip_suffix('.').unwrap_or(name);
    (!domain.is_empty()).then(|| domain.to_owned())
}

/// Whether some `Host` header has just this domain.
fn is_domain(text: &str) -> bool {
    domain(text.as_bytes()).is_some_and(|domain| domain == text)
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
}

/// Hexadecimal digits, a colon, then at least one more of digits, colons and dots, in brackets.
fn is_bracketed_address(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.and_then(|address| address.split_once(':')).is_some_and(|(first, rest)| {
        first.bytes().all(|b| b.is_ascii_hexdigit())
            && !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
    })
}
