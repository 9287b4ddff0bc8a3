//! The whole way: digest ▶ cache, or else layers ▶ program ▶ its output ▶ cache; then the keys.

use std::io;
use std::path::Path;

use super::cache::Cache;
use super::list::{self, Listed};
use super::run::{RunError, list_images};
use super::{fetch, find, machine, map};
use crate::catalog::ImageSet;
use crate::content::{Code, Failure, Source};
use crate::event::{Event, Observer};
use crate::oci::{Digest, Reference};

/// The set of the release that `assumed` stands for, by what its conformance image prints.
///
/// `assumed` is what [`Catalog::assume`](crate::catalog::Catalog::assume) gives: its version and
/// conformance image count, its keys are taken over, its images are replaced. Unless the cache
/// holds the list of that very image, a program out of it is run; a warning says so before.
pub async fn read<S: Source>(
    source: &S,
    assumed: &ImageSet,
    cache: &Cache,
    observer: &dyn Observer,
) -> Result<ImageSet, Failure> {
    let image = &assumed.conformance_image;
    let digest = find::digest(source, image).await?;
    let listed = match load(cache, &digest, image, observer).await? {
        Some(listed) => listed,
        None => print(source, image, &digest, cache, observer).await?,
    };
    Ok(map::image_set(assumed, &digest, listed))
}

async fn load(
    cache: &Cache,
    digest: &Digest,
    image: &Reference,
    observer: &dyn Observer,
) -> Result<Option<Vec<Listed>>, Failure> {
    let (cache, digest) = (cache.clone(), digest.clone());
    let loaded = blocking(image, move || Ok(cache.load(&digest))).await?;
    Ok(loaded.unwrap_or_else(|unusable| {
        observer.event(Event::Notice(unusable));
        None
    }))
}

/// Fetches the program, runs it and keeps what it prints.
async fn print<S: Source>(
    source: &S,
    image: &Reference,
    digest: &Digest,
    cache: &Cache,
    observer: &dyn Observer,
) -> Result<Vec<Listed>, Failure> {
    let platform = machine::platform();
    let pinned = image.repository().at(digest);
    let layers = find::layers(source, &pinned, &platform).await?;
    let making = cache.clone();
    let folder = blocking(image, move || {
        let folder = making.work_folder()?;
        std::fs::create_dir(folder.path().join("work"))?;
        Ok(folder)
    })
    .await?;
    let program = folder.path().join("e2e.test");
    fetch::fetch(source, image, &layers, &program, observer).await?;
    observer.event(Event::Warning(format!(
        "--live runs a program from a registry: e2e.test of {image} ({digest}), with your rights \
         and an empty environment"
    )));
    let listed = run(image, &program, &folder.path().join("work")).await?;
    let keeping = (
        cache.clone(),
        pinned.clone(),
        digest.clone(),
        listed.clone(),
    );
    let kept = blocking(image, move || {
        let (cache, image, digest, listed) = keeping;
        // By then the program's folder has served its turn.
        drop(folder);
        Ok(cache.store(&image, &digest, &platform.to_string(), &listed))
    });
    if let Err(lost) = kept.await? {
        observer.event(Event::Notice(lost));
    }
    Ok(listed)
}

async fn run(image: &Reference, program: &Path, folder: &Path) -> Result<Vec<Listed>, Failure> {
    let failed = |code, why: &str| {
        Failure::new(
            code,
            image.host(),
            format!("its e2e.test is of no use: {why}"),
        )
        .at(image)
    };
    let output = list_images(program, folder).await.map_err(|error| {
        let failure = failed(Code::Local, &error.to_string());
        match error {
            RunError::Start(_) => failure.hint(
                "the folder of --cache-dir must allow programs to run (not be mounted noexec)",
            ),
            _ => failure,
        }
    })?;
    list::parse(&output).map_err(|why| {
        failed(Code::Protocol, &why)
            .hint("is it a conformance image? --conformance-image names another one")
    })
}

