//! What a refusing answer means: code, whether to try again, and what the person can do.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::content::{Code, Retry};

use super::refusal::Refusal;
use super::retry;
use super::trouble::Trouble;

/// A longer wish than this is not waited for: the person decides.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// The delay that the answer asks for.
pub(super) fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    retry::retry_after(headers.get(RETRY_AFTER)?, Timestamp::now())
}

/// 429 or 503 with what the server said.
pub(super) fn throttled(status: StatusCode, after: Option<Duration>, said: String) -> Trouble {
    let code = if status == StatusCode::TOO_MANY_REQUESTS {
        Code::Throttled
    } else {
        Code::ServerError
    };
    match after {
        Some(delay) if delay > LONGEST_WAIT => {
            let minutes = delay.as_secs().div_ceil(60);
            Trouble::fatal(
                code,
                format!("{said}; it asks for {minutes} minutes of quiet"),
            )
            .hint("log in for a higher limit, or run the same command again later")
        }
        Some(delay) => Trouble {
            code,
            ..Trouble::quiet(delay, said)
        },
        None => Trouble::passing(code, said),
    }
}

/// Whether an answer with this status may be another at the next try.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=529
    )
}

/// The meaning of a refusal that no operation has a better word for.
pub(super) fn refused(refusal: &Refusal, after: Option<Duration>) -> Trouble {
    let said = refusal.describe();
    match refusal.status.as_u16() {
        401 => Trouble::fatal(Code::Unauthorized, said),
        403 => Trouble::fatal(Code::Denied, said),
        404 => Trouble::fatal(Code::NotFound, said),
        405 | 501 => Trouble::fatal(Code::Unsupported, said),
        413 => Trouble::fatal(Code::TooLarge, said),
        429 | 503 => throttled(refusal.status, after, said),
        408 | 425 => Trouble::passing(Code::Interrupted, said),
        500..=599 => Trouble {
            retry: if is_passing(refusal.status) {
                Retry::Backoff
            } else {
                Retry::Never
            },
            ..Trouble::fatal(Code::ServerError, said)
        },
        _ => Trouble::fatal(Code::Protocol, said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, after: Option<u64>) -> (Code, Retry) {
        let refusal = Refusal::parse(StatusCode::from_u16(status).expect("a status"), b"");
        let trouble = refused(&refusal, after.map(Duration::from_secs));
        (trouble.code, trouble.retry)
    }

    #[test]
    fn statuses() {
        assert_eq!(meaning(401, None), (Code::Unauthorized, Retry::Never));
        assert_eq!(meaning(403, None), (Code::Denied, Retry::Never));
        assert_eq!(meaning(404, None), (Code::NotFound, Retry::Never));
        assert_eq!(meaning(413, None), (Code::TooLarge, Retry::Never));
        assert_eq!(meaning(418, None), (Code::Protocol, Retry::Never));
        assert_eq!(meaning(500, None), (Code::ServerError, Retry::Backoff));
        assert_eq!(meaning(429, None), (Code::Throttled, Retry::Backoff));
        let minute = Retry::After(Duration::from_mins(1));
        assert_eq!(meaning(429, Some(60)), (Code::Throttled, minute));
        assert_eq!(meaning(503, Some(60)), (Code::ServerError, minute));
        assert_eq!(meaning(429, Some(21_600)), (Code::Throttled, Retry::Never));
    }
}
