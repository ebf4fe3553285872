//! What `adopt --dry-run` says, for people and for programs; and why a database cannot be adopted.

use countersign_domain::UserId;
use countersign_store::{Difference, Findings, MigrationsOf, OwnObjects};
use serde_json::{Map, Value, json};

use super::survey::{Family, Tokens, Users};
use super::{listed, objects_json};
use crate::account::id_json;

#[cfg(test)]
mod tests;

/// Everything that was found.
pub struct Report {
    /// Its address, without a password.
    pub database: String,
    pub findings: Findings,
    /// `None` where the table cannot be read.
    pub users: Option<Users>,
    pub tokens: Option<Tokens>,
}

impl Report {
    /// Why the database cannot be adopted, and what to do about it; `None` if it can.
    pub fn refusal(&self) -> Option<String> {
        let reasons = self.reasons();
        if reasons.is_empty() {
            return None;
        }
        Some(format!("{} cannot be adopted: {}; {}", self.database, reasons.join("; "), self.fix()))
    }

    fn reasons(&self) -> Vec<String> {
        let findings = &self.findings;
        if let Some(table) = &findings.other_users {
            return vec![format!("its users are in {table}, not in {}", findings.user_table)];
        }
        if findings.is_empty {
            return vec!["it has none of Django's tables".to_owned()];
        }
        let obstacles: Vec<String> = findings.obstacles().map(ToString::to_string).collect();
        if obstacles.is_empty() && !findings.may_create && findings.to_add != OwnObjects::default() {
            return vec![
                "the role that DATABASE_URL names may not make tables in it, or an index on the table of users, which only the \
                 owner of that may"
                    .to_owned(),
            ];
        }
        obstacles
    }

    fn fix(&self) -> String {
        let findings = &self.findings;
        if let Some(table) = &findings.other_users {
            let fix = format!("set AUTH_USER_TABLE={table}");
            return match table.as_str() {
                "auth_user" => fix,
                _ => format!("{fix}, and USERNAME_FIELD=email if that is what the project's user model says"),
            };
        }
        if findings.is_empty {
            return "let the project's `manage.py migrate` make them, or `countersign migrate` if there is no project"
                .to_owned();
        }
        if findings.obstacles().next().is_none() {
            return "name the role that Django uses, or GRANT CREATE on the schema to this one, and the use of all tables"
                .to_owned();
        }
        let is_of_tokens = |difference: &Difference| matches!(difference, Difference::MissingTable { table } if table.starts_with("token_blacklist_"));
        if findings.obstacles().all(is_of_tokens) {
            return "put rest_framework_simplejwt.token_blacklist into INSTALLED_APPS and run `manage.py migrate`"
                .to_owned();
        }
        let is_extra = |difference: &Difference| matches!(difference, Difference::ExtraColumn { .. });
        if findings.obstacles().all(is_extra) {
            return "give the column a default in the database (db_default in Django 5), or let it take NULL"
                .to_owned();
        }
        let missing = missing_migrations(&findings.migrations);
        if missing.is_empty() {
            "change the tables to what Django 5.2 makes: `manage.py sqlmigrate` shows it".to_owned()
        } else {
            format!(
                "run `manage.py migrate` with Django 5.2 and Simple JWT 5.5, which has yet to apply {}",
                missing.join(", ")
            )
        }
    }

    /// As programs read it.
    pub fn json(&self) -> Value {
        let findings = &self.findings;
        let texts = |harmless: bool| {
            let differences = findings.differences.iter();
            let chosen = differences.filter(|difference| difference.is_harmless() == harmless);
            chosen.map(ToString::to_string).collect::<Vec<_>>()
        };
        let migrations: Map<String, Value> = findings.migrations.iter().map(migrations_json).collect();
        let refusal = self.refusal();
        json!({
            "database": self.database,
            "engine": findings.engine,
            "made_by": made_by(findings),
            "adopted": findings.made_by_django == Some(true),
            "can_be_adopted": refusal.is_none(),
            "reason": refusal,
            "schema": {
                "recognised": findings.obstacles().next().is_none(),
                "differences": texts(false),
                "harmless_differences": texts(true),
                "other_tables": findings.other_tables,
            },
            "migrations": migrations,
            "users": self.users.as_ref().map(users_json),
            "tokens": self.tokens.as_ref().map(|tokens| json!({
                "outstanding": tokens.live + tokens.expired,
                "live": tokens.live,
                "expired": tokens.expired,
                "blacklisted": tokens.blacklisted,
            })),
            "to_add": objects_json(&findings.to_add),
        })
    }

