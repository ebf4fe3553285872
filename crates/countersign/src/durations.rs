//! Durations as people write them.

/// Reads seconds (`300`, `7.5`) or a number with `s`, `m`, `h` or `d`; whole seconds, at least 1 and at most ten years.
pub fn parse_secs(text: &str) -> Option<i64> {
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
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most ten years of seconds, and fractions are dropped"
    )]
    (1.0..=TEN_YEARS).contains(&secs).then_some(secs as i64)
}

#[cfg(test)]
mod tests {
    use super::parse_secs;

    #[test]
    fn seconds_and_units_are_read_and_nonsense_is_not() {
        for (text, secs) in
            [("300", 300), ("5m", 300), (" 1d ", 86_400), ("12h", 43_200), ("90 s", 90), ("1.5m", 90)]
        {
            assert_eq!(parse_secs(text), Some(secs), "{text}");
        }
        for text in ["", "m", "0", "-5", "5 weeks", "NaN", "inf", "99999d", "1e400"] {
            assert_eq!(parse_secs(text), None, "{text}");
        }
    }
}
