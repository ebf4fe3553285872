//! How many connections are held at once: no more than the process may have file descriptors for.

/// Connections held at once where nothing else limits them.
const MAX_CONNECTIONS: usize = 10_000;
/// Descriptors that are left for everything else: the database, which may have some per core, and the log.
const OTHER_DESCRIPTORS: usize = 128;

/// The places for connections. Says so when the system grants less than we would take.
pub(crate) fn places() -> usize {
    // Where there is no such file, accepting pauses when the descriptors are used up.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(descriptors) = soft_limit_of_open_files(&limits) else { return MAX_CONNECTIONS };
    let places = places_within(descriptors);
    if places < MAX_CONNECTIONS {
        tracing::warn!(places, descriptors, "the limit of open files (`ulimit -n`) leaves few connections");
    }
    places
}

fn places_within(descriptors: usize) -> usize {
    descriptors.saturating_sub(OTHER_DESCRIPTORS).clamp(1, MAX_CONNECTIONS)
}

/// The soft limit in Linux's table of limits; `None` if there is none.
fn soft_limit_of_open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fewer_places_than_file_descriptors() {
        let table = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max core file size        0                    unlimited            bytes     \n\
                 Max open files            {soft:<20} 524288               files     \n"
            )
        };
        let places = |soft| soft_limit_of_open_files(&table(soft)).map(places_within);
        assert_eq!(places("1024"), Some(896));
        assert_eq!(places("64"), Some(1));
        assert_eq!(places("524288"), Some(10_000));
        assert_eq!(places("unlimited"), None);
        assert_eq!(soft_limit_of_open_files(""), None);
    }
}
