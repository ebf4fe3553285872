//! Memory that one hashing thread keeps from hash to hash.

use argon2::Block;
use std::fmt;
use zeroize::Zeroize;

/// Argon2's memory, reused because fresh pages cost about as much as filling them; wiped on drop.
///
/// Keep one per hashing thread. It grows to what a hash needs and afterwards shrinks to what the
/// preferred method and the common ones need, so that a single costly stored hash does not hold its memory for ever.
#[derive(Default)]
pub struct Workspace {
    blocks: Vec<Block>,
    work: u64,
}

impl Workspace {
    /// Memory held between hashes, in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> usize {
        self.blocks.len()
    }

    /// Work done so far: PBKDF2 iterations, Argon2 KiB × passes, scrypt KiB, bcrypt 2^cost and MD5
    /// rounds added up, for a metric or to compare two calls that use the same algorithm.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.work
    }

    pub(crate) fn count(&mut self, work: u64) {
        self.work = self.work.saturating_add(work);
    }

    /// At least `count` blocks of arbitrary content.
    pub(crate) fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.blocks.len() < count {
            self.hold(count);
        }
        &mut self.blocks
    }

    /// Gives back all but `count` blocks.
    pub(crate) fn shrink_to(&mut self, count: usize) {
        if self.blocks.len() > count {
            self.hold(count);
        }
    }

    /// A new allocation, not a longer one: copying the old blocks would leave them unwiped. The old one goes first, so that
    /// the two are never held together.
    fn hold(&mut self, count: usize) {
        self.blocks.zeroize();
        self.blocks = Vec::new();
        self.blocks = vec![Block::new(); count];
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.blocks.zeroize();
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workspace").field("memory_kib", &self.memory_kib()).finish_non_exhaustive()
    }
}
