//! The beginning of a connection that a proxy passes on, PROXY protocol 1 or 2: where it ends does not depend on what comes
//! after it, nor on how much of that is there already; and no prefix of it ends sooner.
#![no_main]

use countersign_http::proxy_protocol::{MAX_BYTES, Read, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let data = &data[..data.len().min(MAX_BYTES)];
    let Ok(Read::Whole(length, client)) = parse(data) else { return };
    let header = data.get(..length).expect("it ends within what there is");
    assert_eq!(parse(header), Ok(Read::Whole(length, client)));
    for end in 0..length {
        assert_eq!(parse(&header[..end]), Ok(Read::Beginning), "of {length} bytes {end}");
    }
    assert!(client.is_none_or(|client| client == client.to_canonical()));
});
