//! How large the hashing lane is: workers, waiting, memory. Pure; the program says what the machine has.

use std::num::NonZero;
use std::time::Duration;

/// What is left for everything but the hashing of passwords, in KiB: under load the rest of the server takes about this.
const REST_KIB: u64 = 64 * 1024;
/// Places in the queue, however fast hashes are, so that what waits stays a few MiB.
const MAX_PLACES: u32 = 8192;
/// What a hash is taken to cost until one has been timed.
const UNKNOWN_COST: Duration = Duration::from_millis(100);

/// What is wanted of the lane, and what there is for it.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Hashing threads (`HASHING_WORKERS`); `None` for as many as cores, and as fit in the memory.
    pub workers: Option<NonZero<usize>>,
    /// How long a password may wait for its turn (`HASHING_MAX_WAIT`).
    pub max_wait: Duration,
    /// Bytes that the process may have, where it is limited.
    pub memory_limit: Option<u64>,
}

/// As many workers as cores, five seconds, no limit.
impl Default for Lane {
    fn default() -> Self {
        Self { workers: None, max_wait: Duration::from_secs(5), memory_limit: None }
    }
}

/// How the lane is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub workers: usize,
    /// Stored hashes that ask for more memory than a worker has: how much they may have, and how many at once.
    pub odd_memory_kib: u64,
    pub odd_at_once: usize,
}

impl Lane {
    /// Fits the lane into the memory; refuses with a sentence for the operator. `cost_kib` is what a worker needs for
    /// new hashes and refusals, `odd_kib` what a stored hash may at most ask for.
    pub(super) fn lay_out(&self, cores: usize, cost_kib: u64, odd_kib: u64) -> Result<Layout, String> {
        let Some(limit) = self.memory_limit else {
            let workers = self.workers.map_or(cores, NonZero::get);
            return Ok(Layout { workers, odd_memory_kib: odd_kib, odd_at_once: workers });
        };
        let available = (limit / 1024).saturating_sub(REST_KIB);
        let fit = usize::try_from(available / cost_kib.max(1)).unwrap_or(usize::MAX);
        let wanted = self.workers.map_or(1, NonZero::get);
        if fit < wanted {
            return Err(self.refusal(limit, wanted, fit, cost_kib));
        }
        let workers = self.workers.map_or(cores.min(fit), NonZero::get);
        let left = available - cost_kib * workers as u64;
        let odd_memory_kib = left.max(cost_kib).min(odd_kib);
        let odd_at_once = usize::try_from(left / odd_memory_kib.max(1)).unwrap_or(usize::MAX);
        Ok(Layout { workers, odd_memory_kib, odd_at_once: odd_at_once.clamp(1, workers) })
    }

    fn refusal(&self, limit: u64, wanted: usize, fit: usize, cost_kib: u64) -> String {
        let mib = |kib: u64| kib.div_ceil(1024);
        let needed = mib(REST_KIB + cost_kib * wanted as u64);
        let fewer = match self.workers {
            Some(_) if fit > 0 => format!(", or lower HASHING_WORKERS to {fit}"),
            _ => ", or lower ARGON2_MEMORY_KIB (stored hashes may ask for as much)".to_owned(),
        };
        format!(
            "the memory limit of {} MiB is too small: {wanted} hashing worker{} of {} MiB each and {} MiB for the rest \
             need {needed} MiB; raise the limit{fewer}",
            limit >> 20,
            if wanted == 1 { "" } else { "s" },
            mib(cost_kib),
            mib(REST_KIB),
        )
    }
}

/// What a password costs a worker on average, of late.
#[derive(Debug, Default)]
pub(super) struct Cost(Option<Duration>);

impl Cost {
    /// Takes note of one more.
    pub(super) fn note(&mut self, took: Duration) {
        self.0 = Some(self.0.map_or(took, |mean| (mean * 15 + took) / 16));
    }

