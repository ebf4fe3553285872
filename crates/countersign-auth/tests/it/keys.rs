//! The key ring: keys are exchanged while everybody stays logged in.

use countersign_auth::{ConfiguredKeys, Error, KeyRingError, KeyStatus};
use countersign_store::{KeyState, StoredKey};
use countersign_token::{Algorithm, Seal, Settings, SigningKey};
use jiff::SignedDuration;
use zeroize::Zeroizing;

use crate::service::{
    ACCESS_LIFETIME, Person, REFRESH_LIFETIME, SECRET_KEY, Service, origin, refusal, rules, with_sessions,
};

const PUBLISH_WINDOW: i64 = 10 * 60;
const NEW_SECRET_KEY: &[u8] = b"another secret of the tests alone";

/// How long a key is needed after it has signed.
const NEEDED: i64 = REFRESH_LIFETIME + 60;

fn configured(secret_key: &[u8], fallbacks: &[&[u8]]) -> ConfiguredKeys {
    let fallbacks = fallbacks.iter().map(|secret| Zeroizing::new(secret.to_vec())).collect();
    ConfiguredKeys::new(with_sessions(0), secret_key).unwrap().with_fallbacks(fallbacks).unwrap()
}

impl Service {
    async fn generate(&self, algorithm: Algorithm) -> KeyStatus {
        let key = self.auth.key_ring().generate(algorithm, false).await.unwrap();
        assert!(self.auth.reload_keys().await.unwrap());
        key
    }

    async fn rotate(&self) -> Result<KeyStatus, KeyRingError> {
        let rotated = self.auth.key_ring().rotate(false).await?;
        assert!(self.auth.reload_keys().await.unwrap());
        Ok(rotated.signing)
    }

    /// Generates, waits for the publish window, and rotates.
    async fn move_to(&self, algorithm: Algorithm) -> KeyStatus {
        self.generate(algorithm).await;
        self.clock.advance_secs(PUBLISH_WINDOW);
        self.rotate().await.unwrap()
    }

    async fn retire(&self, kid: &str, now: bool) -> Result<KeyStatus, KeyRingError> {
        let key = self.auth.key_ring().retire(kid, now).await?;
        assert!(self.auth.reload_keys().await.unwrap());
        Ok(key)
    }

    async fn states(&self) -> Vec<(String, &'static str)> {
        let keys = self.auth.key_ring().list().await.unwrap().into_iter();
        keys.map(|key| (key.algorithm, key.state.name())).collect()
    }
}

fn is(algorithm: &str, state: &'static str) -> (String, &'static str) {
    (algorithm.to_owned(), state)
}

/// The `kid` in a token's header.
fn kid(token: &str) -> Option<String> {
    let header = base64_url(token.split('.').next().unwrap());
    let (_, after) = header.split_once("\"kid\":\"")?;
    Some(after.split('"').next().unwrap().to_owned())
}

fn base64_url(text: &str) -> String {
    let six = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let bits = |chunk: &[u8]| chunk.iter().fold(0_u32, |sum, byte| sum << 6 | u32::from(six(*byte)));
    let bytes = text.as_bytes().chunks(4).flat_map(|chunk| {
        let bits = bits(chunk) << (6 * (4 - chunk.len()));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    });
    String::from_utf8(bytes.collect()).unwrap()
}

async fn is_logged_in(person: &Person<'_>) {
    person.whoami().await.expect("the access token is good");
    person.present(&person.refresh).await.expect("the refresh token is good");
}

#[tokio::test]
async fn moving_from_hs256_to_another_algorithm_logs_nobody_out() {
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256] {
        let service = Service::start(rules());
        let mut ada = service.welcome("ada").await;
        assert_eq!(kid(&ada.access), None, "as in Simple JWT");
        service.generate(algorithm).await;
        service.clock.advance_secs(PUBLISH_WINDOW);
        ada.refresh().await.unwrap();
        assert_eq!(kid(&ada.access), None, "the next key does not sign yet");

        let signing = service.rotate().await.unwrap();
        is_logged_in(&ada).await;
        ada.refresh().await.unwrap();
        assert_eq!(kid(&ada.access), Some(signing.kid));
        is_logged_in(&ada).await;
        ada.log_in().await.unwrap();
        is_logged_in(&ada).await;
        assert_eq!(service.states().await, [is("HS256", "verifying"), is(algorithm.name(), "signing")]);
    }
}

