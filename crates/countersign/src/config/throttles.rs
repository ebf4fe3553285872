//! The settings of what slows guessing down, and of whose word is taken for where a guess comes from.

use countersign_auth::Throttles;
use countersign_domain::{Network, Rate};
use countersign_http::{ForwardedHeader, TrustedProxies};

use super::reader::{Reader, must_be, refused};
use crate::settings::kind;
use crate::sources::SettingError;

/// How fast may be guessed.
pub fn throttles(reader: &Reader<'_>) -> Result<Throttles, SettingError> {
    let rate = |name| rate(reader, name);
    Ok(Throttles {
        is_on: reader.switch("THROTTLE")?,
        login_account: rate("THROTTLE_LOGIN_ACCOUNT")?,
        login_device: rate("THROTTLE_LOGIN_DEVICE")?,
        login_address: rate("THROTTLE_LOGIN_ADDRESS")?,
        login_global: rate("THROTTLE_LOGIN_GLOBAL")?,
        register_address: rate("THROTTLE_REGISTER_ADDRESS")?,
        register_global: rate("THROTTLE_REGISTER_GLOBAL")?,
        token_address: rate("THROTTLE_TOKEN_ADDRESS")?,
        mailbox: rate("THROTTLE_MAILBOX")?,
        known_device_lifetime: reader.duration("KNOWN_DEVICE_LIFETIME")?,
        has_trusted_proxies: !trusted_proxies(reader)?.is_empty(),
    })
}

/// Whose word is taken.
pub fn trusted_proxies(reader: &Reader<'_>) -> Result<TrustedProxies, SettingError> {
    let network = |text: &String| {
        text.parse::<Network>().map_err(|()| {
            let fix = "is no network of addresses: write 10.0.0.0/8, 2001:db8::/32 or a single address, with no bits set beyond \
                       those that count";
            refused("TRUSTED_PROXIES", &format!("{text:?} {fix}"))
        })
    };
    let networks: Vec<_> = reader.list("TRUSTED_PROXIES")?.iter().map(network).collect::<Result<_, _>>()?;
    let header = match reader.text("FORWARDED_HEADER")? {
        "Forwarded" => ForwardedHeader::Forwarded,
        _ => ForwardedHeader::XForwardedFor, // the other of its two choices
    };
    if networks.is_empty() && header == ForwardedHeader::Forwarded {
        let fix =
            "counts only from TRUSTED_PROXIES, of which there are none; name them, or remove one of the two";
        return Err(refused("FORWARDED_HEADER", fix));
    }
    let announce = reader.switch("PROXY_PROTOCOL")?;
    if networks.is_empty() && announce {
        return Err(refused(
            "PROXY_PROTOCOL",
            "is read of TRUSTED_PROXIES alone, of which there are none; name them",
        ));
    }
    Ok(TrustedProxies::new(networks, header).that_announce(announce))
}

fn rate(reader: &Reader<'_>, name: &'static str) -> Result<Option<Rate>, SettingError> {
    must_be(name, kind::rate(reader.text(name)?).ok())
}
