//! Blocking SQL for set-up and checks, callable from any thread, async or not.
//!
//! Owns: one-off connections over `mysql_async`. Never: measures anything; tests of the proxy use
//! clients of their own.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Value};

/// Runs each statement in turn on one new connection.
pub fn execute(url: &str, statements: &[&str]) -> Result<(), String> {
    let statements: Vec<String> = statements.iter().map(|sql| (*sql).to_owned()).collect();
    blocking(url, async move |conn| {
        for sql in &statements {
            conn.query_drop(sql).await.map_err(|error| format!("{error} in {sql}"))?;
        }
        Ok(())
    })
}

/// The rows of a query as text; NULL reads `NULL`.
pub fn query(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let sql = sql.to_owned();
    let rows: Vec<Row> = blocking(url, async move |conn| {
        conn.query(&sql).await.map_err(|error| format!("{error} in {sql}"))
    })?;
    Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
}

/// The columns' names and the rows of a query as text.
pub fn table(url: &str, sql: &str) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let sql = sql.to_owned();
    blocking(url, async move |conn| {
        let mut result =
            conn.query_iter(&sql).await.map_err(|error| format!("{error} in {sql}"))?;
        let names = result
            .columns_ref()
            .iter()
            .map(|column| column.name_str().into_owned())
            .collect::<Vec<_>>();
        let rows: Vec<Row> = result.collect().await.map_err(|error| error.to_string())?;
        result.drop_result().await.map_err(|error| error.to_string())?;
        Ok((
            names,
            rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect(),
        ))
    })
}

/// One row of a query by column name; empty when there is none.
pub fn query_named(url: &str, sql: &str) -> Result<Vec<(String, String)>, String> {
    let sql = sql.to_owned();
    let row: Option<Row> = blocking(url, async move |conn| {
        conn.query_first(&sql).await.map_err(|error| format!("{error} in {sql}"))
    })?;
    let Some(row) = row else { return Ok(Vec::new()) };
    let names: Vec<String> =
        row.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
    Ok(names.into_iter().zip(row.unwrap().into_iter().map(text)).collect())
}

/// Runs a future with a new connection on a thread and a runtime of its own, since the caller may
/// stand inside a runtime already.
pub fn blocking<T, F>(url: &str, work: F) -> Result<T, String>
where
    T: Send,
    F: AsyncFnOnce(&mut Conn) -> Result<T, String> + Send,
{
    let opts = Opts::from_url(url).map_err(|error| format!("{error}: {url}"))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            runtime.block_on(async {
                let mut conn = Conn::new(opts).await.map_err(|error| error.to_string())?;
                let result = work(&mut conn).await;
                let _ = conn.disconnect().await;
                result
            })
        });
        thread.join().unwrap_or_else(|_| Err("the SQL thread panicked".to_owned()))
    })
}

fn text(value: Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true).trim_matches('\'').to_owned(),
    }
}
