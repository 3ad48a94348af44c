//! A file of LOAD DATA, cut into records and fields as a server cuts it.
//!
//! Owns: the reading of escapes, enclosures, terminators and multi-byte characters, byte by byte, in
//! both servers' manners. Never: reads a file, converts a value, or decides where a record goes.
//!
//! A record's bytes are cut out whole, so that whoever reads them again sees the same fields: the
//! reading of one record depends on nothing that stands before it.
//! Both manners were compared with the servers' own reading of random files (`tests/it/load_fuzz.rs`).

use std::ops::Range;

use smallvec::SmallVec;

use crate::sql::lex::ServerKind;
use crate::sql::load::Format;

/// A file's character set, as far as it decides where a character ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCharset {
    Single,
    Utf8 {
        /// Bytes of the longest character.
        most: u8,
    },
    Gbk,
    Big5,
    /// sjis and cp932.
    Sjis,
    Euckr,
    Gb2312,
    /// ujis and eucjpms.
    Ujis,
}

impl FileCharset {
    /// By MySQL's name in lower case; `None` for one whose characters aren't known here.
    pub fn of(name: &str) -> Option<Self> {
        const SINGLE: [&str; 27] = [
            "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850",
            "cp852", "cp866", "dec8", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r",
            "koi8u", "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "swe7", "tis620",
            "cp1252",
        ];
        Some(match name {
            "utf8mb4" => FileCharset::Utf8 { most: 4 },
            "utf8" | "utf8mb3" => FileCharset::Utf8 { most: 3 },
            "gbk" => FileCharset::Gbk,
            "big5" => FileCharset::Big5,
            "sjis" | "cp932" => FileCharset::Sjis,
            "euckr" => FileCharset::Euckr,
            "gb2312" => FileCharset::Gb2312,
            "ujis" | "eucjpms" => FileCharset::Ujis,
            name if SINGLE.contains(&name) => FileCharset::Single,
            _ => return None,
        })
    }

    /// Whether it is certain how a file of this format is cut: a terminator that can be the second
    /// byte of a character can't be told from one. (MariaDB tells a backslash by the column that the
    /// field is for.)
    pub fn knows(self, format: &Format) -> bool {
        if matches!(self, FileCharset::Single | FileCharset::Utf8 { .. }) {
            return true;
        }
        let escapes = matches!(self, FileCharset::Euckr | FileCharset::Gb2312 | FileCharset::Ujis);
        let ends = [&format.field_end, &format.line_end, &format.line_start];
        let ends = ends.into_iter().flatten().chain(&format.enclosed);
        ends.chain(&format.escape).all(|byte| *byte < 0x40 || (escapes && *byte == b'\\'))
    }

    /// How long a character is that begins with this byte; 1 for one that can't begin any.
    fn announced(self, lead: u8) -> usize {
        use FileCharset::*;
        match (self, lead) {
            (_, ..=0x7f) | (Single, _) => 1,
            (Utf8 { .. }, 0xc2..=0xdf) => 2,
            (Utf8 { .. }, 0xe0..=0xef) => 3,
            (Utf8 { most: 4 }, 0xf0..=0xf7) => 4,
            (Gbk | Euckr, 0x81..=0xfe) | (Big5, 0xa1..=0xf9) | (Gb2312, 0xa1..=0xf7) => 2,
            (Sjis, 0x81..=0x9f | 0xe0..=0xfc) => 2,
            (Ujis, 0x8f) => 3,
            (Ujis, 0x8e | 0xa1..=0xfe) => 2,
            _ => 1,
        }
    }

    /// The same as MariaDB sees it: of most character sets it wants to see the byte behind any that is
    /// no ASCII.
    fn wanted(self, lead: u8) -> usize {
        use FileCharset::*;
        match (self, lead) {
            (Gbk | Big5 | Euckr | Gb2312 | Ujis, 0x80..) => self.announced(lead).max(2),
            (Sjis, 0x80..=0xa0 | 0xe0..) => 2,
            _ => self.announced(lead),
        }
    }

