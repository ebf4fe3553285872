//! The mark of a known device on the wire: a cookie, or a header for clients that keep none.

use countersign_auth::KnownDevice;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cookies::values;

/// The cookie. Only a login needs it, so that it is sent with nothing else.
const NAME: &str = "countersign_device";
const PATH: &str = "/user/api/login/";
/// The header.
const X_KNOWN_DEVICE: HeaderName = HeaderName::from_static("x-known-device");

/// The mark that a client sends.
pub(crate) fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(header) = headers.get(X_KNOWN_DEVICE) {
        return header.to_str().ok();
    }
    values(headers, NAME).next()
}

/// What has the client keep it. `Strict`: only pages of the same site log in with it.
pub(crate) fn to_keep(device: &KnownDevice, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let (mark, seconds) = (&device.mark, device.lifetime.as_secs());
    HeaderValue::from_str(&format!(
        "{NAME}={mark}; Path={PATH}; Max-Age={seconds}; HttpOnly{secure}; SameSite=Strict"
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
        let cookie = "theme=dark; countersign_device=one ;x=countersign_device=two";
        assert_eq!(presented(&headers(&[(COOKIE, cookie)])), Some("one"));
        assert_eq!(presented(&headers(&[(COOKIE, "a=b"), (COOKIE, "countersign_device=one")])), Some("one"));
        assert_eq!(presented(&headers(&[(COOKIE, cookie), (X_KNOWN_DEVICE, "two")])), Some("two"));
        let beside = HeaderMap::from_iter([(
            COOKIE,
            HeaderValue::from_bytes("name=Jos\u{e9}; countersign_device=one".as_bytes()).unwrap(),
        )]);
        assert_eq!(presented(&beside), Some("one"), "whatever else there is");
        for none in ["", "theme=dark", "countersign_device", "x_countersign_device=one"] {
            assert_eq!(presented(&headers(&[(COOKIE, none)])), None, "{none}");
        }
    }
}
