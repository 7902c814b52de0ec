//! Does the operations of a plan on something, and looks at what it has become.

use crate::content;
use crate::files::{DIRS, FileState, Files, dir};
use crate::plan::{Op, PARTS, Plan, Shape, Write};
use crate::sample::{Counts, Sample};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeSet;

/// Bytes read at a time.
const READ: usize = 1 << 20;

/// What files can be made on.
pub trait Subject {
    /// Makes a directory of the root.
    fn create_dir(&mut self, name: &str) -> Result<()>;
    /// Does an operation; of a write, with these bytes.
    fn apply(&mut self, op: &Op, bytes: &[u8]) -> Result<()>;
    /// Counts.
    fn counts(&mut self) -> Result<Counts>;
    /// Forgets what it has in memory, so that reading shows what is stored.
    fn forget(&mut self) -> Result<()>;
    /// Reads a file at a byte; how much.
    fn read(&mut self, file: u32, pos: u64, bytes: &mut [u8]) -> Result<usize>;
    /// Names in a directory of the root.
    fn names(&mut self, dir: &str) -> Result<BTreeSet<String>>;
    /// What others have to say about what is stored.
    fn judge(&mut self) -> Result<()>;
}

/// What is looked at, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// All bytes, and the judge, after each part.
    EachPart,
    /// All bytes, at the end.
    End,
}

/// A whole run; its samples.
pub fn run(shape: Shape, subject: &mut dyn Subject, checks: Checks) -> Result<Vec<Sample>> {
    let mut plan = Plan::new(shape);
    let mut samples = Vec::new();
    let (mut bytes, mut user_bytes) = (Vec::new(), 0);
    for number in 0..DIRS {
        subject.create_dir(&dir(number))?;
    }
    let mut number = 0_u64;
    while let Some(op) = plan.next() {
        number += 1;
        bytes.clear();
        if let Op::Write(write) = &op {
            user_bytes += write.len;
            bytes.resize(write.len as usize, 0);
            content::fill(&mut bytes, write.file, write.version, write.pos);
        }
        let Op::Sample(part) = op else {
            do_one(subject, &op, &bytes).with_context(|| format!("operation {number}"))?;
            continue;
        };
        samples.push(Sample {
            part,
            user_bytes,
            file_blocks: plan.files().blocks(),
            counts: subject.counts()?,
        });
        if checks == Checks::EachPart || part == PARTS {
            let after = || format!("after part {part}, operation {number}");
            verify(plan.files(), subject).with_context(after)?;
            subject.judge().with_context(after)?;
        }
    }
    Ok(samples)
}

fn do_one(subject: &mut dyn Subject, op: &Op, bytes: &[u8]) -> Result<()> {
    let Err(error) = subject.apply(op, bytes) else {
        return Ok(());
    };
    let free = subject.counts().map(|counts| counts.free_blocks);
    let what = match op {
        Op::Write(Write { file, pos, len, .. }) => format!("{len} bytes at {pos} of file {file}"),
        other => format!("{other:?}"),
    };
    // No operation needs what a twentieth of the volume is: where there is no room, the accounts are wrong.
    Err(error.context(format!("{what}, with {free:?} blocks free")))
}

/// What the files must be at the end of a run.
pub fn outcome(shape: Shape) -> Files {
    let mut plan = Plan::new(shape);
    while plan.next().is_some() {}
    plan.files().clone()
}

/// Compares all names and all bytes.
pub fn verify(files: &Files, subject: &mut dyn Subject) -> Result<()> {
    subject.forget()?;
    let mut found = 0;
    for number in 0..DIRS {
        found += subject.names(&dir(number))?.len();
    }
    let expected = files.count();
    ensure!(found == expected, "{found} files, not {expected}");
    let mut bytes = vec![0; READ];
    for (id, file) in files.iter() {
        verify_file(id, file, subject, &mut bytes)?;
    }
    Ok(())
}

fn verify_file(
    id: u32,
    file: &FileState,
    subject: &mut dyn Subject,
    bytes: &mut [u8],
) -> Result<()> {
    let mut pos = 0;
    loop {
        let n = subject.read(id, pos, bytes)?;
        let end = pos + n as u64;
        if n == 0 && pos == file.len {
            return Ok(());
        }
        if n == 0 || end > file.len {
            bail!("file {id} ends at byte {end}, not {}", file.len);
        }
        if let Some(at) = file.wrong_byte(id, pos, &bytes[..n]) {
            bail!("file {id} of {} bytes: byte {at} is wrong", file.len);
        }
        pos = end;
    }
}
