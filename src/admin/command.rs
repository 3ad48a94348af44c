//! The table of admin commands: words, arguments, help. Parsing and SHOW HELP both read it.
//!
//! Owns: what can be said. Never: does it ([`super::show`], [`super::act`]).

use crate::error::Error;

/// Each command once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    ShowHelp,
    ShowVersion,
    ShowClients,
    ShowPools,
    ShowNodes,
    ShowRules,
    ShowSequences,
    ShowTemplates,
    ShowTransactions,
    ShowMemory,
    ShowConfig,
    Reload,
    KillQuery,
    Kill,
    Pause,
    Resume,
    AcceptPrimary,
    ResetTemplates,
    SetLogLevel,
}

/// What follows a command's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    None,
    /// A connection id.
    Id,
    /// A word or a quoted string.
    Text,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub verb: Verb,
    pub words: &'static [&'static str],
    pub argument: Argument,
    pub help: &'static str,
}

const fn entry(
    verb: Verb,
    words: &'static [&'static str],
    argument: Argument,
    help: &'static str,
) -> Entry {
    Entry { verb, words, argument, help }
}

/// All commands. Where one's words begin another's, the longer one stands first.
pub const COMMANDS: &[Entry] = &[
    entry(Verb::ShowHelp, &["SHOW", "HELP"], Argument::None, "This list"),
    entry(
        Verb::ShowVersion,
        &["SHOW", "VERSION"],
        Argument::None,
        "Version, proxy id, phase, uptime",
    ),
    entry(
        Verb::ShowClients,
        &["SHOW", "CLIENTS"],
        Argument::None,
        "Every client session: who, from where, what it does and for how long",
    ),
    entry(
        Verb::ShowPools,
        &["SHOW", "POOLS"],
        Argument::None,
        "Backend connections of each node: open, in use, idle, waited for",
    ),
    entry(
        Verb::ShowNodes,
        &["SHOW", "NODES"],
        Argument::None,
        "Every server: role, health and why, replication lag, version",
    ),
    entry(
        Verb::ShowRules,
        &["SHOW", "RULES"],
        Argument::None,
        "The running rules' version and hash, what is in them, the last reload",
    ),
    entry(
        Verb::ShowSequences,
        &["SHOW", "SEQUENCES"],
        Argument::None,
        "Every sequence: what it holds ready, the leased worker, counts, what is wrong",
    ),
    entry(
        Verb::ShowTemplates,
        &["SHOW", "TEMPLATES"],
        Argument::None,
        "Statements by template: count, errors, times; costliest first",
    ),
    entry(
        Verb::ShowTransactions,
        &["SHOW", "TRANSACTIONS"],
        Argument::None,
        "Transactions over several groups that run now: id, client, groups, what each does",
    ),
    entry(
        Verb::ShowMemory,
        &["SHOW", "MEMORY"],
        Argument::None,
        "The memory budget, seats and what is used of them",
    ),
    entry(
        Verb::ShowConfig,
        &["SHOW", "CONFIG"],
        Argument::None,
        "Every setting: value, default, whether a reload applies it, meaning",
    ),
    entry(
        Verb::Reload,
        &["RELOAD"],
        Argument::None,
        "Read settings and rules again; a mistake in them changes nothing and is listed",
    ),
    entry(
        Verb::KillQuery,
        &["KILL", "QUERY"],
        Argument::Id,
        "Stop the statement that a client runs",
    ),
    entry(Verb::Kill, &["KILL"], Argument::Id, "End a client's session"),
    entry(
        Verb::Pause,
        &["PAUSE"],
        Argument::None,
        "Hold new statements (each for at most timeouts.pause); open transactions go on",
    ),
    entry(Verb::Resume, &["RESUME"], Argument::None, "Let held statements go"),
    entry(
        Verb::AcceptPrimary,
        &["ACCEPT", "PRIMARY"],
        Argument::Text,
        "Of a group whose promoted primary lacks what the former one had: believe its commit table",
    ),
    entry(
        Verb::ResetTemplates,
        &["RESET", "TEMPLATES"],
        Argument::None,
        "Forget template statistics",
    ),
    entry(
        Verb::SetLogLevel,
        &["SET", "LOG", "LEVEL"],
        Argument::Text,
        "Change what is logged, such as debug or info,weir::session=trace",
    ),
];

/// A command with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub verb: Verb,
    pub id: u64,
    pub text: String,
}

impl Entry {
    /// As one types it.
    pub fn syntax(&self) -> String {
        let argument = match self.argument {
            Argument::None => "",
            Argument::Id => " id",
            Argument::Text => " 'text'",
        };
        self.words.join(" ") + argument
    }
}

/// Reads a command. Words are matched in any case, a closing semicolon is ignored.
pub fn parse(text: &str) -> Result<Parsed, Error> {
    let text = text.trim().trim_end_matches(';').trim();
    let words: Vec<&str> = text.split_whitespace().collect();
    let begins = |entry: &&Entry| {
        words.len() >= entry.words.len()
            && entry
                .words
                .iter()
                .zip(&words)
                .all(|(expected, word)| expected.eq_ignore_ascii_case(word))
    };
    let Some(entry) = COMMANDS.iter().find(begins) else {
        return Err(Error::syntax(format!(
            "`{}` is no admin command: SHOW HELP lists them",
            text.chars().take(60).collect::<String>()
        )));
    };
    let rest = words.get(entry.words.len()..).unwrap_or_default().join(" ");
    let mut parsed = Parsed { verb: entry.verb, id: 0, text: String::new() };
    let usage = || Error::syntax(format!("Usage: {}", entry.syntax()));
    match entry.argument {
        Argument::None if rest.is_empty() => {}
        Argument::None => return Err(usage()),
        Argument::Id => parsed.id = rest.parse().map_err(|_| usage())?,
        Argument::Text => {
            let text = rest.trim_start_matches(['=', ' ']).trim_matches(['\'', '"']).trim();
            if text.is_empty() {
                return Err(usage());
            }
            parsed.text = text.to_owned();
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_help_and_parses_as_it_is_written() {
        let mut seen = Vec::new();
        for entry in COMMANDS {
            assert!(entry.help.len() > 8, "{:?}", entry.words);
            let typed = entry.syntax().replace(" id", " 7").to_lowercase() + " ;";
            let parsed = parse(&typed).unwrap();
            assert_eq!(parsed.verb, entry.verb, "{typed}");
            assert!(!seen.contains(&entry.verb));
            seen.push(entry.verb);
        }
    }

    #[test]
    fn arguments_are_read_and_nonsense_is_refused() {
        assert_eq!(parse("kill 12").unwrap().id, 12);
        let parsed = parse("KILL QUERY 4294967295;").unwrap();
        assert_eq!((parsed.verb, parsed.id), (Verb::KillQuery, 4_294_967_295));
        assert_eq!(
            parse("set log level = 'info,weir::session=trace'").unwrap().text,
            "info,weir::session=trace"
        );
        for wrong in [
            "",
            "KILL",
            "KILL x",
            "KILL 1 2",
            "KILL -1",
            "SHOW",
            "SHOW CLIENTS now",
            "RELOAD MOVED",
            "SET LOG LEVEL ''",
            "DROP TABLE t",
        ] {
            assert_eq!(parse(wrong).unwrap_err().errno, 1064, "{wrong}");
        }
    }
}
