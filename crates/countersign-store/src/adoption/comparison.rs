//! What is otherwise in a database than Django 5.2 makes it; pure.

use super::catalogue::Column;
use super::expected::{Kind, MIGRATIONS, Null, Table, tables as expected_tables};
use super::{Difference, MigrationsOf};
use crate::user_table::Described;

/// The differences in the tables that we use, in their order.
pub(super) fn differences(
    tables: &[String],
    columns: &[Column],
    unique: &[(String, String)],
    users: &Described,
) -> Vec<Difference> {
    let of_table = |table: &Table| {
        if !tables.contains(&table.name) {
            return vec![Difference::MissingTable { table: table.name.clone() }];
        }
        let there: Vec<&Column> = columns.iter().filter(|column| column.table == table.name).collect();
        let mut found = of_columns(table, &there);
        found.extend(extra_columns(table, &there));
        let has_unique = |columns: &String| {
            unique.iter().any(|(name, together)| *name == table.name && together == columns)
        };
        let missing = table.unique.iter().filter(|columns| !has_unique(columns));
        found.extend(
            missing
                .map(|columns| Difference::NotUnique { table: table.name.clone(), columns: columns.clone() }),
        );
        found
    };
    expected_tables(users).iter().flat_map(of_table).collect()
}

fn of_columns(table: &Table, there: &[&Column]) -> Vec<Difference> {
    let of_column = |(name, kind, null): &(String, Kind, Null)| {
        let (kind, null) = (*kind, *null);
        let (is_given_ids, table, column) = (table.is_given_ids, table.name.clone(), name.clone());
        let Some(found) = there.iter().find(|column| column.name == *name) else {
            return vec![Difference::MissingColumn { table, column }];
        };
        let mut differences = Vec::new();
        let read = Kind::read(&found.kind);
        if read != Some(kind) {
            differences.push(Difference::OtherType {
                table: table.clone(),
                column: column.clone(),
                found: found.kind.clone(),
                expected: kind.name(),
                is_harmless: read.is_some_and(|read| kind.is_narrower_than(read)),
            });
        }
        let must_be_required = null == Null::Refused;
        if found.is_required != must_be_required {
            differences.push(Difference::OtherNull {
                table: table.clone(),
                column: column.clone(),
                must_be_required,
            });
        }
        if name == "id" && !found.has_default && !is_given_ids {
            differences.push(Difference::NoNextId { table });
        }
        differences
    };
    table.columns.iter().flat_map(of_column).collect()
}

fn extra_columns(table: &Table, there: &[&Column]) -> Vec<Difference> {
    let is_extra = |column: &&&Column| !table.columns.iter().any(|(name, _, _)| *name == column.name);
    let extra = there.iter().filter(is_extra).map(|column| Difference::ExtraColumn {
        table: column.table.clone(),
        column: column.name.clone(),
        is_harmless: !table.is_written || !column.is_required || column.has_default,
    });
    extra.collect()
}

/// The state of `django_migrations`, whose rows are `application.name`.
pub(super) fn migrations(applied: &[(String, String)]) -> Vec<MigrationsOf> {
    let of_application = |&(application, known): &(&'static str, &'static [&'static str])| {
        let there: Vec<&String> =
            applied.iter().filter(|(app, _)| app == application).map(|(_, name)| name).collect();
        let missing = known.iter().filter(|name| !there.iter().any(|applied| applied == *name));
        let unknown = there.iter().filter(|applied| !known.contains(&applied.as_str()));
        MigrationsOf {
            application,
            applied: there.len(),
            missing: missing.copied().collect(),
            unknown: unknown.map(|name| (*name).clone()).collect(),
        }
    };
    MIGRATIONS.iter().map(of_application).collect()
}
