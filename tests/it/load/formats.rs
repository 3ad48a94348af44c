//! Files of every format, into tables of several places and into one.

use mysql_async::prelude::Queryable;

use super::{Seen, alone, block_on, kinds, load};

/// A table, what stands behind its name, and the file.
type Case = (&'static str, &'static str, &'static [u8]);

const CASES: &[Case] = &[
    ("t", "", b"1\tone\t1.5\t2024-01-01 00:00:00\n2\ttwo\t2.5\t\\N\n3\t\\N\t3\t2024-02-30 00:00:00\n4\tf\\tour\t4\t\n"),
    ("t", "", b""),
    ("t", "", b"\n"),
    ("t", "", b"7"),
    ("t", "", b"1\ta\n2\tb\t3\t2024-01-01\tmore\tand more\n3\n"),
    ("t", "(id, name)", b"1\ta\n1\tagain\n5\tb\n6\tc"),
    ("t", "(name, id) SET amount = id * 2, made = '2020-02-02'", b"x\t1\ny\t2\nz\t3\n"),
    ("t", "(@i, name) SET id = @i, amount = @i + 0.5", b"11\ta\n12\tb\n13\t\\N\n"),
    ("t", "(@i, @n) SET id = @i, name = upper(@n)", b"11\ta\n12\n13\tx\ty\n"),
    ("t", "(name) SET id = 42", b"a\nb\n"),
    ("t", "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '\\r\\n' IGNORE 1 LINES (id, name, amount)",
        b"id,name,amount\r\n1,\"a,b\",1\r\n\"2\",\"say \"\"hi\"\"\",2\r\n3,NULL,3\r\n4,\"NULL\",4\r\n5,\"x\r\ny\",5\r\n"),
    ("t", "FIELDS TERMINATED BY '||' ENCLOSED BY '''' ESCAPED BY '' LINES STARTING BY '>>' TERMINATED BY ';' (id, name)",
        b"zz>>1||'a|b';>>'2'||'c;d';no;>>3||'it''s';"),
    ("t", "FIELDS TERMINATED BY ',' LINES TERMINATED BY ',' (id, name)", b"1,a,2,b,3,c"),
    ("t", "FIELDS TERMINATED BY ',' ESCAPED BY '\"' ENCLOSED BY '\"' (id, name)", b"1,\"a\"\"b\"\n\"2\",\"c\nd\"\n"),
    ("t", "CHARACTER SET latin1 (id, name)", b"1\tcaf\xe9\n2\t\xfc\n"),
    ("t", "CHARACTER SET utf8mb4 (id, name)", "1\tgrün\n2\t漢字\n3\t😀\n".as_bytes()),
    ("t", "CHARACTER SET gbk FIELDS ESCAPED BY '' (id, name)", b"1\t\xba\xba\n2\t\xd2\\\n3\tx\n"),
    ("t", "IGNORE 2 LINES", b"head\\\nhead\nhead\n1\ta\t1\t\\N\n2\tb\t2\t\\N\n"),
    ("t", "(id, name)", b" 3 \ta\n+4\tb\n5.0\tc\n6e0\td\n007\te\n"),
    ("t", "(id, name)", b"8abc\tb\n\tempty\n9999999999999999999\tlarge\n"),
    ("t", "(id, name)", b"\\N\tnull\n1\ta\n"),
    ("t", "", b"1\ttoo long a name for its column\t99999999999\tno date\n2\tb\tx\t2024-01-01\n"),
    ("t", "(id, name) SET amount = DEFAULT", b"1\ta\n"),
    ("s", "", b"Abc\t1\tx\nabd\t2\ty\nAbc\t1\tz\nzz \t3\t\n"),
    ("s", "(n, code)", b"1\ta\n2\tA\n3\t\n4\n"),
    ("b", "", b"1\ta\t1\n2\tb\t\\N\n3\tc\n3\td\t4\n"),
    ("b", "FIELDS TERMINATED BY ',' (name, id) SET c = id + 1", b"a,1\nb,2\nb\n"),
    ("q", "", b"5\tx\t1\n6\ty\t2\n"),
    ("a", "(id, k, c)", b"5\t1\t1\n6\t2\t2\n7\t3\t\\N\n"),
];

#[test]
fn files_load_as_into_one_server() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let (mut weir, mut plain) = (loads.weir().await, loads.plain().await);
            let mut wrong = vec![];
            for mode in ["", "STRICT_TRANS_TABLES"] {
                for conn in [&mut weir, &mut plain] {
                    conn.query_drop(format!("SET sql_mode = '{mode}'")).await.unwrap();
                }
                for (table, behind, file) in CASES {
                    for word in ["", "REPLACE ", "IGNORE "] {
                        for conn in [&mut weir, &mut plain] {
                            conn.query_drop(format!("DELETE FROM {table}")).await.unwrap();
                        }
                        let sql =
                            format!("LOAD DATA LOCAL INFILE 'f' {word}INTO TABLE {table} {behind}");
                        let wanted = load(&mut plain, &sql, file, table).await;
                        let mut seen = load(&mut weir, &sql, file, table).await;
                        if let Some((_, text)) = &seen.error
                            && text.contains("[weir:load_data_key]")
                            && *behind == "(id, name)"
                        {
                            // Refused, and nothing is left: said in the manual.
                            assert!(seen.rows.is_empty(), "{sql}");
                            continue;
                        }
                        // A server has given up on the statement's first error.
                        if wanted.error.is_some() {
                            seen.error = seen.error.map(|_| wanted.error.clone().unwrap());
                        }
                        if seen != wanted {
                            wrong.push(format!("{sql}\n  weir  {seen:?}\n  plain {wanted:?}"));
                        }
                    }
                }
            }
            assert!(wrong.is_empty(), "{} {}\n{}", loads.kind(), wrong.len(), wrong.join("\n"));
        });
    }
}

