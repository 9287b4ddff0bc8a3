//! The tests' own ground: content that is pushed can be read by independent tools, and the faulty
//! registry serves soundly what it is not told to spoil.

use crate::support::access_log::Access;
use crate::support::faulty::{Fault, Faulty, Rule};
use crate::support::http;
use crate::support::images::{self, sound_kinds};
use crate::support::peers::Peers;
use crate::support::push::push;
use crate::support::registry::{Kind, Options, PASSWORD, Reach, Registry, USER};
use crate::support::skip::require;

#[test]
fn both_real_registries_take_every_kind_and_peers_read_it() {
    for kind in [Kind::Distribution, Kind::Debian] {
        let registry = require!(Registry::start(Options::new(kind)));
        let peers = require!(Peers::find());
        let (content, names) = sound_kinds();
        push(&content, &registry.host());
        for name in &names {
            let (repository, tag) = name.split_once(':').expect("a tag");
            let digest = &content.repositories[repository].tags[tag];
            let reference = format!("{}/{name}", registry.host());
            assert_eq!(&peers.digest(&reference), digest, "{kind:?} {name}");
            assert_eq!(peers.raw(&reference), content.manifests[digest].bytes);
        }
        let mut expected: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        expected.sort();
        assert_eq!(registry.tags(), expected);
        let uploads = registry.log().iter().filter_map(Access::uploaded).count();
        assert_eq!(uploads, content.blobs.len());
    }
}

#[test]
fn the_faulty_registry_passes_for_a_sound_one() {
    let peers = require!(Peers::find());
    let (content, names) = sound_kinds();
    let source = Faulty::start(content.clone());
    let target = Faulty::empty();
    push(&content, &target.host());
    for name in &names {
        let (repository, tag) = name.split_once(':').expect("a tag");
        let digest = &content.repositories[repository].tags[tag];
        for host in [source.host(), target.host()] {
            assert_eq!(&peers.digest(&format!("{host}/{name}")), digest);
        }
    }
}

#[test]
fn a_private_authority_and_a_login_are_asked_for() {
    let registry = require!(Registry::distribution());
    let (content, _) = sound_kinds();
    push(&content, &registry.host());
    let closed = require!(Registry::on_storage(
        Options {
            reach: Reach::LoginAndPrivateAuthority,
            ..Options::new(Kind::Distribution)
        },
        &registry.storage(),
    ));
    let peers = require!(Peers::find()).trusting(closed.ca_file());
    let peers = peers.logged_in(USER, PASSWORD);
    let raw = peers.raw(&format!("{}/kinds/plain:v1", closed.host()));
    let digest = &content.repositories["kinds/plain"].tags["v1"];
    assert_eq!(raw, content.manifests[digest].bytes);
}

#[test]
fn faults_happen_as_scripted() {
    let (content, _) = images::kinds();
    let digest = content.repositories["kinds/plain"]
        .blobs
        .iter()
        .max_by_key(|d| content.blobs[*d].size)
        .expect("a blob")
        .clone();
    let faulty = Faulty::start(content);
    let path = format!("/v2/kinds/plain/blobs/{digest}");
    let retry_after = vec![("Retry-After", "7".to_owned())];
    faulty.rule(Rule::new("GET", "/blobs/", Fault::Answer(429, retry_after, "")).first(1));
    let (status, _) = http::get(&faulty.host(), &path);
    assert_eq!(status, 429);
    let whole = http::Connection::new(&faulty.host()).send("GET", &path, &[], 0, |_| Ok(()));
    assert_eq!((whole.status, whole.body.len()), (200, 5_000));
    let range = [("range", "bytes=4990-")];
    let part = http::Connection::new(&faulty.host()).send("GET", &path, &range, 0, |_| Ok(()));
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[4_990..]));
    faulty.rule(Rule::new("GET", "/blobs/", Fault::Flip(3)));
    let other = http::Connection::new(&faulty.host()).send("GET", &path, &[], 0, |_| Ok(()));
    assert_eq!(other.body[3], whole.body[3] ^ 1);
    let log = faulty.requests("GET", &path);
    let bytes: Vec<(u16, u64)> = log.iter().map(|r| (r.status, r.bytes)).collect();
    assert_eq!(bytes, [(429, 0), (200, 5_000), (206, 10), (200, 5_000)]);
}
