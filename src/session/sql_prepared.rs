//! PREPARE, EXECUTE and DEALLOCATE PREPARE as statements.
//!
//! Owns: the session's named texts and the values of USING. Never: touches the binary protocol's
//! statements ([`super::prepared`]).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::backend::connection::Runs;
use crate::error::{Error, Fault, Result};
use crate::session::Session;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::look_back;
use crate::session::own;
use crate::session::prepared_under::Under;
use crate::session::query::{Manner, Outcome};
use crate::session::user_values::{is_null, quoted, user_values};
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::lex::{self, Dialect};
use crate::sql::literal;
use crate::sql::template::Lexed;
use crate::value::decimal::Decimal;
use crate::value::{CharsetClass, Text, Value};

/// Named texts; bounded like the binary protocol's statements.
pub(crate) type Named = HashMap<String, (Arc<[u8]>, Under)>;

impl Session {
    pub(super) async fn sql_prepare(
        &mut self,
        sql: &[u8],
        classified: &Classified,
    ) -> Result<(), Failure> {
        let name = classified.name.as_deref().unwrap_or_default().to_lowercase();
        let [source] = classified.using.as_slice() else {
            return Err(Error::syntax("PREPARE takes a name, FROM and a text").into());
        };
        if name.is_empty() {
            return Err(Error::syntax("PREPARE takes a name").into());
        }
        let text = self.prepared_text(sql, source).await?;
        self.keep_text(name, text).await
    }

    /// The text that is to be prepared: what stands there, or what it evaluates to.
    async fn prepared_text(&mut self, sql: &[u8], source: &Range<usize>) -> Result<Vec<u8>> {
        let values = self.evaluated(sql, std::slice::from_ref(source)).await?;
        Ok(match values.into_iter().next() {
            Some(Value::Text(text)) => text.bytes.to_vec(),
            Some(Value::Binary(bytes)) => bytes.to_vec(),
            None | Some(Value::Null) => b"NULL".to_vec(),
            Some(other) => other.to_string().into_bytes(),
        })
    }

    async fn keep_text(&mut self, name: String, text: Vec<u8>) -> Result<(), Failure> {
        let first = lex::tokens(&text, self.dialect, self.ctx.lexer.limits())?;
        let mut first = first.iter().filter(|token| !token.kind.is_trivia());
        let itself = first
            .next()
            .is_some_and(|word| word.is_any(&text, &["PREPARE", "EXECUTE", "DEALLOCATE"]));
        if itself {
            self.named.remove(&name);
            let message = "This command is not supported in the prepared statement protocol yet";
            return Err(Error::new(Fault::Client, 1295, b"HY000", "", message).into());
        }
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
        let (plan, written) = self.plan_through_views(&snapshot, &text, &lexed).await?;
        // A server judges the text, as it does for the binary protocol.
        let (asked, of_asked) =
            written.as_ref().map_or((&text, &lexed), |(sql, lexed)| (sql, lexed));
        let described = self.describe(&snapshot, &plan, asked, of_asked).await;
        self.judged(described, &snapshot, &text, &lexed).await?;
        let named = look_back::named(&text, self.dialect, self.ctx.lexer.limits())?;
        let text = named.unwrap_or(text);
        self.named.insert(name, (Arc::from(text), self.under()));
        Ok(())
    }

    pub(super) async fn sql_execute(
        &mut self,
        sql: &[u8],
        classified: &Classified,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        if classified.kind == StatementKind::ExecuteImmediate {
            let Some((source, using)) = classified.using.split_first() else {
                return Err(Error::syntax("EXECUTE IMMEDIATE takes a text").into());
            };
            let text = self.prepared_text(sql, source).await?;
            let values = self.evaluated(sql, using).await?;
            self.keep_text(IMMEDIATE.to_owned(), text).await?;
            let kept = self.named.remove(IMMEDIATE);
            let (text, _) = kept.ok_or_else(|| Error::internal("a text that wasn't kept"))?;
            return self.execute_text(&text, &values, manner).await;
        }
        let name = classified.name.as_deref().unwrap_or_default();
        let (text, under) = self
            .named
            .get(&name.to_lowercase())
            .cloned()
            .ok_or_else(|| unknown(name, "EXECUTE"))?;
        let values = self.evaluated(sql, &classified.using).await?;
        let away = self.enter_prepared(&under, &text)?;
        let outcome = self.execute_text(&text, &values, manner).await;
        self.leave_prepared(away);
        outcome
    }

