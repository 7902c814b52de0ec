//! Lists every file of a volume with its size.
//!
//! `cargo run --example list_tree -- IMAGE`

use f2fs::{FileType, Volume, VolumeOptions};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = std::env::args().nth(1).ok_or("usage: list_tree IMAGE")?;
    let options = VolumeOptions {
        read_only: true,
        ..VolumeOptions::default()
    };
    let volume = Volume::open(&image, &options)?;
    let mut directories = vec![PathBuf::from("/")];
    while let Some(dir) = directories.pop() {
        for entry in volume.read_dir(&dir)? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            let size = volume.symlink_metadata(&path)?.len();
            println!("{size:>12} {}", path.display());
            if entry.file_type() == FileType::Directory {
                directories.push(path);
            }
        }
    }
    Ok(())
}
