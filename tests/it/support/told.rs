//! What a run said, compared word for word.

use super::airbuoy::{Airbuoy, Outcome};

/// Compares both streams with the snapshot `name`.
pub(crate) fn assert_told(name: &str, airbuoy: &Airbuoy, outcome: &Outcome) {
    let home = airbuoy.home().display().to_string();
    let text = format!("{}\n--\n{}", outcome.stdout, outcome.stderr);
    insta::with_settings!({
        snapshot_path => "../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
        filters => vec![
            (home.as_str(), "[HOME]"),
            (r"after \d+ bytes", "after [N] bytes"),
            (r"v1\.\d+ to v1\.\d+, as of this catalogue, [\d-]+", "[WINDOW], as of this catalogue, [DATE]"),
        ],
    }, {
        insta::assert_snapshot!(name, text.trim_matches(['\n', '-']));
    });
}
