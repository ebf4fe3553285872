//! `countersign migrate`: the tables of this version. (Every start does the same.)

use countersign_store::Store;
use serde_json::json;

use crate::config::Files;
use crate::program::{Failure, block_on, configure, report};
use crate::progress::meanwhile;

/// Makes or updates the tables.
pub fn run(as_json: bool) -> Result<(), Failure> {
    let config = configure(Files::MadeTogether)?;
    meanwhile("Bringing the tables up to date", || {
        block_on(async { Ok(Store::open_for(&config.database, &config.pool, &config.user_model).await?) })
    })?;
    let database = config.database.to_string();
    report(as_json, &json!({ "database": database }), &format!("{database} is up to date."))
}
