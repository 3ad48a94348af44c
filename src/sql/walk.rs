//! The walk over one statement that makes its template.
//!
//! Owns: where in a statement a literal may be lifted, and the folding of IN lists. Rows of VALUES
//! fold in [`super::rows`]. Never: knows what a statement means beyond that.

use crate::error::{Error, Result};
use crate::sql::item::{
    QuickItem, braced, literal, literal_kind, quick_item, significant, typed, whole_item,
};
use crate::sql::keyword::{Keyword, keyword};
use crate::sql::lex::{Dialect, Limits, Scanner, over};
use crate::sql::multi::Body;
use crate::sql::slot::{Item, KindSet, LiteralKind, Slot, SlotKind};
use crate::sql::template::{Lexed, MARKER};
use crate::sql::token::{Token, TokenKind};

/// How far the statement's kind is known, and whether its literals are lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// No word yet.
    Start,
    /// Behind EXPLAIN and its kin.
    Prefix,
    Lifting,
    Plain,
}

/// What stood before the present token, where it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prev {
    Other,
    Dot,
    /// A string that follows stays: it is a name or a part of the grammar.
    KeepsString,
    Type,
    In,
    Field,
    Against,
    JsonTable,
    /// INSERT, INTO, IGNORE …: a VALUE that follows is a table.
    InsertModifier,
}

/// An open parenthesis or CASE, or the statement itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Whether literals are lifted here, as far as the surroundings decide.
    base: bool,
    /// Whether they are lifted in the present clause.
    lift: bool,
    /// A SELECT began in this frame.
    select: bool,
    limit: bool,
    /// Behind GROUP BY, ORDER BY or PARTITION BY.
    ordering: bool,
    case: bool,
    type_length: bool,
    field: bool,
    against: bool,
    /// The height of the tree that a parser has here, and where the frame began.
    height: u32,
    base_height: u32,
}

impl Frame {
    pub(super) fn outermost() -> Self {
        Frame {
            base: true,
            lift: true,
            select: false,
            limit: false,
            ordering: false,
            case: false,
            type_length: false,
            field: false,
            against: false,
            height: 0,
            base_height: 0,
        }
    }

    fn inner(&self) -> Self {
        Frame {
            base: self.lift,
            lift: self.lift,
            height: self.height,
            base_height: self.height,
            ..Frame::outermost()
        }
    }

    fn clause(&mut self, lift: bool) {
        self.lift = lift;
        self.limit = false;
        self.ordering = false;
        self.height = self.base_height;
    }
}

