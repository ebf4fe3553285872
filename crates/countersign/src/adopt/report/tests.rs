//! Why a database cannot be adopted, in one sentence with the fix.

use countersign_store::{Difference, Findings, MigrationsOf, OwnObjects};

use super::Report;

fn report(change: impl FnOnce(&mut Findings)) -> Report {
    let of = |application| MigrationsOf { application, applied: 1, missing: Vec::new(), unknown: Vec::new() };
    let mut findings = Findings {
        engine: "SQLite 3".to_owned(),
        is_empty: false,
        made_by_django: None,
        user_table: "auth_user".to_owned(),
        other_users: None,
        differences: Vec::new(),
        migrations: ["auth", "token_blacklist"].map(of).to_vec(),
        other_tables: 1,
        to_add: OwnObjects { tables: vec!["countersign_key".to_owned()], indexes: Vec::new() },
        may_create: true,
        last_user: 0,
        last_token: 0,
    };
    change(&mut findings);
    Report { database: "sqlite:db".to_owned(), findings, users: None, tokens: None }
}

fn refusal(change: impl FnOnce(&mut Findings)) -> String {
    let report = report(change);
    assert!(report.text().ends_with("\nIt cannot be adopted yet."));
    report.refusal().expect("it is refused")
}

fn missing_table(table: &str) -> Difference {
    Difference::MissingTable { table: table.to_owned() }
}

fn extra_column(is_harmless: bool) -> Difference {
    Difference::ExtraColumn { table: "auth_user".to_owned(), column: "tenant".to_owned(), is_harmless }
}

#[test]
fn a_database_as_django_makes_it_is_not_refused_nor_is_one_with_harmless_differences() {
    assert_eq!(report(|_| {}).refusal(), None);
    let harmless = report(|findings| findings.differences.push(extra_column(true)));
    assert_eq!(harmless.refusal(), None);
    assert_eq!(
        harmless.text(),
        "sqlite:db (SQLite 3), made by Django\n\n\
         Schema      as Django 5.2 makes it; 1 table of other applications\n  \
           the column auth_user.tenant is not Django's (no matter)\n\
         Migrations  auth 1 applied; token_blacklist 1 applied\n\
         To add\n  \
           tables   countersign_key\n\n\
         It can be adopted: countersign adopt. Nothing has been changed."
    );
}

#[test]
fn each_obstacle_comes_with_its_own_fix() {
    assert_eq!(
        refusal(|findings| findings.is_empty = true),
        "sqlite:db cannot be adopted: it has none of Django's tables; let the project's `manage.py migrate` make them, \
         or `countersign migrate` if there is no project"
    );
    assert_eq!(
        refusal(|findings| findings.other_users = Some("people_person".to_owned())),
        "sqlite:db cannot be adopted: its users are in people_person, not in auth_user; set \
         AUTH_USER_TABLE=people_person, and USERNAME_FIELD=email if that is what the project's user model says"
    );
    let wrong = |findings: &mut Findings| {
        findings.user_table = "people_person".to_owned();
        findings.other_users = Some("auth_user".to_owned());
    };
    assert_eq!(
        refusal(wrong),
        "sqlite:db cannot be adopted: its users are in auth_user, not in people_person; set AUTH_USER_TABLE=auth_user"
    );
    assert_eq!(
        refusal(|findings| findings.differences.push(missing_table("token_blacklist_outstandingtoken"))),
        "sqlite:db cannot be adopted: the table token_blacklist_outstandingtoken is missing; put \
         rest_framework_simplejwt.token_blacklist into INSTALLED_APPS and run `manage.py migrate`"
    );
    assert_eq!(
        refusal(|findings| findings.differences.push(extra_column(false))).split("; ").nth(1),
        Some("give the column a default in the database (db_default in Django 5), or let it take NULL")
    );
}

#[test]
fn a_role_that_may_make_no_tables_is_an_obstacle_only_while_some_are_missing() {
    assert_eq!(
        refusal(|findings| findings.may_create = false),
        "sqlite:db cannot be adopted: the role that DATABASE_URL names may not make tables in it, or an index on the \
         table of users, which only the owner of that may; name the role that Django uses, or GRANT CREATE on the schema to this one, and the use of all tables"
    );
    let adopted = report(|findings| {
        findings.may_create = false;
        findings.to_add = OwnObjects::default();
    });
    assert_eq!(adopted.refusal(), None);
}

#[test]
fn a_migration_that_is_missing_is_the_fix_where_tables_are_otherwise() {
    let old = |findings: &mut Findings| {
        findings.differences.push(missing_table("auth_group"));
        findings.migrations[0].missing = vec!["0012_alter_user_first_name_max_length"];
    };
    assert!(refusal(old).ends_with("which has yet to apply auth.0012_alter_user_first_name_max_length"));
    let by_hand = refusal(|findings| findings.differences.push(missing_table("auth_group")));
    assert!(by_hand.ends_with("change the tables to what Django 5.2 makes: `manage.py sqlmigrate` shows it"));
    let alone = report(|findings| findings.migrations[0].missing = vec!["0012"; 12]);
    assert_eq!(alone.refusal(), None, "the tables count");
    assert!(alone.text().contains("auth 1 applied, without 12 from 0012 on"));
}
