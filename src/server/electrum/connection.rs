//! One client's socket: bounded lines in, replies out, in-flight limits, idle and write timeouts.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use log::{debug, info, warn};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::limits::{
    IN_FLIGHT_LINES_PER_CLIENT, MAX_LINE_BYTES, READ_BUFFER_BYTES, REQUEST_PATIENCE,
    RUNNING_PER_CLIENT, UNCOUNTED_LINE_BYTES, WRITE_QUEUE_MESSAGES,
};
use crate::metrics;
use crate::protocol::line::{Line, LineCutter};
use crate::protocol::message::line_too_long;
use crate::server::electrum::answer::answer;
use crate::server::electrum::common::Common;
use crate::server::electrum::outbox::{Outgoing, ReplyMemory, write_lines};
use crate::server::electrum::watch::{Lanes, Notifier};
use crate::server::net::listener::Client;
use crate::server::net::memory::{ByteBudget, HeldBytes};
use crate::server::net::shutdown::Shutdown;
use crate::server::net::stream::ClientStream;
use crate::session::job::Accepted;
use crate::session::talk::Session;

/// Why a connection ended; the log says so.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The usual end.
    #[error("client closed the connection")]
    ByClient,
    /// `server.version` failed.
    #[error("no common protocol version")]
    NoCommonVersion,
    /// The server stops.
    #[error("server stops")]
    Stopping,
    /// Nothing came for too long.
    #[error("idle too long")]
    Idle,
    /// Others' long requests took all the memory there is for them.
    #[error("no memory for its long request beside those of others")]
    Crowded,
    /// A TLS handshake where plain text is spoken.
    #[error(
        "client speaks TLS, but this port takes plain text: turn off SSL in the wallet for this \
         port, or put a TLS proxy such as nginx in front of it"
    )]
    Tls,
    /// Replies did not go out.
    #[error("cannot write to client: {0}")]
    Write(io::Error),
    /// Requests did not come in.
    #[error("cannot read from client: {0}")]
    Read(io::Error),
}

/// The parts of one connection that its tasks share.
struct Connection {
    common: Arc<Common>,
    session: Arc<Session>,
    lanes: Lanes,
    /// Memory for this client's replies.
    replies: ByteBudget,
    queue: mpsc::Sender<Outgoing>,
    in_flight: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// Serves one client, and says in the log how that ended.
pub(crate) async fn serve_client(client: Client, common: Arc<Common>, shutdown: Shutdown) {
    let Client { stream, peer, admission } = client;
    debug!("client {peer} connected");
    let end = serve(stream, common, shutdown).await;
    match end {
        End::Write(error) if error.kind() == ErrorKind::TimedOut => {
            info!("client {peer} dropped: {error}");
        }
        End::ByClient | End::Stopping | End::Read(_) | End::Write(_) => {
            debug!("client {peer} left: {end}");
        }
        End::Tls => warn!("client {peer} dropped: {end}"),
        _ => info!("client {peer} dropped: {end}"),
    }
    drop(admission);
}

/// Serves one client until it leaves, breaks a limit or the server stops.
async fn serve(stream: impl ClientStream, common: Arc<Common>, mut shutdown: Shutdown) -> End {
    let (input, output) = stream.split();
    let (queue, outgoing) = mpsc::channel(WRITE_QUEUE_MESSAGES);
    let changes = common.tips.listen();
    let settings = common.settings.clone();
    let connection = Arc::new(Connection {
        session: Arc::new(Session::new(common.hub.clone())),
        lanes: Lanes::default(),
        replies: ByteBudget::new(settings.max_queued_bytes_per_client),
        queue,
        in_flight: Arc::new(Semaphore::new(IN_FLIGHT_LINES_PER_CLIENT)),
        running: Arc::new(Semaphore::new(RUNNING_PER_CLIENT)),
        common,
    });
    let session = connection.session.clone();
    let writing =
        write_lines(output, outgoing, settings.write_timeout, move || session.is_padded());
    let talking = async move {
        let mut jobs = JoinSet::new();
        let Connection { common, session, lanes, queue, .. } = &*connection;
        let notifier = Notifier { common, session, lanes, queue };
        let end = tokio::select! {
            end = read_lines(input, &connection, &mut jobs) => end,
            () = notifier.run(changes) => End::Stopping,
            () = shutdown.requested() => End::Stopping,
        };
        // questions already read are still answered; the queue closes after the last answer
        while jobs.join_next().await.is_some() {}
        end
    };
    tokio::pin!(writing);
    tokio::select! {
        end = talking => match (writing.await, end) {
            (Err(error), End::ByClient) => End::Write(error),
            (_, end) => end,
        },
        written = &mut writing => match written {
            Err(error) => End::Write(error),
            Ok(()) => End::ByClient,
        },
    }
}

/// Reads until the client has nothing more to say.
async fn read_lines(
    mut input: impl AsyncRead + Unpin,
    connection: &Arc<Connection>,
    jobs: &mut JoinSet<()>,
) -> End {
    let idle = connection.common.settings.idle_timeout;
    let mut cutter = LineCutter::new(MAX_LINE_BYTES);
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut first = true;
    let mut held = HeldBytes::default();
    loop {
        let length = match timeout(idle, input.read(&mut buffer)).await {
            Err(_) => return End::Idle,
            Ok(Err(error)) => return End::Read(error),
            Ok(Ok(0)) => break,
            Ok(Ok(length)) => length,
        };
        let mut bytes = &buffer[..length];
        metrics::CLIENT_BYTES_READ.add(length);
        if std::mem::take(&mut first) && is_client_hello(bytes) {
            return End::Tls;
        }
        while let Some(line) = cutter.next(&mut bytes) {
            if let Some(end) = connection.take(line, std::mem::take(&mut held), jobs).await {
                return end;
            }
        }
        let begun = cutter.held_bytes();
        // twice: the line itself, and what is parsed from it
        let counted = if begun > UNCOUNTED_LINE_BYTES { begun * 2 } else { 0 };
        if !connection.common.requests.grow(&mut held, counted) {
            return End::Crowded;
        }
    }
    match cutter.end() {
        Some(line) => connection.take(line, held, jobs).await.unwrap_or(End::ByClient),
        None => End::ByClient,
    }
}

/// A TLS record of type handshake, version 3.x; no JSON begins like that.
fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 0x03, ..])
}

