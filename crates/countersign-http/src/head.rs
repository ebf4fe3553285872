//! Heads of requests that a WSGI server refuses before Django sees them, with gunicorn's limits and statuses.

use http::header::{CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::error::Code;

/// The longest request line, as gunicorn has it; the answer beyond is 414.
const MAX_REQUEST_LINE: usize = 4094;
/// The longest header line, likewise; 431.
const MAX_HEADER_LINE: usize = 8190;
/// The most header lines, likewise; of HTTP/1.1 hyper takes no more. HTTP/2 parts what is one line of cookies (RFC 9113
/// §8.2.3), which are one here, too: of those, the size of the head is the bound.
const MAX_HEADERS: usize = 100;

/// Why a head is refused, if it is.
pub(crate) fn refused_by_server(head: &Parts) -> Option<Code> {
    let uri = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let request_line = head.method.as_str().len() + uri + " HTTP/1.1 ".len();
    // With ": " and the line's end, which count as well.
    let header_line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if is_odd(head.method.as_str())
        || is_odd_target(head)
        || repeats_a_singleton(&head.headers)
        || names_two_hosts(head)
    {
        Some(Code::MalformedRequest)
    } else if request_line > MAX_REQUEST_LINE {
        Some(Code::RequestLineTooLong)
    } else if lines(head) > MAX_HEADERS
        || head.headers.iter().map(header_line).any(|length| length > MAX_HEADER_LINE)
    {
        Some(Code::HeaderTooLong)
    } else if expects_more_than_continue(&head.headers) {
        Some(Code::ExpectationFailed)
    } else {
        None
    }
}

fn lines(head: &Parts) -> usize {
    let cookies = head.headers.get_all(COOKIE).iter().count();
    let parted = if head.version == Version::HTTP_2 { cookies.saturating_sub(1) } else { 0 };
    head.headers.len() - parted
}

/// A method that gunicorn does not take for one.
fn is_odd(method: &str) -> bool {
    !(3..=20).contains(&method.len()) || method.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'#')
}

/// A target that is no URI of RFC 3986 (bytes beyond ASCII), or of a form that its method may not have (RFC 9112 §3.2):
/// `*` is for `OPTIONS`, a bare `host:port` for `CONNECT`.
fn is_odd_target(head: &Parts) -> bool {
    let is_host_and_port = head.uri.scheme().is_none() && head.uri.authority().is_some();
    !head.uri.path_and_query().is_none_or(|target| target.as_str().is_ascii())
        || (head.uri.path() == "*" && head.method != Method::OPTIONS)
        || (is_host_and_port && head.method != Method::CONNECT)
}

/// Two lines of a header that has one value only: a proxy before us might have gone by the other one.
fn repeats_a_singleton(headers: &HeaderMap) -> bool {
    [HOST, CONTENT_TYPE].iter().any(|name| headers.get_all(name).iter().nth(1).is_some())
}

/// Has the header `Host` say what HTTP/2 has in `:authority`, so that everybody finds it in the same place.
pub(crate) fn name_host(head: &mut Parts) {
    let authority = head.uri.authority().filter(|_| head.version == Version::HTTP_2);
    if let Some(host) = authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        head.headers.entry(HOST).or_insert(host);
    }
}

/// A header `Host` of HTTP/2 that is not what `:authority` says: what is before us might go by the other one.
fn names_two_hosts(head: &Parts) -> bool {
    let (Some(authority), Some(host)) = (head.uri.authority(), head.headers.get(HOST)) else { return false };
    head.version == Version::HTTP_2 && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
}

/// An expectation other than the one that every server of HTTP/1.1 fulfils.
fn expects_more_than_continue(headers: &HeaderMap) -> bool {
    headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http::request::Builder;

    use super::*;

    fn refused(request: Builder) -> Option<u16> {
        let (head, ()) = request.body(()).expect("the request is well-formed").into_parts();
        refused_by_server(&head).map(|code| code.status().as_u16())
    }

    #[test]
    fn a_target_beyond_ascii_or_of_another_methods_form_is_refused() {
        assert_eq!(refused(Request::get("/user/api/me/?name=é")), Some(400));
        assert_eq!(refused(Request::get("/é")), Some(400));
        assert_eq!(refused(Request::get("*")), Some(400));
        assert_eq!(refused(Request::get("localhost:80")), Some(400));
        assert_eq!(refused(Request::options("*")), None);
        assert_eq!(refused(Request::get("http://localhost:80/user/api/me/?name=%C3%A9")), None);
    }

    #[test]
    fn a_second_host_or_content_type_is_refused_even_when_equal() {
        let post = || Request::post("/user/api/login/").header("Host", "a").header("Content-Type", "a/b");
        assert_eq!(refused(post()), None);
        assert_eq!(refused(post().header("Host", "a")), Some(400));
        assert_eq!(refused(post().header("Content-Type", "a/b")), Some(400));
        assert_eq!(refused(post().header("Accept", "a/b").header("Accept", "a/b")), None);
    }

    #[test]
    fn http_2_names_its_host_once_whatever_way_it_does() {
        let get = |uri: &str| Request::get(uri.to_owned()).version(Version::HTTP_2);
        let named = |request: Builder| {
            let (mut head, ()) = request.body(()).expect("the request is well-formed").into_parts();
            name_host(&mut head);
            head.headers.get(HOST).map(|host| host.to_str().expect("a name").to_owned())
        };
        assert_eq!(named(get("https://a/")).as_deref(), Some("a"));
        assert_eq!(named(get("/").header("Host", "b")).as_deref(), Some("b"));
        assert_eq!(named(get("/")), None);
        assert_eq!(refused(get("https://a/").header("Host", "A")), None);
        assert_eq!(refused(get("https://a/").header("Host", "a:443")), Some(400));
        assert_eq!(refused(get("https://a/").header("Host", "b")), Some(400));
        // HTTP/1.1 goes by the header alone, as the reference does.
        assert_eq!(named(Request::get("https://a/").header("Host", "b")).as_deref(), Some("b"));
        assert_eq!(refused(Request::get("https://a/").header("Host", "b")), None);
    }

    #[test]
    fn a_hundred_header_lines_are_taken_and_no_more() {
        let lines = |count| (0..count).fold(Request::get("/"), |request, _| request.header("X-L", "a"));
        assert_eq!(refused(lines(100)), None);
        assert_eq!(refused(lines(101)), Some(431));
        let crumbs = |lines: Builder| (0..900).fold(lines, |request, _| request.header("Cookie", "a=b"));
        let parted = |count| crumbs(lines(count).version(Version::HTTP_2));
        assert_eq!(refused(parted(99)), None, "HTTP/2 parts a line of cookies");
        assert_eq!(refused(parted(100)), Some(431));
        assert_eq!(refused(crumbs(lines(0))), Some(431), "HTTP/1.1 does not");
    }

    #[test]
    fn an_unknown_expectation_is_refused() {
        assert_eq!(refused(Request::get("/").header("Expect", "100-Continue")), None);
        assert_eq!(refused(Request::get("/").header("Expect", "a-miracle")), Some(417));
    }

    #[test]
    fn a_header_line_counts_with_its_end() {
        let line = |length: usize| Request::get("/").header("X-L", "a".repeat(length - "X-L: ".len()));
        assert_eq!(refused(line(8188)), None);
        assert_eq!(refused(line(8189)), Some(431));
    }
}
