//! A certificate for a site that has none: an authority of its own, which clients are told to
//! trust, and below it the server's certificate.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ParsedCertificate;

use super::tls::{TlsError, certificates, provider};

/// Days from the first to the last day together: 398 is the most that clients take (CA/Browser
/// Forum, ballot SC31), counted generously.
const DAYS: i64 = 397;
/// Clocks on a site without internet differ.
const DAYS_BACK: i64 = 1;
/// The longest common name (RFC 5280, appendix A.1).
const COMMON_NAME: usize = 64;

/// A new certificate, its authority and its key, as PEM text.
pub struct SelfSigned {
    /// The authority, for clients to trust. Its key is gone: it can sign nothing else.
    pub ca_pem: String,
    /// The server's certificate.
    pub certificate_pem: String,
    /// The server's key: secret.
    pub key_pem: String,
}

impl fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfSigned")
            .field("ca_pem", &self.ca_pem)
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// Makes a certificate for host names and IP addresses, without ports; it is good for 396 days
/// from now on.
pub fn self_signed(hosts: &[impl AsRef<str>]) -> Result<SelfSigned, TlsError> {
    let first = hosts.first().ok_or(TlsError::NoHost)?.as_ref();
    for host in hosts {
        server_name(host.as_ref())?;
    }
    let names: Vec<String> = hosts
        .iter()
        .map(|host| host.as_ref().to_ascii_lowercase())
        .collect();
    make(first, names).map_err(|error| TlsError::Making(error.to_string()))
}

fn make(first: &str, names: Vec<String>) -> Result<SelfSigned, rcgen::Error> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let ca_key = KeyPair::generate()?;
    // Two authorities of one name confuse clients that trust both: the key sets them apart.
    let mark: String = ca_key
        .public_key_raw()
        .iter()
        .skip(1)
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut ca = CertificateParams::default();
    date(&mut ca, today);
    ca.distinguished_name = name(&format!("airbuoy {mark} {first}"));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(ca, ca_key)?;

    let mut leaf = CertificateParams::new(names)?;
    date(&mut leaf, today);
    leaf.distinguished_name = name(first);
    leaf.use_authority_key_identifier_extension = true;
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &ca)?;
    Ok(SelfSigned {
        ca_pem: ca.pem(),
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    })
}

fn date(params: &mut CertificateParams, today: Date) {
    let at = |days: i64| {
        let date = today.saturating_add(days.days());
        let year = i32::from(date.year());
        rcgen::date_time_ymd(year, date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = at(-DAYS_BACK);
    params.not_after = at(DAYS - DAYS_BACK);
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let common: String = common.chars().take(COMMON_NAME).collect();
    name.push(DnType::CommonName, common);
    name
}

fn server_name(host: &str) -> Result<ServerName<'_>, TlsError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    ServerName::try_from(host).map_err(|_| TlsError::Host(host.to_owned()))
}

/// Whether a client that trusts `ca_pem` accepts a server with `certificate_pem` under every one
/// of `hosts`, at the time `at`: with a time some weeks ahead, whether the pair can still be used.
/// False as well when something cannot be read.
pub fn covers(
    ca_pem: &str,
    certificate_pem: &str,
    hosts: &[impl AsRef<str>],
    at: SystemTime,
) -> bool {
    let mut roots = RootCertStore::empty();
    let (Ok(authorities), Ok(chain), Ok(at)) = (
        certificates(ca_pem),
        certificates(certificate_pem),
        at.duration_since(SystemTime::UNIX_EPOCH),
    ) else {
        return false;
    };
    roots.add_parsable_certificates(authorities);
    let [leaf, intermediates @ ..] = &chain[..] else {
        return false;
    };
    let Ok(leaf) = ParsedCertificate::try_from(leaf) else {
        return false;
    };
    let algorithms = provider().signature_verification_algorithms.all;
    let at = UnixTime::since_unix_epoch(at);
    let trusted =
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, intermediates, at, algorithms);
    trusted.is_ok()
        && hosts.iter().all(|host| {
            server_name(host.as_ref()).is_ok_and(|name| verify_server_name(&leaf, &name).is_ok())
        })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOSTS: [&str; 4] = ["registry.example.com", "localhost", "10.0.0.7", "fd00::7"];

    fn days(days: u64) -> SystemTime {
        SystemTime::now() + Duration::from_hours(24 * days)
    }

    #[test]
    fn a_certificate_covers_its_hosts_in_its_time() {
        let made = self_signed(&HOSTS).expect("made");
        let check = |hosts: &[&str], at| covers(&made.ca_pem, &made.certificate_pem, hosts, at);
        assert!(check(&HOSTS, SystemTime::now()));
        assert!(check(&HOSTS, days(395)));
        assert!(!check(&HOSTS, days(397)));
        let early = SystemTime::now() - Duration::from_hours(49);
        assert!(!check(&HOSTS, early));
        assert!(!check(&["localhost", "other"], SystemTime::now()));
        assert!(!check(&["10.0.0.8"], SystemTime::now()));
        assert!(check(&["LocalHost"], SystemTime::now()));
        let other = self_signed(&HOSTS).expect("made");
        let foreign = covers(
            &other.ca_pem,
            &made.certificate_pem,
            &HOSTS,
            SystemTime::now(),
        );
        assert!(!foreign);
        assert!(!covers(
            "",
            &made.certificate_pem,
            &HOSTS,
            SystemTime::now()
        ));
        assert!(!covers(&made.ca_pem, "x", &HOSTS, SystemTime::now()));
    }

    #[test]
    fn hosts_that_no_client_could_ask_for_are_refused() {
        let none: [&str; 0] = [];
        assert_eq!(self_signed(&none).err(), Some(TlsError::NoHost));
        for bad in ["", "a b", "localhost:5000", "https://x", "é", "[::1]"] {
            let refused = self_signed(&["localhost", bad]).err();
            assert_eq!(refused, Some(TlsError::Host(bad.to_owned())));
        }
        let long = format!("{}.example.com", "a".repeat(63));
        assert!(self_signed(&[long]).is_ok());
    }
}
