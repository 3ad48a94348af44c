//! What may be written in the rules' YAML files.
//!
//! Owns: the shapes, and with them the JSON Schema that editors and [`super::validate`] use. Never:
//! reads text, or decides whether what is written makes sense together ([`super::check`] does).
//!
//! All files of one directory make one document of this shape. Maps by name are split over files
//! freely; no name may occur twice. There is no `flatten` and no tagged enum, which would lose
//! positions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The whole of the rules.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RulesShape {
    /// What is allowed where a table doesn't say otherwise.
    pub settings: Option<SettingsShape>,
    /// Defaults of all groups: accounts, TLS and pools.
    pub group_defaults: Option<GroupDefaultsShape>,
    /// Groups by name: one primary and its replicas each.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupShape>,
    /// Logical databases by name.
    #[serde(default)]
    pub schemas: BTreeMap<String, SchemaShape>,
    /// Accounts of clients by name.
    #[serde(default)]
    pub users: BTreeMap<String, UserShape>,
    /// Acknowledges that rows of these tables (`schema.table`) were moved to where the new rules
    /// look for them, together with the hash of the rules that they were moved from
    /// (`weir check` prints it). Ignored unless the running rules have that hash.
    pub moved: Option<MovedShape>,
}

/// Says that rows were moved before the rules changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovedShape {
    /// The hash of the rules that the rows were placed by, 16 hex digits, quoted.
    pub from: String,
    /// The tables whose rows were moved, as `schema.table`.
    pub tables: Vec<String>,
}

/// What is allowed where a table doesn't say otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsShape {
    /// Reads that no shard key narrows may go to all shards. Default: true.
    pub scatter_reads: Option<bool>,
    /// UPDATE and DELETE that no shard key narrows may go to more than one group. Default: true.
    pub scatter_writes: Option<bool>,
    /// Names this deployment in the ids of transactions over several groups: the same in all
    /// proxies that share groups, another one where a foreign deployment uses the same servers. 1
    /// to 16 letters, digits, `_`, `-`, `.`. Default: weir.
    pub deployment: Option<String>,
    /// The database of the table `weir_commit` on each server, made where it is missing. Default:
    /// weir.
    pub commit_database: Option<String>,
}

/// What a transaction may be that touches several groups.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionsShape {
    /// Refused at the second group.
    Single,
    /// Each group commits for itself, one after the other.
    BestEffort,
    /// Two-phase commit.
    Atomic,
}

/// What becomes of LOCK TABLES for tables that are in several places.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LockTablesShape {
    /// It is refused.
    Refuse,
    /// It is answered with a warning, and nothing is locked: for dumps that are read through Weir.
    Ignore,
}

/// Defaults of all groups.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupDefaultsShape {
    pub accounts: Option<AccountsShape>,
    pub tls: Option<TlsShape>,
    pub pool: Option<PoolShape>,
    pub reads: Option<ReadsShape>,
}

/// Which replicas may answer a read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadsShape {
    /// A replica further behind than this gets no reads. Default: any lag will do.
    pub max_lag: Option<String>,
    /// Whether a session's reads go to the primary until a replica is known to have what the session
    /// wrote. Default: true.
    pub own_writes: Option<bool>,
}

/// One primary and its replicas, holding the same rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupShape {
    pub primary: NodeShape,
    #[serde(default)]
    pub replicas: Vec<NodeShape>,
    pub accounts: Option<AccountsShape>,
    pub tls: Option<TlsShape>,
    pub pool: Option<PoolShape>,
    pub reads: Option<ReadsShape>,
}

/// One server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeShape {
    /// Unique in the group. Default: `primary`, `replica1`, `replica2`, …
    pub name: Option<String>,
    /// `host:port`, `[v6]:port` or `unix:/path/to/socket`.
    pub address: String,
    /// Its share of the reads that replicas may answer. Default: 100 for replicas, 0 for the primary.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub weight: Option<u32>,
    /// Where it stands, for reads from the same zone first.
    pub zone: Option<String>,
}