    /// Whether these bytes, as many as their first one announces, are a character.
    fn is_character(self, bytes: &[u8]) -> bool {
        use FileCharset::*;
        let (Some(&lead), Some(&next)) = (bytes.first(), bytes.get(1)) else { return true };
        if self.announced(lead) == 1 {
            return false;
        }
        let rest = bytes.get(1..).unwrap_or_default();
        match self {
            Single => true,
            Utf8 { .. } => {
                let begins = match lead {
                    0xe0 => next >= 0xa0,
                    0xf0 => next >= 0x90,
                    0xf4 => next < 0x90,
                    0xf5.. => false,
                    _ => true,
                };
                begins && rest.iter().all(|byte| (0x80..0xc0).contains(byte))
            }
            Gbk => matches!(next, 0x40..=0x7e | 0x80..=0xfe),
            Big5 => matches!(next, 0x40..=0x7e | 0xa1..=0xfe),
            Sjis => matches!(next, 0x40..=0x7e | 0x80..=0xfc),
            Euckr => matches!(next, 0x41..=0x5a | 0x61..=0x7a | 0x81..=0xfe),
            Gb2312 => matches!(next, 0xa1..=0xfe),
            Ujis if lead == 0x8e => matches!(next, 0xa1..=0xdf),
            Ujis => rest.iter().all(|byte| matches!(byte, 0xa1..=0xfe)),
        }
    }

    /// Whether a character can begin so, as MariaDB sees it.
    fn can_begin(self, bytes: &[u8]) -> bool {
        let Some(&lead) = bytes.first() else { return true };
        let length = self.wanted(lead);
        if bytes.len() >= length {
            return self.is_character(bytes);
        }
        // What is missing is the best that could come.
        let mut whole: SmallVec<[u8; 4]> = SmallVec::from_slice(bytes);
        let best = if matches!(self, FileCharset::Utf8 { .. }) { 0xbf } else { 0xa1 };
        while whole.len() < length {
            whole.push(best);
        }
        if bytes.len() == 1 {
            return true;
        }
        self.is_character(&whole)
    }
}

/// A field that the caller looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Which of the record's fields, from 0.
    pub field: usize,
    /// False where the record ends before it.
    pub present: bool,
    /// Its bytes with escapes and enclosure, in the input.
    pub raw: Range<usize>,
    pub value: Vec<u8>,
    pub is_null: bool,
}

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// All of it in the input, with what starts and ends its line.
    pub range: Range<usize>,
    /// Where its first field begins.
    pub content: usize,
    /// How many fields it has, at most as many as are asked for.
    pub present: usize,
    /// Where the last of these ends.
    pub content_end: usize,
    pub taken: SmallVec<[Taken; 2]>,
}

impl Record {
    /// One whose fields of these numbers are looked at.
    pub fn taking(fields: impl IntoIterator<Item = usize>) -> Self {
        let taken = fields.into_iter().map(|field| Taken { field, ..Taken::default() });
        Record { taken: taken.collect(), ..Record::default() }
    }
}

/// What the input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Record,
    /// More input is needed to tell.
    More,
    /// Nothing but the file's end.
    End,
    /// The record's end lies inside of a broken character, as this server reads it: its bytes can't
    /// be told from the next one's.
    Broken,
}

/// Cuts a file of one format.
#[derive(Clone, Debug)]
pub struct Cutter {
    format: Format,
    charset: FileCharset,
    server: ServerKind,
    /// Fields of a record.
    fields: usize,
}

impl Cutter {
    /// `fields`: how many a record has, above 0.
    pub fn new(format: &Format, charset: FileCharset, server: ServerKind, fields: usize) -> Self {
        let mut format = format.clone();
        if format.field_end == format.line_end {
            format.line_end.clear();
        }
        Cutter { format, charset, server, fields }
    }

    /// The next record of `input` from `at`; `last`: the file ends with the input.
    pub fn record(&self, input: &[u8], at: usize, last: bool, record: &mut Record) -> Cut {
        let mut get = Get { input, at, last, back: SmallVec::new() };
        record.range = at..at;
        match self.read_record(&mut get, record) {
            Err(Short) => Cut::More,
            Ok(false) => Cut::End,
            Ok(true) => match get.place() {
                Some(end) => {
                    record.range.end = end;
                    Cut::Record
                }
                None => Cut::Broken,
            },
        }
    }

    /// Where the line that begins at `at` ends, its fields unread (IGNORE n LINES). `None`: more
    /// input is needed.
    pub fn line(&self, input: &[u8], at: usize, last: bool) -> Option<usize> {
        let mut get = Get { input, at, last, back: SmallVec::new() };
        self.next_line(&mut get).ok()?;
        Some(get.place().unwrap_or(get.at))
    }

