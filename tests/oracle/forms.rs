//! The column types, each with values that it stores unchanged: ordinary ones and extremes.
//!
//! Owns: data. Never: draws.

use crate::support::servers::Kind;

/// What an expression of this type can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Key,
    Whole,
    Decimal,
    Float,
    Date,
    DateTime,
    Time,
    Year,
    Text,
    Bytes,
    Label,
    Bit,
    Json,
    Shape,
}

#[derive(Debug)]
pub struct Form {
    pub sql: &'static str,
    pub kind: Type,
    /// Literals.
    pub pool: &'static [&'static str],
    /// Which servers know it.
    pub on: Option<Kind>,
}

const fn form(sql: &'static str, kind: Type, pool: &'static [&'static str]) -> Form {
    Form { sql, kind, pool, on: None }
}

const fn only(on: Kind, sql: &'static str, kind: Type, pool: &'static [&'static str]) -> Form {
    Form { sql, kind, pool, on: Some(on) }
}

pub const ID: Form =
    form("INT", Type::Whole, &["1", "2", "3", "5", "8", "13", "21", "30", "0", "-1", "100", "34"]);
pub const KEY_BIGINT: Form = form(
    "BIGINT",
    Type::Whole,
    &[
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "8",
        "9",
        "15",
        "16",
        "-1",
        "-7",
        "-8",
        "9223372036854775807",
        "-9223372036854775808",
        "10",
    ],
);
pub const KEY_UNSIGNED: Form = form(
    "BIGINT UNSIGNED",
    Type::Whole,
    &[
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "10",
        "11",
        "12",
        "255",
        "18446744073709551615",
        "9223372036854775808",
    ],
);
pub const KEY_INT: Form =
    form("INT", Type::Whole, &["0", "1", "2", "3", "4", "5", "6", "7", "-1", "2147483647"]);
pub const INDEXED_INT: Form = form("INT", Type::Whole, &["0", "1", "2", "3", "-1", "7", "50"]);
pub const INDEXED_TEXT: Form = form(
    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    Type::Text,
    &["'abc'", "'ABC'", "'abc '", "'áBC'", "''", "'straße'", "'Zoë'", "'12'", "'it''s'"],
);
pub const KEY_DATE: Form = form(
    "DATE",
    Type::Date,
    &[
        "'2024-01-01'",
        "'2024-01-31'",
        "'2024-02-29'",
        "'2024-03-01'",
        "'2024-04-15'",
        "'2024-05-05'",
        "'2024-06-30'",
        "'2023-12-31'",
        "'2025-01-01'",
        "'2024-02-01'",
        "'0000-00-00'",
    ],
);
pub const KEY_DATETIME: Form = form(
    "DATETIME",
    Type::DateTime,
    &[
        "'2023-12-31 23:59:59'",
        "'2024-01-01 00:00:00'",
        "'2024-06-15 12:00:00'",
        "'2024-06-15 11:59:59'",
        "'2024-02-29 10:11:12'",
        "'2025-01-01 00:00:00'",
        "'1999-12-31 00:00:01'",
        "'0000-00-00 00:00:00'",
    ],
);
pub const KEY_TEXT: Form = form(
    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
    Type::Text,
    &[
        "'abc'",
        "'ABC'",
        "'abc '",
        "'áBC'",
        "''",
        "' '",
        "'straße'",
        "'strase'",
        "'Zoë'",
        "'zoe'",
        "'12'",
        "'x y'",
        "'it''s'",
    ],
);
pub const KEY_LIST: Form = form(
    "VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    Type::Text,
    &["'DE'", "'de'", "'At'", "'AT '", "'CN'", "'cn'", "'FR'", "'fr '", "'ÁT'", "''"],
);
pub const KEY_DECIMAL: Form = form(
    "DECIMAL(10,2)",
    Type::Decimal,
    &["0.00", "1.00", "1.50", "-1.50", "99999999.99", "-99999999.99", "2.25", "10.10", "3.00"],
);
pub const KEY_BIN: Form = form(
    "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    Type::Text,
    &["'a'", "'A'", "'a '", "'é'", "''", "'b'"],
);

const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'A'",
    "'a '",
    "'á'",
    "'Á'",
    "'b'",
    "'ab'",
    "'aB'",
    "'straße'",
    "'strasse'",
    "'Zoë'",
    "'zoe'",
    "'%_'",
    r"'\\'",
    "'it''s'",
    "'12'",
    "'1e1'",
    "'0x1'",
    r"'a\t'",
    "' a'",
    "'-5.5'",
    "'NULL'",
    "'2024-02-29'",
    "'z'",
];
const LATIN: &[&str] =
    &["''", "'a'", "'A'", "'a '", "'á'", "'b'", "'ß'", "'ss'", "'z'", "'12'", "'ü'", "'ab'"];
const WIDE: &[&str] = &["''", "'a'", "'A'", "'日本'", "'😀'", "'a '", "'é'", "'b'", "'zz'"];

/// What expressions are taken for.
pub static COMPUTED_NUMBER: Form = form("", Type::Float, &["0", "1", "2", "-1", "1.5", "10"]);
pub static COMPUTED_TEXT: Form = form("", Type::Text, &["''", "'a'", "'A'", "'ab'"]);
pub static COMPUTED_MOMENT: Form = form("", Type::DateTime, MOMENTS);

/// What most tables have.
pub static COMMON: [Form; 8] = [
    form(
        "INT",
        Type::Whole,
        &["0", "1", "2", "3", "-1", "42", "7", "7", "2147483647", "-2147483648"],
    ),
    form("INT", Type::Whole, &["0", "1", "2", "3", "4", "5"]),
    form("BIGINT", Type::Whole, &["0", "1", "-1", "1000000007", "9007199254740993", "5"]),
    form("DECIMAL(10,2)", Type::Decimal, &["0.00", "1.10", "-1.10", "99999999.99", "2.50", "3.00"]),
    form("VARCHAR(20)", Type::Text, TEXTS),
    form("VARCHAR(20)", Type::Text, TEXTS),
    form("DATETIME", Type::DateTime, MOMENTS),
    form("DATE", Type::Date, DAYS),
];

const MOMENTS: &[&str] = &[
    "'2024-01-01 00:00:00'",
    "'2024-02-29 12:34:56'",
    "'1999-12-31 23:59:59'",
    "'0000-00-00 00:00:00'",
    "'9999-12-31 23:59:59'",
    "'2024-02-29 12:34:55'",
];
/// Not '2023-00-00': both kinds of server make it no day in the temporary tables that they sort in.
const DAYS: &[&str] =
    &["'2024-01-01'", "'2024-02-29'", "'1999-12-31'", "'0000-00-00'", "'9999-12-31'"];

const ALL: &[Form] = &[
    form("TINYINT", Type::Whole, &["0", "1", "-1", "127", "-128", "5"]),
    form("TINYINT(1)", Type::Whole, &["0", "1"]),
    form("SMALLINT UNSIGNED", Type::Whole, &["0", "1", "65535", "300"]),
    form("MEDIUMINT", Type::Whole, &["0", "8388607", "-8388608", "12"]),
    form("INT UNSIGNED", Type::Whole, &["0", "1", "4294967295", "77"]),
    form("INT(6) ZEROFILL", Type::Whole, &["0", "1", "123456", "77"]),
    form(
        "BIGINT UNSIGNED",
        Type::Whole,
        &["0", "1", "18446744073709551615", "9223372036854775808"],
    ),
    form("BIGINT", Type::Whole, &["9223372036854775807", "-9223372036854775808", "0", "3"]),
    form("DECIMAL(5,0)", Type::Decimal, &["0", "99999", "-99999", "5"]),
    form(
        "DECIMAL(30,10)",
        Type::Decimal,
        &["0.0000000001", "-12345678901234567890.0123456789", "1.0000000000", "0"],
    ),
    form("DECIMAL(65,30)", Type::Decimal, &["1.5", "-0.000000000000000000000000000001", "7"]),
    form("DECIMAL(8,3) UNSIGNED", Type::Decimal, &["0.001", "99999.999", "2.000"]),
    form("FLOAT", Type::Float, &["0", "1.5", "-0e0", "3.4e38", "1234567.9", "1e-30", "0.1"]),
    form("FLOAT(7,2)", Type::Float, &["0", "1.25", "12345.67", "-3.5"]),
    form("DOUBLE", Type::Float, &["0", "-0e0", "1.7976931348623157e308", "1e-300", "0.1", "2.5"]),
    form("DOUBLE(10,3)", Type::Float, &["0", "1.125", "-1234567.891"]),
    form(
        "DATETIME(6)",
        Type::DateTime,
        &[
            "'2024-01-01 00:00:00.000001'",
            "'2024-01-01 00:00:00.999999'",
            "'2024-01-01 00:00:00'",
            "'0000-00-00 00:00:00'",
        ],
    ),
    form(
        "DATETIME(3)",
        Type::DateTime,
        &["'2024-01-01 00:00:00.120'", "'2024-02-29 23:59:59.999'"],
    ),
    form(
        "TIMESTAMP",
        Type::DateTime,
        &[
            "'2024-01-01 00:00:00'",
            "'2038-01-19 03:14:07'",
            "'1970-01-02 00:00:01'",
            "'0000-00-00 00:00:00'",
            // Rows come in by UTC: the hour that Berlin has twice, and both ends of it. As literals
            // they are that hour itself, and one that it never has.
            "'2024-10-27 00:30:00'",
            "'2024-10-27 01:30:00'",
            "'2024-10-27 02:30:00'",
            "'2024-10-27 02:00:00'",
            "'2024-03-31 01:00:00'",
            "'2024-03-31 02:30:00'",
        ],
    ),
    form(
        "TIMESTAMP(6)",
        Type::DateTime,
        &[
            "'2024-01-01 00:00:00.5'",
            "'2024-01-01 00:00:00.500001'",
            "'2024-10-27 00:59:59.999999'",
            "'2024-10-27 01:59:59.999999'",
            "'2024-10-27 02:59:59.999999'",
        ],
    ),
    form(
        "TIME",
        Type::Time,
        &["'00:00:00'", "'12:34:56'", "'-838:59:59'", "'838:59:59'", "'-00:00:01'"],
    ),
    form("TIME(6)", Type::Time, &["'00:00:00.000001'", "'-12:34:56.789'", "'12:34:56'"]),
    form("YEAR", Type::Year, &["2024", "1901", "2155", "0", "1999"]),
    form("CHAR(10)", Type::Text, TEXTS),
    form("CHAR(6) COLLATE utf8mb4_bin", Type::Text, &["''", "'a'", "'A'", "'á'", "'b'", "'12'"]),
    form("VARCHAR(20) COLLATE utf8mb4_bin", Type::Text, TEXTS),
    form("VARCHAR(20) COLLATE utf8mb4_unicode_ci", Type::Text, TEXTS),
    form("VARCHAR(20) COLLATE utf8mb4_general_ci", Type::Text, WIDE),
    form("VARCHAR(12) CHARACTER SET latin1", Type::Text, LATIN),
    form("VARCHAR(12) CHARACTER SET latin1 COLLATE latin1_german2_ci", Type::Text, LATIN),
    form("VARCHAR(12) CHARACTER SET ascii", Type::Text, &["''", "'a'", "'A'", "'b '", "'zz'"]),
    form("VARCHAR(12) CHARACTER SET utf16", Type::Text, WIDE),
    only(Kind::MariaDb, "VARCHAR(20) COLLATE utf8mb4_nopad_bin", Type::Text, TEXTS),
    only(Kind::MariaDb, "VARCHAR(20) COLLATE utf8mb4_general_nopad_ci", Type::Text, TEXTS),
    only(Kind::MariaDb, "VARCHAR(20) COLLATE utf8mb4_unicode_520_nopad_ci", Type::Text, TEXTS),
    only(Kind::MySql, "VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", Type::Text, TEXTS),
    only(Kind::MySql, "VARCHAR(20) COLLATE utf8mb4_0900_as_cs", Type::Text, TEXTS),
    only(Kind::MySql, "VARCHAR(20) COLLATE utf8mb4_0900_bin", Type::Text, TEXTS),
    form("TEXT", Type::Text, TEXTS),
    form("TINYTEXT COLLATE utf8mb4_bin", Type::Text, WIDE),
    form("BINARY(4)", Type::Bytes, &["x'00'", "x'61'", "x'6100ff'", "''"]),
    form("VARBINARY(10)", Type::Bytes, &["x'00'", "x'61'", "x'6120'", "''", "x'ff00ff'"]),
    form("BLOB", Type::Bytes, &["x'00'", "'text'", "x'ffd8'", "''"]),
    form("ENUM('z','b','a','') CHARACTER SET utf8mb4", Type::Label, &["'z'", "'b'", "'a'", "''"]),
    form("SET('x','b','a')", Type::Label, &["''", "'x'", "'a'", "'x,a'", "'b,a'"]),
    form("BIT(1)", Type::Bit, &["b'0'", "b'1'"]),
    form("BIT(12)", Type::Bit, &["b'0'", "b'1'", "b'101010101010'", "b'111111111111'"]),
    form(
        "JSON",
        Type::Json,
        &[
            "'{\"a\": 1}'",
            "'[1, 2]'",
            "'\"x\"'",
            "'null'",
            "'10'",
            "'2'",
            "'{\"a\": \"é\", \"b\": [1, {\"c\": null}]}'",
        ],
    ),
    form(
        "POINT",
        Type::Shape,
        &["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(-1.5 0)')"],
    ),
];

/// The types that this kind of server has.
pub fn of(kind: Kind) -> Vec<&'static Form> {
    ALL.iter().filter(|form| form.on.is_none_or(|only| only == kind)).collect()
}

