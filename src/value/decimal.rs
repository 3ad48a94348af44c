//! Exact decimal numbers as MySQL's literals and DECIMAL columns hold them.
//!
//! Owns: parsing, rounding half away from zero, comparing. Never: does arithmetic beyond that.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number: sign, digits, and how many of them stand behind the point.
///
/// The scale is kept (1.50 prints as 1.50), equality is by number.
#[derive(Clone, Debug)]
pub struct Decimal {
    negative: bool,
    /// ASCII digits without leading zeros, except that there are always more than `scale`.
    digits: String,
    scale: usize,
}

/// More digits than MySQL's literals keep (65) by far; beyond it a text is no decimal for us.
const MOST_DIGITS: usize = 400;

/// The most digits of a server's DECIMAL.
const MOST_OF_SERVERS: usize = 65;

impl Decimal {
    /// Reads `[+-]digits[.digits]`; `None` for anything else, an empty number included.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        if whole.len() + fraction.len() > MOST_DIGITS {
            return None;
        }
        Some(Self::of_parts(negative, whole, fraction))
    }

    fn of_parts(negative: bool, whole: &str, fraction: &str) -> Self {
        let whole = if whole.is_empty() { "0" } else { whole };
        let digits = format!("{whole}{fraction}");
        let zero = digits.bytes().all(|digit| digit == b'0');
        Decimal { negative: negative && !zero, digits, scale: fraction.len() }
    }

    /// The exact value of a number with an exponent (`25e-1`), or of a plain one.
    pub fn parse_scientific(text: &str) -> Option<Self> {
        let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
            return Self::parse(text);
        };
        let mantissa = Self::parse(mantissa)?;
        let exponent: i32 = exponent.parse().ok()?;
        if exponent.unsigned_abs() as usize > MOST_DIGITS {
            return None;
        }
        let shift = exponent.unsigned_abs() as usize;
        let (mut whole, mut fraction) = mantissa.parts();
        if exponent >= 0 {
            let padded = format!("{fraction:0<shift$}");
            whole.push_str(padded.get(..shift)?);
            fraction = padded.get(shift..)?.to_string();
        } else {
            let width = whole.len().max(shift);
            let padded = format!("{whole:0>width$}");
            let cut = padded.len() - shift;
            fraction = format!("{}{fraction}", padded.get(cut..)?);
            whole = padded.get(..cut)?.to_string();
        }
        Some(Self::of_parts(mantissa.negative, whole.trim_start_matches('0'), &fraction))
    }

    /// A DECIMAL parameter as servers read it: the number that the text begins with, with its exponent, or 0;
    /// what is too large is their largest.
    pub fn of_parameter(text: &str) -> Self {
        let text = text.trim_ascii_start();
        let digits = |from: usize| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.bytes().take_while(u8::is_ascii_digit).count()
        };
        let after_sign =
            |at: usize| at + usize::from(matches!(text.as_bytes().get(at), Some(b'-' | b'+')));
        let whole = digits(after_sign(0));
        let mantissa = match text.as_bytes().get(whole) {
            Some(b'.') => digits(whole + 1),
            _ => whole,
        };
        let exponent = after_sign(mantissa + 1);
        let end = match text.as_bytes().get(mantissa) {
            Some(b'e' | b'E') if digits(exponent) > exponent => digits(exponent),
            _ => mantissa,
        };
        let read = |end: usize| text.get(..end).and_then(Self::parse_scientific);
        if let Some(number) = read(end) {
            return number;
        }
        let tiny = text.as_bytes().get(mantissa + 1) == Some(&b'-');
        match read(mantissa) {
            Some(number) if !tiny && number != Self::from_i128(0) => {
                Self::of_parts(number.negative, &"9".repeat(MOST_OF_SERVERS), "")
            }
            _ => Self::from_i128(0),
        }
    }

    pub fn from_i128(number: i128) -> Self {
        Decimal { negative: number < 0, digits: number.unsigned_abs().to_string(), scale: 0 }
    }

    fn parts(&self) -> (String, String) {
        let cut = self.digits.len() - self.scale;
        let (whole, fraction) = self.digits.split_at(cut);
        (whole.to_string(), fraction.to_string())
    }

    pub fn scale(&self) -> usize {
        self.scale
    }

    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// How many digits stand before the point, 0 for numbers below one.
    pub fn whole_digits(&self) -> usize {
        let cut = self.digits.len() - self.scale;
        self.digits.get(..cut).map_or(0, |whole| whole.trim_start_matches('0').len())
    }

    /// The whole number that this is exactly; `None` with a fraction or beyond `i128`.
    pub fn to_whole_exact(&self) -> Option<i128> {
        let (whole, fraction) = self.parts();
        if fraction.bytes().any(|digit| digit != b'0') {
            return None;
        }
        let number: i128 = whole.parse().ok()?;
        Some(if self.negative { -number } else { number })
    }

    /// Rounded half away from zero, as MySQL stores an exact number in a column of fewer decimals.
    pub fn round(&self, scale: usize) -> Self {
        let (whole, fraction) = self.parts();
        if fraction.len() <= scale {
            let fraction = format!("{fraction:0<scale$}");
            return Self::of_parts(self.negative, whole.trim_start_matches('0'), &fraction);
        }
        let (kept, cut) = fraction.split_at(scale);
        let mut digits: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
        if cut.as_bytes().first().is_some_and(|&digit| digit >= b'5') {
            increment(&mut digits);
        }
        let cut = digits.len() - scale;
        let text = String::from_utf8_lossy(&digits);
        let (whole, fraction) = text.split_at(cut);
        Self::of_parts(self.negative, whole.trim_start_matches('0'), fraction)
    }

    /// Rounded half away from zero to a whole number; `None` beyond `i128`.
    pub fn round_to_whole(&self) -> Option<i128> {
        self.round(0).to_whole_exact()
    }

    /// The largest whole number that is not above this one; `None` beyond `i128`.
    pub fn floor(&self) -> Option<i128> {
        if let Some(whole) = self.to_whole_exact() {
            return Some(whole);
        }
        let whole: i128 = self.parts().0.parse().ok()?;
        Some(if self.negative { -whole - 1 } else { whole })
    }

    /// Without zeros at the end of the fraction: equal numbers have equal texts.
    pub fn canonical(&self) -> Self {
        let (whole, fraction) = self.parts();
        Self::of_parts(self.negative, whole.trim_start_matches('0'), fraction.trim_end_matches('0'))
    }
}

/// Adds one to a number in ASCII digits.
fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit == b'9' {
            *digit = b'0';
        } else {
            *digit += 1;
            return;
        }
    }
    digits.insert(0, b'1');
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.negative != other.negative {
            return if self.negative { Ordering::Less } else { Ordering::Greater };
        }
        let (left, right) = (self.canonical(), other.canonical());
        let ((left_whole, left_fraction), (right_whole, right_fraction)) =
            (left.parts(), right.parts());
        let order = left_whole
            .len()
            .cmp(&right_whole.len())
            .then_with(|| left_whole.cmp(&right_whole))
            .then_with(|| left_fraction.cmp(&right_fraction));
        if self.negative { order.reverse() } else { order }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = self.parts();
        let sign = if self.negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}
