//! `auth_user`, as Django keeps it.

use countersign_domain::{NewUser, PasswordHash, User, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, Row};

use crate::foreign_keys::find_table_that_refers_to;
use crate::sessions::{delete_sessions, end_all};
use crate::sqlite::{all, execute, first};
use crate::timestamp::{from_text, to_text};
use crate::tokens::end_tokens;
use crate::{Ending, InsertUserError, Store, StoreError};

/// The columns that [`read_user`] reads, in its order.
macro_rules! user_columns {
    () => {
        "id, username, email, password, is_active, is_staff, is_superuser, first_name, last_name, last_login, date_joined"
    };
}

/// Columns of a user to set; `None` leaves one as it is. Use-cases set the hash and whether the account is active; the
/// rest is what the conformance scenarios change behind the server's back.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The encoded hash, column `password`.
    pub password_hash: Option<PasswordHash>,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// Whether it may enter Django's admin.
    pub is_staff: Option<bool>,
    /// Whether it has every permission.
    pub is_superuser: Option<bool>,
    /// The e-mail address, normalised.
    pub email: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The time of the last log-in.
    pub last_login: Option<Timestamp>,
}

/// What a login or a refresh has checked of an account: whoever changes that ends the sessions there are, and must not
/// miss one that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    id: UserId,
    password_hash: PasswordHash,
    must_be_active: bool,
}

impl Account {
    /// The account as it was read; `must_be_active` if an inactive one is refused.
    #[must_use]
    pub fn of(user: &User, must_be_active: bool) -> Self {
        Self { id: user.id, password_hash: user.password_hash.clone(), must_be_active }
    }
}

impl Store {
    /// The user with exactly this username.
    pub fn find_user_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE username = $1");
        self.sqlite.read(|connection| first(connection, sql, &[&username], read_user))
    }

    /// The user with this id.
    pub fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE id = $1");
        self.sqlite.read(|connection| first(connection, sql, &[&id.get()], read_user))
    }

    /// Whether a user has exactly this username.
    pub fn username_exists(&self, username: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM auth_user WHERE username = $1";
        Ok(self.sqlite.read(|connection| first(connection, sql, &[&username], |_| Ok(())))?.is_some())
    }

    /// At most `limit` users by id, those after `after` only.
    pub fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE id > $1 ORDER BY id LIMIT $2");
        let after = after.map_or(i64::MIN, UserId::get);
        self.sqlite.read(|connection| all(connection, sql, &[&after, &limit], read_user))
    }

    /// Adds a user and returns the id it got.
    pub async fn insert_user(&self, user: NewUser) -> Result<UserId, InsertUserError> {
        self.sqlite
            .write(move |connection| {
                let id = first(
                    connection,
                    "INSERT INTO auth_user (username, email, password, is_active, is_staff, is_superuser,
                                            first_name, last_name, last_login, date_joined)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                     RETURNING id",
                    &[
                        &user.username,
                        &user.email,
                        &user.password_hash.as_str(),
                        &user.is_active,
                        &user.is_staff,
                        &user.is_superuser,
                        &user.first_name,
                        &user.last_name,
                        &user.last_login.map(to_text),
                        &to_text(user.date_joined),
                    ],
                    |row| row.get(0),
                )?;
                id.map(UserId::new).ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
            })
            .await
    }

    /// Sets columns of a user; false if there is none with this id.
    pub async fn update_user(&self, id: UserId, change: UserChange) -> Result<bool, StoreError> {
        self.sqlite.write(move |connection| Ok(update(connection, id, &change)?)).await
    }

    /// Sets columns of a user and ends the user's sessions, both or neither; false if there is none with this id.
    pub async fn update_user_and_end_sessions(
        &self,
        id: UserId,
        change: UserChange,
        ending: Ending,
    ) -> Result<bool, StoreError> {
        self.sqlite
            .write(move |connection| {
                end_all(connection, id, &ending, "", "")?;
                Ok(update(connection, id, &change)?)
            })
            .await
    }

    /// Replaces the hash `from` by `to`, another hash of the same password; false, and nothing is changed, if the
    /// password was changed meanwhile.
    pub async fn upgrade_password_hash(
        &self,
        id: UserId,
        from: PasswordHash,
        to: PasswordHash,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE auth_user SET password = $3 WHERE id = $1 AND password = $2";
        self.sqlite
            .write(move |connection| {
                Ok(execute(connection, sql, &[&id.get(), &from.as_str(), &to.as_str()])? == 1)
            })
            .await
    }

    /// Deletes a user with its memberships. Its recorded tokens stay, without a user, as Django's ORM leaves them.
    /// False if there is none with this id; refused while a table that is not ours to change refers to the user.
    pub async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        self.sqlite.write(move |connection| delete(connection, id)).await
    }

    /// Deletes a user, and ends the user's sessions; if the first is refused, neither.
    pub async fn delete_user_and_end_tokens(&self, id: UserId, ending: Ending) -> Result<bool, StoreError> {
        self.sqlite
            .write(move |connection| {
                end_tokens(connection, id, &ending, "")?; // first, for the tokens do not stay the user's
                delete(connection, id)
            })
            .await
    }
}

