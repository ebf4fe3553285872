//! Which columns and unique constraints Django 5.2 makes in its tables, and which migrations lead there.

use countersign_domain::{LoginField, UserIdKind};

use crate::user_table::Described;

/// A table as it should be.
pub(super) struct Table {
    pub name: String,
    pub columns: Vec<(String, Kind, Null)>,
    /// Columns, sorted, that are unique together.
    pub unique: Vec<String>,
    /// Whether we insert rows, so that a column which we do not know must have a default.
    pub is_written: bool,
    /// Whether we make the keys of new rows ourselves.
    pub is_given_ids: bool,
}

/// A table as Django makes it.
struct OfDjango {
    name: &'static str,
    columns: &'static [(&'static str, Kind, Null)],
    unique: &'static [&'static str],
    is_written: bool,
}

/// What a column holds. Keys may be narrow or wide: that depends on a setting of the project.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Uuid,
    Varchar(u32),
    Text,
    Bool,
    Datetime,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    Allowed,
    Refused,
}

use Kind::{Bool, Datetime, Integer, Text, Uuid, Varchar};
use Null::{Allowed, Refused};

/// The columns of users that a model may lack.
pub(super) const OPTIONAL: [&str; 2] = ["first_name", "last_name"];

/// Every table that we use, where the users are as described.
pub(super) fn tables(users: &Described) -> Vec<Table> {
    TABLES.iter().map(|table| of_model(table, users)).collect()
}

fn of_model(table: &OfDjango, users: &Described) -> Table {
    let (name, user_id) = match table.name {
        "auth_user" => (&*users.table, ""),
        "auth_user_groups" => (&*users.groups.table, &*users.groups.user),
        "auth_user_user_permissions" => (&*users.permissions.table, &*users.permissions.user),
        other => (other, "user_id"),
    };
    let is_of_users = table.name == "auth_user";
    let key = match users.key {
        UserIdKind::Number => Integer,
        UserIdKind::Uuid => Uuid,
    };
    let column = |&(column, kind, null): &(&'static str, Kind, Null)| match column {
        "id" if is_of_users => Some((column.to_owned(), key, null)),
        "user_id" => Some((user_id.to_owned(), key, null)),
        "username" if users.login != LoginField::Username => None,
        column if is_of_users && users.missing.contains(&column) => None,
        column => Some((column.to_owned(), kind, null)),
    };
    let unique = |columns: &&str| {
        let renamed = |column| match column {
            "user_id" => user_id,
            "username" => users.login.name(),
            column => column,
        };
        let mut columns: Vec<_> = columns.split(',').map(renamed).collect();
        columns.sort_unstable();
        columns.join(",")
    };
    Table {
        name: name.to_owned(),
        columns: table.columns.iter().filter_map(column).collect(),
        unique: table.unique.iter().map(unique).collect(),
        is_written: table.is_written,
        is_given_ids: is_of_users && users.key == UserIdKind::Uuid,
    }
}

