//! Numbers of bytes as people write them.
//!
//! Owns: the grammar of sizes in settings, rules and hints. Never: bounds one.

/// The units with their bytes, the largest first.
pub const UNITS: [(&str, u64); 4] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// `512`, `64KiB`, `16MiB` or `2GiB` as a number of bytes.
///
/// # Errors
/// A sentence that says how to write one.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let wrong =
        || format!("`{text}` is no size: write a number and B, KiB, MiB or GiB, such as 64MiB");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim();
    let factor = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1,
        None => return Err(wrong()),
    };
    number.checked_mul(factor).ok_or_else(wrong)
}
