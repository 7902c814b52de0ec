//! `f2fs map`: a picture of a volume.
//!
//! | module | what |
//! |---|---|
//! | [`gather`] | the volume, and one file, as the picture shows them |
//! | [`words`] | names, colours' classes and figures |
//! | [`markup`] | text that is safe inside SVG and HTML |
//! | [`draw`] | areas, use, segments |
//! | [`pieces`] | where the pieces of one file lie |
//! | [`svg`], [`html`] | the whole picture in either form |

mod draw;
mod gather;
mod html;
mod markup;
mod pieces;
mod svg;
mod words;

use crate::cli::EngineArgs;
use crate::errors::{At, Failure, Result};
use crate::session;
use crate::text::shown;
use clap::Args;
use gather::Shown;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Draw a picture of a volume: its areas, what each segment holds, and where the pieces of a file lie
#[derive(Debug, Args)]
pub(crate) struct Map {
    /// The image file or block device
    image: PathBuf,
    /// The picture: a name that ends in .svg or .html
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Show where the pieces of this file lie
    #[arg(long, value_name = "/PATH")]
    file: Option<PathBuf>,
    /// Cells to show segments in, at most; on large volumes a cell stands for several
    #[arg(long, value_name = "N", default_value_t = 2000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cells: u32,
}

/// Form of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Svg,
    Html,
}

impl Map {
    pub(crate) fn run(&self, engine: &EngineArgs) -> Result<()> {
        let form = form_of(&self.output)?;
        if is_same(&self.image, &self.output) {
            return Err(Failure::usage(format!(
                "{}: is the image itself; name another file for the picture",
                shown(&self.output)
            )));
        }
        let shown = session::reading(&self.image, engine, |volume| {
            Shown::gather(volume, &self.image, self.cells, self.file.as_deref())
        })?;
        let text = match form {
            Form::Svg => svg::picture(&shown),
            Form::Html => html::picture(&shown),
        };
        fs::write(&self.output, text).at(&self.output)
    }
}

fn form_of(output: &Path) -> Result<Form> {
    let ending = output.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => Ok(Form::Svg),
        Some("html" | "htm") => Ok(Form::Html),
        _ => Err(Failure::usage(format!(
            "{}: use a name that ends in .svg or .html",
            shown(output)
        ))),
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
