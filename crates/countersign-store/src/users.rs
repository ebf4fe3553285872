//! `auth_user`, as Django keeps it.

use countersign_domain::{Event, NewUser, PasswordHash, User, UserId};
use jiff::Timestamp;

use crate::engine::{Row, Transaction};
use crate::events::{about, append, erase, with_ended};
use crate::foreign_keys::{check_references, refuse_if_referred_to};
use crate::sessions::end_all;
use crate::tokens::end_tokens;
use crate::{Ending, InsertUserError, Store, StoreError};

/// The columns that [`read_user`] reads, in its order.
macro_rules! user_columns {
    () => {
        "id, username, email, password, is_active, is_staff, is_superuser, first_name, last_name, last_login, date_joined"
    };
}
pub(crate) use user_columns;

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
    /// The key of its user.
    pub(crate) fn id(&self) -> UserId {
        self.id
    }

    /// The hash that its password had.
    pub(crate) fn password_hash(&self) -> &str {
        self.password_hash.as_str()
    }

    /// The account as it was read; `must_be_active` if an inactive one is refused.
    #[must_use]
    pub fn of(user: &User, must_be_active: bool) -> Self {
        Self { id: user.id, password_hash: user.password_hash.clone(), must_be_active }
    }
}

impl Store {
    /// The user with exactly this username.
    pub async fn find_user_by_username(&self, username: &str) -> Result<Option<User>, StoreError> {
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE username = $1");
        self.engine.first(sql, &[username.into()], read_user).await
    }

    /// The user with this id.
    pub async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE id = $1");
        self.engine.first(sql, &[id.into()], read_user).await
    }

    /// Whether a user has exactly this username.
    pub async fn username_exists(&self, username: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM auth_user WHERE username = $1";
        Ok(self.engine.first(sql, &[username.into()], |_| Ok(())).await?.is_some())
    }

    /// At most `limit` users by id, those after `after` only.
    pub async fn list_users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        let first = UserId::first(self.user_id_kind());
        let Some(from) = after.map_or(Some(first), UserId::next) else { return Ok(Vec::new()) };
        let sql = concat!("SELECT ", user_columns!(), " FROM auth_user WHERE id >= $1 ORDER BY id LIMIT $2");
        self.engine.all(sql, &[from.into(), limit.into()], read_user).await
    }

    /// The hash strings of at most `half` of the oldest accounts and as many of the newest, for a look at how a
    /// deployment's passwords are hashed that costs the same however many there are.
    pub async fn sample_password_hashes(&self, half: u32) -> Result<Vec<PasswordHash>, StoreError> {
        let read = |row: &Row<'_>| Ok(PasswordHash::new(row.get(0)?));
        let oldest = "SELECT password FROM auth_user ORDER BY id LIMIT $1";
        let newest = "SELECT password FROM auth_user ORDER BY id DESC LIMIT $1";
        let mut hashes = self.engine.all(oldest, &[half.into()], read).await?;
        hashes.extend(self.engine.all(newest, &[half.into()], read).await?);
        Ok(hashes)
    }

    /// Adds a user and returns the id it got.
    pub async fn insert_user(&self, user: NewUser) -> Result<UserId, InsertUserError> {
        let event = self.event();
        let inserted = self
            .engine
            .write(move |transaction| Box::pin(async move { insert(transaction, &user, event).await }));
        Ok(inserted.await?)
    }

    /// Sets columns of a user; false if there is none with this id.
    pub async fn update_user(&self, id: UserId, change: UserChange) -> Result<bool, StoreError> {
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    let was_there = update(transaction, id, &change).await?;
                    append(transaction, event.filter(|_| was_there)).await?;
                    Ok(was_there)
                })
            })
            .await
    }

    /// Sets columns of a user and ends the user's sessions, both or neither; false if there is none with this id.
    pub async fn update_user_and_end_sessions(
        &self,
        id: UserId,
        change: UserChange,
        ending: Ending,
    ) -> Result<bool, StoreError> {
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    // First the user, whose row a login holds until its session is recorded.
                    let was_there = update(transaction, id, &change).await?;
                    let (_, sessions) = end_all(transaction, id, &ending, "", "").await?;
                    append(transaction, with_ended(event.filter(|_| was_there), &sessions)).await?;
                    Ok(was_there)
                })
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
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    keep_user(transaction, id).await?;
                    let sql = "UPDATE auth_user SET password = $3 WHERE id = $1 AND password = $2";
                    let values = [id.into(), from.as_str().into(), to.as_str().into()];
                    Ok(transaction.execute(sql, &values).await? > 0)
                })
            })
            .await
    }

    /// Deletes a user with its memberships, and what is personal in its events. Its recorded tokens stay, without a user, as Django's ORM leaves them.
    /// False if there is none with this id; refused while a table that is not ours to change refers to the user.
    pub async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        self.engine.write(move |transaction| Box::pin(delete(transaction, id))).await
    }

    /// Deletes a user, and ends the user's sessions; if the first is refused, neither.
    pub async fn delete_user_and_end_tokens(&self, id: UserId, ending: Ending) -> Result<bool, StoreError> {
        let event = self.event();
        self.engine
            .write(move |transaction| {
                Box::pin(async move {
                    lock_user(transaction, id).await?;
                    end_tokens(transaction, id, &ending, "").await?; // first, for the tokens do not stay the user's
                    let was_there = delete(transaction, id).await?;
                    append(transaction, event.filter(|_| was_there)).await?;
                    Ok(was_there)
                })
            })
            .await
    }
}

