//! What Weir adds to the rows of one server on their way to a client, without a kernel in between.
//!
//! Only the relay is timed: the rows lie in the backend's stream before, and what came is taken from
//! the client's after.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use weir::protocol::capability::Capabilities;
use weir::protocol::eof::EofPacket;
use weir::protocol::row::write_text_row;
use weir::wire::stream::Stream;

/// More than any of the answers.
const ROOM: usize = 4 << 20;
const MAX_PACKET: usize = 64 << 20;
/// Rows, and the bytes of their one long column.
const ANSWERS: [(usize, usize); 4] = [(1, 120), (1_000, 120), (10_000, 120), (10, 100_000)];

/// A server's end and Weir's of one connection, Weir's end and a client's of the other.
struct Path {
    server: Stream,
    backend: Stream,
    front: Stream,
    client: Stream,
}

impl Path {
    fn new() -> Self {
        let (server, backend) = Stream::pair(ROOM, MAX_PACKET);
        let (front, client) = Stream::pair(ROOM, MAX_PACKET);
        Path { server, backend, front, client }
    }

    /// One answer; only the relay counts.
    async fn pass(&mut self, rows: usize, value: &[u8]) -> Duration {
        for stream in [&mut self.server, &mut self.backend, &mut self.front, &mut self.client] {
            stream.reset_sequence();
        }
        for row in 0..rows {
            let id = row.to_string();
            self.server.write_with(|out| write_text_row([Some(id.as_bytes()), Some(value)], out));
        }
        self.server.write_with(|out| EofPacket::default().write(Capabilities::PROTOCOL_41, out));
        self.server.flush().await.expect("room for the answer");
        let started = Instant::now();
        let relayed = self.front.relay_rows(&mut self.backend).await.expect("the rows");
        self.front.flush().await.expect("room for the rows");
        let took = started.elapsed();
        assert_eq!(black_box(relayed), rows as u64);
        self.backend.read_packet().await.expect("the end");
        for _ in 0..rows {
            self.client.discard_packet().await.expect("a row");
        }
        took
    }
}

fn relay(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("relay");
    for (rows, length) in ANSWERS {
        let value = vec![b'x'; length];
        let mut path = Path::new();
        group.throughput(Throughput::Bytes((rows * length) as u64));
        group.bench_function(format!("{rows} rows of {length} bytes"), |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let mut took = Duration::ZERO;
                    for _ in 0..times {
                        took += path.pass(rows, &value).await;
                    }
                    took
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, relay);
criterion_main!(benches);
