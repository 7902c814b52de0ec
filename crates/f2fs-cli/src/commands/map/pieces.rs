//! Where the pieces of one file lie: places in the file across, places on the volume down.

use super::draw::WIDTH;
use super::gather::{PLOT_COLUMNS, PLOT_ROWS, Pieces, Spot};
use super::markup::Markup;
use super::words::{bytes, percent};
use crate::size::human;

const LEFT: f64 = 64.0;
const CELL_HEIGHT: f64 = 4.0;

/// The figures of the file in one line.
pub(crate) fn figures(file: &Pieces) -> String {
    let sum = &file.summary;
    let compressed = match sum.compressed_blocks {
        0 => String::new(),
        blocks => format!(", {} of its blocks compressed", percent(blocks, sum.blocks)),
    };
    format!(
        "{}, {} on the device in {} runs, average run {}, fragmentation {:.2} %{compressed}",
        human(file.len),
        bytes(sum.blocks),
        sum.runs,
        human(sum.blocks * 4096 / sum.runs.max(1)),
        100.0 * sum.fragmentation()
    )
}

/// The plot; its height.
pub(crate) fn plot(out: &mut Markup, file: &Pieces) -> f64 {
    let cell = (WIDTH - LEFT) / number(PLOT_COLUMNS);
    let height = number(PLOT_ROWS) * CELL_HEIGHT;
    out.rect("ground", (LEFT, 0.0, WIDTH - LEFT, height));
    for (row, spots) in file.plot.chunks(PLOT_COLUMNS).enumerate() {
        let y = number(row) * CELL_HEIGHT;
        let mut at = 0;
        // Neighbours of one colour are one rectangle.
        for same in spots.chunk_by(|a, b| class(*a) == class(*b)) {
            if let Some(class) = class(same[0]) {
                let (x, width) = (LEFT + number(at) * cell, number(same.len()) * cell);
                out.rect(class, (x, y, width, CELL_HEIGHT));
            }
            at += same.len();
        }
    }
    out.text("n", (LEFT - 8.0, 11.0), "first");
    out.text("n", (LEFT - 8.0, 24.0), "segment");
    out.text("n", (LEFT - 8.0, height - 14.0), "last");
    out.text("n", (LEFT - 8.0, height - 1.0), "segment");
    out.text("m", (LEFT, height + 16.0), "start of the file");
    out.text("n", (WIDTH, height + 16.0), "end of the file");
    height + 22.0
}

fn class(spot: Spot) -> Option<&'static str> {
    match (spot.plain, spot.compressed) {
        (_, true) => Some("packed"),
        (true, false) => Some("file"),
        (false, false) => None,
    }
}

fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}
