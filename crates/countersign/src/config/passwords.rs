//! The settings of passwords: how they are hashed, and what a new one has to be.

use std::num::NonZero;

use countersign_auth::Lane;
use countersign_domain::{Attribute, PasswordPolicy, PasswordValidator};
use countersign_password::{Algorithm, Hashers, Limits, Preferred};

use super::reader::{Reader, refused};
use crate::cgroup;
use crate::sources::SettingError;

/// How passwords are hashed.
pub fn hashers(reader: &Reader<'_>) -> Result<Hashers, SettingError> {
    let hasher = reader.text("PASSWORD_HASHER")?.trim();
    let unused = ["ARGON2_MEMORY_KIB", "ARGON2_ITERATIONS", "ARGON2_PARALLELISM"];
    if let Some(name) = unused.into_iter().find(|name| hasher != "argon2id" && reader.0.get(name).is_some()) {
        return Err(refused(name, "is for PASSWORD_HASHER=argon2id only; remove one of the two"));
    }
    let preferred = match hasher {
        "argon2" => Preferred::DJANGO_ARGON2,
        "pbkdf2_sha256" => Preferred::DJANGO_PBKDF2,
        "pbkdf2_sha1" => Preferred::DJANGO_PBKDF2_SHA1,
        "scrypt" => Preferred::DJANGO_SCRYPT,
        "bcrypt_sha256" => Preferred::DJANGO_BCRYPT_SHA256,
        // "argon2id", the last of its choices.
        _ => Preferred::Argon2id {
            memory_kib: reader.whole("ARGON2_MEMORY_KIB")?,
            iterations: reader.whole("ARGON2_ITERATIONS")?,
            parallelism: reader.whole("ARGON2_PARALLELISM")?,
        },
    };
    let mut accepted = Algorithm::DJANGO_DEFAULT.to_vec();
    for name in reader.list("LEGACY_PASSWORD_HASHERS")? {
        let unknown =
            || refused("LEGACY_PASSWORD_HASHERS", &format!("{name:?} is not known; use md5 or bcrypt"));
        accepted.push(Algorithm::from_name(&name).ok_or_else(unknown)?);
    }
    // Only the parameters of argon2id are configurable, so that only they can be wrong.
    let limits = Limits::default();
    Hashers::new(preferred, &accepted, limits.clone()).map_err(|error| {
        let Limits { argon2_memory_kib: memory, argon2_work_kib: work, .. } = limits;
        let why = format!(
            "{error}; leave them out, or set a memory from 8 for each lane to {memory}, and passes by which it comes to \
             {work} at the most"
        );
        refused("ARGON2_MEMORY_KIB, ARGON2_ITERATIONS, ARGON2_PARALLELISM", &why)
    })
}

/// How hashing is kept out of the way.
pub fn lane(reader: &Reader<'_>) -> Result<Lane, SettingError> {
    let workers = match reader.optional_text("HASHING_WORKERS")? {
        None => None,
        Some(_) => NonZero::new(reader.whole("HASHING_WORKERS")?),
    };
    let max_wait = reader.wait("HASHING_MAX_WAIT")?;
    Ok(Lane { workers, max_wait, memory_limit: cgroup::memory_limit() })
}

/// What a new password has to be.
pub fn policy(reader: &Reader<'_>) -> Result<PasswordPolicy, SettingError> {
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
    let wrong = |what: &str| {
        refused(
            "AUTH_PASSWORD_VALIDATORS",
            &format!("{what} of {name:?} is not usable; correct or remove it"),
        )
    };
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
            &format!(
                "{name:?} is not one of Django's four validators; use UserAttributeSimilarityValidator, \
                 MinimumLengthValidator, CommonPasswordValidator and NumericPasswordValidator, or leave the setting out"
            ),
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
