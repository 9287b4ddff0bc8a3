//! htpasswd files: `user:hash` lines, bcrypt hashes alone.

use std::collections::HashMap;

/// The most work a hash may ask for: beyond it one login keeps a core busy for seconds.
const MOST_COST: u8 = 15;
/// The least that bcrypt knows.
const LEAST_COST: u8 = 4;

/// Why an htpasswd file is refused. Lines are named by number: their content is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HtpasswdError {
    /// Nobody could log in.
    #[error("there is no login in the file; add one with `htpasswd -B FILE USER`")]
    Empty,
    /// Not `user:hash`.
    #[error("line {line} is not of the form user:hash")]
    NoColon {
        /// Counted from 1.
        line: usize,
    },
    /// A hash of a kind that is easy to break, or no hash at all.
    #[error("line {line} has no bcrypt hash; make the login again with `htpasswd -B FILE USER`")]
    NotBcrypt {
        /// Counted from 1.
        line: usize,
    },
    /// A hash that would keep a core busy for seconds at every login.
    #[error("line {line} has a bcrypt cost above {MOST_COST}; 10 is usual")]
    TooCostly {
        /// Counted from 1.
        line: usize,
    },
    /// Which of the two holds is a matter of the program that reads.
    #[error("line {line} is for the same user as line {first}")]
    Twice {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        first: usize,
    },
    /// Without them no login can be kept safely.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// The users of a file and their hashes.
pub(super) struct Users {
    pub(super) hashes: HashMap<String, String>,
    /// The highest cost among them.
    pub(super) cost: u8,
}

impl Users {
    /// Reads a file. Empty lines and lines that begin with `#` are left out.
    pub(super) fn parse(text: &str) -> Result<Self, HtpasswdError> {
        let mut hashes = HashMap::new();
        let mut lines: HashMap<&str, usize> = HashMap::new();
        let mut highest = LEAST_COST;
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim_end();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let (user, hash) = text
                .split_once(':')
                .filter(|(user, _)| !user.is_empty())
                .ok_or(HtpasswdError::NoColon { line })?;
            let cost = cost(hash).ok_or(HtpasswdError::NotBcrypt { line })?;
            if cost > MOST_COST {
                return Err(HtpasswdError::TooCostly { line });
            }
            if let Some(first) = lines.insert(user, line) {
                return Err(HtpasswdError::Twice { line, first });
            }
            highest = highest.max(cost);
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        if hashes.is_empty() {
            return Err(HtpasswdError::Empty);
        }
        Ok(Self {
            hashes,
            cost: highest,
        })
    }
}

/// The cost of a bcrypt hash in its modular crypt format, `$2b$10$` and 53 characters.
fn cost(hash: &str) -> Option<u8> {
    let rest = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|kind| hash.strip_prefix(kind))?;
    let (cost, rest) = rest.split_once('$')?;
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    if cost.len() != 2 || rest.len() != 53 || !rest.bytes().all(letters) {
        return None;
    }
    cost.parse().ok().filter(|cost| *cost >= LEAST_COST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "abcdefghijklmnopqrstuuH3m0Z0Ny1sWxBvWvvEkq4n1F8kVwq9m";

    fn refused(text: &str) -> HtpasswdError {
        Users::parse(text).err().expect("refused")
    }

    #[test]
    fn logins_comments_and_line_ends() {
        let text = format!("# site\r\n\r\na:$2y$05${REST}\r\nb:$2a$10${REST}\nc:$2b$04${REST}");
        let users = Users::parse(&text).expect("three logins");
        assert_eq!(users.cost, 10);
        assert_eq!(users.hashes.len(), 3);
        assert_eq!(users.hashes["a"], format!("$2y$05${REST}"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line_and_never_shown() {
        let good = format!("a:$2y$05${REST}");
        assert_eq!(refused("# none\n"), HtpasswdError::Empty);
        for bad in ["secret", ":secret"] {
            let error = refused(&format!("{good}\n{bad}"));
            assert_eq!(error, HtpasswdError::NoColon { line: 2 });
        }
        for hash in [
            "secret".to_owned(),
            "$apr1$secret$x".to_owned(),
            "{SHA}secret".to_owned(),
            format!("$2x$05${REST}"),
            format!("$2y$5${REST}"),
            format!("$2y$03${REST}"),
            format!("$2y$05${REST}x"),
            format!("$2y$05${}", REST.replace('a', "é")),
        ] {
            let error = refused(&format!("# \n{good}\nsecret:{hash}"));
            assert_eq!(error, HtpasswdError::NotBcrypt { line: 3 }, "{hash}");
            assert!(!error.to_string().contains("secret"));
        }
        let costly = refused(&format!("a:$2y$31${REST}"));
        assert_eq!(costly, HtpasswdError::TooCostly { line: 1 });
        let twice = refused(&format!("{good}\n\n{good}"));
        assert_eq!(twice, HtpasswdError::Twice { line: 3, first: 1 });
    }
}
