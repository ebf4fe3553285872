//! Durations as people write them.

use jiff::SignedDuration;

/// Reads seconds (`300`, `7.5`) or a number with `s`, `m`, `h` or `d`; at least a second and at most ten years. Fractions
/// count: whether a token ends in this second or the next depends on them.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    const TEN_YEARS: f64 = 10.0 * 365.0 * 86_400.0;
    let text = text.trim();
    let (number, factor) = match text.char_indices().next_back()? {
        (end, 's') => (text.get(..end)?, 1.0),
        (end, 'm') => (text.get(..end)?, 60.0),
        (end, 'h') => (text.get(..end)?, 3600.0),
        (end, 'd') => (text.get(..end)?, 86_400.0),
        _ => (text, 1.0),
    };
    let secs = number.trim_end().parse::<f64>().ok()? * factor;
    let in_range = (1.0..=TEN_YEARS).contains(&secs);
    in_range.then(|| SignedDuration::try_from_secs_f64(secs).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::parse_duration;

    #[test]
    fn seconds_and_units_are_read_and_nonsense_is_not() {
        for (text, millis) in [
            ("300", 300_000),
            ("5m", 300_000),
            (" 1d ", 86_400_000),
            ("12h", 43_200_000),
            ("90 s", 90_000),
            ("1.5m", 90_000),
            ("7.5", 7500),
        ] {
            let duration = parse_duration(text).expect(text);
            assert_eq!(duration.as_millis(), millis, "{text}");
        }
        for text in ["", "m", "0", "-5", "5 weeks", "NaN", "inf", "99999d", "1e400"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
