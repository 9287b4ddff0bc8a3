//! A member's path made safe: the one place that reads names out of a foreign archive, be it a
//! bundle or a run's results.

/// Why a path is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// `/etc/passwd`, `C:\x`.
    Absolute,
    /// `../x`.
    Parent,
    /// Not UTF-8, or with control characters.
    Unreadable,
}

impl Refused {
    /// The reason, as a fragment.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absolute => "its path is absolute",
            Self::Parent => "its path leaves the archive",
            Self::Unreadable => "its path is not readable text",
        }
    }
}

/// The path inside the archive, with `/` between its parts and no `./`; empty for the root itself.
pub fn normalised(path: &[u8]) -> Result<String, Refused> {
    let text = std::str::from_utf8(path).map_err(|_| Refused::Unreadable)?;
    if text.chars().any(char::is_control) {
        return Err(Refused::Unreadable);
    }
    let drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    if text.starts_with(['/', '\\']) || drive {
        return Err(Refused::Absolute);
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            part if part.split('\\').any(|p| p == "..") => return Err(Refused::Parent),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_and_dotted_prefixes_are_one() {
        assert_eq!(normalised(b"./meta/info.json"), Ok("meta/info.json".into()));
        assert_eq!(normalised(b"meta//info.json"), Ok("meta/info.json".into()));
        assert_eq!(normalised(b"./"), Ok(String::new()));
    }

    #[test]
    fn hostile_paths_are_refused() {
        for (path, why) in [
            (&b"../../etc/passwd"[..], Refused::Parent),
            (b"meta/../../x", Refused::Parent),
            (b"meta\\..\\x", Refused::Parent),
            (b"/etc/passwd", Refused::Absolute),
            (b"\\\\host\\x", Refused::Absolute),
            (b"C:/x", Refused::Absolute),
            (b"a\xff", Refused::Unreadable),
            (b"a\x1b[2J", Refused::Unreadable),
        ] {
            assert_eq!(normalised(path), Err(why));
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_inside(path in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(safe) = normalised(&path) {
                prop_assert!(!safe.starts_with('/'));
                prop_assert!(safe.split('/').all(|part| part != ".." && part != "."));
            }
        }
    }
}
