//! `check --deploy`: settings that are right for trying out, or were right for the original, and are dangerous where real
//! users are.

use countersign_auth::{MailEncryption, MailSettings};
use countersign_http::AllowedHosts;
use jiff::SignedDuration;

use super::transport::is_loopback;
use super::{Finding, Level};
use crate::config::{Config, Reader};
use crate::secret_key;
use crate::sources::{SettingError, Sources};

const LONG_ACCESS: SignedDuration = SignedDuration::from_hours(1);
const LONG_REFRESH: SignedDuration = SignedDuration::from_hours(90 * 24);
const LONG_WITHOUT_ROTATION: SignedDuration = SignedDuration::from_hours(14 * 24);
const LONG_LEEWAY: SignedDuration = SignedDuration::from_mins(2);
/// NIST SP 800-63B-4's least for a password that is checked for being common.
const LEAST_LENGTH: usize = 8;
/// Memory in KiB and passes that OWASP's password storage cheat sheet has for Argon2id; each is as strong as the others.
const OWASP_ARGON2ID: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Every finding about settings.
pub fn findings(config: &Config, sources: &Sources) -> Result<Vec<Finding>, SettingError> {
    let reader = Reader(sources);
    let found = [
        basics(config, &reader)?,
        browsers(config),
        lifetimes(&reader)?,
        sessions(config, &reader)?,
        passwords(config, &reader)?,
        config.mail.as_ref().map(mail).unwrap_or_default(),
    ];
    Ok(found.concat())
}

/// The findings of which the first part is so.
fn of<const N: usize>(findings: [(bool, Finding); N]) -> Vec<Finding> {
    findings.into_iter().filter(|(is_so, _)| *is_so).map(|(_, finding)| finding).collect()
}

fn basics(config: &Config, reader: &Reader<'_>) -> Result<Vec<Finding>, SettingError> {
    let hosts = reader.optional_text("ALLOWED_HOSTS")?.map(str::trim);
    let debug = reader.switch("DEBUG")?;
    let is_open = !is_loopback(&config.bind);
    Ok(of([
        (debug, Finding::warning("W010", "DEBUG is on", "a weak SECRET_KEY is accepted", "set it to False")),
        (
            hosts.is_some_and(|hosts| hosts.split(',').any(|host| host.trim() == "*")),
            Finding::warning(
                "W011",
                "ALLOWED_HOSTS is *",
                "any host name is served",
                "name those that are yours",
            ),
        ),
        (
            is_open && hosts.is_none(),
            Finding::warning(
                "W013",
                "ALLOWED_HOSTS is not set",
                "requests from other machines are refused",
                "name the hosts that clients ask for",
            ),
        ),
        (
            secret_key::is_repetition(&config.secret_key.value),
            Finding::warning(
                "W018",
                "SECRET_KEY has few different characters, or is a word again and again",
                "whoever guesses it can be any user",
                "set it to the output of `openssl rand -hex 32`",
            ),
        ),
        (
            reader.switch("ALLOW_WEAK_SECRET_KEY")?,
            Finding::warning(
                "W014",
                "ALLOW_WEAK_SECRET_KEY is on",
                "nothing keeps a key from being used that can be guessed",
                "remove it, and set SECRET_KEY to the output of `openssl rand -hex 32`",
            ),
        ),
        (
            config.metrics_bind.as_deref().and_then(host).is_some_and(|host| !is_loopback(host)),
            Finding::warning(
                "W015",
                "METRICS_BIND is an address that other machines reach, and it has no password",
                "what is counted tells whether names exist and passwords are right",
                "listen on 127.0.0.1, where Prometheus or its agent asks; if only Prometheus reaches the address, \
                 --silence this",
            ),
        ),
    ]))
}

/// The same of what is in force: with `DEBUG` on, none means this machine's.
pub fn about_hosts(reader: &Reader<'_>, debug: bool) -> Result<Option<Finding>, SettingError> {
    let wrong = reader.optional_text("ALLOWED_HOSTS")?.and_then(wrong_hosts);
    Ok(wrong.filter(|found| found.level < Level::Error || !debug))
}

