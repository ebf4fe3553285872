//! `DATABASE_URL` is read as its documentation says.

use std::path::Path;

use countersign_store::{DatabaseUrl, DatabaseUrlError};

#[test]
fn the_path_of_a_file_is_read_as_other_tools_write_it() {
    for (url, path) in [
        ("sqlite:db.sqlite3", "db.sqlite3"),
        ("sqlite:/srv/db.sqlite3", "/srv/db.sqlite3"),
        ("sqlite://db.sqlite3", "db.sqlite3"),
        ("sqlite:///db.sqlite3", "db.sqlite3"),
        ("sqlite:////srv/db.sqlite3", "/srv/db.sqlite3"),
    ] {
        let DatabaseUrl::Sqlite(read) = url.parse().unwrap() else { panic!("{url} is of SQLite") };
        assert_eq!(read, Path::new(path), "{url}");
    }
}

#[test]
fn a_url_says_itself_again() {
    let url: DatabaseUrl = "sqlite:////srv/db.sqlite3".parse().unwrap();
    assert_eq!(url.to_string(), "sqlite:/srv/db.sqlite3");
    assert_eq!(url.to_string().parse(), Ok(url));
}

#[test]
fn what_would_lose_data_or_cannot_be_opened_is_refused() {
    for url in ["sqlite:", "sqlite://", "sqlite:///"] {
        assert_eq!(url.parse::<DatabaseUrl>(), Err(DatabaseUrlError::NoPath), "{url}");
    }
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:///:memory:"] {
        assert_eq!(url.parse::<DatabaseUrl>(), Err(DatabaseUrlError::InMemory), "{url}");
    }
    for url in ["sqlite:a.sqlite3?mode=ro", "sqlite:///a.sqlite3?", "sqlite:?cache=shared"] {
        assert_eq!(url.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Parameters), "{url}");
    }
    for (url, scheme) in [("mysql://u:secret@host/db", "mysql"), ("SQLite:a", "SQLite")] {
        let error = url.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error, DatabaseUrlError::UnknownScheme(scheme.to_owned()));
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn what_is_no_url_is_not_repeated() {
    for url in ["", "secret", "host=db user=ada password=secret", "host=db password=secret options=a:b"] {
        let error = url.parse::<DatabaseUrl>().unwrap_err();
        assert_eq!(error, DatabaseUrlError::NoScheme, "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn an_at_sign_in_a_password_is_refused_unless_it_is_written_as_another_sign() {
    for url in ["postgresql://ada:p@secret@db/x", "postgresql://ada:p@s/secret@db/x?sslmode=require"] {
        let error = url.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(error.contains("%40") && !error.contains("secret"), "{error}");
    }
    let url: DatabaseUrl = "postgresql://ada:p%40secret@db/x".parse().unwrap();
    assert_eq!(url.to_string(), "postgresql://ada@db:5432/x");
}

#[test]
fn a_server_is_told_without_its_password() {
    for (url, told) in [
        ("postgresql://ada:secret@db.example:5433/accounts", "postgresql://ada@db.example:5433/accounts"),
        ("postgres://db.example/accounts?sslmode=disable", "postgresql://db.example:5432/accounts"),
    ] {
        let url: DatabaseUrl = url.parse().unwrap();
        assert_eq!(url.to_string(), told);
        assert!(!format!("{url:?}").contains("secret"));
    }
    let error = "postgresql://ada:secret@db.example:port/x".parse::<DatabaseUrl>().unwrap_err();
    assert!(
        error.to_string().starts_with("not a URL of PostgreSQL: ") && !error.to_string().contains("secret")
    );
}

#[test]
fn what_is_about_encryption_is_read_as_libpq_reads_it() {
    for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
        let url = format!("postgresql://h/x?sslmode={mode}&application_name=a&sslrootcert=%2Fa%20b.pem");
        assert_eq!(url.parse::<DatabaseUrl>().unwrap().to_string(), "postgresql://h:5432/x");
    }
    let error = "postgresql://ada:secret@h/x?sslmode=Require".parse::<DatabaseUrl>().unwrap_err();
    assert_eq!(error, DatabaseUrlError::SslMode("Require".to_owned()));
    assert!(error.to_string().contains("verify-full") && !error.to_string().contains("secret"));
    assert!("postgresql://h/x?sslmde=require".parse::<DatabaseUrl>().is_err());
}
