//! Accounts by their e-mail address, whatever its case.

use countersign_domain::{NewUser, UserId};

use crate::engine::{Engine, Transaction};
use crate::users::insert;
use crate::{InsertUserError, Store, StoreError};

/// By the index that is ours. SQLite knows ASCII's case alone; PostgreSQL would go by the language of the database.
fn by_address(is_on_sqlite: bool) -> &'static str {
    if is_on_sqlite {
        "SELECT 1 FROM auth_user WHERE email <> '' AND lower(email) = $1 LIMIT 1"
    } else {
        "SELECT 1 FROM auth_user WHERE email <> '' AND lower(email COLLATE \"C\") = $1 LIMIT 1"
    }
}

impl Store {
    /// Whether an account has this address, in whatever case: it has to be in lower case here.
    pub async fn address_exists(&self, lower: &str) -> Result<bool, StoreError> {
        let sql = by_address(matches!(*self.engine, Engine::Sqlite(_)));
        Ok(self.engine.first(sql, &[lower.into()], |_| Ok(())).await?.is_some())
    }

    /// Adds a user and returns the id it got; refuses with [`InsertUserError::UsernameTaken`] also where an account has this
    /// address, in lower case, in another case. Of those who ask for one at once, one gets it.
    pub async fn insert_user_of_address(
        &self,
        user: NewUser,
        lower: String,
    ) -> Result<UserId, InsertUserError> {
        let event = self.event();
        let inserted = self.engine.write(move |transaction| {
            Box::pin(async move {
                if is_taken(transaction, &lower).await? {
                    return Err(StoreError::NotUnique);
                }
                insert(transaction, &user, event).await
            })
        });
        Ok(inserted.await?)
    }
}

/// Whether an account has the address. If none has, none gets it here until this transaction ends. (SQLite has one writer at
/// a time.)
async fn is_taken(transaction: &mut Transaction<'_>, lower: &str) -> Result<bool, StoreError> {
    if let Transaction::Postgres(_) = transaction {
        // The first number is to be unlike that of any other application's locks.
        let sql = "SELECT 1 FROM pg_advisory_xact_lock(1667594350, hashtext($1))";
        transaction.first(sql, &[lower.into()], |_| Ok(())).await?;
    }
    let sql = by_address(matches!(transaction, Transaction::Sqlite(_)));
    Ok(transaction.first(sql, &[lower.into()], |_| Ok(())).await?.is_some())
}
