//! Fuzz target: any bytes in any pieces as a framed stream, plain and compressed. Every packet that
//! comes out must be the same however the bytes were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt;
use weir::wire::stream::{Peer, Stream};
use weir::wire::transport::Socket;

const LIMIT: usize = 1 << 20;

async fn packets(bytes: &[u8], piece: usize, compressed: bool) -> Vec<Result<Vec<u8>, u16>> {
    let (near, mut far) = tokio::io::duplex(bytes.len().max(1));
    let mut stream = Stream::new(Socket::Memory(near), Peer::Client, LIMIT);
    if compressed {
        stream.enable_compression();
    }
    let mut found = Vec::new();
    let writing = async move {
        for part in bytes.chunks(piece) {
            if far.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        loop {
            match stream.read_packet().await {
                Ok(Some(payload)) => found.push(Ok(payload.to_vec())),
                Ok(None) => return,
                Err(error) => {
                    found.push(Err(error.errno));
                    return;
                }
            }
        }
    };
    tokio::join!(writing, reading);
    assert!(stream.memory() <= 4 * LIMIT + 16 * bytes.len());
    found
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, bytes)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let compressed = first & 1 == 1;
    let piece = usize::from(first >> 1) + 1;
    let cut = runtime.block_on(packets(bytes, piece, compressed));
    let whole = runtime.block_on(packets(bytes, usize::MAX, compressed));
    assert_eq!(cut, whole);
});