#[test]
fn sequences_give_ids_to_records_without_one() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let (mut weir, mut plain) = (loads.weir().await, loads.plain().await);
            plain.query_drop("TRUNCATE q").await.unwrap();
            plain.query_drop("ALTER TABLE q AUTO_INCREMENT = 1000").await.unwrap();
            for (behind, file, rows) in [
                ("(a, b)", &b"x\t1\ny\t2\n\n"[..], 3),
                ("(id, a, b)", b"\\N\tx\t1\n0\ty\t2\n77\tz\t3\n", 3),
                (
                    "FIELDS TERMINATED BY ',' ENCLOSED BY '\"' (a, id)",
                    b"\"x\",\"\"\ny,NULL\nz\n",
                    3,
                ),
                ("LINES STARTING BY 'xx' (b, a)", b"..xx1\tx\nxx2\ty\n", 2),
                ("LINES STARTING BY 'xx' (b, a, id)", b"..xx1\tx\nxx2\ty", 2),
            ] {
                weir.query_drop("DELETE FROM q").await.unwrap();
                let sql = format!("LOAD DATA LOCAL INFILE 'f' INTO TABLE q {behind}");
                let seen = load(&mut weir, &sql, file, "q").await;
                assert_eq!(seen.error, None, "{sql}");
                assert_eq!(seen.rows.len(), rows, "{sql}: {seen:?}");
                plain.query_drop("DELETE FROM q").await.unwrap();
                let wanted = load(&mut plain, &sql, file, "q").await;
                let told = |seen: &Seen| (seen.insert_id, seen.affected);
                assert_eq!(told(&seen), told(&wanted), "{sql}");
                // A server warns of '' and of a missing field even where it gives an id.
                if wanted.warnings.is_empty() {
                    assert_eq!((&seen.info, seen.warnings.len()), (&wanted.info, 0), "{sql}");
                }
                let rank = "SELECT (SELECT count(*) FROM q WHERE id < LAST_INSERT_ID())";
                let of_plain: Option<u64> = plain.query_first(rank).await.unwrap();
                let last: Option<u64> = weir.query_first("SELECT LAST_INSERT_ID()").await.unwrap();
                let below = format!("SELECT count(*) FROM q WHERE id < {}", last.unwrap());
                let of_weir: Option<u64> = weir.query_first(below).await.unwrap();
                assert_eq!(of_weir, of_plain, "{sql}: LAST_INSERT_ID()");
                let ids: Vec<u64> = weir.query("SELECT id FROM q WHERE id >= 1000").await.unwrap();
                assert!(ids.contains(&last.unwrap()), "{sql}: {last:?} {ids:?}");
                let found: Vec<(u64, u64)> = weir
                    .query(format!("SELECT id, count(*) FROM q WHERE id = {} GROUP BY id", ids[0]))
                    .await
                    .unwrap();
                assert_eq!(found, [(ids[0], 1)], "{sql}: a row lies where its id leads");
            }
            let texts = "SELECT a FROM q ORDER BY b";
            let found: Vec<String> = weir.query(texts).await.unwrap();
            assert_eq!(found, ["x", "y"]);
            let sql = "LOAD DATA LOCAL INFILE 'f' INTO TABLE a (k, c)";
            let refused = weir.query_drop(sql).await.unwrap_err().to_string();
            assert!(refused.contains("[weir:auto_increment]"), "{refused}");
            weir.query_drop("DELETE FROM a").await.unwrap();
            let sql = "LOAD DATA LOCAL INFILE 'f' INTO TABLE a (k, id)";
            let seen = load(&mut weir, sql, b"1\t5\n2\t\\N\n", "a").await;
            assert!(seen.error.unwrap().1.contains("[weir:auto_increment]"));
            assert!(seen.rows.is_empty());
            weir.query_drop("DELETE FROM q").await.unwrap();
        });
    }
}

#[test]
fn what_is_not_done_is_refused() {
    let _alone = alone();
    for loads in kinds() {
        block_on(async {
            let mut weir = loads.weir().await;
            for (behind, code) in [
                ("t FIELDS TERMINATED BY ''", "load_data"),
                ("t FIELDS ENCLOSED BY 'ab'", "field_terminators"),
                ("t (name) SET id = (SELECT 1)", "load_data"),
                ("t (name)", "key_missing"),
                ("t (@a, name) SET id = @a + 1", "load_data_key"),
                ("t FIELDS TERMINATED BY '\u{e9}'", "load_data"),
                ("t CHARACTER SET ucs2", "load_data"),
                ("t CHARACTER SET gbk", "load_data"),
                ("t (@a, id) SET name = (@b := concat(@b, @a))", "load_data"),
                ("b (id) SET name = uuid()", "broadcast_nondeterministic"),
                ("q (a) SET id = 5", "load_data_ids"),
                ("q FIELDS TERMINATED BY '1' (a)", "load_data_ids"),
            ] {
                let sql = format!("LOAD DATA LOCAL INFILE 'f' INTO TABLE {behind}");
                let error = weir.query_drop(&sql).await.unwrap_err().to_string();
                assert!(error.contains(&format!("[weir:{code}]")), "{sql}: {error}");
            }
            let unknown = weir.query_drop("LOAD DATA LOCAL INFILE 'f' INTO TABLE t (id, nope)");
            assert!(unknown.await.unwrap_err().to_string().contains("1054"));
            let alive: Option<u8> = weir.query_first("SELECT 4").await.unwrap();
            assert_eq!(alive, Some(4));
        });
    }
}
