//! A plan + one statement's values → a route.
//!
//! Owns: the reading of slots as values, the narrowing of shards, the splitting of rows. Never:
//! looks at the statement's text beyond its literals, or at the catalog.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::error::{Error, Fault};
use crate::name::GroupId;
use crate::planner::condition::{self, Operand};
use crate::planner::hinted;
use crate::planner::plan::{Access, Count, Gather, Limit, Route, Rows, Target, WriteKind};
use crate::planner::refuse::refuse;
use crate::planner::survey::is_information;
use crate::planner::views::text::REFUSED;
use crate::planner::{Action, Many, Narrowed, Plan, TableUse, Tables};
use crate::rules::Rules;
use crate::rules::shard_set::ShardSet;
use crate::rules::table::Placement;
use crate::sql::analysis::Arithmetic;
use crate::sql::classify::StatementKind;
use crate::sql::lex::Dialect;
use crate::sql::literal::{self, Literal};
use crate::sql::slot::{self, Item, Slot, SlotKind};
use crate::sql::template::Lexed;
use crate::value::assign;
use crate::value::{CharsetClass, LiteralKind, Text, Value};

/// What of a session's state decides where a statement goes.
#[derive(Clone, Copy, Debug)]
pub struct SessionFacts {
    /// From sql_mode, time_zone and the kind of the servers.
    pub assign: assign::Context,
    /// Of `character_set_client`: what text literals and parameters are in.
    pub charset: CharsetClass,
    /// LAST_INSERT_ID().
    pub insert_id: u64,
    /// A group that the open transaction already has a connection to: taken where any group would
    /// do.
    pub prefer: Option<GroupId>,
    /// Any number that differs from statement to statement: spreads what any group can answer.
    pub turn: u64,
}

/// One statement's values.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    pub sql: &'a [u8],
    /// Of `sql`, with the template that the plan was made for.
    pub lexed: &'a Lexed,
    pub dialect: Dialect,
    /// The values of `?`, in order; empty for a text statement. Where one is missing, conditions
    /// on it narrow nothing.
    pub parameters: &'a [Value],
    /// Of the version that the plan was made with.
    pub rules: &'a Rules,
    pub session: &'a SessionFacts,
}

/// How the rows of an INSERT find their shards.
#[derive(Debug)]
pub(crate) struct RowRouting {
    /// For each shape of rows, what each key's value is.
    pub shapes: Vec<Vec<Operand>>,
    /// Errors become warnings: the stored value differs.
    pub ignore: bool,
}

/// Reads slots. Cell slots are read from one row.
pub(crate) struct Values<'a> {
    pub binding: &'a Binding<'a>,
    pub session: &'a SessionFacts,
    /// The first slot of the row's shape, and the row's items.
    row: Option<(u16, &'a [Item])>,
}

impl<'a> Values<'a> {
    pub fn new(binding: &'a Binding<'a>) -> Self {
        Values { binding, session: binding.session, row: None }
    }

    /// Those of one row of VALUES, and the row's shape; of the whole statement where it has no rows.
    pub fn of_row(binding: &'a Binding<'a>, number: usize) -> (Self, usize) {
        let mut values = Values::new(binding);
        let mut shape = 0;
        if let Some(row) = binding.lexed.rows().get(number) {
            shape = usize::from(row.shape);
            let first = binding.lexed.shapes().get(shape).map_or(0, |shape| shape.first_slot);
            values.row = Some((first, binding.lexed.row_items(row)));
        }
        (values, shape)
    }

