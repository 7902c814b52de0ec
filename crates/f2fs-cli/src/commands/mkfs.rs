//! `f2fs mkfs`.

use super::place::parse_owner;
use super::setquota::parse_kind;
use crate::compress::CompressArgs;
use crate::errors::{At, Code, Failure, Result, plain};
use crate::size::{human, parse_size};
use crate::text::{hex, print_json, shown};
use blockdev::{Access, FileDevice};
use clap::Args;
use f2fs::QuotaKind;
use f2fs_format::Features;
use f2fs_offline::mkfs::FormatPlan;
use f2fs_offline::{FormatError, FormatOptions, FormatSummary, format};
use serde::Serialize;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Size of a new image where none is given.
const SIZE: u64 = 1 << 30;
/// What is looked at to tell whether a file is in use: superblocks of every common kind begin in
/// it.
const LOOK_AT: u64 = 128 << 10;

/// Make an empty volume in an image file or on a block device
///
/// The image file is sparse: it takes room on the disk as it fills.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one for each option without a value"
)]
pub(crate) struct Mkfs {
    /// The image file, made if it is missing, or the block device
    image: PathBuf,
    /// Size of the volume [default: that of the existing file or device, else 1G]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// Name of the volume
    #[arg(long, default_value = "", hide_default_value = true)]
    label: String,
    /// Owner of the root directory [default: whoever runs the command]
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    owner: Option<(u32, u32)>,
    /// Let directories ignore case in names ('f2fs chattr +F' turns it on for an empty one)
    #[arg(long)]
    casefold: bool,
    /// The same, and refuse names that are not UTF-8 (Unicode 12.1) there
    #[arg(long)]
    casefold_strict: bool,
    #[command(flatten)]
    compress: CompressArgs,
    /// Count what these use: user, group, project, with commas between them
    #[arg(long, value_name = "KINDS", value_parser = parse_kind, value_delimiter = ',')]
    quota: Vec<QuotaKind>,
    /// Overwrite what the file or device holds
    #[arg(long)]
    force: bool,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Made {
    image: String,
    bytes: u64,
    main_segments: u32,
    uuid: String,
    label: String,
    features: String,
}

/// Who runs the command: what an ordinary user makes should be theirs.
fn caller() -> (u32, u32) {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    (uid.as_raw(), gid.as_raw())
}

impl Mkfs {
    pub(crate) fn run(&self) -> Result<()> {
        let found = Found::of(&self.image)?;
        if !found.is_blank && !self.force {
            let text = "holds something already; use --force to overwrite it";
            return Err(Failure::at(&self.image, text));
        }
        let options = self.options(found.size)?;
        // Before anything is made or emptied.
        FormatPlan::new(&options).map_err(|error| self.refused(&error))?;
        let device = if found.is_block_device {
            FileDevice::open(&self.image, Access::ReadWrite, 0)
        } else {
            FileDevice::create(&self.image, options.size, 0)
        };
        let device = device.map_err(|error| self.cannot_use(&error))?;
        let summary = format(&device, &options).map_err(|error| self.refused(&error))?;
        if self.json {
            self.print_json(&summary)
        } else {
            Ok(())
        }
    }

    fn options(&self, found: Option<u64>) -> Result<FormatOptions> {
        let defaults = FormatOptions::new(self.size.or(found).unwrap_or(SIZE));
        let mut features = defaults.features;
        features.set(Features::CASEFOLD, self.casefold || self.casefold_strict);
        let counts_projects = self.quota.contains(&QuotaKind::Project);
        features.set(
            Features::PRJQUOTA,
            features.contains(Features::PRJQUOTA) || counts_projects,
        );
        Ok(FormatOptions {
            label: self.label.clone(),
            features,
            strict_names: self.casefold_strict,
            quota: self.quota.clone(),
            compress: self.compress.root()?,
            root_owner: self.owner.unwrap_or_else(caller),
            ..defaults
        })
    }

    fn cannot_use(&self, error: &std::io::Error) -> Failure {
        let image = shown(&self.image);
        let text = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::ResourceBusy => {
                format!("{image}: in use by another process; wait for it or end it, then try again")
            }
            _ => format!("{image}: {}", plain(error)),
        };
        let code = if error.kind() == ErrorKind::StorageFull {
            Code::NoSpace
        } else {
            Code::Volume
        };
        Failure::new(code, text)
    }

    fn refused(&self, error: &FormatError) -> Failure {
        let image = shown(&self.image);
        match error {
            FormatError::TooSmall { size, minimum } => Failure::usage(format!(
                "{image}: {} is too small for a volume; use --size {}M or more",
                human(*size),
                minimum.div_ceil(1 << 20)
            )),
            FormatError::Device(device) if device.kind == ErrorKind::StorageFull => Failure::new(
                Code::NoSpace,
                format!("{image}: {error}; free some room on its disk"),
            ),
            FormatError::Device(_) | FormatError::ReadBack(_) | FormatError::ReadOnly => {
                Failure::failed(format!("{image}: {error}"))
            }
            _ => Failure::usage(format!("{image}: {error}")),
        }
    }

    fn print_json(&self, summary: &FormatSummary) -> Result<()> {
        let sb = &summary.super_block;
        print_json(&Made {
            image: self.image.display().to_string(),
            bytes: sb.block_count * 4096,
            main_segments: sb.segment_count_main,
            uuid: hex(&sb.uuid),
            label: sb.volume_name.clone(),
            features: sb.features.names(),
        })?;
        Ok(())
    }
}

/// What is there under the image's name.
#[derive(Debug)]
struct Found {
    /// Its size, if it has one.
    size: Option<u64>,
    is_block_device: bool,
    is_blank: bool,
}

impl Found {
    fn of(image: &Path) -> Result<Self> {
        let metadata = match image.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self {
                    size: None,
                    is_block_device: false,
                    is_blank: true,
                });
            }
            Err(error) => return Err(error).at(image),
        };
        let is_block_device = metadata.file_type().is_block_device();
        if !is_block_device && !metadata.is_file() {
            return Err(Failure::at(
                image,
                "neither a file nor a block device; choose another name",
            ));
        }
        let mut file = File::open(image).at(image)?;
        let mut start = Vec::new();
        file.by_ref()
            .take(LOOK_AT)
            .read_to_end(&mut start)
            .at(image)?;
        let size = std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).at(image)?;
        Ok(Self {
            size: Some(size).filter(|&size| size > 0),
            is_block_device,
            is_blank: start.iter().all(|&byte| byte == 0),
        })
    }
}
