//! Random tables: columns of every type, literals for them, and how they are sharded.
//!
//! Owns: [`SETS`], the rule sets, and the tables that a seed makes for one. Never: talks to a server.

use crate::oracle::forms::{self, Form, Type};
use crate::support::dice::Dice;
use crate::support::servers::Kind;

/// A column, of a table or of what stands for one in a FROM clause.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub form: &'static Form,
    pub nullable: bool,
}

/// Where a table's rows live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// By the rule set's key.
    Keyed,
    /// By another column, on other shards.
    Apart,
    Broadcast,
    /// On the default group, with no rule, or on another one.
    Single {
        group: usize,
    },
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: &'static str,
    pub place: Place,
    /// The primary key comes first: the shard key where there is one, and `id`.
    pub fields: Vec<Field>,
    pub keys: usize,
    pub rows: usize,
    /// Columns that are indexed.
    pub indexes: Vec<usize>,
}

/// One way to shard.
#[derive(Debug)]
pub struct Set {
    pub name: &'static str,
    /// The shard key: names, the columns' definitions and what the rules say of them.
    pub key: &'static [(&'static str, &'static Form, &'static str)],
    pub algorithm: &'static str,
    /// Shards of each of the databases, which lie on groups 0, 1 and 2 in turn.
    pub per_database: usize,
    pub databases: usize,
    pub groups: usize,
    /// Physical tables are called as the logical ones.
    pub equal_names: bool,
    /// The shard key may be NULL and is not in the primary key: rows are only read, since a unique
    /// key without the shard key isn't checked over shards.
    pub nulls: bool,
    /// Keyed tables have global secondary indexes.
    pub indexed: bool,
}

pub const SETS: &[Set] = &[
    Set {
        name: "one8",
        key: &[("k", &forms::KEY_BIGINT, "type: bigint")],
        algorithm: "{kind: modulo}",
        per_database: 8,
        databases: 1,
        groups: 1,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "three4",
        key: &[("k", &forms::KEY_UNSIGNED, "type: bigint unsigned")],
        algorithm: "{kind: hash}",
        per_database: 4,
        databases: 3,
        groups: 3,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "dates",
        key: &[("k", &forms::KEY_DATE, "type: date")],
        algorithm: "{kind: date, unit: month, start: '2024-01-01', otherwise: 0}",
        per_database: 2,
        databases: 3,
        groups: 3,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "texts",
        key: &[("k", &forms::KEY_TEXT, "type: varchar(20), collation: utf8mb4_general_ci")],
        algorithm: "{kind: hash}",
        per_database: 2,
        databases: 2,
        groups: 2,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "lists",
        key: &[("k", &forms::KEY_LIST, "type: varchar(8), collation: utf8mb4_unicode_ci")],
        algorithm: "{kind: list, lists: [{values: [DE, AT], shard: 0}, {values: [CN], shard: 1}], otherwise: 2}",
        per_database: 1,
        databases: 3,
        groups: 3,
        equal_names: true,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "ranges",
        key: &[("k", &forms::KEY_DATETIME, "type: datetime")],
        algorithm: "{kind: range, ranges: [{below: '2024-01-01', shard: 0}, {below: '2024-06-15 12:00:00', shard: 1}, {shard: 2}]}",
        per_database: 1,
        databases: 3,
        groups: 2,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "decimals",
        key: &[("k", &forms::KEY_DECIMAL, "type: 'decimal(10,2)'")],
        algorithm: "{kind: hash, function: crc32}",
        per_database: 3,
        databases: 2,
        groups: 2,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "pairs",
        key: &[
            ("k", &forms::KEY_INT, "type: int"),
            ("k2", &forms::KEY_BIN, "type: varchar(12), collation: utf8mb4_bin"),
        ],
        algorithm: "{kind: slots, slots: 64}",
        per_database: 2,
        databases: 3,
        groups: 3,
        equal_names: false,
        nulls: false,
        indexed: false,
    },
    Set {
        name: "nulls",
        key: &[("k", &forms::KEY_INT, "type: int")],
        algorithm: "{kind: modulo}",
        per_database: 2,
        databases: 3,
        groups: 3,
        equal_names: false,
        nulls: true,
        indexed: false,
    },
    Set {
        name: "indexed",
        key: &[("k", &forms::KEY_INT, "type: int")],
        algorithm: "{kind: modulo}",
        per_database: 2,
        databases: 3,
        groups: 3,
        equal_names: false,
        nulls: false,
        indexed: true,
    },
];

/// The columns of [`Set::indexed`]: the index's name, column, type, and what the rules say of it.
pub const INDEXED: &[(&str, &str, &Form, &str)] = &[
    ("by_w", "w", &forms::INDEXED_INT, "type: int"),
    ("by_x", "x", &forms::INDEXED_TEXT, "type: varchar(20), collation: utf8mb4_general_ci"),
];

