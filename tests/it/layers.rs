//! The rooms of `src/` form layers; this reads the sources and fails where one looks up, prints or
//! reads the environment and should not. It reads text, not types: names built by macros escape.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their layers. A room uses only rooms of a smaller number.
const LAYERS: &[(&str, u8)] = &[
    ("oci", 1),
    ("archive_path", 1),
    ("event", 1),
    ("kube_version", 1),
    ("catalog", 2),
    ("content", 2),
    ("bundle", 3),
    ("registry", 3),
    ("server", 3),
    ("relocate", 3),
    ("cluster", 3),
    ("results", 3),
    ("transfer", 4),
    ("live", 4),
    ("rehearsal", 4),
    ("sonobuoy", 5),
    ("submission", 5),
    ("cli", 6),
    ("settings", 7),
    ("ui", 8),
    ("commands", 9),
    ("main", 10),
];

fn layer(room: &str) -> Option<u8> {
    let row = LAYERS.iter().find(|(name, _)| *name == room)?;
    Some(row.1)
}

#[test]
fn every_room_looks_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 10, "found too few sources: {files:?}");
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&src).expect("below src");
            let text = fs::read_to_string(file).expect("a readable source");
            complaints(path, &text)
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Everything that the source `text` at `path` (relative to `src`) does and may not.
fn complaints(path: &Path, text: &str) -> Vec<String> {
    let first = path.iter().next().and_then(|p| p.to_str()).expect("UTF-8");
    let room = first.trim_end_matches(".rs");
    if room == "lib" {
        return Vec::new();
    }
    let Some(own) = layer(room) else {
        return vec![format!("{}: `{room}` is no room", path.display())];
    };
    let mut found = Vec::new();
    for (number, line) in statements(&blank_prose(text)) {
        let mut complain =
            |what: String| found.push(format!("{}:{number}: {what}", path.display()));
        for used in rooms_used(&line) {
            match layer(&used) {
                _ if used == room => {}
                Some(other) if other < own => {}
                Some(other) => complain(format!(
                    "`{room}` (layer {own}) uses `{used}` (layer {other})"
                )),
                // An item of lib.rs itself: lib.rs declares rooms only.
                None => complain(format!("`{used}` is no room")),
            }
        }
        if room != "ui" && prints(&line) {
            complain("prints; only `ui` does".to_owned());
        }
        if room != "settings" && reads_environment(&line) {
            complain("reads the environment; only `settings` does".to_owned());
        }
    }
    found
}

/// `text` cut where a path cannot go on, white space removed, each with its first line's number.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    let (mut start, mut number, mut depth, mut current) = (1, 1, 0_usize, String::new());
    for c in text.chars() {
        if current.is_empty() {
            start = number;
        }
        // The braces of `use a::{b, c}` belong to the path; other braces end it.
        match c {
            '\n' => number += 1,
            '{' if current.ends_with("::") || depth > 0 => depth += 1,
            '}' if depth > 0 => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '{' | '}') {
            current.push(c);
            all.push((start, std::mem::take(&mut current)));
        } else if c.is_whitespace() {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            if current.ends_with(word) {
                current.push(' ');
            }
        } else {
            // `crate :: oci` is the same path as `crate::oci`.
            if c == ':' && current.ends_with(' ') {
                current.pop();
            }
            current.push(c);
        }
    }
    all.push((start, current));
    all
}

/// The first path segment behind every `crate::` and every climb of two or more `super::`.
fn rooms_used(statement: &str) -> Vec<String> {
    let mut rooms: Vec<String> = after(statement, "crate::")
        .into_iter()
        .flat_map(heads)
        .collect();
    for rest in after(statement, "super::super::") {
        let rest = rest.trim_start_matches("super::");
        // Inside a room the same climb may reach a sibling module; only a room's name tells.
        rooms.extend(heads(rest).into_iter().filter(|h| layer(h).is_some()));
    }
    rooms
}

/// The rests of `text` behind each `needle` that is not the end of a longer word.
fn after<'a>(text: &'a str, needle: &str) -> Vec<&'a str> {
    text.match_indices(needle)
        .filter(|(at, _)| {
            let before = text[..*at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
        })
        .map(|(at, _)| &text[at + needle.len()..])
        .collect()
}

/// The leading names of `a::b` (one) or of `{a::b, c}` (one an item).
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let word = |c: &char| c.is_alphanumeric() || *c == '_';
        text.chars().take_while(word).collect()
    };
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let (mut depth, mut item, mut items) = (0_usize, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ => item.push(c),
        }
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    items.push(item);
    let names = items.iter().map(|i| name(i));
    names.filter(|n| !n.is_empty()).collect()
}

fn prints(statement: &str) -> bool {
    let macros = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    macros.iter().any(|m| !after(statement, m).is_empty())
        || after(statement, "io::")
            .into_iter()
            .flat_map(heads)
            .any(|name| name == "stdout" || name == "stderr")
}

