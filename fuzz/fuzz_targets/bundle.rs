//! A tar comes from a disk that went through many hands: any bytes may be in it.
#![no_main]

use std::collections::HashSet;

use airbuoy::bundle::{MEMBERS, scan};
use libfuzzer_sys::fuzz_target;

/// Gives headers a right checksum: the fuzzer would hardly find one.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let mut tar = data.to_vec();
    for block in tar.chunks_exact_mut(512) {
        if block.iter().any(|byte| *byte != 0) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    tar
}

fn sound(tar: &[u8]) {
    let Ok(members) = scan(tar) else { return };
    assert!(members.len() <= MEMBERS);
    let mut seen = HashSet::new();
    for member in &members {
        let end = member.offset.checked_add(member.size).expect("no overflow");
        assert!(end <= tar.len() as u64);
        assert!(seen.insert(&member.path), "{} stands in it twice", member.path);
        assert!(!member.path.is_empty() && !member.path.starts_with('/'));
        assert!(member.path.split('/').all(|part| part != ".." && part != "."));
    }
}

fuzz_target!(|data: &[u8]| {
    sound(data);
    sound(&with_checksums(data));
});
