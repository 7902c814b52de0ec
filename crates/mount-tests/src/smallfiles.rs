//! How long it takes to make, look at, read and remove many small files.

use anyhow::{Result, ensure};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// Files in one folder.
const IN_FOLDER: u32 = 100;

/// What to do.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// The folder, which is made and removed
    pub dir: PathBuf,
    /// Number of files
    #[arg(long, default_value_t = 5000)]
    pub files: u32,
    /// Bytes of each
    #[arg(long, default_value_t = 3000)]
    pub bytes: usize,
}

/// Runs the phases; the name of each and files a second.
pub fn run(options: &Options) -> Result<Vec<(&'static str, f64)>> {
    let content = vec![b's'; options.bytes];
    let path = |n: u32| {
        let folder = options.dir.join(format!("folder{}", n / IN_FOLDER));
        folder.join(format!("file{n}"))
    };
    let mut rates = Vec::new();
    let mut phase = |name, each: &dyn Fn(u32) -> Result<()>| -> Result<()> {
        let start = Instant::now();
        (0..options.files).try_for_each(each)?;
        rates.push((
            name,
            f64::from(options.files) / start.elapsed().as_secs_f64(),
        ));
        Ok(())
    };
    fs::create_dir(&options.dir)?;
    for folder in 0..options.files.div_ceil(IN_FOLDER) {
        fs::create_dir(options.dir.join(format!("folder{folder}")))?;
    }
    phase("create", &|n| Ok(fs::write(path(n), &content)?))?;
    phase("stat", &|n| {
        ensure!(
            path(n).metadata()?.len() == options.bytes as u64,
            "size of {n}"
        );
        Ok(())
    })?;
    phase("read", &|n| {
        ensure!(fs::read(path(n))? == content, "content of {n}");
        Ok(())
    })?;
    phase("unlink", &|n| Ok(fs::remove_file(path(n))?))?;
    fs::remove_dir_all(&options.dir)?;
    Ok(rates)
}