/// Makes others who change the user, or record a login, wait for this transaction, but not who notes what a guesser did.
/// (SQLite has one writer at a time.) Whoever holds the user for long keeps those out who act on that user, each for three
/// seconds: those who wait have connections of the pool, which is everybody's.
async fn keep_user(transaction: &mut Transaction<'_>, id: UserId) -> Result<(), StoreError> {
    if let Transaction::Postgres(_) = transaction {
        let sql = "SELECT 1 FROM auth_user, (SELECT set_config('lock_timeout', '3s', 't')) AS bounded
                    WHERE id = $1 FOR NO KEY UPDATE OF auth_user";
        transaction.first(sql, &[id.into()], |_| Ok(())).await?;
    }
    Ok(())
}

/// The same before the user is deleted: also whoever notes what a guesser did waits.
async fn lock_user(transaction: &mut Transaction<'_>, id: UserId) -> Result<(), StoreError> {
    if let Transaction::Postgres(_) = transaction {
        let sql = "SELECT 1 FROM auth_user, (SELECT set_config('lock_timeout', '3s', 't')) AS bounded
                    WHERE id = $1 FOR UPDATE OF auth_user";
        transaction.first(sql, &[id.into()], |_| Ok(())).await?;
    }
    Ok(())
}

/// Whether there is a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// There is, and stays until this transaction ends, so that who deletes the user comes after it.
    Stays,
    /// There is, and another transaction holds it, which may delete it.
    Held,
    /// There is none.
    Gone,
}

/// Whether the user is there. Nobody is waited for.
pub(crate) async fn presence(transaction: &mut Transaction<'_>, id: UserId) -> Result<Presence, StoreError> {
    let is_on_postgres = matches!(transaction, Transaction::Postgres(_));
    if is_on_postgres {
        let sql = "SELECT 1 FROM auth_user WHERE id = $1 FOR KEY SHARE SKIP LOCKED";
        if transaction.first(sql, &[id.into()], |_| Ok(())).await?.is_some() {
            return Ok(Presence::Stays);
        }
    }
    let sql = "SELECT 1 FROM auth_user WHERE id = $1";
    let found = transaction.first(sql, &[id.into()], |_| Ok(())).await?;
    Ok(match found {
        None => Presence::Gone,
        Some(()) if is_on_postgres => Presence::Held,
        Some(()) => Presence::Stays,
    })
}

