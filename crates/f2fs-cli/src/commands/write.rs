//! `f2fs write`.

use super::place::{parse_mode, parse_owner};
use crate::cli::EngineArgs;
use crate::compress::CompressArgs;
use crate::errors::{At, Failure, Result};
use crate::import::REQUEST;
use crate::progress::Progress;
use crate::session;
use crate::size::parse_size;
use clap::Args;
use f2fs::{File, OpenOptions, Volume};
use std::io::{self, Read};
use std::path::PathBuf;

/// Write standard input into a file, over the bytes from an offset on
///
/// Bytes before and behind stay as they are. Clusters of a compressed file that are covered whole
/// are not read.
#[derive(Debug, Args)]
pub(crate) struct Write {
    /// The image file or block device
    image: PathBuf,
    /// The file on the volume
    #[arg(value_name = "/PATH")]
    path: PathBuf,
    /// First byte to write
    #[arg(long, value_name = "N", value_parser = parse_size, default_value = "0")]
    offset: u64,
    /// Make the file if it is missing
    #[arg(long)]
    create: bool,
    /// End the file behind what was written
    #[arg(long)]
    truncate: bool,
    /// Permissions of a file that is made
    #[arg(long, value_name = "OCTAL", value_parser = parse_mode, requires = "create")]
    mode: Option<u16>,
    /// Owner of a file that is made
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner, requires = "create")]
    owner: Option<(u32, u32)>,
    #[command(flatten)]
    compress: CompressArgs,
}

impl Write {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let mut options = OpenOptions::new().write(true).create(self.create);
        if let Some(mode) = self.mode {
            options = options.mode(mode);
        }
        if let Some((uid, gid)) = self.owner {
            options = options.owner(uid, gid);
        }
        if let Some(compress) = self.compress.defaults()? {
            if !self.create {
                let text = "--compress applies to a file that is made; add --create";
                return Err(Failure::usage(text));
            }
            options = options.compress(Some(compress));
        }
        let progress = Progress::new(None);
        session::writing(&self.image, engine, |volume| {
            let file = self.open(volume, &options)?;
            let result = self.copy(&file, &progress);
            progress.clear();
            result
        })
    }

    fn open(&self, volume: &Volume, options: &OpenOptions) -> Result<File> {
        match volume.open_with(&self.path, options) {
            Err(f2fs::Error::NotFound) if !self.create => Err(Failure::at(
                &self.path,
                "no such file; add --create to make it",
            )),
            result => result.at(&self.path),
        }
    }

    fn copy(&self, file: &File, progress: &Progress) -> Result<()> {
        let mut input = io::stdin().lock();
        let mut buffer = Vec::with_capacity(REQUEST as usize);
        let mut pos = self.offset;
        loop {
            // Up to the next multiple of a request, so that the next one covers clusters whole.
            let room = REQUEST - pos % REQUEST;
            buffer.clear();
            let read = input.by_ref().take(room).read_to_end(&mut buffer);
            read.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
            if buffer.is_empty() {
                break;
            }
            file.write_all_at(pos, &buffer).at(&self.path)?;
            pos += buffer.len() as u64;
            progress.add(buffer.len() as u64);
        }
        if self.truncate {
            file.set_len(pos).at(&self.path)
        } else {
            Ok(())
        }
    }
}
