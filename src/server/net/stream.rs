//! A client's connection of whatever transport, in two halves that are used at the same time.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A connection that can be split. Each transport splits in its own way, so that plain TCP needs no
/// lock between its halves.
pub(crate) trait ClientStream: Send + 'static {
    /// The half that is read from.
    type Input: AsyncRead + Send + Unpin;
    /// The half that is written to.
    type Output: AsyncWrite + Send + Unpin;

    /// Both halves.
    fn split(self) -> (Self::Input, Self::Output);
}

impl ClientStream for TcpStream {
    type Input = OwnedReadHalf;
    type Output = OwnedWriteHalf;

    fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }
}
