//! `f2fs setquota`.

use crate::cli::EngineArgs;
use crate::errors::{At, Result};
use crate::session;
use crate::size::parse_size;
use clap::Args;
use f2fs::{QuotaKind, QuotaLimits, Volume};
use std::path::PathBuf;

/// Set what a user, group or project may use
///
/// Limits that are not given stay as they are; 0 is no limit. A hard limit is never passed; a soft
/// one may be, for a week. They bind the users of a mount, not this command and its like.
#[derive(Debug, Args)]
pub(crate) struct Setquota {
    /// The image file or block device
    image: PathBuf,
    /// user, group or project
    #[arg(value_parser = parse_kind)]
    kind: QuotaKind,
    /// Its number
    id: u32,
    /// Most bytes, for a while
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    block_soft: Option<u64>,
    /// Most bytes
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    block_hard: Option<u64>,
    /// Most files, for a while
    #[arg(long, value_name = "N")]
    inode_soft: Option<u64>,
    /// Most files
    #[arg(long, value_name = "N")]
    inode_hard: Option<u64>,
}

impl Setquota {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::writing(&self.image, engine, |volume| {
            let limits = self.limits(volume).at(&self.image)?;
            volume
                .set_quota(self.kind, self.id, &limits)
                .at(&self.image)
        })
    }

    /// The limits there are, with those that are asked for.
    fn limits(&self, volume: &Volume) -> f2fs::Result<QuotaLimits> {
        let records = volume.quota_report(self.kind)?;
        let old = records.iter().find(|record| record.id == self.id);
        let old = old.map_or(QuotaLimits::default(), |record| record.limits);
        Ok(QuotaLimits {
            space_hard: self.block_hard.unwrap_or(old.space_hard),
            space_soft: self.block_soft.unwrap_or(old.space_soft),
            inode_hard: self.inode_hard.unwrap_or(old.inode_hard),
            inode_soft: self.inode_soft.unwrap_or(old.inode_soft),
        })
    }
}

/// A kind of quota by its name.
pub(crate) fn parse_kind(text: &str) -> Result<QuotaKind, String> {
    let mut kinds = QuotaKind::ALL.into_iter();
    kinds
        .find(|kind| kind.name() == text)
        .ok_or_else(|| "use user, group or project".to_owned())
}
