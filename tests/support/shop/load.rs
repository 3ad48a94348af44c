//! Fills servers with the shop, or writes it as SQL.
//!
//! Owns: batches and the order of statements. Never: decides where a row lives ([`super::Layout`]).

use std::io::Write;

use mysql_async::prelude::Queryable;

use super::{Layout, Scale, TABLES, Table};
use crate::support::sql;

/// Rows of one INSERT.
const BATCH: usize = 400;

/// Makes databases and tables and fills them; `progress` is told of every batch's rows.
/// `urls` has one entry per group of the layout: its primary, as a user who may create databases.
pub fn load(
    urls: &[String],
    layout: &Layout,
    scale: &Scale,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), String> {
    std::thread::scope(|scope| {
        let loaders: Vec<_> = urls
            .iter()
            .enumerate()
            .map(|(group, url)| {
                scope.spawn(move || load_group(group, url, layout, scale, progress))
            })
            .collect();
        loaders.into_iter().try_for_each(|loader| {
            loader.join().unwrap_or_else(|_| Err("a loader panicked".to_owned()))
        })
    })
}

fn load_group(
    group: usize,
    url: &str,
    layout: &Layout,
    scale: &Scale,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), String> {
    sql::blocking(url, async |conn| {
        for (statement, rows) in statements(group, layout, scale) {
            conn.query_drop(&statement).await.map_err(|error| {
                let head: String = statement.chars().take(120).collect();
                format!("{error} in {head}")
            })?;
            if rows > 0 {
                progress(rows);
            }
        }
        Ok(())
    })
}

/// Writes what [`load`] would run on a group, for `mysql < file`.
pub fn write_sql(
    group: usize,
    layout: &Layout,
    scale: &Scale,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for (statement, _) in statements(group, layout, scale) {
        writeln!(out, "{statement};")?;
    }
    Ok(())
}

/// How many physical rows a load inserts, for a progress bar.
pub fn rows_in_all(layout: &Layout, scale: &Scale) -> u64 {
    let copies = layout.databases.len() as u64;
    TABLES
        .iter()
        .map(|table| {
            let rows = table.rows(scale).count() as u64;
            if table.kind == super::Kind::Broadcast { rows * copies } else { rows }
        })
        .sum()
}

/// Each statement with the number of rows that it inserts.
fn statements<'a>(
    group: usize,
    layout: &'a Layout,
    scale: &'a Scale,
) -> impl Iterator<Item = (String, u64)> + 'a {
    let databases = layout
        .all_databases()
        .into_iter()
        .filter(move |(home, _)| *home == group)
        .map(|(_, name)| (format!("CREATE DATABASE IF NOT EXISTS `{name}`"), 0));
    // Names in many scripts arrive as UTF-8 whatever the client's default is.
    std::iter::once(("SET NAMES utf8mb4".to_owned(), 0))
        .chain(databases)
        .chain(TABLES.iter().flat_map(move |table| table_statements(group, table, layout, scale)))
}

fn table_statements(
    group: usize,
    table: &Table,
    layout: &Layout,
    scale: &Scale,
) -> Vec<(String, u64)> {
    let places = layout.places(table);
    let name = |index: usize| format!("`{}`.`{}`", places[index].database, places[index].table);
    let mine: Vec<usize> =
        (0..places.len()).filter(|index| places[*index].group == group).collect();
    let mut out: Vec<(String, u64)> =
        mine.iter().map(|index| (table.ddl(&name(*index)), 0)).collect();
    let mut pending: Vec<Vec<String>> = vec![Vec::new(); places.len()];
    let insert = |index: usize, rows: &mut Vec<String>| {
        let count = rows.len() as u64;
        let statement = format!("INSERT INTO {} VALUES ({})", name(index), rows.join("), ("));
        rows.clear();
        (statement, count)
    };
    for row in table.rows(scale) {
        let home = layout.home(table, row.key);
        for index in &mine {
            if home.is_none_or(|home| home == *index) {
                pending[*index].push(row.values.clone());
                if pending[*index].len() >= BATCH {
                    out.push(insert(*index, &mut pending[*index]));
                }
            }
        }
    }
    for index in mine {
        if !pending[index].is_empty() {
            out.push(insert(index, &mut pending[index]));
        }
    }
    out
}
