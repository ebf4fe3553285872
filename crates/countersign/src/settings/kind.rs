//! The types of settings: what a value is checked against, and how that is said.

use countersign_domain::{Rate, RateError};
use countersign_token::Algorithm;
use jiff::SignedDuration;

use crate::durations::parse_duration;

const TEN_YEARS_SECS: u64 = 10 * 365 * 86_400;
/// What leaves it to the program.
pub const AUTO: &str = "auto";
const ON: [&str; 4] = ["true", "on", "yes", "1"];
const OFF: [&str; 5] = ["false", "off", "no", "0", ""];

/// Which values a setting takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; whoever reads it checks it.
    Text,
    /// On or off.
    Switch,
    /// A whole number from one to the other.
    Whole(u64, u64),
    /// Seconds, with a fraction if need be, up to so many.
    Seconds(u32),
    /// A span of time.
    Time {
        /// Whether `0` is one.
        may_be_none: bool,
        /// The longest.
        max_secs: u64,
    },
    /// On, off, or what the program finds right.
    AutoOrSwitch,
    /// A number from 0 to 1.
    Share,
    /// How many in which time, or no bound.
    Rate,
    /// An address with its port, or none.
    Address,
    /// How tokens are signed.
    Algorithm,
    /// Texts, comma-separated.
    List,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A file or a directory.
    Path,
    /// A JSON object.
    Json,
}

impl Kind {
    /// A span of time that lasts.
    pub const TIME: Self = Self::Time { may_be_none: false, max_secs: TEN_YEARS_SECS };
    /// A span of time, or none.
    pub const NO_TIME_OR_MORE: Self = Self::Time { may_be_none: true, max_secs: TEN_YEARS_SECS };

    /// Why a value is none of these, as what it must be.
    pub fn refusal(self, text: &str) -> Option<String> {
        let is_one = match self {
            Self::Text | Self::List | Self::Path | Self::Json => true,
            Self::Switch => switch(text).is_some(),
            Self::AutoOrSwitch => text.trim() == AUTO || switch(text).is_some(),
            Self::Share => share(text).is_some(),
            Self::Rate => rate(text).is_ok(),
            Self::Address => is_address(text),
            Self::Algorithm => Algorithm::from_name(text).is_some(),
            Self::Whole(min, max) => {
                text.trim().parse().is_ok_and(|number: u64| (min..=max).contains(&number))
            }
            Self::Seconds(max) => seconds(text, max).is_some(),
            Self::Time { .. } => self.time(text).is_some(),
            Self::Choice(values) => values.contains(&text.replace(", ", ",").trim()),
        };
        (!is_one).then(|| format!("must be {}", self.words()))
    }

    /// What it has to be, in words.
    pub fn words(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Switch => "True or False".to_owned(),
            Self::AutoOrSwitch => "auto, or True or False".to_owned(),
            Self::Share => "a number from 0 to 1".to_owned(),
            Self::Rate => format!("{RateError}; or off for no bound"),
            Self::Address => "an address with a port, such as 127.0.0.1:9464".to_owned(),
            Self::Algorithm => format!("one of {}", Algorithm::ALL.map(Algorithm::name).join(", ")),
            Self::Whole(min, max) => format!("a whole number from {min} to {max}"),
            Self::Seconds(max) => format!("a number of seconds from 0 to {max}"),
            Self::Time { may_be_none, max_secs } => {
                let none = if may_be_none { "0, or " } else { "" };
                let most = match max_secs {
                    3600 => ", of at most an hour",
                    2_592_000 => ", from one second to thirty days",
                    _ => ", from one second to ten years",
                };
                format!("{none}a time such as 300, 90s, 5m, 12h or 1d{most}")
            }
            Self::List => "a list, comma-separated".to_owned(),
            Self::Choice(values) => values.join(", or "),
            Self::Path => "a path".to_owned(),
            Self::Json => "a JSON object".to_owned(),
        }
    }

    /// A span of time of this kind.
    pub fn time(self, text: &str) -> Option<SignedDuration> {
        let Self::Time { may_be_none, max_secs } = self else { return None };
        if may_be_none && matches!(text.trim(), "0" | "0s") {
            return Some(SignedDuration::ZERO);
        }
        let longest = SignedDuration::try_from(std::time::Duration::from_secs(max_secs)).ok()?;
        parse_duration(text).filter(|time| *time <= longest)
    }
}

/// On or off.
pub fn switch(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let is_on = ON.contains(&text.as_str());
    (is_on || OFF.contains(&text.as_str())).then_some(is_on)
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share))
}

/// A rate, or none where there is no bound.
pub fn rate(text: &str) -> Result<Option<Rate>, RateError> {
    match text.trim() {
        "off" | "" => Ok(None),
        text => text.parse().map(Some),
    }
}

/// Whether it is an address with its port, or none.
fn is_address(text: &str) -> bool {
    let has_port = |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok();
    text.trim().is_empty() || text.trim().rsplit_once(':').is_some_and(has_port)
}

/// A number of seconds that is at most `max`.
pub fn seconds(text: &str, max: u32) -> Option<SignedDuration> {
    let secs: f64 = text.trim().parse().ok()?;
    (0.0..=f64::from(max)).contains(&secs).then(|| SignedDuration::try_from_secs_f64(secs).ok()).flatten()
}
