//! Paths and ranges come from anybody who reaches the embedded registry.
#![no_main]

use airbuoy::server::fuzzing::request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, u64)| {
    let (path, header, size) = input;
    request(path, header, size);
    // Most of what is made up lacks the beginning.
    request(&format!("/v2/{path}"), &format!("bytes={header}"), size);
});
