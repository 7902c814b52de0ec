//! Names, classes and figures of what is drawn.

use crate::size::human;
use f2fs::{AreaKind, OpenLog, SegmentTotals};

const BLOCK: u64 = 4096;

/// The logs: name, class of the colour, and the tag of the open one.
pub(crate) const LOGS: [(&str, &str, &str); 6] = [
    ("hot data", "hd", "HD"),
    ("warm data", "wd", "WD"),
    ("cold data", "cd", "CD"),
    ("hot node", "hn", "HN"),
    ("warm node", "wn", "WN"),
    ("cold node", "cn", "CN"),
];

/// Logs from the bottom of a cell up: nodes stand on data.
pub(crate) const STACK: [usize; 6] = [2, 1, 0, 5, 4, 3];

/// Name and class of an area.
pub(crate) fn area(kind: AreaKind) -> (&'static str, &'static str) {
    match kind {
        AreaKind::Superblock => ("superblock", "a0"),
        AreaKind::Checkpoint => ("checkpoint", "a1"),
        AreaKind::Sit => ("SIT", "a2"),
        AreaKind::Nat => ("NAT", "a3"),
        AreaKind::Ssa => ("SSA", "a4"),
        AreaKind::Main => ("MAIN", "a5"),
    }
}

/// A row of the table: class of the colour, name, segments, blocks.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) class: &'static str,
    pub(crate) name: &'static str,
    pub(crate) segments: Option<u64>,
    pub(crate) blocks: u64,
    /// Blocks of compressed clusters among them.
    pub(crate) compressed: Option<u64>,
}

/// What MAIN's blocks are used for; together they are all of it.
pub(crate) fn rows(totals: &SegmentTotals) -> Vec<Row> {
    let log = |index: usize| {
        let (name, class, _) = LOGS[index];
        let used = totals.logs[index];
        Row {
            class,
            name,
            segments: Some(used.segments),
            blocks: used.blocks,
            compressed: (index < 3).then_some(used.compressed_blocks),
        }
    };
    let other = |class, name, segments, blocks| Row {
        class,
        name,
        segments,
        blocks,
        compressed: None,
    };
    let prefree = totals.prefree_segments;
    let mut rows: Vec<Row> = (0..LOGS.len()).map(log).collect();
    rows.push(other("dead", "dead", None, totals.dead_blocks));
    if prefree > 0 {
        let blocks = totals.prefree_blocks();
        rows.push(other(
            "pre",
            "free after a checkpoint",
            Some(prefree),
            blocks,
        ));
    }
    let free = Some(totals.free_segments);
    rows.push(other("free", "free", free, totals.free_blocks()));
    rows
}

/// A part of a whole as a percentage.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let percent = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && percent < 0.05 {
        return "under 0.1 %".to_owned();
    }
    format!("{percent:.1} %")
}

/// A part of a whole on a scale that ends at `end`.
#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
pub(crate) fn share(part: u64, whole: u64, end: f64) -> f64 {
    part as f64 / whole.max(1) as f64 * end
}

/// Bytes of some blocks.
pub(crate) fn bytes(blocks: u64) -> String {
    human(blocks * BLOCK)
}

/// Where a log stands.
pub(crate) fn place(log: OpenLog) -> String {
    let how = if log.fills_holes {
        "fills holes"
    } else {
        "appends"
    };
    format!("segment {}, block {}, {how}", log.segment, log.next_block)
}

/// The tooltip of a cell.
pub(crate) fn cell(
    first: u64,
    cell: &SegmentTotals,
    logs: &[usize],
    of_file: Option<u64>,
) -> String {
    let used = percent(cell.used_blocks(), cell.blocks());
    let head = match cell.segments {
        1 => format!("segment {first}: {used} in use"),
        n => format!("segments {first} to {}: {used} in use", first + n - 1),
    };
    let mut lines = vec![head];
    for row in rows(cell).iter().filter(|row| row.blocks > 0) {
        let compressed = match row.compressed {
            None | Some(0) => String::new(),
            Some(blocks) => format!(", {} of it compressed", bytes(blocks)),
        };
        lines.push(format!("{}: {}{compressed}", row.name, bytes(row.blocks)));
    }
    lines.extend(logs.iter().map(|&log| format!("open log: {}", LOGS[log].0)));
    if let Some(blocks) = of_file.filter(|&blocks| blocks > 0) {
        lines.push(format!("of the file: {}", bytes(blocks)));
    }
    lines.join("\n")
}