    /// The literal or parameter of a slot.
    pub fn item_of(&self, index: u16) -> Option<&'a Item> {
        if let Some((first, items)) = self.row {
            return items.get(usize::from(index.checked_sub(first)?));
        }
        let slot = self.binding.lexed.slots().get(usize::from(index))?;
        match self.binding.lexed.items(slot) {
            [item] if matches!(slot.kind, SlotKind::Literal | SlotKind::Cell) => Some(item),
            _ => None,
        }
    }

    /// The operand's value, `None` where it isn't known.
    pub fn operand(&self, operand: &Operand) -> Option<Value> {
        match operand {
            Operand::Value(value) => Some(value.clone()),
            Operand::InsertId => Some(Value::whole(i128::from(self.session.insert_id))),
            Operand::Slot(slot) => self.slot(*slot),
            Operand::Negate(inner) => match self.operand(inner)? {
                Value::Null => Some(Value::Null),
                value @ (Value::Int(_) | Value::UInt(_)) => Some(Value::whole(-value.as_whole()?)),
                Value::Decimal(decimal) => {
                    let text = decimal.to_string();
                    let text = match text.strip_prefix('-') {
                        Some(positive) => positive.to_string(),
                        None => format!("-{text}"),
                    };
                    crate::value::decimal::Decimal::parse(&text).map(Value::Decimal)
                }
                Value::Double(number) => Some(Value::Double(-number)),
                _ => None,
            },
            Operand::Arithmetic(op, left, right) => self.arithmetic(*op, left, right),
        }
    }

    /// Whole numbers within BIGINT only: everything else depends on the server's own rules.
    fn arithmetic(&self, op: Arithmetic, left: &Operand, right: &Operand) -> Option<Value> {
        let (Value::Int(left), Value::Int(right)) = (self.operand(left)?, self.operand(right)?)
        else {
            return None;
        };
        let result = match op {
            Arithmetic::Add => left.checked_add(right),
            Arithmetic::Subtract => left.checked_sub(right),
            Arithmetic::Multiply => left.checked_mul(right),
        };
        result.map(Value::Int)
    }

    fn slot(&self, index: u16) -> Option<Value> {
        self.item(self.item_of(index)?)
    }

    /// A number of rows. Texts and NULL are one as parameters only: in a statement they are errors.
    fn row_count(&self, index: u16) -> Option<u64> {
        let item = self.item_of(index)?;
        let value = self.item(item)?;
        match item.kind {
            slot::LiteralKind::Param => value.as_count(),
            _ => u64::try_from(value.as_whole()?).ok(),
        }
    }

    /// All values of an IN list, `None` where one isn't known.
    pub fn list(&self, operands: &[Operand]) -> Option<Vec<Value>> {
        if let [Operand::Slot(index)] = operands {
            let slot: &Slot = self.binding.lexed.slots().get(usize::from(*index))?;
            if slot.kind == SlotKind::List {
                return self.binding.lexed.items(slot).iter().map(|item| self.item(item)).collect();
            }
        }
        operands.iter().map(|operand| self.operand(operand)).collect()
    }

    /// One column of a list of tuples.
    pub fn tuple_column(&self, index: u16, place: usize) -> Option<Vec<Value>> {
        let slot = self.binding.lexed.slots().get(usize::from(index))?;
        let SlotKind::Tuples { arity } = slot.kind else { return None };
        let items = self.binding.lexed.items(slot);
        items.chunks(usize::from(arity).max(1)).map(|tuple| self.item(tuple.get(place)?)).collect()
    }

    /// The value of a literal or parameter.
    pub(crate) fn item(&self, item: &Item) -> Option<Value> {
        let charset = self.session.charset;
        let number = |kind, text: &str| Value::from_literal(kind, text.as_bytes(), charset).ok();
        match literal::read(self.binding.sql, item, &self.binding.dialect) {
            Literal::Null => Some(Value::Null),
            Literal::Default => None,
            Literal::Boolean(value) => Some(Value::Int(i64::from(value))),
            Literal::Integer(text) => number(LiteralKind::Integer, &text),
            Literal::Decimal(text) => number(LiteralKind::Decimal, &text),
            Literal::Float(text) => number(LiteralKind::Float, &text),
            Literal::Text { charset: None, bytes } => Some(text(bytes, charset)),
            Literal::Text { charset: Some(name), bytes } if name.eq_ignore_ascii_case("binary") => {
                Some(Value::Binary(bytes.into_owned().into()))
            }
            Literal::Text { charset: Some(name), bytes } => {
                Some(text(bytes, CharsetClass::of(name)))
            }
            Literal::Hex(bytes) | Literal::Bit(bytes) => Some(Value::Binary(bytes.into())),
            Literal::Date(bytes) => Value::from_literal(LiteralKind::Date, &bytes, charset).ok(),
            Literal::Time(bytes) => Value::from_literal(LiteralKind::Time, &bytes, charset).ok(),
            Literal::Timestamp(bytes) => {
                Value::from_literal(LiteralKind::Timestamp, &bytes, charset).ok()
            }
            Literal::Param(index) => self.binding.parameters.get(index as usize).cloned(),
        }
    }
}

