//! The info strings of OK packets, summed over shards.
//!
//! Owns: reading and writing `Records: 3  Duplicates: 0  Warnings: 0` and its kin. Never: decides
//! what is summed.

/// The sum of info strings that have the same labels in the same order; `None` where they haven't,
/// or where none is there.
pub fn sum<'i>(infos: impl IntoIterator<Item = &'i [u8]>) -> Option<Vec<u8>> {
    let mut total: Option<Vec<(&str, u64)>> = None;
    for info in infos {
        let parts = parse(info)?;
        match &mut total {
            None => total = Some(parts),
            Some(total) => {
                if total.len() != parts.len() {
                    return None;
                }
                for ((label, number), (other, more)) in total.iter_mut().zip(parts) {
                    if *label != other {
                        return None;
                    }
                    *number = number.saturating_add(more);
                }
            }
        }
    }
    let parts = total?;
    let texts: Vec<String> =
        parts.iter().map(|(label, number)| format!("{label}: {number}")).collect();
    Some(texts.join("  ").into_bytes())
}

/// The first number of an info string: the rows that were given or found.
pub fn first(info: &[u8]) -> Option<u64> {
    let digits = info.iter().skip_while(|byte| !byte.is_ascii_digit());
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    let mut number: Option<u64> = None;
    for digit in digits {
        let tens = number.unwrap_or(0).checked_mul(10)?;
        number = Some(tens.checked_add(u64::from(digit - b'0'))?);
    }
    number
}

/// The rows that an INSERT replaced or changed; `None` where no info says so.
pub fn duplicates(info: &[u8]) -> Option<u64> {
    let parts = parse(info)?;
    parts.iter().find(|(label, _)| *label == "Duplicates").map(|(_, number)| *number)
}

/// What one INSERT did on one shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    pub records: u64,
    pub duplicates: u64,
    pub warnings: u64,
}

impl Inserted {
    /// From a shard's OK packet. A single row gets no info from a server, so its part in the sum
    /// follows from the affected rows: two and more mean that others were replaced or updated; none,
    /// with a warning, that IGNORE left it out.
    pub fn of(rows: u32, info: &[u8], affected_rows: u64, warnings: u16) -> Self {
        let records = u64::from(rows);
        if let Some(parts) = parse(info) {
            let number =
                |wanted| parts.iter().find(|(label, _)| *label == wanted).map(|part| part.1);
            if let (Some(duplicates), Some(warnings)) = (number("Duplicates"), number("Warnings")) {
                // MariaDB doesn't count rows that IGNORE left out for a CHECK.
                let records = number("Records").unwrap_or(records);
                return Inserted { records, duplicates, warnings };
            }
        }
        let duplicates = match affected_rows {
            0 => u64::from(warnings > 0),
            affected => affected - 1,
        };
        Inserted { records, duplicates, warnings: u64::from(warnings) }
    }

    pub fn add(&mut self, other: Inserted) {
        self.records = self.records.saturating_add(other.records);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.warnings = self.warnings.saturating_add(other.warnings);
    }

    /// As a server writes it: nothing for a single row.
    pub fn text(self) -> Vec<u8> {
        if self.records <= 1 {
            return Vec::new();
        }
        self.always()
    }

    /// As a server writes it for the rows of a SELECT, however many.
    pub fn always(self) -> Vec<u8> {
        let Inserted { records, duplicates, warnings } = self;
        format!("Records: {records}  Duplicates: {duplicates}  Warnings: {warnings}").into_bytes()
    }
}

fn parse(info: &[u8]) -> Option<Vec<(&str, u64)>> {
    let text = std::str::from_utf8(info).ok()?;
    text.split("  ")
        .map(|part| {
            let (label, number) = part.rsplit_once(": ")?;
            Some((label, number.trim_end().parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_are_summed_and_others_are_not() {
        let cases: [(&[&str], Option<&str>); 6] = [
            (
                &[
                    "Rows matched: 1  Changed: 0  Warnings: 0",
                    "Rows matched: 2  Changed: 2  Warnings: 1",
                ],
                Some("Rows matched: 3  Changed: 2  Warnings: 1"),
            ),
            (
                &["Records: 3  Duplicates: 1  Warnings: 0"],
                Some("Records: 3  Duplicates: 1  Warnings: 0"),
            ),
            (
                &[
                    "Rows matched: 1  Changed: 0  Warnings: 0",
                    "Records: 1  Duplicates: 0  Warnings: 0",
                ],
                None,
            ),
            (&["Rows matched: 1", "Rows matched: 1  Changed: 0"], None),
            (&["something else"], None),
            (&[], None),
        ];
        for (infos, expected) in cases {
            let sum = sum(infos.iter().map(|info| info.as_bytes()));
            assert_eq!(sum.as_deref(), expected.map(str::as_bytes), "{infos:?}");
        }
    }

    #[test]
    fn the_first_number_of_an_info() {
        assert_eq!(first(b"Rows matched: 12  Changed: 3  Warnings: 0"), Some(12));
        assert_eq!(first(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(first(b"Records: 18446744073709551616"), None);
        assert_eq!(first(b"nothing"), None);
        assert_eq!(first(b""), None);
    }

    #[test]
    fn single_rows_count_towards_an_inserts_info() {
        let left_out = Inserted::of(3, b"Records: 2  Duplicates: 0  Warnings: 1", 2, 1);
        assert_eq!(left_out.text(), b"Records: 2  Duplicates: 0  Warnings: 1");
        let mut total = Inserted::of(2, b"Records: 2  Duplicates: 1  Warnings: 0", 3, 0);
        // One row inserted, one updated by ON DUPLICATE KEY (2), one left out by IGNORE.
        for (affected, warnings) in [(1, 0), (2, 0), (0, 1)] {
            total.add(Inserted::of(1, b"", affected, warnings));
        }
        assert_eq!(total.text(), b"Records: 5  Duplicates: 3  Warnings: 1");
        assert_eq!(Inserted::of(1, b"", 1, 0).text(), b"");
    }
}
