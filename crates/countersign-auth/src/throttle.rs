//! Slowing guessing down: what an attempt is counted by, before a hash is spent on it.
//!
//! A login is counted by account, address, network and altogether; who comes with the mark of a known device is counted by
//! that, and with the other known devices of the account, so that nobody else can use up what they have. What turns out to be right is given back. A registration is
//! counted whatever comes of it. A token is counted when it has turned out to be bad: no number of guesses finds one, and
//! good ones are to cost nothing; so is the link in a message. A message is counted by its mailbox when it is written. What is to be guessed and short, as a code, goes the way of a login.

use std::net::IpAddr;

use countersign_domain::{Budget, Client, Email, FieldError, Network, Rate, User, seconds_until};
use countersign_metrics::Counter;
use countersign_store::{Charge, Charged};
use countersign_token::{Mac, Refusal};
use jiff::{SignedDuration, Timestamp};

use crate::known_device::{DeviceId, MOST_ASKED, has_a_mark};
use crate::{Auth, ConfiguredKeys, Error, Origin};

/// Bits of a keyed hash that tell the budgets of one kind from each other: there are never more rows, and nobody outside can
/// find out who shares one.
const BITS: u32 = 20;
/// How much more than an address the network around it may.
const OF_A_NETWORK: u32 = 4;
/// How much more than one known device all of an account may: whoever logs in can have as many marks as they like.
const OF_ALL_DEVICES: u32 = MOST_ASKED;

/// How fast may be guessed; `None` for what is not bounded. By default nothing is.
#[derive(Debug, Clone, Default)]
pub struct Throttles {
    /// Whether anything is; only then do clients get the mark of a known device.
    pub is_on: bool,
    /// Logins that fail, of one account from anywhere.
    pub login_account: Option<Rate>,
    /// The same, from one device that has logged in to it before.
    pub login_device: Option<Rate>,
    /// Logins that fail from one address; four times as many from the network around it.
    pub login_address: Option<Rate>,
    /// Logins that fail, altogether.
    pub login_global: Option<Rate>,
    /// Registrations from one address; four times as many from the network around it.
    pub register_address: Option<Rate>,
    /// Registrations altogether.
    pub register_global: Option<Rate>,
    /// Bad tokens from one address; four times as many from the network around it.
    pub token_address: Option<Rate>,
    /// Messages to one mailbox, whoever asks for them.
    pub mailbox: Option<Rate>,
    /// How long a device stays known after its last login.
    pub known_device_lifetime: SignedDuration,
    /// Whether clients are told from the proxies before us. Where they are not, all of them may seem to come from this
    /// machine, whose address then bounds nothing.
    pub has_trusted_proxies: bool,
}

/// What attempts are counted by. The number is the upper part of a row's id: it must not change, and where several are
/// charged at once the lowest is the one that most share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    LoginGlobal = 1,
    LoginNetwork,
    LoginAddress,
    LoginAccount,
    LoginDevice,
    RegisterGlobal,
    RegisterNetwork,
    RegisterAddress,
    TokenNetwork,
    TokenAddress,
    LoginDevices,
    Mailbox,
}

impl Limit {
    /// As the operator is told who asks why a request was refused; as the metric has it.
    fn name(self) -> &'static str {
        match self {
            Self::LoginGlobal => "login_global",
            Self::LoginNetwork => "login_network",
            Self::LoginAddress => "login_address",
            Self::LoginAccount => "login_account",
            Self::LoginDevice | Self::LoginDevices => "login_device",
            Self::RegisterGlobal => "register_global",
            Self::RegisterNetwork => "register_network",
            Self::RegisterAddress => "register_address",
            Self::TokenNetwork => "token_network",
            Self::TokenAddress => "token_address",
            Self::Mailbox => "mailbox",
        }
    }
}

/// An attempt that was admitted: what it was charged to, until that is given back.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    charges: Vec<Charge>,
    limits: Vec<Limit>,
    /// The known device that it comes from.
    pub(crate) device: Option<DeviceId>,
}

