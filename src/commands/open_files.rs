//! How many files this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than a server with every limit at its default needs; where there is no upper bound, tables
/// of the system should still stay small.
const ENOUGH: u64 = 65_536;

/// Raises the soft limit to the hard one. The usual soft limit, 1,024, is there for programs that
/// call select(2); a server needs a file for each connection, each open upload and each blob that
/// is being sent, and would make clients wait for one.
pub(super) fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    let Some(raised) = raised(limit.current, limit.maximum) else {
        return;
    };
    let wanted = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::debug!(%error, raised, "the limit on open files stays what it is");
    }
}

/// The soft limit to ask for, where the one there is is lower. `None` in a limit: no bound.
fn raised(soft: Option<u64>, hard: Option<u64>) -> Option<u64> {
    let possible = hard.unwrap_or(ENOUGH).min(ENOUGH);
    soft.filter(|soft| *soft < possible).map(|_| possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_raised_and_never_lowered() {
        assert_eq!(raised(Some(1024), Some(4096)), Some(4096));
        assert_eq!(raised(Some(1024), Some(1 << 20)), Some(ENOUGH));
        assert_eq!(raised(Some(1024), None), Some(ENOUGH));
        assert_eq!(raised(Some(4096), Some(4096)), None);
        assert_eq!(raised(Some(1 << 20), Some(1 << 20)), None);
        assert_eq!(raised(None, None), None);
    }
}
