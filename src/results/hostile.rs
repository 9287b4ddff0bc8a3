//! Archives that are broken, strange or meant to harm: each ends in a clear word, none in a panic.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::EntryType;

use super::testing::{Tarball, gzip, on_disk};
use super::{Results, ResultsError, Verdict, limits};

pub(super) const LOG: &str = "Will run 1 of 2 specs\n\nRan 1 of 2 Specs in 1.000 seconds\n\
                   SUCCESS! -- 1 Passed | 0 Failed | 0 Pending | 1 Skipped\nTest Suite Passed\n";
pub(super) const JUNIT: &str = r#"<testsuites><testsuite name="s" time="1">
<testcase name="[It] a [Conformance]" time="1"/><testcase name="[It] b" time="0"><skipped/></testcase>
</testsuite></testsuites>"#;

pub(super) fn open(bytes: &[u8]) -> Result<Results, ResultsError> {
    let (_folder, path) = on_disk(bytes);
    Results::open(&path)
}

/// The two files where sonobuoy v0.57.5 puts them.
pub(super) fn whole() -> Tarball {
    Tarball::new()
        .file("plugins/e2e/results/global/e2e.log", LOG.as_bytes())
        .file("plugins/e2e/results/global/junit_01.xml", JUNIT.as_bytes())
}

#[test]
fn every_layout_is_read() {
    let current = whole();
    let dotted = Tarball::new()
        .file("./meta/info.json", br#"{"plugins":["e2e"]}"#)
        .file("./plugins/e2e/results/global/e2e.log", LOG.as_bytes())
        .file(
            "./plugins/e2e/results/global/junit_01.xml",
            JUNIT.as_bytes(),
        );
    let old = Tarball::new()
        .file(
            "plugins/e2e/defintion.json",
            br#"{"Definition":{"spec":{"image":"r/conformance:v1.20.1"}}}"#,
        )
        .file("plugins/e2e/results/e2e.log", LOG.as_bytes())
        .file("plugins/e2e/results/junit_01.xml", JUNIT.as_bytes());
    for (name, tarball) in [("current", current), ("dotted", dotted), ("old", old)] {
        let tar = tarball.tar();
        for bytes in [gzip(&tar), tar] {
            let results = open(&bytes).expect(name);
            assert_eq!(results.ruling().verdict, Verdict::Passed, "{name}");
            assert_eq!(results.plugins, ["e2e"], "{name}");
            assert_eq!(results.log.as_deref(), Some(LOG.as_bytes()), "{name}");
            assert_eq!(results.junit[0].bytes, JUNIT.as_bytes(), "{name}");
        }
    }
}

#[test]
fn folders_are_read_and_their_links_are_not() {
    let (folder, _) = on_disk(b"secret");
    let root = folder.path().join("unpacked");
    let results = root.join("plugins/e2e/results/global");
    std::fs::create_dir_all(&results).expect("a folder");
    std::fs::write(results.join("junit_01.xml"), JUNIT).expect("written");
    let path = camino::Utf8PathBuf::from_path_buf(root.clone()).expect("UTF-8");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(
            folder.path().join("results.tar.gz"),
            results.join("e2e.log"),
        )
        .expect("a link");
        let opened = Results::open(&path).expect("a folder");
        assert_eq!(opened.log, None);
        assert!(
            opened.warnings[0].contains("it is a link"),
            "{:?}",
            opened.warnings
        );
        std::fs::remove_file(results.join("e2e.log")).expect("removed");
    }
    std::fs::write(results.join("e2e.log"), LOG).expect("written");
    let opened = Results::open(&path).expect("a folder");
    assert_eq!(opened.ruling().verdict, Verdict::Passed);

    let bare = camino::Utf8PathBuf::from_path_buf(results).expect("UTF-8");
    let opened = Results::open(&bare).expect("the two files alone");
    assert_eq!(opened.ruling().verdict, Verdict::Passed);
}

#[test]
fn what_is_no_tarball_says_what_it_is() {
    assert!(matches!(open(b""), Err(ResultsError::Empty { .. })));
    let missing = Results::open(camino::Utf8Path::new("/nonexistent.tar.gz"));
    assert!(matches!(missing, Err(ResultsError::Unreadable { .. })));
    for (bytes, word) in [
        (&b"PK\x03\x04 and so on"[..], "a zip archive"),
        (b"<!doctype html><html>sign in</html>", "a web page"),
        (b"{\"error\": \"not found\"}", "JSON"),
        (b"\x00\x01\x02\x80", "unknown binary data"),
        (&[b'x'; 4000], "text"),
        (&gzip(b"a log, gzipped"), "gzip of something else"),
        (&gzip(&[b'x'; 4000]), "gzip of something else"),
    ] {
        match open(bytes) {
            Err(error @ ResultsError::NotATarball { looks_like, .. }) => {
                assert_eq!(looks_like, word);
                assert!(error.hint().is_some());
            }
            other => panic!("{word}: {other:?}"),
        }
    }
}

