//! `countersign createsuperuser`: an account with every permission, for Django's admin among others.

use countersign_auth::{Auth, NewAccount};
use countersign_domain::User;

use crate::account::{user_json, user_line};
use crate::cli::NewUserArgs;
use crate::config::Files;
use crate::new_password::with_new_password;
use crate::program::{Failure, block_on, configure, open, report};

/// Makes the account.
pub fn run(args: NewUserArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::MayBeMade)?;
    let user = block_on(async { create_account(&open(config).await?, args, true).await })?;
    report(as_json, &user_json(&user), &user_line(&user))
}

/// Asks for the password and makes an account, a superuser's or an ordinary one.
pub async fn create_account(auth: &Auth, args: NewUserArgs, is_superuser: bool) -> Result<User, Failure> {
    let account = NewAccount { username: args.username, email: args.email, is_superuser };
    auth.check_names(&account).await?; // before anybody types a password for nothing
    with_new_password(&args.password, async |password| auth.create_user(account.clone(), password).await)
        .await
}
