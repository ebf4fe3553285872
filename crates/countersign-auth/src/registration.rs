//! Registration that tells nobody who has an account (`REGISTRATION_PRIVACY`): whoever gives an address is answered alike
//! before anything is looked up, and the rest is said to whoever reads its mail. Without it `register.rs` makes an account at
//! once.
//!
//! The password is chosen by whoever has the link, and not before: else somebody could register another's address with a
//! password of their own, and wait for the owner to follow the link.

use countersign_domain::{
    Actor, Email, Event, EventKind, FieldError, LoginField, MailKind, NewUser, Password, RawText, User,
    Username,
};
use countersign_metrics::Counter;
use countersign_store::{InsertUserError, Queueing};
use jiff::SignedDuration;

use crate::error::{Submitted, refused_fields};
use crate::hashing::Network;
use crate::register::{attributes, no_address};
use crate::{Auth, ConfirmPage, Error, Origin, parse_token_field};

/// What of registration by mail is decided by settings.
#[derive(Debug, Clone)]
pub struct PrivateRegistration {
    /// Where the link in a message leads.
    pub page: ConfirmPage,
    /// How long it is good.
    pub link_lifetime: SignedDuration,
}

impl Auth {
    /// Whether accounts are made by mail alone.
    #[must_use]
    pub fn registers_by_mail(&self) -> bool {
        self.rules.private_registration.is_some()
    }

    /// Has a message sent to this address, which says how an account is made, or that there is one. No account is looked
    /// for here, so that the answer, its work and its statements do not depend on any.
    pub async fn request_registration(&self, email: Submitted, origin: &Origin<'_>) -> Result<(), Error> {
        let mut pass = self.admit_registration(origin).await?;
        let requested = match self.parse_address(email) {
            Ok(email) => self.queue_registration(&email).await,
            Err(errors) => Err(Error::Fields(vec![("email", errors)])),
        };
        match &requested {
            Ok(()) => {}
            Err(Error::Fields(_)) => {
                self.metrics().registrations.refused.inc();
            }
            Err(_) => self.give_back(&mut pass, false).await,
        }
        requested
    }

    async fn queue_registration(&self, email: &Email) -> Result<(), Error> {
        match self.queue_mail(MailKind::Registration, email).await? {
            Queueing::Queued | Queueing::Waiting | Queueing::InPlaceOf(_) => Ok(()),
            Queueing::Full => Err(Error::OutboxFull),
        }
    }

    /// Makes the account that a link was sent for, with a password that is chosen now. A link that is forged, expired or used
    /// is refused as [`FieldError::InvalidLink`], which is counted as a bad token is.
    pub async fn confirm_registration(
        &self,
        token: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
    ) -> Result<User, Error> {
        let confirmed = self.try_to_confirm(token, password, origin).await;
        let registrations = &self.metrics().registrations;
        let counter = match &confirmed {
            Ok(_) => Some(&registrations.done),
            Err(Error::Fields(_)) => Some(&registrations.refused),
            Err(_) => None,
        };
        counter.map(Counter::inc);
        self.slow_down(confirmed, origin).await
    }

    async fn try_to_confirm(
        &self,
        token: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
    ) -> Result<User, Error> {
        let token = parse_token_field("token", token);
        let password = password.map_err(|error| vec![error]).and_then(|raw| Password::parse_new(&raw));
        let (token, password) = match (token, password) {
            (Ok(token), Ok(password)) => (token, password),
            (Ok(_), Err(errors)) => return Err(refused_fields([("password", Some(errors))])),
            (Err(Error::Fields(mut fields)), password) => {
                fields.extend(password.err().map(|errors| ("password", errors)));
                return Err(Error::Fields(fields));
            }
            (Err(error), _) => return Err(error),
        };
        let email = match self.links.read(&token, self.clock.now()) {
            Ok(address) => self.parse_address(Ok(RawText::from(address))).ok(),
            Err(rule) => return Err(invalid_link(rule, origin)),
        };
        // What was good when it was sent need not be by the settings of now.
        let email = email.ok_or_else(|| invalid_link("link_for_what_is_no_name", origin))?;
        if self.has_account(&email).await? {
            return Err(invalid_link("link_used", origin));
        }
        self.make_account_of(&email, password, origin).await
    }

    async fn make_account_of(
        &self,
        email: &Email,
        password: Password,
        origin: &Origin<'_>,
    ) -> Result<User, Error> {
        self.check_policy(&password, &attributes(None, email))?;
        let hash = self.hashing.make(Network::of(&origin.client), password).await?;
        let user = NewUser::registered(None, email, hash, self.clock.now());
        let event = self.event(EventKind::UserCreated, Actor::User, origin);
        let event = Event { name: Some(user.username.clone()), ..event };
        let store = self.store.noting(event);
        match store.insert_user_of_address(user.clone(), email.without_case()).await {
            Ok(id) => {
                tracing::info!(user.id = %id, "account made");
                Ok(user.with_id(id))
            }
            Err(InsertUserError::Store(error)) => Err(error.into()),
            Err(InsertUserError::UsernameTaken | InsertUserError::UsernameTooLong) => {
                Err(invalid_link("link_used", origin))
            }
        }
    }

    /// Whether an account has this address, or its name.
    pub(crate) async fn has_account(&self, email: &Email) -> Result<bool, Error> {
        Ok(self.store.username_exists(&email.stored()).await?
            || self.store.address_exists(&email.without_case()).await?)
    }

    /// The address, which has to do for a name as well; by nothing that is stored. In lower case: who asks for another's
    /// address is not to choose how its owner has to write the name. A name is stored in form KC: an address that this changes
    /// would have another's.
    pub(crate) fn parse_address(&self, submitted: Submitted) -> Result<Email, Vec<FieldError>> {
        let raw = submitted.map_err(|error| vec![no_address(error)])?;
        let email = Email::check(&raw).map_err(|blank| vec![blank])?.finish(false)?.into_lower_case();
        if email.as_sent().parse::<lettre::Address>().is_err() {
            // Django takes some that no mail can be sent to.
            return Err(vec![FieldError::InvalidEmail]);
        }
        if self.login_field() == LoginField::Email {
            return Ok(email);
        }
        let stored = email.stored();
        let in_our_words = |error| match error {
            FieldError::InvalidUsername => FieldError::AddressIsNoUsername,
            error => error,
        };
        match Username::parse(&RawText::from(stored.clone())) {
            Ok(name) if name.stored() == stored => Ok(email),
            Ok(_) => Err(vec![FieldError::AddressIsNoUsername]),
            Err(errors) => Err(errors.into_iter().map(in_our_words).collect()),
        }
    }
}

/// One sentence for all; why, is for the operator.
fn invalid_link(rule: &'static str, origin: &Origin<'_>) -> Error {
    origin.note(|evidence| evidence.rule = Some(rule));
    Error::Fields(vec![("token", vec![FieldError::InvalidLink])])
}