    fn read_record(&self, get: &mut Get<'_>, record: &mut Record) -> Result<bool, Short> {
        for taken in &mut record.taken {
            taken.present = false;
            taken.is_null = false;
            taken.value.clear();
        }
        if !self.format.line_start.is_empty() && !self.find_start(get)? {
            return Ok(false);
        }
        record.content = get.position();
        record.content_end = record.content;
        record.present = 0;
        let mut goes_on = true;
        for number in 0..self.fields {
            let start = get.position();
            let place = record.taken.iter().position(|taken| taken.field == number);
            let mut field = Field { keeps: place.is_some(), ..Field::default() };
            let end = self.read_field(get, &mut field)?;
            if end == FieldEnd::Nothing {
                if number == 0 {
                    return Ok(false);
                }
                goes_on = false;
                break;
            }
            record.present += 1;
            record.content_end = field.raw_end;
            if let Some(taken) = place.and_then(|place| record.taken.get_mut(place)) {
                taken.present = true;
                taken.raw = start..field.raw_end;
                taken.is_null = field.is_null(self.format.enclosed.is_some());
                taken.value = field.value;
            }
            goes_on = end == FieldEnd::Field;
            if !goes_on {
                break;
            }
        }
        if goes_on {
            self.next_line(get)?;
        }
        Ok(true)
    }