fn text(bytes: Cow<'_, [u8]>, charset: CharsetClass) -> Value {
    Value::Text(Text { bytes: bytes.into_owned().into(), charset })
}

impl Plan {
    /// Where this statement goes.
    pub fn bind<'p>(&'p self, binding: &Binding) -> Route<'p> {
        self.bind_within(binding, &[])
    }

    /// The same, with what indexes say of the shards of its sharded tables.
    pub fn bind_within<'p>(&'p self, binding: &Binding, within: &[(usize, ShardSet)]) -> Route<'p> {
        let route = self.bound(binding, within);
        if matches!(&route, Route::Write { targets, .. } if targets.len() > 1)
            && let Some(error) = self.refused_apart()
        {
            return Route::Refuse(error);
        }
        match route {
            Route::Workbench(_) if self.facts.returns => Route::Refuse(refuse(
                "scatter_returning",
                "A statement that reads rows of several shards to change some has no RETURNING: narrow it to one \
                 shard by the shard key, or leave RETURNING out",
            )),
            Route::Workbench(bench) => match bench.nothing_left(binding) {
                Some(error) => Route::Refuse(error),
                None => Route::Workbench(bench),
            },
            route => route,
        }
    }

    /// Why several places may not run their parts of a write.
    fn refused_apart(&self) -> Option<Error> {
        let inserts = matches!(self.kind, StatementKind::Insert | StatementKind::Replace);
        if inserts && self.traits.seeded {
            return Some(refuse(
                "scatter_function",
                "RAND of a constant would begin its sequence anew on each shard: narrow the statement to one \
                 shard by the shard key, or write the values",
            ));
        }
        (self.facts.returns && self.traits.sets_last_insert_id).then(|| {
            refuse(
                "scatter_returning",
                "LAST_INSERT_ID(expr) in RETURNING would be each shard's own: narrow the statement to one shard by \
                 the shard key",
            )
        })
    }

    fn bound<'p>(&'p self, binding: &Binding, within: &[(usize, ShardSet)]) -> Route<'p> {
        match &self.action {
            Action::Reply(reply) => Route::Reply(reply),
            Action::Session(action) => Route::Session(action),
            Action::Load(load) => Route::Load(load),
            Action::Refuse(error) => Route::Refuse(error.clone()),
            Action::Views(_) => Route::Refuse(refuse(
                REFUSED,
                "A view over sharded tables can't stand in this statement",
            )),
            Action::Fill => Route::Refuse(Error::internal("a statement without its ids")),
            Action::Tables(tables) => {
                if let (true, Some(bench)) = (tables.only_bench, &tables.bench) {
                    return Route::Workbench(bench);
                }
                if let Some(counted) = &tables.counted
                    && let Err(error) = counted.check(binding)
                {
                    return match &tables.bench {
                        Some(bench) if tables.rows.is_none() => Route::Workbench(bench),
                        _ => Route::Refuse(error),
                    };
                }
                let bound = match &tables.rows {
                    Some(rows) => match (self.split_rows(tables, rows, binding), &tables.bench) {
                        (Err(error), Some(bench)) if error.code == "insert_key" => {
                            Ok(Route::Workbench(bench))
                        }
                        (split, _) => split,
                    },
                    None => self.routed(tables, binding, within),
                };
                bound.unwrap_or_else(Route::Refuse)
            }
        }
    }

    /// A refusal for the statement's shape goes to the workbench where there is one.
    fn routed<'p>(
        &'p self,
        tables: &'p Tables,
        binding: &Binding,
        within: &[(usize, ShardSet)],
    ) -> Result<Route<'p>, Error> {
        match (self.route(tables, binding, within), &tables.bench) {
            (Err(error), Some(bench)) if is_shape(error.code) || tables.refuses(&error) => {
                Ok(Route::Workbench(bench))
            }
            (route, _) => route,
        }
    }

    fn route<'p>(
        &'p self,
        tables: &'p Tables,
        binding: &Binding,
        within: &[(usize, ShardSet)],
    ) -> Result<Route<'p>, Error> {
        if tables.sharded.is_empty() {
            return self.unsharded(tables, binding.session);
        }
        let values = Values::new(binding);
        let mut sets: SmallVec<[ShardSet; 2]> =
            tables.sharded.iter().map(|narrowed| condition::shards(narrowed, &values)).collect();
        for (place, found) in within {
            if let Some(set) = sets.get_mut(*place) {
                *set = std::mem::replace(set, ShardSet::none(0)).and(found);
            }
        }
        hinted::check(tables, &sets)?;
        if let Some(target) = one_group(tables, &sets) {
            return Ok(Route::Forward(self.placed(tables, target, binding.rules)?));
        }
        match &tables.many {
            None => Err(Error::internal("a plan over shards without a rule for many of them")),
            Some(Many::Refuse(error)) => Err(error.clone()),
            Some(Many::Broadcast) => self.unsharded(tables, binding.session),
            Some(Many::First) => {
                let set = joint(tables, &sets);
                let shard = set.iter().next().unwrap_or_default();
                let shards = SmallVec::from_elem(shard, tables.sharded.len());
                Ok(Route::Forward(self.placed(tables, shards, binding.rules)?))
            }
            Some(Many::Scatter { gather, allowed }) => {
                // What an index leads is no look through all rows, wherever its rows lie.
                let allowed = *allowed || !self.lookups(binding).is_empty();
                self.scatter(tables, &joint(tables, &sets), gather, allowed, binding.rules)
            }
            Some(Many::Write { write, allowed }) => {
                self.write(tables, &joint(tables, &sets), *write, *allowed, binding.rules)
            }
        }
    }

    /// Sharded tables lie together: shard `n` of one is beside shard `n` of the others.
    fn together(
        &self,
        tables: &Tables,
        set: &ShardSet,
        rules: &Rules,
    ) -> Result<Vec<Target>, Error> {
        let count = tables.sharded.len();
        set.iter()
            .map(|shard| {
                let shards = SmallVec::from_elem(shard, count);
                let mut target = self.placed(tables, shards, rules)?;
                target.scattered = true;
                Ok(target)
            })
            .collect()
    }

    fn alone<'p>(
        &'p self,
        tables: &'p Tables,
        set: &ShardSet,
        rules: &Rules,
    ) -> Result<Option<Route<'p>>, Error> {
        let shard = match set.len() {
            // No row can match: one shard says so in MySQL's own words.
            0 => 0,
            1 => set.iter().next().unwrap_or_default(),
            _ => return Ok(None),
        };
        let shards = SmallVec::from_elem(shard, tables.sharded.len());
        Ok(Some(Route::Forward(self.placed(tables, shards, rules)?)))
    }

    fn scatter<'p>(
        &'p self,
        tables: &'p Tables,
        set: &ShardSet,
        gather: &'p Gather,
        allowed: bool,
        rules: &Rules,
    ) -> Result<Route<'p>, Error> {
        if let Some(route) = self.alone(tables, set, rules)? {
            return Ok(route);
        }
        if self.tables.iter().any(is_of_one_place) {
            return Err(refuse(
                "cross_group",
                "A temporary table is on one connection, and information_schema is put together in one place, \
                 while shards are asked on several",
            ));
        }
        if !allowed {
            return Err(refuse(
                "scatter_read",
                format!(
                    "The statement would ask {} of {} shards, and the rules don't allow that: narrow it by \
                 the shard key ({}), or add the hint /*+ weir: scatter_ok */",
                    set.len(),
                    set.count(),
                    keys(tables),
                ),
            ));
        }
        Ok(Route::Scatter { targets: self.together(tables, set, rules)?, gather })
    }

    fn write<'p>(
        &'p self,
        tables: &'p Tables,
        set: &ShardSet,
        write: WriteKind,
        allowed: bool,
        rules: &Rules,
    ) -> Result<Route<'p>, Error> {
        if let Some(route) = self.alone(tables, set, rules)? {
            return Ok(route);
        }
        let mut targets = self.together(tables, set, rules)?;
        targets.iter_mut().for_each(|target| target.scattered = false);
        let groups = count_groups(&targets);
        if groups > 1 && !allowed {
            return Err(scattered_write(groups, tables));
        }
        Ok(Route::Write { targets, write })
    }

    /// No sharded table: the first group that holds everything, or all of them.
    fn unsharded<'p>(
        &'p self,
        tables: &'p Tables,
        session: &SessionFacts,
    ) -> Result<Route<'p>, Error> {
        let place = |index: usize| -> Option<Target> {
            Some(Target {
                group: *tables.groups.get(index)?,
                database: tables.databases.get(index).cloned().flatten(),
                shard: None,
                rows: Rows::All,
                scattered: false,
                shards: SmallVec::new(),
            })
        };
        let none = || Error::internal("a plan without a group");
        let has = |is: fn(&TableUse) -> bool| self.tables.iter().any(is);
        if has(|used| used.placement.is_temporary())
            && has(|used| is_information(used.schema.as_str()))
            && tables.bench.is_some()
        {
            return Err(refuse(
                "cross_group",
                "information_schema is put together where the session's temporary table isn't",
            ));
        }
        if let Some(Many::Refuse(error)) = &tables.many {
            return Err(error.clone());
        }
        if let Some(Many::Broadcast | Many::Write { .. }) = &tables.many {
            let write = match &tables.many {
                Some(Many::Write { write, .. }) => *write,
                _ => WriteKind::Broadcast,
            };
            let mut targets: Vec<Target> = (0..tables.groups.len()).filter_map(place).collect();
            return match targets.len() {
                0 => Err(none()),
                1 => targets.pop().map(Route::Forward).ok_or_else(none),
                _ => Ok(Route::Write { targets, write }),
            };
        }
        if let Some(Many::Scatter { gather, .. }) = &tables.many {
            let mut targets: Vec<Target> = (0..tables.groups.len()).filter_map(place).collect();
            if targets.len() > 1 {
                targets.iter_mut().for_each(|target| target.scattered = true);
                return Ok(Route::Scatter { targets, gather });
            }
        }
        let preferred =
            session.prefer.and_then(|group| tables.groups.iter().position(|g| *g == group));
        let spread = if self.facts.access == Access::Read && !tables.steady {
            (session.turn % tables.groups.len().max(1) as u64) as usize
        } else {
            0
        };
        place(preferred.unwrap_or(spread)).map(Route::Forward).ok_or_else(none)
    }

    /// The target that has these shards, one for each sharded table.
    pub(crate) fn placed(
        &self,
        tables: &Tables,
        shards: SmallVec<[u32; 2]>,
        _rules: &Rules,
    ) -> Result<Target, Error> {
        let first = tables.sharded.first().zip(shards.first());
        let Some(shard) = first.and_then(|(narrowed, shard)| narrowed.table.shard(*shard)) else {
            return Err(Error::internal("a shard beyond the table's"));
        };
        if !tables.lie_on(shard.group) {
            return Err(refuse(
                "cross_group",
                format!(
                    "Shard {} of table '{}' lies in another group than the statement's other tables: \
                 declare those as broadcast, or ask them in a statement of their own",
                    shards.first().copied().unwrap_or_default(),
                    tables.sharded.first().map_or("?", |n| n.table.name.as_str()),
                ),
            ));
        }
        Ok(Target {
            group: shard.group,
            database: Some(shard.database.clone()),
            shard: shards.first().copied(),
            rows: Rows::All,
            scattered: false,
            shards,
        })
    }

    fn split_rows<'p>(
        &'p self,
        tables: &'p Tables,
        routing: &RowRouting,
        binding: &Binding,
    ) -> Result<Route<'p>, Error> {
        let narrowed = tables
            .sharded
            .first()
            .ok_or_else(|| Error::internal("rows are routed without a sharded table"))?;
        let rows = binding.lexed.rows();
        let mut by_shard: Vec<(u32, Vec<u32>)> = Vec::new();
        let count = rows.len().max(1);
        let hinted =
            narrowed.is_hinted().then(|| condition::shards(narrowed, &Values::new(binding)));
        for number in 0..count {
            let shard = row_shard(narrowed, routing, binding, number)?;
            hinted::check_row(narrowed, hinted.as_ref(), (shard, number))?;
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            match by_shard.binary_search_by_key(&shard, |(shard, _)| *shard) {
                Ok(place) => {
                    if let Some((_, rows)) = by_shard.get_mut(place) {
                        rows.push(number);
                    }
                }
                Err(place) => by_shard.insert(place, (shard, vec![number])),
            }
        }
        let whole = by_shard.len() == 1;
        let mut targets = Vec::with_capacity(by_shard.len());
        for (shard, rows) in by_shard {
            let shards = SmallVec::from_elem(shard, tables.sharded.len());
            let mut target = self.placed(tables, shards, binding.rules)?;
            target.rows = if whole { Rows::All } else { Rows::Some(rows) };
            targets.push(target);
        }
        if whole {
            return targets.pop().map(Route::Forward).ok_or_else(|| Error::internal("no row"));
        }
        let groups = count_groups(&targets);
        match &tables.many {
            Some(Many::Write { write, allowed }) if *allowed || groups == 1 => {
                Ok(Route::Write { targets, write: *write })
            }
            Some(Many::Refuse(error)) => Err(error.clone()),
            _ => Err(scattered_write(groups, tables)),
        }
    }
}