/// Files are no business of the threads that wait for networks.
async fn blocking<T: Send + 'static>(
    image: &Reference,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten().map_err(|error| {
        let message = format!("its list cannot be read here: {error}");
        Failure::new(Code::Local, image.host(), message)
            .at(image)
            .hint("--cache-dir names another folder")
    })
}

#[cfg(all(test, unix))]
mod tests {
    use camino::Utf8Path;
    use tempfile::TempDir;

    use super::*;
    use crate::catalog::Catalog;
    use crate::live::member::PROGRAM;
    use crate::live::testing::{Fake, Heard, Member, gzip, tar};
    use crate::oci::media_type::OCI_LAYER_GZIP;

    const IMAGE: &str = "registry.k8s.io/conformance:v1.99.0";
    const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

    /// A program that leaves a mark beside the cache when it runs, then prints.
    struct Site {
        dir: TempDir,
        heard: Heard,
    }

    impl Site {
        fn new() -> Self {
            Self {
                dir: tempfile::tempdir().expect("a folder"),
                heard: Heard::default(),
            }
        }

        fn mark(&self) -> std::path::PathBuf {
            self.dir.path().join("ran")
        }

        fn program(&self, prints: &str) -> Vec<u8> {
            let mark = self.mark().display().to_string();
            format!("#!/bin/sh\necho once >> '{mark}'\n{prints}\n").into_bytes()
        }

        fn runs(&self) -> usize {
            std::fs::read_to_string(self.mark()).map_or(0, |text| text.lines().count())
        }

        async fn read(&self, fake: &Fake) -> Result<ImageSet, Failure> {
            let assumed = Catalog::embedded().assume(&"v1.99.0".parse().expect("a version"));
            let dir = Utf8Path::from_path(self.dir.path()).expect("UTF-8");
            let cache = Cache::new(&dir.join("cache"));
            read(fake, &assumed.expect("keys"), &cache, &self.heard).await
        }

        /// Files below the cache folder, hidden ones too.
        fn left(&self) -> Vec<String> {
            let folder = self.dir.path().join("cache/live");
            let entries = std::fs::read_dir(folder).expect("the folder");
            let name = |e: io::Result<std::fs::DirEntry>| e.expect("an entry").file_name();
            entries
                .map(|e| name(e).to_string_lossy().into_owned())
                .collect()
        }
    }

    fn layer(members: &[Member]) -> (&'static str, Vec<u8>) {
        (OCI_LAYER_GZIP, gzip(&tar(members)))
    }

    #[tokio::test]
    async fn the_list_is_what_the_program_prints_and_it_runs_once() {
        let site = Site::new();
        let program = site.program("echo registry.k8s.io/pause:9\necho b/c:1");
        let base = layer(&[Member::file("base", b"x")]);
        let top = layer(&[Member::file("kubernetes/x", b"x")]);
        let middle = layer(&[Member::file(PROGRAM, &program)]);
        let (fake, _) = Fake::with(IMAGE, &[base, middle, top]);
        let set = site.read(&fake).await.expect("a list");
        let listed: Vec<&str> = set.images.iter().map(|i| i.listed.as_str()).collect();
        assert_eq!(listed, ["b/c:1", "registry.k8s.io/pause:9"]);
        assert_eq!(set.images[1].key.as_deref(), Some("gcRegistry"));
        assert_eq!(
            fake.asked().len(),
            1 + 2 + 2,
            "the lowest layer is not read"
        );
        let warned = site.heard.all();
        let digest = find::digest(&fake, &IMAGE.parse().expect("one")).await;
        let digest = digest.expect("a digest");
        let named = format!(
            "warning: --live runs a program from a registry: e2e.test of {IMAGE} ({digest})"
        );
        assert!(warned.contains(&named), "{warned}");
        assert_eq!(site.left(), [format!("{}.json", digest.hex())]);

        let before = fake.asked().len();
        let again = site.read(&fake).await.expect("a list");
        assert_eq!(again.images, set.images);
        assert_eq!(fake.asked()[before..], [format!("HEAD {IMAGE}")]);
        assert_eq!(site.runs(), 1);

        let kept = site.dir.path().join("cache/live").join(&site.left()[0]);
        std::fs::write(kept, "{").expect("written");
        site.read(&fake).await.expect("a list");
        assert!(site.heard.all().contains("is not used: "));
        assert_eq!(site.runs(), 2, "a damaged file is read anew");
    }

