//! What a dry run would do.

use super::table::Table;
use crate::transfer::ImageRow;

/// One row an image and target.
pub fn plan_table(rows: &[ImageRow]) -> String {
    let mut table = Table::new(&["STATUS", "SOURCE", "TARGET"]);
    for row in rows {
        table.row(vec![
            row.status.as_str().to_owned(),
            row.source.clone(),
            row.target.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.render()
}
