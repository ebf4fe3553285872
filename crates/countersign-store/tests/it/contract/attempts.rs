//! The attempts: counted in all of their budgets or in none, by the rule, whoever comes at the same time; and gone when
//! they are past use.

use countersign_domain::{Budget, Spent};
use countersign_store::{Charge, Charged, Store};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::place::{Place, after_noon, noon};

fn charge(id: i64, rate: &str) -> Charge {
    Charge { id, budget: Budget::of(rate.parse().unwrap()) }
}

/// How many of this many attempts that come at once are admitted.
async fn admitted_at_once(store: &Store, charges: &[Charge], attempts: usize) -> usize {
    let mut all = JoinSet::new();
    for _ in 0..attempts {
        let (store, charges) = (store.clone(), charges.to_vec());
        all.spawn(async move { store.charge(charges, noon()).await.unwrap() == Charged::Admitted });
    }
    all.join_all().await.into_iter().filter(|is_admitted| *is_admitted).count()
}

fn rows(place: &Place) -> Vec<String> {
    place.rows("SELECT id, whole_at, free_at FROM countersign_attempt ORDER BY id")
}

fn row(id: i64, spent: Spent) -> String {
    format!("{id}|{}|{}", spent.whole_at.as_microsecond(), spent.free_at.as_microsecond())
}

#[tokio::test]
async fn budgets_are_kept_by_the_rule_whatever_happens_to_them_and_to_the_clock() {
    let Some((place, store)) = Place::open().await else { return };
    let charges = [charge(1, "5/min"), charge(2, "1/min"), charge(3, "40/hour"), charge(4, "2/min")];
    let mut kept: [Option<Spent>; 4] = [None; 4];
    let (mut now, mut state) = (noon(), 7_u64);
    let (mut admitted, mut refused) = (0, 0);
    for _ in 0..400 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from((state >> 40) % 4).unwrap();
        let secs = i64::try_from((state >> 45) % 20).unwrap();
        let (one, spent) = (charges[at], &mut kept[at]);
        match state >> 60 {
            0 => now -= SignedDuration::from_hours(3), // a clock that is set back
            1..4 => {
                let count = 1 + i64::from(state >> 60 == 1) * one.budget.burst();
                store.give_back(vec![(one, count)], now).await.unwrap();
                *spent = spent.map(|before| one.budget.give_back(before, count, now));
            }
            _ => {
                let expected = match one.budget.spend(*spent, now) {
                    Ok(next) => {
                        admitted += 1;
                        *spent = Some(next);
                        // What is of no use any more goes on the way.
                        kept = kept.map(|spent| spent.filter(|spent| spent.whole_at > now));
                        Charged::Admitted
                    }
                    Err(free_at) => {
                        refused += 1;
                        Charged::Refused { id: one.id, free_at }
                    }
                };
                assert_eq!(store.charge(vec![one], now).await.unwrap(), expected);
            }
        }
        let there = charges.iter().zip(kept).filter_map(|(charge, spent)| Some(row(charge.id, spent?)));
        assert_eq!(rows(&place), there.collect::<Vec<_>>());
        now += SignedDuration::from_secs(secs)
            + SignedDuration::from_micros(i64::try_from(state >> 44).unwrap());
    }
    assert!(admitted > 60 && refused > 60, "{admitted} {refused}");
}

#[tokio::test]
async fn an_attempt_that_one_budget_refuses_is_counted_in_no_other() {
    let Some((place, store)) = Place::open().await else { return };
    let (small, large) = (charge(7, "1/min"), charge(3, "1000/day"));
    assert_eq!(store.charge(vec![small, large], noon()).await.unwrap(), Charged::Admitted);
    let before = rows(&place);
    assert_eq!(before.len(), 2);
    for secs in [0, 1, 59] {
        let refused = Charged::Refused { id: 7, free_at: after_noon(60) };
        assert_eq!(store.charge(vec![small, large], after_noon(secs)).await.unwrap(), refused);
    }
    assert_eq!(rows(&place), before);
    assert_eq!(store.charge(vec![small, large], after_noon(60)).await.unwrap(), Charged::Admitted);
}

