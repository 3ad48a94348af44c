//! What a client is told by a statement, from either side, so that two answers can be compared.
//!
//! Owns: asking a statement, as text or prepared, and everything that comes back. Never: decides
//! what may differ.

use mysql_async::consts::ColumnFlags;
use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Params, QueryResult, Row, Value};

/// All fields of a column definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub schema: String,
    pub table: String,
    pub org_table: String,
    pub name: String,
    pub org_name: String,
    pub charset: u16,
    pub length: u32,
    pub kind: String,
    pub flags: ColumnFlags,
    pub decimals: u8,
}

/// One result of a statement, or its error.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Rows {
        columns: Vec<Column>,
        rows: Vec<Vec<Value>>,
        warnings: u16,
    },
    Done {
        affected: u64,
        insert_id: Option<u64>,
        info: String,
        warnings: u16,
    },
    /// `code` is 0 where the connection or the client failed.
    Error {
        code: u16,
        state: String,
        message: String,
    },
}

impl Answer {
    /// The stable code of a refusal by Weir.
    pub fn refusal(&self) -> Option<&str> {
        let Answer::Error { message, .. } = self else { return None };
        let (_, code) = message.rsplit_once("[weir:")?;
        Some(code.trim_end_matches(']'))
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Answer::Error { .. })
    }
}

/// Asks a statement as text, or prepared with these parameters.
pub async fn ask(conn: &mut Conn, sql: &str, parameters: Option<&[Value]>) -> Answer {
    let asked = match parameters {
        None => text(conn, sql).await,
        Some(parameters) => prepared(conn, sql, parameters).await,
    };
    asked.unwrap_or_else(failed)
}

async fn text(conn: &mut Conn, sql: &str) -> Result<Answer, mysql_async::Error> {
    let result = conn.query_iter(sql).await?;
    let answer = taken(result).await?;
    Ok(with_warnings(answer, conn))
}

/// The first answer, read to its end.
async fn taken<P: Protocol>(
    mut result: QueryResult<'_, 'static, P>,
) -> Result<Answer, mysql_async::Error> {
    let columns = described(result.columns_ref());
    if columns.is_empty() {
        let answer = Answer::Done {
            affected: result.affected_rows(),
            insert_id: result.last_insert_id(),
            info: result.info().into_owned(),
            warnings: result.warnings(),
        };
        result.drop_result().await?;
        return Ok(answer);
    }
    let rows: Vec<Row> = result.collect().await?;
    result.drop_result().await?;
    let rows = rows.into_iter().map(Row::unwrap).collect();
    Ok(Answer::Rows { columns, rows, warnings: 0 })
}

/// Behind rows the connection knows how many warnings there are.
fn with_warnings(answer: Answer, conn: &Conn) -> Answer {
    match answer {
        Answer::Rows { columns, rows, .. } => {
            Answer::Rows { columns, rows, warnings: conn.get_warnings() }
        }
        done => done,
    }
}

async fn prepared(
    conn: &mut Conn,
    sql: &str,
    parameters: &[Value],
) -> Result<Answer, mysql_async::Error> {
    let statement = conn.prep(sql).await?;
    let parameters = match parameters {
        [] => Params::Empty,
        some => Params::Positional(some.to_vec()),
    };
    let answered = async {
        let result = conn.exec_iter(&statement, parameters).await?;
        let answer = taken(result).await?;
        Ok(with_warnings(answer, conn))
    }
    .await;
    // COM_STMT_CLOSE has no answer and leaves warnings alone.
    if matches!(answered, Ok(_) | Err(mysql_async::Error::Server(_))) {
        conn.close(statement).await?;
    }
    answered
}

fn failed(error: mysql_async::Error) -> Answer {
    match error {
        mysql_async::Error::Server(error) => {
            Answer::Error { code: error.code, state: error.state, message: error.message }
        }
        other => Answer::Error { code: 0, state: String::new(), message: other.to_string() },
    }
}

fn described(columns: &[mysql_async::Column]) -> Vec<Column> {
    let described = |column: &mysql_async::Column| Column {
        schema: column.schema_str().into_owned(),
        table: column.table_str().into_owned(),
        org_table: column.org_table_str().into_owned(),
        name: column.name_str().into_owned(),
        org_name: column.org_name_str().into_owned(),
        charset: column.character_set(),
        length: column.column_length(),
        kind: format!("{:?}", column.column_type()),
        flags: column.flags(),
        decimals: column.decimals(),
    };
    columns.iter().map(described).collect()
}
