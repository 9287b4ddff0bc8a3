//! The listening side: a bound address, its connections and their orderly end.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::dispatch::{Shared, dispatch};
use super::options::Options;
use super::uploads::Uploads;
use crate::content::Store;

/// How long requests under way may go on after the stop; then the server is done without them.
const GRACE: Duration = Duration::from_secs(5);

/// A registry that is bound to its address and not yet answering.
pub struct Server<S: Store> {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared<S>>,
}

impl<S: Store> Server<S> {
    /// Binds `address`; port 0 takes a free one. Clients that connect from now on wait.
    pub async fn bind(address: SocketAddr, store: Arc<S>, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            store,
            uploads: Uploads::new(),
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

    /// Answers until `cancel`, then finishes what is under way, for five seconds at most.
    pub async fn run(self, cancel: CancellationToken) -> io::Result<()> {
        // Small answers must not wait for the client's delayed acknowledgement.
        let listener = self.listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
        });
        let router = Router::new()
            .fallback(dispatch::<S>)
            .with_state(self.shared);
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(cancel.clone().cancelled_owned())
            .into_future();
        let patience = async {
            cancel.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            result = serving => result,
            () = patience => Ok(()),
        }
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
