//! What an operator does with accounts from the command line.

use countersign_domain::{
    Actor, Email, EndReason, Event, EventKind, FieldError, LoginField, Password, PasswordPolicy, RawText,
    User, UserAttributes, UserId, Username,
};
use countersign_store::{Ended, StoreError, UserChange};

use crate::hashing::Network;
use crate::register::attributes;
use crate::{Auth, Error};

/// An account to make from the command line.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Log-in name; the e-mail address where users log in with that.
    pub username: String,
    /// E-mail address; may be empty, and has to be where it is the log-in name.
    pub email: String,
    /// Whether it may enter Django's admin and has every permission.
    pub is_superuser: bool,
}

/// Why an operator's command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No user has this name.
    #[error("no user is called {0:?}; `countersign user list` shows those there are")]
    NotFound(String),
    /// A value was refused.
    #[error("the {field} was refused")]
    Refused {
        /// Which value.
        field: &'static str,
        /// Why, all reasons.
        errors: Vec<FieldError>,
    },
    /// The name of an account is its e-mail address, and another address was given.
    #[error("users log in with their e-mail address, which is the name here; leave out the other address")]
    TwoAddresses,
    /// Anything else.
    #[error(transparent)]
    Auth(Error),
}

impl From<Error> for UserError {
    fn from(error: Error) -> Self {
        match error {
            Error::Fields(fields) => match fields.into_iter().next() {
                Some((field, errors)) => Self::Refused { field, errors },
                None => Self::Auth(Error::Fields(Vec::new())),
            },
            other => Self::Auth(other),
        }
    }
}

/// What can be refused before there is a database. Only that can say whether a name is taken.
impl NewAccount {
    /// Refuses a name or an address that no account can have.
    pub fn check_names(&self, login: LoginField) -> Result<(), UserError> {
        self.names(login).map(drop)
    }

    /// Refuses a password that this account cannot have.
    pub fn check_password(
        &self,
        login: LoginField,
        policy: &PasswordPolicy,
        password: &str,
    ) -> Result<(), UserError> {
        let (username, email) = self.names(login)?;
        match policy.check(&parse_password(password)?, &attributes(username.as_ref(), &email)) {
            errors if errors.is_empty() => Ok(()),
            errors => Err(refused("password")(errors)),
        }
    }

    fn names(&self, login: LoginField) -> Result<(Option<Username>, Email), UserError> {
        let (name, email) = (RawText::from(self.username.clone()), RawText::from(self.email.clone()));
        match login {
            LoginField::Username => {
                let username = Username::parse(&name).map_err(refused("username"))?;
                Ok((Some(username), Email::parse(&email).map_err(refused("email"))?))
            }
            LoginField::Email if !self.email.is_empty() && self.email != self.username => {
                Err(UserError::TwoAddresses)
            }
            LoginField::Email => {
                let check = Email::check(&name).map_err(|error| refused("email")(vec![error]))?;
                Ok((None, check.finish(false).map_err(refused("email"))?))
            }
        }
    }
}

impl Auth {
    /// The user with exactly this name.
    pub async fn get_user(&self, username: &str) -> Result<User, UserError> {
        let found = self.store.find_user_by_username(username).await.map_err(Error::from)?;
        found.ok_or_else(|| UserError::NotFound(username.to_owned()))
    }

    /// At most `limit` users by id, those after `after` only.
    pub async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, Error> {
        Ok(self.store.list_users(after, limit).await?)
    }

    /// Makes an account under the same rules as registration.
    pub async fn create_user(&self, account: NewAccount, password: &str) -> Result<User, UserError> {
        let (username, email) = account.names(self.login_field())?;
        let password = parse_password(password)?;
        let by = (Network::Operator, self.operators_event(EventKind::UserCreated));
        Ok(self.make_account(username.as_ref(), &email, password, account.is_superuser, by).await?)
    }