#[tokio::test]
async fn a_key_signs_only_after_it_was_published_for_a_while() {
    let service = Service::start(rules());
    assert_eq!(
        refusal(service.rotate().await),
        "there is no next key to rotate to; make one with `countersign keys generate`"
    );
    let next = service.generate(Algorithm::EdDSA).await;
    assert!(service.auth.key_set().json.contains(&next.kid), "it is published at once");
    service.clock.advance_secs(PUBLISH_WINDOW - 1);
    let expected = "may sign in 1s (KEY_PUBLISH_WINDOW); wait, or add --now";
    assert!(refusal(service.rotate().await).ends_with(expected));
    service.clock.advance_secs(1);
    assert_eq!(service.rotate().await.unwrap().kid, next.kid);
}

#[tokio::test]
async fn an_operator_in_a_hurry_need_not_wait() {
    let service = Service::start(rules());
    service.generate(Algorithm::EdDSA).await;
    let rotated = service.auth.key_ring().rotate(true).await.unwrap();
    assert_eq!((rotated.signing.state, rotated.verifying.state), (KeyState::Signing, KeyState::Verifying));
    service.retire("configured", true).await.unwrap();
}

#[tokio::test]
async fn tokens_of_the_first_key_are_good_through_two_rotations_until_it_is_retired() {
    let service = Service::start(rules());
    let first = service.move_to(Algorithm::EdDSA).await;
    let ada = service.welcome("ada").await;
    assert_eq!(kid(&ada.refresh).as_ref(), Some(&first.kid));
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        service.move_to(algorithm).await;
        ada.present(&ada.refresh).await.unwrap();
    }
    let expected = [
        is("HS256", "verifying"),
        is("EdDSA", "verifying"),
        is("ES256", "verifying"),
        is("EdDSA", "signing"),
    ];
    assert_eq!(service.states().await, expected);
    let retired = service.retire(&first.kid, true).await.unwrap();
    assert_eq!(retired.state, KeyState::Retired);
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is invalid");
    assert!(!service.auth.key_set().json.contains(&first.kid));
}

#[tokio::test]
async fn a_key_is_retired_only_when_its_last_token_has_expired() {
    let service = Service::start(rules());
    let mut ada = service.welcome("ada").await;
    let first = service.move_to(Algorithm::EdDSA).await;
    ada.log_in().await.unwrap();
    service.move_to(Algorithm::EdDSA).await;
    let listed = service.auth.key_ring().list().await.unwrap();
    let listed = listed.iter().find(|key| key.kid == first.kid).unwrap();
    assert_eq!(listed.retire_after, Some(listed.changed.unwrap() + SignedDuration::from_secs(NEEDED)));

    service.clock.advance_secs(NEEDED - 1);
    let expected = "may be good until 2026-01-02T12:21:00Z; retire it then, or end them with --now";
    assert!(refusal(service.retire(&first.kid, false).await).ends_with(expected));
    service.clock.advance_secs(1);
    service.retire(&first.kid, false).await.unwrap();
    assert_eq!(
        refusal(service.retire(&first.kid, false).await),
        format!("{} is retired already; `countersign keys list` shows those that are not", first.kid)
    );
}

#[tokio::test]
async fn the_configured_key_is_retired_like_any_other_and_its_forgeries_end() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    assert!(refusal(service.retire("configured", true).await).starts_with("configured signs; let another"));
    service.move_to(Algorithm::EdDSA).await;
    service.retire("configured", true).await.unwrap();
    assert_eq!(refusal(ada.present(&ada.refresh).await), "Token is invalid");
    assert!(ada.whoami().await.is_err());
    let restarted = service.try_beside(configured(SECRET_KEY, &[NEW_SECRET_KEY])).unwrap();
    let at_restarted = ada.at(&restarted);
    assert!(at_restarted.whoami().await.is_err(), "a restart does not revive it");
    assert_eq!(restarted.states().await, [is("HS256", "retired"), is("EdDSA", "signing")]);
}

