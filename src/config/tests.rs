use super::section::TlsMode;
use super::units::Span;
use super::*;

#[test]
fn nothing_and_comments_give_the_defaults() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
    assert_eq!(Config::parse("# nothing yet\n\n").unwrap(), Config::default());
    assert!(Config::default().problems().is_empty());
}

#[test]
fn settings_are_read_with_units() {
    let config = Config::parse(
        "listen:\n  tcp: ['0.0.0.0:3306', '[::1]:3306']\n  proxy_protocol_from: [10.0.0.0/8]\n\
         limits:\n  max_allowed_packet: 16MiB\n  max_connections: 500\n\
         timeouts:\n  handshake: 2500ms\n  statement: 0\n\
         tls: {mode: required, cert: c.pem, key: k.pem}\n",
    )
    .unwrap();
    assert_eq!(config.listen.tcp.len(), 2);
    assert_eq!(config.limits.max_allowed_packet, Size::mib(16));
    assert_eq!(config.timeouts.handshake, Span::millis(2500));
    assert_eq!(config.timeouts.statement.limit(), None);
    assert_eq!(config.tls.mode, TlsMode::Required);
}

#[test]
fn wrong_files_are_refused_with_a_sentence() {
    for (text, expected) in [
        ("limits:\n  max_conections: 5\n", "did you mean `max_connections`"),
        ("limit:\n  max_connections: 5\n", "did you mean `limits`"),
        ("limits:\n  max_connections: 5\n  max_connections: 6\n", "duplicate"),
        ("limits: {max_connections: 5}\nlimits: {max_connections: 6}\n", "duplicate"),
        ("limits:\n  max_allowed_packet: 64MB\n", "no size"),
        ("timeouts:\n  idle: 30\n", "no duration"),
        ("timeouts:\n  idle: [1]\n", "a duration such as"),
        ("tls: {mode: maybe}\n", "unknown variant"),
        ("tls: {mode: required}\n", "need cert and key"),
        ("listen: {tcp: []}\n", "no client could connect"),
        ("listen: {tcp: [nonsense]}\n", "listen.tcp[0]"),
        ("listen: {proxy_id: 4096}\n", "0 to 4095"),
        ("listen: {unix_mode: '999'}\n", "octal"),
        ("limits: {memory_budget: 1MiB}\n", "at least one packet"),
        ("timeouts: {handshake: 0}\n", "handshake"),
        ("admin: {password: hunter2}\n", "never written inline"),
        ("- a list\n", "expected struct"),
    ] {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn every_problem_is_named_at_once() {
    let error =
        Config::parse("listen: {tcp: [], proxy_id: 5000}\ntimeouts: {pool_wait: 0}\n").unwrap_err();
    assert_eq!(error.problems.len(), 3, "{error}");
}

#[test]
fn a_reload_takes_live_settings_and_names_the_others() {
    let running = Config::default();
    let mut new = running.clone();
    new.limits.max_connections = 7;
    new.listen.workers = 3;
    new.timeouts.idle = Span::seconds(5);
    let (adopted, change) = running.reloaded(&new);
    assert_eq!(adopted.limits.max_connections, 7);
    assert_eq!(adopted.timeouts.idle, Span::seconds(5));
    assert_eq!(adopted.listen.workers, running.listen.workers);
    assert_eq!(change.applied, ["limits.max_connections", "timeouts.idle"]);
    assert_eq!(change.needs_restart, ["listen.workers"]);
}

#[test]
fn every_setting_is_listed_with_a_doc_line() {
    let settings = Config::default().settings();
    let json = serde_json::to_value(Config::default()).unwrap();
    let leaves: usize =
        json.as_object().unwrap().values().map(|s| s.as_object().unwrap().len()).sum();
    assert_eq!(settings.len(), leaves);
    for setting in settings {
        assert!(
            setting.doc.len() > 10 && setting.doc.ends_with('.'),
            "{}: {}",
            setting.key,
            setting.doc
        );
        assert_eq!(setting.value, setting.default, "{}", setting.key);
    }
}

#[test]
fn relative_paths_belong_to_the_files_directory() {
    let directory = std::env::temp_dir().join(format!("weir-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("weir.yaml");
    std::fs::write(&file, "rules: {directory: shop}\nadmin: {password: 'file:secret'}\n").unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.rules.directory, Some(directory.join("shop")));
    assert_eq!(config.admin.password, Some(secret::SecretRef::File(directory.join("secret"))));
    std::fs::remove_dir_all(&directory).unwrap();
}
