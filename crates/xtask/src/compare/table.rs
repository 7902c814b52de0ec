//! Medians and ratios as a table in Markdown.

use super::jobs::Rate;
use std::fmt;

/// The results of one job: for each system the values of all rounds.
#[derive(Debug)]
struct Row {
    job: &'static str,
    unit: &'static str,
    values: Vec<Vec<f64>>,
}

/// All results.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    pub(super) fn new(names: Vec<&'static str>) -> Self {
        Self {
            names,
            rows: Vec::new(),
        }
    }

    /// Adds what the system of this number did in a round.
    pub(super) fn add(&mut self, system: usize, rates: Vec<Rate>) {
        for rate in rates {
            let found = self.rows.iter().position(|row| row.job == rate.job);
            let at = found.unwrap_or_else(|| {
                self.rows.push(Row {
                    job: rate.job,
                    unit: rate.unit,
                    values: vec![Vec::new(); self.names.len()],
                });
                self.rows.len() - 1
            });
            self.rows[at].values[system].push(rate.value);
        }
    }
}

impl Row {
    /// The median of what the first system does for each unit of another, round by round.
    fn ratio(&self, other: usize) -> f64 {
        let pairs = self.values[0].iter().zip(&self.values[other]);
        median(pairs.map(|(ours, theirs)| ours / theirs).collect())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.names.first().copied().unwrap_or_default();
        writeln!(f, "| job | {} |", self.names.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(self.names.len()))?;
        for row in &self.rows {
            write!(f, "| {}, {} |", row.job, row.unit)?;
            for (n, values) in row.values.iter().enumerate() {
                write!(f, " {:.0}", median(values.clone()))?;
                if n > 0 {
                    write!(f, " (x{:.2})", row.ratio(n))?;
                }
                write!(f, " |")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "\nxN: {first} is N times as fast.")
    }
}

/// The middle value; of an even number the upper one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_rounds() {
        let mut table = Table::new(vec!["a", "b"]);
        // The machine was slow in the second round, for both.
        for (a, b) in [(100.0, 50.0), (10.0, 5.0), (120.0, 40.0)] {
            for (n, value) in [a, b].into_iter().enumerate() {
                let job = "write";
                let unit = "MB/s";
                table.add(n, vec![Rate { job, unit, value }]);
            }
        }
        assert!(
            table
                .to_string()
                .contains("| write, MB/s | 100 | 40 (x2.00) |"),
            "{table}"
        );
    }
}
