//! An address that cannot be listened on: why, and what to type instead.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Ports below are root's, unless the system says otherwise (`net.ipv4.ip_unprivileged_port_start`).
const UNPRIVILEGED: u16 = 1024;

/// Why, as a fragment.
pub(super) fn reason(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.port();
            format!("something listens on port {port} already ({error})")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine ({error})", address.ip())
        }
        io::ErrorKind::PermissionDenied if address.port() < UNPRIVILEGED => {
            format!("ports below {UNPRIVILEGED} are for root alone ({error})")
        }
        _ => error.to_string(),
    }
}

/// What to do next, as far as it is known.
pub(super) fn hint(address: SocketAddr, error: &io::Error) -> Option<String> {
    let (ip, port) = (address.ip(), address.port());
    let at = |ip, port| SocketAddr::new(ip, port);
    match error.kind() {
        io::ErrorKind::AddrInUse => Some(format!(
            "take another port, or any free one: --listen {}; `ss -ltnp 'sport = :{port}'` shows \
             who has this one",
            at(ip, 0)
        )),
        io::ErrorKind::AddrNotAvailable => {
            let all = at(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            Some(format!(
                "`ip -brief address` lists those that it has; --listen {all} takes all of them"
            ))
        }
        io::ErrorKind::PermissionDenied if port < UNPRIVILEGED => Some(format!(
            "take a higher port, such as --listen {}",
            at(ip, port.saturating_add(8000))
        )),
        _ if ip.is_ipv6() => Some(format!(
            "where IPv6 is off: --listen {}",
            at(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsError;

    #[test]
    fn each_reason_has_its_remedy() {
        for (address, kind, reason, hint, is_local) in [
            (
                "10.0.0.5:5000",
                io::ErrorKind::AddrInUse,
                "cannot listen on 10.0.0.5:5000: something listens on port 5000 already",
                "--listen 10.0.0.5:0; `ss -ltnp 'sport = :5000'`",
                true,
            ),
            (
                "10.0.0.5:5000",
                io::ErrorKind::AddrNotAvailable,
                "10.0.0.5 is no address of this machine",
                "--listen 0.0.0.0:5000",
                false,
            ),
            (
                "0.0.0.0:443",
                io::ErrorKind::PermissionDenied,
                "ports below 1024",
                "--listen 0.0.0.0:8443",
                true,
            ),
            (
                "[::1]:5000",
                io::ErrorKind::Unsupported,
                "[::1]:5000",
                "--listen 0.0.0.0:5000",
                true,
            ),
        ] {
            let error = SettingsError::CannotListen {
                address: address.parse().expect("an address"),
                source: kind.into(),
            };
            let (told, advice) = (error.to_string(), error.hint().expect("a hint"));
            assert!(told.contains(reason), "{told}");
            assert!(advice.contains(hint), "{advice}");
            assert_eq!(error.is_local(), is_local, "{told}");
        }
    }
}
