//! What sonobuoy's standard error says went wrong: logrus lines, or cobra's `Error: …` with the
//! whole usage behind it.

/// The reason, in one line without the decoration. Empty when nothing was said.
pub(super) fn reason(stderr: &str) -> String {
    let lines = || {
        stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    if let Some(usage) = lines().find_map(|line| line.strip_prefix("Error: ")) {
        return usage.to_owned();
    }
    if let Some(panic) = lines().find(|line| line.starts_with("panic: ")) {
        return panic.to_owned();
    }
    let errors: Vec<String> = lines()
        .filter(|line| line.contains("level=error") || line.contains("level=fatal"))
        .filter_map(message)
        .collect();
    match errors.as_slice() {
        [] => lines().next_back().unwrap_or_default().to_owned(),
        // A headline and one line for each check.
        [headline, details @ ..]
            if !details.is_empty() && headline == "Preflight checks failed" =>
        {
            format!("sonobuoy's preflight: {}", details.join("; "))
        }
        errors => errors.join("; "),
    }
}

/// The text of `msg="…"` (Go's quoting).
fn message(line: &str) -> Option<String> {
    let (_, quoted) = line.split_once("msg=")?;
    let Some(quoted) = quoted.strip_prefix('"') else {
        return Some(quoted.split(' ').next().unwrap_or(quoted).to_owned());
    };
    let mut text = String::new();
    let mut chars = quoted.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => break,
            '\\' => match chars.next()? {
                'n' | 't' | 'r' => text.push(' '),
                other => text.push(other),
            },
            char => text.push(char),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_one_line() {
        for (stderr, expected) in [
            ("", ""),
            (
                "Error: unknown flag: --x\nUsage:\n  sonobuoy run [flags]\n\nFlags:\n      --y\n",
                "unknown flag: --x",
            ),
            (
                "time=\"t\" level=error msg=\"Preflight checks failed\"\n\
                 time=\"t\" level=error msg=\"namespace already exists\"\n",
                "sonobuoy's preflight: namespace already exists",
            ),
            (
                "time=\"t\" level=info msg=\"create request issued\" name=x\n\
                 time=\"t\" level=error msg=\"could not: Get \\\"https://h/\\\": refused\"\n",
                "could not: Get \"https://h/\": refused",
            ),
            (
                "error retrieving results: EOF\n",
                "error retrieving results: EOF",
            ),
            (
                "panic: runtime error\n\ngoroutine 1 [running]:\nmain()\n",
                "panic: runtime error",
            ),
            ("time=\"t\" level=fatal msg=short x=1", "short"),
        ] {
            assert_eq!(reason(stderr), expected);
        }
    }
}