/// What is wrong with the hosts that `ALLOWED_HOSTS` names: none at all, or one that no request can match.
pub fn wrong_hosts(hosts: &str) -> Option<Finding> {
    if hosts.split(',').all(|host| host.trim().is_empty()) {
        let (why, fix) = ("every request is refused", "name the hosts");
        return Some(Finding::warning("E001", "ALLOWED_HOSTS is empty", why, fix).error());
    }
    let unmatched = AllowedHosts::never_matching(hosts).join(", ");
    let finding = || {
        Finding::warning(
            "W017",
            format!("ALLOWED_HOSTS has {unmatched}, which no request can match"),
            "requests that are meant to be served are refused",
            "write a name without scheme, port and path; .example.com for all below it, [::1] for an IPv6 address",
        )
    };
    (!unmatched.is_empty()).then(finding)
}

/// An address without its port.
fn host(address: &str) -> Option<&str> {
    Some(address.rsplit_once(':')?.0)
}

fn browsers(config: &Config) -> Vec<Finding> {
    let cors = config.http.cors.as_ref();
    of([(
        cors.is_some_and(|cors| cors.allow_all_origins && cors.allow_credentials),
        Finding::warning(
            "W070",
            "CORS_ALLOW_ALL_ORIGINS and CORS_ALLOW_CREDENTIALS are on",
            "any page that a user opens reads with the user's cookies what they may read",
            "name your origins in CORS_ALLOWED_ORIGINS, and remove CORS_ALLOW_ALL_ORIGINS",
        ),
    )])
}

fn lifetimes(reader: &Reader<'_>) -> Result<Vec<Finding>, SettingError> {
    let access = reader.duration("ACCESS_TOKEN_LIFETIME")?;
    let refresh = reader.duration("REFRESH_TOKEN_LIFETIME")?;
    let rotates = reader.switch("ROTATE_REFRESH_TOKENS")?;
    Ok(of([
        (
            access > LONG_ACCESS,
            Finding::warning(
                "W020",
                "ACCESS_TOKEN_LIFETIME is longer than an hour",
                "services that verify tokens by themselves accept a stolen one for so long",
                "shorten it; clients get the next one with their refresh token",
            ),
        ),
        (
            refresh > LONG_REFRESH,
            Finding::warning(
                "W021",
                "REFRESH_TOKEN_LIFETIME is longer than 90 days",
                "a forgotten device stays logged in for so long",
                "shorten it",
            ),
        ),
        (
            refresh > LONG_WITHOUT_ROTATION && !rotates,
            Finding::warning(
                "W022",
                "REFRESH_TOKEN_LIFETIME is longer than two weeks, and ROTATE_REFRESH_TOKENS is off",
                "a stolen refresh token is good for so long, and nobody notices its use",
                "set ROTATE_REFRESH_TOKENS and BLACKLIST_AFTER_ROTATION to True, or shorten it",
            ),
        ),
        (
            refresh < access,
            Finding::warning(
                "W023",
                "REFRESH_TOKEN_LIFETIME is shorter than ACCESS_TOKEN_LIFETIME",
                "a refresh token is of no use any more when it is needed",
                "lengthen the one or shorten the other",
            ),
        ),
        (
            reader.seconds("LEEWAY")? > LONG_LEEWAY,
            Finding::warning(
                "W024",
                "LEEWAY is longer than two minutes",
                "tokens are good for that long after they have expired",
                "shorten it, and set the clocks by NTP",
            ),
        ),
    ]))
}

fn sessions(config: &Config, reader: &Reader<'_>) -> Result<Vec<Finding>, SettingError> {
    let rules = &config.rules;
    let is_secret = reader.text("ALGORITHM")?.starts_with("HS");
    let verifiers = reader.list("AUDIENCE")?.len();
    Ok(of([
        (
            rules.rotate_refresh_tokens && !rules.blacklist_after_rotation,
            Finding::warning(
                "W030",
                "BLACKLIST_AFTER_ROTATION is off, and ROTATE_REFRESH_TOKENS is on",
                "a stolen refresh token stays good until it expires, and nobody notices its use",
                "set it to True, so that a token is good once, and its reuse ends the session",
            ),
        ),
        (
            reader.text("SESSION_CLAIM")?.is_empty(),
            Finding::warning(
                "W031",
                "SESSION_CLAIM is empty",
                "there are no sessions: a logout ends one refresh token, and a theft is not noticed",
                "remove the setting",
            ),
        ),
        (
            !rules.check_user_is_active,
            Finding::warning(
                "W032",
                "CHECK_USER_IS_ACTIVE is off",
                "a user who was deactivated goes on until the tokens expire",
                "remove the setting",
            ),
        ),
        (
            is_secret && verifiers > 1,
            Finding::warning(
                "W033",
                "AUDIENCE names several services, and tokens are signed with a shared secret",
                "each service that can verify tokens can make them, for every user",
                "`countersign keys generate` and later `rotate`; services then verify with the public key. --silence this \
                 once they do",
            ),
        ),
    ]))
}

