//! Settings of one line, each for another parser: a rate, a network, a `DATABASE_URL`, an origin, a session's id.
#![no_main]

use countersign_domain::{Budget, Network, Rate, SessionId, UserId};
use countersign_http::{AllowedHosts, HeaderValue, Origins};
use countersign_store::DatabaseUrl;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(rate) = text.parse::<Rate>() {
        assert!((1..=1_000_000).contains(&rate.attempts()) && rate.period().is_positive());
        let budget = Budget::of(rate);
        let spent = budget.spend(None, Timestamp::UNIX_EPOCH).expect("the first is free");
        assert!(budget.every() > 0 && spent.whole_at > Timestamp::UNIX_EPOCH);
    }
    if let Ok(network) = text.parse::<Network>() {
        let octets = network.first_octets();
        let first = <[u8; 4]>::try_from(octets.as_slice()).map(std::net::IpAddr::from);
        let first = first.or_else(|_| <[u8; 16]>::try_from(octets.as_slice()).map(std::net::IpAddr::from));
        assert!(network.contains(first.expect("an address")), "{text}");
    }
    let secret = "s3cr3t-w0rd";
    for url in [text.to_owned(), format!("postgresql://ada:{secret}@{text}")] {
        match url.parse::<DatabaseUrl>() {
            Ok(read) => {
                assert!(!format!("{read} {read:?}").contains(secret) || text.contains(secret), "{read}")
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let _ = Origins::named(&[text.to_owned()]);
    let _ = AllowedHosts::parse(text, true).permits(data);
    let _ = HeaderValue::from_bytes(data);
    if let Some(id) = SessionId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    let _ = UserId::parse_uuid(text);
});
