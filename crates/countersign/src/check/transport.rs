//! What is spoken on the way: plain HTTP where others can listen, and a certificate that ends.

use std::net::IpAddr;

use countersign_auth::Clock;
use countersign_http::Tls;

use super::Finding;
use crate::config::Config;
use crate::secret_key::exposure;
use crate::sources::SettingError;

const DAY_SECS: i64 = 86_400;
/// Let's Encrypt's clients renew 30 days before the end: by now it has failed again and again.
const SOON_SECS: i64 = 14 * DAY_SECS;

/// Every finding about TLS; fails if its files cannot be used.
pub fn findings(config: &Config) -> Result<Vec<Finding>, SettingError> {
    let Some(files) = &config.tls else {
        return Ok(plain_http(config, is_loopback(&config.bind)).into_iter().collect());
    };
    let ending = ending(&*files.load()?, Clock::System.now().as_second());
    Ok(ending.into_iter().chain(exposure(&files.key)).collect())
}

/// Plain HTTP on an address that others reach.
pub fn plain_http(config: &Config, is_loopback: bool) -> Option<Finding> {
    let is_open = config.tls.is_none() && !is_loopback;
    is_open.then(|| {
        Finding::warning(
            "W012",
            "BIND is an address that other machines reach, and what is spoken there is plain HTTP",
            "passwords and tokens can be read on the way",
            "set TLS_CERT_FILE and TLS_KEY_FILE, or listen on 127.0.0.1 behind a proxy that terminates TLS; if the network \
             to the proxy is yours alone, --silence this",
        )
    })
}

/// Whether only this machine reaches what listens there.
pub fn is_loopback(bind: &str) -> bool {
    let address = bind.trim_start_matches('[').trim_end_matches(']');
    bind == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn ending(tls: &Tls, now: i64) -> Option<Finding> {
    let left = i64::try_from(tls.ends_at()?).ok()? - now;
    let fix = "renew it; what is in TLS_CERT_FILE then is used within seconds";
    if left <= 0 {
        let why = "clients refuse to connect";
        return Some(
            Finding::warning("E002", "the certificate in TLS_CERT_FILE has ended", why, fix).error(),
        );
    }
    let what = || format!("the certificate in TLS_CERT_FILE ends in {} days", left / DAY_SECS);
    (left < SOON_SECS)
        .then(|| Finding::warning("W016", what(), "clients refuse to connect from then on", fix))
}
