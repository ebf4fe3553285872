//! The mark of a known device on the wire: cookies, one for each of a few users, or a header for clients that keep none.

use countersign_auth::KnownDevice;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cookies::pairs;

/// With what the names of the cookies begin; the number of a place follows. Only a login needs them, so that they are sent with
/// nothing else, which `__Host-` would not allow.
const NAME: &str = "countersign_device";
/// With it, only a secure page of the domain can set them.
const SECURE: &str = "__Secure-";
const PATH: &str = "/user/api/login/";
/// The header.
const X_KNOWN_DEVICE: HeaderName = HeaderName::from_static("x-known-device");

/// The marks that a client sends: those of all its users, and maybe what others under the same domain have planted.
pub(crate) fn presented(headers: &HeaderMap) -> Vec<&str> {
    if let Some(header) = headers.get(X_KNOWN_DEVICE) {
        return header.to_str().into_iter().collect();
    }
    let is_ours = |name: &str| name.strip_prefix(SECURE).unwrap_or(name).starts_with(NAME);
    pairs(headers).filter_map(|(name, value)| is_ours(name).then_some(value)).collect()
}

/// What has the client keep it. `Strict`: only pages of the same site log in with it.
pub(crate) fn to_keep(device: &KnownDevice, is_secure: bool) -> Option<HeaderValue> {
    let (prefix, secure) = if is_secure { (SECURE, "; Secure") } else { ("", "") };
    let KnownDevice { mark, place, lifetime } = device;
    let seconds = lifetime.as_secs();
    HeaderValue::from_str(&format!(
        "{prefix}{NAME}_{place}={mark}; Path={PATH}; Max-Age={seconds}; HttpOnly{secure}; SameSite=Strict"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn a_mark_comes_in_a_cookie_among_others_or_in_a_header_which_goes_before() {
        let headers = |lines: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, HeaderValue::from_static(value));
            }
            headers
        };
        let cookie = "theme=dark; countersign_device=one ;x=countersign_device=two; __Secure-countersign_device_7=three";
        assert_eq!(presented(&headers(&[(COOKIE, cookie)])), ["one", "three"]);
        let two = [(COOKIE, "a=b; countersign_device_31=one"), (COOKIE, "__Secure-countersign_device_1=two")];
        assert_eq!(presented(&headers(&two)), ["one", "two"]);
        assert_eq!(presented(&headers(&[(COOKIE, cookie), (X_KNOWN_DEVICE, "two")])), ["two"]);
        let beside = HeaderMap::from_iter([(
            COOKIE,
            HeaderValue::from_bytes("name=Jos\u{e9}; countersign_device=one".as_bytes()).unwrap(),
        )]);
        assert_eq!(presented(&beside), ["one"], "whatever else there is");
        for none in ["", "theme=dark", "countersign_device", "x_countersign_device=one"] {
            assert!(presented(&headers(&[(COOKIE, none)])).is_empty(), "{none}");
        }
    }
}