impl Set {
    /// The indexes of its keyed tables.
    pub fn indexes(
        &self,
    ) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static Form, &'static str)>
    {
        INDEXED.iter().filter(|_| self.indexed)
    }

    pub fn group_of(&self, database: usize) -> usize {
        database % self.groups
    }

    /// The physical database of a number; broadcast and single tables live in the first of a group.
    pub fn database(&self, number: usize) -> String {
        format!("{}_{number}", self.name)
    }

    /// The tables that the dice make.
    pub fn tables(&self, kind: Kind, dice: &mut Dice) -> Vec<Table> {
        let single = Place::Single { group: 0 };
        let other = Place::Single { group: self.groups - 1 };
        [
            ("a", Place::Keyed, 36),
            ("b", Place::Keyed, 48),
            ("s", Place::Apart, 30),
            ("c", Place::Broadcast, 10),
            ("d", single, 14),
            ("e", other, 9),
        ]
        .into_iter()
        .map(|(name, place, rows)| self.table(name, place, rows, kind, dice))
        .collect()
    }

    fn table(
        &self,
        name: &'static str,
        place: Place,
        rows: usize,
        kind: Kind,
        dice: &mut Dice,
    ) -> Table {
        let mut fields = Vec::new();
        let mut key = |name: &str, form| {
            let nullable = self.nulls && name != "id";
            fields.push(Field { name: name.to_owned(), form, nullable });
        };
        match place {
            Place::Keyed => self.key.iter().for_each(|(name, form, _)| key(name, form)),
            Place::Apart => key("m", &forms::KEY_INT),
            Place::Broadcast | Place::Single { .. } => {}
        }
        key("id", &forms::ID);
        let keys = fields.len();
        let pool = forms::of(kind);
        let mut indexes = Vec::new();
        if self.indexed && place == Place::Keyed {
            for (_, name, form, _) in INDEXED {
                indexes.push(fields.len());
                fields.push(Field { name: (*name).to_owned(), form, nullable: true });
            }
        }
        for number in 0..7 + dice.index(4) {
            // What most tables have, more often than the rest.
            let common = dice.chance(40);
            let form = if common { dice.pick(&forms::COMMON) } else { dice.pick(&pool) };
            if form.indexable() && dice.chance(25) {
                indexes.push(fields.len());
            }
            let nullable = form.default().is_none() || dice.chance(65);
            // The same names in several tables, as applications have them.
            let name = if number < 3 {
                format!("c{number}")
            } else {
                format!("{}{number}", forms::initial(form.kind))
            };
            fields.push(Field { name, form, nullable });
        }
        Table { name, place, fields, keys, rows, indexes }
    }
}

impl Table {
    pub fn definition(&self) -> String {
        let mut parts: Vec<String> = self.fields.iter().map(Field::definition).collect();
        let primary = self.fields[..self.keys].iter().filter(|field| !field.nullable);
        let names: Vec<&str> = primary.map(|field| field.name.as_str()).collect();
        parts.push(format!("PRIMARY KEY ({})", names.join(", ")));
        for index in &self.indexes {
            parts.push(format!("KEY ({})", self.fields[*index].name));
        }
        format!(
            "({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
            parts.join(", ")
        )
    }

    /// All its rows, as they stand behind VALUES; and whether the first column is NULL in each.
    pub fn filling(&self, dice: &mut Dice) -> Vec<(String, bool)> {
        (1..=self.rows)
            .map(|id| {
                let values: Vec<String> = self
                    .fields
                    .iter()
                    .map(|field| match field.name.as_str() {
                        "id" => id.to_string(),
                        _ => field.stored(dice),
                    })
                    .collect();
                let null = values.first().is_some_and(|value| value == "NULL");
                (format!("({})", values.join(", ")), null)
            })
            .collect()
    }

    pub fn sharded(&self) -> bool {
        matches!(self.place, Place::Keyed | Place::Apart)
    }
}

impl Field {
    fn definition(&self) -> String {
        let null = match (self.nullable, self.form.default()) {
            (true, _) => "NULL".to_owned(),
            (false, Some(default)) if self.form.kind != Type::Key => {
                format!("NOT NULL DEFAULT {default}")
            }
            (false, _) => "NOT NULL".to_owned(),
        };
        format!("{} {} {null}", self.name, self.form.sql)
    }

    /// A literal that the column stores as it is.
    pub fn stored(&self, dice: &mut Dice) -> String {
        if self.nullable && dice.chance(15) {
            return "NULL".to_owned();
        }
        (*dice.pick(self.form.pool)).to_owned()
    }
}
