//! A registry behind a front that lets in only those who show a client certificate.

use crate::support::airbuoy::{Airbuoy, Outcome};
use crate::support::content::Content;
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::images::{self, mirror_only};
use crate::support::mutual::Mutual;

struct Site {
    source: Faulty,
    target: Faulty,
    front: Mutual,
    airbuoy: Airbuoy,
}

impl Site {
    fn new() -> Self {
        let mut content = Content::default();
        let layer = content.layer("one/image", 7, 100_000);
        let image = content.image("one/image", "one", "linux/amd64", &[layer]);
        content.tag("one/image", "v1", &image);
        let target = Faulty::empty();
        // It does not know that it is behind TLS.
        let relative = Fault::RelativeLocation;
        target.rule(Rule::new("POST", "/uploads/", relative));
        Self {
            source: Faulty::start(content),
            front: Mutual::in_front_of(&target.host()),
            target,
            airbuoy: Airbuoy::new(),
        }
    }

    fn mirror(&self, flags: &str) -> Outcome {
        let command = mirror_only(&["one/image:v1"], &self.source.host(), &self.front.host());
        let authority = self.front.file("ca.pem");
        let command = format!("{command} --ca-file {} {flags}", authority.display());
        self.airbuoy.run(&command)
    }

    fn assert_arrived(&self) {
        let tags = images::without_runners(self.target.tags());
        assert!(
            tags.len() == 1 && tags[0].ends_with("one/image:v1"),
            "{tags:?}"
        );
    }
}

#[test]
fn the_flags_open_the_door() {
    let site = Site::new();
    let (cert, key) = (
        site.front.file("client.cert"),
        site.front.file("client.key"),
    );
    let flags = format!(
        "--client-cert {} --client-key {}",
        cert.display(),
        key.display()
    );
    site.mirror(&flags).exits(0);
    site.assert_arrived();
}

#[test]
fn a_pair_in_certs_d_opens_it_too() {
    let site = Site::new();
    for name in ["client.cert", "client.key"] {
        let text = std::fs::read_to_string(site.front.file(name)).expect("a file");
        let at = format!(".config/containers/certs.d/{}/{name}", site.front.host());
        site.airbuoy.file(&at, &text);
    }
    site.mirror("").exits(0);
    site.assert_arrived();
}

#[test]
fn without_one_the_message_says_what_to_do() {
    let site = Site::new();
    let outcome = site.mirror("").exits(3);
    let said = &outcome.stderr;
    for part in ["wants a client certificate", "--client-cert", "certs.d"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(site.target.log().is_empty());
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_before_anything_is_asked() {
    let site = Site::new();
    let cert = site.front.file("client.cert");
    let outcome = site.mirror(&format!("--client-cert {}", cert.display()));
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("holds no private key"),
        "{}",
        outcome.stderr
    );
    let outcome = site.mirror("--client-cert absent.pem");
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(site.source.log().is_empty() && site.target.log().is_empty());
}