/// The service accounts of a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountsShape {
    /// Runs the clients' statements.
    pub data: AccountShape,
    /// Probes, catalog loads, KILL. Default: the data account.
    pub control: Option<AccountShape>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountShape {
    pub user: String,
    /// `env:NAME`, `file:/path` or `none`; never the password itself.
    pub password: String,
}

/// TLS to the nodes of a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsShape {
    pub mode: TlsModeShape,
    /// Certificates that `verify` trusts, a PEM file. Default: the system's.
    pub ca: Option<String>,
    /// A client certificate, a PEM file; needs `key`.
    pub certificate: Option<String>,
    pub key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsModeShape {
    Off,
    Preferred,
    Required,
    Verify,
}

/// Connections to each node of a group. Durations are numbers with `ms`, `s`, `m` or `h`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolShape {
    /// The most connections to one node. Default: 32.
    #[schemars(range(min = 1, max = 100_000))]
    pub size: Option<u32>,
    /// How long a statement waits for a free connection. Default: `timeouts.pool_wait` of the settings.
    pub wait: Option<String>,
    /// Default: 3s.
    pub connect_timeout: Option<String>,
    /// The longest that a statement runs. Default: `timeouts.statement` of the settings.
    pub statement_timeout: Option<String>,
    /// Default: 5m.
    pub idle_timeout: Option<String>,
    /// Default: 1h.
    pub lifetime: Option<String>,
    /// How often health is probed. Default: 1s.
    pub probe_interval: Option<String>,
}

/// An account that clients log in with. `weir hash-password` makes the verifiers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserShape {
    /// The verifier of mysql_native_password: `*` and 40 hex digits.
    pub native: Option<String>,
    /// The verifier of caching_sha2_password: `0x` and 140 hex digits, as
    /// `SELECT HEX(authentication_string)` shows it; or `sha2:` and 64 hex digits, which lets
    /// clients use the fast path at once.
    pub sha2: Option<String>,
    /// The schemas that the account may use, or `"*"` alone for all of them.
    pub schemas: Vec<String>,
    /// The schema that a client is in which names none.
    pub default_schema: Option<String>,
    /// Default: read and write.
    pub rights: Option<Vec<RightShape>>,
    /// Default: no limit of its own.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<u32>,
    /// Rows that the workbench may gather for one statement of this account; a hint can't raise it.
    /// Default: `limits.workbench_rows`.
    #[schemars(range(min = 1))]
    pub workbench_rows: Option<u64>,
    /// Bytes of these rows, such as 64MiB. Default: `limits.workbench_bytes`.
    pub workbench_bytes: Option<String>,
    /// What a sorted or grouped merge may hold for one statement, such as 64MiB. Default:
    /// `limits.merge_memory`.
    pub merge_memory: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RightShape {
    Read,
    Write,
    Ddl,
    Admin,
}

/// A logical database.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaShape {
    /// Where tables live that no rule names. Default: the first group of `databases`.
    pub default_group: Option<String>,
    /// The physical database of broadcast and single tables, by group.
    pub databases: BTreeMap<String, String>,
    /// What a transaction may be that touches several groups. Default: atomic.
    pub transactions: Option<TransactionsShape>,
    /// Reads over several shards and groups never show half of a transaction that is being
    /// committed: they lock the rows that they read. Default: false.
    pub consistent_reads: Option<bool>,
    /// What becomes of LOCK TABLES for sharded and broadcast tables. Default: refuse.
    pub lock_tables: Option<LockTablesShape>,
    /// TDDL only: what the names that `dbNamePattern` makes stand for.
    #[serde(default)]
    pub tddl_groups: BTreeMap<String, PlaceShape>,
    /// Tables by name. A table that isn't here is a single table of the default group.
    #[serde(default)]
    pub tables: BTreeMap<String, TableShape>,
}

/// A physical database on a group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceShape {
    pub group: String,
    pub database: String,
}

