//! The table of a user model, found in the catalogue: Django names its joins after it, and their columns after the model.

use countersign_domain::UserIdKind;

use super::catalogue::{self, Column, Reference};
use super::expected::{Kind, OPTIONAL};
use super::{Difference, Prospect};
use crate::engine::Engine;
use crate::user_table::{Described, Join, UserTable};
use crate::{DatabaseUrl, PoolOptions, StoreError, UserModel};

/// What the catalogue has of the table of this model. What is not there is described as it should be.
pub(super) async fn describe(engine: &Engine, model: &UserModel) -> Result<Described, StoreError> {
    let (columns, references) = (catalogue::columns(engine).await?, catalogue::references(engine).await?);
    let columns: Vec<_> = columns.into_iter().filter(|column| column.table == model.table).collect();
    Ok(described(model, is_on_sqlite(engine), &columns, &references))
}

/// Django's own.
pub(super) fn of_django(engine: &Engine) -> Described {
    described(&UserModel::default(), is_on_sqlite(engine), &[], &[])
}

fn is_on_sqlite(engine: &Engine) -> bool {
    matches!(engine, Engine::Sqlite(_))
}

fn described(
    model: &UserModel,
    is_on_sqlite: bool,
    columns: &[Column],
    references: &[Reference],
) -> Described {
    let table = &model.table;
    let join = |of: &str| {
        let join = format!("{table}_{of}");
        let refers = |reference: &&Reference| reference.table == join && reference.to == *table;
        let user = references.iter().find(refers).map_or("user_id", |reference| &reference.column).to_owned();
        Join { table: join, user }
    };
    let id = columns.iter().find(|column| column.name == "id");
    let has_uuids = id.is_some_and(|id| Kind::read(&id.kind) == Some(Kind::Uuid));
    let is_missing =
        |name: &&str| !model.is_of_django() && !columns.iter().any(|column| column.name == *name);
    Described {
        table: table.clone(),
        groups: join("groups"),
        permissions: join("user_permissions"),
        key: if has_uuids { UserIdKind::Uuid } else { UserIdKind::Number },
        login: model.login,
        missing: OPTIONAL.into_iter().filter(is_missing).collect(),
        is_on_sqlite,
    }
}

/// Where the users of this database are, to be served; refused where a look would find an obstacle.
pub(crate) async fn find_user_table(
    url: &DatabaseUrl,
    pool: &PoolOptions,
    model: &UserModel,
) -> Result<UserTable, StoreError> {
    if model.is_of_django() {
        return Ok(UserTable::default());
    }
    let prospect =
        Prospect::open_for(url, pool, model).await.map_err(|error| StoreError::of_opening(url, error))?;
    let findings = prospect.look().await.map_err(|error| StoreError::of_opening(url, error))?;
    let mut obstacles: Vec<String> = findings.obstacles().map(Difference::to_string).collect();
    if let Some(other) = &findings.other_users {
        obstacles.insert(
            0,
            format!("its recorded tokens are of the users in {other}, which AUTH_USER_TABLE has to name"),
        );
    }
    if obstacles.is_empty() {
        return Ok(UserTable::of(prospect.described));
    }
    let table = &model.table;
    Err(StoreError::Migration(format!(
        "AUTH_USER_TABLE says {table}, and {}; `countersign adopt --dry-run` shows the whole report",
        obstacles.join("; ")
    )))
}