#[tokio::test]
async fn neither_the_signing_key_nor_an_unknown_one_is_retired_and_a_next_one_is_at_once() {
    let service = Service::start(rules());
    let signing = service.move_to(Algorithm::EdDSA).await;
    assert!(refusal(service.retire(&signing.kid, true).await).contains(" signs; let another one sign first"));
    let unknown = refusal(service.retire("nobody", true).await);
    assert_eq!(unknown, "no key is called \"nobody\"; `countersign keys list` shows them");
    let next = service.generate(Algorithm::EdDSA).await;
    let second = refusal(service.auth.key_ring().generate(Algorithm::EdDSA, false).await);
    assert!(second.starts_with(&format!("{} is the next key already", next.kid)), "{second}");
    service.retire(&next.kid, false).await.unwrap();
    service.generate(Algorithm::EdDSA).await;
}

#[tokio::test]
async fn a_shared_secret_is_not_generated() {
    let service = Service::start(rules());
    let refused = refusal(service.auth.key_ring().generate(Algorithm::HS256, false).await);
    assert!(refused.starts_with("HS256 signs with a shared secret, which cannot be published"), "{refused}");
}

#[tokio::test]
async fn of_two_operators_at_once_one_is_told_so() {
    let service = Service::start(rules());
    service.generate(Algorithm::EdDSA).await;
    service.clock.advance_secs(PUBLISH_WINDOW);
    let ring = service.auth.key_ring();
    let (one, other) = tokio::join!(ring.rotate(false), ring.rotate(false));
    assert!(one.is_ok() != other.is_ok());
    let refused = refusal(if one.is_err() { one } else { other });
    assert!(refused.starts_with("somebody else changed the keys at the same time"), "{refused}");
    assert_eq!(service.states().await, [is("HS256", "verifying"), is("EdDSA", "signing")]);
}

#[tokio::test]
async fn a_changed_secret_key_with_the_former_one_as_fallback_logs_nobody_out() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let restarted = service.try_beside(configured(NEW_SECRET_KEY, &[b"of yore", SECRET_KEY])).unwrap();
    let mut ada = ada.at(&restarted);
    is_logged_in(&ada).await;
    ada.log_in().await.unwrap();
    let without = service.try_beside(configured(NEW_SECRET_KEY, &[])).unwrap();
    is_logged_in(&ada.at(&without)).await;
    assert!(service.stranger("ada").at(&without).whoami().await.is_err());
    assert!(ada.at(&service).whoami().await.is_err(), "the former key knows nothing of the new one");
}

#[tokio::test]
async fn fallbacks_verify_nothing_where_secret_key_does_not_sign() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let pem = SigningKey::generate_pem(Algorithm::EdDSA).unwrap();
    let keys = configured(NEW_SECRET_KEY, &[SECRET_KEY]).signed_by(Algorithm::EdDSA, pem.as_bytes(), b"");
    let restarted = service.try_beside(keys.unwrap()).unwrap();
    assert!(ada.at(&restarted).whoami().await.is_err());
    assert!(
        restarted.auth.key_set().json.contains("\"crv\":\"Ed25519\""),
        "the configured pair is published"
    );

    let keys = configured(NEW_SECRET_KEY, &[SECRET_KEY]).signed_by(Algorithm::HS256, b"a third secret", b"");
    let restarted = service.try_beside(keys.unwrap()).unwrap();
    assert!(
        ada.at(&restarted).whoami().await.is_err(),
        "it was a former SECRET_KEY, not a former SIGNING_KEY"
    );
}

