//! Settings as the floors below want them, each checked, each refusal a sentence with the setting's name and the fix.

use std::str::FromStr;

use countersign_auth::Rules;
use countersign_domain::{Attribute, PasswordPolicy, PasswordValidator};
use countersign_http::{AllowedHosts, HeaderName, Renderer};
use countersign_password::{Algorithm as HashAlgorithm, Hashers, Limits, Preferred};
use countersign_store::{DatabaseUrl, DatabaseUrlError};
use countersign_token::{Algorithm, Audience, Keys, Kind, Settings as TokenSettings, Tokens};
use jiff::SignedDuration;

use crate::durations::parse_duration;
use crate::secret_key::{self, SecretKey};
use crate::settings::find;
use crate::sources::{Raw, SettingError, Sources};

/// Everything the program was told, checked.
pub struct Config {
    /// Which database to open.
    pub database: DatabaseUrl,
    /// What signs, unless `SIGNING_KEY` does.
    pub secret_key: SecretKey,
    /// How tokens are made and read.
    pub tokens: Tokens,
    /// How passwords are hashed.
    pub hashers: Hashers,
    /// What a new password must be.
    pub policy: PasswordPolicy,
    /// What use-cases do.
    pub rules: Rules,
    /// What the wire does.
    pub http: countersign_http::Settings,
    /// Where to listen.
    pub bind: String,
    /// Where to listen.
    pub port: u16,
    /// What to say at the start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Checks everything that was said.
    pub fn from_sources(sources: &Sources) -> Result<Self, SettingError> {
        let reader = Reader(sources);
        let debug = reader.switch("DEBUG")?;
        let database = database(&reader)?;
        let secret_key = secret_key::obtain(reader.optional_text("SECRET_KEY")?, &database)?;
        let warnings = check_secrets(&reader, &secret_key, debug)?;
        Ok(Self {
            tokens: tokens(&reader, &secret_key)?,
            hashers: hashers(&reader)?,
            policy: policy(&reader)?,
            rules: rules(&reader)?,
            http: http_settings(&reader, debug)?,
            bind: reader.text("BIND")?.to_owned(),
            port: reader.number("PORT", "must be a number from 0 to 65535")?,
            database,
            secret_key,
            warnings,
        })
    }
}

/// Reads settings of one type each, falling back to the declared default.
struct Reader<'a>(&'a Sources);

