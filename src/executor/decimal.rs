//! Exact decimal arithmetic for sums and averages over shards.
//!
//! Owns: DECIMAL text ↔ number, addition, and division as MySQL rounds it. Never: knows columns,
//! rows or NULL.
//!
//! MySQL's server-side decimal has nine words of nine digits; SUM may therefore grow beyond the 65
//! digits of a column (MariaDB 10.11 gives 66 digits for twice DECIMAL(65,0)'s maximum), and the
//! same bound holds here.

use crate::error::{Error, Result};

/// Digits in one word.
const WORD_DIGITS: u32 = 9;
const WORD_BASE: u64 = 1_000_000_000;
/// Words of a number: nine of MySQL's, and room for a division's further digits.
const WORDS: usize = 18;
/// The most digits that MySQL's own decimal holds.
const DIGITS_MAX: usize = 81;

/// A signed decimal: `magnitude / 10^scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Little endian words of nine digits.
    magnitude: [u32; WORDS],
    scale: u32,
}

impl Decimal {
    /// Zero with so many digits after the point.
    pub fn zero(scale: u32) -> Self {
        Decimal { negative: false, magnitude: [0; WORDS], scale }
    }

    /// Reads `-123.4500`; the scale is the number of digits after the point.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut number = Decimal { negative, ..Decimal::zero(0) };
        let mut seen = false;
        let mut point = false;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    number.multiply_add(10, u32::from(byte - b'0'))?;
                    number.scale += u32::from(point);
                    seen = true;
                }
                b'.' if !point => point = true,
                _ => return Err(not_a_number(text)),
            }
        }
        if !seen {
            return Err(not_a_number(text));
        }
        number.normalise_sign();
        Ok(number)
    }

    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Adds `other`; the scale becomes the larger one.
    pub fn add(&mut self, other: &Decimal) -> Result<()> {
        let mut other = other.clone();
        let scale = self.scale.max(other.scale);
        self.raise_scale(scale)?;
        other.raise_scale(scale)?;
        if self.negative == other.negative {
            let mut carry = 0;
            for (word, more) in self.magnitude.iter_mut().zip(other.magnitude) {
                let sum = u64::from(*word) + u64::from(more) + carry;
                *word = (sum % WORD_BASE) as u32;
                carry = sum / WORD_BASE;
            }
            if carry != 0 {
                return Err(out_of_range());
            }
        } else {
            let (mut large, small) = if self.is_smaller_than(&other) {
                (other, self.magnitude)
            } else {
                (self.clone(), other.magnitude)
            };
            large.subtract_smaller(small);
            *self = large;
        }
        self.normalise_sign();
        if self.digits() > DIGITS_MAX { Err(out_of_range()) } else { Ok(()) }
    }

    /// `self / count` with `scale` digits after the point, as MySQL's AVG rounds it.
    ///
    /// MySQL divides in words of nine digits and cuts off what is beyond the last word; only then
    /// it rounds half away from zero. Where the wanted scale ends with a word, the last digit is
    /// therefore cut and not rounded (`AVG` of 0.00001, 0.00001, 0 in DECIMAL(10,5) is
    /// 0.000006666).
    pub fn divide(&self, count: u64, scale: u32) -> Result<Self> {
        let mut quotient = self.clone();
        let kept = self.scale.div_ceil(WORD_DIGITS) * WORD_DIGITS;
        let more = scale.saturating_sub(self.scale).saturating_sub(kept - self.scale);
        let digits = (kept + more).div_ceil(WORD_DIGITS) * WORD_DIGITS;
        quotient.raise_scale(digits)?;
        if count == 0 {
            return Err(Error::internal("an average over zero rows was asked for"));
        }
        quotient.divide_words(count);
        quotient.lower_scale(scale);
        quotient.raise_scale(scale)?;
        quotient.normalise_sign();
        Ok(quotient)
    }

    /// Appends the text that a server would send.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [0_u8; WORDS * WORD_DIGITS as usize];
        for (place, digit) in digits.iter_mut().rev().enumerate() {
            let word = self.magnitude[place / WORD_DIGITS as usize];
            *digit = b'0' + (word / 10_u32.pow(place as u32 % WORD_DIGITS) % 10) as u8;
        }
        let scale = (self.scale as usize).min(digits.len() - 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let first = whole.iter().position(|&digit| digit != b'0').unwrap_or(whole.len() - 1);
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(&whole[first..]);
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    }

    fn is_zero(&self) -> bool {
        self.magnitude.iter().all(|&word| word == 0)
    }

    fn normalise_sign(&mut self) {
        if self.is_zero() {
            self.negative = false;
        }
    }

    fn digits(&self) -> usize {
        let Some(top) = self.magnitude.iter().rposition(|&word| word != 0) else { return 1 };
        let digits = self.magnitude[top].checked_ilog10().map_or(0, |log| log as usize + 1);
        top * WORD_DIGITS as usize + digits
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) -> Result<()> {
        let mut carry = u64::from(addend);
        for word in &mut self.magnitude {
            let product = u64::from(*word) * u64::from(factor) + carry;
            *word = (product % WORD_BASE) as u32;
            carry = product / WORD_BASE;
        }
        if carry == 0 { Ok(()) } else { Err(out_of_range()) }
    }

    fn raise_scale(&mut self, scale: u32) -> Result<()> {
        while self.scale < scale {
            self.multiply_add(10, 0)?;
            self.scale += 1;
        }
        Ok(())
    }

    /// Rounds half away from zero.
    fn lower_scale(&mut self, scale: u32) {
        while self.scale > scale {
            let last = self.divide_words(10);
            self.scale -= 1;
            if self.scale == scale && last >= 5 {
                let mut carry = 1;
                for word in &mut self.magnitude {
                    let sum = u64::from(*word) + carry;
                    *word = (sum % WORD_BASE) as u32;
                    carry = sum / WORD_BASE;
                }
            }
        }
    }

    /// Divides the magnitude and returns the remainder.
    fn divide_words(&mut self, divisor: u64) -> u64 {
        let divisor = u128::from(divisor);
        let mut rest = 0_u128;
        for word in self.magnitude.iter_mut().rev() {
            let dividend = rest * u128::from(WORD_BASE) + u128::from(*word);
            // Below WORD_BASE, since the rest is below the divisor.
            *word = (dividend / divisor) as u32;
            rest = dividend % divisor;
        }
        rest as u64
    }

    /// Compares magnitudes of equal scale.
    fn is_smaller_than(&self, other: &Decimal) -> bool {
        self.magnitude.iter().rev().lt(other.magnitude.iter().rev())
    }

    fn subtract_smaller(&mut self, small: [u32; WORDS]) {
        let mut borrow = 0;
        for (word, less) in self.magnitude.iter_mut().zip(small) {
            let needed = less + borrow;
            borrow = u32::from(*word < needed);
            *word = (*word + borrow * WORD_BASE as u32) - needed;
        }
    }
}

fn not_a_number(text: &[u8]) -> Error {
    Error::malformed(format!(
        "a shard sent '{}' where a DECIMAL was due",
        String::from_utf8_lossy(text.get(..text.len().min(80)).unwrap_or_default())
    ))
}

/// MySQL's ER_DATA_OUT_OF_RANGE.
fn out_of_range() -> Error {
    Error::backend(1690, *b"22003", "DECIMAL value is out of range in a sum over shards")
}