#[tokio::test]
async fn a_sealed_key_opens_in_its_own_row_alone() {
    let service = Service::start(rules());
    let first = service.move_to(Algorithm::EdDSA).await;
    let second = service.move_to(Algorithm::EdDSA).await;
    let sealed = async |kid: &str| {
        let rows = service.store.list_keys().await.unwrap();
        rows.into_iter().find(|row| row.kid == kid).unwrap().sealed.unwrap()
    };
    let (of_first, of_second) = (sealed(&first.kid).await, sealed(&second.kid).await);
    assert!(service.store.reseal_key(second.kid.clone(), of_second, of_first).await.unwrap());
    let refused = service.auth.key_ring().check().await;
    assert!(matches!(refused, Err(KeyRingError::Sealed { kid }) if kid == second.kid));
}

#[tokio::test]
async fn a_key_that_cannot_be_used_stops_the_start_unless_it_is_the_next_one_and_never_comes_to_sign() {
    let service = Service::start(rules());
    for (kid, algorithm, reason) in [
        ("damaged", "EdDSA", "the key is not an unbroken PEM text"),
        ("shared", "HS256", "HS256 is no algorithm with a key pair"),
        ("unknown", "none", "none is no algorithm with a key pair"),
    ] {
        let at = "2026-01-01T12:00:00Z".parse().unwrap();
        let key = |kid: String, state| StoredKey {
            sealed: Some(
                Seal::derive(SECRET_KEY).seal(b"no key at all", format!("{kid} {algorithm}").as_bytes()),
            ),
            kid,
            algorithm: algorithm.to_owned(),
            state,
            created_at: at,
            changed_at: at,
        };
        let expected = |kid: &str| format!("the signing key {kid} in the database cannot be used: {reason}");
        assert!(service.store.insert_key(key(kid.to_owned(), KeyState::Next)).await.unwrap());
        service.try_beside(configured(SECRET_KEY, &[])).expect("it signs nothing, and is passed over");
        let at_rotation = refusal(service.auth.key_ring().rotate(true).await);
        assert!(at_rotation.starts_with(&expected(kid)), "{at_rotation}");
        service.auth.key_ring().retire(kid, false).await.unwrap();

        let kid = format!("{kid} too");
        assert!(service.store.insert_key(key(kid.clone(), KeyState::Verifying)).await.unwrap());
        let at_start = refusal(service.try_beside(configured(SECRET_KEY, &[])));
        assert!(at_start.starts_with(&expected(&kid)), "{at_start}");
        service.auth.key_ring().retire(&kid, true).await.unwrap();
    }
}

#[tokio::test]
async fn what_only_a_fallback_opens_is_sealed_anew_and_opens_without_it_thereafter() {
    let service = Service::start(rules());
    service.move_to(Algorithm::EdDSA).await;
    let next = service.generate(Algorithm::ES256).await;
    let ada = service.welcome("ada").await;
    let refused = refusal(service.try_beside(configured(NEW_SECRET_KEY, &[])));
    assert!(refused.starts_with("SECRET_KEY does not open the signing key "), "{refused}");
    assert!(refused.contains("add the former SECRET_KEY to SECRET_KEY_FALLBACKS"), "{refused}");

    let restarted = service.try_beside(configured(NEW_SECRET_KEY, &[SECRET_KEY])).unwrap();
    is_logged_in(&ada.at(&restarted)).await;
    assert_eq!(restarted.auth.key_ring().reseal().await.unwrap(), 2);
    assert_eq!(restarted.auth.key_ring().reseal().await.unwrap(), 0);
    assert!(restarted.auth.reload_keys().await.unwrap());

    let later = service.try_beside(configured(NEW_SECRET_KEY, &[])).unwrap();
    is_logged_in(&ada.at(&later)).await;
    later.clock.advance_secs(PUBLISH_WINDOW);
    assert_eq!(later.rotate().await.unwrap().kid, next.kid);
}

