//! Registration by mail on the wire: one answer for everybody, and the endpoint that a link leads to.

use countersign_auth::Throttles;
use countersign_domain::MailKind;
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::actors::{Answer, Draft, LOGIN, PASSWORD, REGISTER, World};

const CONFIRM: &str = "/user/api/register/confirm/";
const ADA: &str = "ada@example.com";

async fn ask(world: &World, address: &str) -> Answer {
    world.anon().post(REGISTER, &json!({"email": address})).await
}

async fn confirm(world: &World, token: &str, password: &str) -> Answer {
    world.anon().post(CONFIRM, &json!({"token": token, "password": password})).await
}

/// What the next message says.
async fn message(world: &World) -> String {
    let claimed =
        world.store.claim_mail(&MailKind::ALL, Timestamp::MAX, SignedDuration::from_mins(1)).await.unwrap();
    let mail = claimed.expect("a mail waits");
    let message = world.service.auth().compose(&mail).await.unwrap().expect("it is written");
    world.store.delete_mail(&mail).await.unwrap();
    message.body
}

/// The token of the link that is sent to an address.
async fn token(world: &World, address: &str) -> String {
    ask(world, address).await.is(202);
    let text = message(world).await;
    let (_, rest) = text.split_once("#token=").expect("there is a link");
    rest.lines().next().unwrap_or_default().to_owned()
}

/// A world in which Ada has an account.
async fn world() -> World {
    let world = World::registering_by_mail(Throttles::default());
    let token = token(&world, ADA).await;
    confirm(&world, &token, PASSWORD).await.is(201);
    world
}

#[tokio::test]
async fn who_has_an_account_is_answered_with_the_bytes_and_headers_of_who_has_none() {
    let world = world().await;
    let answers = [
        ask(&world, ADA).await,
        ask(&world, "bob@example.com").await,
        ask(&world, "bob@example.com").await, // one waits already
        ask(&world, "ADA@example.com").await,
    ];
    for answer in &answers {
        assert_eq!(&answer.clone().is(202), &answers[0]);
    }
    let sentence = "If an account can be made for this address, a message with a link is on its way to it.";
    assert_eq!(answers[0].text(), format!(r#"{{"detail":"{sentence}"}}"#));
}

#[tokio::test]
async fn what_else_a_form_has_is_not_looked_at_and_makes_nobody() {
    let world = World::registering_by_mail(Throttles::default());
    let form = json!({"username": "ada", "email": ADA, "password": "x", "is_staff": true});
    let answer = world.anon().post(REGISTER, &form).await.is(202);
    assert_eq!(answer, ask(&world, ADA).await);
    world.anon().log_in("ada", "x").await.is(401);
    for (body, refused) in [
        (json!({}), json!({"email": ["This field is required."]})),
        (json!({"email": null}), json!({"email": ["This field may not be null."]})),
        (json!({"email": " "}), json!({"email": ["This field may not be blank."]})),
        (json!({"email": []}), json!({"email": ["Enter a valid email address."]})),
        (json!({"email": "ada"}), json!({"email": ["Enter a valid email address."]})),
        (
            json!({"email": "o'ada@example.com"}),
            json!({"email": ["Enter an email address of letters, numbers, and @/./+/-/_ characters only."]}),
        ),
    ] {
        assert_eq!(world.anon().post(REGISTER, &body).await.is(400).json(), refused);
    }
}

#[tokio::test]
async fn a_link_makes_the_account_once_and_lets_its_owner_log_in() {
    let world = world().await;
    let token = token(&world, "bob@example.com").await;
    let short = confirm(&world, &token, "").await.is(400).json();
    assert_eq!(short, json!({"password": ["This field may not be blank."]}));
    let made = confirm(&world, &token, PASSWORD).await.is(201).json();
    assert_eq!(made, json!({"id": 2, "username": "bob@example.com", "email": "bob@example.com"}));
    world.anon().log_in("bob@example.com", PASSWORD).await.is(200);
    let refused = confirm(&world, &token, PASSWORD).await.is(400);
    let sentence =
        "This link is invalid, possibly because it has been used or has expired. Ask for a new one.";
    assert_eq!(refused.json(), json!({"token": [sentence]}));
    assert_eq!(confirm(&world, "forged", PASSWORD).await, refused);
}

#[tokio::test]
async fn throttling_is_the_same_for_every_address() {
    let throttles =
        Throttles { is_on: true, register_address: Some("4/hour".parse().unwrap()), ..Throttles::default() };
    let mut told = Vec::new();
    for address in [ADA, "bob@example.com"] {
        let world = World::registering_by_mail(throttles.clone());
        let token = token(&world, ADA).await;
        confirm(&world, &token, PASSWORD).await.is(201);
        world.clock.advance_secs(2 * 3600);
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(ask(&world, address).await);
        }
        assert_eq!(answers.last().map(|answer| answer.status.as_u16()), Some(429));
        told.push(answers);
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn without_the_setting_there_is_no_such_path_and_the_form_is_djangos() {
    let world = World::new();
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let answer = world.send(Draft::new(method.clone(), CONFIRM)).await.is(404);
        assert_eq!(answer, world.send(Draft::new(method, "/user/api/nowhere/")).await);
    }
    world.send(Draft::post(CONFIRM.trim_end_matches('/'))).await.is(404);
    let form = json!({"username": "ada", "password": PASSWORD});
    world.anon().post(REGISTER, &form).await.is(201);
    let document = world.ask(Method::GET, "/openapi.json", &[]).await;
    assert!(!document.text().contains("register/confirm"));
}

#[tokio::test]
async fn the_document_and_options_say_what_is_taken() {
    let world = World::registering_by_mail(Throttles::default());
    let document = world.ask(Method::GET, "/openapi.json", &[]).await.json();
    let register = &document["paths"][REGISTER]["post"];
    assert_eq!(
        register["requestBody"]["content"]["application/json"]["schema"]["required"],
        json!(["email"])
    );
    assert!(register["responses"]["202"].is_object() && register["responses"]["201"].is_null());
    assert!(document["paths"][CONFIRM]["post"]["responses"]["201"].is_object());
    let options = world.send(Draft::new(Method::OPTIONS, REGISTER)).await.is(200).json();
    let fields: Vec<_> = options["actions"]["POST"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["email"]);
    world.send(Draft::get(CONFIRM)).await.is(405);
    world.send(Draft::post(LOGIN).json(&json!({}))).await.is(400);
}