fn passwords(config: &Config, reader: &Reader<'_>) -> Result<Vec<Finding>, SettingError> {
    let hasher = reader.text("PASSWORD_HASHER")?.trim();
    let memory: u32 = reader.whole("ARGON2_MEMORY_KIB")?;
    let iterations: u32 = reader.whole("ARGON2_ITERATIONS")?;
    let is_enough = OWASP_ARGON2ID.iter().any(|(least, passes)| memory >= *least && iterations >= *passes);
    let legacy = reader.list("LEGACY_PASSWORD_HASHERS")?;
    let validators = reader.optional_text("AUTH_PASSWORD_VALIDATORS")?.map(str::trim);
    let has_none = validators.is_some_and(|list| list.is_empty() || list == "[]");
    Ok(of([
        (
            !has_none && config.policy.min_length() < LEAST_LENGTH,
            Finding::warning(
                "W045",
                "AUTH_PASSWORD_VALIDATORS accepts passwords of fewer than 8 characters",
                "they are guessed within minutes if the database leaks",
                "use MinimumLengthValidator, whose default is 8",
            ),
        ),
        (
            hasher == "argon2id" && !is_enough,
            Finding::warning(
                "W040",
                "ARGON2_MEMORY_KIB and ARGON2_ITERATIONS are below OWASP's least",
                "whoever gets hold of the database guesses passwords faster",
                "remove them, or set at least 19456 and 2",
            ),
        ),
        (
            hasher == "pbkdf2_sha1",
            Finding::warning(
                "W041",
                "PASSWORD_HASHER is pbkdf2_sha1",
                "graphics cards guess it fastest of all",
                "remove the setting, or use pbkdf2_sha256 where a Django without argon2 has to read the hashes",
            ),
        ),
        (
            legacy.iter().any(|name| name == "md5"),
            Finding::warning(
                "W042",
                "LEGACY_PASSWORD_HASHERS has md5",
                "the hashes of those who have not logged in since are guessed within hours if they leak",
                "let everybody else set a new password, and remove it",
            ),
        ),
        (
            !reader.switch("THROTTLE")?,
            Finding::warning(
                "W044",
                "THROTTLE is off",
                "passwords can be guessed as fast as they can be hashed",
                "remove the setting",
            ),
        ),
        (
            has_none,
            Finding::warning(
                "W043",
                "AUTH_PASSWORD_VALIDATORS is empty",
                "any password is accepted, even the commonest",
                "remove the setting to have Django's four",
            ),
        ),
    ]))
}

fn mail(settings: &MailSettings) -> Vec<Finding> {
    let is_open = settings.encryption == MailEncryption::None && !is_loopback(&settings.host);
    let domain = settings.sender.address().rsplit_once('@').map_or("", |(_, domain)| domain);
    of([
        (
            is_open,
            Finding::warning(
                "W060",
                "mail goes to EMAIL_HOST over the network in clear",
                "whoever is on the way reads the links, and makes the accounts",
                "set EMAIL_USE_TLS=True for port 587, or EMAIL_USE_SSL=True for port 465; if the network to it is yours \
                 alone, --silence this",
            ),
        ),
        (
            domain == "localhost" || domain.starts_with("localhost."),
            Finding::warning(
                "W061",
                "DEFAULT_FROM_EMAIL is an address at localhost",
                "mail servers refuse what is from there, or take it for spam",
                "set it to an address of a domain of yours",
            ),
        ),
    ])
}
