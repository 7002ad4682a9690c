use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// The proxies whose word about the client's address counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Trusts the proxies in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The address of the client: the last one in `X-Forwarded-For` that is not a trusted proxy, where the peer is one.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let hops: Vec<IpAddr> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map_while(|hop| hop.trim().parse().ok())
            .collect();
        hops.into_iter().rev().find(|hop: &IpAddr| !self.trusts(*hop)).unwrap_or(peer)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn forwarded(text: &str) -> HeaderMap {
        HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), text.parse().unwrap())])
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let headers = forwarded("1.1.1.1, 2.2.2.2, 10.0.0.9");
        let from = |peer: &str| proxies.client_address(peer.parse().unwrap(), &headers).to_string();
        assert_eq!(from("10.0.0.1"), "2.2.2.2");
        assert_eq!(from("9.9.9.9"), "9.9.9.9");
    }
}
