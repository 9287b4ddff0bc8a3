//! What a registry says when it says no: the error body, read tolerantly. A body that is HTML,
//! empty or broken is no error of its own.

use std::time::Duration;

use reqwest::{Response, StatusCode};

/// Bytes of an error body that are looked at.
const LIMIT: usize = 64 * 1024;

/// Characters of a foreign text that reach a message.
const SHOWN: usize = 512;

/// An error body may not hold a request up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A refusing answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The `code` members of the error list (distribution-spec, "Error Codes").
    pub(super) codes: Vec<String>,
    /// Their messages, or the beginning of whatever the body holds.
    pub(super) text: String,
}

impl Refusal {
    /// Reads the body of `response`, as far as it comes in time.
    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let body = tokio::time::timeout(PATIENCE, beginning(response)).await;
        Self::parse(status, &body.unwrap_or_default())
    }

    pub(super) fn parse(status: StatusCode, body: &[u8]) -> Self {
        let (codes, text) = list(body).unwrap_or_default();
        let text = if text.is_empty() && codes.is_empty() {
            plain(body)
        } else {
            text
        };
        Self {
            status,
            codes,
            text,
        }
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c == code)
    }

    /// `403 DENIED: requested access to the resource is denied`.
    pub(super) fn describe(&self) -> String {
        let mut words = self.status.as_u16().to_string();
        match self.codes.first() {
            Some(code) => {
                words.push(' ');
                words.push_str(code);
            }
            None => {
                if let Some(reason) = self.status.canonical_reason() {
                    words.push(' ');
                    words.push_str(reason);
                }
            }
        }
        if !self.text.is_empty() {
            words.push_str(": ");
            words.push_str(&self.text);
        }
        words
    }
}

async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(LIMIT - body.len())]);
        if body.len() == LIMIT {
            break;
        }
    }
    body
}

fn list(body: &[u8]) -> Option<(Vec<String>, String)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    // Token servers write {"details": ..} or {"error": .., "error_description": ..}.
    for key in ["details", "error_description", "error", "message"] {
        if let Some(text) = body.get(key).and_then(serde_json::Value::as_str) {
            return Some((Vec::new(), clean(text)));
        }
    }
    let errors = body.get("errors")?.as_array()?;
    let texts = |member: &str| -> Vec<String> {
        errors
            .iter()
            .filter_map(|e| e.get(member)?.as_str())
            .map(clean)
            .filter(|t| !t.is_empty())
            .collect()
    };
    Some((texts("code"), clean(&texts("message").join("; "))))
}

/// The words of a body that is no error list: an HTML page loses its tags.
fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * SHOWN)]);
    let mut words = String::new();
    let mut inside_tag = false;
    for c in text.chars() {
        match c {
            '<' => inside_tag = true,
            '>' if inside_tag => {
                inside_tag = false;
                words.push(' ');
            }
            c if !inside_tag => words.push(c),
            _ => {}
        }
    }
    clean(&words)
}

/// Foreign text made fit for a terminal: one line, no control characters, bounded.
pub(super) fn clean(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(4 * SHOWN)
        .collect();
    let words: Vec<&str> = spaced.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn described(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).expect("a status");
        Refusal::parse(status, body.as_bytes()).describe()
    }

    #[test]
    fn error_lists_pages_and_nothing_at_all() {
        assert_eq!(
            described(
                403,
                r#"{"errors":[{"code":"DENIED","message":"no\nway","detail":{}}]}"#
            ),
            "403 DENIED: no way"
        );
        assert_eq!(
            described(
                413,
                "<html><head><title>413 Too Large</title></head><hr>nginx</html>"
            ),
            "413 Payload Too Large: 413 Too Large nginx"
        );
        assert_eq!(described(404, ""), "404 Not Found");
        assert_eq!(
            described(401, r#"{"details":"incorrect username"}"#),
            "401 Unauthorized: incorrect username"
        );
        assert_eq!(
            described(500, r#"{"errors":null}"#),
            r#"500 Internal Server Error: {"errors":null}"#
        );
        assert_eq!(
            described(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
            "404 NAME_UNKNOWN"
        );
    }

    proptest! {
        #[test]
        fn hostile_bodies_stay_one_bounded_line(body in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let refusal = Refusal::parse(StatusCode::BAD_REQUEST, &body);
            prop_assert!(refusal.text.chars().count() <= SHOWN);
            prop_assert!(!refusal.text.chars().any(char::is_control));
        }
    }
}
