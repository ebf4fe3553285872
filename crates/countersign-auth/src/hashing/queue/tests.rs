//! Who waits, who goes first, who has to leave.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::*;

fn network(number: u16) -> Network {
    Network::Of(Ipv6Addr::new(number, 0, 0, 0, 0, 0, 0, 0))
}

/// A queue in which these wait, each of a network, and the clock.
fn queue(of_networks: &[u16]) -> (Queue<(u16, usize)>, Instant) {
    let (mut queue, now) = (Queue::new(), Instant::now());
    for (number, network_of) in of_networks.iter().enumerate() {
        queue.admit(network(*network_of), now, (*network_of, number), usize::MAX).unwrap();
    }
    (queue, now)
}

fn drain(mut queue: Queue<(u16, usize)>) -> Vec<(u16, usize)> {
    let order = std::iter::from_fn(|| queue.next(|_| true).map(|(_, item)| item)).collect();
    assert!(queue.lines.is_empty() && queue.turns.is_empty() && queue.len() == 0, "nothing is left behind");
    order
}

#[test]
fn networks_take_turns_and_within_one_the_first_comes_first() {
    let (queue, _) = queue(&[1, 1, 1, 2, 1, 3, 2]);
    assert_eq!(drain(queue), [(1, 0), (2, 3), (3, 5), (1, 1), (2, 6), (1, 2), (1, 4)]);
}

#[test]
fn a_network_that_comes_again_has_no_turn_before_those_that_wait() {
    let (mut queue, now) = queue(&[1, 2, 3]);
    assert_eq!(queue.next(|_| true).unwrap().1, (1, 0));
    queue.admit(network(1), now, (1, 9), usize::MAX).unwrap();
    assert_eq!(drain(queue), [(2, 1), (3, 2), (1, 9)]);
}

#[test]
fn a_flood_has_every_place_until_somebody_else_wants_one() {
    let (mut queue, now) = queue(&[1; 4]);
    assert!(queue.admit(network(1), now, (1, 4), 4).is_none(), "nobody pushes out their own network");
    let admitted = queue.admit(network(2), now, (2, 5), 4).expect("it has fewer places");
    assert_eq!(admitted.pushed_out, Some((1, 3)), "the last of the network that has the most");
    assert_eq!(queue.admit(network(2), now, (2, 6), 4).unwrap().pushed_out, Some((1, 2)));
    assert!(queue.admit(network(2), now, (2, 7), 4).is_none(), "both have their share");
    assert!(queue.admit(network(1), now, (1, 8), 4).is_none());
    assert!(queue.admit(network(3), now, (3, 9), 4).is_some());
    assert_eq!(queue.len(), 4);
}

#[test]
fn who_leaves_frees_a_place_and_is_not_found_again() {
    let (mut queue, now) = queue(&[1]);
    let place = queue.admit(network(2), now, (2, 1), 2).unwrap().ticket;
    assert!(queue.admit(network(3), now, (3, 2), 2).is_none());
    assert_eq!(queue.remove(place), Some((2, 1)));
    assert_eq!(queue.remove(place), None);
    assert!(queue.admit(network(3), now, (3, 2), 2).is_some());
    assert_eq!(drain(queue), [(1, 0), (3, 2)]);
}

#[test]
fn whose_time_is_up_leaves_wherever_their_turn_would_be() {
    let (mut queue, now) = queue(&[1, 1, 2]);
    let later = now + Duration::from_secs(1);
    queue.admit(network(1), later, (1, 3), usize::MAX).unwrap();
    assert_eq!(queue.remove_older(now), None);
    let gone: Vec<_> = std::iter::from_fn(|| queue.remove_older(later)).collect();
    assert_eq!(gone, [(1, 0), (1, 1), (2, 2)]);
    assert_eq!(drain(queue), [(1, 3)]);
}