    async fn execute_text(
        &mut self,
        text: &[u8],
        values: &[Value],
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        let mut lexed = Lexed::new();
        self.ctx.lexer.lex(text, &self.dialect, &mut lexed)?;
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
        let manner = Manner { parameters: values, arguments: None, ..manner };
        self.statement(text, &lexed, manner).await
    }

    pub(super) fn sql_deallocate(&mut self, classified: &Classified) -> Result<()> {
        let name = classified.name.as_deref().unwrap_or_default();
        match self.named.remove(&name.to_lowercase()) {
            Some(_) => Ok(()),
            None => Err(unknown(name, "DEALLOCATE PREPARE")),
        }
    }

    /// The values of expressions: the session knows user variables and literals, a server the rest.
    ///
    /// # Errors
    /// An expression is wrong.
    async fn evaluated(&mut self, sql: &[u8], ranges: &[Range<usize>]) -> Result<Vec<Value>> {
        let known: Option<Vec<Value>> = ranges
            .iter()
            .map(|range| self.known(sql.get(range.clone()).unwrap_or_default()))
            .collect::<Result<_>>()?;
        match known {
            Some(known) => Ok(known),
            None => self.asked(sql, ranges).await,
        }
    }

    /// The value of a lone user variable or text; `None` where a server must be asked.
    fn known(&self, expression: &[u8]) -> Result<Option<Value>> {
        let lexed = lex::tokens(expression, self.dialect, self.ctx.lexer.limits())?;
        let mut tokens = lexed.iter().filter(|token| !token.kind.is_trivia());
        let (Some(_), None) = (tokens.next(), tokens.next()) else { return Ok(None) };
        match expression {
            [b'@', b'@', ..] => Ok(None),
            [b'@', name @ ..] => {
                let name = String::from_utf8_lossy(&literal::unquote_name(name)).to_lowercase();
                match self.state.user_variable(&name) {
                    None => Ok(Some(Value::Null)),
                    Some(text) => value_of(text, self.charset_class, &self.dialect)
                        .map(Some)
                        .ok_or_else(|| Error::internal("a user variable's text can't be read")),
                }
            }
            [b'\'' | b'"', ..] => Ok(Some(Value::Text(Text {
                bytes: literal::unquote(expression, &self.dialect).into(),
                charset: self.charset_class,
            }))),
            _ => Ok(None),
        }
    }

    /// Asks a server of the home group.
    async fn asked(&mut self, sql: &[u8], ranges: &[Range<usize>]) -> Result<Vec<Value>> {
        let snapshot = self.snapshot();
        let target = self.home_group(&snapshot)?;
        let mut question = b"SELECT ".to_vec();
        for (place, range) in ranges.iter().enumerate() {
            question.extend_from_slice(if place > 0 { b", " } else { b"" });
            question.extend_from_slice(sql.get(range.clone()).unwrap_or_default());
        }
        let names: Vec<String> = (0..ranges.len()).map(|place| format!("weir {place}")).collect();
        let list: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        question.extend_from_slice(own::ONE_ROW);
        question.extend_from_slice(format!(" INTO {}", list.join(", ")).as_bytes());
        let stored = self.calls_stored(sql)?;
        let purpose = Purpose { transactional: stored, writes: stored, ..Purpose::OWN };
        let mut lent = self.lend(&snapshot, &target, purpose).await?;
        let mut scratch = self.state.clone();
        let asked = async {
            lent.send_lead().await?;
            if stored {
                lent.begins(Runs::Stored);
            }
            let info = lent.simple(&question).await?;
            if stored {
                lent.note_tracked(&info.session_state);
            }
            user_values(&mut lent, &names, &mut scratch).await
        };
        let asked = asked.await;
        for name in &names {
            lent.doubt_user_variable(name);
        }
        self.settle(target.group, lent, &snapshot).await;
        asked?;
        let value = |name: &String| match scratch.user_variable(name) {
            None => Ok(Value::Null),
            Some(text) => value_of(text, self.charset_class, &self.dialect)
                .ok_or_else(|| Error::internal("a value's text can't be read")),
        };
        names.iter().map(value).collect()
    }
}

