//! The mark of a known device: what a login hands out, and who brings it back has logged in to this account before.
//!
//! It lets nobody in. Whoever has one guesses the password of its account within a budget of the device's own, so that
//! nobody else can lock the owner out. It is bound to the account and its password hash by a key derived from `SECRET_KEY`;
//! nothing of it is stored.

use countersign_domain::{PasswordHash, User, UserId};
use jiff::{SignedDuration, Timestamp};

use crate::proofs::Proofs;
use crate::{Auth, ConfiguredKeys};

/// As long as what is stored for most users.
const USUAL_HASH: &str = "argon2$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ$\
                          MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";
/// A client keeps marks of so many users; of more, one takes the place of another's.
const PLACES: u8 = 32;
/// Of so many devices the budgets are asked for. More would not help: who has used up those of so many has used up that of
/// all of the account's.
pub(crate) const MOST_ASKED: u32 = 4;

/// What a client is to keep and to send with its next login.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownDevice {
    /// The mark: visible ASCII without anything that would have to be quoted in a cookie.
    pub mark: String,
    /// Which of those that a client keeps it takes the place of: one of a few, always the same for a user.
    pub place: u8,
    /// How long it is good.
    pub lifetime: SignedDuration,
}

/// A mark is not printed.
impl std::fmt::Debug for KnownDevice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KnownDevice(..)")
    }
}

/// What tells a known device from others: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceId(String);

impl DeviceId {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Makes and checks marks.
pub(crate) struct Marks(Proofs);

impl Marks {
    pub(crate) fn of(keys: &ConfiguredKeys) -> Self {
        Self(Proofs::of(keys, b"countersign known devices v1"))
    }

    fn make(&self, user: &User, device: &DeviceId, expires_at: Timestamp) -> String {
        let expires = expires_at.as_second().to_string();
        let proof = self.0.make(&bound_to(&user.id.to_string(), user, device, &expires));
        format!("{}.{expires}.{proof}", device.0)
    }

    /// The device whose mark for this user this is, and when that expires.
    fn read(&self, user: &User, mark: &str) -> Option<(DeviceId, Timestamp)> {
        let mut parts = mark.split('.');
        let (device, expires, proof) = (parts.next()?, parts.next()?, parts.next()?);
        let device = DeviceId(device.to_owned());
        let id = user.id.to_string();
        let is_ours = self.0.is_of(&bound_to(&id, user, &device, expires), proof);
        let expires_at = Timestamp::from_second(expires.parse().ok()?).ok()?;
        is_ours.then_some((device, expires_at))
    }
}

/// The devices whose marks for this user these are, each once, in their order, with the ends of their time. All are looked
/// at (a head has room for some 500), by `read`, and for nobody as for somebody: that there is no such user must not be
/// told by the time that takes.
fn good_for(
    user: Option<&User>,
    marks: &[&str],
    read: impl Fn(&User, &str) -> Option<(DeviceId, Timestamp)>,
) -> Vec<(DeviceId, Timestamp)> {
    let nobody = if user.is_none() && has_a_mark(marks) { Some(nobody()) } else { None };
    let Some(whose) = user.or(nobody.as_ref()) else { return Vec::new() };
    let of_our_shape = marks.iter().filter(|mark| is_shaped_like_one(mark));
    let mut good: Vec<(DeviceId, Timestamp)> = Vec::new();
    for (device, expires_at) in of_our_shape.filter_map(|mark| read(whose, mark)) {
        if !good.iter().any(|(known, _)| *known == device) {
            good.push((device, expires_at));
        }
    }
    if user.is_some() { good } else { Vec::new() }
}

fn bound_to<'a>(id: &'a str, user: &'a User, device: &'a DeviceId, expires: &'a str) -> [&'a [u8]; 4] {
    [id.as_bytes(), user.password_hash.as_str().as_bytes(), device.as_bytes(), expires.as_bytes()]
}

/// Whether one of these could be a mark.
pub(crate) fn has_a_mark(marks: &[&str]) -> bool {
    marks.iter().any(|mark| is_shaped_like_one(mark))
}

