use super::*;

#[test]
fn literals_become_canonical_values() {
    let read =
        |kind, text: &str| Value::from_literal(kind, text.as_bytes(), CharsetClass::Utf8).unwrap();
    assert_eq!(read(LiteralKind::Integer, "007"), Value::Int(7));
    assert_eq!(read(LiteralKind::Integer, "-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(read(LiteralKind::Integer, "18446744073709551615"), Value::UInt(u64::MAX));
    assert_eq!(
        read(LiteralKind::Integer, "18446744073709551616").to_string(),
        "18446744073709551616"
    );
    assert_eq!(read(LiteralKind::Decimal, ".50").to_string(), "0.50");
    assert_eq!(read(LiteralKind::Float, "25e-1"), Value::Double(2.5));
    assert_eq!(read(LiteralKind::Hex, "0x4D4"), Value::Binary(vec![0x04, 0xD4].into()));
    assert_eq!(read(LiteralKind::Hex, "x'4D'"), Value::Binary(vec![0x4D].into()));
    assert_eq!(read(LiteralKind::Bit, "b'101'"), Value::Binary(vec![5].into()));
    assert_eq!(read(LiteralKind::Date, "2024-2-29").to_string(), "2024-02-29");
    assert!(Value::from_literal(LiteralKind::Date, b"2023-02-29", CharsetClass::Utf8).is_err());
    let huge = Value::from_literal(LiteralKind::Float, b"1e999", CharsetClass::Utf8).unwrap_err();
    assert_eq!((huge.errno, huge.code), (1367, "float_overflow"));
    let unknown = Value::from_parameter(0x20, false, b"1", CharsetClass::Utf8).unwrap_err();
    assert_eq!((unknown.errno, unknown.code), (1210, "parameter_type"));
    assert!(Value::from_literal(LiteralKind::Integer, b"\xff", CharsetClass::Utf8).is_err());
}

#[test]
fn parameters_become_the_same_values_as_literals() {
    let read = |kind, unsigned, bytes: &[u8]| {
        Value::from_parameter(kind, unsigned, bytes, CharsetClass::Utf8)
    };
    assert_eq!(read(8, false, &(-5i64).to_le_bytes()).unwrap(), Value::Int(-5));
    assert_eq!(read(8, true, &u64::MAX.to_le_bytes()).unwrap(), Value::UInt(u64::MAX));
    assert_eq!(read(1, false, &[0xff]).unwrap(), Value::Int(-1));
    assert_eq!(read(1, true, &[0xff]).unwrap(), Value::Int(255));
    assert_eq!(read(5, false, &2.5f64.to_le_bytes()).unwrap(), Value::Double(2.5));
    assert_eq!(read(0xf6, false, b"1.0").unwrap().as_whole(), Some(1));
    assert_eq!(read(12, false, &[0xe8, 7, 2, 29]).unwrap().to_string(), "2024-02-29 00:00:00");
    assert!(read(8, false, &[1, 2, 3]).is_err());
    assert!(read(12, false, &[0xe8, 7, 2]).is_err());
    assert!(read(12, false, &[0xe8, 7, 2, 30]).is_err());
    assert!(read(0x21, false, &[]).is_err());
}

#[test]
fn dates_count_as_the_calendar_does() {
    for (year, month, day, number) in
        [(1970, 1, 1, 0), (2000, 2, 29, 11_016), (2024, 12, 31, 20_088), (1600, 3, 1, -135_080)]
    {
        let date = Date { year, month, day };
        assert_eq!(date.day_number(), number, "{date}");
        assert_eq!(Date::of_day_number(number), Some(date));
    }
    assert_eq!(Date::of_day_number(i64::from(i32::MAX)), None);
}

#[test]
fn decimals_round_half_away_from_zero() {
    for (text, scale, rounded) in [
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("2.45", 1, "2.5"),
        ("9.99", 1, "10.0"),
        ("-0.4", 0, "0"),
        ("1", 2, "1.00"),
    ] {
        assert_eq!(Decimal::parse(text).unwrap().round(scale).to_string(), rounded, "{text}");
    }
    for (text, exact) in [("25e-1", "2.5"), ("1.5e3", "1500"), ("-12e-4", "-0.0012"), ("0e5", "0")]
    {
        let exact = Decimal::parse(exact).unwrap();
        assert_eq!(Decimal::parse_scientific(text).unwrap(), exact, "{text}");
    }
    assert!(Decimal::parse("1.5").unwrap() < Decimal::parse("1.50001").unwrap());
    assert!(Decimal::parse("-10").unwrap() < Decimal::parse("-9.5").unwrap());
    assert_eq!(Decimal::parse("-1.5").unwrap().floor(), Some(-2));
    for (text, read) in [
        ("1E-7", "0.0000001"),
        ("5E+4", "50000"),
        ("-1.50e1", "-15.0"),
        ("0E-10", "0.0000000000"),
        ("NaN", "0"),
        ("-Infinity", "0"),
        ("12abc", "12"),
        (" 3e", "3"),
        ("1E-500", "0"),
        ("", "0"),
    ] {
        assert_eq!(Decimal::of_parameter(text).to_string(), read, "{text}");
    }
    assert_eq!(Decimal::of_parameter("-1E+500").to_string(), format!("-{}", "9".repeat(65)));
    assert_eq!(Decimal::parse("1-2"), None);
    assert_eq!(Decimal::parse("."), None);
}

#[test]
fn column_types_are_read_as_information_schema_shows_them() {
    use types::ColumnType;
    let show = |text: &str| ColumnType::parse(text, Some("utf8mb4_bin")).unwrap().to_string();
    for (text, shown) in [
        ("bigint(20) unsigned", "bigint unsigned"),
        ("int(11)", "int"),
        ("decimal(10,2)", "decimal(10,2)"),
        ("datetime(6)", "datetime(6)"),
        ("enum('a','it''s','(x)')", "enum('a','it''s','(x)')"),
        ("longtext", "longtext"),
        ("varchar(64)", "varchar(64)"),
        ("uuid", "uuid"),
    ] {
        assert_eq!(show(text), shown);
    }
    assert_eq!(ColumnType::parse("", None), None);
    assert_eq!(ColumnType::parse("enum('a", None), None);
    let (low, high) = ColumnType::parse("mediumint", None).unwrap().integer_range().unwrap();
    assert_eq!((low, high), (-8_388_608, 8_388_607));
}

#[test]
fn latin1_is_cp1252() {
    let text = Text { bytes: vec![b'a', 0x80, 0xE9].into(), charset: CharsetClass::Latin1 };
    assert_eq!(text.characters().unwrap(), "a€é");
    assert_eq!(latin1_byte('€'), Some(0x80));
    assert_eq!(latin1_byte('漢'), None);
}

#[test]
fn parameters_of_limit_are_counts_as_servers_read_them() {
    let text = |text: &str| {
        Value::Text(Text { bytes: text.as_bytes().into(), charset: CharsetClass::Utf8 }).as_count()
    };
    for (value, count) in [
        ("2", 2),
        ("2.6", 2),
        ("3x", 3),
        (" 3", 3),
        ("\t4", 4),
        ("1e1", 1),
        ("", 0),
        ("x", 0),
        ("0x5", 0),
        ("+2", 2),
        ("-3", u64::MAX - 2),
        ("-0", 0),
        ("18446744073709551615", u64::MAX),
        ("99999999999999999999", u64::MAX),
    ] {
        assert_eq!(text(value), Some(count), "{value}");
    }
    assert_eq!(Value::Null.as_count(), Some(0));
    assert_eq!(Value::Int(7).as_count(), Some(7));
    assert_eq!(Value::Int(-7).as_count(), None);
    assert_eq!(Value::Double(2.6).as_count(), None);
}