/// Where a text of EXECUTE IMMEDIATE is kept while it is looked at: no client can give this name.
const IMMEDIATE: &str = "";

/// What stands around a number that is unsigned, in a text as `backend::state` keeps it.
pub(super) const UNSIGNED: (&str, &str) = ("CAST(", " AS UNSIGNED)");

/// The value of a text as `backend::state` keeps it: a number, a quoted text, hex digits with an
/// introducer, or NULL with its type.
fn value_of(text: &[u8], charset: CharsetClass, _dialect: &Dialect) -> Option<Value> {
    match text {
        text if is_null(text) => Some(Value::Null),
        [b'\'', inner @ .., b'\''] => Some(Value::Text(Text { bytes: inner.into(), charset })),
        [b'_', ..] => introduced(text),
        [b'C', b'O', b'N', b'V', b'E', b'R', b'T', b'(', inner @ ..] => introduced(inner),
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

/// `_charset'text'` or `_charset 0x…`; what stands behind it is its collation, which a parameter hasn't.
fn introduced(text: &[u8]) -> Option<Value> {
    let name = text.strip_prefix(b"_")?;
    let end = name.iter().position(|byte| matches!(byte, b' ' | b'\''))?;
    let (name, literal) = name.split_at_checked(end)?;
    let bytes: Vec<u8> = if let Some(inner) = literal.strip_prefix(b"'") {
        // Plain characters alone are kept so.
        inner.iter().copied().take_while(|byte| *byte != b'\'').collect()
    } else {
        let digits = literal.strip_prefix(b" 0x")?;
        let end = digits.iter().position(|byte| !byte.is_ascii_hexdigit());
        let digits = digits.get(..end.unwrap_or(digits.len()))?;
        let pairs = digits.chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<_>>()?
    };
    let name = std::str::from_utf8(name).ok()?;
    Some(match name {
        "binary" => Value::Binary(bytes.into()),
        _ => Value::Text(Text { bytes: bytes.into(), charset: CharsetClass::of(name) }),
    })
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
        assert_eq!(read("CAST(NULL AS UNSIGNED)"), Some(Value::Null));
        assert_eq!(read("NULL + 0e0"), Some(Value::Null));
        assert_eq!(read("'abc'"), Some(Value::text("abc")));
        assert_eq!(read("_utf8mb4 0x6127"), Some(Value::text("a'")));
        let kept = |text: &str| read(&format!("{text} COLLATE utf8mb4_bin"));
        assert_eq!(kept("_utf8mb4'ab c'"), Some(Value::text("ab c")));
        assert_eq!(kept("_utf8mb4''"), Some(Value::text("")));
        assert_eq!(kept("_utf8mb4 0x6127"), Some(Value::text("a'")));
        let latin1 = Text { bytes: b"\xe4".as_slice().into(), charset: CharsetClass::of("latin1") };
        assert_eq!(kept("CONVERT(_latin1 0xE4 USING utf8mb4)"), Some(Value::Text(latin1)));
        assert_eq!(read("_latin1'a'").map(|value| value.to_string()).as_deref(), Some("'a'"));
        assert_eq!(read("_binary 0x00FF"), Some(Value::Binary(vec![0, 255].into())));
        assert_eq!(read("1.50").map(|value| value.to_string()).as_deref(), Some("1.50"));
    }
}