#[tokio::test]
async fn a_lost_secret_key_is_recovered_from_by_replacing_the_signing_key() {
    let service = Service::start(rules());
    let lost = service.move_to(Algorithm::EdDSA).await.kid;
    let keys = || configured(NEW_SECRET_KEY, &[]);
    assert!(service.try_beside(keys()).is_err());
    let clock = countersign_auth::Clock::Manual(service.clock.clone());
    let ring = countersign_auth::KeyRing::new(service.store.clone(), keys(), clock);
    assert!(matches!(ring.check().await, Err(KeyRingError::Sealed { kid }) if kid == lost));
    assert!(matches!(ring.generate(Algorithm::EdDSA, false).await, Err(KeyRingError::Sealed { .. })));
    ring.generate(Algorithm::EdDSA, true).await.unwrap();
    ring.rotate(true).await.unwrap();
    ring.retire(&lost, true).await.unwrap();
    assert!(service.try_beside(keys()).is_ok());
}

#[tokio::test]
async fn two_servers_on_one_database_go_by_the_same_keys_once_they_have_looked() {
    let one = Service::start(rules());
    let other = one.try_beside(configured(SECRET_KEY, &[])).unwrap();
    let next = one.generate(Algorithm::EdDSA).await;
    assert!(other.auth.reload_keys().await.unwrap());
    assert_eq!(other.auth.key_set(), one.auth.key_set());
    one.clock.advance_secs(PUBLISH_WINDOW);
    one.rotate().await.unwrap();
    let ada = one.welcome("ada").await;
    is_logged_in(&ada.at(&other)).await; // before it has seen the rotation: this is what publishing is for
    assert!(other.auth.reload_keys().await.unwrap());
    assert!(!other.auth.reload_keys().await.unwrap(), "nothing has changed since");
    let grace = other.welcome("grace").await;
    assert_eq!(kid(&grace.access), Some(next.kid));
    is_logged_in(&grace.at(&one)).await;
}

#[tokio::test]
async fn keys_that_cannot_be_read_anew_leave_those_of_before_in_use() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    let beside = service.try_beside(configured(NEW_SECRET_KEY, &[SECRET_KEY])).unwrap();
    beside.auth.key_ring().generate(Algorithm::EdDSA, false).await.unwrap();
    beside.auth.key_ring().rotate(true).await.unwrap();
    assert!(matches!(service.auth.reload_keys().await, Err(KeyRingError::Sealed { .. })));
    is_logged_in(&ada).await;
}

#[tokio::test]
async fn a_token_by_a_key_that_has_just_begun_to_sign_elsewhere_is_good_at_once() {
    let service = Service::start(rules());
    let beside = service.try_beside(configured(SECRET_KEY, &[])).unwrap();
    let here = service.welcome("ada").await;
    service.move_to(Algorithm::EdDSA).await;
    let mut ada = here.at(&service);
    ada.log_in().await.unwrap();
    let mut there = ada.at(&beside);
    there.whoami().await.expect("the other process has not been told of the key");
    there.refresh().await.unwrap();
}

#[tokio::test]
async fn nobody_is_refused_because_somebody_else_has_just_looked_for_a_key() {
    let service = Service::start(rules());
    let beside = service.try_beside(configured(SECRET_KEY, &[])).unwrap();
    let (mut ada, made_up) = (service.welcome("ada").await, "made.up.token");
    let here = origin();
    assert!(matches!(beside.auth.authenticate(made_up, &here).await, Err(Error::BearerToken(_))));
    service.move_to(Algorithm::EdDSA).await;
    ada.log_in().await.unwrap();
    let (one, other) = (ada.at(&beside), ada.at(&beside));
    let (made_up, one, other) =
        tokio::join!(beside.auth.authenticate(made_up, &here), one.whoami(), other.whoami());
    assert!(matches!(made_up, Err(Error::BearerToken(_))));
    one.unwrap();
    other.unwrap();
}

#[tokio::test]
async fn a_token_is_not_refused_while_its_key_cannot_be_looked_for() {
    let Some([one, other]) = Service::start_two_on_postgres(rules()).await else { return };
    let mut ada = one.welcome("ada").await;
    one.move_to(Algorithm::EdDSA).await;
    ada.log_in().await.unwrap();
    one.run("ALTER TABLE countersign_key RENAME TO elsewhere");
    let there = ada.at(&other);
    let refusal = there.whoami().await.unwrap_err();
    assert!(matches!(refusal, Error::KeysOutOfReach(_)), "{refusal}");
    one.run("ALTER TABLE elsewhere RENAME TO countersign_key");
    there.whoami().await.unwrap();
}