/// The shards that the driving tables agree on; each part of a UNION has its own.
fn joint(tables: &Tables, sets: &[ShardSet]) -> ShardSet {
    let mut parts: SmallVec<[(usize, ShardSet); 2]> = SmallVec::new();
    for (set, narrowed) in sets.iter().zip(&tables.sharded).filter(|(_, narrowed)| narrowed.drives)
    {
        match parts.iter_mut().find(|(part, _)| *part == narrowed.part) {
            Some((_, joint)) => *joint = std::mem::replace(joint, ShardSet::none(0)).and(set),
            None => parts.push((narrowed.part, set.clone())),
        }
    }
    let mut joined: Option<ShardSet> = None;
    for (_, set) in parts {
        joined = Some(match joined {
            Some(joined) => joined.or(&set),
            None => set,
        });
    }
    joined.unwrap_or_else(|| ShardSet::none(0))
}

fn row_shard(
    narrowed: &Narrowed,
    routing: &RowRouting,
    binding: &Binding,
    number: usize,
) -> Result<u32, Error> {
    let (values, shape) = Values::of_row(binding, number);
    let operands = routing
        .shapes
        .get(shape)
        .ok_or_else(|| Error::internal("a row of a shape that was not planned"))?;
    let mut context = binding.session.assign;
    if routing.ignore {
        context = context.ignoring();
    }
    let mut stored: SmallVec<[Value; 2]> = SmallVec::new();
    for ((key, column), operand) in narrowed.table.keys.iter().zip(&narrowed.types).zip(operands) {
        let refused = |why: &str| {
            refuse(
                "insert_key",
                format!(
                    "Row {} gives the shard key '{}' of table '{}' a value whose stored form is not \
                 certain ({why}): write it as the column stores it",
                    number + 1,
                    key.name,
                    narrowed.table.name,
                ),
            )
        };
        let value = values.operand(operand).ok_or_else(|| refused("it is no plain value"))?;
        stored.push(key.stored(&value, column, context).map_err(refused)?);
    }
    narrowed.table.shard_of_row(&stored)
}

