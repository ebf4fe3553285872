//! Every setting, declared once: `config` reads them by these names, `--help`, `docs/settings.md`, `.env.example` and
//! `docs/settings.schema.json` are made of what stands here (`settings/pages.rs`, `settings/schema.rs`).

pub mod kind;
mod pages;
#[cfg(test)]
mod schema;

pub use kind::Kind;
pub use pages::{commented, dotenv_entry, help};

/// One setting.
#[derive(Clone, Copy)]
pub struct Setting {
    /// Its name in the environment, in `.env`, in `countersign.toml`, and (for Simple JWT's own) in `SIMPLE_JWT_JSON`.
    pub name: &'static str,
    /// What it is when nothing is said.
    pub default: Default,
    /// Which values it takes.
    pub kind: Kind,
    /// What it decides.
    pub doc: &'static str,
    /// The first version that has it.
    pub since: &'static str,
    /// Whether it is one of Simple JWT's, so that `SIMPLE_JWT_JSON` may hold it.
    pub is_simple_jwt: bool,
    /// Whether `NAME_FILE` may name a file that holds it.
    pub is_secret: bool,
}

/// What a setting is when nothing is said.
#[derive(Clone, Copy)]
pub enum Default {
    /// This value.
    Value(&'static str),
    /// Something that no value says, in words.
    Words(&'static str),
}

impl Default {
    /// The value, where there is one.
    pub fn value(self) -> &'static str {
        match self {
            Self::Value(value) => value,
            Self::Words(_) => "",
        }
    }

    /// The value or the words, for people.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Value("") => "none",
            Self::Value(text) | Self::Words(text) => text,
        }
    }
}

const fn own(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    let default = Default::Value(default);
    let (kind, since) = (Kind::Text, "0.1.0");
    Setting { name, default, kind, doc, since, is_simple_jwt: false, is_secret: false }
}

const fn simple_jwt(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting { is_simple_jwt: true, ..own(name, default, doc) }
}

/// The same, with a default in words.
const fn otherwise(words: &'static str, setting: Setting) -> Setting {
    Setting { default: Default::Words(words), ..setting }
}

const fn secret(setting: Setting) -> Setting {
    Setting { is_secret: true, ..setting }
}

impl Setting {
    const fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }
}

/// Where a part of the list below begins, by its first setting.
pub const PARTS: &[(&str, &str)] = &[
    ("SECRET_KEY", "Basics"),
    ("DATABASE_URL", "Database"),
    ("BIND", "Server"),
    ("CORS_ALLOWED_ORIGINS", "Browsers"),
    ("AUTH_PASSWORD_VALIDATORS", "Passwords"),
    ("THROTTLE", "Guessing"),
    ("REGISTRATION_PRIVACY", "Registration by mail"),
    ("EMAIL_HOST", "Mail"),
    ("DJANGO_PEER", "Django, sessions and tokens"),
    ("ALLOW_WEAK_SECRET_KEY", "Keys"),
    ("SIMPLE_JWT_JSON", "Simple JWT's own"),
];