const TABLES: [OfDjango; 10] = [
    OfDjango {
        name: "auth_group",
        columns: &[("id", Integer, Refused), ("name", Varchar(150), Refused)],
        unique: &["id", "name"],
        is_written: false,
    },
    OfDjango {
        name: "auth_group_permissions",
        columns: &[
            ("id", Integer, Refused),
            ("group_id", Integer, Refused),
            ("permission_id", Integer, Refused),
        ],
        unique: &["id", "group_id,permission_id"],
        is_written: false,
    },
    OfDjango {
        name: "auth_permission",
        columns: &[
            ("id", Integer, Refused),
            ("name", Varchar(255), Refused),
            ("content_type_id", Integer, Refused),
            ("codename", Varchar(100), Refused),
        ],
        unique: &["id", "codename,content_type_id"],
        is_written: false,
    },
    OfDjango {
        name: "auth_user",
        columns: &[
            ("id", Integer, Refused),
            ("password", Varchar(128), Refused),
            ("last_login", Datetime, Allowed),
            ("is_superuser", Bool, Refused),
            ("username", Varchar(150), Refused),
            ("first_name", Varchar(150), Refused),
            ("last_name", Varchar(150), Refused),
            ("email", Varchar(254), Refused),
            ("is_staff", Bool, Refused),
            ("is_active", Bool, Refused),
            ("date_joined", Datetime, Refused),
        ],
        unique: &["id", "username"],
        is_written: true,
    },
    OfDjango {
        name: "auth_user_groups",
        columns: &[("id", Integer, Refused), ("user_id", Integer, Refused), ("group_id", Integer, Refused)],
        unique: &["id", "group_id,user_id"],
        is_written: false,
    },
    OfDjango {
        name: "auth_user_user_permissions",
        columns: &[
            ("id", Integer, Refused),
            ("user_id", Integer, Refused),
            ("permission_id", Integer, Refused),
        ],
        unique: &["id", "permission_id,user_id"],
        is_written: false,
    },
    OfDjango {
        name: "django_content_type",
        columns: &[
            ("id", Integer, Refused),
            ("app_label", Varchar(100), Refused),
            ("model", Varchar(100), Refused),
        ],
        unique: &["id", "app_label,model"],
        is_written: false,
    },
    OfDjango {
        name: "django_migrations",
        columns: &[
            ("id", Integer, Refused),
            ("app", Varchar(255), Refused),
            ("name", Varchar(255), Refused),
            ("applied", Datetime, Refused),
        ],
        unique: &["id"],
        is_written: false,
    },
    OfDjango {
        name: "token_blacklist_blacklistedtoken",
        columns: &[
            ("id", Integer, Refused),
            ("blacklisted_at", Datetime, Refused),
            ("token_id", Integer, Refused),
        ],
        unique: &["id", "token_id"],
        is_written: true,
    },
    OfDjango {
        name: "token_blacklist_outstandingtoken",
        columns: &[
            ("id", Integer, Refused),
            ("token", Text, Refused),
            ("created_at", Datetime, Allowed),
            ("expires_at", Datetime, Refused),
            ("user_id", Integer, Allowed),
            ("jti", Varchar(255), Refused),
        ],
        unique: &["id", "jti"],
        is_written: true,
    },
];

/// The migrations of Django 5.2 and Simple JWT 5.5 by application, oldest first.
pub(super) const MIGRATIONS: [(&str, &[&str]); 3] = [
    ("contenttypes", &["0001_initial", "0002_remove_content_type_name"]),
    (
        "auth",
        &[
            "0001_initial",
            "0002_alter_permission_name_max_length",
            "0003_alter_user_email_max_length",
            "0004_alter_user_username_opts",
            "0005_alter_user_last_login_null",
            "0006_require_contenttypes_0002",
            "0007_alter_validators_add_error_messages",
            "0008_alter_user_username_max_length",
            "0009_alter_user_last_name_max_length",
            "0010_alter_group_name_max_length",
            "0011_update_proxy_permissions",
            "0012_alter_user_first_name_max_length",
        ],
    ),
    (
        "token_blacklist",
        &[
            "0001_initial",
            "0002_outstandingtoken_jti_hex",
            "0003_auto_20171017_2007",
            "0004_auto_20171017_2013",
            "0005_remove_outstandingtoken_jti",
            "0006_auto_20171017_2113",
            "0007_auto_20171017_2214",
            "0008_migrate_to_bigautofield",
            "0010_fix_migrate_to_bigautofield",
            "0011_linearizes_history",
            "0012_alter_outstandingtoken_user",
            "0013_alter_blacklistedtoken_options_and_more",
        ],
    ),
];

impl Kind {
    /// Reads the type, in lower case, that either engine gives a column; `None` for one that Django gives to none of these.
    pub(super) fn read(text: &str) -> Option<Self> {
        let limit = text
            .strip_prefix("varchar(")
            .or_else(|| text.strip_prefix("character varying("))
            .and_then(|rest| rest.strip_suffix(')'));
        match (text, limit) {
            (_, Some(limit)) => limit.parse().ok().map(Varchar),
            ("uuid" | "char(32)", _) => Some(Uuid), // the latter is what Django makes on SQLite
            ("integer" | "bigint" | "int" | "smallint", _) => Some(Integer),
            ("text" | "character varying" | "varchar", _) => Some(Text),
            ("bool" | "boolean", _) => Some(Bool),
            ("datetime" | "timestamp with time zone", _) => Some(Datetime),
            _ => None,
        }
    }

    /// Whether a column of kind `there` takes whatever one of this kind does, without being the same.
    pub(super) fn is_narrower_than(self, there: Self) -> bool {
        match (self, there) {
            (Varchar(limit), Varchar(there)) => limit < there,
            (Varchar(_), Text) => true,
            _ => false,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Integer => "integer".to_owned(),
            Uuid => "uuid".to_owned(),
            Varchar(limit) => format!("varchar({limit})"),
            Text => "text".to_owned(),
            Bool => "boolean".to_owned(),
            Datetime => "timestamp".to_owned(),
        }
    }
}