impl<'a> Reader<'a> {
    fn optional_text(&self, name: &'static str) -> Result<Option<&'a str>, SettingError> {
        match self.0.get(name) {
            Some(Raw::Text(text)) => Ok(Some(text)),
            Some(Raw::List(_)) => Err(refused(name, "must be one value, not a list")),
            None => Ok(None),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str, SettingError> {
        Ok(self.optional_text(name)?.unwrap_or_else(|| find(name).map_or("", |setting| setting.default)))
    }

    fn list(&self, name: &'static str) -> Result<Vec<String>, SettingError> {
        if let Some(Raw::List(items)) = self.0.get(name) {
            return Ok(items.clone());
        }
        let items = self.text(name)?.split(',').map(str::trim);
        Ok(items.filter(|item| !item.is_empty()).map(str::to_owned).collect())
    }

    fn number<T: FromStr>(&self, name: &'static str, fix: &str) -> Result<T, SettingError> {
        self.text(name)?.trim().parse().map_err(|_| refused(name, fix))
    }

    fn switch(&self, name: &'static str) -> Result<bool, SettingError> {
        match self.text(name)?.trim().to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Ok(true),
            "false" | "off" | "no" | "0" | "" => Ok(false),
            _ => Err(refused(name, "must be True or False")),
        }
    }

    fn duration(&self, name: &'static str) -> Result<SignedDuration, SettingError> {
        let fix = "must be a time such as 300, 90s, 5m, 12h or 1d, between one second and ten years";
        parse_duration(self.text(name)?).ok_or_else(|| refused(name, fix))
    }
}

fn refused(name: &str, why: &str) -> SettingError {
    SettingError(format!("{name}: {why}"))
}

/// The database to open, in a directory that is there.
fn database(reader: &Reader<'_>) -> Result<DatabaseUrl, SettingError> {
    let parsed = reader.text("DATABASE_URL")?.trim().parse();
    let database: DatabaseUrl =
        parsed.map_err(|error: DatabaseUrlError| refused("DATABASE_URL", &error.to_string()))?;
    let DatabaseUrl::Sqlite(path) = &database;
    match path.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.is_dir()) {
        Some(missing) => {
            let why = format!("the directory {} does not exist; make it, or name another", missing.display());
            Err(refused("DATABASE_URL", &why))
        }
        None => Ok(database),
    }
}

/// Warns of weak keys, or refuses them: `SECRET_KEY`, and a `SIGNING_KEY` that takes its place.
fn check_secrets(reader: &Reader<'_>, key: &SecretKey, debug: bool) -> Result<Vec<String>, SettingError> {
    let is_accepted = debug || reader.switch("ALLOW_WEAK_SECRET_KEY")?;
    let is_secret = algorithm(reader)?.is_symmetric();
    let signing_key = reader.optional_text("SIGNING_KEY")?.filter(|key| is_secret && !key.is_empty());
    let mut warnings = Vec::new();
    for (name, key) in [("SECRET_KEY", Some(key.value.as_str())), ("SIGNING_KEY", signing_key)] {
        match key.and_then(secret_key::weakness) {
            None => {}
            Some(weakness) if is_accepted => warnings
                .push(format!("{name} {weakness}: whoever guesses it can be any user. Not for real users.")),
            Some(weakness) => {
                let fix = "Set a long random one (for example the output of `openssl rand -hex 32`), or remove it to \
                           have one made; DEBUG=True accepts it for trying out";
                let why = format!("it {weakness}, so that its tokens could be forged. {fix}");
                return Err(refused(name, &why));
            }
        }
    }
    Ok(warnings)
}

fn algorithm(reader: &Reader<'_>) -> Result<Algorithm, SettingError> {
    let name = reader.text("ALGORITHM")?;
    let fix = "use HS256, EdDSA, ES256, RS256, …";
    Algorithm::from_name(name)
        .ok_or_else(|| refused("ALGORITHM", &format!("{name} is not an algorithm; {fix}")))
}

fn tokens(reader: &Reader<'_>, secret_key: &SecretKey) -> Result<Tokens, SettingError> {
    let algorithm = algorithm(reader)?;
    let configured = reader.optional_text("SIGNING_KEY")?;
    if configured.is_none() && !algorithm.is_symmetric() {
        let fix = "signs with a key pair: set SIGNING_KEY, or SIGNING_KEY_FILE, to a private key in PEM";
        return Err(refused("ALGORITHM", &format!("{} {fix}", algorithm.name())));
    }
    let signing = configured.unwrap_or(&secret_key.value);
    let verifying = reader.text("VERIFYING_KEY")?;
    let keys = Keys::new(algorithm, pem(signing).as_bytes(), pem(verifying).as_bytes())
        .map_err(|error| refused("SIGNING_KEY", &error.to_string()))?;
    let claim = |name| reader.text(name).map(str::to_owned);
    let settings = TokenSettings {
        access_lifetime: reader.duration("ACCESS_TOKEN_LIFETIME")?,
        refresh_lifetime: reader.duration("REFRESH_TOKEN_LIFETIME")?,
        sliding_lifetime: reader.duration("SLIDING_TOKEN_LIFETIME")?,
        sliding_refresh_lifetime: reader.duration("SLIDING_TOKEN_REFRESH_LIFETIME")?,
        leeway: leeway(reader)?,
        audience: audience(reader)?,
        issuer: reader.optional_text("ISSUER")?.filter(|issuer| !issuer.is_empty()).map(str::to_owned),
        token_type_claim: claim("TOKEN_TYPE_CLAIM")?,
        jti_claim: claim("JTI_CLAIM")?,
        user_id_claim: claim("USER_ID_CLAIM")?,
        revoke_token_claim: claim("REVOKE_TOKEN_CLAIM")?,
        sliding_refresh_exp_claim: claim("SLIDING_TOKEN_REFRESH_EXP_CLAIM")?,
    };
    Ok(Tokens::new(settings, keys))
}

/// A key in PEM may stand on one line, its line ends written as `\n`.
fn pem(key: &str) -> String {
    if key.starts_with("-----BEGIN") { key.replace("\\n", "\n") } else { key.to_owned() }
}

/// Seconds, with a fraction if need be; a day would make expiry meaningless.
fn leeway(reader: &Reader<'_>) -> Result<SignedDuration, SettingError> {
    let fix = "must be a number of seconds from 0 to 86400";
    let secs: f64 = reader.number("LEEWAY", fix)?;
    let leeway =
        (0.0..=86_400.0).contains(&secs).then(|| SignedDuration::try_from_secs_f64(secs).ok()).flatten();
    leeway.ok_or_else(|| refused("LEEWAY", fix))
}

fn audience(reader: &Reader<'_>) -> Result<Option<Audience>, SettingError> {
    Ok(match reader.0.get("AUDIENCE") {
        Some(Raw::List(items)) => Some(Audience::List(items.clone())),
        Some(Raw::Text(text)) if text.contains(',') => Some(Audience::List(reader.list("AUDIENCE")?)),
        Some(Raw::Text(text)) if !text.is_empty() => Some(Audience::One(text.to_string())),
        _ => None,
    })
}

fn hashers(reader: &Reader<'_>) -> Result<Hashers, SettingError> {
    let preferred = match reader.text("PASSWORD_HASHER")? {
        "argon2id" => Preferred::Argon2id {
            memory_kib: reader.number("ARGON2_MEMORY_KIB", "must be a whole number of KiB")?,
            iterations: reader.number("ARGON2_ITERATIONS", "must be a whole number")?,
            parallelism: reader.number("ARGON2_PARALLELISM", "must be a whole number")?,
        },
        "argon2" => Preferred::DJANGO_ARGON2,
        "pbkdf2_sha256" => Preferred::DJANGO_PBKDF2,
        "pbkdf2_sha1" => Preferred::DJANGO_PBKDF2_SHA1,
        "scrypt" => Preferred::DJANGO_SCRYPT,
        "bcrypt_sha256" => Preferred::DJANGO_BCRYPT_SHA256,
        other => {
            let fix = "use argon2id, argon2, pbkdf2_sha256, pbkdf2_sha1, scrypt or bcrypt_sha256";
            return Err(refused("PASSWORD_HASHER", &format!("{other:?} is not known; {fix}")));
        }
    };
    let mut accepted = HashAlgorithm::DJANGO_DEFAULT.to_vec();
    for name in reader.list("LEGACY_PASSWORD_HASHERS")? {
        let unknown =
            || refused("LEGACY_PASSWORD_HASHERS", &format!("{name:?} is not known; use md5 or bcrypt"));
        accepted.push(HashAlgorithm::from_name(&name).ok_or_else(unknown)?);
    }
    // Only the parameters of argon2id are configurable, so that only they can be wrong.
    Hashers::new(preferred, &accepted, Limits::default()).map_err(|error| {
        refused("ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_PARALLELISM", &error.to_string())
    })
}

fn policy(reader: &Reader<'_>) -> Result<PasswordPolicy, SettingError> {
    let Some(text) = reader.optional_text("AUTH_PASSWORD_VALIDATORS")? else {
        return Ok(PasswordPolicy::default());
    };
    let entries = if text.trim_start().starts_with('[') {
        json_validators(text)?
    } else {
        let list = reader.list("AUTH_PASSWORD_VALIDATORS")?;
        list.iter().map(|entry| plain_validator(entry)).collect()
    };
    let validators =
        entries.iter().map(|(name, options)| validator(name, options)).collect::<Result<_, _>>()?;
    Ok(PasswordPolicy::new(validators))
}

type Options = serde_json::Map<String, serde_json::Value>;

/// `Name` or `MinimumLengthValidator:12`.
fn plain_validator(entry: &str) -> (String, Options) {
    let (name, length) = entry.split_once(':').map_or((entry, None), |(name, length)| (name, Some(length)));
    let number =
        length.map(|length| length.parse::<u32>().map_or_else(|_| length.into(), serde_json::Value::from));
    (name.to_owned(), number.into_iter().map(|number| ("min_length".to_owned(), number)).collect())
}

/// Django's `[{"NAME": "…", "OPTIONS": {…}}]`.
fn json_validators(text: &str) -> Result<Vec<(String, Options)>, SettingError> {
    let wrong = || refused("AUTH_PASSWORD_VALIDATORS", "must be a list of {\"NAME\": …, \"OPTIONS\": {…}}");
    let list: Vec<Options> = serde_json::from_str(text).map_err(|_| wrong())?;
    let entry = |mut object: Options| {
        let name = object.get("NAME").and_then(|name| name.as_str()).ok_or_else(wrong)?.to_owned();
        let options = match object.remove("OPTIONS") {
            None => Options::new(),
            Some(serde_json::Value::Object(options)) => options,
            Some(_) => return Err(wrong()),
        };
        Ok((name, options))
    };
    list.into_iter().map(entry).collect()
}

fn validator(name: &str, options: &Options) -> Result<PasswordValidator, SettingError> {
    let wrong =
        |what: &str| refused("AUTH_PASSWORD_VALIDATORS", &format!("{what} of {name:?} is not usable"));
    let known: &[&str] = match name.rsplit('.').next().unwrap_or(name) {
        "MinimumLengthValidator" => &["min_length"],
        "UserAttributeSimilarityValidator" => &["max_similarity", "user_attributes"],
        _ => &[],
    };
    if let Some(option) = options.keys().find(|option| !known.contains(&option.as_str())) {
        return Err(wrong(&format!("the option {option}")));
    }
    match name.rsplit('.').next().unwrap_or(name) {
        "UserAttributeSimilarityValidator" => similarity(options).ok_or_else(|| wrong("an option")),
        "MinimumLengthValidator" => {
            let length = options.get("min_length").map_or(Some(8), serde_json::Value::as_u64);
            let min_length = length.and_then(|length| usize::try_from(length).ok());
            Ok(PasswordValidator::MinimumLength {
                min_length: min_length.ok_or_else(|| wrong("min_length"))?,
            })
        }
        "CommonPasswordValidator" => Ok(PasswordValidator::Common),
        "NumericPasswordValidator" => Ok(PasswordValidator::Numeric),
        _ => Err(refused(
            "AUTH_PASSWORD_VALIDATORS",
            &format!("{name:?} is not one of Django's four validators"),
        )),
    }
}

fn similarity(options: &Options) -> Option<PasswordValidator> {
    let max_similarity = options.get("max_similarity").map_or(Some(0.7), serde_json::Value::as_f64)?;
    let attributes = match options.get("user_attributes") {
        None => vec![Attribute::Username, Attribute::FirstName, Attribute::LastName, Attribute::Email],
        Some(list) => list.as_array()?.iter().map(|name| attribute(name.as_str()?)).collect::<Option<_>>()?,
    };
    (max_similarity >= 0.1)
        .then_some(PasswordValidator::UserAttributeSimilarity { max_similarity, attributes })
}

fn attribute(name: &str) -> Option<Attribute> {
    match name {
        "username" => Some(Attribute::Username),
        "first_name" => Some(Attribute::FirstName),
        "last_name" => Some(Attribute::LastName),
        "email" => Some(Attribute::Email),
        _ => None,
    }
}

fn rules(reader: &Reader<'_>) -> Result<Rules, SettingError> {
    let classes = reader.list("AUTH_TOKEN_CLASSES")?;
    let class = |path: &String| {
        let name = path.rsplit('.').next().unwrap_or(path);
        let kinds = [Kind::Access, Kind::Sliding, Kind::Refresh, Kind::Untyped];
        let named = kinds.into_iter().find(|kind| kind.class_name() == name);
        named.ok_or_else(|| refused("AUTH_TOKEN_CLASSES", &format!("{name:?} is not a token class")))
    };
    Ok(Rules {
        rotate_refresh_tokens: reader.switch("ROTATE_REFRESH_TOKENS")?,
        blacklist_after_rotation: reader.switch("BLACKLIST_AFTER_ROTATION")?,
        update_last_login: reader.switch("UPDATE_LAST_LOGIN")?,
        check_revoke_token: reader.switch("CHECK_REVOKE_TOKEN")?,
        check_user_is_active: reader.switch("CHECK_USER_IS_ACTIVE")?,
        auth_token_classes: classes.iter().map(class).collect::<Result<_, _>>()?,
        django_peer: reader.switch("DJANGO_PEER")?,
    })
}

fn http_settings(reader: &Reader<'_>, debug: bool) -> Result<countersign_http::Settings, SettingError> {
    let allowed_hosts = match reader.optional_text("ALLOWED_HOSTS")? {
        Some(text) => AllowedHosts::parse(text, debug),
        None => AllowedHosts::parse("", true), // what Django serves with DEBUG on and nothing said: local hosts
    };
    let renderers = match reader.list("RENDERERS")?.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        ["json"] => vec![Renderer::Json],
        ["json", "html"] => vec![Renderer::Json, Renderer::Api],
        _ => return Err(refused("RENDERERS", "must be json or json,html")),
    };
    let auth_header_types = reader.list("AUTH_HEADER_TYPES")?;
    if auth_header_types.is_empty() {
        return Err(refused("AUTH_HEADER_TYPES", "needs at least one word, such as Bearer"));
    }
    Ok(countersign_http::Settings {
        allowed_hosts,
        auth_header_types,
        auth_header_name: header_name(reader.text("AUTH_HEADER_NAME")?)?,
        renderers,
    })
}

/// `HTTP_X_ACCESS_TOKEN`, as WSGI spells it, is the header `X-Access-Token`.
fn header_name(wsgi_name: &str) -> Result<HeaderName, SettingError> {
    let name = wsgi_name.strip_prefix("HTTP_").map(|name| name.replace('_', "-").to_ascii_lowercase());
    let parsed = name.and_then(|name| name.parse().ok());
    parsed.ok_or_else(|| {
        refused("AUTH_HEADER_NAME", "must be a header in WSGI's spelling, such as HTTP_AUTHORIZATION")
    })
}
