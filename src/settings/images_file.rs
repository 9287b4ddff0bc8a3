//! `--images-file`: more images, one reference a line.

use std::fs;

use camino::Utf8Path;

use super::SettingsError;
use crate::oci::{InvalidReference, Reference};

/// The references of the file. Empty lines count for nothing, and `#` begins a comment.
pub(super) fn images_file(path: &Utf8Path) -> Result<Vec<Reference>, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
        flag: "--images-file",
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, error)| SettingsError::Content {
        path: path.to_owned(),
        line: Some(line),
        reason: format!("{error}; expected one image a line, such as docker.io/library/nginx:1.29"),
    })
}

fn parse(text: &str) -> Result<Vec<Reference>, (usize, InvalidReference)> {
    let mut images = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // No reference holds a #.
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            images.push(line.parse().map_err(|e| (number + 1, e))?);
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_empty_lines_are_skipped() {
        let images = parse("# ours\n\nnginx:1.29 # web\r\n  quay.io/a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n")
            .expect("references");
        let texts: Vec<String> = images.iter().map(Reference::to_string).collect();
        assert_eq!(texts[0], "docker.io/library/nginx:1.29");
        assert!(texts[1].starts_with("quay.io/a/b@sha256:e3b0"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("images.txt");
        fs::write(&path, "nginx\nimages: [a]\n").expect("written");
        let path = Utf8Path::from_path(&path).expect("UTF-8");
        let error = images_file(path).expect_err("no reference");
        let text = error.to_string();
        assert!(text.contains("images.txt, line 2: `images: [a]`"), "{text}");
        assert!(!error.is_local());
        let missing = images_file(&path.with_file_name("none")).expect_err("missing");
        assert!(!missing.is_local());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            if let Ok(images) = parse(&text) {
                prop_assert!(images.len() <= text.lines().count());
            }
        }
    }
}