/// What is not need not be computed with; and what others have planted does not hide ours behind it.
fn is_shaped_like_one(mark: &str) -> bool {
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = mark.split('.');
    let parts = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(device), Some(expires), Some(proof), None) = parts else { return false };
    let is_number = (1..=20).contains(&expires.len()) && expires.bytes().all(|byte| byte.is_ascii_digit());
    is_hex(device, 32) && is_number && is_hex(proof, 64)
}

/// Who has no account.
fn nobody() -> User {
    User {
        id: UserId::Number(0),
        username: String::new(),
        email: String::new(),
        password_hash: PasswordHash::new(USUAL_HASH.to_owned()),
        is_active: false,
        is_staff: false,
        is_superuser: false,
        first_name: String::new(),
        last_name: String::new(),
        last_login: None,
        date_joined: Timestamp::UNIX_EPOCH,
    }
}

fn place_of(user: &User) -> u8 {
    let number =
        user.id.to_string().bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(10).wrapping_add(byte.into()));
    u8::try_from(number % u32::from(PLACES)).unwrap_or_default()
}

impl Auth {
    /// The devices whose marks these are, as far as they are good for this user at this time. A client brings those of other
    /// users too, and what a neighbour under the same domain has planted.
    pub(crate) fn known_devices(&self, user: Option<&User>, marks: &[&str]) -> Vec<DeviceId> {
        let (now, lifetime) = (self.clock.now(), self.rules.throttles.known_device_lifetime);
        let is_in_time = |expires_at: Timestamp| {
            let left = expires_at.duration_since(now);
            SignedDuration::ZERO < left && left <= lifetime
        };
        let good = good_for(user, marks, |user, mark| self.marks.read(user, mark)).into_iter();
        let devices = good.filter_map(|(device, expires_at)| is_in_time(expires_at).then_some(device));
        devices.take(usize::try_from(MOST_ASKED).unwrap_or_default()).collect()
    }

    /// What the device of a user who has just logged in is to keep; `None` where nothing is slowed down.
    pub(crate) fn make_known(&self, user: &User, device: Option<&DeviceId>) -> Option<KnownDevice> {
        let throttles = &self.rules.throttles;
        let lifetime = throttles.known_device_lifetime;
        let expires_at = self.clock.now().checked_add(lifetime).ok().filter(|_| throttles.is_on)?;
        let device = device.cloned().unwrap_or_else(|| DeviceId(uuid::Uuid::new_v4().simple().to_string()));
        Some(KnownDevice {
            mark: self.marks.make(user, &device, expires_at),
            place: place_of(user),
            lifetime,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_what_is_shaped_like_a_mark_is_computed_with() {
        let (device, proof) = ("0f".repeat(16), "a5".repeat(32));
        let good = format!("{device}.1767225600.{proof}");
        assert!(is_shaped_like_one(&good) && has_a_mark(&["a.1.00", &good]));
        for bad in [
            String::new(),
            "a.1.00".to_owned(),
            format!("{device}..{proof}"),
            format!("{device}.1.{proof}."),
            format!("{device}.-1.{proof}"),
            format!("{device}.1.{}", "x".repeat(64)),
            format!("{device}.{}.{proof}", "1".repeat(21)),
        ] {
            assert!(!is_shaped_like_one(&bad), "{bad}");
        }
    }

    #[test]
    fn marks_are_looked_at_for_nobody_as_for_somebody_all_of_them() {
        let mark = |device: u8| format!("{device:032x}.1767225600.{}", "a5".repeat(32));
        let marks: Vec<String> = (0..10).map(mark).collect();
        let marks: Vec<&str> = marks.iter().map(String::as_str).chain(["no mark"]).collect();
        let somebody = User { id: UserId::Number(7), is_active: true, ..nobody() };
        let good = DeviceId(format!("{:032x}", 3));
        let looked = |user: Option<&User>| {
            let (looks, bytes) = (Cell::new(0), Cell::new(0));
            let found = good_for(user, &marks, |whose, mark| {
                looks.set(looks.get() + 1);
                bytes.set(bytes.get() + whose.password_hash.as_str().len());
                mark.starts_with(&good.0).then(|| (good.clone(), Timestamp::MAX))
            });
            (looks.get(), bytes.get(), found.len())
        };
        assert_eq!(looked(Some(&somebody)), (10, 10 * USUAL_HASH.len(), 1));
        assert_eq!(looked(None), (10, 10 * USUAL_HASH.len(), 0));
    }
}
