//! What a request's head says, each line for another parser: `Host`, `Accept` with `format`, `Content-Type`, path, query.
#![no_main]

use std::sync::LazyLock;

use countersign_http::request::accept::{Renderer, negotiate};
use countersign_http::request::host::AllowedHosts;
use countersign_http::request::{Charset, content_type, header_text, percent};
use libfuzzer_sys::fuzz_target;

static ALLOWED: LazyLock<AllowedHosts> = LazyLock::new(|| AllowedHosts::parse(".auth.example,[::1]", false));

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (host, accept, format, of_content, path, query) = (next(), next(), next(), next(), next(), next());
    if ALLOWED.permits(host) {
        let host = String::from_utf8_lossy(host).to_ascii_lowercase();
        let name = host
            .rfind(']')
            .map_or_else(|| host.split(':').next(), |end| host.get(..=end))
            .unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_ours = name == "[::1]" || name == "auth.example" || name.ends_with(".auth.example");
        assert!(is_ours, "{host} is none of ours");
    }
    let (accept, format) = (header_text(accept), header_text(format));
    for renderers in [&[Renderer::Json, Renderer::Api][..], &[Renderer::Json]] {
        if let Ok(agreed) = negotiate(Some(&accept), Some(&format), renderers) {
            assert!(renderers.contains(&agreed.renderer));
            assert!(agreed.indent.is_none_or(|indent| (1..=8).contains(&indent)));
        }
    }
    let of_content = header_text(of_content);
    let _ = (content_type::body_kind(&of_content), content_type::charset(&of_content));
    if let Some(Ok(charset)) = Charset::for_label(&of_content) {
        let _ = (charset.decode_stream(query), charset.decode_strict(query), charset.decode_replacing(query));
    }
    let _ = percent::decode_path(path);
    let encoded = percent::encode_query(query);
    assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "it goes into a header: {encoded:?}");
});
