//! Dates and times as MySQL holds them, zero dates included.
//!
//! Owns: parsing MySQL's text forms, the binary protocol's forms, calendar arithmetic. Never:
//! reads a clock or knows a time zone.

use std::fmt;

/// A calendar date. Zero parts (`0000-00-00`, `2024-00-00`) are possible where sql_mode allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

/// A moment without a time zone, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    pub date: Date,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub micros: u32,
}

/// A span of time of either sign, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    pub negative: bool,
    pub hours: u32,
    pub minute: u8,
    pub second: u8,
    pub micros: u32,
}

/// What a text was read as, with whatever made it less than clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    pub value: T,
    /// Digits beyond the sixth of the fraction that are not all zero.
    pub beyond_micros: bool,
    /// The text held a time of day.
    pub has_time: bool,
}

impl Date {
    pub const ZERO: Date = Date { year: 0, month: 0, day: 0 };

    /// True for a date that the calendar has.
    pub fn is_real(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
    }

    /// Days since 1970-01-01, for real dates.
    pub fn day_number(self) -> i64 {
        // Years begin in March here, so that the leap day is a year's last.
        let shifted_year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let month_from_march = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The date of a day number; `None` outside of the years 0 to 9999.
    pub fn of_day_number(number: i64) -> Option<Date> {
        let shifted = number + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        if !(0..=9999).contains(&year) {
            return None;
        }
        Some(Date {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
        })
    }
}

pub fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl DateTime {
    pub fn midnight(date: Date) -> Self {
        DateTime { date, hour: 0, minute: 0, second: 0, micros: 0 }
    }

    /// Microseconds since 1970-01-01 00:00:00, for real dates.
    pub fn micros_since_epoch(self) -> i64 {
        let seconds = self.date.day_number() * 86_400
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second);
        seconds * 1_000_000 + i64::from(self.micros)
    }

    /// The moment so many microseconds from 1970; `None` outside of the years 0 to 9999.
    pub fn of_micros(micros: i64) -> Option<Self> {
        let date = Date::of_day_number(micros.div_euclid(86_400_000_000))?;
        let rest = micros.rem_euclid(86_400_000_000);
        Some(DateTime {
            date,
            hour: u8::try_from(rest / 3_600_000_000).ok()?,
            minute: u8::try_from(rest / 60_000_000 % 60).ok()?,
            second: u8::try_from(rest / 1_000_000 % 60).ok()?,
            micros: u32::try_from(rest % 1_000_000).ok()?,
        })
    }

    /// Cut down to `decimals` digits of the second's fraction.
    pub fn truncate(self, decimals: u8) -> Self {
        let unit = 10u32.pow(u32::from(6 - decimals.min(6)));
        DateTime { micros: self.micros - self.micros % unit, ..self }
    }

    /// Rounded half up to `decimals` digits; `None` past the year 9999 and for unreal dates that
    /// would have to carry.
    pub fn round(self, decimals: u8) -> Option<Self> {
        let unit = 10i64.pow(u32::from(6 - decimals.min(6)));
        let below = i64::from(self.micros) % unit;
        if below * 2 < unit {
            return Some(self.truncate(decimals));
        }
        if !self.date.is_real() {
            return None;
        }
        Self::of_micros(self.micros_since_epoch() - below + unit)
    }

    pub fn has_time(self) -> bool {
        self.hour != 0 || self.minute != 0 || self.second != 0 || self.micros != 0
    }
}

/// Reads the delimited forms (`2024-1-2 3:4:5.6`, any punctuation between the parts, `T` before
/// the time) and the undelimited ones (`20240102`, `20240102030405`, and both with a two-digit
/// year). `None` where MySQL would warn, refuse or guess: rubbish at the end, a time-zone offset,
/// unreal dates.
pub fn parse_datetime(text: &str) -> Option<Parsed<DateTime>> {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == text.len() || (digits >= 8 && text.as_bytes().get(digits) == Some(&b'.')) {
        return undelimited(text, digits);
    }
    let mut parts = Parts { rest: text };
    let (year, year_digits) = parts.number(4)?;
    parts.punctuation()?;
    let (month, _) = parts.number(2)?;
    parts.punctuation()?;
    let (day, _) = parts.number(2)?;
    let date = Date { year: full_year(year, year_digits)?, month: small(month)?, day: small(day)? };
    finish_datetime(date, parts)
}

fn finish_datetime(date: Date, mut parts: Parts<'_>) -> Option<Parsed<DateTime>> {
    let mut moment = DateTime::midnight(date);
    if parts.rest.is_empty() {
        return real_or_zero(date).then_some(Parsed {
            value: moment,
            beyond_micros: false,
            has_time: false,
        });
    }
    if !parts.skip('T') && !parts.spaces() {
        return None;
    }
    moment.hour = small(parts.number(2)?.0)?;
    if parts.skip(':') {
        moment.minute = small(parts.number(2)?.0)?;
        if parts.skip(':') {
            moment.second = small(parts.number(2)?.0)?;
        }
    }
    let beyond_micros = parts.fraction(&mut moment.micros)?;
    let valid = moment.hour < 24 && moment.minute < 60 && moment.second < 60;
    (parts.rest.is_empty() && valid && real_or_zero(date)).then_some(Parsed {
        value: moment,
        beyond_micros,
        has_time: true,
    })
}

