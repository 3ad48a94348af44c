//! Physical names in the text of a view's definition, turned into logical ones.
//!
//! Owns: finding them. Never: touches a string literal.

/// The text with each `` `database`.`table` `` that `logical` knows under its quoted logical name.
pub(super) fn with_names(
    text: &str,
    logical: impl Fn(&str, &str) -> Option<(String, String)>,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            _ => first.len_utf8(),
        };
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        let second = match (first, behind.strip_prefix(".`")) {
            ('`', Some(_)) => behind.get(1..).and_then(|name| name.get(..quoted(name, '`'))),
            _ => None,
        };
        let named = second.and_then(|second| {
            let (schema, name) = logical(&bare(piece), &bare(second))?;
            rest = behind.get(1 + second.len()..)?;
            Some(format!("`{}`.`{}`", schema.replace('`', "``"), name.replace('`', "``")))
        });
        match (named, second) {
            (Some(named), _) => out.push_str(&named),
            (None, Some(second)) => {
                // Not a column behind a table either.
                out.push_str(piece);
                out.push('.');
                out.push_str(second);
                rest = behind.get(1 + second.len()..).unwrap_or_default();
            }
            (None, None) => out.push_str(piece),
        }
    }
    out
}

/// The length of the quoted text that `text` begins with.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

fn bare(quoted: &str) -> String {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().replace("``", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_renamed_and_texts_are_not() {
        let logical = |database: &str, table: &str| match (database, table) {
            ("d0", "orders_0") => Some(("shop".to_owned(), "orders".to_owned())),
            ("d0", _) => Some(("shop".to_owned(), table.to_owned())),
            _ => None,
        };
        assert_eq!(
            with_names(
                "select `d0`.`t`.`a` AS `d0`,'`d0`.`t`' from `d0`.`orders_0` `orders` join `d0`.`t` on \
                 `orders`.`d0` = 'it''s \\' `d0`.`t`'",
                logical,
            ),
            "select `shop`.`t`.`a` AS `d0`,'`d0`.`t`' from `shop`.`orders` `orders` join `shop`.`t` on \
             `orders`.`d0` = 'it''s \\' `d0`.`t`'"
        );
    }
}
