//! Under which addresses others find a server of this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `host:port` under which a server that listens at `address` can be reached: the address itself,
/// or for 0.0.0.0 and [::] every one of this machine, those that others see first.
pub(super) fn reachable(address: SocketAddr, host_name: Option<&str>) -> Vec<String> {
    if let Some(name) = host_name {
        return vec![format!("{name}:{}", address.port())];
    }
    let hosts = hosts(address.ip());
    let hosts = hosts.into_iter();
    hosts
        .map(|ip| SocketAddr::new(ip, address.port()).to_string())
        .collect()
}

/// The addresses alone.
pub(super) fn hosts(listen: IpAddr) -> Vec<IpAddr> {
    if !listen.is_unspecified() {
        return vec![listen];
    }
    // A machine that does not tell its interfaces still has itself.
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let all = interfaces.into_iter().map(|interface| interface.ip());
    let loopback: IpAddr = match listen {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    sorted(all.chain([loopback]), listen.is_ipv4())
}

fn sorted(all: impl Iterator<Item = IpAddr>, only_v4: bool) -> Vec<IpAddr> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        // A link-local address means nothing without its interface.
        IpAddr::V6(ip) => !only_v4 && !ip.is_unicast_link_local(),
    };
    let mut all: Vec<IpAddr> = all.filter(usable).collect();
    all.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_come_first_and_what_nobody_can_use_is_left_out() {
        let all = [
            "127.0.0.1",
            "10.0.0.5",
            "fe80::1",
            "::1",
            "2001:db8::5",
            "169.254.1.1",
        ];
        let all = all.map(|ip| ip.parse::<IpAddr>().expect("an address"));
        let shown = |only_v4| -> Vec<String> {
            let sorted = sorted(all.into_iter().chain(all), only_v4).into_iter();
            sorted.map(|ip| ip.to_string()).collect()
        };
        assert_eq!(shown(true), ["10.0.0.5", "127.0.0.1"]);
        assert_eq!(
            shown(false),
            ["10.0.0.5", "2001:db8::5", "127.0.0.1", "::1"]
        );
    }

    #[test]
    fn what_was_typed_is_what_nodes_use() {
        let address: SocketAddr = "10.0.0.5:5000".parse().expect("an address");
        assert_eq!(reachable(address, None), ["10.0.0.5:5000"]);
        assert_eq!(reachable(address, Some("reg.local")), ["reg.local:5000"]);
        let all = reachable("0.0.0.0:7".parse().expect("an address"), None);
        assert!(all.contains(&"127.0.0.1:7".to_owned()), "{all:?}");
    }
}
