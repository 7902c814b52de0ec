//! Areas, use and segments, each drawn from (0, 0) on, [`WIDTH`] wide.

use super::gather::Shown;
use super::markup::{Markup, safe};
use super::words::{self, LOGS, STACK, bytes, percent, share};
use f2fs::{Area, AreaKind, SegmentTotals};

/// Width of the picture.
pub(crate) const WIDTH: f64 = 1160.0;
/// Where rows of cells begin; their numbers are left of it.
const LEFT: f64 = 64.0;
/// Height that the segments should fit in.
const GRID_HEIGHT: f64 = 560.0;
/// Narrowest box of an area.
const AREA_MIN: f64 = 104.0;

/// Patterns for what has no colour of its own.
pub(crate) const DEFS: &str = "<defs>\
<pattern id=\"zip\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect class=\"zipline\" width=\"2\" height=\"5\"/></pattern>\
<pattern id=\"dots\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">\
<rect class=\"deadground\" width=\"4\" height=\"4\"/><rect class=\"deaddot\" width=\"2\" height=\"2\"/></pattern>\
</defs>";

/// The areas of the volume as boxes, MAIN as wide as is left; the height.
pub(crate) fn areas(out: &mut Markup, shown: &Shown) -> f64 {
    let areas = &shown.map.areas;
    let others = areas.len().saturating_sub(1);
    let small = AREA_MIN * f64::from(u32::try_from(others).unwrap_or(0));
    let mut x = 0.0;
    for area in areas {
        let width = if area.kind == AreaKind::Main {
            WIDTH - small
        } else {
            AREA_MIN
        };
        self::area(out, area, x, width);
        x += width;
    }
    52.0
}

fn area(out: &mut Markup, area: &Area, x: f64, width: f64) {
    let (name, class) = words::area(area.kind);
    let size = bytes(area.blocks);
    out.add(format_args!(
        "<g class=\"c\"><title>{name}: {} blocks from block {} on, {size}</title>",
        area.blocks, area.block
    ));
    out.rect(class, (x + 1.0, 0.0, width - 2.0, 52.0));
    out.text("on b", (x + 10.0, 21.0), name);
    out.text("on", (x + 10.0, 40.0), size);
    out.add(format_args!("</g>"));
}

/// What MAIN is used for as one bar; the height.
pub(crate) fn usage(out: &mut Markup, shown: &Shown) -> f64 {
    let totals = &shown.map.totals;
    let whole = totals.blocks();
    let mut x = 0.0;
    out.rect("free", (0.0, 0.0, WIDTH, 30.0));
    for row in words::rows(totals) {
        let width = share(row.blocks, whole, WIDTH);
        let (size, part) = (bytes(row.blocks), percent(row.blocks, whole));
        out.add(format_args!(
            "<g class=\"c\"><title>{}: {size}, {part}</title>",
            safe(row.name)
        ));
        out.rect(row.class, (x, 0.0, width, 30.0));
        let compressed = share(row.compressed.unwrap_or(0), whole, WIDTH);
        out.rect("zip", (x, 0.0, compressed, 30.0));
        if width > 110.0 {
            let class = match row.class {
                "free" | "dead" | "pre" => "over b",
                _ => "halo b",
            };
            out.text(class, (x + 8.0, 20.0), format_args!("{} {part}", row.name));
        }
        out.add(format_args!("</g>"));
        x += width;
    }
    30.0
}

/// Sizes of the cells of MAIN.
#[derive(Clone, Copy, Debug)]
struct Grid {
    columns: usize,
    pitch: f64,
    gap: f64,
}

impl Grid {
    fn of(cells: usize) -> Self {
        let width = WIDTH - LEFT;
        let count = f64::from(u32::try_from(cells).unwrap_or(u32::MAX)).max(1.0);
        let wanted = (width * GRID_HEIGHT / count).sqrt().clamp(9.0, 68.0);
        let columns = columns(width / wanted);
        // What rounding the columns left over makes the cells wider.
        let pitch = width / f64::from(u32::try_from(columns).unwrap_or(1));
        let gap = if pitch < 14.0 { 1.0 } else { 2.0 };
        Self {
            columns,
            pitch,
            gap,
        }
    }

    fn place(&self, index: usize) -> (f64, f64) {
        let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let (row, column) = (index / self.columns, index % self.columns);
        (LEFT + number(column) * self.pitch, number(row) * self.pitch)
    }

    fn side(&self) -> f64 {
        self.pitch - self.gap
    }
}

