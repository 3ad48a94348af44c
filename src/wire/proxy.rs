//! Reading a PROXY header in front of a connection.
//!
//! Owns: taking exactly the header's bytes off the stream. Never: decides whom to believe.

use crate::error::Result;
use crate::protocol::error_code;
use crate::protocol::proxy_header::ProxyHeader;
use crate::wire::stream::Stream;

impl Stream {
    /// Reads the header that a trusted balancer sends first; from then on
    /// [`Stream::peer_address`] is the client's. The caller bounds the time.
    ///
    /// # Errors
    /// 1043 where the peer sends something else.
    pub async fn read_proxy_header(&mut self) -> Result<()> {
        loop {
            match ProxyHeader::parse(self.buffer())? {
                ProxyHeader::Header { source, length } => {
                    self.consume(length);
                    if let Some(address) = source {
                        self.set_peer_address(address);
                    }
                    return Ok(());
                }
                ProxyHeader::Incomplete => {}
            }
            if self.fill().await? == 0 {
                return Err(error_code::read_broken());
            }
        }
    }
}
