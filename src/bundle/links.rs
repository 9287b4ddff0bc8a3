//! A carried directory may hold links: nothing is read or written through them.

use camino::{Utf8Path, Utf8PathBuf};

use super::error::BundleError;

/// Refuses the bundle at `root` when one of `paths`, which lie in it, is a link.
pub(super) fn refuse_links(
    root: &Utf8Path,
    paths: impl IntoIterator<Item = Utf8PathBuf>,
) -> Result<(), BundleError> {
    let Some(path) = paths.into_iter().find(|path| path.is_symlink()) else {
        return Ok(());
    };
    let inside = path.strip_prefix(root).unwrap_or(&path);
    Err(BundleError::Structure {
        bundle: root.to_owned(),
        reason: format!("{inside} is refused: it is a link, and only plain files are read"),
        hint: Some("copy the bundle with its links resolved (`cp -rL`) if you trust them".into()),
    })
}