/// One table: exactly one of `algorithm` with `shards`, `bind`, `tddl`, `broadcast`, `group`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableShape {
    /// The shard key. With `bind`: its columns' names where they differ from the other table's.
    #[serde(default)]
    pub key: Vec<KeyShape>,
    pub algorithm: Option<AlgorithmShape>,
    pub shards: Option<ShardsShape>,
    /// Sharded as this table is: equal keys live together, so that joins stay inside a shard.
    pub bind: Option<String>,
    /// With `bind`: the pattern of this table's physical names. Default: `<name>_{0000}`.
    pub tables: Option<String>,
    /// A rule as TDDL writes it.
    pub tddl: Option<TddlShape>,
    /// `true`: a full copy in every group of the schema.
    pub broadcast: Option<bool>,
    /// A single table: the group that it lives in.
    pub group: Option<String>,
    /// Broadcast and single tables: the physical name. Default: the same name.
    pub table: Option<String>,
    /// Fills a column of this table where an INSERT leaves it to AUTO_INCREMENT.
    pub sequence: Option<SequenceShape>,
    /// Sharded tables: global secondary indexes by name. Each is kept in a lookup table of its own in
    /// the transaction of the write, and statements that give its columns' values are routed by it.
    #[serde(default)]
    pub indexes: BTreeMap<String, IndexShape>,
    pub scatter_reads: Option<bool>,
    pub scatter_writes: Option<bool>,
}

/// A global secondary index.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexShape {
    /// The indexed columns, with their types and collations.
    pub columns: Vec<KeyShape>,
    /// No two rows of all shards have equal values. Default: false.
    pub unique: Option<bool>,
    /// `building`: kept, but not read, until `weir index fill` and `weir index check` are through.
    /// `ready`: statements are routed by it. Default: building.
    pub state: Option<IndexStateShape>,
    /// Where the lookup table's shards are. Default: as many as the table has, in the same databases,
    /// named `weir_ix_<table>_<index>_{0000}`.
    pub shards: Option<ShardsShape>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum IndexStateShape {
    Building,
    Ready,
}

/// One column of a shard key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyShape {
    pub column: String,
    /// The column's type as MySQL writes it. Default: bigint.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Of a text column.
    pub collation: Option<String>,
    /// How texts are made alike before they are routed: `none`, `trim`, `ascii_ci` or
    /// `weights(<collation>)`. Default: what `collation` needs; `none` in TDDL's rules.
    pub fold: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AlgorithmKindShape {
    /// The non-negative remainder of an integer by the number of shards.
    Modulo,
    /// A hash of the key, by the number of shards.
    Hash,
    /// Ascending ranges.
    Range,
    /// Listed values.
    List,
    /// Years, months, weeks or days.
    Date,
    /// Some characters of a text.
    Slice,
    /// A hash over virtual slots, each of which belongs to a shard.
    Slots,
}

