//! Making an account at once: the form with name and password, as the original has it. Where `REGISTRATION_PRIVACY` is on,
//! `registration.rs` has accounts made by mail instead.

use countersign_domain::{
    Actor, Email, Event, EventKind, FieldError, LoginField, NewUser, Password, User, UserAttributes, Username,
};
use countersign_metrics::Counter;
use countersign_store::InsertUserError;

use crate::error::{Submitted, refused_fields};
use crate::hashing::Network;
use crate::{Auth, Error, Origin};

impl Auth {
    /// Checks all fields together, then the password against the policy, and makes an ordinary, active user.
    ///
    /// A missing `email` is [`FieldError::Required`] in [`Submitted`], and means none. Where users log in with their e-mail
    /// address, they have to have one, and no `username`. Refuses with [`Error::Fields`].
    pub async fn register(
        &self,
        username: Submitted,
        email: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
    ) -> Result<User, Error> {
        let mut pass = self.admit_registration(origin).await?; // a refused form tells which names there are
        let registered = self.try_to_register(username, email, password, origin).await;
        let registrations = &self.metrics().registrations;
        let counter = match &registered {
            Ok(_) => Some(&registrations.done),
            Err(Error::Fields(_)) => Some(&registrations.refused),
            Err(_) => None, // which is not the form's fault; requests are counted by code as well
        };
        // With too many who wait, it has told whether the name is taken.
        if counter.is_none() && !matches!(registered, Err(Error::Overloaded)) {
            self.give_back(&mut pass, false).await;
        }
        counter.map(Counter::inc);
        registered
    }

    async fn try_to_register(
        &self,
        username: Submitted,
        email: Submitted,
        password: Submitted,
        origin: &Origin<'_>,
    ) -> Result<User, Error> {
        let (username, email) = match self.login_field() {
            LoginField::Username => (self.check_username(username).await?.map(Some), optional_email(email)),
            LoginField::Email => (Ok(None), self.check_email(email).await?),
        };
        let password = password.map_err(|error| vec![error]).and_then(|raw| Password::parse_new(&raw));
        let (username, email, password) = all_or_errors(username, email, password)?;
        let event = self.event(EventKind::UserCreated, Actor::User, origin);
        let from = Network::of(&origin.client);
        self.make_account(username.as_ref(), &email, password, false, (from, event)).await
    }

    /// Checks the password against the policy and makes an active user.
    pub(crate) async fn make_account(
        &self,
        username: Option<&Username>,
        email: &Email,
        password: Password,
        is_superuser: bool,
        (from, event): (Network, Event),
    ) -> Result<User, Error> {
        self.check_policy(&password, &attributes(username, email))?;
        let hash = self.hashing.make(from, password).await?;
        let mut user = NewUser::registered(username, email, hash, self.clock.now());
        user.is_staff = is_superuser;
        user.is_superuser = is_superuser;
        let event = Event { name: Some(user.username.clone()), ..event };
        let event = if is_superuser { event.with("is_superuser", "true") } else { event };
        match self.store.noting(event).insert_user(user.clone()).await {
            Ok(id) => {
                tracing::info!(user.id = %id, "account made");
                Ok(user.with_id(id))
            }
            Err(InsertUserError::Store(error)) => Err(error.into()),
            Err(InsertUserError::UsernameTooLong) => {
                let max = match self.login_field() {
                    LoginField::Username => Username::MAX_LENGTH,
                    LoginField::Email => Email::MAX_LENGTH,
                };
                Err(self.refused_name(FieldError::TooLong { max }))
            }
            Err(InsertUserError::UsernameTaken) => Err(self.refused_name(match self.login_field() {
                LoginField::Username => FieldError::UsernameTaken,
                LoginField::Email => FieldError::EmailTaken,
            })),
        }
    }

    fn refused_name(&self, error: FieldError) -> Error {
        Error::Fields(vec![(self.login_field().name(), vec![error])])
    }

    pub(crate) fn check_policy(
        &self,
        password: &Password,
        attributes: &UserAttributes<'_>,
    ) -> Result<(), Error> {
        match self.policy.check(password, attributes) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(Error::Fields(vec![("password", errors)])),
        }
    }

    /// The name, or all that is wrong with it; whether it is taken is asked even when other checks failed.
    async fn check_username(&self, submitted: Submitted) -> Result<Result<Username, Vec<FieldError>>, Error> {
        let check = match submitted.and_then(|raw| Username::check(&raw)) {
            Ok(check) => check,
            Err(error) => return Ok(Err(vec![error])),
        };
        let taken = self.is_taken(check.to_look_up()).await?;
        Ok(check.finish(taken))
    }

    /// The address to log in with, as [`check_username`](Self::check_username).
    async fn check_email(&self, submitted: Submitted) -> Result<Result<Email, Vec<FieldError>>, Error> {
        let check = match submitted.map_err(no_address).and_then(|raw| Email::check(&raw)) {
            Ok(check) => check,
            Err(error) => return Ok(Err(vec![error])),
        };
        let taken = self.is_taken(check.to_look_up()).await?;
        Ok(check.finish(taken))
    }

    async fn is_taken(&self, name: Option<&str>) -> Result<bool, Error> {
        Ok(match name {
            Some(name) => self.store.username_exists(name).await?,
            None => false,
        })
    }
}

/// What a new account's password must not be like.
pub(crate) fn attributes<'a>(username: Option<&'a Username>, email: &'a Email) -> UserAttributes<'a> {
    let username = username.map_or("", Username::as_sent);
    UserAttributes { username, first_name: "", last_name: "", email: email.as_sent() }
}

fn optional_email(submitted: Submitted) -> Result<Email, Vec<FieldError>> {
    match submitted {
        Ok(raw) => Email::parse(&raw),
        Err(FieldError::Required) => Ok(Email::default()),
        Err(error) => Err(vec![no_address(error)]),
    }
}

/// What is no text is no address either, in the reference's words.
pub(crate) fn no_address(error: FieldError) -> FieldError {
    if error == FieldError::NotAString { FieldError::InvalidEmail } else { error }
}

fn all_or_errors(
    username: Result<Option<Username>, Vec<FieldError>>,
    email: Result<Email, Vec<FieldError>>,
    password: Result<Password, Vec<FieldError>>,
) -> Result<(Option<Username>, Email, Password), Error> {
    match (username, email, password) {
        (Ok(username), Ok(email), Ok(password)) => Ok((username, email, password)),
        (username, email, password) => Err(refused_fields([
            ("username", username.err()),
            ("email", email.err()),
            ("password", password.err()),
        ])),
    }
}
