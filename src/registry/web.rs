//! A client for web pages, which are no registries: the same proxies, and never a login.

use reqwest::Client;

use super::options::Proxies;
use super::proxy;
use super::setup::SetupError;
use super::wire::innermost;

/// Makes it. Certificates are not checked: what asks with it wants to know what kind of page an address
/// gives to those who do not check them either, and nothing that it says or hears is a secret.
pub fn web_client(proxies: &Proxies) -> Result<Client, SetupError> {
    let plain = Client::builder()
        .user_agent(concat!("airbuoy/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .referer(false)
        .tls_danger_accept_invalid_certs(true);
    let proxied = proxy::proxies(proxies)?
        .into_iter()
        .fold(plain, reqwest::ClientBuilder::proxy);
    proxied
        .build()
        .map_err(|error| SetupError::Client(innermost(&error)))
}