impl Connection {
    /// Takes one line, for whose bytes `held` was taken. Waits while the client has too many lines
    /// in flight, or all clients together too many bytes; meanwhile nothing more is read.
    async fn take(
        self: &Arc<Self>,
        line: Line,
        held: HeldBytes,
        jobs: &mut JoinSet<()>,
    ) -> Option<End> {
        while jobs.try_join_next().is_some() {}
        let gone = || Some(End::ByClient);
        let line = match line {
            Line::Text(line) => line,
            Line::TooLong => {
                let sent = self.queue.send(Outgoing::plain(line_too_long())).await;
                return if sent.is_err() { gone() } else { None };
            }
        };
        // this client's own slot comes before memory from the shared budget: a slow client must not
        // hold memory that others need
        let Ok(permit) = self.in_flight.clone().acquire_owned().await else { return gone() };
        // most of a long line is counted in `held` already; only the rest is asked for, so that two
        // long lines cannot wait for each other
        let rest = (line.len() * 2).saturating_sub(held.bytes());
        let read = self.common.requests.wait_for(rest);
        let Ok(read) = timeout(REQUEST_PATIENCE, read).await else { return Some(End::Crowded) };
        let accepted = self.session.accept(&line);
        drop(line);
        let close = accepted.close;
        if !accepted.steps.is_empty() {
            if accepted.unsubscribes() {
                // if it overtook the subscription, that would stay in force for ever
                while jobs.join_next().await.is_some() {}
                self.answer(accepted, [held, read], permit).await;
                return close.then_some(End::NoCommonVersion);
            }
            let connection = self.clone();
            let held = [held, read];
            jobs.spawn(async move { connection.answer(accepted, held, permit).await });
        }
        close.then_some(End::NoCommonVersion)
    }

    /// Answers one line and queues the reply.
    async fn answer(
        &self,
        accepted: Accepted,
        held: [HeldBytes; 2],
        in_flight: OwnedSemaphorePermit,
    ) {
        let _running = match accepted.runs_here() {
            true => None,
            false => Some(self.running.acquire().await),
        };
        let _order = match accepted.subscribes() {
            true => Some((self.lanes.tip.read().await, self.lanes.watched.read().await)),
            false => None,
        };
        let Connection { common, session, .. } = self;
        let mut memory = ReplyMemory::new([&self.replies, &common.replies]);
        let line = answer(&common.workers, session, &accepted, &mut memory).await;
        let Some(line) = line else { return };
        let reply = Outgoing::reply(line, memory, in_flight, || accepted.busy_line());
        drop((accepted, held));
        // an error means that the connection is at its end
        let _ = self.queue.send(reply).await;
    }
}
