//! `f2fs cat`.

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::import::REQUEST;
use crate::session;
use crate::text::out;
use clap::Args;
use f2fs::Volume;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Print files
#[derive(Debug, Args)]
pub(crate) struct Cat {
    /// The image file or block device
    image: PathBuf,
    /// Files on the volume
    #[arg(required = true, value_name = "/PATH")]
    paths: Vec<PathBuf>,
}

impl Cat {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        session::reading(&self.image, engine, |volume| {
            let mut problems = 0;
            for path in &self.paths {
                match print(volume, path) {
                    Err(failure @ Failure::Error { .. }) => {
                        problems += 1;
                        crate::errors::complain(format_args!("f2fs: {failure}"));
                    }
                    result => result?,
                }
            }
            if problems > 0 {
                Err(Failure::Told)
            } else {
                Ok(())
            }
        })
    }
}

fn print(volume: &Volume, path: &Path) -> Result<()> {
    let file = volume.open_file(path).at(path)?;
    let mut out = out();
    let mut buffer = vec![0; REQUEST as usize];
    let mut pos = 0;
    loop {
        let n = file.read_at(pos, &mut buffer).at(path)?;
        if n == 0 {
            break;
        }
        out.write_all(&buffer[..n])?;
        pos += n as u64;
    }
    Ok(out.flush()?)
}
