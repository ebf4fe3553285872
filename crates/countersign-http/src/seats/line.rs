//! The line of those who may be asked for their places: of the network that has most of them in it, who has stood there
//! longest comes first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use countersign_domain::Network;

use super::Seat;

/// By whom a place is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Whose {
    /// By somebody in this network.
    Of(Network),
    /// By somebody who is counted by themselves.
    Nobody,
}

/// Milliseconds since the server began, and a number of the seat's own.
type Position = (u64, u64);

/// How many places are held, and the first who does; the greatest is asked.
type Rank = (usize, Reverse<Position>, Whose);

#[derive(Default)]
pub(super) struct Line {
    standing: HashMap<Whose, BTreeMap<Position, Arc<Seat>>>,
    ranks: BTreeSet<Rank>,
}

impl Line {
    /// Unless its place has been given up meanwhile.
    pub(super) fn insert(&mut self, seat: Arc<Seat>, since: u64) {
        if seat.is_gone.load(Ordering::Relaxed) {
            return;
        }
        seat.stands_at.store(since, Ordering::Relaxed);
        self.change(seat.whose, |standing| standing.insert((since, seat.number), seat));
    }

    pub(super) fn remove(&mut self, seat: &Seat) {
        let position = (seat.stands_at.load(Ordering::Relaxed), seat.number);
        self.change(seat.whose, |standing| standing.remove(&position));
    }

    /// Who comes first, and since when.
    pub(super) fn pop(&mut self) -> Option<(u64, Arc<Seat>)> {
        let (_, _, whose) = *self.ranks.last()?;
        let ((since, _), seat) = self.change(whose, BTreeMap::pop_first)?;
        Some((since, seat))
    }

    fn change<T>(&mut self, whose: Whose, change: impl FnOnce(&mut BTreeMap<Position, Arc<Seat>>) -> T) -> T {
        let standing = self.standing.entry(whose).or_default();
        if let Some(rank) = rank(whose, standing) {
            self.ranks.remove(&rank);
        }
        let changed = change(standing);
        if let Some(rank) = rank(whose, standing) {
            self.ranks.insert(rank);
        } else {
            self.standing.remove(&whose);
        }
        changed
    }
}

fn rank(whose: Whose, standing: &BTreeMap<Position, Arc<Seat>>) -> Option<Rank> {
    let places = if whose == Whose::Nobody { 1 } else { standing.len() };
    standing.keys().next().map(|first| (places, Reverse(*first), whose))
}
