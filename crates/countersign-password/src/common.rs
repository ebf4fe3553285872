//! Which ways of hashing are common in a deployment, so that a refusal has to cost as much as they do.
//!
//! A refused login computes one checksum for each algorithm in common use, the same ones whoever is refused. That is the
//! sum of a few, not the costliest alone: to stretch one algorithm until it takes as long as another would need their
//! speeds, which change with the machine's load, and the difference would tell.

use crate::Limits;
use crate::method::Method;

/// One in so many of the stored hashes makes a method common.
const ONE_IN: usize = 100;

/// The preferred method or a costlier common one of its algorithm, and of each other algorithm the costliest common one.
///
/// What one hash in a hundred is made by is common, unless it costs more than twice Django's default or takes more memory
/// than this, beside what is kept for the others: an odd hash must not make every refusal slow.
pub(crate) fn costliest(
    preferred: &Method,
    stored: impl Iterator<Item = Method>,
    memory_kib: u64,
) -> Vec<Method> {
    let (mut counted, mut total) = (Vec::<(Method, usize)>::new(), 0);
    for method in stored {
        total += 1;
        match counted.iter_mut().find(|(known, _)| *known == method) {
            Some((_, count)) => *count += 1,
            None => counted.push((method, 1)),
        }
    }
    let limits = Limits::of_common();
    let is_common = |(method, count): &(Method, usize)| count * ONE_IN >= total && method.is_within(&limits);
    let mut costliest = vec![preferred.clone()];
    for (method, _) in counted.into_iter().filter(is_common) {
        let with = with(&costliest, method);
        if held_kib(&with, None) <= memory_kib.max(held_kib(&costliest, None)) {
            costliest = with;
        }
    }
    costliest
}

/// The same with one more, if it is the costliest of its algorithm.
fn with(costliest: &[Method], method: Method) -> Vec<Method> {
    let mut all = costliest.to_vec();
    match all.iter_mut().find(|known| known.algorithm() == method.algorithm()) {
        Some(known) if known.work() < method.work() => *known = method,
        Some(_) => {}
        None => all.push(method),
    }
    all
}

/// Memory in KiB that a thread holds at most that computes these, which are common, and maybe another one: Argon2's is kept
/// from hash to hash, so that scrypt's comes to it.
pub(crate) fn held_kib(common: &[Method], other: Option<&Method>) -> u64 {
    let kept = common.iter().map(|method| method.blocks() as u64).max().unwrap_or_default();
    let held = |method: &Method| match method.blocks() as u64 {
        0 => kept + method.memory_kib(),
        blocks => kept.max(blocks),
    };
    common.iter().chain(other).map(held).max().unwrap_or_default()
}
