//! `countersign.toml`, `countersign config`, and what is made of the declarations: `.env.example`, the schema, `--help`.

use serde_json::Value;

use super::{Installation, PASSWORD};

const STRONG_KEY: &str = "0123456789abcdef0123456789abcdef";

impl Installation {
    /// A setting's value in force, and where it was said.
    fn in_force(&self, name: &str) -> (String, String) {
        let all = self.say_json(&["config"]);
        let list = all.get("settings").and_then(Value::as_array).expect("a list");
        let text_of =
            |setting: &Value, key: &str| setting.get(key).and_then(Value::as_str).expect("a text").to_owned();
        let setting = list.iter().find(|setting| text_of(setting, "name") == name).expect("it is there");
        let text = |key: &str| text_of(setting, key);
        (text("value"), text("origin"))
    }
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn what_is_said_first_counts_the_environment_then_dotenv_then_toml() {
    let toml = "# ours\nLEEWAY = 3\nISSUER = \"toml\"\nAUDIENCE = [\"toml\"]\nLOG = \"warn\"\n";
    let here = Installation::new()
        .with_file("countersign.toml", toml)
        .with_file(".env", "ISSUER=dotenv\nAUDIENCE=dotenv\n")
        .with("AUDIENCE", "environment");
    let path = here.path().join("countersign.toml").display().to_string();
    assert_eq!(here.in_force("AUDIENCE"), pair("environment", "the environment"));
    assert_eq!(here.in_force("ISSUER"), pair("dotenv", ".env"));
    let (value, origin) = here.in_force("LEEWAY");
    assert!(value == "3" && origin.ends_with("countersign.toml:2"), "{path}: {origin}");
    assert_eq!(here.in_force("PORT"), pair("8000", "default"));
    assert_eq!(here.in_force("ALLOWED_HOSTS"), pair("", "default: local hosts"));
    assert!(here.say(&["config"]).contains("\nISSUER=dotenv  # .env\n"));
}

#[test]
fn every_type_of_toml_means_what_it_says() {
    let toml = "ROTATE_REFRESH_TOKENS = true\nREFRESH_TOKEN_LIFETIME = \"2d\"\nACCESS_TOKEN_LIFETIME = 90\n\
                ALLOWED_HOSTS = [\"a.example\", \"b.example\"]\nLEEWAY = 1.5\nPORT = 0\nBIND = '127.0.0.1'\n";
    let here = Installation::new().with_file("countersign.toml", toml);
    assert_eq!(here.in_force("ALLOWED_HOSTS").0, "a.example,b.example");
    let here =
        Installation::new().with_file("countersign.toml", &toml.replace("\"a.example\"", "\"127.0.0.1\""));
    let server = here.serve_with(&[]);
    assert_eq!(server.anon().register("ada", PASSWORD).0, 201);
    let tokens = server.anon().tokens("ada", PASSWORD);
    let (_, refreshed) = server.anon().post("token/refresh", &serde_json::json!({"refresh": tokens.refresh}));
    assert!(refreshed["refresh"].is_string(), "it rotates: {refreshed}");
}

#[test]
fn a_number_means_the_same_in_each_base() {
    for (toml, port) in
        [("0x1F90", "8080"), ("0o17_620", "8080"), ("0b1111110010000", "8080"), ("8_080", "8080")]
    {
        let here = Installation::new().with_file("countersign.toml", &format!("PORT = {toml}\n"));
        assert_eq!(here.in_force("PORT").0, port, "{toml}");
    }
    let here = Installation::new().with_file("countersign.toml", "PORT = 0xffff_ffff_ffff_ffff_ffff\n");
    assert!(here.refusal(&["check"]).contains(":1: PORT must be a whole number"));
}

#[test]
fn another_file_can_be_named_and_must_be_there_then() {
    let here = Installation::new().with_file("other.toml", "ISSUER = \"other\"\n");
    let shown = here.say(&["config", "--config", "other.toml"]);
    assert!(shown.contains("ISSUER=other  # other.toml:1"), "{shown}");
    let shown = here.say(&["--config", "other.toml", "config"]);
    assert!(shown.contains("ISSUER=other"), "{shown}");
    let sentence = here.refusal(&["check", "--config", "missing.toml"]);
    assert!(sentence.starts_with("missing.toml cannot be read: "), "{sentence}");
    let here = here.with("COUNTERSIGN_CONFIG", "other.toml");
    assert_eq!(here.in_force("ISSUER"), pair("other", "other.toml:1"));
    let here = Installation::new().with("COUNTERSIGN_CONFIG", "");
    assert_eq!(here.say(&["check"]), "No issues.\n", "what is empty names none");
}

#[test]
fn what_cannot_be_meant_in_the_file_is_refused_with_its_line() {
    for (toml, reason) in [
        ("POTR = 1\n", "sets POTR (did you mean PORT?), which Countersign does not know"),
        ("port = 1\n", "sets port (did you mean PORT?)"),
        ("\nPORT = {}\n", ":2: PORT must be a whole number"),
        ("[server]\nPORT = 1\n", ":1: server must be a string"),
        ("ALLOWED_HOSTS = [1]\n", ":1: ALLOWED_HOSTS must be"),
        ("PORT = 1\nSECRET_KEY = hunter2\n", ":2 is not TOML: "),
        ("PORT = true\n", ":1: PORT must be a whole number"),
        ("PORT = 1.0\n", ":1: PORT must be a whole number"),
        ("PORT = \"http\"\n", "must be a whole number from 0 to 65535 (it stands in "),
        ("BIND = 127.0\n", ":1: BIND must be a string"),
        ("BIND = [\"127.0.0.1\"]\n", ":1: BIND must be a string"),
        ("ISSUER = 5\n", ":1: ISSUER must be a string"),
        ("ALLOWED_HOSTS = 1\n", ":1: ALLOWED_HOSTS must be a string, or a list of strings"),
        ("ALLOWED_HOSTS = [\"a,b\"]\n", "or a list of strings, each without a comma, such as [\"a\", \"b\"]"),
        ("SECRET_KEY_FALLBACKS = [\"a,b\"]\n", "can stand in a string that is a JSON list"),
        ("\n\nDEBUG = [\"True\"]\n", ":3: DEBUG must be true or false"),
        ("DEBUG = 1\n", ":1: DEBUG must be true or false"),
        ("ACCESS_LOG = 1\n", ":1: ACCESS_LOG must be true, false or \"auto\""),
        ("ACCESS_TOKEN_LIFETIME = 1.5\n", ":1: ACCESS_TOKEN_LIFETIME must be a string such as \"5m\""),
        ("LEEWAY = true\n", ":1: LEEWAY must be a number"),
        ("SECRET_KEY_FILE = 1\n", ":1: SECRET_KEY_FILE must be a string"),
        ("RENDERERS = [\"json\"]\n", ":1: RENDERERS must be a string"),
    ] {
        let sentence = Installation::new().with_file("countersign.toml", toml).refusal(&["check"]);
        assert!(sentence.contains(reason), "{toml}: {sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}

#[test]
fn a_variable_that_can_only_be_meant_for_us_is_refused_and_a_near_one_warned_of() {
    for (name, fix) in
        [("COUNTERSIGN_PORT", "did you mean PORT?"), ("COUNTERSIGN_X", "only COUNTERSIGN_CONFIG")]
    {
        let sentence = Installation::new().with(name, "1").refusal(&["check"]);
        assert!(sentence.starts_with(name) && sentence.contains(fix), "{sentence}");
    }
    for (name, fix) in [
        ("ROTATE_REFRESH_TOKEN", "did you mean ROTATE_REFRESH_TOKENS?"),
        ("SECRET_KEY_FIL", "did you mean SECRET_KEY_FILE?"),
        ("PORT_FILE", "set PORT itself"),
        ("OTEL_EXPORTER_OTLP_ENDPONT", "did you mean OTEL_EXPORTER_OTLP_ENDPOINT?"),
    ] {
        let said = Installation::new().with(name, "True").say(&["check"]);
        assert!(said.contains(fix) && said.contains("W007"), "{said}");
    }
    for name in ["PATH", "PORTS", "DEBUGGER", "DATABASE_HOST", "LOGNAME", "LOG_FILE", "SSL_CERT_FILE"] {
        assert_eq!(Installation::new().with(name, "x").say(&["check"]), "No issues.\n", "{name}");
    }
}

#[test]
fn secrets_are_not_shown_and_their_files_are() {
    let here = Installation::new()
        .with_file("key", STRONG_KEY)
        .with_file("countersign.toml", "SECRET_KEY_FILE = \"key\"\n")
        .with("DATABASE_URL", "postgresql://ada:hunter2@db/x")
        .with("SECRET_KEY_FALLBACKS", format!("{STRONG_KEY}-former"))
        .with(
            "SIMPLE_JWT_JSON",
            r#"{"SIGNING_KEY": "hunter2-hunter2-hunter2-hunter2-hunter2", "LEEWAY": 1}"#,
        );
    let (value, origin) = here.in_force("SECRET_KEY");
    assert!(value == "********" && origin.starts_with("key (SECRET_KEY_FILE in "), "{value} {origin}");
    assert_eq!(here.in_force("DATABASE_URL").0, "postgresql://ada@db:5432/x");
    assert_eq!(here.in_force("LEEWAY"), pair("1", "SIMPLE_JWT_JSON in the environment"));
    for shown in [here.say(&["config"]), here.say(&["config", "--json"])] {
        assert!(!shown.contains("hunter2") && !shown.contains(STRONG_KEY), "{shown}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_shown_and_then_refused() {
    let shown = Installation::new().with("PORT", "http").run(&["config"]);
    assert!(!shown.success && shown.stdout.contains("PORT=http  # the environment"), "{}", shown.stdout);
    assert!(shown.stderr.contains("PORT: must be a whole number"), "{}", shown.stderr);
}

const EXAMPLE: &str = include_str!("../../../../../.env.example");

#[test]
fn the_example_starts_as_it_is_and_with_every_default_said() {
    let here = Installation::new().with_file(".env", EXAMPLE);
    assert_eq!(here.serve().anon().register("ada", PASSWORD).0, 201);
    assert_eq!(here.in_force("PORT"), pair("8000", "default"));
    // What has a value there, with the # taken away.
    let is_setting = |line: &str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with([' ', '#']));
    let said: Vec<&str> = EXAMPLE
        .lines()
        .filter(|line| is_setting(line) && !line.ends_with('='))
        .map(|line| &line[1..])
        .collect();
    assert!(said.len() > 30, "{said:?}");
    let here = Installation::new().with_file(".env", &said.join("\n"));
    assert_eq!(here.say(&["check", "--deploy"]), "No issues.\n");
    assert_eq!(here.in_force("PORT"), pair("8000", ".env"));
    assert_eq!(here.serve().anon().register("ada", PASSWORD).0, 201);
}

#[test]
fn the_schema_knows_every_setting_that_the_program_knows() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../../docs/settings.schema.json")).expect("JSON");
    let properties = schema["properties"].as_object().expect("an object");
    let all = Installation::new().say_json(&["config"]);
    for setting in all["settings"].as_array().expect("a list") {
        assert!(properties.contains_key(setting["name"].as_str().expect("a name")), "{setting}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert!(properties.contains_key("SECRET_KEY_FILE"));
}

#[test]
fn the_help_of_serve_has_the_settings_in_parts_and_lines_that_fit() {
    let help = Installation::new().say(&["serve", "--help"]);
    for word in ["\nBasics:\n", "\nDatabase:\n", "\nServer:\n", "  DRAIN_DELAY [0; since 0.1.0]\n", "--addr"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
    let settings = help.split_once("Settings, from").expect("they end it").1;
    let long = settings.lines().find(|line| line.chars().count() > 110 && line.contains(' '));
    assert_eq!(long, None);
}
