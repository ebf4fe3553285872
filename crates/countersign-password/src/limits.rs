//! Caps on what one stored hash may ask of the machine.

/// Upper bounds on the parameters of a stored (or preferred) hash.
///
/// Stored strings decide how much time and memory a login costs, and they may come from an import or
/// from whoever got at the database. The default admits about ten times the work of each Django 5.2
/// default, a few seconds on one core, and 256 MiB. A string that asks for more is
/// [`Refusal::TooCostly`](crate::Refusal::TooCostly).
///
/// Argon2's parallelism needs no cap of its own: lanes are computed one after the other and each takes
/// at least 8 KiB of the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the whole string in bytes. Django's column holds 128 characters.
    pub length: usize,
    /// PBKDF2 iterations; Django's default is 1 000 000.
    pub pbkdf2_iterations: u32,
    /// Argon2 memory in KiB; Django's default is 102 400.
    pub argon2_memory_kib: u32,
    /// Argon2 memory in KiB times passes; Django's default is 204 800.
    pub argon2_work_kib: u64,
    /// scrypt memory in KiB, `r·(n + p) / 8`; Django's default is 16 389.
    pub scrypt_memory_kib: u64,
    /// scrypt work in KiB, `n·r·p / 8`; Django's default is 81 920.
    pub scrypt_work_kib: u64,
    /// bcrypt's logarithmic cost; Django's default is 12, each step doubles the work.
    pub bcrypt_cost: u32,
}

impl Limits {
    /// What a hash may cost whose work every refused login is to have: twice each Django 5.2 default.
    pub(crate) fn of_common() -> Self {
        Self {
            length: 1024,
            pbkdf2_iterations: 2_000_000,
            argon2_memory_kib: 200 * 1024,
            argon2_work_kib: 400 * 1024,
            scrypt_memory_kib: 33 * 1024,
            scrypt_work_kib: 160 * 1024,
            bcrypt_cost: 13,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            length: 1024,
            pbkdf2_iterations: 10_000_000,
            argon2_memory_kib: 256 * 1024,
            argon2_work_kib: 2 * 1024 * 1024,
            scrypt_memory_kib: 256 * 1024,
            scrypt_work_kib: 1024 * 1024,
            bcrypt_cost: 16,
        }
    }
}
