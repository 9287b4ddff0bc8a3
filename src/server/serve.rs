//! The listening side: a bound address, its connections and their orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::connection;
use super::dispatch::Shared;
use super::operation::Operation;
use super::options::Options;
use super::prefix::Prefixed;
use super::uploads::Uploads;
use crate::content::Store;
use crate::oci::is_repository;

/// How long nothing is accepted after the system refused, as it does when all descriptors are in
/// use: some will be free again.
const BREATH: Duration = Duration::from_millis(100);
/// How many clients that come during the stop are told so at once.
const LATE: usize = 64;

/// A registry that is bound to its address and not yet answering.
pub struct Server<S: Store> {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<S>>,
}

impl<S: Store> Server<S> {
    /// Binds `address`; port 0 takes a free one. Clients that connect from now on wait.
    /// `InvalidInput` when the prefix cannot begin the name of a repository.
    pub async fn bind(address: SocketAddr, store: Arc<S>, options: Options) -> io::Result<Self> {
        if let Some(prefix) = options.prefix.as_deref().filter(|p| !is_repository(p)) {
            let message = format!("`{prefix}` cannot begin the name of a repository");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            store: Arc::new(Prefixed::new(store, options.prefix.clone())),
            uploads: Uploads::new(),
            operation: Arc::new(Operation::new(&options)),
            options,
        };
        Ok(Self {
            listener,
            address,
            shared: Arc::new(shared),
        })
    }

    /// The address with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `cancel`, then finishes what is under way, within
    /// [`grace`](super::Limits::grace). Who comes in that time is answered with 503, `/healthz`
    /// included. At the end every connection is closed.
    pub async fn run(self, cancel: CancellationToken) -> io::Result<()> {
        let Self {
            listener, shared, ..
        } = self;
        let operation = Arc::clone(&shared.operation);
        let serve = |(stream, address): (TcpStream, SocketAddr), late: bool| {
            // A stop that is over is no news to who came after it.
            let stop = if late {
                CancellationToken::new()
            } else {
                cancel.clone()
            };
            connection::serve(stream, address, Arc::clone(&shared), stop, late)
        };
        let mut open = JoinSet::new();
        while !cancel.is_cancelled() {
            operation.metrics.connections(open.len());
            tokio::select! {
                () = cancel.cancelled() => {}
                Some(_) = open.join_next() => {}
                accepted = accept(&listener), if open.len() < operation.limits.connections => {
                    open.spawn(serve(accepted, false));
                }
            }
        }
        operation.stop();
        let end = Instant::now() + operation.limits.grace;
        let mut late = JoinSet::new();
        while !open.is_empty() {
            operation.metrics.connections(open.len() + late.len());
            tokio::select! {
                () = sleep_until(end) => break,
                Some(_) = open.join_next() => {}
                Some(_) = late.join_next() => {}
                accepted = accept(&listener), if late.len() < LATE => {
                    late.spawn(serve(accepted, true));
                }
            }
        }
        drop(listener);
        open.shutdown().await;
        late.shutdown().await;
        Ok(())
    }

    /// Answers on a task of its own, until the handle is stopped or dropped.
    pub fn spawn(self) -> Running {
        let cancel = CancellationToken::new();
        Running {
            address: self.address,
            task: tokio::spawn(self.run(cancel.clone())),
            guard: cancel.drop_guard(),
        }
    }
}

/// The next client.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client was quicker.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                sleep(BREATH).await;
            }
        }
    }
}

/// A registry that answers in the background; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    task: JoinHandle<io::Result<()>>,
    guard: DropGuard,
}

impl Running {
    /// The address with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops and waits until it is over.
    pub async fn stop(self) -> io::Result<()> {
        drop(self.guard);
        self.task.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use oci_distribution::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
    use oci_distribution::manifest::{IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_MEDIA_TYPE};
    use oci_distribution::secrets::RegistryAuth;
    use oci_distribution::{Client, Reference};

    use super::super::testing::Peer;

    #[tokio::test]
    async fn a_foreign_client_reads_back_what_it_pushed() {
        let peer = Peer::new().await;
        for monolithic in [false, true] {
            let client = Client::new(ClientConfig {
                protocol: ClientProtocol::Http,
                use_monolithic_push: monolithic,
                ..ClientConfig::default()
            });
            let name = format!("{}/k8s/pause:{monolithic}", peer.server.local_addr());
            let image: Reference = name.parse().expect("a reference");
            let content = Bytes::from(vec![7; 5 << 20]);
            let layer = ImageLayer::new(content.clone(), IMAGE_LAYER_MEDIA_TYPE.into(), None);
            let config = Bytes::from_static(b"{}");
            let config = Config::new(config, IMAGE_CONFIG_MEDIA_TYPE.into(), None);
            let auth = RegistryAuth::Anonymous;
            let pushed = client.push(&image, &[layer], config, &auth, None).await;
            pushed.expect("pushed");
            let pulled = client.pull(&image, &auth, vec![IMAGE_LAYER_MEDIA_TYPE]);
            let pulled = pulled.await.expect("pulled");
            assert_eq!(pulled.layers.len(), 1);
            assert!(pulled.layers[0].data[..] == content[..]);
        }
    }

    #[tokio::test]
    async fn stopping_frees_the_port_also_with_idle_connections() {
        let peer = Peer::new().await;
        assert_eq!(peer.send("GET", "/v2/").await.status, 200);
        let address = peer.server.local_addr();
        let stopped = tokio::time::timeout(Duration::from_secs(4), peer.server.stop()).await;
        stopped.expect("at once").expect("in order");
        std::net::TcpListener::bind(address).expect("a free port");
    }
}