#[test]
fn other_tarballs_say_what_they_hold() {
    let nested = Tarball::new().file("202611_sonobuoy_x.tar.gz", b"x").gzip();
    let other = Tarball::new().file("Cargo.toml", b"[package]").gzip();
    let plugin = Tarball::new()
        .file("meta/info.json", br#"{"plugins":["systemd-logs"]}"#)
        .gzip();
    for (bytes, word) in [
        (nested, "another tarball, 202611_sonobuoy_x.tar.gz"),
        (other, "begins with Cargo.toml"),
        (plugin, "its plugins are systemd-logs"),
        (Tarball::new().gzip(), "it has no files"),
    ] {
        let error = open(&bytes).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_cut_is_noticed_wherever_it_is() {
    let noise: Vec<u8> = (0..200_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let tar = whole().file("hosts/node/noise", &noise).tar();
    let gz = gzip(&tar);
    for keep in [11, 400, gz.len() / 2, gz.len() - 9, gz.len() - 1] {
        let error = open(&gz[..keep]).expect_err("a cut tarball");
        assert!(
            matches!(error, ResultsError::Truncated { .. }),
            "{keep}: {error}"
        );
    }
    // Plain tars have no checksum over the whole: the closing blocks tell.
    for keep in [600, tar.len() / 2, tar.len() - 1024] {
        let error = open(&tar[..keep]).expect_err("a cut tar");
        assert!(
            matches!(error, ResultsError::Truncated { .. }),
            "{keep}: {error}"
        );
    }
    let mut flipped = gz.clone();
    let at = gz.len() - 6;
    flipped[at] ^= 1;
    assert!(matches!(open(&flipped), Err(ResultsError::Damaged { .. })));
}

#[test]
fn members_that_leave_the_archive_are_passed_over() {
    let bytes = whole()
        .file("../../plugins/e2e/results/global/junit_02.xml", b"<x/>")
        .file("/plugins/e2e/results/global/junit_03.xml", b"<x/>")
        .link(
            "plugins/e2e/results/global/junit_04.xml",
            "/etc/passwd",
            EntryType::Symlink,
        )
        .link(
            "plugins/e2e/results/global/junit_05.xml",
            "meta/x",
            EntryType::Link,
        )
        .claim(
            "plugins/e2e/results/global/junit_06.xml",
            EntryType::Char,
            0,
        )
        .file("plugins/e2e/results/global/junit_01.xml", b"<second/>")
        .gzip();
    let results = open(&bytes).expect("the rest is fine");
    assert_eq!(results.junit.len(), 1);
    assert_eq!(results.ruling().verdict, Verdict::Passed);
    for word in [
        "leaves the archive",
        "absolute",
        "a link",
        "no plain file",
        "came before",
    ] {
        let said = results.warnings.iter().any(|w| w.contains(word));
        assert!(said, "{word}: {:?}", results.warnings);
    }
}

/// A hundred gigabytes of zeros, compressed to a hundred megabytes, is given up at the first bound:
/// the header's own claim where there is one, else the count of bytes that came.
#[test]
fn bombs_are_given_up() {
    let hundred_gb = 100_000_000_000;
    for name in ["hosts/zeros", "plugins/e2e/results/global/e2e.log"] {
        let bytes = gzip(
            &Tarball::new()
                .claim(name, EntryType::Regular, hundred_gb)
                .tar(),
        );
        match open(&bytes) {
            Err(ResultsError::TooLarge { what, limit, .. }) => {
                assert_eq!((what.as_str(), limit), (name, limits::MEMBER));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let log = "plugins/e2e/results/global/e2e.log";
    let bytes = gzip(
        &Tarball::new()
            .claim(log, EntryType::Regular, limits::LOG + 1)
            .tar(),
    );
    assert!(matches!(open(&bytes), Err(ResultsError::TooLarge { .. })));
    // A name without end is not read into memory.
    let bytes = gzip(
        &Tarball::new()
            .claim("././@LongLink", EntryType::GNULongName, 1 << 30)
            .tar(),
    );
    assert!(matches!(open(&bytes), Err(ResultsError::TooLarge { .. })));
}

#[test]
fn long_names_of_both_kinds_are_followed() {
    let long = format!("podlogs/{}/x", "n".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder
        .append_data(&mut header, &long, &b"x"[..])
        .expect("a GNU long name");
    let path = "plugins/e2e/results/global/junit_01.xml";
    builder
        .append_pax_extensions([("path", path.as_bytes())])
        .expect("a pax header");
    let mut header = tar::Header::new_ustar();
    header.set_path("short").expect("a short name");
    header.set_size(JUNIT.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, JUNIT.as_bytes()).expect("memory");
    let results = open(&builder.into_inner().expect("memory")).expect("well-formed");
    assert_eq!(results.junit[0].path, path);
}

/// The bytes that gzip makes of many zeros, to be sure that reading stops in time.
#[test]
fn a_real_bomb_is_given_up_before_it_is_unpacked() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    let claimed = limits::LOG + (1 << 20);
    let header = Tarball::new()
        .claim(
            "plugins/e2e/results/global/e2e.log",
            EntryType::Regular,
            claimed,
        )
        .tar();
    gz.write_all(&header[..512]).expect("memory");
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        gz.write_all(&zeros).expect("memory");
    }
    let bytes = gz.finish().expect("memory");
    assert!(matches!(open(&bytes), Err(ResultsError::TooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), with in any::<u8>(), gzipped: bool) {
        let mut bytes = if gzipped { whole().gzip() } else { whole().tar() };
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(results) = open(&bytes) {
            results.summary();
        }
    }
}
