//! Selectors and pages of a list request.

use serde_json::{Value, json};

/// The parameters of a request, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_encoding::percent_decode_str(&spaced)
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(
            pairs
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The list of those objects that are asked for, at most a page.
    pub(super) fn list(&self, kind: &str, objects: impl Iterator<Item = Value>) -> Value {
        let wanted: Vec<Value> = objects.filter(|object| self.selects(object)).collect();
        let from: usize = self
            .get("continue")
            .and_then(|c| c.parse().ok())
            .unwrap_or(0);
        let limit: usize = self
            .get("limit")
            .and_then(|l| l.parse().ok())
            .unwrap_or(usize::MAX);
        let end = from.saturating_add(limit).min(wanted.len());
        let next = if end < wanted.len() {
            end.to_string()
        } else {
            String::new()
        };
        json!({
            "kind": kind, "apiVersion": "v1",
            "metadata": {"resourceVersion": "1", "continue": next},
            "items": wanted.get(from..end).unwrap_or_default(),
        })
    }

    fn selects(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let by_label = split(self.get("labelSelector").unwrap_or_default());
        let by_field = split(self.get("fieldSelector").unwrap_or_default());
        by_label.iter().all(|term| label_matches(labels, term))
            && by_field.iter().all(|term| match term.split_once('=') {
                Some(("status.phase", phase)) => object["status"]["phase"] == phase,
                Some(("metadata.name", name)) => object["metadata"]["name"] == name,
                _ => panic!("no field selector of ours: {term}"),
            })
    }
}

/// At commas outside of parentheses.
fn split(selector: &str) -> Vec<String> {
    let (mut terms, mut depth) = (vec![String::new()], 0);
    for char in selector.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if char == ',' && depth == 0 {
            terms.push(String::new());
        } else if let Some(term) = terms.last_mut() {
            term.push(char);
        }
    }
    terms.retain(|term| !term.is_empty());
    terms
}

/// `key`, `key=value`, `key in (a,b)`.
fn label_matches(labels: &Value, term: &str) -> bool {
    if let Some((key, list)) = term.split_once(" in ") {
        let list = list.trim_matches(['(', ')']);
        return list
            .split(',')
            .any(|value| labels[key.trim()] == value.trim());
    }
    match term.split_once('=') {
        Some((key, value)) => labels[key] == value,
        None => !labels[term].is_null(),
    }
}
