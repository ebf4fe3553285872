//! A bounded queue in which networks take turns. Without threads and without a clock: the pool around it has both.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use super::network::Network;

/// Names somebody who waits; later ones are greater.
pub type Ticket = u64;

/// Whoever waits, each with what is to be done for them.
pub struct Queue<T> {
    /// The oldest first, whose time is up first.
    waiting: BTreeMap<Ticket, Waiting<T>>,
    lines: HashMap<Network, Line>,
    /// Whose turn it is next. Each network that waits is in it once.
    turns: BTreeMap<u64, Network>,
    last_ticket: Ticket,
    last_turn: u64,
}

struct Waiting<T> {
    network: Network,
    came: Instant,
    item: T,
}

/// Those of one network, and when it has its turn.
struct Line {
    turn: u64,
    tickets: BTreeSet<Ticket>,
}

/// How somebody got into the queue.
pub struct Admitted<T> {
    /// Their place.
    pub ticket: Ticket,
    /// Who had to leave for that: the last of the network that had the most places.
    pub pushed_out: Option<T>,
}

impl<T> Queue<T> {
    /// Nobody waits.
    pub fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            lines: HashMap::new(),
            turns: BTreeMap::new(),
            last_ticket: 0,
            last_turn: 0,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lets somebody wait; `None` if `capacity` is reached, unless another network has more places than this one would
    /// then have. So no network can have more than its share while others want places, and all of them while none does.
    pub fn admit(
        &mut self,
        network: Network,
        came: Instant,
        item: T,
        capacity: usize,
    ) -> Option<Admitted<T>> {
        let mut pushed_out = None;
        if self.len() >= capacity {
            let places = self.lines.get(&network).map_or(0, |line| line.tickets.len());
            let longest = self.lines.values().max_by_key(|line| line.tickets.len())?;
            let last = *longest.tickets.last().filter(|_| longest.tickets.len() > places + 1)?;
            pushed_out = self.remove(last);
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.waiting.insert(ticket, Waiting { network, came, item });
        let line = self.lines.entry(network).or_insert_with(|| {
            self.last_turn += 1;
            self.turns.insert(self.last_turn, network);
            Line { turn: self.last_turn, tickets: BTreeSet::new() }
        });
        line.tickets.insert(ticket);
        Some(Admitted { ticket, pushed_out })
    }

    /// The first that may go of the network whose turn it is, which has its next turn after all others that wait; and when
    /// they came. A network of which nobody may go keeps its turn.
    pub fn next(&mut self, may_go: impl Fn(&T) -> bool) -> Option<(Instant, T)> {
        let may_go = |ticket: &&Ticket| self.waiting.get(ticket).is_some_and(|waiting| may_go(&waiting.item));
        let first_of = |network| self.lines.get(network)?.tickets.iter().find(may_go).copied();
        let (turn, network, ticket) =
            self.turns.iter().find_map(|(turn, network)| Some((*turn, *network, first_of(network)?)))?;
        self.turns.remove(&turn);
        self.last_turn += 1;
        self.lines.get_mut(&network)?.turn = self.last_turn;
        self.turns.insert(self.last_turn, network);
        self.take(ticket).map(|waiting| (waiting.came, waiting.item))
    }

    /// Takes somebody out, if they still wait.
    pub fn remove(&mut self, ticket: Ticket) -> Option<T> {
        self.take(ticket).map(|waiting| waiting.item)
    }

    /// Takes out the one that has waited longest, if that one came before this.
    pub fn remove_older(&mut self, than: Instant) -> Option<T> {
        let (&ticket, _) = self.waiting.first_key_value().filter(|(_, waiting)| waiting.came < than)?;
        self.remove(ticket)
    }

    fn take(&mut self, ticket: Ticket) -> Option<Waiting<T>> {
        let waiting = self.waiting.remove(&ticket)?;
        let line = self.lines.get_mut(&waiting.network)?;
        line.tickets.remove(&ticket);
        if line.tickets.is_empty() {
            self.turns.remove(&line.turn);
            self.lines.remove(&waiting.network);
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests;
