//! `countersign createsuperuser`: an account with every permission, for Django's admin among others.

use countersign_auth::NewAccount;
use countersign_domain::User;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::account::{user_json, user_line};
use crate::cli::{NewUserArgs, PasswordArgs};
use crate::config::{Config, Files, is_there};
use crate::new_password::with_new_password;
use crate::program::{Configured, Failure, block_on, configure_in_full, open, report};
use crate::sources::Sources;

/// Makes the account.
pub fn run(args: NewUserArgs, as_json: bool) -> Result<(), Failure> {
    let (json, sentence) = block_on(create_account(args, true))?;
    report(as_json, &json, &sentence)
}

/// Asks for the password and makes an account, a superuser's or an ordinary one; says so where a database had to be made.
pub async fn create_account(args: NewUserArgs, is_superuser: bool) -> Result<(Value, String), Failure> {
    let Configured { config, sources } = configure_in_full(Files::NotNeeded)?;
    let account = NewAccount { username: args.username, email: args.email, is_superuser };
    if is_there(&config.database) {
        let user = create(&sources, account, &args.password).await?;
        return Ok((user_json(&user), user_line(&user)));
    }
    let user = create_first(&config, &sources, account, &args.password).await?;
    Ok((user_json(&user), format!("{}\nin {} (made now)", user_line(&user), config.database)))
}

async fn create(sources: &Sources, account: NewAccount, args: &PasswordArgs) -> Result<User, Failure> {
    let auth = open(Config::from_sources(sources, Files::MadeTogether)?).await?;
    auth.check_names(&account).await?; // before anybody types a password for nothing
    with_new_password(args, async |password| auth.create_user(account.clone(), password).await).await
}

/// The same where there is no database, which is made only when nothing can be refused any more.
async fn create_first(
    config: &Config,
    sources: &Sources,
    account: NewAccount,
    args: &PasswordArgs,
) -> Result<User, Failure> {
    let login = config.user_model.login;
    account.check_names(login)?;
    let password = with_new_password(args, async |password| {
        account.check_password(login, &config.policy, password)?;
        Ok(Zeroizing::new(password.to_owned()))
    })
    .await?;
    let auth = open(Config::from_sources(sources, Files::MadeTogether)?).await?;
    Ok(auth.create_user(account, &password).await?)
}
