//! PREPARE, EXECUTE and DEALLOCATE PREPARE as statements.
//!
//! Owns: the session's named texts and the values of USING. Never: touches the binary protocol's
//! statements ([`super::prepared`]).

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::counters::Pin;
use crate::error::{Error, Fault, Result};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::look_back;
use crate::session::query::{Manner, Outcome};
use crate::sql::classify::Classified;
use crate::sql::lex::Dialect;
use crate::sql::literal;
use crate::sql::template::Lexed;
use crate::value::decimal::Decimal;
use crate::value::{CharsetClass, Text, Value};

/// Named texts; bounded like the binary protocol's statements.
pub(crate) type Named = HashMap<String, Arc<[u8]>>;

impl Session {
    pub(super) async fn sql_prepare(
        &mut self,
        sql: &[u8],
        classified: &Classified,
    ) -> Result<(), Failure> {
        let name = classified.name.as_deref().unwrap_or_default().to_lowercase();
        let source =
            classified.using.first().and_then(|range| sql.get(range.clone())).unwrap_or_default();
        let text = match source {
            [b'@', name @ ..] => {
                let name = literal::unquote_name(name);
                let name = String::from_utf8_lossy(&name).to_lowercase();
                match self.user_value(&name)? {
                    Value::Text(text) => text.bytes.to_vec(),
                    Value::Null => b"NULL".to_vec(),
                    other => other.to_string().into_bytes(),
                }
            }
            quoted => literal::unquote(quoted, &self.dialect).into_owned(),
        };
        let limit = self.settings.limits.prepared_statements as usize;
        if !self.named.contains_key(&name) && self.named.len() >= limit {
            return Err(crate::protocol::error_code::too_many_statements(limit).into());
        }
        self.named.remove(&name);
        // It must be a statement that can be planned: errors come now, as in MySQL.
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        if lexed.rest().is_some() {
            return Err(Error::syntax("One statement can be prepared at a time").into());
        }
        let snapshot = self.snapshot();
        let plan = self.plan(&snapshot, &text, &lexed).await?;
        self.check_rights(&plan)?;
        // A server judges the text, as it does for the binary protocol.
        self.describe(&snapshot, &plan, &text, &lexed).await?;
        let named = look_back::named(&text, self.dialect, self.ctx.lexer.limits())?;
        let text = named.unwrap_or(text);
        self.named.insert(name, Arc::from(text));
        Ok(())
    }

    pub(super) async fn sql_execute(
        &mut self,
        sql: &[u8],
        classified: &Classified,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let name = classified.name.as_deref().unwrap_or_default();
        let text = self
            .named
            .get(&name.to_lowercase())
            .cloned()
            .ok_or_else(|| unknown(name, "EXECUTE"))?;
        let mut values = Vec::new();
        for range in &classified.using {
            let variable = sql.get(range.clone()).unwrap_or_default();
            let variable = literal::unquote_name(variable.strip_prefix(b"@").unwrap_or(variable));
            values.push(self.user_value(&String::from_utf8_lossy(&variable).to_lowercase())?);
        }
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(&text, &self.dialect, &mut lexed)?;
        if lexed.params() as usize != values.len() {
            return Err(Error::new(
                Fault::Client,
                1210,
                b"HY000",
                "",
                "Incorrect arguments to EXECUTE",
            )
            .into());
        }
        let manner = Manner { parameters: &values, arguments: None, ..manner };
        self.statement(&text, &lexed, manner).await
    }

    pub(super) fn sql_deallocate(&mut self, classified: &Classified) -> Result<()> {
        let name = classified.name.as_deref().unwrap_or_default();
        match self.named.remove(&name.to_lowercase()) {
            Some(_) => Ok(()),
            None => Err(unknown(name, "DEALLOCATE PREPARE")),
        }
    }

    /// The value of a user variable.
    ///
    /// # Errors
    /// It may have been assigned inside of a statement, so that only the server knows it.
    fn user_value(&self, name: &str) -> Result<Value> {
        if self.held.pinned_by(&[Pin::UserVariable]) {
            return Err(Error::refused(
                "user_variable_unknown",
                "A user variable was assigned inside of a statement, so its value isn't known here: \
                 assign it with SET",
            ));
        }
        match self.state.user_variable(name) {
            None => Ok(Value::Null),
            Some(text) => value_of(text, self.charset_class, &self.dialect)
                .ok_or_else(|| Error::internal("a user variable's text can't be read")),
        }
    }
}

/// What stands around a number that is unsigned, in a text as `backend::state` keeps it.
pub(super) const UNSIGNED: (&str, &str) = ("CAST(", " AS UNSIGNED)");

/// The value of a text as `backend::state` keeps it: a number, a quoted text, or hex digits with an
/// introducer.
fn value_of(text: &[u8], charset: CharsetClass, _dialect: &Dialect) -> Option<Value> {
    match text {
        [b'\'', inner @ .., b'\''] => Some(Value::Text(Text { bytes: inner.into(), charset })),
        [b'_', rest @ ..] => {
            let space = rest.iter().position(|byte| *byte == b' ')?;
            let (name, digits) = (rest.get(..space)?, rest.get(space + 3..)?);
            let bytes = digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
            let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
            let name = std::str::from_utf8(name).ok()?;
            if name == "binary" {
                return Some(Value::Binary(bytes.into()));
            }
            Some(Value::Text(Text { bytes: bytes.into(), charset: CharsetClass::of(name) }))
        }
        number => {
            let number = std::str::from_utf8(number).ok()?;
            let number = number
                .strip_prefix(UNSIGNED.0)
                .and_then(|number| number.strip_suffix(UNSIGNED.1))
                .unwrap_or(number);
            if let Ok(whole) = number.parse::<i128>() {
                return Some(Value::whole(whole));
            }
            match Decimal::parse(number) {
                Some(decimal) => Some(Value::Decimal(decimal)),
                None => number.parse().ok().map(Value::Double),
            }
        }
    }
}

fn unknown(name: &str, command: &str) -> Error {
    Error::new(
        Fault::Client,
        1243,
        b"HY000",
        "",
        format!("Unknown prepared statement handler ({name}) given to {command}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_texts_are_read_back() {
        let read = |text: &str| {
            value_of(text.as_bytes(), CharsetClass::of("utf8mb4"), &Dialect::default())
        };
        assert_eq!(read("5"), Some(Value::Int(5)));
        assert_eq!(read("CAST(5 AS UNSIGNED)"), Some(Value::Int(5)));
        assert_eq!(read("'abc'"), Some(Value::text("abc")));
        assert_eq!(read("_utf8mb4 0x6127"), Some(Value::text("a'")));
        assert_eq!(read("_binary 0x00FF"), Some(Value::Binary(vec![0, 255].into())));
        assert_eq!(read("1.50").map(|value| value.to_string()).as_deref(), Some("1.50"));
    }
}
