//! What the tests of scatters share: groups, lanes, a client in memory, and its answers read back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir::backend::choose::Role;
use weir::backend::connection::Pipelining;
use weir::backend::group::Group;
use weir::backend::pool::{Ask, Lent};
use weir::backend::spec::{Account, Address, Declared, GroupSpec, Limits, NodeSpec, Tls};
use weir::backend::state::State;
use weir::backend::topology::{Place, Topology};
use weir::executor::compare::RowFormat;
use weir::executor::lane::{Command, Lane, Part};
use weir::executor::limit::Window;
use weir::executor::pass::{Broken, Summary};
use weir::executor::running::Running;
use weir::executor::scatter::{Terms, scatter};
use weir::observe::budget::Budget;
use weir::planner::plan::{Column, Gather, Renaming, SortKey};
use weir::protocol::capability::Capabilities;
use weir::protocol::err::ErrPacket;
use weir::protocol::field::FieldType;
use weir::protocol::ok::OkPacket;
use weir::protocol::row::RowIndex;
use weir::protocol::status::StatusFlags;
use weir::wire::stream::Stream;

/// One worker's runtime, as the proxy has them.
pub fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Groups of one node each, on these ports.
pub fn groups(ports: &[u16], user: &str, control: &str) -> Vec<Arc<Group>> {
    let account = |name: &str| Account { user: Arc::from(name), password: Arc::from(name) };
    let spec = |(number, port): (usize, &u16)| {
        let node = NodeSpec {
            name: "n0".into(),
            address: Address::Tcp { host: Arc::from("127.0.0.1"), port: *port },
            declared: Declared::Primary,
            zone: None,
            weight: 1,
            tls: Tls::default(),
            data: account(user),
            control: account(control),
            limits: Limits::default(),
            local_infile: true,
        };
        GroupSpec::new(format!("g{number}").as_str(), vec![node])
    };
    let specs = ports.iter().enumerate().map(spec).collect();
    let place = Place { workers: 1, ..Place::default() };
    Topology::of_specs(specs, &place, None).unwrap().groups().to_vec()
}

/// One connection of each group.
pub async fn lend(groups: &[Arc<Group>]) -> Vec<Lent> {
    let state = State::default();
    let ask = Ask {
        worker: 0,
        role: Role::Primary,
        after: None,
        state: &state,
        found_rows: false,
        pipelining: Pipelining::All,
        asked: Instant::now(),
        deadline: Instant::now() + Duration::from_secs(20),
    };
    let mut lents = Vec::new();
    for group in groups {
        lents.push(group.lend(&ask).await.unwrap());
    }
    lents
}

pub fn part<'p>(target: usize, sql: &'p str) -> Part<'p> {
    Part {
        target,
        shard: Some(target as u32),
        state: State::default(),
        pipelining: Pipelining::Nothing,
        command: Command::Query(sql.as_bytes().into()),
        inserted: None,
        names: &[],
    }
}

pub fn named<'p>(names: &'p [Renaming], part: Part<'p>) -> Part<'p> {
    Part { names, ..part }
}

/// A prepared execution without parameters.
pub fn prepared<'p>(target: usize, sql: &'p str) -> Part<'p> {
    // No cursor, one iteration.
    let arguments = &[0, 1, 0, 0, 0];
    let command =
        Command::Execute { key: sql.as_bytes().into(), sql: sql.as_bytes().into(), arguments };
    Part { command, ..part(target, sql) }
}

/// Lanes over lent connections, `parts[i]` on the i-th.
pub fn lanes<'c>(lents: &'c mut [Lent], parts: Vec<Vec<Part<'c>>>, keep: bool) -> Vec<Lane<'c>> {
    lents.iter_mut().zip(parts).map(|(lent, parts)| Lane::new(lent, parts, keep)).collect()
}

/// How a test's scatter is run.
pub struct Setup {
    pub gather: Gather,
    pub window: Window,
    pub format: RowFormat,
    pub client: Capabilities,
    pub merge_memory: u64,
    pub budget: Budget,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            gather: Gather::default(),
            window: Window::OPEN,
            format: RowFormat::Text,
            client: Capabilities::OFFERED,
            merge_memory: 64 << 20,
            budget: Budget::new(1 << 30),
        }
    }
}

