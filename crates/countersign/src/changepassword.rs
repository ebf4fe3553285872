//! `countersign changepassword`: a new password for an account.

use serde_json::json;

use crate::account::id_json;
use crate::cli::ChangePasswordArgs;
use crate::config::Files;
use crate::new_password::with_new_password;
use crate::program::{Failure, block_on, configure, open, report};

/// Sets the password; refresh tokens that were handed out before end.
pub fn run(args: &ChangePasswordArgs, as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::Existing)?;
    let user = block_on(async {
        let auth = open(config).await?;
        let user = auth.get_user(&args.username).await?;
        with_new_password(&args.password, async |password| {
            auth.change_password(&args.username, password).await
        })
        .await?;
        Ok(user)
    })?;
    report(
        as_json,
        &json!({ "id": id_json(user.id) }),
        &format!("The password of {} is changed.", user.username),
    )
}
