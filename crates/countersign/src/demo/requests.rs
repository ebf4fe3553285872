//! What the demo prints: who is there, and requests that can be pasted into another terminal, one after another.

use std::path::Path;

use super::{PASSWORD, Role, USERS};

/// The whole text. Each request is one line and indented; those with a token need the ones above.
pub fn greeting(address: &str, directory: &Path) -> String {
    let here = format!("http://{address}");
    let users = USERS.map(|(name, role)| format!("  {name}{}", shown(role))).join("\n");
    let requests = requests(&here).map(|(what, line)| format!("{what}:\n  {line}")).join("\n");
    format!(
        "A demo of Countersign {} listens on {here} (for this machine alone)\n\
         Everything is in {}, and is gone at the end.\n\n\
         Users, each with the password {PASSWORD}:\n{users}\n\n\
         Requests to try, in another terminal.\n{requests}\n\n\
         Or try all of it in a browser: {here}/docs/\n\
         Ctrl-C ends it.",
        env!("CARGO_PKG_VERSION"),
        directory.display(),
    )
}

fn shown(role: Role) -> &'static str {
    match role {
        Role::User => "",
        Role::Staff => ", of the staff, with every permission",
        Role::Inactive => ", inactive, so that it cannot log in",
    }
}

/// What each does, and the line to paste.
fn requests(here: &str) -> [(&'static str, String); 9] {
    let post = |endpoint: &str, body: &str| {
        format!("curl -s {here}/user/api/{endpoint}/ -H 'Content-Type: application/json' -d {body}")
    };
    let log_in =
        |name: &str| post("login", &format!("'{{\"username\":\"{name}\",\"password\":\"{PASSWORD}\"}}'"));
    let account =
        "'{\"username\":\"testuser\",\"email\":\"test@example.com\",\"password\":\"yourpassword\"}'";
    let ask = |what: &str| format!("curl -s {what} -H \"Authorization: Bearer $ACCESS\"; echo");
    let api = |endpoint: &str| ask(&format!("{here}/user/api/{endpoint}/"));
    let token = |name: &str| format!("$(echo \"$TOKENS\" | sed 's/.*\"{name}\":\"\\([^\"]*\\)\".*/\\1/')");
    [
        ("Make an account", post("register", account) + "; echo"),
        ("Log in", format!("TOKENS=$({}); echo \"$TOKENS\"", log_in("ada"))),
        ("Keep the two tokens", format!("ACCESS={}; REFRESH={}", token("access"), token("refresh"))),
        ("Call a protected endpoint", api("me")),
        (
            "Get a new access token",
            post("token/refresh", "\"{\\\"refresh\\\":\\\"$REFRESH\\\"}\"") + "; echo",
        ),
        ("See where ada is logged in", api("sessions")),
        (
            "Ask as a proxy does who lets only staff through, which ada is not",
            ask(&format!("'{here}/auth/verify?staff'")),
        ),
        ("Log out, which ends both tokens", api("logout").replacen("curl -s", "curl -s -X POST", 1)),
        ("Be refused, as an inactive user is", log_in("eve") + "; echo"),
    ]
}
