//! `f2fs stat --extents`: where the bytes of a file lie, printed as they are found.
//!
//! A file may have millions of extents, so none is kept: the table and the JSON array are written while the file is
//! walked, and the figures follow.

use crate::errors::{At, Result};
use crate::size::human;
use crate::text::out;
use f2fs::{DeviceRun, ExtentKind, File, FileExtent, LayoutSummary, Volume};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::path::{Path, PathBuf};

const BLOCK: u64 = 4096;
/// Blocks of a segment.
const SEGMENT: u32 = 512;

/// The word for a kind.
fn word(kind: ExtentKind) -> &'static str {
    match kind {
        ExtentKind::Plain => "plain",
        ExtentKind::Compressed => "compressed",
        ExtentKind::Reserved => "reserved",
        ExtentKind::Hole => "hole",
        ExtentKind::Inline => "inline",
    }
}

/// Prints the extents as a table, and the figures below it.
pub(crate) fn print(path: &Path, file: &File, segments: Segments) -> Result<()> {
    let mut out = out();
    writeln!(
        out,
        "  {:>16} {:>14} {:<10} {:>14} {:>10} {:>8}",
        "offset", "length", "kind", "stored", "block", "segment"
    )?;
    let mut summary = LayoutSummary::default();
    for extent in file.layout() {
        let extent = extent.at(path)?;
        summary.add(&extent);
        let front = format!("  {:>16} {:>14}", extent.pos, extent.len);
        let kind = word(extent.kind);
        if extent.runs.is_empty() {
            writeln!(out, "{front} {kind}")?;
        }
        for (i, run) in extent.runs.iter().enumerate() {
            // The pieces of a scattered cluster stand below one another.
            let front = if i == 0 { &front } else { "" };
            let kind = if i == 0 { kind } else { "" };
            writeln!(
                out,
                "{front:<33} {kind:<10} {:>14} {:>10} {:>8}",
                u64::from(run.blocks) * BLOCK,
                run.block,
                segments.of_block(run.block)
            )?;
        }
    }
    writeln!(out, "  {:<12} {}", "layout", text(&summary))?;
    Ok(out.flush()?)
}

/// The figures as a line.
fn text(summary: &LayoutSummary) -> String {
    let mut parts = vec![
        format!("{} extents in {} runs", summary.extents, summary.runs),
        format!("average run {}", human(average_bytes(summary))),
        format!("fragmentation {:.2} %", 100.0 * summary.fragmentation()),
    ];
    if summary.compressed_len > 0 {
        parts.push(format!(
            "{} compressed into {}",
            human(summary.compressed_len),
            human(summary.compressed_blocks * BLOCK)
        ));
    }
    parts.join(", ")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people"
)]
fn average_bytes(summary: &LayoutSummary) -> u64 {
    (summary.average_run() * 4096.0) as u64
}

/// Where segments begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments {
    main: u32,
}

impl Segments {
    pub(crate) fn of(volume: &Volume) -> Self {
        Self {
            main: volume.info().super_block.main_blkaddr.get(),
        }
    }

    /// The number of a block's segment.
    fn of_block(self, block: u32) -> u32 {
        block.saturating_sub(self.main) / SEGMENT
    }
}

/// The extents as the field `extents` of an object, then their figures as `layout`. The file is walked while it is
/// written.
#[derive(Debug)]
pub(crate) struct JsonExtents {
    path: PathBuf,
    file: File,
    segments: Segments,
    failed: RefCell<Option<f2fs::Error>>,
    summary: Cell<LayoutSummary>,
}

impl JsonExtents {
    /// Of an open file.
    pub(crate) fn new(path: &Path, file: File, segments: Segments) -> Self {
        Self {
            path: path.to_path_buf(),
            file,
            segments,
            failed: RefCell::new(None),
            summary: Cell::default(),
        }
    }

    /// Why the array ends before the file does, if so.
    pub(crate) fn failure(&mut self) -> Result<()> {
        match self.failed.take() {
            Some(error) => Err(error).at(&self.path),
            None => Ok(()),
        }
    }
}

impl Serialize for JsonExtents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("extents", &Sequence(self))?;
        map.serialize_entry("layout", &JsonLayout::of(&self.summary.get()))?;
        map.end()
    }
}

struct Sequence<'a>(&'a JsonExtents);

impl Serialize for Sequence<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let JsonExtents {
            file,
            segments,
            failed,
            summary,
            ..
        } = self.0;
        let mut sum = LayoutSummary::default();
        let mut seq = serializer.serialize_seq(None)?;
        for extent in file.layout() {
            match extent {
                Ok(extent) => {
                    sum.add(&extent);
                    seq.serialize_element(&JsonExtent::of(&extent, *segments))?;
                }
                Err(error) => *failed.borrow_mut() = Some(error),
            }
        }
        summary.set(sum);
        seq.end()
    }
}

#[derive(Debug, Serialize)]
struct JsonExtent {
    pos: u64,
    len: u64,
    kind: &'static str,
    /// Bytes on the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<JsonRun>,
}

#[derive(Debug, Serialize)]
struct JsonRun {
    block: u32,
    blocks: u32,
    segment: u32,
}

impl JsonExtent {
    fn of(extent: &FileExtent, segments: Segments) -> Self {
        let run = |run: &DeviceRun| JsonRun {
            block: run.block,
            blocks: run.blocks,
            segment: segments.of_block(run.block),
        };
        Self {
            pos: extent.pos,
            len: extent.len,
            kind: word(extent.kind),
            stored: extent.is_stored().then(|| extent.stored_blocks() * BLOCK),
            runs: extent.runs.iter().map(run).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct JsonLayout {
    extents: u64,
    runs: u64,
    blocks: u64,
    average_run_blocks: f64,
    /// 0 for one run, 1 if no two blocks lie together.
    fragmentation: f64,
    compressed_len: u64,
    compressed_blocks: u64,
    reserved_len: u64,
    hole_len: u64,
}

impl JsonLayout {
    fn of(summary: &LayoutSummary) -> Self {
        Self {
            extents: summary.extents,
            runs: summary.runs,
            blocks: summary.blocks,
            average_run_blocks: summary.average_run(),
            fragmentation: summary.fragmentation(),
            compressed_len: summary.compressed_len,
            compressed_blocks: summary.compressed_blocks,
            reserved_len: summary.reserved_len,
            hole_len: summary.hole_len,
        }
    }
}
