//! Tars that are broken, strange or meant to harm: each ends in its own word, none in a panic.

use proptest::prelude::*;
use tar::EntryType;

use super::super::tarball::Tarball;
use super::*;

fn sound() -> Tarball {
    Tarball::new()
        .file("oci-layout", b"{}")
        .file("index.json", &[b'x'; 700])
        .file("blobs/sha256/aa", &[b'y'; 512])
        .file("blobs/sha256/bb", b"")
}

fn fault(tarball: Tarball) -> TarFault {
    scan(&*tarball.tar()).expect_err("hostile")
}

fn paths(bytes: &[u8]) -> Vec<String> {
    let members = scan(bytes).expect("sound");
    members.into_iter().map(|m| m.path).collect()
}

#[test]
fn members_are_found_where_they_lie() {
    let tar = sound().tar();
    let members = scan(&*tar).expect("sound");
    assert_eq!(members.len(), 4);
    let index = &members[1];
    assert_eq!((&*index.path, index.size), ("index.json", 700));
    let from = usize::try_from(index.offset).expect("small");
    assert_eq!(&tar[from..from + 700], [b'x'; 700]);
    assert_eq!(members[3].size, 0);
    assert_eq!(paths(&[0; 1024]), [""; 0]);
    // Other tools fill up to a record.
    let padded = [tar, vec![0; 10_240]].concat();
    assert_eq!(paths(&padded).len(), 4);
}

#[test]
fn every_way_to_write_a_name_is_understood() {
    let long = format!("blobs/sha512/{}", "a".repeat(128));
    let tar = Tarball::new()
        .entry("./", EntryType::Directory, b"")
        .entry("./blobs/", EntryType::Directory, b"")
        .entry("./blobs/sha256", EntryType::Directory, b"")
        .file("./index.json", b"{}")
        .entry(
            "././@LongLink",
            EntryType::GNULongName,
            format!("{long}\0").as_bytes(),
        )
        .file("cut", b"123")
        .pax(&[("path", "./blobs/sha256/by-pax"), ("mtime", "1.5")])
        .file("cut", b"4567")
        .entry("g", EntryType::XGlobalHeader, b"18 comment=a head\n")
        .pax(&[("size", "5")])
        .file("sized", b"56789")
        .tar();
    let members = scan(&*tar).expect("sound");
    let found: Vec<_> = members.iter().map(|m| (&*m.path, m.size)).collect();
    let expected = [
        ("index.json", 2),
        (&*long, 3),
        ("blobs/sha256/by-pax", 4),
        ("sized", 5),
    ];
    assert_eq!(found, expected);
}

#[test]
fn members_that_could_lead_astray_are_refused() {
    let at = |name: &str| Tarball::new().file(name, b"x");
    let of = |kind| Tarball::new().entry("blobs/x", kind, b"");
    assert!(matches!(fault(at("/etc/x")), TarFault::Absolute { .. }));
    assert!(matches!(
        fault(at("blobs/../../x")),
        TarFault::Parent { .. }
    ));
    assert!(matches!(fault(at("a\x1bb")), TarFault::Name { .. }));
    for kind in [EntryType::Symlink, EntryType::Link] {
        assert!(matches!(fault(of(kind)), TarFault::Link { .. }));
    }
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
        EntryType::new(b'M'),
    ] {
        assert!(
            matches!(fault(of(kind)), TarFault::Special { .. }),
            "{kind:?}"
        );
    }
    let twice = at("index.json").file("./index.json", b"y");
    assert!(matches!(fault(twice), TarFault::Duplicate { member } if member == "index.json"));
    let folder = Tarball::new().entry("blobs/", EntryType::Directory, b"bytes");
    assert!(matches!(fault(folder), TarFault::Size { .. }));
}

#[test]
fn extension_headers_are_bounded_and_believed_only_so_far() {
    let after = |tarball: Tarball| fault(tarball.file("x", b""));
    for hostile in [
        Tarball::new().claim("l", EntryType::GNULongName, 1 << 40),
        Tarball::new().claim("p", EntryType::XHeader, 1 << 30),
        Tarball::new().pax(&[("size", "-1")]),
        Tarball::new().pax(&[("size", "99999999999999999999999")]),
        Tarball::new().pax(&[("GNU.sparse.realsize", "1")]),
        Tarball::new().entry("p", EntryType::XHeader, b"no records"),
        Tarball::new().entry("g", EntryType::XGlobalHeader, b"8 size=9\n"),
    ] {
        let fault = after(hostile);
        let is_extension = matches!(fault, TarFault::Extension { .. });
        assert!(is_extension, "{fault:?}");
    }
    let alone = Tarball::new().pax(&[("path", "x")]);
    assert!(matches!(fault(alone), TarFault::Extension { .. }));
    let absolute = Tarball::new().pax(&[("path", "/x")]);
    assert!(matches!(after(absolute), TarFault::Absolute { .. }));
    let long = "a/".repeat(600);
    let long = Tarball::new().pax(&[("path", &long)]);
    assert!(matches!(after(long), TarFault::Name { .. }));
}

#[test]
fn sizes_that_lie_are_found() {
    for (size, pax) in [(u64::MAX, None), (0, Some(u64::MAX.to_string()))] {
        let mut tarball = Tarball::new();
        if let Some(pax) = &pax {
            tarball = tarball.pax(&[("size", pax)]);
        }
        let tarball = tarball.claim("blobs/x", EntryType::Regular, size);
        let fault = fault(tarball);
        assert!(matches!(fault, TarFault::Size { .. }), "{fault:?}");
    }
    let beyond = Tarball::new().claim("blobs/x", EntryType::Regular, 1 << 50);
    let fault = fault(beyond);
    assert!(
        fault
            .to_string()
            .contains("of the 1125899906842624 bytes of blobs/x it has only 1024"),
        "{fault}"
    );
}