    /// Refuses what would be refused of a new account, but for its password.
    pub async fn check_names(&self, account: &NewAccount) -> Result<(), UserError> {
        let (username, email) = account.names(self.login_field())?;
        let name = username.map_or_else(|| email.stored(), |username| username.stored().to_owned());
        match (self.get_user(&name).await, self.login_field()) {
            (Err(UserError::NotFound(_)), _) => Ok(()),
            (Err(error), _) => Err(error),
            (Ok(_), LoginField::Username) => Err(refused("username")(vec![FieldError::UsernameTaken])),
            (Ok(_), LoginField::Email) => Err(refused("email")(vec![FieldError::EmailTaken])),
        }
    }

    /// Sets a new password. The sessions there were end with it.
    pub async fn change_password(&self, username: &str, password: &str) -> Result<(), UserError> {
        let user = self.get_user(username).await?;
        let attributes = UserAttributes {
            username: self.name_of(&user),
            first_name: &user.first_name,
            last_name: &user.last_name,
            email: &user.email,
        };
        let password = parse_password(password)?;
        self.check_policy(&password, &attributes)?;
        let hash = self.hashing.make(Network::Operator, password).await?;
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        let event = self.operators_event(EventKind::PasswordChanged);
        self.change_user(&user, change, Some(EndReason::PasswordChanged), event).await?;
        tracing::info!(user.id = %user.id, "password changed");
        Ok(())
    }

    /// Lets an account be used, or not; the sessions of a deactivated one end.
    pub async fn set_active(&self, username: &str, is_active: bool) -> Result<(), UserError> {
        let user = self.get_user(username).await?;
        let change = UserChange { is_active: Some(is_active), ..UserChange::default() };
        let event = self.operators_event(EventKind::UserChanged).with("is_active", is_active.to_string());
        self.change_user(&user, change, (!is_active).then_some(EndReason::Deactivated), event).await?;
        tracing::info!(user.id = %user.id, user.is_active = is_active, "account changed");
        Ok(())
    }

    /// Ends every session of a user, and every refresh and sliding token that Django recorded.
    pub async fn log_out_everywhere(&self, username: &str) -> Result<Ended, UserError> {
        let user = self.get_user(username).await?;
        let ending = self.ending(EndReason::Operator);
        let event = self.operators_event(EventKind::SessionEnded).about(&user);
        let store = self.store.noting(event.with("because", ending.because.name()));
        Ok(store.end_sessions(user.id, ending, None).await.map_err(Error::from)?)
    }

    /// Deletes an account with its sessions, and ends its recorded tokens; if the one is refused, neither.
    pub async fn delete_user(&self, username: &str) -> Result<(), UserError> {
        let user = self.get_user(username).await?;
        // Without the name: what is personal goes with the account.
        let event = Event { user: Some(user.id), ..self.operators_event(EventKind::UserDeleted) };
        let store = self.store.noting(event);
        let deleted = store.delete_user_and_end_tokens(user.id, self.ending(EndReason::Operator)).await;
        check_was_there(&user, deleted)?;
        tracing::info!(user.id = %user.id, "account deleted");
        Ok(())
    }

    /// What an operator does, now.
    fn operators_event(&self, kind: EventKind) -> Event {
        Event::new(kind, Actor::Operator, self.clock.now())
    }

    async fn change_user(
        &self,
        user: &User,
        change: UserChange,
        ends: Option<EndReason>,
        event: Event,
    ) -> Result<(), UserError> {
        let store = self.store.noting(event.about(user));
        let changed = match ends {
            Some(because) => store.update_user_and_end_sessions(user.id, change, self.ending(because)).await,
            None => store.update_user(user.id, change).await,
        };
        check_was_there(user, changed)
    }
}

/// Another program may have deleted the user meanwhile.
fn check_was_there(user: &User, was_there: Result<bool, StoreError>) -> Result<(), UserError> {
    if was_there.map_err(Error::from)? { Ok(()) } else { Err(UserError::NotFound(user.username.clone())) }
}

fn parse_password(password: &str) -> Result<Password, UserError> {
    Password::parse_new(&RawText::from(password.to_owned())).map_err(refused("password"))
}

fn refused(field: &'static str) -> impl FnOnce(Vec<FieldError>) -> UserError {
    move |errors| UserError::Refused { field, errors }
}