    #[tokio::test]
    async fn nothing_runs_that_was_not_found_whole_and_plain() {
        let site = Site::new();
        let program = site.program("echo a/b:1");
        let whole = Member::file(PROGRAM, &program);
        for (case, layers, code, part) in [
            (
                "a link",
                vec![
                    layer(std::slice::from_ref(&whole)),
                    layer(&[Member::link(PROGRAM, "/bin/true")]),
                ],
                Code::Unsupported,
                "no regular file",
            ),
            (
                "a way out",
                vec![layer(&[Member::file(
                    "../usr/local/bin/e2e.test",
                    &program,
                )])],
                Code::Unsupported,
                "no layer holds usr/local/bin/e2e.test",
            ),
            (
                "a huge one",
                vec![layer(&[whole.clone().claiming(5 << 30)])],
                Code::Unsupported,
                "bytes, more than",
            ),
            (
                "removed",
                vec![
                    layer(std::slice::from_ref(&whole)),
                    layer(&[Member::file("usr/local/bin/.wh.e2e.test", b"")]),
                ],
                Code::Unsupported,
                "removes usr/local/bin/e2e.test",
            ),
            (
                "zstd",
                vec![(ZSTD, vec![1, 2, 3])],
                Code::Unsupported,
                "tar+zstd are not read",
            ),
            (
                "no archive",
                vec![(OCI_LAYER_GZIP, vec![1, 2, 3])],
                Code::Unsupported,
                "cannot be read: ",
            ),
            ("no layers", vec![], Code::Unsupported, "no layer holds"),
        ] {
            let (fake, _) = Fake::with(IMAGE, &layers);
            let failure = site.read(&fake).await.expect_err(case);
            assert_eq!(failure.code(), code, "{case}: {failure}");
            assert!(failure.message().contains(part), "{case}: {failure}");
            assert_eq!(site.left(), [""; 0], "{case}");
        }
        let sound = layer(std::slice::from_ref(&whole));
        let (mut fake, _) = Fake::with(IMAGE, std::slice::from_ref(&sound));
        let mut other = sound.1.clone();
        // In the closing bytes, so that the program itself is found first.
        *other.last_mut().expect("bytes") ^= 1;
        fake.swap(&sound.1, other);
        let failure = site.read(&fake).await.expect_err("changed on its way");
        assert_eq!(failure.code(), Code::DigestMismatch, "{failure}");
        assert_eq!(site.runs(), 0);
        assert!(
            !site.heard.all().contains("warning"),
            "{}",
            site.heard.all()
        );
    }

    #[tokio::test]
    async fn a_program_that_prints_something_else_is_refused() {
        for (prints, code, part) in [
            (
                "echo a/b:1; echo Hello there",
                Code::Protocol,
                "`Hello there`",
            ),
            ("echo wrong flag >&2; exit 2", Code::Local, "wrong flag"),
            ("", Code::Protocol, "printed no image"),
        ] {
            let site = Site::new();
            let program = site.program(prints);
            let (fake, _) = Fake::with(IMAGE, &[layer(&[Member::file(PROGRAM, &program)])]);
            let failure = site.read(&fake).await.expect_err(prints);
            assert_eq!(failure.code(), code, "{failure}");
            assert!(failure.message().contains(part), "{failure}");
            assert_eq!(site.left(), [""; 0], "nothing is kept");
        }
    }
}