fn undelimited(text: &str, digits: usize) -> Option<Parsed<DateTime>> {
    let (head, rest) = text.split_at(digits);
    let year_digits = match digits {
        8 | 14 => 4,
        6 | 12 => 2,
        _ => return None,
    };
    let number = |from: usize, to: usize| head.get(from..to)?.parse::<u16>().ok();
    let after = year_digits;
    let date = Date {
        year: full_year(number(0, after)?, year_digits)?,
        month: small(number(after, after + 2)?)?,
        day: small(number(after + 2, after + 4)?)?,
    };
    let mut moment = DateTime::midnight(date);
    let has_time = digits >= 12;
    if has_time {
        moment.hour = small(number(after + 4, after + 6)?)?;
        moment.minute = small(number(after + 6, after + 8)?)?;
        moment.second = small(number(after + 8, after + 10)?)?;
    } else if !rest.is_empty() {
        return None;
    }
    let mut parts = Parts { rest };
    let beyond_micros = parts.fraction(&mut moment.micros)?;
    let valid = moment.hour < 24 && moment.minute < 60 && moment.second < 60;
    (parts.rest.is_empty() && valid && real_or_zero(date)).then_some(Parsed {
        value: moment,
        beyond_micros,
        has_time,
    })
}

fn real_or_zero(date: Date) -> bool {
    date == Date::ZERO || date.is_real()
}

/// Two-digit years: 70 to 99 are 19xx, 00 to 69 are 20xx; other lengths below four are unclear.
fn full_year(year: u16, digits: usize) -> Option<u16> {
    match digits {
        4 => Some(year),
        2 => Some(if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

fn small(number: u16) -> Option<u8> {
    u8::try_from(number).ok()
}

/// Reads `[-][days ]hh:mm[:ss[.f]]` with hours up to 838. `None` for every form that MySQL reads
/// in more than one way (`'1112'`, a full DATETIME).
pub fn parse_time(text: &str) -> Option<Parsed<Time>> {
    let text = text.trim_matches(' ');
    let negative = text.starts_with('-');
    let mut parts = Parts { rest: text.strip_prefix('-').unwrap_or(text) };
    let (first, _) = parts.number(3)?;
    let mut hours = u32::from(first);
    if parts.spaces() {
        hours = hours * 24 + u32::from(parts.number(2)?.0);
    }
    if !parts.skip(':') {
        return None;
    }
    let minute = small(parts.number(2)?.0)?;
    let second = if parts.skip(':') { small(parts.number(2)?.0)? } else { 0 };
    let mut micros = 0;
    let beyond_micros = parts.fraction(&mut micros)?;
    let valid = hours <= 838 && minute < 60 && second < 60 && parts.rest.is_empty();
    let value = Time { negative, hours, minute, second, micros };
    valid.then_some(Parsed { value, beyond_micros, has_time: true })
}

/// What is left to read of a text.
struct Parts<'a> {
    rest: &'a str,
}

impl Parts<'_> {
    /// A number of at least one and at most `most` digits, and how many it had.
    fn number(&mut self, most: usize) -> Option<(u16, usize)> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > most {
            return None;
        }
        let (head, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Some((head.parse().ok()?, digits))
    }

    fn skip(&mut self, expected: char) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn spaces(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(' ');
        let some = rest.len() < self.rest.len();
        self.rest = rest;
        some
    }

    /// One separator of a date. MySQL takes any punctuation; only these are unambiguous over
    /// servers and versions.
    fn punctuation(&mut self) -> Option<()> {
        ['-', '/', '.'].into_iter().any(|mark| self.skip(mark)).then_some(())
    }

    /// An optional `.digits`; tells whether more than six digits mattered.
    fn fraction(&mut self, micros: &mut u32) -> Option<bool> {
        if !self.skip('.') {
            return Some(false);
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (head, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let padded = format!("{head:0<6}");
        *micros = padded.get(..6)?.parse().ok()?;
        Some(padded.bytes().skip(6).any(|digit| digit != b'0'))
    }
}

/// DATE, DATETIME and TIMESTAMP of the binary protocol: 0, 4, 7 or 11 bytes.
pub fn datetime_parameter(bytes: &[u8]) -> Option<DateTime> {
    let mut moment = DateTime::midnight(Date::ZERO);
    if bytes.is_empty() {
        return Some(moment);
    }
    let (&[low, high, month, day], rest) = bytes.split_first_chunk::<4>()?;
    moment.date = Date { year: u16::from_le_bytes([low, high]), month, day };
    if !rest.is_empty() {
        let (&[hour, minute, second], rest) = rest.split_first_chunk::<3>()?;
        (moment.hour, moment.minute, moment.second) = (hour, minute, second);
        if !rest.is_empty() {
            moment.micros = u32::from_le_bytes(rest.try_into().ok()?);
        }
    }
    let valid =
        moment.hour < 24 && moment.minute < 60 && moment.second < 60 && moment.micros < 1_000_000;
    (valid && real_or_zero(moment.date)).then_some(moment)
}

/// TIME of the binary protocol: 0, 8 or 12 bytes.
pub fn time_parameter(bytes: &[u8]) -> Option<Time> {
    if bytes.is_empty() {
        return Some(Time { negative: false, hours: 0, minute: 0, second: 0, micros: 0 });
    }
    let (&[sign, a, b, c, d, hour, minute, second], rest) = bytes.split_first_chunk::<8>()?;
    let days = u32::from_le_bytes([a, b, c, d]);
    let hours = days.checked_mul(24)?.checked_add(u32::from(hour))?;
    let micros = if rest.is_empty() { 0 } else { u32::from_le_bytes(rest.try_into().ok()?) };
    let valid = hours <= 838 && hour < 24 && minute < 60 && second < 60 && micros < 1_000_000;
    valid.then_some(Time { negative: sign != 0, hours, minute, second, micros })
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}:{:02}", self.date, self.hour, self.minute, self.second)?;
        if self.micros == 0 { Ok(()) } else { write!(f, ".{:06}", self.micros) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{:02}:{:02}:{:02}", self.hours, self.minute, self.second)?;
        if self.micros == 0 { Ok(()) } else { write!(f, ".{:06}", self.micros) }
    }
}