    fn find_start(&self, get: &mut Get<'_>) -> Result<bool, Short> {
        while let Some(byte) = get.next()? {
            if get.ends_in(&self.format.line_start, byte)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_field(&self, get: &mut Get<'_>, field: &mut Field) -> Result<FieldEnd, Short> {
        let Format { field_end, enclosed, escape, line_end, .. } = &self.format;
        let Some(first) = get.next()? else { return Ok(FieldEnd::Nothing) };
        let inside = Some(first) == *enclosed;
        if inside {
            field.push(first);
        } else {
            get.push(first);
        }
        let mut escaped_lead = false;
        loop {
            field.raw_end = get.position();
            let Some(mut byte) = get.next()? else { return Ok(FieldEnd::File) };
            if Some(byte) == *escape {
                let Some(next) = get.next()? else {
                    field.push(byte);
                    field.raw_end = get.position();
                    return Ok(FieldEnd::File);
                };
                if escape != enclosed || Some(next) == *escape {
                    if self.is_mysql() && self.charset.announced(next) > 1 {
                        escaped_lead = true;
                        get.push(next);
                    } else {
                        field.unescape(next);
                    }
                    continue;
                }
                get.push(next);
            }
            if !inside && get.ends_in(line_end, byte)? {
                return Ok(FieldEnd::Line);
            }
            if inside && Some(byte) == *enclosed {
                field.raw_end = get.position();
                let Some(next) = get.next()? else { return Ok(field.closed(FieldEnd::File)) };
                if Some(next) == *enclosed {
                    field.push(next);
                    continue;
                }
                if get.ends_in(line_end, next)? {
                    return Ok(field.closed(FieldEnd::Line));
                }
                if get.ends_in(field_end, next)? {
                    return Ok(field.closed(FieldEnd::Field));
                }
                get.push(next);
            } else if !inside && get.ends_in(field_end, byte)? {
                return Ok(FieldEnd::Field);
            }
            let read = match self.is_mysql() {
                true => self.character(get, &mut byte, field, &mut escaped_lead)?,
                false => self.tail(get, byte, field)?,
            };
            match read {
                Read::Byte => field.push(byte),
                Read::Character => {}
                Read::File => {
                    field.raw_end = get.input.len();
                    return Ok(FieldEnd::File);
                }
            }
        }
    }

    fn is_mysql(&self) -> bool {
        self.server == ServerKind::MySql
    }

    /// MySQL: so many bytes as the first one announces are a character, or all go back.
    fn character(
        &self,
        get: &mut Get<'_>,
        byte: &mut u8,
        field: &mut Field,
        escaped_lead: &mut bool,
    ) -> Result<Read, Short> {
        let length = self.charset.announced(*byte);
        if length == 1 {
            return Ok(Read::Byte);
        }
        let mut bytes: SmallVec<[u8; 4]> = SmallVec::from_slice(&[*byte]);
        while bytes.len() < length {
            let Some(mut next) = get.next()? else { return Ok(Read::File) };
            if *escaped_lead && Some(next) == self.format.escape {
                let Some(escaped) = get.next()? else { return Ok(Read::File) };
                next = unescaped(escaped);
            }
            bytes.push(next);
        }
        *escaped_lead = false;
        if self.charset.is_character(&bytes) {
            bytes.iter().for_each(|byte| field.push(*byte));
            return Ok(Read::Character);
        }
        bytes.iter().skip(1).rev().for_each(|byte| get.push(*byte));
        Ok(Read::Byte)
    }

    /// MariaDB: bytes are taken as long as they can be one character's.
    fn tail(&self, get: &mut Get<'_>, byte: u8, field: &mut Field) -> Result<Read, Short> {
        let length = self.charset.wanted(byte);
        if length == 1 {
            return Ok(Read::Byte);
        }
        let mut bytes: SmallVec<[u8; 4]> = SmallVec::from_slice(&[byte]);
        while bytes.len() < length {
            let Some(next) = get.next()? else {
                bytes.iter().for_each(|byte| field.push(*byte));
                return Ok(Read::File);
            };
            bytes.push(next);
            if !self.charset.can_begin(&bytes) {
                bytes.pop();
                get.push(next);
                break;
            }
        }
        bytes.iter().for_each(|byte| field.push(*byte));
        Ok(Read::Character)
    }

    /// What is left of a line whose fields were read, or are not wanted.
    fn next_line(&self, get: &mut Get<'_>) -> Result<(), Short> {
        let Format { escape, line_end, .. } = &self.format;
        if line_end.is_empty() {
            return Ok(());
        }
        while let Some(first) = get.next()? {
            let mut byte = first;
            let length = match self.is_mysql() {
                true => self.charset.announced(first),
                false => self.charset.wanted(first),
            };
            if length > 1 && self.is_mysql() {
                for _ in 1..length {
                    let Some(next) = get.next()? else { return Ok(()) };
                    byte = next;
                }
                if Some(byte) == *escape {
                    continue;
                }
            } else if length > 1 {
                // A broken character takes the byte that broke it along.
                let mut bytes: SmallVec<[u8; 4]> = SmallVec::from_slice(&[first]);
                while bytes.len() < length && self.charset.can_begin(&bytes) {
                    let Some(next) = get.next()? else { return Ok(()) };
                    bytes.push(next);
                }
                continue;
            }
            if Some(byte) == *escape {
                if get.next()?.is_none() {
                    return Ok(());
                }
                continue;
            }
            if get.ends_in(line_end, byte)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What became of a byte that may begin a character.
enum Read {
    Byte,
    Character,
    /// The file ends within it.
    File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldEnd {
    /// There was no byte left.
    Nothing,
    Field,
    Line,
    File,
}

/// A field while it is read.
#[derive(Default)]
struct Field {
    keeps: bool,
    value: Vec<u8>,
    length: usize,
    raw_end: usize,
    /// `\N` was read.
    escaped_n: bool,
    enclosed: bool,
}

impl Field {
    fn push(&mut self, byte: u8) {
        self.length += 1;
        if self.keeps {
            self.value.push(byte);
        }
    }

    fn unescape(&mut self, byte: u8) {
        self.escaped_n |= byte == b'N';
        self.push(unescaped(byte));
    }

    /// The opening byte, kept for a field that never closes, is none of the value.
    fn closed(&mut self, end: FieldEnd) -> FieldEnd {
        self.enclosed = true;
        self.length = self.length.saturating_sub(1);
        if !self.value.is_empty() {
            self.value.remove(0);
        }
        end
    }

    fn is_null(&self, encloses: bool) -> bool {
        (!self.enclosed && encloses && self.value == b"NULL")
            || (self.length == 1 && self.escaped_n)
    }
}

/// What a byte behind the escape means.
fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'0' => 0,
        b'Z' => 26,
        other => other,
    }
}

/// The input ends, and the file doesn't.
#[derive(Debug)]
struct Short;

/// A reader that takes bytes back.
struct Get<'i> {
    input: &'i [u8],
    at: usize,
    last: bool,
    back: SmallVec<[u8; 8]>,
}

impl Get<'_> {
    fn next(&mut self) -> Result<Option<u8>, Short> {
        if let Some(byte) = self.back.pop() {
            return Ok(Some(byte));
        }
        match self.input.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(Some(*byte))
            }
            None if self.last => Ok(None),
            None => Err(Short),
        }
    }

    fn push(&mut self, byte: u8) {
        self.back.push(byte);
    }

    /// Where the next byte stands.
    fn position(&self) -> usize {
        self.at.saturating_sub(self.back.len())
    }

    /// The same where what was taken back is what stands there.
    fn place(&self) -> Option<usize> {
        let start = self.position();
        let stands = self.input.get(start..self.at)?;
        stands.iter().eq(self.back.iter().rev()).then_some(start)
    }

    /// Whether `byte`, just read, and those behind it are this terminator; if not, those go back.
    fn ends_in(&mut self, terminator: &[u8], byte: u8) -> Result<bool, Short> {
        let Some((first, rest)) = terminator.split_first() else { return Ok(false) };
        if *first != byte {
            return Ok(false);
        }
        for (read, wanted) in rest.iter().enumerate() {
            let next = self.next()?;
            if next != Some(*wanted) {
                if let Some(next) = next {
                    self.push(next);
                }
                rest.iter().take(read).rev().for_each(|byte| self.push(*byte));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