/// See the module.
pub(super) struct Walk<'a> {
    pub(super) sql: &'a [u8],
    pub(super) limits: &'a Limits,
    pub(super) scanner: Scanner<'a>,
    pub(super) out: &'a mut Lexed,
    /// Up to where the statement is in the template.
    pub(super) copied: usize,
    frames: Vec<Frame>,
    top: Frame,
    mode: Mode,
    /// An INSERT or REPLACE whose VALUES have not been met.
    insert: bool,
    prev: Prev,
    unions: u32,
    body: Option<Body>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        sql: &'a [u8],
        dialect: &Dialect,
        limits: &'a Limits,
        out: &'a mut Lexed,
    ) -> Self {
        let frames = std::mem::take(&mut out.scratch.frames);
        Walk {
            sql,
            limits,
            scanner: Scanner::new(sql, 0, *dialect),
            out,
            copied: 0,
            frames,
            top: Frame::outermost(),
            mode: Mode::Start,
            insert: false,
            prev: Prev::Other,
            unions: 0,
            body: None,
        }
    }

    /// Walks to the statement's end.
    pub(super) fn run(mut self) -> Result<()> {
        let walked = self.walk();
        self.frames.clear();
        self.out.scratch.frames = std::mem::take(&mut self.frames);
        walked
    }

    fn walk(&mut self) -> Result<()> {
        let mut end = self.sql.len();
        while let Some(token) = self.scanner.next_token()? {
            match token.kind {
                TokenKind::Word => self.word(token)?,
                TokenKind::Symbol => self.symbol(token)?,
                TokenKind::Comment => self.comment(token)?,
                TokenKind::Param => {
                    let item = self.param(token);
                    self.scalar(item)?;
                }
                TokenKind::Semicolon => {
                    if self.body.as_mut().is_some_and(Body::semicolon) {
                        continue;
                    }
                    end = token.start as usize;
                    self.find_rest()?;
                    break;
                }
                TokenKind::Hint | TokenKind::ExecutableOpen | TokenKind::ExecutableClose => {}
                kind if literal_kind(kind).is_some() => self.literal(token)?,
                _ => {
                    self.prev = Prev::Other;
                    if let Some(body) = &mut self.body {
                        body.other();
                    }
                }
            }
        }
        while self.top.case {
            self.pop()?;
        }
        if !self.frames.is_empty() && self.mode == Mode::Lifting {
            return Err(syntax("an unclosed parenthesis"));
        }
        self.flush(end);
        self.out.source_length = end as u32;
        Ok(())
    }

    /// Behind a `;`: whether more than blanks and comments follows.
    fn find_rest(&mut self) -> Result<()> {
        if self.scanner.is_executing() {
            return Err(syntax("a semicolon inside of an executable comment"));
        }
        let mut ahead = self.scanner;
        loop {
            let at = ahead.position();
            match ahead.next_token() {
                Ok(None) => return Ok(()),
                Ok(Some(token)) if token.kind == TokenKind::Comment => {}
                Ok(Some(token)) if token.kind == TokenKind::Semicolon => {}
                Ok(Some(token)) => {
                    self.out.rest = Some(token.start);
                    return Ok(());
                }
                // What is wrong there is told when it is that statement's turn.
                Err(_) => {
                    self.out.rest = Some(at as u32);
                    return Ok(());
                }
            }
        }
    }

    #[inline]
    fn word(&mut self, token: Token) -> Result<()> {
        if self.prev == Prev::Dot {
            self.prev = Prev::Other;
            return Ok(());
        }
        let word = keyword(token.bytes(self.sql));
        match self.mode {
            Mode::Lifting => {}
            Mode::Plain => {
                if let Some(body) = &mut self.body {
                    body.word(token.bytes(self.sql), &self.scanner);
                }
                return Ok(());
            }
            Mode::Start | Mode::Prefix => {
                if !self.head(word, token) {
                    return Ok(());
                }
            }
        }
        if word == Keyword::None {
            self.prev = Prev::Other;
            return Ok(());
        }
        self.clause(word, token)
    }

    /// The statement's first words decide whether its literals are lifted; true once they are.
    fn head(&mut self, word: Keyword, token: Token) -> bool {
        let start = self.mode == Mode::Start;
        self.mode = match word {
            Keyword::Select | Keyword::With | Keyword::Update | Keyword::Delete => Mode::Lifting,
            Keyword::Values | Keyword::Table if start => Mode::Lifting,
            Keyword::Insert => {
                self.insert = true;
                Mode::Lifting
            }
            Keyword::Explain if start => Mode::Prefix,
            _ if start => Mode::Plain,
            _ => Mode::Prefix,
        };
        if start && self.mode == Mode::Plain {
            self.body = Body::begin(token.bytes(self.sql), &self.scanner);
        }
        self.prev = Prev::Other;
        self.mode == Mode::Lifting
    }

    /// A word that means something here: it begins a clause, or says what may follow.
    fn clause(&mut self, word: Keyword, token: Token) -> Result<()> {
        let prev = std::mem::replace(&mut self.prev, Prev::Other);
        match word {
            Keyword::Select => {
                self.insert = false;
                self.top.select = true;
                self.top.clause(false);
            }
            Keyword::From if self.top.select => self.top.clause(self.top.base),
            // CHARACTER SET 'x'.
            Keyword::Condition if prev == Prev::KeepsString => self.prev = prev,
            Keyword::Condition => {
                // INSERT … SET, ON DUPLICATE KEY UPDATE: a VALUES behind it is the function.
                self.insert = false;
                self.top.clause(self.top.base);
            }
            Keyword::By => {
                self.top.clause(false);
                self.top.ordering = true;
            }
            Keyword::Limit => {
                self.top.clause(self.top.base);
                self.top.limit = true;
            }
            Keyword::Returning => self.top.clause(false),
            Keyword::Into if self.top.select => self.top.clause(false),
            Keyword::Into | Keyword::Insert | Keyword::InsertModifier => {
                self.prev = Prev::InsertModifier;
            }
            Keyword::Values | Keyword::Value => {
                let names = word == Keyword::Value && prev == Prev::InsertModifier;
                if self.insert && self.frames.is_empty() && !self.top.select && !names {
                    return self.values();
                }
            }
            Keyword::Union => self.union()?,
            Keyword::Case => {
                let inner = Frame { case: true, ..self.top.inner() };
                self.push(inner)?;
            }
            Keyword::When if self.top.case => self.top.height = self.top.base_height,
            Keyword::End if self.top.case => self.pop()?,
            Keyword::Date | Keyword::Time | Keyword::Timestamp => {
                return self.temporal(word, token);
            }
            _ => self.modifier(word)?,
        }
        Ok(())
    }

    /// A word that says how what follows it is read.
    fn modifier(&mut self, word: Keyword) -> Result<()> {
        self.prev = match word {
            Keyword::In => Prev::In,
            Keyword::As | Keyword::KeepsString => Prev::KeepsString,
            Keyword::Type => Prev::Type,
            Keyword::Field => Prev::Field,
            Keyword::Against => Prev::Against,
            Keyword::JsonTable => Prev::JsonTable,
            _ => Prev::Other,
        };
        match word {
            Keyword::In | Keyword::KeepsString | Keyword::Operator => self.operator(),
            _ => Ok(()),
        }
    }

    fn union(&mut self) -> Result<()> {
        self.unions += 1;
        let bound = self.limits.operators / 4;
        if self.unions > bound {
            return Err(over("statement_operators", u64::from(bound), "UNIONs"));
        }
        self.top.select = false;
        self.top.clause(self.top.base);
        Ok(())
    }

    /// `DATE '…'` is one literal; TIME and TIMESTAMP are types and functions besides.
    fn temporal(&mut self, word: Keyword, token: Token) -> Result<()> {
        if self.top.lift
            && let Some(item) = typed(self.sql, &mut self.scanner, token, word)?
        {
            return self.scalar(item);
        }
        if word != Keyword::Date {
            self.prev = Prev::Type;
        }
        Ok(())
    }

    #[inline]
    fn symbol(&mut self, token: Token) -> Result<()> {
        if let Some(body) = &mut self.body {
            body.symbol(token.bytes(self.sql));
        }
        match token.bytes(self.sql) {
            b"(" => return self.open(token),
            b")" => {
                while self.top.case {
                    self.pop()?;
                }
                self.pop()?;
                self.prev = Prev::Other;
            }
            b"," => {
                self.top.height = self.top.base_height;
                self.prev = Prev::Other;
                if self.top.field && self.top.lift {
                    self.field_list(token)?;
                }
            }
            b"." => self.prev = Prev::Dot,
            b"->" | b"->>" => {
                self.operator()?;
                self.prev = Prev::KeepsString;
            }
            b"{" if self.top.lift && self.mode == Mode::Lifting => {
                self.prev = Prev::Other;
                if let Some(item) = braced(self.sql, &mut self.scanner, token)? {
                    return self.scalar(item);
                }
            }
            _ => {
                self.operator()?;
                self.prev = Prev::Other;
            }
        }
        Ok(())
    }

    fn open(&mut self, token: Token) -> Result<()> {
        if self.mode == Mode::Lifting && self.top.lift && self.prev == Prev::In {
            if let Some(close) = self.list(token.end)? {
                self.prev = Prev::Other;
                self.copied = close;
                return Ok(());
            }
        }
        let mut inner = self.top.inner();
        match self.prev {
            Prev::Type => inner.type_length = true,
            Prev::Against => inner.against = true,
            Prev::JsonTable => (inner.base, inner.lift) = (false, false),
            Prev::Field if self.top.ordering && self.top.base => {
                (inner.base, inner.lift, inner.field) = (true, true, true);
            }
            _ => {}
        }
        self.prev = Prev::Other;
        self.push(inner)
    }

    fn push(&mut self, frame: Frame) -> Result<()> {
        if self.frames.len() as u32 >= self.limits.depth {
            return Err(over("statement_depth", u64::from(self.limits.depth), "nesting"));
        }
        self.frames.push(self.top);
        self.top = frame;
        Ok(())
    }

    fn pop(&mut self) -> Result<()> {
        match self.frames.pop() {
            Some(outer) => self.top = outer,
            None => return Err(syntax("a closing parenthesis too many")),
        }
        Ok(())
    }

    /// The rows of an INSERT begin: a later VALUES is the function.
    pub(super) fn values_met(&mut self) {
        self.insert = false;
        self.prev = Prev::Other;
        self.top.clause(true);
    }

    /// Counts an operator: each makes the tree of the expression one higher.
    #[inline]
    fn operator(&mut self) -> Result<()> {
        self.top.height += 1;
        if self.top.height > self.limits.operators
            && !self.body.as_ref().is_some_and(Body::is_routine)
        {
            let bound = u64::from(self.limits.operators);
            return Err(over("statement_operators", bound, "operators in one expression"));
        }
        Ok(())
    }

    fn literal(&mut self, token: Token) -> Result<()> {
        let text = matches!(
            token.kind,
            TokenKind::String | TokenKind::NationalString | TokenKind::Introducer
        );
        let stays = self.mode != Mode::Lifting
            || !self.top.lift
            || (text && self.prev == Prev::KeepsString)
            || (token.kind == TokenKind::Integer
                && (self.top.type_length
                    || (self.top.limit && token.bytes(self.sql).iter().all(|&b| b == b'0'))));
        if stays {
            let introduced = token.kind == TokenKind::Introducer && self.prev == Prev::KeepsString;
            self.prev = if introduced { Prev::KeepsString } else { Prev::Other };
            if let Some(body) = &mut self.body {
                body.other();
            }
            return Ok(());
        }
        self.prev = Prev::Other;
        match literal(self.sql, &mut self.scanner, token, 0)? {
            Some(item) => self.scalar(item),
            None => Ok(()),
        }
    }

    /// The next parameter.
    pub(super) fn param(&mut self, token: Token) -> Item {
        let param = self.out.params;
        self.out.params += 1;
        self.prev = Prev::Other;
        Item { kind: LiteralKind::Param, start: token.start, end: token.end, param }
    }

    /// Lifts one literal.
    #[inline]
    fn scalar(&mut self, item: Item) -> Result<()> {
        self.flush(item.start as usize);
        let kinds = KindSet::of(item.kind);
        let first_item = self.item(item)?;
        let against = self.top.against;
        self.slot(SlotKind::Literal, kinds, (item.start, item.end), (first_item, 1), against)
    }

    fn comment(&mut self, token: Token) -> Result<()> {
        self.flush(token.start as usize);
        self.slot(SlotKind::Comment, KindSet::default(), (token.start, token.end), (0, 0), false)
    }

    /// Copies the statement up to `to` into the template.
    #[inline]
    pub(super) fn flush(&mut self, to: usize) {
        if let Some(piece) = self.sql.get(self.copied..to) {
            self.out.template.extend_from_slice(piece);
        }
        self.copied = to;
    }

    #[inline]
    pub(super) fn item(&mut self, item: Item) -> Result<u32> {
        let index = self.out.items.len();
        if index >= self.limits.items {
            return Err(over("statement_items", self.limits.items as u64, "literals"));
        }
        self.out.items.push(item);
        Ok(index as u32)
    }

    /// Puts a slot and its marker at the template's end; `source` is what it stands for.
    pub(super) fn slot(
        &mut self,
        kind: SlotKind,
        kinds: KindSet,
        source: (u32, u32),
        items: (u32, u32),
        against: bool,
    ) -> Result<()> {
        let bound = self.limits.slots.min(usize::from(u16::MAX));
        if self.out.slots.len() >= bound {
            return Err(over("statement_slots", bound as u64, "separate literals and comments"));
        }
        let at = self.out.template.len();
        let [low, high] = kinds.0.to_le_bytes();
        let template = &mut self.out.template;
        match kind {
            SlotKind::Literal => template.extend_from_slice(&[MARKER, b'v', low, high]),
            SlotKind::Cell => template.extend_from_slice(&[MARKER, b'c', low, high]),
            SlotKind::List => template.extend_from_slice(&[MARKER, b'l', low, high]),
            SlotKind::Tuples { arity } => {
                let [few, many] = arity.to_le_bytes();
                template.extend_from_slice(&[MARKER, b't', few, many]);
            }
            SlotKind::Rows { opaque } => {
                template.extend_from_slice(&[MARKER, b'r', u8::from(opaque)]);
            }
            SlotKind::Comment => template.extend_from_slice(&[MARKER, b'k']),
        }
        let width = (self.out.template.len() - at) as u32;
        let (start, end) = source;
        let (first_item, items) = items;
        self.out.slots.push(Slot {
            kind,
            kinds,
            at: at as u32,
            width,
            start,
            end,
            first_item,
            items,
            against,
        });
        self.copied = end as usize;
        Ok(())
    }

    /// Folds `IN (…)` whose inside starts at `from`, if all of it is literals or tuples of them.
    /// Gives the offset of the closing parenthesis, behind which the scanner then stands.
    fn list(&mut self, from: u32) -> Result<Option<usize>> {
        let before = (self.scanner, self.out.items.len(), self.out.params);
        let first_item = self.out.items.len() as u32;
        let mut inside = self.scanner;
        let tuples = significant(&mut inside)?.is_some_and(|first| first.is_symbol(self.sql, "("));
        let folded = if tuples {
            self.scanner = inside;
            self.tuples()?
        } else {
            self.literals()?.map(|(kinds, close)| (kinds, None, close))
        };
        let Some((kinds, arity, close)) = folded else {
            (self.scanner, self.out.params) = (before.0, before.2);
            self.out.items.truncate(before.1);
            return Ok(None);
        };
        self.flush(from as usize);
        let items = (first_item, self.out.items.len() as u32 - first_item);
        let source = (from, close.start);
        match arity {
            None => self.slot(SlotKind::List, kinds, source, items, false)?,
            Some(arity) => {
                self.slot(SlotKind::Tuples { arity }, kinds, source, items, false)?;
                self.column_kinds(usize::from(arity), first_item as usize);
            }
        }
        Ok(Some(close.start as usize))
    }

    /// Behind a tuple list's marker: the kinds of each column.
    fn column_kinds(&mut self, arity: usize, first_item: usize) {
        let items = self.out.items.get(first_item..).unwrap_or_default();
        for column in 0..arity {
            let mut kinds = KindSet::default();
            for item in items.iter().skip(column).step_by(arity) {
                kinds.insert(item.kind);
            }
            self.out.template.extend_from_slice(&kinds.0.to_le_bytes());
        }
        if let Some(slot) = self.out.slots.last_mut() {
            slot.width += 2 * arity as u32;
        }
    }

    /// Literals up to a closing parenthesis.
    fn literals(&mut self) -> Result<Option<(KindSet, Token)>> {
        let mut kinds = KindSet::default();
        loop {
            while let Some(quick) = quick_item(&self.scanner) {
                self.quick(&quick)?;
                kinds.insert(quick.kind);
                if self.sql.get(quick.delimiter) == Some(&b')') {
                    return Ok(Some((kinds, closing(quick.delimiter))));
                }
            }
            let param = self.out.params;
            let Some(token) = significant(&mut self.scanner)? else { return Ok(None) };
            let Some(item) = whole_item(self.sql, &mut self.scanner, token, param)? else {
                return Ok(None);
            };
            self.out.params += u32::from(item.kind == LiteralKind::Param);
            kinds.insert(item.kind);
            self.item(item)?;
            match significant(&mut self.scanner)? {
                Some(next) if next.is_symbol(self.sql, ")") => return Ok(Some((kinds, next))),
                Some(next) if next.is_symbol(self.sql, ",") => {}
                _ => return Ok(None),
            }
        }
    }

    /// Takes an item that was read without the scanner, and moves behind its delimiter.
    #[inline]
    pub(super) fn quick(&mut self, quick: &QuickItem) -> Result<()> {
        let param = self.out.params;
        self.out.params += u32::from(quick.kind == LiteralKind::Param);
        self.item(Item { kind: quick.kind, start: quick.start, end: quick.end, param })?;
        self.scanner.jump(quick.delimiter + 1);
        Ok(())
    }

    /// Tuples of literals, all of one length, up to a closing parenthesis. The first `(` was read.
    fn tuples(&mut self) -> Result<Option<(KindSet, Option<u16>, Token)>> {
        let mut kinds = KindSet::default();
        let mut arity = 0;
        loop {
            let before = self.out.items.len();
            let Some((tuple, _)) = self.literals()? else { return Ok(None) };
            kinds.0 |= tuple.0;
            let length = self.out.items.len() - before;
            if arity == 0 {
                arity = length;
            }
            if length != arity || arity > 256 {
                return Ok(None);
            }
            match significant(&mut self.scanner)? {
                Some(next) if next.is_symbol(self.sql, ")") => {
                    return Ok(Some((kinds, Some(arity as u16), next)));
                }
                Some(next) if next.is_symbol(self.sql, ",") => {}
                _ => return Ok(None),
            }
            match significant(&mut self.scanner)? {
                Some(next) if next.is_symbol(self.sql, "(") => {}
                _ => return Ok(None),
            }
        }
    }

    /// The arguments of `FIELD(x, …)` in ORDER BY, behind a comma: folded if all are literals.
    fn field_list(&mut self, comma: Token) -> Result<()> {
        self.top.field = false;
        if let Some(close) = self.list(comma.end)? {
            self.copied = close;
            return self.pop();
        }
        Ok(())
    }
}

/// The closing parenthesis at `at`.
pub(super) fn closing(at: usize) -> Token {
    Token { kind: TokenKind::Symbol, start: at as u32, end: at as u32 + 1, depth: 0 }
}

/// A syntax error without a place.
pub(super) fn syntax(what: &str) -> Error {
    Error::syntax(format!("You have an error in your SQL syntax: {what}"))
}
