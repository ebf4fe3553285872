//! Room for large bodies: few are held at once and one of them is parsed at a time, so that nobody without an account
//! can fill the memory. Small bodies need no room here and never wait for large ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::error::Error;

/// A body up to this size is not large. Every connection may hold as much, as it may of a request's head.
pub(crate) const SMALL_BODY_BYTES: usize = 64 * 1024;
/// Large bodies held at once, each until its answer: at most 5 MiB of bytes and 5 MiB of text, 80 MiB in all. The
/// largest document, parsed, may take 180 MiB more; of these there is one.
const PLACES: usize = 8;
/// How long a large body waits for a place.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places for large bodies.
pub(crate) struct LargeBodies {
    places: Arc<Semaphore>,
    parsing: Semaphore,
}

/// The right to hold a large body.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl LargeBodies {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), parsing: Semaphore::new(1) }
    }

    /// A place for one large body.
    pub(crate) async fn place(&self) -> Result<Place, Error> {
        let permit = tokio::time::timeout(PATIENCE, Arc::clone(&self.places).acquire_owned()).await;
        let permit = permit.map_err(|_| Error::TooManyLargeBodies)?;
        Ok(Place { _permit: permit.expect("the semaphore is never closed") })
    }

    /// The right to parse a large body, for as long as what was parsed lives; nobody may await while having it.
    pub(crate) async fn turn_to_parse(&self) -> SemaphorePermit<'_> {
        self.parsing.acquire().await.expect("the semaphore is never closed")
    }
}
