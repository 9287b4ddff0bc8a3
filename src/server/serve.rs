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
        // Each open upload may hold a file, and all are in use.
        let relieve = || shared.uploads.give_up_rested();
        let most = operation.limits.connections.max(1);
        let mut open = JoinSet::new();
        while !cancel.is_cancelled() {
            operation.metrics.connections(open.len());
            tokio::select! {
                () = cancel.cancelled() => {}
                Some(_) = open.join_next() => {}
                accepted = accept(&listener, relieve), if open.len() < most => {
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
                accepted = accept(&listener, relieve), if late.len() < LATE => {
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

/// The next client. `relieve` is called when the system refused, for as long as it does.
async fn accept(listener: &TcpListener, relieve: impl Fn()) -> (TcpStream, SocketAddr) {
    let mut told = false;
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
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "cannot accept connections");
                }
                relieve();
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
    use bytes::Bytes;
    use oci_distribution::client::{
        Certificate, CertificateEncoding, ClientConfig, ClientProtocol, Config, ImageLayer,
    };
    use oci_distribution::manifest::{IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_MEDIA_TYPE};
    use oci_distribution::secrets::RegistryAuth;
    use oci_distribution::{Client, Reference};

    use super::super::testing::{Lines, Peer, client, logins};
    use super::super::{Limits, Options, Tls, self_signed};
    use super::*;

    async fn copy(client: &Client, image: &Reference, auth: &RegistryAuth) {
        let content = Bytes::from(vec![7; 5 << 20]);
        let layer = ImageLayer::new(content.clone(), IMAGE_LAYER_MEDIA_TYPE.into(), None);
        let config = Bytes::from_static(b"{}");
        let config = Config::new(config, IMAGE_CONFIG_MEDIA_TYPE.into(), None);
        let pushed = client.push(image, &[layer], config, auth, None).await;
        pushed.expect("pushed");
        let pulled = client.pull(image, auth, vec![IMAGE_LAYER_MEDIA_TYPE]);
        let pulled = pulled.await.expect("pulled");
        assert_eq!(pulled.layers.len(), 1);
        assert!(pulled.layers[0].data[..] == content[..]);
    }

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
            copy(&client, &image, &RegistryAuth::Anonymous).await;
        }
    }

    #[tokio::test]
    async fn a_foreign_client_logs_in_over_tls_below_a_prefix() {
        let pair = self_signed(&["127.0.0.1"]).expect("made");
        let tls = Tls::new(&pair.certificate_pem, &pair.key_pem);
        let lines = Lines::default();
        let peer = Peer::with(lines.listen(Options {
            tls: Some(Arc::new(tls.expect("a pair"))),
            logins: Some(logins("site", "word")),
            prefix: Some("k8s".to_owned()),
            ..Options::default()
        }))
        .await;
        let client = Client::new(ClientConfig {
            extra_root_certificates: vec![Certificate {
                encoding: CertificateEncoding::Pem,
                data: pair.ca_pem.clone().into_bytes(),
            }],
            ..ClientConfig::default()
        });
        let name = format!("{}/k8s/pause:3.10", peer.server.local_addr());
        let image: Reference = name.parse().expect("a reference");
        let auth = RegistryAuth::Basic("site".to_owned(), "word".to_owned());
        copy(&client, &image, &auth).await;
        let all = peer.store.repositories().await.expect("memory");
        assert_eq!(all, ["pause"]);
        let lines = lines.first(2).await;
        assert_eq!(lines[0].status, 401);
        let writes = lines.iter().filter(|line| line.method != "GET");
        assert!(
            writes
                .clone()
                .all(|line| line.user.as_deref() == Some("site"))
        );
        assert!(writes.count() > 3);
    }

    #[tokio::test]
    async fn the_client_above_the_limit_waits() {
        let limits = Limits {
            connections: 1,
            ..Limits::default()
        };
        let peer = Peer::with(Options {
            limits,
            ..Options::default()
        })
        .await;
        let request = "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n";
        let first = peer.raw().await;
        // It is accepted before the second asks.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut second = peer.raw().await;
        second.send(request).await;
        let early = tokio::time::timeout(Duration::from_millis(300), second.rest()).await;
        assert!(early.is_err());
        drop(first);
        assert!(second.rest().await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_stop_finishes_what_is_under_way_and_says_so_to_others() {
        let peer = Peer::new().await;
        let upload = peer.open("a").await;
        let mut raw = peer.raw().await;
        let head = format!("PATCH {upload} HTTP/1.1\r\nContent-Length: 6\r\n\r\n");
        raw.send(&head).await;
        raw.send("abc").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let url = peer.url("");
        let stop = tokio::spawn(peer.server.stop());
        let mut health = client(&[]).get(format!("{url}/healthz")).send().await;
        while health.as_ref().is_ok_and(|health| health.status() == 200) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            health = client(&[]).get(format!("{url}/healthz")).send().await;
        }
        let health = health.expect("an answer");
        assert_eq!(health.status(), 503);
        assert_eq!(health.headers()["connection"], "close");
        let other = client(&[]).get(format!("{url}/v2/")).send().await;
        let other = other.expect("an answer");
        assert_eq!(other.status(), 503);
        assert!(other.headers().contains_key("retry-after"));
        let text = other.text().await.expect("a text");
        assert!(text.contains("UNAVAILABLE"), "{text}");
        raw.send("def").await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        assert!(answer.contains("range: 0-5"), "{answer}");
        stop.await.expect("no panic").expect("in order");
        client(&[]).get(url).send().await.expect_err("nobody");
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_ever() {
        let lines = Lines::default();
        let limits = Limits {
            grace: Duration::from_millis(300),
            ..Limits::default()
        };
        let options = Options {
            limits,
            ..Options::default()
        };
        let peer = Peer::with(lines.listen(options)).await;
        let upload = peer.open("a").await;
        let mut raw = peer.raw().await;
        let head = format!("PATCH {upload} HTTP/1.1\r\nContent-Length: 6\r\n\r\n");
        raw.send(&head).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let stopped = tokio::time::timeout(Duration::from_secs(4), peer.server.stop()).await;
        stopped.expect("soon").expect("in order");
        assert_eq!(raw.rest().await, "");
        assert_eq!(lines.first(2).await[1].status, 499);
    }

    #[tokio::test]
    async fn a_prefix_must_be_able_to_begin_a_name() {
        let store = Arc::new(crate::content::MemoryStore::new());
        for bad in ["", "/k8s", "k8s/", "K8s"] {
            let options = Options {
                prefix: Some(bad.to_owned()),
                ..Options::default()
            };
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let bound = Server::bind(address, Arc::clone(&store), options).await;
            let error = bound.err().expect("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
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
