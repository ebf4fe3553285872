//! Guessing on the wire: 429 in Django REST Framework's words, the cookie of a known device, and where a guess comes from.

use countersign_auth::Throttles;
use jiff::SignedDuration;
use serde_json::json;

use super::cors::cors;
use crate::actors::{Answer, Draft, LOGIN, ME, PASSWORD, REGISTER, SESSIONS, SLIDING_LOGIN, World};

/// Where everybody seems to come from.
const PEER: &str = "192.0.2.7";

fn on() -> Throttles {
    Throttles { is_on: true, known_device_lifetime: SignedDuration::from_hours(1), ..Throttles::default() }
}

fn bounded_by_account(rate: &str) -> Throttles {
    Throttles { login_account: Some(rate.parse().unwrap()), ..on() }
}

fn login(path: &str, name: &str, password: &str) -> Draft {
    Draft::post(path).json(&json!({"username": name, "password": password}))
}

async fn guess(world: &World, name: &str) -> Answer {
    world.send(login(LOGIN, name, "a guess")).await
}

/// The name and value of the cookie that an answer hands out.
fn cookie(answer: &Answer) -> String {
    let [cookie] = answer.all("set-cookie").try_into().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn too_many_guesses_are_answered_in_the_framework_s_words_the_same_for_every_name() {
    let world = World::slowing_down(bounded_by_account("2/hour"), &[]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let mut answers = Vec::new();
    for name in ["ada", "nobody"] {
        guess(&world, name).await.is(401);
        let first = guess(&world, name).await.is(429);
        assert_eq!(
            first.text(),
            r#"{"detail":"Request was throttled. Expected available in 1800 seconds."}"#
        );
        assert_eq!(first.all("retry-after"), ["1800"]);
        answers.push(first);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(world.send(login(SLIDING_LOGIN, "ada", PASSWORD)).await.is(429).text(), answers[0].text());
    world.clock.advance_secs(1799);
    let last = guess(&world, "ada").await.is(429);
    assert_eq!(last.detail(), "Request was throttled. Expected available in 1 second.");
    world.clock.advance_secs(1);
    guess(&world, "ada").await.is(401);
}

#[tokio::test]
async fn the_cookie_of_an_earlier_login_lets_its_owner_in_while_others_guess() {
    let world = World::slowing_down(bounded_by_account("2/day"), &[]);
    world.anon().register("ada", PASSWORD).await.is(201);
    for path in [LOGIN, SLIDING_LOGIN] {
        let first = world.send(login(path, "ada", PASSWORD)).await.is(200);
        let [attributes] = first.all("set-cookie").try_into().unwrap();
        let (_, attributes) = attributes.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/user/api/login/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict");
        let cookie = cookie(&first);
        assert_eq!(guess(&world, "ada").await.status, 401);
        world.send(login(path, "ada", PASSWORD)).await.is(429);
        let second = world.send(login(path, "ada", PASSWORD).header("cookie", &cookie)).await.is(200);
        let (name, mark) = cookie.split_once('=').unwrap();
        assert_eq!(name, "__Secure-countersign_device_17");
        world.send(login(path, "ada", PASSWORD).header("x-known-device", mark)).await.is(200);
        let device = |cookie: &str| cookie.split('.').next().unwrap().to_owned();
        assert_eq!(device(&crate::service::throttle::cookie(&second)), device(&cookie), "the same device");
        world.clock.advance_secs(2 * 86_400);
    }
}

#[tokio::test]
async fn users_of_one_browser_keep_a_mark_each_and_what_was_planted_beside_hides_none() {
    let world = World::slowing_down(bounded_by_account("2/day"), &[]);
    let mut jar =
        vec!["countersign_device=planted".to_owned(), "__Secure-countersign_device_17=planted".to_owned()];
    for name in ["ada", "eve"] {
        world.anon().register(name, PASSWORD).await.is(201);
        jar.push(cookie(&world.send(login(LOGIN, name, PASSWORD)).await.is(200)));
        guess(&world, name).await.is(401);
    }
    assert_ne!(jar[2].split('=').next(), jar[3].split('=').next(), "one takes the place of none");
    for name in ["ada", "eve"] {
        world.send(login(LOGIN, name, PASSWORD)).await.is(429);
        world.send(login(LOGIN, name, PASSWORD).header("cookie", &jar.join("; "))).await.is(200);
    }
}

#[tokio::test]
async fn the_cookie_of_an_earlier_version_is_good_too() {
    let world = World::slowing_down(bounded_by_account("2/day"), &[]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let cookie = cookie(&world.send(login(LOGIN, "ada", PASSWORD)).await.is(200));
    guess(&world, "ada").await.is(401);
    let mark = cookie.split_once('=').unwrap().1;
    let old = format!("countersign_device={mark}");
    world.send(login(LOGIN, "ada", PASSWORD).header("cookie", &old)).await.is(200);
}

#[tokio::test]
async fn a_refused_login_and_one_where_nothing_is_slowed_down_hand_out_no_cookie() {
    let world = World::slowing_down(on(), &[]);
    world.anon().register("ada", PASSWORD).await.is(201);
    assert!(guess(&world, "ada").await.is(401).all("set-cookie").is_empty());
    let world = World::new();
    world.anon().register("ada", PASSWORD).await.is(201);
    for path in [LOGIN, SLIDING_LOGIN] {
        assert!(world.send(login(path, "ada", PASSWORD)).await.is(200).all("set-cookie").is_empty());
    }
}

#[tokio::test]
async fn a_page_that_is_not_ours_gets_no_mark_so_that_it_can_take_none_away() {
    let pages = json!({ "CORS_ALLOWED_ORIGINS": ["https://app.auth.example"] });
    let world = World::slowing_down_and(on(), |settings| settings.cors = Some(cors(&pages)));
    let register = Draft::post(REGISTER).json(&json!({"username": "eve", "password": PASSWORD}));
    assert_eq!(world.service.answer(register.request(), None).await.status(), 201);
    let [ours, named, neighbour] =
        ["https://auth.example", "https://app.auth.example", "https://evil.auth.example"];
    for path in [LOGIN, SLIDING_LOGIN] {
        for (origin, site, marks) in [
            (None, None, 1),
            (None, Some("same-origin"), 1),
            (None, Some("same-site"), 0),
            (None, Some("cross-site"), 0),
            (Some(ours), Some("same-origin"), 1),
            (Some(ours), None, 1),
            (Some("http://auth.example"), None, 1),
            (Some(named), Some("same-site"), 1),
            (Some(neighbour), Some("same-site"), 0),
            (Some(neighbour), None, 0),
            (Some("null"), None, 0),
        ] {
            let mut draft = login(path, "eve", PASSWORD);
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                draft = value.into_iter().fold(draft, |draft, value| draft.header(name, value));
            }
            let answer = world.service.answer(draft.request(), None).await;
            assert_eq!(answer.status(), 200);
            let found = answer.headers().get_all("set-cookie").iter().count();
            assert_eq!(found, marks, "{path} {origin:?} {site:?}");
        }
    }
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_is_told_from_others_and_seen_in_its_sessions() {
    let throttles = Throttles { login_address: Some("2/hour".parse().unwrap()), ..on() };
    let world = World::slowing_down(throttles, &[PEER, "10.0.0.0/8"]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let from = |hops: &str| login(LOGIN, "ada", "a guess").header("x-forwarded-for", hops);
    world.send(from("198.51.100.1")).await.is(401);
    world.send(from("203.0.113.66, 198.51.100.1, 10.0.0.1")).await.is(429);
    world.send(from("203.0.113.66")).await.is(401);
    world.send(from("198.51.100.1").header("forwarded", "for=203.0.113.7")).await.is(429);
    let logged_in = login(LOGIN, "ada", PASSWORD).header("x-forwarded-for", "[2001:db8::7]:4711");
    let access = world.send(logged_in).await.is(200).json()["access"].as_str().unwrap().to_owned();
    let sessions = world.send(Draft::get(SESSIONS).bearer(&access)).await.is(200).json();
    assert_eq!(sessions[0]["address"], "2001:db8::7");
    world.send(Draft::get(ME).bearer(&access)).await.is(200);
}

#[tokio::test]
async fn what_a_peer_that_is_not_trusted_says_of_its_client_counts_for_nothing() {
    let throttles = Throttles { login_address: Some("2/hour".parse().unwrap()), ..on() };
    for proxies in [&[][..], &["10.0.0.0/8"]] {
        let world = World::slowing_down(throttles.clone(), proxies);
        let from = |hops: &str| login(LOGIN, "ada", "a guess").header("x-forwarded-for", hops);
        world.send(from("198.51.100.1")).await.is(401);
        world.send(from("198.51.100.2")).await.is(429);
        world.send(from("198.51.100.3").header("forwarded", "for=198.51.100.4")).await.is(429);
    }
}

#[tokio::test]
async fn registrations_are_slowed_down_in_the_same_words() {
    let throttles = Throttles { register_address: Some("2/min".parse().unwrap()), ..on() };
    let world = World::slowing_down(throttles, &[]);
    world.anon().register("ada", PASSWORD).await.is(201);
    let refused = world.anon().register("bob", PASSWORD).await.is(429);
    assert_eq!(refused.detail(), "Request was throttled. Expected available in 30 seconds.");
    let page = Draft::post(REGISTER).json(&json!({})).header("accept", "text/html");
    assert!(world.send(page).await.is(429).text().contains("Request was throttled."));
}