fn count_groups(targets: &[Target]) -> usize {
    let mut groups: Vec<GroupId> = targets.iter().map(|target| target.group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.len()
}

fn scattered_write(groups: usize, tables: &Tables) -> Error {
    refuse(
        "scatter_write",
        format!(
            "The statement would write to {groups} groups: narrow it by the shard key \
         ({}), allow scatter_writes in the rules, or add the hint /*+ weir: scatter_ok */",
            keys(tables),
        ),
    )
}

/// The shard keys of the statement's tables, for a message.
fn keys(tables: &Tables) -> String {
    let mut names: Vec<String> = vec![];
    for narrowed in &tables.sharded {
        for key in &narrowed.table.keys {
            let name = format!("{}.{}", narrowed.table.name, key.name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.join(", ")
}

/// Each sharded table is narrowed to one shard at most, and those shards are in one group: the
/// statement can go there whatever it does.
fn one_group(tables: &Tables, sets: &[ShardSet]) -> Option<SmallVec<[u32; 2]>> {
    let mut shards: SmallVec<[Option<u32>; 2]> = SmallVec::new();
    let mut group: Option<GroupId> = None;
    for (set, narrowed) in sets.iter().zip(&tables.sharded) {
        let only = match set.len() {
            0 => None,
            1 => set.iter().next(),
            _ => return None,
        };
        if let Some(only) = only {
            let here = narrowed.table.shard(only)?.group;
            if group.is_some_and(|group| group != here) {
                return None;
            }
            group = Some(here);
        }
        shards.push(only);
    }
    // A table of which no shard can match is asked where the others are, or at the first shard.
    let wanted = group
        .or_else(|| tables.groups.first().copied())
        .or_else(|| Some(tables.sharded.first()?.table.shard(0)?.group));
    shards
        .into_iter()
        .zip(&tables.sharded)
        .map(|(shard, narrowed)| match (shard, wanted) {
            (Some(shard), _) => Some(shard),
            (None, None) => None,
            (None, Some(group)) => {
                let place = narrowed.table.shards.iter().position(|shard| shard.group == group)?;
                u32::try_from(place).ok()
            }
        })
        .collect()
}

/// Whether shards can't each be asked together with the table.
fn is_of_one_place(used: &TableUse) -> bool {
    used.placement.is_temporary() || is_information(used.schema.as_str())
}

/// Whether a refusal is for the shape of a statement, and not for what the rules allow or for what
/// one of its functions would do.
fn is_shape(code: &str) -> bool {
    matches!(
        code,
        "cross_group"
            | "lateral"
            | "scatter_aggregate"
            | "scatter_distinct"
            | "scatter_function"
            | "scatter_join"
            | "scatter_limit"
            | "scatter_order"
            | "scatter_subquery"
            | "scatter_union"
            | "scatter_window"
    )
}

/// The offset and the count of merged rows.
///
/// # Errors
/// 1210 where a value is no count, as a server would say.
pub fn limit(limit: &Limit, binding: &Binding) -> Result<(u64, u64), Error> {
    Ok((count(&limit.offset, binding)?, count(&limit.count, binding)?))
}

/// A number that stands in the text or comes with the statement.
///
/// # Errors
/// 1210 where the value is no count.
pub fn count(count: &Count, binding: &Binding) -> Result<u64, Error> {
    match count {
        Count::Fixed(number) => Ok(*number),
        Count::Slot(slot) => Values::new(binding).row_count(*slot).ok_or_else(|| {
            Error::new(Fault::Client, 1210, b"HY000", "limit_value", "Incorrect arguments to LIMIT")
        }),
    }
}

impl Plan {
    /// The physical database and table behind a name of the statement at a target.
    pub(crate) fn physical<'p>(
        &'p self,
        index: usize,
        target: &Target,
    ) -> Option<(&'p std::sync::Arc<str>, &'p std::sync::Arc<str>)> {
        let used = self.tables.get(index)?;
        match &used.placement {
            Placement::Sharded(table) => {
                let number = target.shards.get(used.sharded?)?;
                let shard = table.shard(*number)?;
                Some((&shard.database, &shard.table))
            }
            Placement::Broadcast(table) => Some((table.database_in(target.group)?, &table.table)),
            Placement::Single(table) => Some((&table.database, &table.table)),
        }
    }
}
