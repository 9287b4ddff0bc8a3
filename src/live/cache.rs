//! What was printed is kept by the digest of the image that printed it: a digest names bytes, so
//! the list can never be another one.

use std::fs;
use std::io::{self, Read as _, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};

use super::list::{self, Listed};
use crate::oci::{Digest, Reference};

/// The version of the files' format.
const FORMAT: u32 = 1;

/// A list of a thousand images has a hundredth of it.
const LARGEST: u64 = 8 << 20;

/// A folder of lists, `<cache folder>/live/<hex of the digest>.json`.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: Utf8PathBuf,
}

/// One file.
#[derive(Serialize, Deserialize)]
struct File {
    format: u32,
    /// By which name the image was asked for: for people.
    image: String,
    digest: String,
    platform: String,
    images: Vec<String>,
}

impl Cache {
    /// The lists below this cache folder, which need not exist yet.
    pub fn new(cache_dir: &Utf8Path) -> Self {
        Self {
            folder: cache_dir.join("live"),
        }
    }

    fn path(&self, digest: &Digest) -> Utf8PathBuf {
        self.folder.join(format!("{}.json", digest.hex()))
    }

    /// The list of this image; `Ok(None)` when it was never kept. An error says in one sentence
    /// which file cannot be used, and why.
    pub(super) fn load(&self, digest: &Digest) -> Result<Option<Vec<Listed>>, String> {
        let path = self.path(digest);
        let unusable = |why: String| format!("{path} is not used: {why}");
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unusable(e.to_string())),
        };
        let mut text = Vec::new();
        file.take(LARGEST)
            .read_to_end(&mut text)
            .map_err(|e| unusable(e.to_string()))?;
        let file: File = serde_json::from_slice(&text).map_err(|e| unusable(e.to_string()))?;
        if file.format != FORMAT || file.digest != digest.as_str() {
            return Err(unusable("it is of another format or image".to_owned()));
        }
        let listed = list::parse(file.images.join("\n").as_bytes()).map_err(unusable)?;
        Ok(Some(listed))
    }

    /// Keeps a list: whole or not at all.
    pub(super) fn store(
        &self,
        image: &Reference,
        digest: &Digest,
        platform: &str,
        listed: &[Listed],
    ) -> Result<(), String> {
        let path = self.path(digest);
        let file = File {
            format: FORMAT,
            image: image.to_string(),
            digest: digest.to_string(),
            platform: platform.to_owned(),
            images: listed.iter().map(|l| l.text.clone()).collect(),
        };
        let write = || -> io::Result<()> {
            let text = serde_json::to_string_pretty(&file)? + "\n";
            fs::create_dir_all(&self.folder)?;
            let mut temporary = NamedTempFile::new_in(&self.folder)?;
            temporary.write_all(text.as_bytes())?;
            temporary.persist(&path)?;
            Ok(())
        };
        write().map_err(|e| format!("{path} is not kept: {e}"))
    }

    /// A new folder that only this user may enter, for the program and for nothing else; it is
    /// gone when the value is.
    pub(super) fn work_folder(&self) -> io::Result<TempDir> {
        fs::create_dir_all(&self.folder)?;
        // The program is started from another folder than this process's own.
        let folder = fs::canonicalize(&self.folder)?;
        tempfile::Builder::new().prefix(".run-").tempdir_in(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (TempDir, Cache) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(dir.path()).expect("UTF-8").join("c");
        let cache = Cache::new(&path);
        (dir, cache)
    }

    #[test]
    fn a_list_is_found_by_its_digest_alone() {
        let (_dir, cache) = cache();
        let (digest, other) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(cache.load(&digest), Ok(None));
        let listed = list::parse(b"a/b:1\nc.io/d:2\n").expect("a list");
        let image = "r.io/conformance:v1.99.0".parse().expect("a reference");
        cache
            .store(&image, &digest, "linux/amd64", &listed)
            .expect("kept");
        assert_eq!(cache.load(&digest), Ok(Some(listed)));
        assert_eq!(cache.load(&other), Ok(None));
        let files = fs::read_dir(&cache.folder).expect("the folder").count();
        assert_eq!(files, 1, "no temporary file stays");
        let text = fs::read_to_string(cache.path(&digest)).expect("a file");
        assert!(text.starts_with("{\n  \"format\": 1,"), "{text}");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_named() {
        let (_dir, cache) = cache();
        let digest = Digest::of(b"a");
        fs::create_dir_all(&cache.folder).expect("a folder");
        let whole = format!(
            r#"{{"format":1,"image":"x","digest":"{digest}","platform":"linux/amd64","images":["a/b:1"]}}"#
        );
        fs::write(cache.path(&digest), &whole).expect("written");
        assert!(matches!(cache.load(&digest), Ok(Some(_))));
        let (half, of_other) = (&whole[..40], whole.replace("a/b:1", "no image"));
        for bad in [
            "",
            half,
            &of_other,
            &whole.replace("\"format\":1", "\"format\":2"),
            &whole.replace(digest.hex(), Digest::of(b"b").hex()),
        ] {
            fs::write(cache.path(&digest), bad).expect("written");
            let error = cache.load(&digest).expect_err(bad);
            assert!(error.contains(digest.hex()), "{error}");
            assert!(error.contains("is not used: "), "{error}");
        }
    }
}