    /// How many may wait so that the last of them has its turn within `max_wait`; at least as many as there are workers.
    pub(super) fn places(&self, workers: usize, max_wait: Duration) -> usize {
        let mean = self.0.unwrap_or(UNKNOWN_COST).as_nanos().max(1);
        let within = max_wait.as_nanos().saturating_mul(workers as u128) / mean;
        usize::try_from(within.min(MAX_PLACES.into())).unwrap_or(usize::MAX).max(workers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWASP_KIB: u64 = 19 * 1024;
    const MAX_KIB: u64 = 256 * 1024;

    fn lane(workers: Option<usize>, limit_mib: Option<u64>) -> Lane {
        let workers = workers.and_then(NonZero::new);
        Lane { workers, memory_limit: limit_mib.map(|mib| mib << 20), ..Lane::default() }
    }

    fn layout(workers: usize, odd_mib: u64, odd_at_once: usize) -> Layout {
        Layout { workers, odd_memory_kib: odd_mib * 1024, odd_at_once }
    }

    #[test]
    fn without_a_limit_there_are_as_many_workers_as_cores_or_as_said() {
        assert_eq!(lane(None, None).lay_out(4, OWASP_KIB, MAX_KIB), Ok(layout(4, 256, 4)));
        assert_eq!(lane(Some(7), None).lay_out(4, OWASP_KIB, MAX_KIB), Ok(layout(7, 256, 7)));
    }

    #[test]
    fn workers_have_to_fit_in_the_memory_and_what_is_left_is_for_costlier_hashes() {
        for (said, limit_mib, expected) in [
            (None, 2048, layout(4, 256, 4)),
            (None, 64 + 4 * 19 + 600, layout(4, 256, 2)),
            (None, 64 + 4 * 19 + 100, layout(4, 100, 1)),
            (None, 64 + 2 * 19 + 1, layout(2, 19, 1)),
            (Some(3), 64 + 3 * 19, layout(3, 19, 1)),
            (None, 64 + 19, layout(1, 19, 1)),
        ] {
            let found = lane(said, Some(limit_mib)).lay_out(4, OWASP_KIB, MAX_KIB).unwrap();
            assert_eq!(found, expected, "{said:?} {limit_mib}");
            let odd = if found.odd_memory_kib > OWASP_KIB { found.odd_memory_kib } else { 0 };
            let most = REST_KIB + OWASP_KIB * found.workers as u64 + odd * found.odd_at_once as u64;
            assert!(most <= limit_mib * 1024, "{said:?} {limit_mib}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_setting_and_the_fix() {
        let refusal =
            |workers, limit, cost| lane(workers, Some(limit)).lay_out(4, cost, MAX_KIB).expect_err("refused");
        assert_eq!(
            refusal(Some(4), 128, OWASP_KIB),
            "the memory limit of 128 MiB is too small: 4 hashing workers of 19 MiB each and 64 MiB for the rest need \
             140 MiB; raise the limit, or lower HASHING_WORKERS to 3"
        );
        assert_eq!(
            refusal(None, 128, 102_400),
            "the memory limit of 128 MiB is too small: 1 hashing worker of 100 MiB each and 64 MiB for the rest need \
             164 MiB; raise the limit, or lower ARGON2_MEMORY_KIB (stored hashes may ask for as much)"
        );
    }

    #[test]
    fn as_many_may_wait_as_have_their_turn_in_time() {
        let mut cost = Cost::default();
        let places = |cost: &Cost, workers, secs| cost.places(workers, Duration::from_secs(secs));
        assert_eq!(places(&cost, 2, 5), 100, "nothing is known yet");
        cost.note(Duration::from_millis(20));
        assert_eq!(places(&cost, 2, 5), 500);
        cost.note(Duration::from_millis(340));
        assert_eq!(places(&cost, 2, 5), 250, "a sixteenth of what is new");
        assert_eq!(places(&cost, 2, 0), 2);
        let mut free = Cost::default();
        free.note(Duration::ZERO);
        assert_eq!(places(&free, 1, 5), 8192);
    }
}