fn reads_environment(statement: &str) -> bool {
    let reads = |name: &String| name != "consts";
    after(statement, "env::")
        .into_iter()
        .flat_map(heads)
        .any(|name| reads(&name))
        || after(statement, "std::")
            .into_iter()
            .flat_map(heads)
            .any(|name| name == "env")
            && after(statement, "std::env::consts").is_empty()
}

/// `source` with comments, string contents and characters blanked, line breaks kept.
fn blank_prose(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = prose_end(&chars, at);
        if end > at {
            out.extend(chars[at..end].iter().filter(|c| **c == '\n'));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment, string or character that begins at `at` ends; `at` when none does.
fn prose_end(chars: &[char], at: usize) -> usize {
    let starts = |from: usize, text: &str| {
        let rest = chars.get(from..).unwrap_or_default();
        rest.iter().copied().take(text.len()).eq(text.chars())
    };
    let find = |from: usize, text: &str| {
        let end = (from..chars.len()).find(|i| starts(*i, text));
        end.map_or(chars.len(), |i| i + text.len())
    };
    let word_before = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if starts(at, "//") {
        return find(at, "\n") - 1;
    }
    if starts(at, "/*") {
        return find(at + 2, "*/");
    }
    if !word_before && (starts(at, "r\"") || starts(at, "r#")) {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + 1 + hashes) == Some(&'"') {
            return find(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if starts(at, "\"") {
        let mut end = at + 1;
        while end < chars.len() && chars[end] != '"' {
            end += if chars[end] == '\\' { 2 } else { 1 };
        }
        return (end + 1).min(chars.len());
    }
    // A character, not a lifetime.
    if starts(at, "'\\") {
        return find(at + 3, "'");
    }
    if starts(at, "'") && chars.get(at + 2) == Some(&'\'') {
        return at + 3;
    }
    at
}

#[cfg(test)]
mod checker {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        complaints(Path::new(path), text)
    }

    #[test]
    fn looking_down_is_fine() {
        let text = "use crate::oci::{Digest, Platform};\nuse crate::{event::Event, oci};\n\
            use crate::content::Failure;\nfn f() { crate::registry::x(); }";
        assert_eq!(check("registry/blob.rs", text), [""; 0]);
        assert_eq!(check("lib.rs", "pub mod anything;"), [""; 0]);
    }

    #[test]
    fn looking_up_or_sideways_is_found_in_every_spelling() {
        for text in [
            "use crate::transfer::Plan;",
            "use crate::{\n    oci::Digest,\n    transfer::{Plan, x},\n};",
            "fn f() -> crate::server::Thing { todo() }",
            "pub(crate) use crate :: ui;",
            "#[cfg(test)]\nmod tests {\n    use crate::commands::x;\n}",
            "use super::super::rehearsal::Fill;",
            "fn f() { let _ = 'a'; let _ = crate::cli::x; }",
        ] {
            assert_eq!(check("registry/blob.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let found = check("oci/digest.rs", "//! Doc.\n\nuse crate::event::Event;\n");
        assert_eq!(
            found,
            ["oci/digest.rs:3: `oci` (layer 1) uses `event` (layer 1)"]
        );
    }

    #[test]
    fn prose_is_not_code() {
        let text = "//! See [`crate::commands`].\n/* crate::ui */\n\
            const A: &str = \"crate::ui println!(\\\"x\\\")\";\n\
            const B: &str = r#\"crate::ui \" std::env::var\"#;\nfn f<'a>(c: char) -> bool { c == '\"' }\n\
            // println!(\"x\")";
        assert_eq!(check("oci/digest.rs", text), [""; 0]);
    }

    #[test]
    fn an_unknown_room_is_found() {
        assert_eq!(check("helpers/mod.rs", "").len(), 1);
        assert_eq!(check("helpers.rs", "").len(), 1);
        assert_eq!(check("commands/mod.rs", "use crate::VERSION;").len(), 1);
    }

    #[test]
    fn only_ui_prints() {
        for text in [
            "fn f() { println!(\"x\"); }",
            "fn f() { std::eprint!(\"x\"); }",
            "use std::io::{self, stdout};",
            "fn f() { io::stderr().lock(); }",
        ] {
            assert_eq!(check("commands/mirror.rs", text).len(), 1, "{text}");
            assert_eq!(check("ui/table.rs", text), [""; 0], "{text}");
        }
        let child = "fn f() { command.stdout(Stdio::piped()); writeln!(out, \"x\"); }";
        assert_eq!(check("registry/helper.rs", child), [""; 0]);
    }

    #[test]
    fn only_settings_reads_the_environment() {
        for text in [
            "fn f() { std::env::var(\"HOME\"); }",
            "use std::env;",
            "use std::{env, fs};",
            "fn f() { env::var_os(\"X\"); }",
        ] {
            assert_eq!(check("cli/flags.rs", text).len(), 1, "{text}");
            assert_eq!(check("settings/auth.rs", text), [""; 0], "{text}");
        }
        let clap = "#[arg(long, env = \"AIRBUOY_JOBS\")]\njobs: u8,\n\
            const V: &str = env!(\"CARGO_PKG_VERSION\"); const OS: &str = std::env::consts::OS;";
        assert_eq!(check("cli/flags.rs", clap), [""; 0]);
    }
}