/// Whether the account is there, with the same password, and active if it must be; it stays so until this transaction ends.
pub(crate) async fn is_still(
    transaction: &mut Transaction<'_>,
    account: &Account,
) -> Result<bool, StoreError> {
    let Account { id, password_hash, must_be_active } = account;
    keep_user(transaction, *id).await?;
    let sql = "SELECT is_active FROM auth_user WHERE id = $1 AND password = $2";
    let values = [(*id).into(), password_hash.as_str().into()];
    let is_active: Option<bool> = transaction.first(sql, &values, |row| row.get(0)).await?;
    Ok(is_active.is_some_and(|is_active| is_active || !must_be_active))
}

/// Adds a user, and notes that.
pub(crate) async fn insert(
    transaction: &mut Transaction<'_>,
    user: &NewUser,
    event: Option<Event>,
) -> Result<UserId, StoreError> {
    let id: Option<UserId> = transaction
        .first(
            "INSERT INTO auth_user (username, email, password, is_active, is_staff, is_superuser,
                                    first_name, last_name, last_login, date_joined)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             RETURNING id",
            &[
                (&user.username).into(),
                (&user.email).into(),
                user.password_hash.as_str().into(),
                user.is_active.into(),
                user.is_staff.into(),
                user.is_superuser.into(),
                (&user.first_name).into(),
                (&user.last_name).into(),
                user.last_login.into(),
                user.date_joined.into(),
            ],
            |row| row.get(0),
        )
        .await?;
    let id = id.ok_or(StoreError::NotCommitted)?;
    append(transaction, about(event, id)).await?;
    Ok(id)
}

async fn update(
    transaction: &mut Transaction<'_>,
    id: UserId,
    change: &UserChange,
) -> Result<bool, StoreError> {
    let changed = transaction
        .execute(
            "UPDATE auth_user
                SET password = COALESCE($2, password), is_active = COALESCE($3, is_active),
                    is_staff = COALESCE($4, is_staff), is_superuser = COALESCE($5, is_superuser),
                    email = COALESCE($6, email), last_login = COALESCE($7, last_login),
                    first_name = COALESCE($8, first_name), last_name = COALESCE($9, last_name)
              WHERE id = $1",
            &[
                id.into(),
                change.password_hash.as_ref().map(PasswordHash::as_str).into(),
                change.is_active.into(),
                change.is_staff.into(),
                change.is_superuser.into(),
                change.email.as_deref().into(),
                change.last_login.into(),
                change.first_name.as_deref().into(),
                change.last_name.as_deref().into(),
            ],
        )
        .await?;
    Ok(changed == 1)
}

async fn delete(transaction: &mut Transaction<'_>, id: UserId) -> Result<bool, StoreError> {
    lock_user(transaction, id).await?;
    let before = [
        "DELETE FROM auth_user_groups WHERE user_id = $1",
        "DELETE FROM auth_user_user_permissions WHERE user_id = $1",
        "UPDATE token_blacklist_outstandingtoken SET user_id = NULL WHERE user_id = $1",
        "DELETE FROM countersign_session WHERE user_id = $1",
    ];
    for sql in before {
        transaction.execute(sql, &[id.into()]).await?;
    }
    refuse_if_referred_to(transaction, id).await?;
    let deleted = transaction.execute("DELETE FROM auth_user WHERE id = $1", &[id.into()]).await?;
    check_references(transaction).await.map_err(|error| match error {
        StoreError::Referenced(table) => StoreError::UserReferenced(table),
        other => other,
    })?;
    erase(transaction, id).await?;
    Ok(deleted == 1)
}

pub(crate) fn read_user(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: row.get(0)?,
        username: row.get(1)?,
        email: row.get(2)?,
        password_hash: PasswordHash::new(row.get(3)?),
        is_active: row.get(4)?,
        is_staff: row.get(5)?,
        is_superuser: row.get(6)?,
        first_name: row.get(7)?,
        last_name: row.get(8)?,
        last_login: row.get(9)?,
        date_joined: row.get(10)?,
    })
}
