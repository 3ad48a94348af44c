//! DOUBLE and FLOAT as text, the way a server writes them.
//!
//! Owns: number ↔ text. Never: adds, compares or knows a column.

use crate::error::{Error, Result};

/// From this number of decimals on a column has no fixed number of them (39 in MariaDB's server,
/// 31 on the wire).
const NOT_FIXED: u8 = 31;
/// Beyond this many digits before or behind the point a server writes an exponent (DBL_DIG).
const PLAIN_DIGITS: i32 = 15;

/// Reads the text of a DOUBLE or FLOAT.
pub fn parse(text: &[u8]) -> Result<f64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|number| number.is_finite())
        .ok_or_else(|| {
            let shown = text.get(..text.len().min(80)).unwrap_or_default();
            let shown = String::from_utf8_lossy(shown);
            Error::malformed(format!("a shard sent '{shown}' where a DOUBLE was due"))
        })
}

/// Appends the text of a DOUBLE column with so many decimals.
pub fn write(number: f64, decimals: u8, out: &mut Vec<u8>) {
    if decimals < NOT_FIXED {
        out.extend_from_slice(format!("{number:.*}", usize::from(decimals)).as_bytes());
        return;
    }
    // The shortest digits that read back as the same number: `d.ddde-x`.
    let shortest = format!("{number:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = exponent + 1;
    if (1 - PLAIN_DIGITS..=PLAIN_DIGITS).contains(&point) {
        out.extend_from_slice(format!("{number}").as_bytes());
    } else {
        out.extend_from_slice(mantissa.as_bytes());
        out.extend_from_slice(format!("e{exponent}").as_bytes());
    }
}
