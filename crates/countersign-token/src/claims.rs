//! The claims of a token, in order.

use crate::json::{Int, Object, Value};
use jiff::{SignedDuration, Timestamp};

/// The claims of a token, in the order they are written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claims(pub Object);

/// What the user id claim holds, read as Python's `int()` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIdClaim {
    /// No such claim.
    Missing,
    /// `null`.
    Null,
    /// A number, or text that Python reads as one. Zero included.
    Id(i64),
    /// A number that no database column holds.
    OutOfRange,
    /// Anything else; the reference crashes on it.
    NotAnInteger,
}

impl Claims {
    /// The claim of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets a claim: in place when it is there, at the end when not.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name, value);
    }

    /// The token's id when it is a string that can be stored; the claim is `jti` by default.
    #[must_use]
    pub fn jti(&self, jti_claim: &str) -> Option<&str> {
        self.get(jti_claim)?.as_str()
    }

    /// Whether the claim is there and Python's `bool()` of it is true: a refresh looks for its user only then.
    #[must_use]
    pub fn is_truthy(&self, name: &str) -> bool {
        self.get(name).is_some_and(Value::is_truthy)
    }

    /// The user's id; the claim is `user_id` by default. Text may have white space around it, a sign, leading zeros,
    /// underscores and digits of any script; floats are truncated; `true` is 1.
    #[must_use]
    pub fn user_id(&self, user_id_claim: &str) -> UserIdClaim {
        match self.get(user_id_claim) {
            None => UserIdClaim::Missing,
            Some(Value::Null) => UserIdClaim::Null,
            Some(value) => value.to_python_int().map_or(UserIdClaim::NotAnInteger, |id| {
                id.to_i64().map_or(UserIdClaim::OutOfRange, UserIdClaim::Id)
            }),
        }
    }

    /// When the token expires; `None` when `exp` is missing or no number. What lies beyond the years that a
    /// [`Timestamp`] spans becomes its end.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let since_epoch = since_epoch(self.get("exp")?)?;
        Some(Timestamp::from_duration(since_epoch).unwrap_or(if since_epoch.is_negative() {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        }))
    }
}

/// Python's `int()` of a time claim, as a duration since the epoch.
pub(crate) fn whole_seconds(value: &Value) -> Option<SignedDuration> {
    value.to_python_int().as_ref().map(Int::saturated).map(SignedDuration::from_secs)
}

/// Python's `datetime.fromtimestamp` of a number in the years 1 to 9999, as a duration since the epoch.
pub(crate) fn since_epoch(value: &Value) -> Option<SignedDuration> {
    let moment = match value {
        Value::Bool(_) | Value::Int(_) => whole_seconds(value)?,
        Value::Float(seconds) => SignedDuration::try_from_secs_f64(*seconds).ok()?,
        _ => return None,
    };
    (-62_135_596_800..=253_402_300_799).contains(&moment.as_secs()).then_some(moment)
}
