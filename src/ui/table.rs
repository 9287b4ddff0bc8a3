//! Tables of padded columns. No cell is ever cut: references are there to be copied.

/// Rows under a header. Columns are parted by two spaces, the last one is not padded.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these column names.
    pub fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|&h| h.to_owned()).collect()],
        }
    }

    /// Adds a row of as many cells as the header has.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.rows[0].len());
        self.rows.push(cells);
    }

    /// The table as text, each line with its newline.
    pub fn render(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, &width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_and_nothing_is_cut() {
        let mut table = Table::new(&["KEY", "SOURCE", "SKIPPED"]);
        let long = format!("registry.k8s.io/{}:1", "x".repeat(200));
        table.row(vec!["-".into(), long.clone(), String::new()]);
        table.row(vec!["gcRegistry".into(), "é:1".into(), "filter".into()]);
        let text = table.render();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], format!("-           {long}"));
        let column = |line: &str, word: &str| {
            let at = line.find(word).expect("the word");
            line[..at].chars().count()
        };
        assert_eq!(column(lines[0], "SKIPPED"), column(lines[2], "filter"));
    }
}
