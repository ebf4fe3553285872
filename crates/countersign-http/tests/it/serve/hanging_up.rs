//! Who hangs up while a password waits to be hashed does not keep its place.

use countersign_password::Preferred;
use serde_json::json;
use tokio::time::timeout;

use super::{DEADLINE, Server};
use crate::actors::{LOGIN, World};

/// More than are hashed while those who hang up are noticed.
const LOGINS: usize = 40;
/// What one of them costs, in the units of `Workspace::work`.
const COST: u64 = 1_000_000;

/// Lets others go on until it is so.
async fn until(is_so: impl Fn() -> bool) {
    let others = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(6 * DEADLINE, others).await.expect("it takes a few seconds at the most");
}

#[tokio::test]
async fn a_login_whose_client_hangs_up_gives_its_place_back() {
    let world = World::hashing_with(Preferred::DJANGO_PBKDF2);
    let server = Server::start(&world).await;
    let (auth, body) = (world.service.auth(), json!({"username": "nobody", "password": "x"}).to_string());
    let mut clients = Vec::new();
    for _ in 0..LOGINS {
        let mut client = server.client().await;
        client.post(LOGIN, &body).await;
        clients.push(client);
    }
    let (metrics, number) = (&auth.metrics().hashing, |count: u64| usize::try_from(count).unwrap());
    let waiting = || usize::try_from(metrics.queue.get()).unwrap();
    let come = || waiting() + number(auth.hashing_work() / COST) + number(metrics.rejected.get());
    until(|| come() >= LOGINS * 3 / 4).await; // which does not depend on what is tested
    drop(clients);
    until(|| waiting() == 0).await;
    let hashed = auth.hashing_work() / COST;
    assert!(hashed < LOGINS as u64 / 2, "{hashed} were hashed, nearly all of them for nobody");
}
