//! Base64 as leniently as Python's `binascii` reads it; no crate skips foreign bytes in this way.

/// Decodes, passing over foreign bytes and ending at the padding. `None` when the last group is not whole.
pub fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let mut group = 0_u8;
    let mut pads = 0_u8;
    let mut leftover = 0_u8;
    for &byte in bytes {
        if byte == b'=' {
            if group >= 2 {
                pads += 1;
                if group + pads >= 4 {
                    return Some(out);
                }
            }
            continue;
        }
        let Some(bits) = value(byte) else { continue };
        pads = 0;
        match group {
            0 => {}
            1 => out.push(leftover << 2 | bits >> 4),
            2 => out.push(leftover << 4 | bits >> 2),
            _ => out.push(leftover << 6 | bits),
        }
        leftover = bits;
        group = (group + 1) % 4;
    }
    (group == 0).then_some(out)
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
