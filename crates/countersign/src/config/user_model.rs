//! The settings of a project's user model.

use countersign_domain::LoginField;
use countersign_store::UserModel;

use super::reader::{Reader, refused};
use crate::sources::SettingError;

/// Where the users are. Whether there is such a table, the database has to say.
pub fn user_model(reader: &Reader<'_>) -> Result<UserModel, SettingError> {
    let table = reader.text("AUTH_USER_TABLE")?.trim().to_owned();
    if table.is_empty() {
        let fix = "must name the table of the project's user model, such as accounts_user, or be left out";
        return Err(refused("AUTH_USER_TABLE", fix));
    }
    let login = match reader.text("USERNAME_FIELD")?.trim() {
        "email" => LoginField::Email,
        _ => LoginField::Username,
    };
    if login == LoginField::Email && table == UserModel::OF_DJANGO {
        let why = "needs a user model of the project's own, as e-mail addresses are not unique in auth_user; set \
                   AUTH_USER_TABLE to its table";
        return Err(refused("USERNAME_FIELD", why));
    }
    Ok(UserModel { table, login })
}