#[test]
fn number_fields_are_read_strictly() {
    assert_eq!(number(b"00000001750\0"), Some(1000));
    assert_eq!(number(b"  1750 \0    "), Some(1000));
    assert_eq!(number(b"777777777777"), Some(0o777_777_777_777));
    assert_eq!(number(&[0; 12]), Some(0));
    assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x03\xe8"), Some(1000));
    for bad in [
        &b"00000001758\0"[..],
        b"-1\0",
        b"17 50\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\x01\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(number(bad), None, "{bad:?}");
    }
}

#[test]
fn what_is_no_tar_says_what_it_is() {
    for (bytes, word) in [
        (&b"\x1f\x8b\x08rest"[..], "compressed with gzip"),
        (b"\x28\xb5\x2f\xfdrest", "compressed with zstd"),
        (b"\xfd7zXZ\0rest", "compressed with xz"),
        (b"BZh9rest", "compressed with bzip2"),
        (b"PK\x03\x04", "a zip archive"),
        (b" {\"format\": 1}", "JSON"),
        (b"<!doctype html>", "a web page"),
        (&[b'x'; 4000], "text"),
        (&[7; 4000], "unknown binary data"),
        (b"", "an empty file"),
    ] {
        let fault = scan(bytes).expect_err(word);
        assert!(fault.to_string().contains(word), "{fault}");
        assert!(fault.hint("set.tar").is_some(), "{fault}");
    }
    let gzip = scan(&b"\x1f\x8b"[..]).expect_err("compressed");
    let hint = gzip.hint("set.tar.gz").expect("a hint");
    assert!(hint.contains("gunzip --keep set.tar.gz"), "{hint}");
}

#[test]
fn what_stands_behind_the_end_is_found() {
    let two = [sound().tar(), sound().tar()].concat();
    assert!(matches!(scan(&*two), Err(TarFault::AfterEnd { .. })));
    let mut wiped = sound().tar();
    wiped[..512].fill(0);
    assert!(matches!(
        scan(&*wiped),
        Err(TarFault::AfterEnd { offset: 512 })
    ));
    // Records may be large, but not as large as a file.
    let mut filled = sound().tar();
    filled.resize(filled.len() + (1 << 19), 0);
    assert!(scan(&*filled).is_ok());
    filled.resize(filled.len() + (1 << 20), 0);
    assert!(matches!(scan(&*filled), Err(TarFault::AfterEnd { .. })));
}

#[test]
fn there_is_a_limit_to_members() {
    let mut tarball = Tarball::new();
    for n in 0..=MEMBERS {
        tarball = tarball.file(&n.to_string(), b"");
    }
    assert!(matches!(fault(tarball), TarFault::TooMany { .. }));
}

/// Files as other tools write them, and what is in them.
fn archive() -> impl Strategy<Value = (Vec<u8>, Vec<(String, Vec<u8>)>)> {
    let file = ("[a-z]{1,120}(/[a-z]{1,120}){0,3}", 0..1500_usize);
    let files = proptest::collection::vec(file, 1..5);
    files.prop_map(|files| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut told = Vec::new();
        for (n, (path, size)) in files.into_iter().enumerate() {
            // Several long names need GNU's extension; the number makes them unique.
            let path = format!("{n}{path}");
            let bytes = vec![u8::try_from(n).expect("few"); size];
            let mut header = Header::new_gnu();
            header.set_size(size as u64);
            tar.append_data(&mut header, &path, &*bytes)
                .expect("memory");
            told.push((path, bytes));
        }
        (tar.into_inner().expect("memory"), told)
    })
}

proptest! {
    #[test]
    fn what_was_written_is_found((tar, told) in archive()) {
        let members = scan(&*tar).expect("sound");
        let found: Vec<_> = members.into_iter().map(|m| {
            let from = usize::try_from(m.offset).expect("small");
            let size = usize::try_from(m.size).expect("small");
            (m.path, tar[from..from + size].to_vec())
        }).collect();
        prop_assert_eq!(found, told);
    }

    #[test]
    fn a_cut_is_noticed_wherever_it_is((tar, _) in archive(), at in any::<prop::sample::Index>()) {
        let cut = &tar[..at.index(tar.len())];
        let fault = scan(cut).expect_err("cut");
        let expected = if cut.len() < 512 {
            matches!(fault, TarFault::NoTar { .. })
        } else {
            matches!(fault, TarFault::Truncated { .. })
        };
        prop_assert!(expected, "{:?}", fault);
    }

    #[test]
    fn no_change_leads_out_of_the_tar(
        (mut tar, _) in archive(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        for (at, byte) in changes {
            let at = at.index(tar.len());
            tar[at] = byte;
            // A header with a right sum gets further.
            let block = at / 512 * 512;
            let mut header = Header::from_byte_slice(&tar[block..block + 512]).clone();
            if header.as_ustar().is_some() || header.as_gnu().is_some() {
                header.set_cksum();
                tar[block..block + 512].copy_from_slice(header.as_bytes());
            }
        }
        if let Ok(members) = scan(&*tar) {
            for member in members {
                prop_assert!(member.offset + member.size <= tar.len() as u64);
            }
        }
    }
}
