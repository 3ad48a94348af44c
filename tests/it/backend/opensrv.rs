//! The backend's side of the protocol against a server that isn't made of Weir's own protocol module:
//! the crate opensrv-mysql (`cargo test --features opensrv opensrv`).
//!
//! Owns: the server's answers. Never: sends it two commands at once, which it can't read (see README,
//! "Packages").

use std::io;

use opensrv_mysql::{
    AsyncMysqlIntermediary, AsyncMysqlShim, Column, ColumnFlags, ColumnType, ErrorKind, OkResponse,
    ParamParser, QueryResultWriter, StatementMetaWriter,
};
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use weir::backend::connection::Pipelining;
use weir::backend::group::Group;
use weir::backend::pool::{Ask, Lent};
use weir::backend::spec::Limits;
use weir::backend::state::State;

/// Rows of the long answer: more than one read.
const MANY: usize = 5000;

struct Server;

fn column(name: &str, coltype: ColumnType) -> Column {
    Column {
        table: "t".to_owned(),
        column: name.to_owned(),
        coltype,
        colflags: ColumnFlags::empty(),
    }
}

#[async_trait::async_trait]
impl<W: AsyncWrite + Send + Unpin> AsyncMysqlShim<W> for Server {
    type Error = io::Error;

    fn version(&self) -> String {
        "8.0.99-opensrv".to_owned()
    }

    async fn on_prepare<'a>(
        &'a mut self,
        _: &'a str,
        info: StatementMetaWriter<'a, W>,
    ) -> io::Result<()> {
        let number = [column("n", ColumnType::MYSQL_TYPE_LONGLONG)];
        info.reply(7, &number, &number).await
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        _: ParamParser<'a>,
        results: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        results.completed(OkResponse::default()).await
    }

    async fn on_close(&mut self, _: u32) {}

    async fn on_query<'a>(
        &'a mut self,
        sql: &'a str,
        results: QueryResultWriter<'a, W>,
    ) -> io::Result<()> {
        let columns = [
            column("n", ColumnType::MYSQL_TYPE_LONGLONG),
            column("s", ColumnType::MYSQL_TYPE_VAR_STRING),
        ];
        match sql {
            "SELECT few" => {
                let mut rows = results.start(&columns).await?;
                rows.write_row([Some("1"), Some("one")]).await?;
                rows.write_row([Some("2"), None]).await?;
                rows.finish().await
            }
            "SELECT many" => {
                let mut rows = results.start(&columns).await?;
                for number in 0..MANY {
                    rows.write_row([Some(number.to_string()), Some("x".repeat(100))]).await?;
                }
                rows.finish().await
            }
            "SELECT none" => results.start(&columns).await?.finish().await,
            "WRONG" => {
                results.error(ErrorKind::ER_NO_SUCH_TABLE, b"Table 'd.t' doesn't exist").await
            }
            "UPDATE" => {
                let ok =
                    OkResponse { affected_rows: 3, last_insert_id: 11, ..OkResponse::default() };
                results.completed(ok).await
            }
            _ => results.completed(OkResponse::default()).await,
        }
    }
}

async fn lent(group: &Group) -> Lent {
    let state = State::default();
    let ask = Ask { pipelining: Pipelining::Variables, ..super::ask(&state) };
    group.lend(&ask).await.expect("a connection")
}

#[test]
fn answers_of_another_implementation_are_understood() {
    super::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (read, write) = socket.into_split();
                tokio::spawn(AsyncMysqlIntermediary::run_on(Server, read, write));
            }
        });
        let group = super::fake::group(port, Limits::default());
        let mut lent = lent(&group).await;
        assert_eq!(super::rows(&mut lent, "SELECT few").await, [["1", "one"], ["2", "NULL"]]);
        assert!(super::rows(&mut lent, "SELECT none").await.is_empty());
        let many = super::rows(&mut lent, "SELECT many").await;
        assert_eq!((many.len(), many[MANY - 1][0].as_str()), (MANY, "4999"));
        let error = lent.simple(b"WRONG").await.expect_err("an error");
        assert_eq!((error.errno, &*error.message), (1146, "Table 'd.t' doesn't exist"));
        let ok = lent.simple(b"UPDATE").await.expect("an OK");
        assert_eq!((ok.affected_rows, ok.last_insert_id), (3, 11));
        lent.ping().await.expect("a pong");
        assert!(lent.is_in_step());
    });
}