#[tokio::test]
async fn a_key_is_not_made_under_another_secret_than_those_there_are() {
    let service = Service::start(rules());
    service.move_to(Algorithm::EdDSA).await;
    let elsewhere = countersign_auth::KeyRing::new(
        service.store.clone(),
        configured(NEW_SECRET_KEY, &[]),
        countersign_auth::Clock::Manual(service.clock.clone()),
    );
    let refused = elsewhere.generate(Algorithm::EdDSA, false).await;
    assert!(matches!(refused, Err(KeyRingError::Sealed { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_next_key_made_under_another_secret_does_not_keep_a_retired_one_in_use() {
    let service = Service::start(rules());
    let ada = service.welcome("ada").await;
    service.move_to(Algorithm::EdDSA).await;
    let elsewhere = service.try_beside(configured(NEW_SECRET_KEY, &[SECRET_KEY])).unwrap();
    elsewhere.auth.key_ring().generate(Algorithm::EdDSA, false).await.unwrap();
    service.auth.key_ring().retire("configured", true).await.unwrap();
    assert!(service.auth.reload_keys().await.unwrap());
    assert!(ada.whoami().await.is_err(), "the key that signed it is retired");
    service.try_beside(configured(SECRET_KEY, &[])).expect("and nothing keeps a server from starting");
}

#[tokio::test]
async fn no_private_key_is_in_the_database_or_among_what_is_published() {
    let service = Service::start(rules());
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256] {
        service.move_to(algorithm).await;
    }
    let set = service.auth.key_set();
    assert_eq!(set.json.matches("\"kid\"").count(), 2, "the shared secret is not published: {}", set.json);
    for private in ["\"d\"", "\"k\"", "oct", "PRIVATE"] {
        assert!(!set.json.contains(private), "{}", set.json);
    }
    let rows = service.store.list_keys().await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.sealed.is_some()).count(), 2);
    for file in std::fs::read_dir(service.directory.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [&b"PRIVATE KEY"[..], SECRET_KEY] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret));
        }
    }
}

#[tokio::test]
async fn verifiers_fetch_the_keys_at_least_twice_in_the_publish_window() {
    let service = Service::start(rules());
    assert_eq!(service.auth.key_set().max_age_secs, 300);
    for (window, max_age) in [(60, 30), (1, 0), (86_400, 300)] {
        let keys = configured(SECRET_KEY, &[]).with_publish_window(SignedDuration::from_secs(window));
        assert_eq!(service.try_beside(keys).unwrap().auth.key_set().max_age_secs, max_age);
    }
}

#[tokio::test]
async fn a_key_is_needed_for_as_long_as_the_longest_token_whichever_that_is() {
    let service = Service::start(rules());
    let day = SignedDuration::from_hours(24);
    let default = Settings::default();
    for settings in [
        Settings { access_lifetime: 3 * day, ..default.clone() },
        Settings { refresh_lifetime: 3 * day, ..default.clone() },
        Settings { sliding_lifetime: 3 * day, ..default.clone() },
        Settings { sliding_refresh_lifetime: 3 * day, ..default.clone() },
        Settings { leeway: 2 * day, ..default },
    ] {
        let keys = ConfiguredKeys::new(settings, SECRET_KEY).unwrap();
        let beside = service.try_beside(keys).unwrap();
        beside.auth.key_ring().generate(Algorithm::EdDSA, false).await.unwrap();
        let verifying = beside.auth.key_ring().rotate(true).await.unwrap().verifying;
        let needed = verifying.retire_after.unwrap().duration_since(verifying.changed.unwrap());
        assert_eq!(needed, 3 * day + SignedDuration::from_mins(1));
        service.clock.advance_secs(ACCESS_LIFETIME);
    }
}