#[tokio::test]
async fn of_two_budgets_that_refuse_the_one_that_takes_longer_is_told() {
    let Some((_place, store)) = Place::open().await else { return };
    let (short, long) = (charge(9, "1/min"), charge(4, "1/hour"));
    assert_eq!(store.charge(vec![short, long], noon()).await.unwrap(), Charged::Admitted);
    let refused = Charged::Refused { id: 4, free_at: after_noon(3600) };
    assert_eq!(store.charge(vec![short, long], after_noon(1)).await.unwrap(), refused);
}

#[tokio::test]
async fn a_large_budget_is_kept_by_the_rule_however_often_its_wait_would_be_halved() {
    let Some((_place, store)) = Place::open().await else { return };
    let (large, mut spent) = (charge(5, "400/hour"), None);
    for number in 0..140 {
        spent = Some(large.budget.spend(spent, noon()).expect("the waits are of no length yet"));
        assert_eq!(store.charge(vec![large], noon()).await.unwrap(), Charged::Admitted, "attempt {number}");
    }
}

#[tokio::test]
async fn of_those_who_come_at_once_no_more_are_admitted_than_there_is_room_for() {
    let Some((place, store)) = Place::open().await else { return };
    // The first time nobody sees the row of another.
    assert_eq!(admitted_at_once(&store, &[charge(1, "5/min"), charge(2, "1000/s")], 50).await, 2);
    assert_eq!(admitted_at_once(&store, &[charge(1, "5/min"), charge(2, "1000/s")], 50).await, 0);
    assert_eq!(admitted_at_once(&store, &[charge(3, "1/min")], 50).await, 1);
    let mut spent = None;
    let large = charge(2, "1000/s");
    for _ in 0..2 {
        spent = Some(large.budget.spend(spent, noon()).unwrap());
    }
    assert_eq!(rows(&place)[1], row(2, spent.unwrap()), "the others were not counted");
}

#[tokio::test]
async fn those_who_share_budgets_in_any_order_get_in_nobody_s_way() {
    let Some((_place, store)) = Place::open().await else { return };
    let [one, two, three] = [1, 2, 3].map(|id| charge(id, "1000000/s"));
    let mut all = JoinSet::new();
    for number in 0..60 {
        let store = store.clone();
        all.spawn(async move {
            let wanted = match number % 3 {
                0 => vec![one, two, three],
                1 => vec![three, one],
                _ => vec![two, three],
            };
            let charged = store.charge(wanted.clone(), noon()).await.unwrap();
            store.give_back(wanted.into_iter().map(|charge| (charge, 1)).collect(), noon()).await.unwrap();
            charged
        });
    }
    assert!(all.join_all().await.into_iter().all(|charged| charged == Charged::Admitted));
}

#[tokio::test]
async fn what_was_spent_outlives_a_restart_and_is_one_for_all_servers() {
    let Some((place, store)) = Place::open().await else { return };
    let one = charge(1, "1/hour");
    assert_eq!(store.charge(vec![one], noon()).await.unwrap(), Charged::Admitted);
    let other = Store::open(&place.url(), &countersign_store::PoolOptions::default()).await.unwrap();
    drop(store);
    let refused = Charged::Refused { id: 1, free_at: after_noon(3600) };
    assert_eq!(other.charge(vec![one], after_noon(1)).await.unwrap(), refused);
}

#[tokio::test]
async fn rows_that_are_of_no_use_any_more_go_faster_than_others_come() {
    let Some((place, store)) = Place::open().await else { return };
    let spend = async |id: i64, now: Timestamp| {
        let charges = (0..4).map(|place| charge(4 * id + place, "1/min")).collect();
        assert_eq!(store.charge(charges, now).await.unwrap(), Charged::Admitted);
    };
    for id in 0..50 {
        spend(id, noon()).await;
    }
    assert_eq!(rows(&place).len(), 200, "none of them is past its use");
    for id in 50..90 {
        spend(id, after_noon(60)).await;
    }
    assert_eq!(rows(&place).len(), 160, "those of the second minute");
}
