//! What `fuzz/` may call of this room: the parsers of what clients send.

use super::range::{Wanted, chunk, wanted};
use super::route::Route;
use crate::oci::is_repository;

/// Reads a request's path, and a header as `Range` and `Content-Range` of a blob of `size` bytes.
///
/// # Panics
/// When what was read breaks a promise: a name outside the grammar, a range outside the blob.
pub fn request(path: &str, header: &str, size: u64) {
    if let Ok(route) = Route::parse(path) {
        assert!(route.repository().is_none_or(is_repository), "{path}");
    }
    if let Wanted::Part { offset, length } = wanted(header, size) {
        let end = offset.checked_add(length);
        assert!(length > 0 && end.is_some_and(|end| end <= size), "{header}");
    }
    if let Some((first, last)) = chunk(header) {
        assert!(first <= last, "{header}");
    }
}
