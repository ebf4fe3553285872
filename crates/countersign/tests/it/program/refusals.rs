//! Settings that cannot be used: each is refused in one sentence that begins with its name and says what to do.

use std::net::TcpListener;

use super::Installation;
use crate::cluster::Cluster;

const STRONG_KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn each_bad_setting_is_refused_by_name_in_one_sentence() {
    let table = [
        ("ACCESS_TOKEN_LIFETIME", "soon", "must be a time such as 300, 90s, 5m"),
        ("REFRESH_TOKEN_LIFETIME", "0", "must be a time"),
        ("SLIDING_TOKEN_LIFETIME", "-5m", "must be a time"),
        ("DEBUG", "maybe", "must be True or False"),
        ("ROTATE_REFRESH_TOKENS", "2", "must be True or False"),
        ("PORT", "http", "must be a whole number from 0 to 65535"),
        ("PORT", "65536", "must be a whole number from 0 to 65535"),
        ("LEEWAY", "soon", "must be a number of seconds from 0 to 86400"),
        ("LEEWAY", "-1", "must be a number of seconds"),
        ("LEEWAY", "NaN", "must be a number of seconds"),
        ("ALGORITHM", "none", "must be one of HS256, HS384, "),
        ("ALGORITHM", "hs256", "must be one of HS256, HS384, "),
        ("ALGORITHM", "RS256", "set SIGNING_KEY"),
        ("ALGORITHM", "EdDSA", "set SIGNING_KEY"),
        ("SIGNING_KEY", "", "the secret is empty"),
        ("SECRET_KEY", "", "is empty"),
        ("SECRET_KEY_FILE", "/missing/key", "cannot be read"),
        ("SIGNING_KEY_FILE", "/missing/key", "cannot be read"),
        ("SECRET_KEY_FALLBACKS", "hunter2", "a key there has 7 bytes, and needs at least 32"),
        ("SECRET_KEY_FALLBACKS", "[\"hunter2\", 1]", "must be keys separated by commas, or a JSON list"),
        ("SECRET_KEY_FALLBACKS", "[\"\"]", "a JSON list of keys that are not empty"),
        ("SECRET_KEY_FALLBACKS_FILE", "/missing/key", "cannot be read"),
        ("KEY_PUBLISH_WINDOW", "soon", "must be a time"),
        ("SIGNING_KEYS_DIR", "/missing/keys", "/missing/keys cannot be read"),
        ("LOG", "=[", "use off, error, warn, info, debug or trace"),
        ("LOG", "wran", "\"wran\" is no level (did you mean warn?)"),
        ("LOG", "info,inf", "\"inf\" is no level (did you mean info?)"),
        ("LOG", "nonsense", "\"nonsense\" is no level; use off"),
        ("LOG", "countersign=wran", "use off, error, warn"),
        ("BIND", "127.0.0.1:9", "has a port in it; write BIND=127.0.0.1 and PORT=9"),
        ("BIND", "[::1]:9", "write BIND=[::1] and PORT=9"),
        ("BIND", "a:b", "must be an address"),
        ("RENDERERS", "xml", "must be json, or json,html"),
        ("AUTH_HEADER_NAME", "Authorization", "HTTP_AUTHORIZATION"),
        ("AUTH_HEADER_TYPES", " , ", "at least one word"),
        ("AUTH_HEADER_TYPES", "a\"b", "of letters, digits or"),
        ("AUTH_HEADER_TYPES", "Bearer,a/b", "of letters, digits or"),
        ("AUTH_TOKEN_CLASSES", "MyToken", "\"MyToken\" is not a token class; use AccessToken"),
        ("AUTH_TOKEN_CLASSES", " , ", "needs at least one class"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "\"10.0.0.1/8\" is no network of addresses: write 10.0.0.0/8"),
        ("PROXY_PROTOCOL", "on", "is read of TRUSTED_PROXIES alone, of which there are none; name them"),
        ("TRUSTED_PROXIES", "127.0.0.1,proxy", "\"proxy\" is no network of addresses"),
        ("THROTTLE", "maybe", "must be True or False"),
        ("THROTTLE_LOGIN_ACCOUNT", "5/month", "must be a rate such as 5/min, 20/hour or 100/day"),
        ("THROTTLE_TOKEN_ADDRESS", "0/day", "or off for no bound"),
        ("KNOWN_DEVICE_LIFETIME", "0", "must be a time"),
        ("EMAIL_PORT", "0", "must be a whole number from 1 to 65535"),
        ("EMAIL_TIMEOUT", "0", "must be a whole number from 1 to 600"),
        ("EMAIL_USE_TLS", "starttls", "must be True or False"),
        ("DEFAULT_FROM_EMAIL", "noreply", "must be an address, with a name before it or without"),
        ("THROTTLE_MAILBOX", "5", "must be a rate"),
        (
            "REGISTRATION_PRIVACY",
            "on",
            "needs REGISTRATION_CONFIRM_URL, the page that links in messages lead to",
        ),
        ("REGISTRATION_CONFIRM_URL", "app.example.com/{token}", "has to begin with https://"),
        ("REGISTRATION_CONFIRM_URL", "https://app.example.com/welcome", "has to have {token} in it once"),
        (
            "REGISTRATION_CONFIRM_URL",
            "http://app.example.com/#{token}",
            "lets everybody on the way read the links",
        ),
        ("REGISTRATION_LINK_LIFETIME", "60d", "from one second to thirty days"),
        ("DATABASE_POOL_SIZE", "0", "must be a whole number from 1 to 1000"),
        ("DRAIN_DELAY", "soon", "must be 0, or a time"),
        ("MIN_FREE_DISK_MIB", "-1", "must be a whole number"),
        ("CORS_ALLOWED_ORIGINS", "app.example.com", "write it as https://app.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com/", "write https://app.example.com, with nothing"),
        ("CORS_ALLOWED_ORIGINS", "*", "set CORS_ALLOW_ALL_ORIGINS=True"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", "^https://(a$", "cannot be read as a pattern"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", "[\"a\", 1]", "or a JSON list"),
        ("CORS_URLS_REGEX", "(", "cannot be read as a pattern"),
        ("CORS_ALLOW_HEADERS", "x y", "\"x y\" is no name"),
        ("CORS_PREFLIGHT_MAX_AGE", "-1", "must be 0, or a time"),
        ("TOKEN_COOKIES", "strict", "must be True or False"),
        ("SESSION_CLAIM", "nbf", "is no name of its own"),
        ("PASSWORD_HASHER", "md5", "must be argon2id, or argon2"),
        ("LEGACY_PASSWORD_HASHERS", "crypt", "use md5 or bcrypt"),
        ("ARGON2_MEMORY_KIB", "much", "must be a whole number"),
        ("ARGON2_MEMORY_KIB", "99999999", "a memory from 8 for each lane to 262144"),
        ("ARGON2_MEMORY_KIB", "1", "a memory from 8 for each lane to 262144"),
        ("ARGON2_ITERATIONS", "9999", "comes to 2097152 at the most"),
        (
            "AUTH_PASSWORD_VALIDATORS",
            "LongValidator",
            "use UserAttributeSimilarityValidator, MinimumLengthValidator, Common",
        ),
        ("AUTH_PASSWORD_VALIDATORS", "MinimumLengthValidator:long", "min_length"),
        ("AUTH_PASSWORD_VALIDATORS", "[{}]", "must be a list of"),
        ("AUTH_PASSWORD_VALIDATORS", "[", "must be a list of"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "\"mysql\" is not a database"),
        (
            "DATABASE_URL",
            "postgresql://ada:hunter2@db/x?sslmode=full",
            "use disable, prefer, require, verify-ca",
        ),
        ("DATABASE_URL", "postgresql:///x", "it names no host; use postgresql://USER"),
        ("DATABASE_START_WAIT", "soon", "must be 0, or a time"),
        ("DATABASE_URL", "host=db user=ada password=hunter2", "it is no URL; use sqlite:PATH"),
        ("DATABASE_URL", "postgresql://ada:p@hunter2@db/x", "as %40"),
        ("DATABASE_URL", "sqlite:", "needs the path of a file"),
        ("DATABASE_URL", "sqlite::memory:", "would forget every user"),
        ("DATABASE_URL", "sqlite:missing/countersign.sqlite3", "the directory missing does not exist"),
        ("REFRESH_GRACE", "2h", "of at most an hour"),
        ("REFRESH_GRACE", "-1", "must be 0, or a time"),
        ("SESSION_CLAIM", "jti", "is no name of its own"),
        ("TOKEN_CLAIMS", "jti=email", "the name \"jti\" is reserved"),
        ("TOKEN_CLAIMS", "sid=email", "the name \"sid\" is reserved"),
        ("TOKEN_CLAIMS", "hash_password=email", "is reserved"),
        ("TOKEN_CLAIMS", "sub=username", "USER_ID_CLAIM=sub puts the user's id there"),
        ("TOKEN_CLAIMS", "email,email", "\"email\" stands there twice"),
        ("TOKEN_CLAIMS", "password", "\"password\" is not known of a user; use username, email"),
        ("TOKEN_CLAIMS", "{\"a\": 1}", "must be names such as"),
        ("DJANGO_PEER", "perhaps", "must be True or False"),
        ("SIMPLE_JWT_JSON", "[]", "is not a JSON object; it must be {\"NAME\": value} (it stands in"),
        ("SIMPLE_JWT_JSON", "\"hunter2\"", "is not a JSON object"),
        ("SIMPLE_JWT_JSON", "{", "it must be {\"NAME\": value} (it stands in"),
        ("SIMPLE_JWT_JSON", r#"{"JWK_URL": "https://example.com"}"#, "sets JWK_URL"),
        ("SIMPLE_JWT_JSON", r#"{"TOKEN_OBTAIN_SERIALIZER": "my.Own"}"#, "TOKEN_CLAIMS adds claims"),
        ("SIMPLE_JWT_JSON", r#"{"SESSION_CLAIM": "sid"}"#, "set it by itself"),
        ("AUTH_USER_TABLE", " ", "must name the table of the project's user model"),
        ("USERNAME_FIELD", "phone", "must be username, or email"),
        ("USERNAME_FIELD", "email", "set AUTH_USER_TABLE to its table"),
        ("USER_ID_FIELD", "uuid", "must be id or username"),
        ("SIMPLE_JWT_JSON", r#"{"SECRET_KEY": "hunter2"}"#, "holds SECRET_KEY, which Simple JWT has removed"),
        ("SIMPLE_JWT_JSON", r#"{"AUDIENCE": [1]}"#, "AUDIENCE must be a list of strings"),
        ("SIMPLE_JWT_JSON", r#"{"ISSUER": {}}"#, "ISSUER cannot be an object"),
    ];
    for (name, value, reason) in table {
        let here = Installation::new().with(name, value);
        let sentence = here.refusal(&["check"]);
        assert!(sentence.starts_with(name) || name.starts_with("ARGON2_"), "{name}={value}: {sentence}");
        assert!(sentence.contains(reason), "{name}={value}: {sentence}");
        assert!(!sentence.contains("hunter2"), "no secret in it: {sentence}");
        let mut made = here.path().read_dir().expect("a directory").flatten();
        assert!(
            !made.any(|file| file.path().ends_with("countersign.sqlite3")),
            "{name}={value} made a database"
        );
    }
}

#[test]
fn registration_by_mail_is_refused_without_mail() {
    let page = "https://app.example.com/welcome#token={token}";
    let here = Installation::new().with("REGISTRATION_PRIVACY", "on").with("REGISTRATION_CONFIRM_URL", page);
    let sentence = here.refusal(&["check"]);
    assert!(sentence.contains("REGISTRATION_PRIVACY: needs mail to be sent; set EMAIL_HOST"), "{sentence}");
    let here = here.with("EMAIL_HOST", "127.0.0.1").with("DEFAULT_FROM_EMAIL", "noreply@example.com");
    here.say(&["check"]);
    let greeting = here.serve().greeting.clone();
    assert!(greeting.contains(r#"-d '{"email":"you@example.com"}'"#), "it shows what is taken: {greeting}");
}

#[test]
fn what_only_a_username_can_give_is_refused_where_there_is_none() {
    for (name, value, reason) in
        [("TOKEN_CLAIMS", "name=username", "use email"), ("USER_ID_FIELD", "username", "must be id or email")]
    {
        let here =
            Installation::new().with("AUTH_USER_TABLE", "people_person").with("USERNAME_FIELD", "email");
        let sentence = here.with(name, value).refusal(&["check"]);
        assert!(sentence.starts_with(name) && sentence.contains(reason), "{sentence}");
    }
}

#[test]
fn bad_settings_inside_simple_jwt_json_are_refused_by_their_own_name() {
    for (json, name) in [
        (r#"{"ACCESS_TOKEN_LIFETIME": "soon"}"#, "ACCESS_TOKEN_LIFETIME"),
        (r#"{"ALGORITHM": "RS999"}"#, "ALGORITHM"),
        (r#"{"ISSUER": ["a"]}"#, "ISSUER"),
        (r#"{"LEEWAY": true}"#, "LEEWAY"),
    ] {
        let sentence = Installation::new().with("SIMPLE_JWT_JSON", json).refusal(&["check"]);
        assert!(sentence.starts_with(name), "{json}: {sentence}");
    }
}

#[test]
fn one_setting_said_in_two_places_is_refused() {
    let here = Installation::new().with("SIMPLE_JWT_JSON", r#"{"LEEWAY": 1}"#).with("LEEWAY", "2");
    let sentence = here.refusal(&["check"]);
    assert_eq!(sentence, "LEEWAY is set twice, by itself and in SIMPLE_JWT_JSON; remove one");
}

#[test]
fn names_that_simple_jwt_ignores_are_warned_of_and_its_defaults_are_accepted() {
    let serializer = "rest_framework_simplejwt.serializers.TokenObtainPairSerializer";
    let json = &format!(
        r#"{{"JWK_URL": null, "USER_ID_FIELD": "id", "LEEWAY": 1.5, "ISSUER": null, "TOKEN_OBTAIN_SERIALIZER": "{serializer}"}}"#
    );
    assert_eq!(Installation::new().with("SIMPLE_JWT_JSON", json).say(&["check"]), "No issues.\n");
    let said =
        Installation::new().with("SIMPLE_JWT_JSON", r#"{"ROTATE_REFRESH_TOKEN": true}"#).say(&["check"]);
    assert!(said.contains("ROTATE_REFRESH_TOKEN, which Simple JWT does not know"), "{said}");
    assert!(said.contains("did you mean ROTATE_REFRESH_TOKENS?"), "{said}");
}

#[test]
fn an_algorithm_with_a_key_pair_works_with_a_key_and_not_with_the_secret() {
    let here = Installation::new().with("SECRET_KEY", STRONG_KEY).with("ALGORITHM", "ES256");
    assert!(here.refusal(&["check"]).contains("set SIGNING_KEY"));
    let here = here.with("SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\\nMAA=\\n-----END PRIVATE KEY-----");
    assert!(here.refusal(&["check"]).starts_with("SIGNING_KEY: "));
}

#[test]
fn a_port_that_is_in_use_is_named_with_the_ways_to_choose_another() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let sentence = Installation::new().with("PORT", port.clone()).refusal(&[]);
    assert!(sentence.starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")), "{sentence}");
    assert!(sentence.ends_with("choose another with --addr, BIND or PORT"), "{sentence}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let text = "these are not the tables you are looking for\n".repeat(100);
    let here = Installation::new().with_file("countersign.sqlite3", &text);
    let sentence = here.refusal(&["check"]);
    assert!(sentence.contains("countersign.sqlite3") && sentence.contains("not a database"), "{sentence}");
    assert_eq!(here.refusal(&["serve"]), sentence);
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1, "no key is made for it");
    let after = std::fs::read_to_string(here.path().join("countersign.sqlite3"));
    assert_eq!(after.expect("still text"), text);
}

#[test]
fn a_directory_is_no_database_and_gets_no_key() {
    let here = Installation::new();
    std::fs::create_dir(here.path().join("place")).expect("it is ours");
    let here = here.with("DATABASE_URL", "sqlite:place");
    for command in ["migrate", "serve", "check"] {
        let sentence = here.refusal(&[command]);
        assert!(sentence.starts_with("DATABASE_URL: place is a directory; name a file"), "{sentence}");
    }
    assert_eq!(here.path().read_dir().expect("a directory").count(), 1, "nothing was made");
}

#[test]
fn a_projects_table_without_the_projects_database_is_refused_before_anything_is_made() {
    let here = Installation::new().with("AUTH_USER_TABLE", "accounts_user");
    for command in ["migrate", "serve", "check"] {
        let sentence = here.refusal(&[command]);
        let why =
            "AUTH_USER_TABLE: there is no database sqlite:countersign.sqlite3, and accounts_user is a table";
        assert!(sentence.starts_with(why) && sentence.contains("set DATABASE_URL"), "{sentence}");
    }
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "nothing was made");
}

#[test]
fn what_a_server_refuses_is_told_with_what_to_do() {
    let Some(cluster) = Cluster::shared() else { return };
    let database = cluster.database();
    let url = database.url();
    let name = url.rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("a name").to_owned();
    let refusal = |url: String| {
        Installation::new().with("DATABASE_URL", url).with("SECRET_KEY", STRONG_KEY).refusal(&["migrate"])
    };
    let missing = refusal(url.replace(&name, "nowhere"));
    assert!(missing.contains("\"nowhere\" does not exist; make it (CREATE DATABASE)"), "{missing}");
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let stranger = refusal(format!("{scheme}://nobody@{host}"));
    assert!(stranger.contains("put the right user and password into DATABASE_URL"), "{stranger}");
    let plain = refusal(format!("{url}{}sslmode=require", if url.contains('?') { '&' } else { '?' }));
    assert!(plain.contains("turn ssl on there, or set sslmode=disable"), "{plain}");
}

#[test]
fn an_unknown_subcommand_is_refused_with_the_status_of_misuse() {
    let here = Installation::new();
    let output = here.command(&["frobnicate"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(here.path().read_dir().expect("a directory").count(), 0, "nothing was made");
}

#[test]
fn help_names_every_subcommand_and_every_setting() {
    let here = Installation::new();
    let help = here.say(&["--help"]);
    let settings = here.say_json(&["config"]);
    let names = settings["settings"].as_array().expect("a list").iter().map(|setting| &setting["name"]);
    let names: Vec<_> = names.map(|name| format!("\n  {} [", name.as_str().expect("a name"))).collect();
    here.say(&["manual", "man"]);
    let pages = std::fs::read_dir(here.path().join("man")).expect("it was made");
    let pages = pages.map(|page| page.expect("readable").file_name().into_string().expect("UTF-8"));
    let first_word = |page: String| {
        let name = page.strip_prefix("countersign-")?.strip_suffix(".1")?.to_owned();
        (!name.contains('-')).then(|| format!("\n  {name} "))
    };
    let commands: Vec<_> = pages.filter_map(first_word).collect();
    assert!(names.len() > 50 && commands.len() > 15, "{commands:?}");
    for line in names.iter().chain(&commands) {
        assert!(help.contains(line.as_str()), "{line:?}");
    }
}

#[test]
fn claims_that_would_overwrite_each_other_are_refused() {
    for (setting, claim) in [("USER_ID_CLAIM", "exp"), ("USER_ID_CLAIM", "jti"), ("JTI_CLAIM", "token_type")]
    {
        let sentence = Installation::new().with(setting, claim).refusal(&["check"]);
        assert!(sentence.contains("is no name of its own"), "{setting}={claim}: {sentence}");
    }
}

#[test]
fn mail_that_could_not_be_sent_or_would_give_its_password_away_is_refused_at_the_start() {
    let with = |settings: &[(&'static str, &str)]| {
        let relay = Installation::new().with("EMAIL_HOST", "smtp.example.com");
        settings.iter().fold(relay, |here, (name, value)| here.with(name, *value))
    };
    let sender = ("DEFAULT_FROM_EMAIL", "Example <noreply@example.com>");
    let (user, password) = (("EMAIL_HOST_USER", "us"), ("EMAIL_HOST_PASSWORD", "hunter2"));
    for (settings, reason) in [
        (&[][..], "DEFAULT_FROM_EMAIL: names nobody; set it"),
        (&[("EMAIL_USE_TLS", "on"), ("EMAIL_USE_SSL", "on")], "EMAIL_USE_SSL: is the other way than"),
        (
            &[sender, ("EMAIL_HOST", "smtp.example.com:587")],
            "EMAIL_HOST: is no name of a host and no address",
        ),
        (
            &[sender, ("EMAIL_HOST", "smtp://smtp.example.com")],
            "EMAIL_HOST: is no name of a host and no address",
        ),
        (&[sender, ("EMAIL_HOST", "[::1]")], "EMAIL_HOST: is no name of a host and no address"),
        (
            &[("DEFAULT_FROM_EMAIL", "Example <noreply@bücher.example>")],
            "DEFAULT_FROM_EMAIL: has characters beyond ASCII in its address",
        ),
        (
            &[sender, ("EMAIL_USE_TLS", "on"), ("SSL_CERT_FILE", "nowhere.pem")],
            "mail cannot be encrypted, as there is no certificate that this machine trusts (",
        ),
        (&[sender, user], "EMAIL_HOST_USER: needs EMAIL_HOST_PASSWORD; or remove it"),
        (&[sender, password], "EMAIL_HOST_PASSWORD: is whose? Set EMAIL_HOST_USER"),
        (
            &[sender, user, password],
            "EMAIL_HOST_PASSWORD: would go over the network in clear; set EMAIL_USE_TLS",
        ),
    ] {
        let sentence = with(settings).refusal(&["check"]);
        assert!(sentence.starts_with(reason) && !sentence.contains("hunter2"), "{sentence}");
    }
    for settings in [
        &[sender][..],
        &[sender, user, password, ("EMAIL_USE_TLS", "on")],
        &[sender, user, password, ("EMAIL_USE_SSL", "on")],
        &[sender, user, password, ("EMAIL_HOST", "127.0.0.1")],
        &[("DEFAULT_FROM_EMAIL", "Bücher <noreply@xn--bcher-kva.example>"), ("EMAIL_HOST", "::1")],
    ] {
        assert_eq!(with(settings).say(&["check"]), "No issues.\n");
    }
}

#[test]
fn a_test_message_says_what_is_in_its_way() {
    let send = |here: &Installation, to: &str| here.refusal(&["sendtestemail", to]);
    assert!(
        send(&Installation::new(), "ada@example.com").starts_with("there is no mail server; set EMAIL_HOST")
    );
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let here = Installation::new()
        .with("EMAIL_HOST", "127.0.0.1")
        .with("EMAIL_PORT", port.to_string())
        .with("DEFAULT_FROM_EMAIL", "noreply@example.com");
    assert!(send(&here, "ada").starts_with("this is no e-mail address; write one"));
    let refused = send(&here, "ada@example.com");
    let wanted = format!("127.0.0.1:{port} did not take the message: Connection error: Connection refused");
    assert!(refused.starts_with(&wanted), "{refused}");
}

#[test]
fn settings_that_contradict_each_other_are_refused_with_the_fix() {
    let here = Installation::new().with("PASSWORD_HASHER", "pbkdf2_sha256").with("ARGON2_ITERATIONS", "3");
    let sentence = here.refusal(&["check"]);
    assert_eq!(
        sentence,
        "ARGON2_ITERATIONS: is for PASSWORD_HASHER=argon2id only; remove one of the two (it stands in the environment)"
    );
    let here = Installation::new().with("SESSION_CLAIM", "").with("REFRESH_GRACE", "60");
    let sentence = here.refusal(&["check"]);
    assert!(sentence.starts_with("REFRESH_GRACE: there is no grace where SESSION_CLAIM is empty; remove"));
}
