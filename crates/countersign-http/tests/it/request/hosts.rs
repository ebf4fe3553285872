use countersign_http::request::host::AllowedHosts;

use super::vectors;

#[test]
fn every_recorded_host_is_served_or_refused_as_by_the_reference() {
    let star = AllowedHosts::parse("*", false);
    let list = AllowedHosts::parse(" api.example.com, .Example.org ,[::1],", false);
    let debug = AllowedHosts::parse("", true);
    let vectors = vectors("hosts.json");
    for vector in &vectors {
        let host = vector["host"].as_str().unwrap().as_bytes();
        let permitted = [star.permits(host), list.permits(host), debug.permits(host)];
        let recorded = ["star", "list", "debug_empty"].map(|key| vector[key].as_bool().unwrap());
        assert_eq!(permitted, recorded, "{vector}");
    }
    assert_eq!(vectors.len(), 55);
}

#[test]
fn without_any_pattern_only_a_debugging_server_answers() {
    assert!(!AllowedHosts::parse("", false).permits(b"localhost"));
    assert!(!AllowedHosts::parse(" , ,", false).permits(b"localhost"));
    assert!(AllowedHosts::parse(" , ,", true).permits(b"api.localhost:8000"));
}

#[test]
fn a_host_that_is_no_utf8_is_refused_even_when_all_are_served() {
    assert!(!AllowedHosts::parse("*", false).permits(b"caf\xe9.example.org"));
}

#[test]
fn an_example_is_a_host_that_is_served() {
    for (setting, example) in [
        ("api.example.org", Some("api.example.org")),
        (".example.org", Some("example.org")),
        ("https://api.example.org/,*.example.org,.example.org", Some("example.org")),
        ("https://api.example.org/", None),
        ("*", None),
        ("", None),
    ] {
        assert_eq!(AllowedHosts::parse(setting, false).example(), example, "{setting}");
    }
}