/// How a key chooses a shard. Which of the fields are allowed depends on `kind`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmShape {
    pub kind: AlgorithmKindShape,
    /// hash, slots, slice: the function. Default: xxh64.
    pub function: Option<HashFunctionShape>,
    /// range: in ascending order; the last may go without `below`.
    pub ranges: Option<Vec<RangeShape>>,
    /// list: which values live where.
    pub lists: Option<Vec<ListShape>>,
    /// list, range, date: the shard of all other values. Default: they are refused.
    pub otherwise: Option<u32>,
    /// date: what one shard holds.
    pub unit: Option<DateUnitShape>,
    /// date: the first day of shard 0, quoted: '2024-01-01'.
    pub start: Option<String>,
    /// date: after the last shard comes the first again. Default: false.
    pub cycle: Option<bool>,
    /// slice: the first character, counted from 0, or from the end where negative.
    pub from: Option<i32>,
    /// slice: how many characters.
    #[schemars(range(min = 1, max = 255))]
    pub length: Option<u32>,
    /// slice: the characters are a number (its remainder decides), or a text to be hashed.
    #[serde(rename = "as")]
    pub slice_as: Option<SliceAsShape>,
    /// slots: how many there are. Default: 1024.
    #[schemars(range(min = 1, max = 65_536))]
    pub slots: Option<u32>,
    /// slots: which of them belong where. Default: equal, consecutive parts.
    pub owners: Option<Vec<SlotOwnerShape>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum HashFunctionShape {
    /// XXH64 with seed 0; integers as 8 bytes, little endian.
    Xxh64,
    /// MySQL's `CRC32(key)`; integers as decimal text.
    Crc32,
    /// MurmurHash3 (x86, 32 bits, seed 0); integers as decimal text.
    Murmur3,
    /// Java's `hashCode()` of a String or Long.
    Java,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RangeShape {
    /// Values below this one (and not below the range before).
    pub below: Option<ScalarShape>,
    pub shard: u32,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListShape {
    pub values: Vec<ScalarShape>,
    pub shard: u32,
}

/// A number or a text (dates are quoted texts).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScalarShape {
    Number(i64),
    Text(String),
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DateUnitShape {
    Year,
    Month,
    Week,
    Day,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SliceAsShape {
    Number,
    Hash,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotOwnerShape {
    pub from: u32,
    /// Included.
    pub to: u32,
    pub shard: u32,
}

/// Where the shards are: databases and tables by pattern, or a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardsShape {
    /// How many there are, numbered through the databases in order.
    #[schemars(range(min = 1, max = 65_536))]
    pub count: Option<u32>,
    /// The physical databases' names, such as `shop_{0000}`; numbered from 0.
    pub databases: Option<String>,
    /// The group of each database, in order. Each holds `count` / databases shards.
    pub groups: Option<Vec<String>>,
    /// The physical tables' names, such as `orders_{0000}`; numbered through all databases.
    pub tables: Option<String>,
    /// The tables are numbered from 0 again in each database. Default: false.
    pub restart: Option<bool>,
    /// Instead of all of the above: every shard by itself.
    pub list: Option<Vec<ShardShape>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShardShape {
    pub group: String,
    pub database: String,
    pub table: String,
}

/// A rule as TDDL writes it, under TDDL's own names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TddlShape {
    /// Such as `SHOP_{0000}_GROUP`; each name is looked up in the schema's `tddl_groups`.
    pub db_name_pattern: String,
    pub db_rule_array: Option<RulesListShape>,
    /// Such as `orders_{0000}`. Default: the table's own name.
    pub tb_name_pattern: Option<String>,
    pub tb_rule_array: Option<RulesListShape>,
    /// As `scatter_reads`. TDDL's default is false.
    pub allow_full_table_scan: Option<bool>,
    /// Tables of one joinGroup with equal rules are bound.
    pub join_group: Option<String>,
    /// Weir's own: the first sample of date columns, quoted. Default: '2000-01-01', which is enough
    /// for rules that only look at month, day or weekday.
    pub date_start: Option<String>,
}

/// One expression, or several of which the first one whose columns are known is used.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RulesListShape {
    One(String),
    Many(Vec<String>),
}

/// Declares how a column of a sharded table is filled, as AUTO_INCREMENT would be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceShape {
    pub column: String,
    pub kind: SequenceKindShape,
    /// The sequence's own name, for `NEXT VALUE FOR` and in the groups' tables. Tables that name the
    /// same one share it. Default: the table's name.
    pub name: Option<String>,
    /// segment: the groups that hand out ranges. snowflake: the one that leases worker ids.
    /// Default: all groups of the schema, or the default group.
    pub groups: Option<Vec<String>>,
    /// The table in the groups' databases that holds ranges or leases; made where it is missing.
    /// Default: `weir_sequence` or `weir_worker`.
    pub table: Option<String>,
    /// segment: how many values a range has (TDDL's inner step), which is also the most rows that
    /// one statement can have filled. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub step: Option<u32>,
    /// segment: the first value. Raised later, it moves the sequence on. Default: 1.
    pub start: Option<i64>,
    /// segment: moves a group's value up that is not where this step and these groups can have
    /// left it, rather than refusing it. Default: false.
    pub adjust: Option<bool>,
    /// snowflake: the day at which time is 0. Default: 2024-01-01.
    pub epoch: Option<String>,
    /// snowflake: bits of the worker's id. Default: 10 (1024 proxies).
    #[schemars(range(min = 1, max = 16))]
    pub worker_bits: Option<u8>,
    /// snowflake: bits of the counter within a millisecond; two to its power is the most rows that
    /// one statement can have filled. Default: 12 (4096).
    #[schemars(range(min = 4, max = 20))]
    pub sequence_bits: Option<u8>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SequenceKindShape {
    Snowflake,
    Segment,
}
