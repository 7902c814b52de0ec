//! What the picture shows.

use crate::errors::{At, Result};
use crate::text::{escaped, shown};
use f2fs::{DeviceRun, ExtentKind, LayoutSummary, Volume, VolumeMap};
use std::ffi::OsStr;
use std::path::Path;

/// Columns of the plot of a file: places in the file.
pub(crate) const PLOT_COLUMNS: usize = 224;
/// Its rows: places on the volume.
pub(crate) const PLOT_ROWS: usize = 56;

/// A volume, and perhaps one of its files. All text is printable, but not yet safe inside markup.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The label, or the name of the image for a volume without one.
    pub(crate) title: String,
    pub(crate) image: String,
    pub(crate) map: VolumeMap,
    pub(crate) file: Option<Pieces>,
}

/// Where one file lies.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) path: String,
    pub(crate) len: u64,
    pub(crate) summary: LayoutSummary,
    /// Its blocks in each cell of the map.
    pub(crate) in_cell: Vec<u64>,
    /// By row and column, what of it is there.
    pub(crate) plot: Vec<Spot>,
}

/// What of a file is in one spot of its plot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    pub(crate) plain: bool,
    pub(crate) compressed: bool,
}

impl Shown {
    /// Reads all of it.
    pub(crate) fn gather(
        volume: &Volume,
        image: &Path,
        cells: u32,
        file: Option<&Path>,
    ) -> Result<Self> {
        // The file first: a wrong path is told before the volume is read.
        let open = file
            .map(|path| volume.open_file(path).at(path))
            .transpose()?;
        let map = volume.map(cells).at(image)?;
        let file = match (file, open) {
            (Some(path), Some(open)) => Some(pieces(path, &open, &map)?),
            _ => None,
        };
        let label = volume.info().super_block.volume_name;
        let title = if label.is_empty() {
            let name = image.file_name().unwrap_or(image.as_os_str());
            escaped(name)
        } else {
            escaped(OsStr::new(&label))
        };
        Ok(Self {
            title,
            image: shown(image),
            map,
            file,
        })
    }

    /// Bytes of the volume.
    pub(crate) fn bytes(&self) -> u64 {
        self.map.blocks * 4096
    }
}

fn pieces(path: &Path, file: &f2fs::File, map: &VolumeMap) -> Result<Pieces> {
    let mut pieces = Pieces {
        path: shown(path),
        len: file.metadata().len(),
        summary: LayoutSummary::default(),
        in_cell: vec![0; map.cells.len()],
        plot: vec![Spot::default(); PLOT_COLUMNS * PLOT_ROWS],
    };
    let main = map.areas.last().map_or(0, |area| area.block);
    let axes = Axes {
        len: pieces.len.max(1).next_multiple_of(4096),
        main,
        blocks: map.totals.blocks().max(1),
    };
    for extent in file.layout() {
        let extent = extent.at(path)?;
        pieces.summary.add(&extent);
        let stored = extent.stored_blocks().max(1);
        let mut before = 0;
        for &run in &extent.runs {
            count(run, map, &mut pieces.in_cell);
            // The part of the extent that this run holds.
            let part = |blocks: u64| extent.pos + extent.len * blocks / stored;
            let bytes = (part(before), part(before + u64::from(run.blocks)));
            before += u64::from(run.blocks);
            axes.mark(&mut pieces.plot, bytes, run, extent.kind);
        }
    }
    Ok(pieces)
}

/// Adds the blocks of a run to the cells that hold them.
fn count(run: DeviceRun, map: &VolumeMap, in_cell: &mut [u64]) {
    let per_cell = 512 * map.segments_per_cell;
    let main = map.areas.last().map_or(0, |area| area.block) as u32;
    let mut at = run.block;
    while at < run.end() {
        let Some(cell) = map.cell_of(at) else {
            return;
        };
        let room = per_cell - (at - main) % per_cell;
        let count = room.min(run.end() - at);
        in_cell[cell] += u64::from(count);
        at += count;
    }
}

/// The axes of the plot: bytes of the file across, blocks of MAIN down.
#[derive(Clone, Copy, Debug)]
struct Axes {
    len: u64,
    main: u64,
    blocks: u64,
}

impl Axes {
    /// Marks the line from the start of a run to its end.
    fn mark(self, plot: &mut [Spot], bytes: (u64, u64), run: DeviceRun, kind: ExtentKind) {
        let column = |byte: u64| scaled(byte, self.len, PLOT_COLUMNS);
        let row = |block: u64| scaled(block.saturating_sub(self.main), self.blocks, PLOT_ROWS);
        let (from, to) = (
            column(bytes.0),
            column(bytes.1.saturating_sub(1).max(bytes.0)),
        );
        let block_at = |at: usize| {
            let of = (to - from) as u64;
            let step = u64::from(run.blocks - 1) * (at - from) as u64;
            u64::from(run.block) + step.checked_div(of).unwrap_or(0)
        };
        for at in from..=to {
            let first = row(block_at(at));
            // A run of one column may still cross rows.
            let last = if from == to {
                row(u64::from(run.end() - 1))
            } else {
                first
            };
            for row in first..=last {
                let spot = &mut plot[row * PLOT_COLUMNS + at];
                spot.plain |= kind == ExtentKind::Plain;
                spot.compressed |= kind == ExtentKind::Compressed;
            }
        }
    }
}

/// `value` of `whole` as one of `parts` places.
fn scaled(value: u64, whole: u64, parts: usize) -> usize {
    let place = u128::from(value) * parts as u128 / u128::from(whole);
    (place as usize).min(parts - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_marked_along_both_axes() {
        let axes = Axes {
            len: 4096 * 1000,
            main: 512,
            blocks: 10_000,
        };
        let mut plot = vec![Spot::default(); PLOT_COLUMNS * PLOT_ROWS];
        let run = DeviceRun {
            block: 512,
            blocks: 1000,
        };
        axes.mark(&mut plot, (0, 4096 * 1000), run, ExtentKind::Plain);
        for column in 0..PLOT_COLUMNS {
            let rows = plot.iter().skip(column).step_by(PLOT_COLUMNS);
            assert_eq!(rows.filter(|spot| spot.plain).count(), 1, "{column}");
        }
        assert!(plot[0].plain && plot[5 * PLOT_COLUMNS + PLOT_COLUMNS - 1].plain);
        // Behind all axes is the last place.
        let run = DeviceRun {
            block: 10_511,
            blocks: 1,
        };
        axes.mark(
            &mut plot,
            (u64::MAX - 1, u64::MAX),
            run,
            ExtentKind::Compressed,
        );
        assert!(plot.last().unwrap().compressed);
    }
}
