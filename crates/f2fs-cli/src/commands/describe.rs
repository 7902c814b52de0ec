//! What `ls` and `stat` tell of a file, for scripts.

use crate::text::{JsonName, flag_string, type_name};
use f2fs::{Metadata, Timestamp};
use serde::Serialize;
use std::path::Path;

/// A time for JSON.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct JsonTime {
    secs: i64,
    nanos: u32,
}

impl From<Timestamp> for JsonTime {
    fn from(time: Timestamp) -> Self {
        Self {
            secs: time.secs,
            nanos: time.nanos,
        }
    }
}

/// Compression attributes for JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JsonCompression {
    algorithm: &'static str,
    level: u8,
    cluster_bytes: u64,
    checksum: bool,
    blocks_saved: u64,
    is_released: bool,
}

/// Attributes for JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JsonFile {
    #[serde(flatten)]
    name: JsonName,
    ino: u32,
    #[serde(rename = "type")]
    file_type: &'static str,
    /// Permission bits in octal.
    mode: String,
    links: u32,
    uid: u32,
    gid: u32,
    size: u64,
    blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<(u32, u32)>,
    accessed: JsonTime,
    modified: JsonTime,
    changed: JsonTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<JsonTime>,
    generation: u32,
    flags: String,
    is_inline: bool,
    is_encrypted: bool,
    is_verity: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compression: Option<JsonCompression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<JsonName>,
}

impl JsonFile {
    /// Of a file; `target` is that of a symbolic link.
    pub(crate) fn new(path: &Path, found: &Metadata, target: Option<&Path>) -> Self {
        Self {
            name: JsonName::new(path.as_os_str()),
            ino: found.ino(),
            file_type: type_name(found.file_type()),
            mode: format!("{:04o}", found.mode() & 0o7777),
            links: found.links(),
            uid: found.uid(),
            gid: found.gid(),
            size: found.len(),
            blocks: found.blocks(),
            device: found.device(),
            accessed: found.accessed().into(),
            modified: found.modified().into(),
            changed: found.changed().into(),
            created: found.created().map(Into::into),
            generation: found.generation(),
            flags: flag_string(found.flags()),
            is_inline: found.is_inline(),
            is_encrypted: found.is_encrypted(),
            is_verity: found.is_verity(),
            project: found.project(),
            compression: found.compression().map(|compression| JsonCompression {
                algorithm: compression.algorithm.name(),
                level: compression.level,
                cluster_bytes: compression.cluster_bytes,
                checksum: compression.checksum,
                blocks_saved: compression.blocks_saved,
                is_released: found.is_released(),
            }),
            target: target.map(|target| JsonName::new(target.as_os_str())),
        }
    }
}