/// All settings, in the order in which they are documented.
pub const SETTINGS: &[Setting] = &[
    secret(otherwise(
        "made at the first start, kept beside the database",
        own(
            "SECRET_KEY",
            "",
            "Signs tokens, and seals signing keys in the database. With `DEBUG=False` it must have at least 32 bytes and not \
             be a placeholder.",
        ),
    )),
    own(
        "DEBUG",
        "False",
        "`True` accepts a weak `SECRET_KEY`, and local hosts when `ALLOWED_HOSTS` is empty.",
    ).of(Kind::Switch),
    otherwise(
        "local hosts",
        own(
            "ALLOWED_HOSTS",
            "",
            "Host names served, comma-separated: `api.example.com`, `.example.com` with all subdomains, `*` for any.",
        ).of(Kind::List),
    ),
    secret(own(
        "DATABASE_URL",
        "sqlite:countersign.sqlite3",
        "`sqlite:PATH`; the file is made if there is none. Or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, for a \
         database that is there; several servers may share it. After `?` it takes `sslmode=`: `prefer` (default) encrypts \
         where the server can, `require` always, `verify-ca` and `verify-full` know the server by its certificate, \
         `disable` never.",
    )),
    own(
        "PGSSLROOTCERT",
        "",
        "The file of certificates (PEM) that PostgreSQL's has to come from, or `system` for those the machine trusts. \
         `sslrootcert=` in `DATABASE_URL` goes before.",
    ).of(Kind::Path),
    own(
        "DATABASE_START_WAIT",
        "30s",
        "How long `serve` goes on trying at the start while PostgreSQL cannot be reached; `0` not at all.",
    ).of(Kind::NO_TIME_OR_MORE),
    own(
        "DATABASE_POOL_SIZE",
        "16",
        "Connections to PostgreSQL at the most, of each server; one more listens for changed keys.",
    ).of(Kind::Whole(1, 1000)),
    own(
        "DATABASE_PREPARED_STATEMENTS",
        "on",
        "`off` for a PgBouncer in transaction mode that knows no prepared statements (before 1.21).",
    ).of(Kind::Switch),
    own(
        "AUTH_USER_TABLE",
        "auth_user",
        "The table of the project's user model, if that is its own (`AUTH_USER_MODEL`): `accounts_user` for `accounts.User`. \
         It has to have the columns of Django's `AbstractUser`; `countersign adopt --dry-run` says what is missing.",
    ),
    own(
        "USERNAME_FIELD",
        "username",
        "What users log in with, as the user model says: `username`, or `email` for a model without usernames. Then \
         register and login take `email` and `password`.",
    ).of(Kind::Choice(&["username", "email"])),
    own("BIND", "127.0.0.1", "The address to listen on."),
    own("PORT", "8000", "The port to listen on.").of(Kind::Whole(0, 65_535)),
    own(
        "TRUSTED_PROXIES",
        "",
        "The proxies in front, as addresses or networks, comma-separated: `127.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`. A request \
         that comes from one of them is taken to come from the right-most address in its `FORWARDED_HEADER` that is none of them, and \
         may be named by its `X-Request-Id`. Nobody else's headers count. Behind a proxy that is not named all clients share its \
         address.",
    ).of(Kind::List),
    own(
        "FORWARDED_HEADER",
        "X-Forwarded-For",
        "The header in which `TRUSTED_PROXIES` say who asked them. The other one is not read: a client may have sent it.",
    )
    .of(Kind::Choice(&["X-Forwarded-For", "Forwarded"])),
    own(
        "PROXY_PROTOCOL",
        "off",
        "`on` for `TRUSTED_PROXIES` that pass on connections and begin each with a header of the PROXY protocol, version 1 or 2 \
         (`send-proxy-v2` in HAProxy, `proxy_protocol on` in nginx's `stream`): a connection is then its source's. They have to, \
         or are refused; of nobody else such a header is read.",
    )
    .of(Kind::Switch),
    own(
        "TLS_CERT_FILE",
        "",
        "The file of the server's certificate (PEM), followed by those that lead to its authority: what Let's Encrypt calls \
         `fullchain.pem`. With it and `TLS_KEY_FILE`, HTTPS is spoken, and no plain HTTP. Both files are read anew when they \
         change.",
    )
    .of(Kind::Path),
    own("TLS_KEY_FILE", "", "The file of the certificate's private key (PEM), not encrypted: `privkey.pem`.").of(Kind::Path),
    own(
        "SECURE_HSTS_SECONDS",
        "31536000",
        "For how long browsers that have been here come back with HTTPS alone (`Strict-Transport-Security`), in seconds; \
         said only where TLS is on. `0` says nothing; it does not take back what was said.",
    )
    .of(Kind::Whole(0, u32::MAX as u64)),
    own(
        "DRAIN_DELAY",
        "0",
        "How long after SIGTERM requests are still accepted while `/readyz` answers 503, so that a load balancer takes \
         notice first.",
    )
    .of(Kind::NO_TIME_OR_MORE),
    own("DRAIN_TIMEOUT", "10s", "How long requests in flight may then take; what is not done by then is cut off.")
        .of(Kind::NO_TIME_OR_MORE),
    own(
        "MIN_FREE_DISK_MIB",
        "64",
        "With less than this left for an SQLite file, `/readyz` answers 503; `0` does not look.",
    )
    .of(Kind::Whole(0, u32::MAX as u64)),
    own(
        "METRICS_BIND",
        "",
        "Where Prometheus finds `/metrics`, such as `127.0.0.1:9464`; empty for nowhere. It has no password: choose an address \
         that clients cannot reach.",
    ).of(Kind::Address),
    own(
        "LOG",
        "info,h2=error",
        "What to log: `error`, `warn`, `info`, `debug`, `trace`, or tracing-subscriber directives. (h2 warns of what any client can do, \
         a line for each connection.)",
    ),
    own(
        "LOG_FORMAT",
        "auto",
        "`json`, a line each, for programs; `pretty` for people; `auto` is `pretty` on a terminal and `json` otherwise.",
    )
    .of(Kind::Choice(&["auto", "json", "pretty"])),
    own(
        "ACCESS_LOG",
        "auto",
        "`on` for a line for each request, at `info`: route, method, status, duration, ids of request and user, code of the refusal; \
         never a path, query, address or token. `auto` is `on` where the log is pretty on a terminal, as somebody is watching, and \
         `off` otherwise: a proxy may write one already.",
    )
    .of(Kind::AutoOrSwitch),
    own(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Where traces of requests are sent, as OTLP over HTTP (`http/protobuf`): a collector such as `http://127.0.0.1:4318`, to \
         which `/v1/traces` is added; empty for nowhere.",
    ),
    secret(own(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "",
        "What the collector wants to be told with each batch, such as a key: `name=value`, comma-separated.",
    )),
    own("OTEL_EXPORTER_OTLP_TIMEOUT", "10000", "How long the collector may take for a batch, in milliseconds.")
        .of(Kind::Whole(1, 600_000)),
    own("OTEL_SERVICE_NAME", "countersign", "What traces call this service."),
    own(
        "OTEL_TRACES_SAMPLER",
        "parentbased_always_on",
        "Which requests are traced: all (`always_on`), none, or the share in `OTEL_TRACES_SAMPLER_ARG` (`traceidratio`). With \
         `parentbased_`, one whose `traceparent` says whether it is traced goes by that, and the rest by this.",
    )
    .of(Kind::Choice(&[
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
        "always_on",
        "always_off",
        "traceidratio",
    ])),
    own("OTEL_TRACES_SAMPLER_ARG", "1", "Which share of requests a sampler by `traceidratio` traces.").of(Kind::Share),
    own(
        "AUDIT_RETENTION",
        "365d",
        "How long events are kept in the audit log.",
    )
    .of(Kind::TIME),
    own(
        "AUDIT_MAX_EVENTS",
        "1000000",
        "How many events are kept in the audit log at the most; the oldest go first. One takes about half a KiB.",
    )
    .of(Kind::Whole(1000, 1_000_000_000)),
    own(
        "AUDIT_MAX_REFUSALS",
        "10000",
        "How many refused requests `countersign explain` knows of at the most, the newest; `0` for none.",
    )
    .of(Kind::Whole(0, 1_000_000)),
    own(
        "RENDERERS",
        "json,html",
        "Forms of an answer: `json`, or `json,html` for a page where a browser asks for one.",
    ).of(Kind::Choice(&["json", "json,html"])),
    own(
        "CORS_ALLOWED_ORIGINS",
        "",
        "Origins whose pages may call the API, comma-separated: `https://app.example.com`. `CORS_…` are the settings of \
         django-cors-headers; with no origin allowed the others do nothing. See `docs/browsers.md`.",
    ).of(Kind::List),
    own(
        "CORS_ALLOWED_ORIGIN_REGEXES",
        "",
        "Patterns of further origins, comma-separated, or a JSON list if one has a comma: \
         `^https://[a-z0-9]+\\.example\\.com$`. A pattern has to match the whole origin.",
    ).of(Kind::List),
    own("CORS_ALLOW_ALL_ORIGINS", "False", "`True` lets pages of any origin call the API.").of(Kind::Switch),
    own(
        "CORS_ALLOW_CREDENTIALS",
        "False",
        "`True` lets those pages send and get cookies, which `TOKEN_COOKIES` on another origin needs.",
    ).of(Kind::Switch),
    own(
        "CORS_ALLOW_HEADERS",
        "accept,authorization,content-type,user-agent,x-csrftoken,x-requested-with",
        "Headers that those pages may send.",
    ).of(Kind::List),
    own("CORS_ALLOW_METHODS", "DELETE,GET,OPTIONS,PATCH,POST,PUT", "Methods that those pages may use.").of(Kind::List),
    own(
        "CORS_EXPOSE_HEADERS",
        "",
        "Headers of answers that those pages may read beside the usual ones, such as `retry-after,x-request-id`.",
    ).of(Kind::List),
    own(
        "CORS_PREFLIGHT_MAX_AGE",
        "86400",
        "How long a browser may remember what it was told before a request; `0` leaves it to the browser.",
    ).of(Kind::NO_TIME_OR_MORE),
    own("CORS_URLS_REGEX", "^.*$", "The paths for which all this is so: those that begin as the pattern says."),
    own(
        "CORS_ALLOW_PRIVATE_NETWORK",
        "False",
        "`True` lets pages of the public network call a server on a private one.",
    ).of(Kind::Switch),
    own(
        "TOKEN_COOKIES",
        "off",
        "`on` gives browsers their tokens in cookies that no script can read, in place of the body. What changes something \
         then needs the header `X-CSRFToken`, and an origin that is our own or in `CORS_ALLOWED_ORIGINS`. Other clients, \
         and `login/?bearer`, get tokens in the body as before. See `docs/browsers.md`.",
    ).of(Kind::Switch),
    otherwise(
        "Django's four",
        own(
            "AUTH_PASSWORD_VALIDATORS",
            "",
            "Validators a new password must pass, comma-separated, by Django's class names: \
         `UserAttributeSimilarityValidator`, `MinimumLengthValidator` (or `MinimumLengthValidator:12`), \
         `CommonPasswordValidator`, `NumericPasswordValidator`. Django's own JSON list works too. Empty or `[]` for none.",
        ).of(Kind::List),
    ),
    own(
        "PASSWORD_HASHER",
        "argon2id",
        "How new passwords are hashed: `argon2id` (OWASP's parameters), `argon2` (Django's), `pbkdf2_sha256`, \
         `pbkdf2_sha1`, `scrypt`, `bcrypt_sha256` (Django's). Hashes of another kind are upgraded at login.",
    ).of(Kind::Choice(&["argon2id", "argon2", "pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "bcrypt_sha256"])),
    own("ARGON2_MEMORY_KIB", "19456", "Memory of one `argon2id` hash, in KiB.").of(Kind::Whole(1, u32::MAX as u64)),
    own("ARGON2_ITERATIONS", "2", "Passes of one `argon2id` hash.").of(Kind::Whole(1, u32::MAX as u64)),
    own("ARGON2_PARALLELISM", "1", "Lanes of one `argon2id` hash.").of(Kind::Whole(1, u32::MAX as u64)),
    otherwise(
        "as many as cores, and as fit in the memory limit",
        own(
            "HASHING_WORKERS",
            "",
            "Threads that hash passwords. Each needs the memory of a hash; a processor quota counts as cores.",
        ).of(Kind::Whole(1, 1024)),
    ),
    own(
        "HASHING_MAX_WAIT",
        "5s",
        "How long a login or registration waits at the most until its password is hashed. So many wait as that takes; \
         everybody else is asked at once to come back (503).",
    ).of(Kind::Time { may_be_none: false, max_secs: 3600 }),
    own(
        "LEGACY_PASSWORD_HASHERS",
        "",
        "Hashes to accept (and upgrade at login) beside Django's default list, comma-separated: `md5`, `bcrypt`.",
    ).of(Kind::List),
    own(
        "THROTTLE",
        "on",
        "`off` lets everybody guess as fast as they can; for tests. Otherwise too many attempts are answered 429 with `Retry-After` \
         before a hash is spent on them. A rate is a number and a period, `5/min`, `100/hour` or `50/day`, and `off` is no bound: \
         half of the number may come at once, the last of these with waits that double each time, the rest evenly.",
    )
    .of(Kind::Switch),
    own(
        "THROTTLE_LOGIN_ACCOUNT",
        "50/day",
        "Wrong passwords for one account, from anywhere but its known devices. Names that nobody has are counted alike.",
    ).of(Kind::Rate),
    own(
        "THROTTLE_LOGIN_DEVICE",
        "30/hour",
        "Wrong passwords from a device that has logged in to the account before: a budget of its own, which nobody else can use up. All \
         such devices of an account have four times as much together.",
    ).of(Kind::Rate),
    own(
        "THROTTLE_LOGIN_ADDRESS",
        "100/hour",
        "Wrong passwords from one IPv4 address or IPv6 /64, for whatever account; four times as many from the /24 or /48 around it.",
    ).of(Kind::Rate),
    own("THROTTLE_LOGIN_GLOBAL", "36000/hour", "Wrong passwords altogether, but for known devices.").of(Kind::Rate),
    own(
        "THROTTLE_REGISTER_ADDRESS",
        "100/hour",
        "Registrations from one IPv4 address or IPv6 /64, refused ones too; four times as many from the /24 or /48 around it.",
    ).of(Kind::Rate),
    own("THROTTLE_REGISTER_GLOBAL", "3600/hour", "Registrations altogether, refused ones too.").of(Kind::Rate),
    own(
        "THROTTLE_TOKEN_ADDRESS",
        "1000/hour",
        "Bad tokens sent to `token/refresh/`, `token/verify/` and `token/blacklist/` from one IPv4 address or IPv6 /64; four times as \
         many from the /24 or /48 around it. Good ones always pass, and one that has just expired is no bad one.",
    ).of(Kind::Rate),
    own(
        "THROTTLE_MAILBOX",
        "5/day",
        "Messages to one mailbox, whoever asks for them and from wherever; more are not sent, and nobody is told. Case, dots and what follows \
         a `+` make no other mailbox.",
    ).of(Kind::Rate),
    own(
        "KNOWN_DEVICE_LIFETIME",
        "180d",
        "How long a device stays known after its last login, by a cookie of its own. It ends with a change of the password.",
    )
    .of(Kind::TIME),
    own(
        "REGISTRATION_PRIVACY",
        "off",
        "`on` has `register/` take an e-mail address alone and answer 202 whoever has an account; a message to the address says how to make \
         one, at `register/confirm/`, or that there is one. The address is then also the name. Needs `EMAIL_HOST` and \
         `REGISTRATION_CONFIRM_URL`. `off` is as Django does it: a form that is refused tells which names there are.",
    )
    .of(Kind::Switch),
    own(
        "REGISTRATION_CONFIRM_URL",
        "",
        "The page of yours where whoever has the link chooses a password, with `{token}` for what it passes on to `register/confirm/`: \
         `https://app.example.com/welcome#token={token}`. What follows a `#` is in no log of a server.",
    ),
    own("REGISTRATION_LINK_LIFETIME", "1d", "How long such a link is good.").of(Kind::Time { may_be_none: false, max_secs: 30 * 86_400 }),
    own(
        "EMAIL_HOST",
        "",
        "The mail server that takes our messages; empty for no mail. `countersign sendtestemail` tries it.",
    ),
    own("EMAIL_PORT", "25", "Its port: as a rule 587 with `EMAIL_USE_TLS`, 465 with `EMAIL_USE_SSL`.").of(Kind::Whole(1, 65535)),
    own("EMAIL_HOST_USER", "", "As whom we log in there; empty for no login."),
    secret(own(
        "EMAIL_HOST_PASSWORD",
        "",
        "The password of `EMAIL_HOST_USER`. It is said over TLS only, or to this machine.",
    )),
    own(
        "EMAIL_USE_TLS",
        "False",
        "`True` encrypts after `STARTTLS`; a server without that gets no mail. Its certificate has to be one that this machine trusts, or \
         that `SSL_CERT_FILE` does, and for `EMAIL_HOST`.",
    )
    .of(Kind::Switch),
    own("EMAIL_USE_SSL", "False", "`True` encrypts from the first byte.").of(Kind::Switch),
    own("EMAIL_TIMEOUT", "30", "The seconds in which a message has to be taken; else it is tried again later.").of(Kind::Whole(1, 600)),
    own(
        "DEFAULT_FROM_EMAIL",
        "",
        "Who messages are from: `noreply@example.com`, or `Example <noreply@example.com>`. Needed with `EMAIL_HOST`.",
    ),
    otherwise(
        "on if Django made the database",
        own(
            "DJANGO_PEER",
            "",
            "`on` when a Django serves the same database: each login and rotation is then recorded in its token tables \
             too, though without the token's signature.",
        ).of(Kind::Switch),
    ),
    own(
        "SESSION_CLAIM",
        "sid",
        "The claim that names a token's session. Empty for tokens exactly as Simple JWT makes them: then there are no \
         sessions, and refresh tokens rotate by Django's tables alone, without grace and without detection of theft. A \
         change forgets which sessions have ended.",
    ),
    own(
        "REFRESH_GRACE",
        "60",
        "How long after its exchange a rotated refresh token may be presented again and gets the same successor: for \
         other tabs, and for answers that were lost. `0` for no grace, as in Simple JWT.",
    ).of(Kind::Time { may_be_none: true, max_secs: 3600 }),
    own(
        "TOKEN_CLAIMS",
        "",
        "Claims that tokens carry beside Simple JWT's, comma-separated: `username`, `email`, `first_name`, `last_name`, \
         `is_active`, `is_staff`, `is_superuser`, `groups`, `permissions`, each under another name by `NAME=SOURCE`; or \
         a JSON object of both. Access tokens get them anew at each refresh.",
    ).of(Kind::List),
    own(
        "ALLOW_WEAK_SECRET_KEY",
        "off",
        "`on` accepts any `SECRET_KEY` even with `DEBUG=False`. Whoever guesses the key can be any user.",
    ).of(Kind::Switch),
    secret(own(
        "SECRET_KEY_FALLBACKS",
        "",
        "Former values of `SECRET_KEY`, comma-separated or a JSON list: tokens that they signed stay good, and signing keys \
         sealed under them can be opened (and are sealed anew at the start). Remove them once the longest token has expired.",
    ).of(Kind::List)),
    own(
        "KEY_PUBLISH_WINDOW",
        "10m",
        "How long a new signing key is published at `/.well-known/jwks.json` before `countersign keys rotate` lets it sign.",
    ).of(Kind::TIME),
    own(
        "SIGNING_KEYS_DIR",
        "",
        "A directory of signing keys that somebody else manages, in place of those in the database: `NAME.next.pem`, \
         `NAME.signing.pem`, `NAME.verifying.pem` (this one may be a public key). Ed25519 signs with EdDSA, P-256 with \
         ES256, P-384 with ES384, P-521 with ES512, secp256k1 with ES256K, RSA with RS256. Files are read anew each second; \
         to rotate, rename the next key first. An empty `configured.retired` ends the tokens of `SECRET_KEY` or \
         `SIGNING_KEY`.",
    ).of(Kind::Path),
    secret(own("SIMPLE_JWT_JSON", "{}", "Simple JWT's settings as one JSON object, durations in seconds.").of(Kind::Json)),
    simple_jwt(
        "ACCESS_TOKEN_LIFETIME",
        "5m",
        "How long an access token is good: seconds, or `90s`, `5m`, `12h`, `1d`.",
    ).of(Kind::TIME),
    simple_jwt("REFRESH_TOKEN_LIFETIME", "1d", "How long a refresh token is good.").of(Kind::TIME),
    simple_jwt("SLIDING_TOKEN_LIFETIME", "5m", "How long a sliding token is good.").of(Kind::TIME),
    simple_jwt("SLIDING_TOKEN_REFRESH_LIFETIME", "1d", "How long a sliding token can be refreshed.").of(Kind::TIME),
    simple_jwt(
        "ROTATE_REFRESH_TOKENS",
        "False",
        "`True` answers a refresh with a new refresh token as well.",
    ).of(Kind::Switch),
    simple_jwt(
        "BLACKLIST_AFTER_ROTATION",
        "False",
        "`True` ends a refresh token when it is rotated; if it is presented again later, its session ends. `False` leaves \
         it good for its session until it expires.",
    ).of(Kind::Switch),
    simple_jwt("UPDATE_LAST_LOGIN", "False", "`True` writes `last_login` at each login.").of(Kind::Switch),
    simple_jwt(
        "ALGORITHM",
        "HS256",
        "How tokens are signed: `HS256`, `HS384`, `HS512`; with a key pair `RS…`, `PS…`, `ES256`, `ES384`, `ES512`, \
         `ES256K`, `EdDSA`.",
    ).of(Kind::Algorithm),
    secret(otherwise(
        "`SECRET_KEY`",
        simple_jwt("SIGNING_KEY", "", "The key that signs: text for HS…, a private key in PEM otherwise."),
    )),
    secret(simple_jwt("VERIFYING_KEY", "", "The public key in PEM, for algorithms with a key pair.")),
    simple_jwt("AUDIENCE", "", "The claim `aud` to write and to require; several comma-separated.").of(Kind::List),
    simple_jwt("ISSUER", "", "The claim `iss` to write and to require."),
    simple_jwt("LEEWAY", "0", "Seconds that clocks may differ.").of(Kind::Seconds(86_400)),
    simple_jwt("AUTH_HEADER_TYPES", "Bearer", "Words that may stand before a token, comma-separated.").of(Kind::List),
    simple_jwt(
        "AUTH_HEADER_NAME",
        "HTTP_AUTHORIZATION",
        "The header that carries the token, in WSGI's spelling.",
    ),
    simple_jwt(
        "USER_ID_FIELD",
        "id",
        "What tokens name a user by: `id`, or what `USERNAME_FIELD` says. Other fields are not unique in Django's table.",
    ),
    simple_jwt("USER_ID_CLAIM", "user_id", "The claim that names the user."),
    simple_jwt("TOKEN_TYPE_CLAIM", "token_type", "The claim that holds the kind of token."),
    simple_jwt("JTI_CLAIM", "jti", "The claim that identifies the token."),
    simple_jwt(
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "refresh_exp",
        "The claim that ends a sliding token's refreshing.",
    ),
    simple_jwt(
        "AUTH_TOKEN_CLASSES",
        "AccessToken",
        "Tokens that protected endpoints accept, comma-separated: `AccessToken`, `SlidingToken`, `RefreshToken`, \
         `UntypedToken`.",
    ).of(Kind::List),
    simple_jwt("CHECK_REVOKE_TOKEN", "False", "`True` ends tokens when the password changes.").of(Kind::Switch),
    simple_jwt(
        "REVOKE_TOKEN_CLAIM",
        "hash_password",
        "The claim that holds the fingerprint of the password hash.",
    ),
    simple_jwt("CHECK_USER_IS_ACTIVE", "True", "`False` lets tokens of inactive users pass.").of(Kind::Switch),
];

/// The setting with this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Every name that the environment may have, `NAME_FILE` of secrets too.
pub fn names() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| {
        let file = setting.is_secret.then(|| format!("{}_FILE", setting.name));
        [Some(setting.name.to_owned()), file].into_iter().flatten()
    })
}

/// Whether this is the name of a setting, or of the file of a secret one.
pub fn is_known(name: &str) -> bool {
    find(name).is_some() || name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.is_secret)
}

/// The known name that is nearest to a mistyped one.
pub fn nearest(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let distance = |known: &String| strsim::damerau_levenshtein(known, &upper);
    names().min_by_key(distance).filter(|known| distance(known) <= known.len() / 3)
}