    /// As people read it.
    pub fn text(&self) -> String {
        let findings = &self.findings;
        let mut lines = vec![
            format!("{} ({}), made by {}", self.database, findings.engine, made_by(findings)),
            String::new(),
        ];
        lines.push(match (findings.obstacles().count(), findings.other_tables) {
            (0, others) => {
                format!(
                    "Schema      as Django 5.2 makes it; {} of other applications",
                    plural(others as u64, "table")
                )
            }
            (count, others) => format!(
                "Schema      {} from Django 5.2; {} of other applications",
                plural(count as u64, "difference"),
                plural(others as u64, "table")
            ),
        });
        for difference in &findings.differences {
            let note = if difference.is_harmless() { " (no matter)" } else { "" };
            lines.push(format!("  {difference}{note}"));
        }
        lines.push(format!(
            "Migrations  {}",
            findings.migrations.iter().map(migrations_text).collect::<Vec<_>>().join("; ")
        ));
        lines.extend(self.users.iter().flat_map(users_text));
        lines.extend(self.tokens.as_ref().map(tokens_text));
        let added = &findings.to_add;
        if added.tables.is_empty() && added.indexes.is_empty() {
            lines.push("To add      nothing: it is all there".to_owned());
        } else {
            lines.push(format!("To add\n{}", listed(added)));
        }
        lines.push(String::new());
        lines.push(match (self.refusal(), findings.made_by_django) {
            (Some(_), _) => "It cannot be adopted yet.".to_owned(),
            (None, None) => "It can be adopted: countersign adopt. Nothing has been changed.".to_owned(),
            (None, Some(true)) => {
                "It is adopted. To take out what was added: countersign adopt --undo".to_owned()
            }
            (None, Some(false)) => "It is Countersign's own; a Django can run on it as it is.".to_owned(),
        });
        lines.join("\n")
    }
}

fn made_by(findings: &Findings) -> &'static str {
    match findings.made_by_django {
        Some(false) => "Countersign",
        None if findings.is_empty => "nobody",
        Some(true) | None => "Django",
    }
}

fn missing_migrations(migrations: &[MigrationsOf]) -> Vec<String> {
    let names = |of: &MigrationsOf| {
        let application = of.application;
        of.missing.iter().map(|name| format!("{application}.{name}")).collect::<Vec<_>>()
    };
    migrations.iter().flat_map(names).collect()
}

fn migrations_json(of: &MigrationsOf) -> (String, Value) {
    let state = json!({ "applied": of.applied, "missing": of.missing, "unknown": of.unknown });
    (of.application.to_owned(), state)
}

fn migrations_text(of: &MigrationsOf) -> String {
    let missing = match of.missing.as_slice() {
        [] => String::new(),
        [first, _, _, _, ..] => format!(", without {} from {first} on", of.missing.len()),
        few => format!(", without {}", few.join(", ")),
    };
    let unknown = match of.unknown.as_slice() {
        [] => String::new(),
        some => format!(", with {} of another version", some.join(", ")),
    };
    format!("{} {} applied{missing}{unknown}", of.application, of.applied)
}

fn users_json(users: &Users) -> Value {
    let hash = |(name, family): (&String, &Family)| {
        let json = json!({ "users": family.users, "verified": family.verified, "needs": family.needs });
        (name.clone(), json)
    };
    let hashes: Map<String, Value> = users.families.iter().map(hash).collect();
    json!({
        "total": users.total,
        "superusers": users.superusers,
        "staff": users.staff,
        "inactive": users.inactive,
        "unusable_passwords": users.unusable,
        "hashes": hashes,
        "emails_that_collide": {
            "addresses": users.emails.addresses,
            "users": users.emails.users,
            "examples": users.emails.examples.iter().map(|ids| ids_json(ids)).collect::<Vec<_>>(),
        },
        "usernames_not_nfkc": { "users": users.names_not_nfkc.0, "examples": ids_json(&users.names_not_nfkc.1) },
    })
}

fn ids_json(ids: &[UserId]) -> Value {
    ids.iter().map(|id| id_json(*id)).collect()
}

fn users_text(users: &Users) -> Vec<String> {
    let mut lines = vec![format!(
        "Users       {}: {} superusers, {} staff, {} inactive, {} without a usable password",
        users.total, users.superusers, users.staff, users.inactive, users.unusable
    )];
    lines.extend(users.families.iter().map(family_text));
    if users.emails.addresses > 0 {
        let ids = |ids: &Vec<UserId>| ids.iter().map(UserId::to_string).collect::<Vec<_>>().join(" and ");
        lines.push(format!(
            "  {} shared by {} users, case aside: users {}",
            plural(users.emails.addresses, "e-mail address"),
            users.emails.users,
            users.emails.examples.iter().map(ids).collect::<Vec<_>>().join(", ")
        ));
    }
    let (count, examples) = &users.names_not_nfkc;
    if *count > 0 {
        lines.push(format!(
            "  {} not in normalisation form KC, to be typed exactly so: users {}",
            plural(*count, "username"),
            examples.iter().map(UserId::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    lines
}

fn family_text((name, family): (&String, &Family)) -> String {
    let verified = match (family.users - family.verified, family.needs) {
        (0, _) => "all can log in".to_owned(),
        (_, Some(hasher)) => {
            format!("{} can log in; LEGACY_PASSWORD_HASHERS={hasher} accepts them", family.verified)
        }
        (_, None) => format!(
            "{} can log in; the others' hashes are none that Django 5.2 writes, or too costly, and need a new password",
            family.verified
        ),
    };
    format!("  {name:<14} {}: {verified}", family.users)
}

fn tokens_text(tokens: &Tokens) -> String {
    format!(
        "Tokens      {} outstanding: {} live, {} expired; {} blacklisted",
        tokens.live + tokens.expired,
        tokens.live,
        tokens.expired,
        tokens.blacklisted
    )
}

fn plural(count: u64, noun: &str) -> String {
    match (count, noun.ends_with('s')) {
        (1, _) => format!("1 {noun}"),
        (_, true) => format!("{count} {noun}es"),
        (_, false) => format!("{count} {noun}s"),
    }
}
