//! Numbers that a test found and people want to see.

use std::io::Write as _;

/// Writes one line on the terminal and to the file that `AIRBUOY_TEST_NOTES` names;
/// `scripts/test` repeats them at its end.
pub(crate) fn note(line: &str) {
    let line = format!("{line}\n");
    let mut terminal = std::io::stderr();
    let _ = write!(terminal, "NOTE {line}");
    if let Some(file) = std::env::var_os("AIRBUOY_TEST_NOTES") {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .expect("the file of notes can be written");
        file.write_all(line.as_bytes()).expect("a line is written");
    }
}
