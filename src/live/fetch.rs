//! Brings the program out of the layers onto the disk: topmost layer first, each hashed whole
//! before what was found in it counts.

use std::fs::File;
use std::path::Path;

use super::extract::{Compression, ExtractError, Found, LIMITS, extract};
use super::feed::{feed, pipe};
use super::member::PROGRAM;
use crate::content::{Code, Failure, Source};
use crate::event::{Event, Observer};
use crate::oci::{Descriptor, Reference};

/// A compressed layer of more bytes than this is not fetched; that of Kubernetes 1.36 has 40 MB.
const LARGEST_LAYER: u64 = 2 << 30;

/// Writes the program of `image` to `into` and makes it executable. `layers` are the image's,
/// lowest first; those below the one that holds the program are not touched.
pub(super) async fn fetch<S: Source>(
    source: &S,
    image: &Reference,
    layers: &[Descriptor],
    into: &Path,
    observer: &dyn Observer,
) -> Result<(), Failure> {
    let mut unreadable = None;
    for (number, layer) in layers.iter().enumerate().rev() {
        observer.event(Event::Notice(format!(
            "{image}: looking for {PROGRAM} in layer {} of {}, {} MB",
            number + 1,
            layers.len(),
            layer.size.div_ceil(1_000_000)
        )));
        match look_into(source, image, layer, into).await? {
            Ok(Found::Program) => return executable(into).map_err(|e| local(image, &e)),
            Ok(Found::Nothing) => {}
            Ok(Found::Removed) => {
                let message = format!("its layer {} removes {PROGRAM}", layer.digest);
                return Err(refused(image, message));
            }
            // No runtime could unpack it either, but what is asked for may lie elsewhere.
            Err(why) => {
                unreadable.get_or_insert(format!("{} cannot be read: {why}", layer.digest));
            }
        }
    }
    let why = unreadable.map_or(String::new(), |why| format!("; {why}"));
    Err(refused(image, format!("no layer holds {PROGRAM}{why}")))
}

/// What one layer holds; the inner error is that of an archive that cannot be read.
async fn look_into<S: Source>(
    source: &S,
    image: &Reference,
    layer: &Descriptor,
    into: &Path,
) -> Result<Result<Found, String>, Failure> {
    let about = |message: String| refused(image, format!("its layer {}: {message}", layer.digest));
    let compression = Compression::of(&layer.media_type).map_err(about)?;
    if layer.size > LARGEST_LAYER {
        let message = format!("{} bytes are more than is ever fetched", layer.size);
        return Err(about(message));
    }
    let (sink, reader) = pipe();
    let path = into.to_owned();
    let extracting = tokio::task::spawn_blocking(move || {
        let mut file = File::create(path).map_err(ExtractError::Disk)?;
        extract(reader, compression, LIMITS, &mut file)
    });
    let fed = feed(source, image.repository(), layer, sink).await;
    let extracted = extracting
        .await
        .map_err(|e| local(image, &std::io::Error::other(e)))?;
    // A layer that is not what its digest says is that before it is anything else.
    fed?;
    match extracted {
        Ok(found) => Ok(Ok(found)),
        Err(ExtractError::Unreadable(e)) => Ok(Err(e.to_string())),
        Err(ExtractError::Refused(why)) => Err(about(why)),
        Err(ExtractError::Disk(e)) => Err(local(image, &e)),
    }
}

fn refused(image: &Reference, message: String) -> Failure {
    Failure::new(Code::Unsupported, image.host(), message)
        .at(image)
        .hint("is it a conformance image? --conformance-image names another one")
}

fn local(image: &Reference, error: &std::io::Error) -> Failure {
    let message = format!("its program cannot be written here: {error}");
    Failure::new(Code::Local, image.host(), message)
        .at(image)
        .hint("--cache-dir names another folder")
}

/// Only now may it run; nobody may change it any more.
#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o500))
}

#[cfg(not(unix))]
fn executable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
