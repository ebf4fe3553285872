//! Bodies: their limits, encodings and forms.

use serde_json::{Value, json};

use crate::actors::{Draft, LOGIN, PASSWORD, REGISTER, VERIFY, World};

const MAX_BODY_BYTES: usize = 2_621_440;
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn the_largest_body_is_read_and_one_byte_more_is_not() {
    let world = World::new();
    world.user("ada").await;
    let credentials = json!({"username": "ada", "password": PASSWORD}).to_string();
    let form = format!("username=ada&password={PASSWORD}&pad=");
    for (media_type, text, pad) in [("application/json", &credentials, " "), (FORM, &form, "p")] {
        for (length, status) in [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 400)] {
            let body = text.clone() + &pad.repeat(length - text.len());
            let draft = Draft::post(LOGIN).header("content-type", media_type).body(body);
            let answer = world.send(draft).await.is(status);
            assert_eq!(answer.text().contains("<h1>Bad Request (400)</h1>"), status == 400);
        }
    }
}

#[tokio::test]
async fn a_thousand_fields_are_read_and_one_more_is_not() {
    let world = World::new();
    world.user("ada").await;
    let form = format!("username=ada&password={PASSWORD}");
    for (empty, status) in [(998, 200), (999, 400)] {
        let body = form.clone() + &"&".repeat(empty);
        world.send(Draft::post(LOGIN).header("content-type", FORM).body(body)).await.is(status);
        let query = format!("{VERIFY}?{}", "&".repeat(empty + 1));
        let expected = if status == 200 { 401 } else { 400 };
        let answer = world.send(Draft::post(&query).json(&json!({"token": "x"}))).await.is(expected);
        assert_eq!(answer.all("content-type") == ["application/json"], expected == 401);
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_decompressed() {
    let world = World::new();
    world.user("ada").await;
    let credentials = json!({"username": "ada", "password": PASSWORD});
    let plain = Draft::post(LOGIN).json(&credentials).header("content-encoding", "gzip");
    world.send(plain.clone()).await.is(200);
    let zipped = plain
        .body(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02".as_slice());
    assert_eq!(
        world.send(zipped).await.is(400).detail(),
        "JSON parse error - 'utf-8' codec can't decode byte 0x8b in position 1: invalid start byte"
    );
}

#[tokio::test]
async fn without_a_body_every_field_is_missing_whatever_its_type_would_be() {
    let world = World::new();
    for media_type in ["application/json", "text/plain", "", "multipart/form-data"] {
        let answer = world.send(Draft::post(LOGIN).header("content-type", media_type)).await.is(400);
        let required = json!(["This field is required."]);
        assert_eq!(answer.json(), json!({"username": required, "password": required}));
    }
}

#[tokio::test]
async fn json_forms_and_multipart_mean_the_same() {
    let world = World::new();
    let name = "Žofie.Łąka";
    world.user(name).await;
    let multipart = format!(
        "--B\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\n{name}\r\n\
         --B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--B--\r\n"
    );
    let escaped: Vec<String> = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let escaped = escaped.concat();
    let utf16: Vec<u8> = json!({"username": name, "password": PASSWORD})
        .to_string()
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    for (media_type, body) in [
        ("multipart/form-data; boundary=B", multipart.into_bytes()),
        (FORM, format!("username={escaped}&password={PASSWORD}").into_bytes()),
        (FORM, format!("username=+{name}+&password={PASSWORD}").into_bytes()),
        ("application/json; charset=utf-16-be", utf16),
        ("*/*", json!({"username": name, "password": PASSWORD}).to_string().into_bytes()),
    ] {
        let answer = world.send(Draft::post(LOGIN).header("content-type", media_type).body(body)).await;
        assert_eq!(answer.status, 200, "{media_type}: {answer:?}");
    }
}

#[tokio::test]
async fn names_addresses_and_passwords_may_be_in_any_script() {
    let world = World::new();
    let anon = world.anon();
    for (username, email, password) in [
        ("Дарья", "дарья@пример.рф", "пароль подлиннее"),
        ("小明", "ming@例え.jp", "密码要足够长才可以用"),
        ("שרה", "sara@example.com", "סיסמה ארוכה מספיק 🔑"),
    ] {
        let body = json!({"username": username, "email": email, "password": password});
        let answer = anon.post(REGISTER, &body).await;
        if email.is_ascii() || answer.status == 201 {
            let text = answer.is(201).text().to_owned();
            assert!(text.contains(username), "not escaped: {text}");
            anon.log_in(username, password).await.is(200);
            anon.log_in(username, &format!("{password}.")).await.is(401);
        } else {
            assert_eq!(answer.json(), json!({"email": ["Enter a valid email address."]}));
        }
    }
}

#[tokio::test]
async fn a_name_is_stored_in_its_normal_form_and_compared_as_sent() {
    let world = World::new();
    let anon = world.anon();
    let ligature = anon.register("ﬁnn", PASSWORD).await.is(201);
    assert_eq!(ligature.json()["username"], "finn");
    anon.log_in("finn", PASSWORD).await.is(200);
    anon.log_in("ﬁnn", PASSWORD).await.is(401);
    // The name as sent is free, but not what it becomes: no crash, as in the reference, but the neighbouring rule.
    let again = anon.register("ﬁnn", PASSWORD).await.is(400);
    assert_eq!(again.json(), json!({"username": ["A user with that username already exists."]}));
}

#[tokio::test]
async fn only_what_is_text_is_a_string() {
    let world = World::new();
    let anon = world.anon();
    for (value, message) in [
        (Value::Null, "This field may not be null."),
        (json!(true), "Not a valid string."),
        (json!([]), "Not a valid string."),
        (json!({"a": "<script>"}), "Not a valid string."),
        (json!(" \u{85}\u{a0}\u{2028}\t"), "This field may not be blank."),
        (json!("a\0"), "Null characters are not allowed."),
    ] {
        let answer = anon.post(VERIFY, &json!({"token": value})).await.is(400);
        assert_eq!(answer.json(), json!({"token": [message]}));
    }
    let surrogate =
        Draft::post(VERIFY).header("content-type", "application/json").body(r#"{"token":"\udc00"}"#);
    let expected = json!({"token": ["Surrogate characters are not allowed: U+DC00."]});
    assert_eq!(world.send(surrogate).await.is(400).json(), expected);
    anon.post(VERIFY, &json!({"token": 1.5})).await.is(401);
}

#[tokio::test]
async fn a_deeply_nested_body_is_refused_without_harm() {
    let world = World::new();
    for depth in [1000, 100_000, 1_000_000] {
        let draft = Draft::post(VERIFY).header("content-type", "application/json").body("[".repeat(depth));
        world.send(draft).await.is(400);
    }
}
