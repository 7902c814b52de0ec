//! `f2fs info`.

mod quota;

use crate::cli::EngineArgs;
use crate::errors::Result;
use crate::session;
use crate::size::human;
use crate::text::{escaped, out, print_json};
use clap::Args;
use f2fs::VolumeInfo;
use f2fs_format::{AllocType, CursegPos};
use serde::Serialize;
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;

/// Show the superblock, the checkpoint, the logs and the features of a volume
#[derive(Debug, Args)]
pub(crate) struct Info {
    /// The image file or block device
    image: PathBuf,
    /// Show what users, groups and projects use and may use instead
    #[arg(long)]
    quota: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct JsonInfo {
    super_block: JsonSuper,
    checkpoint: JsonCheckpoint,
    logs: Vec<JsonLog>,
}

#[derive(Debug, Serialize)]
struct JsonSuper {
    uuid: String,
    label: String,
    version: String,
    features: Vec<String>,
    bytes: u64,
    blocks: u64,
    segments: u32,
    main_segments: u32,
    segments_per_section: u32,
    sections_per_zone: u32,
    cp_block: u32,
    sit_block: u32,
    nat_block: u32,
    ssa_block: u32,
    main_block: u32,
    kernel_version: String,
    cold_extensions: Vec<String>,
    hot_extensions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct JsonCheckpoint {
    version: u64,
    flags: Vec<String>,
    user_blocks: u64,
    valid_blocks: u64,
    valid_nodes: u32,
    inodes: u32,
    free_segments: u32,
    reserved_segments: u32,
    overprovisioned_segments: u32,
    mounted_seconds: u64,
}

#[derive(Debug, Serialize)]
struct JsonLog {
    log: &'static str,
    segment: u32,
    next_block: u16,
    allocation: &'static str,
}

impl Info {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::reading(&self.image, engine, |volume| {
            if self.quota {
                return quota::show(volume, self.json);
            }
            let info = volume.info();
            let json = JsonInfo {
                super_block: super_block(&info),
                checkpoint: checkpoint(&info),
                logs: logs(&info),
            };
            if self.json {
                Ok(print_json(&json)?)
            } else {
                print(&json)
            }
        })
    }
}

fn super_block(info: &VolumeInfo) -> JsonSuper {
    let sb = &info.super_block;
    JsonSuper {
        uuid: uuid_text(&sb.uuid),
        label: sb.volume_name.clone(),
        version: format!("{}.{}", sb.major_version, sb.minor_version),
        features: names(&sb.features.names()),
        bytes: sb.block_count * 4096,
        blocks: sb.block_count,
        segments: sb.segment_count,
        main_segments: info.main_segments,
        segments_per_section: sb.segs_per_sec,
        sections_per_zone: sb.secs_per_zone,
        cp_block: sb.cp_blkaddr.get(),
        sit_block: sb.sit_blkaddr.get(),
        nat_block: sb.nat_blkaddr.get(),
        ssa_block: sb.ssa_blkaddr.get(),
        main_block: sb.main_blkaddr.get(),
        kernel_version: sb.version.clone(),
        cold_extensions: sb.cold_extensions.clone(),
        hot_extensions: sb.hot_extensions.clone(),
    }
}

fn checkpoint(info: &VolumeInfo) -> JsonCheckpoint {
    let cp = &info.checkpoint;
    JsonCheckpoint {
        version: cp.version,
        flags: cp
            .flags
            .iter_names()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect(),
        user_blocks: cp.user_block_count,
        valid_blocks: cp.valid_block_count,
        valid_nodes: cp.valid_nodes,
        inodes: info.inodes,
        free_segments: info.free_segments,
        reserved_segments: cp.reserved_segments,
        overprovisioned_segments: cp.overprov_segments,
        mounted_seconds: cp.elapsed_time,
    }
}

fn logs(info: &VolumeInfo) -> Vec<JsonLog> {
    let cp = &info.checkpoint;
    let data = ["hot data", "warm data", "cold data"]
        .into_iter()
        .zip(&cp.cur_data);
    let node = ["hot node", "warm node", "cold node"]
        .into_iter()
        .zip(&cp.cur_node);
    let log = |(log, at): (&'static str, &CursegPos)| JsonLog {
        log,
        segment: at.segno.get(),
        next_block: at.blkoff,
        allocation: match at.alloc {
            AllocType::Lfs => "lfs",
            AllocType::Ssr => "ssr",
        },
    };
    data.chain(node).map(log).collect()
}

fn names(joined: &str) -> Vec<String> {
    joined
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex = crate::text::hex(uuid);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

fn print(info: &JsonInfo) -> Result<()> {
    let mut out = out();
    let safe = |text: &str| escaped(OsStr::new(text));
    let mut line = |name: &str, value: String| writeln!(out, "{name:<14} {value}");
    let JsonInfo {
        super_block: sb,
        checkpoint: cp,
        logs,
    } = info;
    line("label", safe(&sb.label))?;
    line("uuid", sb.uuid.clone())?;
    line(
        "version",
        format!("{}, made by: {}", sb.version, safe(&sb.kernel_version)),
    )?;
    line("features", sb.features.join(", "))?;
    line(
        "size",
        format!("{} ({} blocks)", human(sb.bytes), sb.blocks),
    )?;
    line(
        "segments",
        format!(
            "{} of 2 MiB, {} of them for files; {} a section, {} sections a zone",
            sb.segments, sb.main_segments, sb.segments_per_section, sb.sections_per_zone
        ),
    )?;
    line(
        "areas",
        format!(
            "checkpoint at block {}, SIT {}, NAT {}, SSA {}, main {}",
            sb.cp_block, sb.sit_block, sb.nat_block, sb.ssa_block, sb.main_block
        ),
    )?;
    line(
        "checkpoint",
        format!("version {}, flags: {}", cp.version, cp.flags.join(", ")),
    )?;
    line(
        "blocks",
        format!(
            "{} in use of {}; {} nodes, {} inodes",
            cp.valid_blocks, cp.user_blocks, cp.valid_nodes, cp.inodes
        ),
    )?;
    line(
        "free segments",
        format!(
            "{}; {} overprovisioned, {} of them kept for cleaning",
            cp.free_segments, cp.overprovisioned_segments, cp.reserved_segments
        ),
    )?;
    for log in logs {
        let text = format!(
            "segment {}, block {}, {}",
            log.segment, log.next_block, log.allocation
        );
        line(log.log, text)?;
    }
    Ok(out.flush()?)
}