/// An attempt that was not admitted: by which row, and until when.
struct Refusing {
    pass: Pass,
    id: i64,
    free_at: Timestamp,
}

/// Hides whose a row is.
pub(crate) struct Buckets(Mac);

impl Buckets {
    pub(crate) fn of(keys: &ConfiguredKeys) -> Self {
        Self(keys.mac(b"countersign attempts v1"))
    }

    /// The row of what is counted by this limit for this one.
    fn id(&self, limit: Limit, whose: &[u8]) -> i64 {
        let code = self.0.of(&[&[limit as u8], whose]);
        let bucket = code.iter().take(4).fold(0, |bits, byte| (bits << 8) | i64::from(*byte));
        (limit as i64) << BITS | bucket & ((1 << BITS) - 1)
    }
}

impl Pass {
    fn add(&mut self, buckets: &Buckets, limit: Limit, rate: Option<Rate>, whose: &[u8]) {
        if let Some(rate) = rate {
            self.limits.push(limit);
            self.charges.push(Charge { id: buckets.id(limit, whose), budget: Budget::of(rate) });
        }
    }

    fn add_networks(&mut self, buckets: &Buckets, limits: [Limit; 2], rate: Option<Rate>, address: IpAddr) {
        let [of_network, of_address] = limits;
        let (wide, narrow) = if address.to_canonical().is_ipv4() { (24, 32) } else { (48, 64) };
        let octets = |bits| Network::of(address, bits).first_octets();
        self.add(buckets, of_network, rate.map(|rate| rate.times(OF_A_NETWORK)), &octets(wide));
        self.add(buckets, of_address, rate, &octets(narrow));
    }
}

impl Auth {
    /// Lets somebody guess the password of a user, or of nobody who typed this name, or refuses with
    /// [`Error::Throttled`]; that looks the same for both.
    pub(crate) async fn admit_login(
        &self,
        typed: &str,
        user: Option<&User>,
        origin: &Origin<'_>,
        marks: &[&str],
    ) -> Result<Pass, Error> {
        if !self.rules.throttles.is_on {
            return Ok(Pass::default());
        }
        let devices = self.known_devices(user, marks);
        if let Some(user) = user {
            let mut soonest: Option<Refusing> = None;
            // One that has used up its budget does not stand before another that has not.
            for device in &devices {
                match self.try_to_charge(self.pass_of_a_device(user, device)).await? {
                    Ok(pass) => return Ok(pass),
                    Err(refusing) if soonest.as_ref().is_some_and(|it| it.free_at <= refusing.free_at) => {}
                    Err(refusing) => soonest = Some(refusing),
                }
            }
            if let Some(refusing) = soonest {
                return Err(self.refuse(&refusing, origin));
            }
        }
        // The same budget before and after somebody takes the name, and names that the database takes for one (where its
        // column does not look at case) have one.
        let whose = user.map_or(typed, |user| &user.username);
        self.charge(self.pass_of_a_stranger(whose, origin), origin).await
    }

    /// Refuses a login for which it was said a moment ago that it has to wait, before anything is looked up for it. Whoever
    /// has a mark may go by that alone.
    pub(crate) fn refuse_again(&self, typed: &str, origin: &Origin<'_>, marks: &[&str]) -> Result<(), Error> {
        if !self.rules.throttles.is_on || has_a_mark(marks) || self.refusals.is_empty() {
            return Ok(());
        }
        self.recall(&self.pass_of_a_stranger(typed, origin), origin)
    }

    /// What a login is counted by that comes from no known device.
    fn pass_of_a_stranger(&self, whose: &str, origin: &Origin<'_>) -> Pass {
        let (throttles, mut pass) = (&self.rules.throttles, Pass::default());
        pass.add(&self.buckets, Limit::LoginGlobal, throttles.login_global, b"");
        if let Some(address) = self.address_of(&origin.client) {
            let limits = [Limit::LoginNetwork, Limit::LoginAddress];
            pass.add_networks(&self.buckets, limits, throttles.login_address, address);
        }
        pass.add(&self.buckets, Limit::LoginAccount, throttles.login_account, whose.as_bytes());
        pass
    }

