//! What an operator does with accounts from the command line.

use countersign_domain::{Email, FieldError, Password, RawText, User, UserAttributes, UserId, Username};
use countersign_store::{StoreError, UserChange};

use crate::{Auth, Error};

/// An account to make from the command line.
#[derive(Debug)]
pub struct NewAccount {
    /// Log-in name.
    pub username: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// Whether it may enter Django's admin and has every permission.
    pub is_superuser: bool,
}

/// Why an operator's command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// No user has this name.
    #[error("no user is called {0:?}")]
    NotFound(String),
    /// A value was refused.
    #[error("the {field} was refused")]
    Refused {
        /// Which value.
        field: &'static str,
        /// Why, all reasons.
        errors: Vec<FieldError>,
    },
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

impl Auth {
    /// The user with exactly this name.
    pub fn get_user(&self, username: &str) -> Result<User, UserError> {
        let found = self.store.find_user_by_username(username).map_err(Error::from)?;
        found.ok_or_else(|| UserError::NotFound(username.to_owned()))
    }

    /// At most `limit` users by id, those after `after` only.
    pub fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, Error> {
        Ok(self.store.list_users(after, limit)?)
    }

    /// Makes an account under the same rules as registration.
    pub async fn create_user(&self, account: NewAccount, password: &str) -> Result<User, UserError> {
        let username = Username::parse(&RawText::from(account.username)).map_err(refused("username"))?;
        let email = Email::parse(&RawText::from(account.email)).map_err(refused("email"))?;
        let password = parse_password(password)?;
        Ok(self.make_account(&username, &email, password, account.is_superuser).await?)
    }

    /// Sets a new password. Refresh tokens that were handed out before end with it.
    pub async fn change_password(&self, username: &str, password: &str) -> Result<(), UserError> {
        let user = self.get_user(username)?;
        let attributes = UserAttributes {
            username: &user.username,
            first_name: &user.first_name,
            last_name: &user.last_name,
            email: &user.email,
        };
        let password = parse_password(password)?;
        self.check_policy(&password, &attributes)?;
        let hash = self.hashing.make(password).await?;
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        self.change_user(&user, change, true).await?;
        tracing::info!(user.id = %user.id, "password changed");
        Ok(())
    }

    /// Lets an account be used, or not; refresh tokens of a deactivated one end.
    pub async fn set_active(&self, username: &str, is_active: bool) -> Result<(), UserError> {
        let user = self.get_user(username)?;
        let change = UserChange { is_active: Some(is_active), ..UserChange::default() };
        self.change_user(&user, change, !is_active).await?;
        tracing::info!(user.id = %user.id, user.is_active = is_active, "account changed");
        Ok(())
    }

    /// Ends every refresh and sliding token of a user that may yet be used; returns their number.
    pub async fn log_out_everywhere(&self, username: &str) -> Result<usize, UserError> {
        let user = self.get_user(username)?;
        Ok(self.store.blacklist_tokens_of(user.id, self.ending()).await.map_err(Error::from)?)
    }

    /// Deletes an account, and ends its refresh tokens; if the one is refused, neither.
    pub async fn delete_user(&self, username: &str) -> Result<(), UserError> {
        let user = self.get_user(username)?;
        let deleted = self.store.delete_user_and_end_tokens(user.id, self.ending()).await;
        check_was_there(&user, deleted)?;
        tracing::info!(user.id = %user.id, "account deleted");
        Ok(())
    }

    /// Deletes the recorded tokens that can no longer be used; returns their number.
    pub async fn flush_expired_tokens(&self) -> Result<usize, Error> {
        Ok(self.store.flush_expired_tokens(self.past(self.clock.now())).await?)
    }

    async fn change_user(&self, user: &User, change: UserChange, ends: bool) -> Result<(), UserError> {
        let changed = if ends {
            self.store.update_user_and_end_tokens(user.id, change, self.ending()).await
        } else {
            self.store.update_user(user.id, change).await
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
