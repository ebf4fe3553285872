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
/// than this: an odd hash must not make every refusal slow.
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
    let is_common = |(method, count): &(Method, usize)| {
        count * ONE_IN >= total && method.is_within(&limits) && method.memory_kib() <= memory_kib
    };
    let mut costliest = vec![preferred.clone()];
    for (method, _) in counted.into_iter().filter(is_common) {
        match costliest.iter_mut().find(|known| known.algorithm() == method.algorithm()) {
            Some(known) if known.work() < method.work() => *known = method,
            Some(_) => {}
            None => costliest.push(method),
        }
    }
    costliest
}