    /// What a login is counted by that comes from this device of a user's.
    fn pass_of_a_device(&self, user: &User, device: &DeviceId) -> Pass {
        let (rate, mut pass) = (self.rules.throttles.login_device, Pass::default());
        pass.add(&self.buckets, Limit::LoginDevice, rate, device.as_bytes());
        let of_all = rate.map(|rate| rate.times(OF_ALL_DEVICES));
        pass.add(&self.buckets, Limit::LoginDevices, of_all, user.username.as_bytes());
        Pass { device: Some(device.clone()), ..pass }
    }

    /// Lets somebody register, or refuses with [`Error::Throttled`].
    pub(crate) async fn admit_registration(&self, origin: &Origin<'_>) -> Result<Pass, Error> {
        let throttles = &self.rules.throttles;
        let mut pass = Pass::default();
        if !throttles.is_on {
            return Ok(pass);
        }
        pass.add(&self.buckets, Limit::RegisterGlobal, throttles.register_global, b"");
        if let Some(address) = self.address_of(&origin.client) {
            let limits = [Limit::RegisterNetwork, Limit::RegisterAddress];
            pass.add_networks(&self.buckets, limits, throttles.register_address, address);
        }
        self.charge(pass, origin).await
    }

    /// Whether somebody may be written to. Nobody is told.
    pub(crate) async fn admit_mail(&self, email: &Email) -> Result<bool, Error> {
        let throttles = &self.rules.throttles;
        let mut pass = Pass::default();
        if throttles.is_on {
            pass.add(&self.buckets, Limit::Mailbox, throttles.mailbox, email.mailbox().as_bytes());
        }
        let is_admitted = self.try_to_charge(pass).await?.is_ok();
        if !is_admitted {
            self.throttled(Limit::Mailbox).inc();
        }
        Ok(is_admitted)
    }

    /// The outcome of a use of a token; if that is bad, and this client has sent too many of them, [`Error::Throttled`].
    pub(crate) async fn slow_down<T>(
        &self,
        outcome: Result<T, Error>,
        origin: &Origin<'_>,
    ) -> Result<T, Error> {
        let throttles = &self.rules.throttles;
        let (Err(error), true) = (&outcome, throttles.is_on) else { return outcome };
        let (true, Some(address)) = (is_of_bad_token(error), self.address_of(&origin.client)) else {
            return outcome;
        };
        let mut pass = Pass::default();
        let limits = [Limit::TokenNetwork, Limit::TokenAddress];
        pass.add_networks(&self.buckets, limits, throttles.token_address, address);
        match self.charge(pass, origin).await {
            Err(refused @ Error::Throttled { .. }) => Err(refused),
            Ok(_) => outcome,
            Err(error) => {
                tracing::debug!(%error, "a bad token was not counted");
                outcome
            }
        }
    }

    /// Gives back what was charged, as nothing was guessed. A known device that `was_right` has all of its budget again;
    /// otherwise, and of what others share, no more is given back than was taken, or whoever has an account could have it
    /// made whole.
    pub(crate) async fn give_back(&self, pass: &mut Pass, was_right: bool) {
        let charges = std::mem::take(&mut pass.charges);
        if charges.is_empty() {
            return;
        }
        let count = |charge: &Charge| {
            let is_whole = was_right && charge.id >> BITS == Limit::LoginDevice as i64;
            if is_whole { charge.budget.burst() } else { 1 }
        };
        let returns = charges.iter().map(|charge| (*charge, count(charge))).collect();
        let giving = Box::pin(self.store.give_back(returns, self.clock.now()));
        if let Err(error) = giving.await {
            tracing::debug!(%error, "an attempt was not given back");
        }
        self.refusals.forget(&charges);
    }