/// Whether the account is there, with the same password, and active if it must be.
pub(crate) fn is_still(connection: &Connection, account: &Account) -> rusqlite::Result<bool> {
    let Account { id, password_hash, must_be_active } = account;
    let sql = "SELECT is_active FROM auth_user WHERE id = $1 AND password = $2";
    let is_active: Option<bool> =
        first(connection, sql, &[&id.get(), &password_hash.as_str()], |row| row.get(0))?;
    Ok(is_active.is_some_and(|is_active| is_active || !must_be_active))
}

fn update(connection: &Connection, id: UserId, change: &UserChange) -> rusqlite::Result<bool> {
    let changed = execute(
        connection,
        "UPDATE auth_user
            SET password = COALESCE($2, password), is_active = COALESCE($3, is_active),
                is_staff = COALESCE($4, is_staff), is_superuser = COALESCE($5, is_superuser),
                email = COALESCE($6, email), last_login = COALESCE($7, last_login),
                first_name = COALESCE($8, first_name), last_name = COALESCE($9, last_name)
          WHERE id = $1",
        &[
            &id.get(),
            &change.password_hash.as_ref().map(PasswordHash::as_str),
            &change.is_active,
            &change.is_staff,
            &change.is_superuser,
            &change.email,
            &change.last_login.map(to_text),
            &change.first_name,
            &change.last_name,
        ],
    )?;
    Ok(changed == 1)
}

fn delete(connection: &Connection, id: UserId) -> Result<bool, StoreError> {
    let before = [
        "DELETE FROM auth_user_groups WHERE user_id = $1",
        "DELETE FROM auth_user_user_permissions WHERE user_id = $1",
        "UPDATE token_blacklist_outstandingtoken SET user_id = NULL WHERE user_id = $1",
    ];
    for sql in before {
        execute(connection, sql, &[&id.get()])?;
    }
    delete_sessions(connection, id)?;
    // Foreign keys are checked at the commit, which other writes share: none may be broken by then.
    if let Some(table) = find_table_that_refers_to(connection, id)? {
        return Err(StoreError::UserReferenced(table));
    }
    Ok(execute(connection, "DELETE FROM auth_user WHERE id = $1", &[&id.get()])? == 1)
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::new(row.get(0)?),
        username: row.get(1)?,
        email: row.get(2)?,
        password_hash: PasswordHash::new(row.get(3)?),
        is_active: row.get(4)?,
        is_staff: row.get(5)?,
        is_superuser: row.get(6)?,
        first_name: row.get(7)?,
        last_name: row.get(8)?,
        last_login: row.get::<_, Option<String>>(9)?.map(|text| from_text(9, &text)).transpose()?,
        date_joined: from_text(10, &row.get::<_, String>(10)?)?,
    })
}
