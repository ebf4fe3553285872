//! How many connections are held at once: no more than the process may have file descriptors for. A few more are let in
//! for a moment when all places are taken, so that a probe still gets its answer.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Descriptors that are left for everything else: the database, which may have some per core, and the log.
const OTHER_DESCRIPTORS: usize = 128;

/// Connections beyond the places, which are answered once: a probe as always, anything else is asked to come back.
const BEYOND: usize = 64;

/// The places for connections.
pub(crate) struct Places {
    regular: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
}

/// What a connection holds while it lasts.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whether it is none of the places, and good for one answer.
    pub(crate) is_beyond: bool,
}

impl Place {
    fn regular(permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: permit, is_beyond: false }
    }
}

impl Places {
    /// As many as the system grants, and at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Self { regular: Arc::new(Semaphore::new(places(most))), beyond: Arc::new(Semaphore::new(BEYOND)) }
    }

    /// A place, or leave to be answered once. Without either, connections wait to be accepted.
    pub(crate) async fn take(&self) -> Place {
        let take = |kind: &Arc<Semaphore>| Arc::clone(kind).acquire_owned();
        tokio::select! {
            biased;
            place = take(&self.regular) => Place::regular(place.expect(NEVER_CLOSED)),
            place = take(&self.beyond) => Place { _permit: place.expect(NEVER_CLOSED), is_beyond: true },
        }
    }

    /// A place for a connection that has none, once there is one.
    pub(crate) async fn regular(&self) -> Place {
        Place::regular(Arc::clone(&self.regular).acquire_owned().await.expect(NEVER_CLOSED))
    }

    /// A place for a request that shares its connection with others, if there is one.
    pub(crate) fn for_stream(&self) -> Option<Place> {
        Arc::clone(&self.regular).try_acquire_owned().ok().map(Place::regular)
    }

    /// The place for a connection that has come: a regular one may have become free while it was waited for.
    pub(crate) fn settle(&self, place: Place) -> Place {
        if !place.is_beyond {
            return place;
        }
        Arc::clone(&self.regular).try_acquire_owned().map_or(place, Place::regular)
    }
}

const NEVER_CLOSED: &str = "the semaphore is never closed";

/// The number of places. Says so when the system grants less than we would take.
fn places(most: usize) -> usize {
    // Where there is no such file, accepting pauses when the descriptors are used up.
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let Some(descriptors) = soft_limit_of_open_files(&limits) else { return most };
    let places = places_within(descriptors, most);
    if places < most {
        tracing::warn!(
            places,
            descriptors,
            "the limit of open files leaves few connections; raise it (`ulimit -n`, LimitNOFILE= of a unit)"
        );
    }
    places
}

fn places_within(descriptors: usize, most: usize) -> usize {
    descriptors.saturating_sub(OTHER_DESCRIPTORS + BEYOND).clamp(1, most.max(1))
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
        let places =
            |soft| soft_limit_of_open_files(&table(soft)).map(|granted| places_within(granted, 10_000));
        assert_eq!(places("1024"), Some(832));
        assert_eq!(places("64"), Some(1));
        assert_eq!(places("524288"), Some(10_000));
        assert_eq!(places("unlimited"), None);
        assert_eq!(soft_limit_of_open_files(""), None);
    }
}
