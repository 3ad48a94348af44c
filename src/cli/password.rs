//! `weir hash-password`: from a password to the two verifiers that rules keep.
//!
//! Owns: asking without showing what is typed. Never: takes a password from the command line,
//! where every user of the machine could read it.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Failure;
use crate::protocol::auth::salt_from;
use crate::protocol::verifier::Verifier;

/// Prints the verifiers of a password that is asked for.
pub fn hash() -> Result<(), Failure> {
    let password = if io::stdin().is_terminal() { asked()? } else { piped()? };
    if password.is_empty() {
        return Err(Failure::wrong(vec!["an empty password is no password".to_owned()]));
    }
    let native = Verifier::native(password.as_bytes());
    let sha2 = Verifier::sha2_crypt(password.as_bytes(), salt_from(rand::random()));
    println!("native: \"{native}\"\nsha2: \"{sha2}\"");
    Ok(())
}

fn piped() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|e| Failure::failed(e.to_string()))?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn asked() -> Result<String, Failure> {
    let _silent = Silence::begin();
    let first = prompt("Password: ")?;
    let second = prompt("The same again: ")?;
    if first == second { Ok(first) } else { Err(Failure::wrong(vec!["the two differ".to_owned()])) }
}

fn prompt(text: &str) -> Result<String, Failure> {
    eprint!("{text}");
    let _ = io::stderr().flush();
    let line = piped();
    eprintln!();
    line
}

/// Typed characters aren't shown as long as it lives.
struct Silence(Option<Termios>);

impl Silence {
    fn begin() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Silence(None) };
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        Silence(Some(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}