/// Rows in the order of the hidden column or of the first one.
pub fn by(column: Column, descending: bool) -> SortKey {
    SortKey { column, descending, unit: 0 }
}

/// What the client read.
#[derive(Debug, Default)]
pub struct Received {
    pub columns: Vec<(String, FieldType)>,
    pub tables: Vec<String>,
    /// Values as text; binary ones are decoded only as far as tests need it.
    pub rows: Vec<Vec<Option<String>>>,
    pub error: Option<(u16, String)>,
    pub warnings: u16,
    pub status: StatusFlags,
}

impl Received {
    /// The rows as one line each.
    pub fn lines(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".into());
        self.rows.iter().map(|row| row.iter().map(text).collect::<Vec<_>>().join("|")).collect()
    }
}

/// Runs a scatter and reads what a client would.
pub async fn gathered(
    lanes: &mut [Lane<'_>],
    setup: &Setup,
) -> (Result<Summary, Broken>, Received) {
    let (mut client, mut far) = Stream::pair(64 << 10, 1 << 30);
    let running = Running::default();
    let terms = Terms {
        own: false,
        client: setup.client,
        status: StatusFlags::default(),
        more: false,
        format: setup.format,
        gather: &setup.gather,
        window: setup.window,
        budget: &setup.budget,
        merge_memory: setup.merge_memory,
        read_ahead: 256 << 10,
        running: &running,
    };
    client.set_sequence(1);
    far.set_sequence(1);
    let merge = async move {
        let outcome = scatter(&mut client, lanes, &terms).await;
        if outcome.is_ok() {
            client.flush().await.unwrap();
        }
        // Dropping the client's side is the far end's end.
        drop(client);
        outcome
    };
    let (outcome, received) = tokio::join!(merge, receive(&mut far, setup));
    (outcome, received)
}

async fn receive(far: &mut Stream, setup: &Setup) -> Received {
    let mut received = Received::default();
    let capabilities = setup.client;
    let mut shapes: Vec<FieldType> = Vec::new();
    let mut announced = None;
    let mut in_rows = false;
    while let Ok(Some(payload)) = far.read_packet().await {
        if ErrPacket::is_err(payload) {
            let error = ErrPacket::parse(payload).unwrap();
            received.error =
                Some((error.errno, String::from_utf8_lossy(error.message).into_owned()));
            break;
        }
        let Some(count) = announced else {
            announced = Some(usize::from(payload[0]));
            continue;
        };
        if shapes.len() < count {
            let column = weir::protocol::column::Column::parse(payload).unwrap();
            shapes.push(column.field_type);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            received.columns.push((text(column.name), column.field_type));
            received.tables.push(text(column.org_table));
            continue;
        }
        if !in_rows && !capabilities.contains(Capabilities::DEPRECATE_EOF) {
            assert_eq!(payload[0], 0xfe, "an EOF is due behind the columns");
            in_rows = true;
            continue;
        }
        in_rows = true;
        if payload[0] == 0xfe && payload.len() < 100 {
            if capabilities.contains(Capabilities::DEPRECATE_EOF) {
                let ok = OkPacket::parse(payload, capabilities).unwrap();
                (received.warnings, received.status) = (ok.warnings, ok.status);
            }
            break;
        }
        received.rows.push(row(payload, &shapes, setup.format));
    }
    received
}

fn row(payload: &[u8], types: &[FieldType], format: RowFormat) -> Vec<Option<String>> {
    let mut index = RowIndex::default();
    match format {
        RowFormat::Text => index.text(payload, types.len()).unwrap(),
        RowFormat::Binary => index.binary(payload, types).unwrap(),
    }
    let text = |column: usize| {
        let value = index.get(payload, column)?;
        let is_number = format == RowFormat::Binary && types[column].is_integer();
        Some(if is_number {
            let mut bytes = [0; 8];
            bytes[..value.len()].copy_from_slice(value);
            let unused = 64 - 8 * value.len() as u32;
            ((i64::from_le_bytes(bytes) << unused) >> unused).to_string()
        } else if format == RowFormat::Binary && types[column] == FieldType::DOUBLE {
            f64::from_le_bytes(value.try_into().unwrap()).to_string()
        } else {
            String::from_utf8_lossy(value).into_owned()
        })
    };
    (0..types.len()).map(text).collect()
}