/// The letter of a column's name.
pub fn initial(kind: Type) -> &'static str {
    match kind {
        Type::Key | Type::Whole => "i",
        Type::Decimal => "n",
        Type::Float => "f",
        Type::Date | Type::DateTime => "d",
        Type::Time | Type::Year => "t",
        Type::Text => "v",
        Type::Bytes => "b",
        Type::Label => "l",
        Type::Bit => "bit",
        Type::Json => "j",
        Type::Shape => "g",
    }
}

impl Form {
    /// The DEFAULT of a NOT NULL column, where the type may have one.
    pub fn default(&self) -> Option<&'static str> {
        let none = matches!(self.kind, Type::Json | Type::Shape)
            || self.sql.contains("TEXT")
            || self.sql.contains("BLOB");
        if none { None } else { self.pool.first().copied() }
    }

    /// By an index MariaDB looks a number up as the nearest FLOAT, which a scan finds unequal.
    pub fn indexable(&self) -> bool {
        self.default().is_some() && !self.sql.starts_with("BIT") && !self.sql.starts_with("FLOAT")
    }

    /// Whether texts that differ can be equal.
    pub fn folds(&self) -> bool {
        match self.kind {
            // Padding makes 'a' and 'a ' equal in _bin too; -0 and 0 are equal floats.
            Type::Text | Type::Float => true,
            Type::Json | Type::Label => true,
            _ => false,
        }
    }

    /// Floats whose sums differ in the last digits only.
    pub fn summable(&self) -> bool {
        self.sql.starts_with("FLOAT(") || self.sql.starts_with("DOUBLE(")
    }

    /// Whether ORDER BY, GROUP BY and DISTINCT take it, with the whole value.
    pub fn sortable(&self) -> bool {
        !matches!(self.kind, Type::Json | Type::Shape)
    }

    /// The same for GROUP BY and DISTINCT: a temporary table, where one is used, makes BIT a number.
    pub fn groupable(&self) -> bool {
        self.sortable() && self.kind != Type::Bit
    }
}
