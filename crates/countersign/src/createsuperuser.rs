//! `countersign createsuperuser`: an account with every permission, for Django's admin among others.

use countersign_auth::{Auth, NewAccount, UserError};
use countersign_domain::{Email, FieldError, RawText, User, Username};

use crate::account::{read_new_password, user_json, user_line};
use crate::cli::NewUserArgs;
use crate::config::Files;
use crate::program::{Failure, block_on, configure, open, report};

/// Makes the account.
pub fn run(args: NewUserArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::MayBeMade)?;
    let user = block_on(async { create_account(&open(config).await?, args, true).await })?;
    report(as_json, &user_json(&user), &user_line(&user));
    Ok(())
}

/// Asks for the password and makes an account, a superuser's or an ordinary one.
pub async fn create_account(auth: &Auth, args: NewUserArgs, is_superuser: bool) -> Result<User, Failure> {
    let account = NewAccount { username: args.username, email: args.email, is_superuser };
    check_names(auth, &account).await?;
    let password = read_new_password(&args.password)?;
    Ok(auth.create_user(account, &password).await?)
}

/// Refuses, before anybody types a password for nothing, what would be refused afterwards.
async fn check_names(auth: &Auth, account: &NewAccount) -> Result<(), UserError> {
    let refused = |field| move |errors| UserError::Refused { field, errors };
    let username = Username::parse(&RawText::from(account.username.clone())).map_err(refused("username"))?;
    Email::parse(&RawText::from(account.email.clone())).map_err(refused("email"))?;
    match auth.get_user(username.stored()).await {
        Ok(_) => Err(refused("username")(vec![FieldError::UsernameTaken])),
        Err(UserError::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
