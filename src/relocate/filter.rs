//! Which of the listed images are mirrored.

use std::collections::HashSet;

use globset::{Glob, GlobMatcher};

use crate::catalog::Conformance;
use crate::oci::Reference;

/// The user's choice of images. Runner images and [`Self::extra`] ones stay, unless an
/// `--exclude` spells out their whole reference.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    /// `--conformance-only`: drop what no conformance test needs. What is likely, without evidence
    /// or unknown stays.
    pub conformance_only: bool,
    /// `--include`: when there are any, only images that match one of them.
    ///
    /// A glob is held against the source reference with and without its tag, and against its last
    /// path element with and without the tag: `registry.k8s.io/sig-storage/*`, `agnhost*`,
    /// `agnhost:2.63.0` and `*/volume/nfs` all do what they seem to. `*` crosses slashes.
    pub include: Vec<Glob>,
    /// `--exclude`: no image that matches one of them.
    pub exclude: Vec<Glob>,
    /// `--image`, `--images-file`: more images.
    pub extra: Vec<Reference>,
}

impl Filters {
    /// Which of `sources` stay, by the globs alone, and a sentence for each glob that matched
    /// nothing. A source beside `true` is a runner image: it goes only when an `--exclude` is its
    /// whole reference.
    pub fn choose<'a>(
        &self,
        sources: impl IntoIterator<Item = (&'a Reference, bool)>,
    ) -> (HashSet<Reference>, Vec<String>) {
        let mut sieve = Sieve::new(self);
        let mut kept = HashSet::new();
        for (source, runner) in sources {
            // Asked first, so that its globs are counted for runner images as well.
            let stays = sieve.keeps(source, None);
            if if runner { !sieve.names(source) } else { stays } {
                kept.insert(source.clone());
            }
        }
        (kept, sieve.unused().collect())
    }
}

/// [`Filters`] made ready, counting which globs found something.
pub(super) struct Sieve {
    conformance_only: bool,
    include: Vec<Counted>,
    exclude: Vec<Counted>,
}

struct Counted {
    option: &'static str,
    matcher: GlobMatcher,
    used: bool,
}

impl Sieve {
    pub(super) fn new(filters: &Filters) -> Self {
        let ready = |option, globs: &[Glob]| {
            globs
                .iter()
                .map(|glob| Counted {
                    option,
                    matcher: glob.compile_matcher(),
                    used: false,
                })
                .collect()
        };
        Self {
            conformance_only: filters.conformance_only,
            include: ready("--include", &filters.include),
            exclude: ready("--exclude", &filters.exclude),
        }
    }

    /// Whether an image stays.
    pub(super) fn keeps(&mut self, source: &Reference, conformance: Option<Conformance>) -> bool {
        let included = self.include.is_empty() | any(&mut self.include, source);
        let excluded = any(&mut self.exclude, source);
        let needed = !self.conformance_only || conformance != Some(Conformance::No);
        included && !excluded && needed
    }

    /// Whether an `--exclude` is this very reference.
    pub(super) fn names(&mut self, source: &Reference) -> bool {
        let full = source.to_string();
        let named = self
            .exclude
            .iter_mut()
            .find(|glob| glob.matcher.glob().glob() == full);
        named.map(|glob| glob.used = true).is_some()
    }

    /// One sentence for every glob that matched no image.
    pub(super) fn unused(&self) -> impl Iterator<Item = String> {
        let globs = self.include.iter().chain(&self.exclude);
        globs
            .filter(|glob| !glob.used)
            .map(|glob| format!("{} {} matches no image", glob.option, glob.matcher.glob()))
    }
}

/// Whether any matches; asks all of them, so that each is counted.
fn any(globs: &mut [Counted], source: &Reference) -> bool {
    let full = source.to_string();
    let repository = source.repository().to_string();
    let last = |text: &str| text.rfind('/').map_or(0, |slash| slash + 1);
    let texts = [
        full.as_str(),
        repository.as_str(),
        &full[last(&full)..],
        &repository[last(&repository)..],
    ];
    let mut found = false;
    for glob in globs {
        if texts.iter().any(|text| glob.matcher.is_match(text)) {
            glob.used = true;
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts
            .iter()
            .map(|t| Glob::new(t).expect("a glob"))
            .collect()
    }

    #[test]
    fn a_glob_finds_an_image_by_any_of_its_names() {
        let nfs: Reference = "registry.k8s.io/e2e-test-images/volume/nfs:1.6.0"
            .parse()
            .expect("a reference");
        for (glob, matches) in [
            ("nfs", true),
            ("nfs:1.*", true),
            ("n*", true),
            ("*/volume/nfs", true),
            ("registry.k8s.io/*", true),
            ("registry.k8s.io/e2e-test-images/volume/nfs:1.6.0", true),
            ("volume/*", false),
            ("nfs:2*", false),
            ("e2e-test-images", false),
        ] {
            let include = globs(&[glob]);
            let mut sieve = Sieve::new(&Filters {
                include,
                ..Filters::default()
            });
            assert_eq!(sieve.keeps(&nfs, None), matches, "{glob}");
            assert_eq!(sieve.unused().count(), usize::from(!matches));
            let exclude = globs(&[glob]);
            let mut sieve = Sieve::new(&Filters {
                exclude,
                ..Filters::default()
            });
            assert_eq!(sieve.keeps(&nfs, None), !matches, "{glob}");
        }
    }

    #[test]
    fn images_are_chosen_by_globs_and_runners_by_their_whole_name() {
        let names = ["a.io/one:1", "a.io/two:1", "a.io/run:1"];
        let sources = names.map(|name| name.parse::<Reference>().expect("a reference"));
        let choose = |include: &[&str], exclude: &[&str]| {
            let filters = Filters {
                include: globs(include),
                exclude: globs(exclude),
                ..Filters::default()
            };
            let all = sources.iter().zip([false, false, true]);
            let (kept, unused) = filters.choose(all);
            let kept = sources.each_ref().map(|source| kept.contains(source));
            (kept, unused.len())
        };
        assert_eq!(choose(&[], &[]), ([true, true, true], 0));
        assert_eq!(choose(&["one"], &[]), ([true, false, true], 0));
        assert_eq!(choose(&[], &["run", "x"]), ([true, true, true], 1));
        assert_eq!(choose(&[], &["a.io/run:1"]), ([true, true, false], 0));
    }

    #[test]
    fn only_a_plain_no_is_not_needed() {
        let image: Reference = "reg.io/x:1".parse().expect("a reference");
        let mut sieve = Sieve::new(&Filters {
            conformance_only: true,
            ..Filters::default()
        });
        for (conformance, stays) in [
            (Conformance::Yes, true),
            (Conformance::Likely, true),
            (Conformance::NoEvidence, true),
            (Conformance::Unknown, true),
            (Conformance::No, false),
        ] {
            assert_eq!(
                sieve.keeps(&image, Some(conformance)),
                stays,
                "{conformance:?}"
            );
        }
    }
}