/// Columns that fit, an even number that people can count with if there are many.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small number that is not negative"
)]
fn columns(fit: f64) -> usize {
    let fit = fit as usize;
    match fit {
        0..=16 => fit.max(1),
        17..=31 => 16,
        32..=63 => fit / 8 * 8,
        _ => 64.max(fit / 16 * 16),
    }
}

/// The segments of MAIN as cells; the height.
pub(crate) fn segments(out: &mut Markup, shown: &Shown) -> f64 {
    let map = &shown.map;
    let grid = Grid::of(map.cells.len());
    let per_cell = u64::from(map.segments_per_cell);
    let in_cell = shown.file.as_ref().map(|file| &file.in_cell);
    let is_label_due = |row: usize| grid.pitch >= 13.0 || row.is_multiple_of(2);
    let mut marks = Markup::default();
    for (index, cell) in map.cells.iter().enumerate() {
        let (x, y) = grid.place(index);
        let first = index as u64 * per_cell;
        if index.is_multiple_of(grid.columns) && is_label_due(index / grid.columns) {
            out.text("n", (LEFT - 8.0, y + grid.side() / 2.0 + 4.0), first);
        }
        let logs: Vec<usize> = (0..LOGS.len())
            .filter(|&log| u64::from(map.logs[log].segment) / per_cell == index as u64)
            .collect();
        let of_file = in_cell.map(|blocks| blocks[index]);
        let title = words::cell(first, cell, &logs, of_file);
        let dim = if of_file == Some(0) { " dim" } else { "" };
        out.add(format_args!(
            "<g class=\"c{dim}\"><title>{}</title>",
            safe(title)
        ));
        self::cell(out, cell, (x, y), grid.side());
        if let Some(blocks) = of_file.filter(|&blocks| blocks > 0) {
            of_the_file(out, blocks, cell, (x, y), grid.side());
        }
        out.add(format_args!("</g>\n"));
        if !logs.is_empty() {
            open_logs(&mut marks, &logs, (x, y), grid);
        }
    }
    // Above all cells, so that no neighbour covers them.
    out.add(format_args!("{}", marks.finish()));
    let last = map.cells.len().saturating_sub(1);
    grid.place(last).1 + grid.pitch
}

/// One cell, filled from the bottom up.
fn cell(out: &mut Markup, cell: &SegmentTotals, (x, y): (f64, f64), side: f64) {
    out.rect("free", (x, y, side, side));
    let whole = cell.blocks();
    let mut bottom = y + side;
    let mut fill = |out: &mut Markup, class: &str, blocks: u64, compressed: u64| {
        let height = visible(share(blocks, whole, side)).min(bottom - y);
        out.rect(class, (x, bottom - height, side, height));
        let zip = visible(share(compressed, whole, side)).min(height);
        out.rect("zip", (x, bottom - zip, side, zip));
        bottom -= height;
    };
    for log in STACK {
        let used = cell.logs[log];
        fill(out, LOGS[log].1, used.blocks, used.compressed_blocks);
    }
    fill(out, "dead", cell.dead_blocks, 0);
    fill(out, "pre", cell.prefree_blocks(), 0);
}

/// What is there is seen, however little it is.
fn visible(height: f64) -> f64 {
    if height > 0.0 { height.max(1.0) } else { 0.0 }
}

fn of_the_file(out: &mut Markup, blocks: u64, cell: &SegmentTotals, (x, y): (f64, f64), side: f64) {
    let height = visible(share(blocks, cell.blocks(), side)).max(2.0);
    let width = (side / 2.0).max(4.0);
    out.rect("file", (x, y + side - height, width, height));
    out.rect("filering", (x - 0.5, y - 0.5, side + 1.0, side + 1.0));
}

/// A ring around the cell of open logs, and their tags.
fn open_logs(out: &mut Markup, logs: &[usize], (x, y): (f64, f64), grid: Grid) {
    let side = grid.side();
    out.rect("ring", (x - 1.0, y - 1.0, side + 2.0, side + 2.0));
    let tag = match logs {
        [log] => LOGS[*log].2.to_owned(),
        logs => format!("{}\u{d7}", logs.len()),
    };
    let class = if grid.pitch < 20.0 { "tag s" } else { "tag" };
    let middle = y + side / 2.0 + if grid.pitch < 20.0 { 2.8 } else { 4.0 };
    out.text(class, (x + side / 2.0, middle), tag);
}