    async fn charge(&self, pass: Pass, origin: &Origin<'_>) -> Result<Pass, Error> {
        self.try_to_charge(pass).await?.map_err(|refusing| self.refuse(&refusing, origin))
    }

    fn refuse(&self, refusing: &Refusing, origin: &Origin<'_>) -> Error {
        let Refusing { pass, id, free_at } = refusing;
        self.refused(pass, *id, *free_at, self.clock.now(), origin)
    }

    /// The pass, or which of its budgets is used up, and until when.
    async fn try_to_charge(&self, pass: Pass) -> Result<Result<Pass, Refusing>, Error> {
        if pass.charges.is_empty() {
            return Ok(Ok(pass));
        }
        let now = self.clock.now();
        if let Some((id, free_at)) = self.refusals.find(&pass.charges, now) {
            return Ok(Err(Refusing { pass, id, free_at }));
        }
        // Boxed, as it is large and lies within every use of a token.
        let charging = Box::pin(self.store.charge(pass.charges.clone(), now));
        let Charged::Refused { id, free_at } = charging.await? else { return Ok(Ok(pass)) };
        self.refusals.remember(id, free_at, now);
        Ok(Err(Refusing { pass, id, free_at }))
    }

    /// Refuses what was refused a moment ago.
    fn recall(&self, pass: &Pass, origin: &Origin<'_>) -> Result<(), Error> {
        let now = self.clock.now();
        match self.refusals.find(&pass.charges, now) {
            Some((id, free_at)) => Err(self.refused(pass, id, free_at, now, origin)),
            None => Ok(()),
        }
    }

    fn refused(
        &self,
        pass: &Pass,
        id: i64,
        free_at: Timestamp,
        now: Timestamp,
        origin: &Origin<'_>,
    ) -> Error {
        let refusing = pass.limits.iter().find(|limit| id >> BITS == **limit as i64);
        if let Some(limit) = refusing {
            self.throttled(*limit).inc();
            origin.note(|evidence| evidence.counter = Some(limit.name()));
        }
        Error::Throttled { wait_secs: seconds_until(free_at, now) }
    }

    /// Where a client comes from, if that is of use: this machine's own address may be a proxy's.
    fn address_of(&self, client: &Client) -> Option<IpAddr> {
        let address: IpAddr = client.address.as_deref()?.parse().ok()?;
        let may_be_a_proxy =
            address.to_canonical().is_loopback() && !self.rules.throttles.has_trusted_proxies;
        (!may_be_a_proxy).then_some(address)
    }

    fn throttled(&self, limit: Limit) -> &Counter {
        let throttled = &self.metrics().throttled;
        match limit {
            Limit::LoginGlobal => &throttled.login_global,
            Limit::LoginNetwork => &throttled.login_network,
            Limit::LoginAddress => &throttled.login_address,
            Limit::LoginAccount => &throttled.login_account,
            Limit::LoginDevice | Limit::LoginDevices => &throttled.login_device,
            Limit::RegisterGlobal => &throttled.register_global,
            Limit::RegisterNetwork => &throttled.register_network,
            Limit::RegisterAddress => &throttled.register_address,
            Limit::TokenNetwork => &throttled.token_network,
            Limit::TokenAddress => &throttled.token_address,
            Limit::Mailbox => &throttled.mailbox,
        }
    }
}

/// Whether somebody presented what is no token, or one that is not theirs any more. One that has just expired is what
/// everybody presents now and then.
fn is_of_bad_token(error: &Error) -> bool {
    match error {
        Error::Token(Refusal::Expired | Refusal::TimeClaimExpired(_)) => false,
        Error::Fields(fields) => fields.iter().any(|(_, errors)| errors.contains(&FieldError::InvalidLink)),
        Error::Token(_) | Error::NoActiveAccountForToken | Error::VerifiedTokenBlacklisted => true,
        _ => false,
    }
}
