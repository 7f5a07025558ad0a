//! Tables for people.

use std::fmt;

/// What stands where a row has no figure.
const NOTHING: &str = "–";

/// Columns of texts under headings. Names are on the left and numbers on the right of their
/// columns; columns without any text are left out.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    heading: &'static str,
    cells: Vec<Option<String>>,
    is_name: bool,
}

impl Table {
    /// Adds a column of names.
    pub fn names(&mut self, heading: &'static str, cells: impl Iterator<Item = String>) {
        self.add(heading, cells.map(Some).collect(), true);
    }

    /// Adds a column of numbers, of which some may be missing.
    pub fn numbers(&mut self, heading: &'static str, cells: impl Iterator<Item = Option<String>>) {
        self.add(heading, cells.collect(), false);
    }

    fn add(&mut self, heading: &'static str, cells: Vec<Option<String>>, is_name: bool) {
        if cells.iter().any(Option::is_some) {
            self.columns.push(Column {
                heading,
                cells,
                is_name,
            });
        }
    }
}

impl Column {
    fn cell(&self, row: usize) -> &str {
        self.cells[row].as_deref().unwrap_or(NOTHING)
    }

    fn width(&self) -> usize {
        let cells = (0..self.cells.len()).map(|row| self.cell(row));
        let widths = cells.chain([self.heading]).map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, cell: &str) -> fmt::Result {
        let width = self.width();
        match self.is_name {
            true => write!(f, "{cell:<width$}"),
            false => write!(f, "{cell:>width$}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        for row in [None].into_iter().chain((0..rows).map(Some)) {
            for (place, column) in self.columns.iter().enumerate() {
                if place > 0 {
                    f.write_str("  ")?;
                }
                let cell = row.map_or(column.heading, |row| column.cell(row));
                column.write(f, cell)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::default();
        table.names("task", ["vqa", "caption"].map(str::to_owned).into_iter());
        table.numbers("count", [Some("12".into()), None].into_iter());
        table.numbers("none", [None, None].into_iter());
        assert_eq!(
            table.to_string(),
            "task     count\nvqa         12\ncaption      –\n"
        );
    }
}
