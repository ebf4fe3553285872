//! What an operator does with accounts from the command line.

use countersign_domain::{
    Email, FieldError, NewUser, Password, PasswordHash, RawText, User, UserAttributes, UserId, Username,
};
use countersign_store::{InsertUserError, UserChange};

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
    Auth(#[from] Error),
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
        let attributes = UserAttributes {
            username: username.as_sent(),
            first_name: "",
            last_name: "",
            email: email.as_sent(),
        };
        let hash = self.hash_new_password(password, &attributes).await?;
        let mut user = NewUser::registered(&username, &email, hash, self.clock.now());
        user.is_staff = account.is_superuser;
        user.is_superuser = account.is_superuser;
        match self.store.insert_user(user.clone()).await {
            Ok(id) => Ok(user.with_id(id)),
            Err(InsertUserError::UsernameTaken) => {
                Err(UserError::Refused { field: "username", errors: vec![FieldError::UsernameTaken] })
            }
            Err(InsertUserError::Store(error)) => Err(Error::from(error).into()),
        }
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
        let hash = self.hash_new_password(password, &attributes).await?;
        let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
        self.store.update_user(user.id, change).await.map_err(Error::from)?;
        self.end_tokens(user.id).await?;
        tracing::info!(user.id = %user.id, "password changed");
        Ok(())
    }

    /// Lets an account be used, or not; refresh tokens of a deactivated one end.
    pub async fn set_active(&self, username: &str, is_active: bool) -> Result<(), UserError> {
        let user = self.get_user(username)?;
        let change = UserChange { is_active: Some(is_active), ..UserChange::default() };
        self.store.update_user(user.id, change).await.map_err(Error::from)?;
        if !is_active {
            self.end_tokens(user.id).await?;
        }
        tracing::info!(user.id = %user.id, user.is_active = is_active, "account changed");
        Ok(())
    }

    /// Ends every refresh and sliding token of a user; returns how many were still good.
    pub async fn log_out_everywhere(&self, username: &str) -> Result<usize, UserError> {
        let user = self.get_user(username)?;
        Ok(self.end_tokens(user.id).await?)
    }

    /// Deletes an account.
    pub async fn delete_user(&self, username: &str) -> Result<(), UserError> {
        let user = self.get_user(username)?;
        self.end_tokens(user.id).await?;
        self.store.delete_user(user.id).await.map_err(Error::from)?;
        tracing::info!(user.id = %user.id, "account deleted");
        Ok(())
    }

    /// Deletes the recorded tokens that have expired; returns their number.
    pub async fn flush_expired_tokens(&self) -> Result<usize, Error> {
        Ok(self.store.flush_expired_tokens(self.clock.now()).await?)
    }

    async fn end_tokens(&self, user: UserId) -> Result<usize, Error> {
        Ok(self.store.blacklist_tokens_of(user, self.clock.now()).await?)
    }

    async fn hash_new_password(
        &self,
        password: &str,
        attributes: &UserAttributes<'_>,
    ) -> Result<PasswordHash, UserError> {
        let password =
            Password::parse_new(&RawText::from(password.to_owned())).map_err(refused("password"))?;
        match self.policy.check(&password, attributes) {
            errors if errors.is_empty() => Ok(self.hashing.make(password).await?),
            errors => Err(UserError::Refused { field: "password", errors }),
        }
    }
}

fn refused(field: &'static str) -> impl FnOnce(Vec<FieldError>) -> UserError {
    move |errors| UserError::Refused { field, errors }
}
