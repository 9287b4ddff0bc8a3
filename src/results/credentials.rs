//! Finds registry logins that lie in an archive, so that nobody publishes them by accident. It says
//! where, never what: no value leaves this file.

use serde_json::Value;

/// How deep documents within documents are followed: a `ConfigMap` holds a plugin definition, which
/// holds a Docker config.
const NESTING: usize = 4;

/// Whether a string anywhere in the JSON `document` holds a Docker config file with a login.
pub(super) fn in_json(document: &[u8]) -> bool {
    // Cheap and complete: such a file has this member, whatever it is wrapped in.
    if !contains(document, b"auths") {
        return false;
    }
    serde_json::from_slice(document).is_ok_and(|value| in_value(&value, 0))
}

/// Whether `text` is, or wraps, a Docker config file with a login.
pub(super) fn in_text(text: &str) -> bool {
    in_nested(text, 0)
}

fn in_nested(text: &str, depth: usize) -> bool {
    if depth > NESTING || !text.contains("auths") {
        return false;
    }
    let value: Option<Value> = serde_json::from_str(text)
        .ok()
        .or_else(|| serde_yaml::from_str(text).ok());
    value.is_some_and(|value| in_value(&value, depth + 1))
}

fn in_value(value: &Value, depth: usize) -> bool {
    match value {
        Value::String(text) => in_nested(text, depth),
        Value::Array(items) => items.iter().any(|item| in_value(item, depth)),
        Value::Object(map) => {
            let logins = map.get("auths").and_then(Value::as_object);
            logins.is_some_and(|hosts| hosts.values().any(is_login))
                || map.values().any(|item| in_value(item, depth))
        }
        _ => false,
    }
}

/// An entry of `auths`: `{}` stands for a login that a helper keeps elsewhere.
fn is_login(entry: &Value) -> bool {
    ["auth", "password", "identitytoken", "registrytoken"]
        .iter()
        .any(|key| {
            entry
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|v| !v.is_empty())
        })
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = r#"{"auths":{"registry.example.com":{"auth":"dXNlcjpwYXNz"}}}"#;

    #[test]
    fn a_login_is_found_however_it_is_wrapped() {
        assert!(in_text(LOGIN));
        let map = serde_json::json!({"items": [{"data": {"docker-config.json": LOGIN}}]});
        assert!(in_json(map.to_string().as_bytes()));
        let plugin = format!("config-map:\n  docker-config.json: |-\n    {LOGIN}\nspec: {{}}\n");
        let map = serde_json::json!({"items": [{"data": {"plugin-0.yaml": plugin}}]});
        assert!(in_json(map.to_string().as_bytes()));
    }

    #[test]
    fn words_alone_are_no_login() {
        assert!(!in_text(
            r#"{"auths":{"registry.example.com":{}},"credsStore":"pass"}"#
        ));
        assert!(!in_text("the auths are elsewhere"));
        assert!(!in_json(br#"{"f:auths":{},"auth":"x"}"#));
        assert!(!in_json(b"auths, but no JSON"));
    }
}
