//! `f2fs info --quota`: a table like that of `repquota`.

use crate::errors::Result;
use crate::size::human;
use crate::text::{out, print_json, utc};
use f2fs::{QuotaKind, QuotaRecord, QuotaState, Timestamp, Volume};
use serde::Serialize;
use std::io::Write;

#[derive(Debug, Serialize)]
struct JsonQuota {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Vec<JsonRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Vec<JsonRecord>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Vec<JsonRecord>>,
}

/// Bytes and inodes; a limit of 0 is none.
#[derive(Debug, Serialize)]
struct JsonRecord {
    id: u32,
    space: u64,
    space_soft: u64,
    space_hard: u64,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    space_grace_ends: Option<u64>,
    inodes: u64,
    inode_soft: u64,
    inode_hard: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode_grace_ends: Option<u64>,
}

/// Prints what all owners use and may use.
pub(super) fn show(volume: &Volume, json: bool) -> Result<()> {
    let state = match volume.quota_state() {
        QuotaState::Off => "off",
        QuotaState::On => "on",
        QuotaState::Damaged => "damaged",
    };
    if json {
        return print_as_json(volume, state);
    }
    let mut out = out();
    writeln!(out, "{:<14} {state}{}", "quota", advice(state))?;
    for kind in QuotaKind::ALL {
        if let Ok(records) = volume.quota_report(kind) {
            print_kind(&mut out, kind, &records)?;
        }
    }
    Ok(out.flush()?)
}

fn advice(state: &str) -> &'static str {
    match state {
        "damaged" => "; run 'fsck.f2fs -a' to count again",
        _ => "",
    }
}

fn print_as_json(volume: &Volume, state: &'static str) -> Result<()> {
    let report = |kind| {
        let records = volume.quota_report(kind).ok()?;
        Some(records.iter().map(json_record).collect())
    };
    print_json(&JsonQuota {
        state,
        user: report(QuotaKind::User),
        group: report(QuotaKind::Group),
        project: report(QuotaKind::Project),
    })?;
    Ok(())
}

fn json_record(record: &QuotaRecord) -> JsonRecord {
    let limits = record.limits;
    let time = |time| (time != 0).then_some(time);
    JsonRecord {
        id: record.id,
        space: record.space,
        space_soft: limits.space_soft,
        space_hard: limits.space_hard,
        space_grace_ends: time(record.space_time),
        inodes: record.inodes,
        inode_soft: limits.inode_soft,
        inode_hard: limits.inode_hard,
        inode_grace_ends: time(record.inode_time),
    }
}

fn print_kind(out: &mut impl Write, kind: QuotaKind, records: &[QuotaRecord]) -> Result<()> {
    writeln!(
        out,
        "\n{:<10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>8}  Grace ends",
        kind.name(),
        "Used",
        "Soft",
        "Hard",
        "Files",
        "Soft",
        "Hard"
    )?;
    for record in records {
        let limits = record.limits;
        writeln!(
            out,
            "{:<10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>8}  {}",
            record.id,
            human(record.space),
            limit(limits.space_soft, human(limits.space_soft)),
            limit(limits.space_hard, human(limits.space_hard)),
            record.inodes,
            limit(limits.inode_soft, limits.inode_soft.to_string()),
            limit(limits.inode_hard, limits.inode_hard.to_string()),
            grace(record)
        )?;
    }
    Ok(())
}

fn limit(limit: u64, shown: String) -> String {
    if limit == 0 { "-".to_owned() } else { shown }
}

/// When passed soft limits become hard ones.
fn grace(record: &QuotaRecord) -> String {
    let end = |secs: u64| {
        utc(Timestamp {
            secs: i64::try_from(secs).unwrap_or(i64::MAX),
            nanos: 0,
        })
    };
    match (record.space_time, record.inode_time) {
        (0, 0) => "-".to_owned(),
        (space, 0) => end(space),
        (0, inodes) => format!("files {}", end(inodes)),
        (space, inodes) => format!("{}, files {}", end(space), end(inodes)),
    }
}
