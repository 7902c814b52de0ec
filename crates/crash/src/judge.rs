//! Others that look at what a power cut left: `fsck.f2fs` and the kernel.

use crate::report::{Failure, Tally};
use runtime::sync::{Mutex, Rank};
use std::fs::File;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use testkit::sim::Image;
use testkit::{fsck, oracle};

/// Images for one start of the kernel.
const BATCH: usize = 14;
/// Longest time in seconds for a batch.
const SECONDS: u32 = 600;

/// Mounts each image, which recovers it, and prints what it holds in the form of [`crate::observe`].
const SCRIPT: &str = r#"
mkdir -p /tmp/m
python3 - "$@" <<'END'
import hashlib, os, stat, subprocess, sys
def line(path, name):
    s = os.lstat(path)
    text = "%s|%o" % (name, s.st_mode & 0o7777)
    if stat.S_ISREG(s.st_mode):
        with open(path, "rb") as f:
            data = f.read()
        text += "|f|%d|%d|%d.%09d|%s" % (s.st_size, s.st_nlink, s.st_mtime_ns // 10**9, s.st_mtime_ns % 10**9,
                                         hashlib.sha256(data).hexdigest())
    elif stat.S_ISLNK(s.st_mode):
        text += "|l|" + os.readlink(path)
    else:
        text += "|d|%d" % s.st_nlink
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        value = os.getxattr(path, attribute, follow_symlinks=False)
        text += "|%s=0x%s" % (attribute, value.hex())
    return text
def manifest(top):
    lines = [line(top, "")]
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(here, name)
            lines.append(line(path, os.path.relpath(path, top)))
    return sorted(lines)
for n in range(COUNT):
    print("@@ %d" % n, flush=True)
    mounted = subprocess.run(["mount", "-t", "f2fs", "/dev/ubd" + chr(97 + n), "/tmp/m"])
    if mounted.returncode != 0:
        print("the kernel does not mount it", flush=True)
        continue
    try:
        print("\n".join(manifest("/tmp/m")), flush=True)
    except OSError as error:
        print("the kernel cannot read it: %s" % error, flush=True)
    if subprocess.run(["umount", "/tmp/m"]).returncode != 0:
        print("the kernel does not unmount it", flush=True)
END
"#;

/// A crash state that the kernel is to recover.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// What the power cut left.
    pub image: Image,
    /// What we found on it.
    pub manifest: String,
    /// Where it comes from.
    pub place: Failure,
}

/// Sends images to `fsck.f2fs` at once and keeps others for the kernel.
#[derive(Debug)]
pub struct Judge {
    work: TempDir,
    sampled: Mutex<Vec<Sampled>>,
}

impl Judge {
    /// One that keeps its files in the system's place for temporary files.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            work: tempfile::tempdir()?,
            sampled: Mutex::new(Rank::LEAF, Vec::new()),
        })
    }

    /// Lets `fsck.f2fs` look at a volume.
    pub fn fsck(&self, image: &Image) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new_in(self.work.path()).map_err(|e| e.to_string())?;
        store(image, file.path()).map_err(|e| e.to_string())?;
        fsck::complaints(file.path()).map_or(Ok(()), Err)
    }

    /// Keeps a state for the kernel.
    pub fn add(&self, sampled: Sampled) {
        self.sampled.lock().push(sampled);
    }

    /// Lets the kernel recover up to `most` of the states that were kept and compares. Each is counted in the tally
    /// that `tally_of` gives for it.
    pub fn ask_kernel(&self, most: usize, mut count: impl FnMut(&str, &dyn Fn(&mut Tally))) {
        let mut sampled = std::mem::take(&mut *self.sampled.lock());
        // Spread over all that were kept.
        let step = sampled.len().div_ceil(most.max(1)).max(1);
        sampled = sampled.into_iter().step_by(step).collect();
        for batch in sampled.chunks(BATCH) {
            let Some(answers) = self.batch(batch) else {
                return;
            };
            for (sampled, answer) in batch.iter().zip(answers) {
                count(&sampled.place.case, &|tally| {
                    tally.kernel += 1;
                    if let Err(what) = &answer {
                        tally.fail(Failure {
                            what: format!("{}\n{what}", sampled.place.what),
                            ..sampled.place.clone()
                        });
                    }
                });
            }
        }
    }

    /// What the kernel says to each image. `None` if there is no kernel.
    fn batch(&self, batch: &[Sampled]) -> Option<Vec<Result<(), String>>> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for (n, sampled) in batch.iter().enumerate() {
            let path = self.work.path().join(format!("kernel{n}"));
            if let Err(error) = store(&sampled.image, &path) {
                return Some(vec![Err(error.to_string()); batch.len()]);
            }
            paths.push(path);
        }
        let images: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let script = SCRIPT.replace("COUNT", &batch.len().to_string());
        let run = oracle::run_to_end(&script, &images, SECONDS)?;
        let answers = (0..batch.len())
            .map(|n| {
                let theirs = section(&run.text, n);
                agree(&batch[n].manifest, theirs)?;
                fsck::complaints(&paths[n])
                    .map_or(Ok(()), |text| Err(format!("after the kernel: {text}")))
            })
            .collect();
        Some(answers)
    }
}

fn store(image: &Image, path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.set_len(image.size())?;
    image.store(&mut file)
}

/// What was printed for image `n`.
fn section(text: &str, n: usize) -> Vec<&str> {
    let head = format!("@@ {n}");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.starts_with("@@ ")).collect()
}

fn agree(ours: &str, theirs: Vec<&str>) -> Result<(), String> {
    let mut ours: Vec<&str> = ours.lines().collect();
    ours.sort_unstable();
    let mut sorted = theirs;
    sorted.sort_unstable();
    let only = |a: &[&str], b: &[&str], sign: char| {
        let only = a.iter().filter(|line| !b.contains(line));
        only.take(6)
            .map(|line| format!("{sign} {line}"))
            .collect::<Vec<_>>()
    };
    if ours == sorted {
        return Ok(());
    }
    let mut lines = only(&ours, &sorted, '-');
    lines.extend(only(&sorted, &ours, '+'));
    Err(format!("- ours, + the kernel's\n{}", lines.join("\n")))
}
