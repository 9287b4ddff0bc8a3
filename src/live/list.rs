//! What `e2e.test --list-images` prints: one image reference a line.

use crate::oci::Reference;

/// The longest piece of a foreign line that is quoted.
const QUOTED: usize = 120;

/// One printed image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// As printed.
    pub(super) text: String,
    /// The same, completed.
    pub(super) source: Reference,
}

/// Reads the output, sorted and each line once. Blank lines are nothing; any other line must be a
/// reference that spells out its tag or digest, because a lone word is one too.
pub(super) fn parse(output: &[u8]) -> Result<Vec<Listed>, String> {
    let text = String::from_utf8_lossy(output);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut listed = lines.map(line).collect::<Result<Vec<_>, _>>()?;
    if listed.is_empty() {
        return Err("it printed no image".to_owned());
    }
    listed.sort_by(|a, b| a.text.cmp(&b.text));
    listed.dedup();
    Ok(listed)
}

fn line(text: &str) -> Result<Listed, String> {
    let refused = |why: &str| {
        let quoted: String = text.chars().take(QUOTED).collect();
        format!("it printed `{quoted}`, which is no image: {why}")
    };
    let last = text.rsplit('/').next().unwrap_or(text);
    if !last.contains(':') {
        return Err(refused("expected REPOSITORY:TAG"));
    }
    match text.parse() {
        Ok(source) => Ok(Listed {
            text: text.to_owned(),
            source,
        }),
        Err(_) => Err(refused("expected REPOSITORY:TAG")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(output: &str) -> Result<Vec<String>, String> {
        let listed = parse(output.as_bytes())?;
        Ok(listed.into_iter().map(|l| l.text).collect())
    }

    #[test]
    fn lines_are_sorted_and_counted_once() {
        let output =
            "registry.k8s.io/pause:3.10\n\n alpine/socat:1.0.3\r\nregistry.k8s.io/pause:3.10";
        assert_eq!(
            texts(output),
            Ok(vec![
                "alpine/socat:1.0.3".to_owned(),
                "registry.k8s.io/pause:3.10".to_owned()
            ])
        );
        let listed = parse(output.as_bytes()).expect("a list");
        let socat = listed[0].source.to_string();
        assert_eq!(socat, "docker.io/alpine/socat:1.0.3");
    }

    #[test]
    fn nonsense_is_quoted() {
        for (output, part) in [
            (
                "a/b:1\nflag provided but not defined: -list-images\n",
                "`flag provided",
            ),
            ("hello\n", "`hello`"),
            ("localhost:5000/x\n", "`localhost:5000/x`"),
            ("a/b:1\n\u{1b}[31ma/b:2\n", "which is no image"),
            ("\n \n", "it printed no image"),
            ("", "it printed no image"),
        ] {
            let error = texts(output).expect_err(output);
            assert!(error.contains(part), "{error}");
        }
        let long = "x".repeat(5000);
        assert!(texts(&long).expect_err("too long").len() < 200);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(output in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(listed) = parse(&output) {
                prop_assert!(listed.is_sorted_by(|a, b| a.text < b.text));
            }
        }

        #[test]
        fn what_is_printed_is_kept(names in proptest::collection::btree_set("[a-z]{1,6}\\.io/[a-z0-9]{1,6}:[0-9][a-z0-9.]{0,3}", 1..20)) {
            let output = names.iter().cloned().collect::<Vec<_>>().join("\n");
            let kept = texts(&output).expect("a list");
            prop_assert_eq!(kept, names.into_iter().collect::<Vec<_>>());
        }
    }
}
