//! The kernel beside us: this program again, on a mount in the guest.

use crate::drive::{self, Checks};
use crate::folder::Folder;
use crate::plan::Shape;
use crate::sample::Sample;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use testkit::oracle;

/// Seconds after which a guest hangs.
const LIMIT: u32 = 3600;
/// Begins the line of the answer.
const ANSWER: &str = "age: ";

/// How the kernel is told to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// As it comes: on a small volume it overwrites in place.
    AsItComes,
    /// Never in place, as the engine.
    OutOfPlace,
}

/// What the program does in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// The operations.
    Run(Policy),
    /// Looks at what they have made of a volume.
    Verify,
}

impl Task {
    /// The word of the command line.
    fn word(self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Verify => "verify",
        }
    }
}

/// The arguments that tell this program, in the guest, about a run.
pub fn arguments(shape: &Shape) -> Vec<String> {
    let named = [
        ("--seed", shape.seed),
        ("--capacity", shape.capacity),
        ("--full", shape.full),
        ("--bytes", shape.bytes),
        ("--sync-every", shape.sync_every.into()),
    ];
    let words = named.iter().map(|(name, value)| format!("{name}={value}"));
    words.collect()
}

/// Lets the kernel do the operations on the volume in an image; `None` if there is no kernel.
pub fn run(
    image: &Path,
    shape: &Shape,
    is_compressed: bool,
    policy: Policy,
) -> Result<Option<Vec<Sample>>> {
    let Some(text) = start(image, shape, is_compressed, Task::Run(policy))? else {
        return Ok(None);
    };
    let answer = text.lines().find_map(|line| line.strip_prefix(ANSWER));
    let answer = answer.with_context(|| format!("no answer in {text}"))?;
    Ok(Some(serde_json::from_str(answer)?))
}

/// Lets the kernel read a volume that a run has made; whether there is a kernel.
pub fn verify(image: &Path, shape: &Shape) -> Result<bool> {
    Ok(start(image, shape, false, Task::Verify)?.is_some())
}

fn start(image: &Path, shape: &Shape, is_compressed: bool, task: Task) -> Result<Option<String>> {
    let program = std::env::current_exe()?;
    let mut options = "noatime,nodiscard,background_gc=off".to_owned();
    if is_compressed {
        options += ",compress_algorithm=lz4,compress_log_size=2,compress_extension=*";
    }
    let policy = match task {
        Task::Run(Policy::OutOfPlace) => "echo 0 >$sys/ipu_policy",
        _ => "",
    };
    // Nothing happens because time has passed: neither writing back nor checkpoints.
    let script = format!(
        "set -e
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
mkdir /tmp/m
mount -t f2fs -o '{options}' /dev/ubda /tmp/m
sys=/sys/fs/f2fs/ubda
echo 1000000 >$sys/cp_interval
echo 1 >$sys/iostat_enable
{policy}
'{program}' peer {task} {arguments}
umount /tmp/m
",
        program = program.display(),
        task = task.word(),
        arguments = arguments(shape).join(" "),
    );
    match oracle::run_to_end(&script, &[image], LIMIT) {
        None => Ok(None),
        Some(run) if run.status == Some(0) => Ok(Some(run.text)),
        Some(run) => bail!("the guest: {:?}\n{}", run.status, run.text),
    }
}

/// What this program does in the guest.
pub fn in_guest(shape: Shape, is_run: bool) -> Result<()> {
    let mut folder = Folder {
        root: PathBuf::from("/tmp/m"),
        device: "ubda".to_owned(),
    };
    if is_run {
        let samples = drive::run(shape, &mut folder, Checks::End)?;
        println!("{ANSWER}{}", serde_json::to_string(&samples)?);
    } else {
        drive::verify(&drive::outcome(shape), &mut folder)?;
    }
    Ok(())
}
