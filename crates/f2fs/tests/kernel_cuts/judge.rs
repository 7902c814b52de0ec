//! The kernel and the engine recover the same crash images, and are compared.

use crate::disk::Disk;
use crate::guest::Guest;
use crate::manifest::{Fields, Manifest};
use f2fs::{Error, Volume, VolumeOptions};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;
use testkit::fsck;

/// Crash images of one start of the guest: each is there twice, beside the scratch device.
pub(crate) const BATCH: usize = 7;
/// How a number of the kernel begins that says: the file is damaged.
const EUCLEAN: &str = "117:";
/// Differences shown of a tree.
const SHOWN: usize = 6;
/// Names the folder where images that end in disagreement are kept.
const KEEP: &str = "KERNEL_CUTS_KEEP";

/// A crash image with the name of what it is.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) disk: Disk,
}

/// What became of a crash image.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) name: String,
    /// What the kernel recovered.
    pub(crate) tree: Manifest,
    /// What the engine recovered, unless it failed.
    pub(crate) ours: Option<Manifest>,
    /// Whether the kernel found more than the last checkpoint.
    pub(crate) has_chain: bool,
    /// Everything that is not as it should be.
    pub(crate) problems: Vec<String>,
}

/// Fails if anything was wrong with one of many images.
pub(crate) fn assert_agreed(what: &str, verdicts: &[Verdict]) {
    let images = verdicts.len();
    let chains = verdicts.iter().filter(|verdict| verdict.has_chain).count();
    eprintln!("{what}: {images} crash images, {chains} with a chain");
    let bad: Vec<String> = verdicts
        .iter()
        .filter(|verdict| !verdict.problems.is_empty())
        .map(|verdict| {
            format!(
                "  {}\n    {}",
                verdict.name,
                verdict.problems.join("\n    ")
            )
        })
        .collect();
    assert!(
        bad.is_empty(),
        "{what}: disagreement about {} of {images} images:\n{}",
        bad.len(),
        bad.join("\n")
    );
}

/// One crash image in the hands of both.
struct Pair {
    theirs: NamedTempFile,
    ours: NamedTempFile,
    seen: Result<Seen, String>,
}

/// What the engine finds.
struct Seen {
    read_only: Manifest,
    recovered: Manifest,
}

/// What the kernel said to one mount.
struct Answer {
    tree: Manifest,
    /// What is free then.
    free: Fields,
    errno: String,
    log: String,
}

/// Lets both recover crash images.
pub(crate) fn judge(cases: &[Case], lasting: &str) -> Vec<Verdict> {
    let batches = cases.chunks(BATCH);
    batches
        .flat_map(|batch| judge_batch(batch, lasting))
        .collect()
}

fn judge_batch(cases: &[Case], lasting: &str) -> Vec<Verdict> {
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = format!("{}.{:09}", start.as_secs(), start.subsec_nanos());
    let pairs: Vec<Pair> = cases.iter().map(prepare).collect();
    let mut answers = ask_kernel(&pairs, lasting).into_iter();
    let mut verdicts = Vec::new();
    for (pair, case) in pairs.into_iter().zip(cases) {
        let (theirs, ours) = (answers.next().unwrap(), answers.next().unwrap());
        let problems = compare(&pair, &theirs, &ours, &start);
        if !problems.is_empty() {
            keep(case);
        }
        verdicts.push(Verdict {
            name: case.name.clone(),
            tree: theirs.tree,
            ours: pair.seen.ok().map(|seen| seen.recovered),
            has_chain: theirs.log.contains("recover_"),
            problems,
        });
    }
    verdicts
}

fn prepare(case: &Case) -> Pair {
    let (theirs, ours) = (case.disk.save(), case.disk.save());
    let seen = catch_unwind(AssertUnwindSafe(|| engine_recovers(ours.path())));
    Pair {
        seen: seen.unwrap_or_else(|panic| Err(panic_text(panic.as_ref()))),
        theirs,
        ours,
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
        .to_owned()
}

fn engine_recovers(image: &Path) -> Result<Seen, String> {
    let read_only = Manifest::of(&open(image, true)?);
    let volume = open(image, false)?;
    let recovered = Manifest::of(&volume);
    volume.close().map_err(|e| format!("close: {e:?}"))?;
    Ok(Seen {
        read_only,
        recovered,
    })
}

/// Opens a volume. Another test that is just starting a program may hold the lock of one that this test closed, for a
/// moment: until the program runs, it has all files of this process.
fn open(image: &Path, read_only: bool) -> Result<Volume, String> {
    let options = VolumeOptions {
        read_only,
        ..VolumeOptions::default()
    };
    for _ in 0..100 {
        match Volume::open(image, &options) {
            Err(Error::Open(_, error)) if error.kind == ErrorKind::WouldBlock => {
                sleep(Duration::from_millis(10));
            }
            opened => return opened.map_err(|error| format!("{error:?}")),
        }
    }
    Err("another process has the image".to_owned())
}

/// The kernel recovers its copy, then mounts ours and goes on writing.
fn ask_kernel(pairs: &[Pair], lasting: &str) -> Vec<Answer> {
    let mut guest = Guest::new();
    for pair in pairs {
        for (image, goes_on) in [(&pair.theirs, false), (&pair.ours, true)] {
            let device = guest.device(image.path());
            guest.then(format!("recover {device} noatime,{lasting}"));
            guest.attempts();
            if goes_on {
                go_on(&mut guest);
            }
            guest.then("leave");
        }
    }
    let answers = guest.run().unwrap_or_default();
    answers.into_iter().map(answer).collect()
}

/// Operations after a recovery; they fail, without harm, where the mount did.
fn go_on(guest: &mut Guest<'_>) {
    for n in 0..4 {
        guest
            .then(format!("may create /after{n} 644"))
            .then(format!("may write /after{n} 0 {} 77", 1 + n * 70_000))
            .then(format!("may fsync /after{n}"));
    }
    guest
        .then("may mkdir /afterwards 755")
        .then("may rename /after1 /afterwards/x")
        .then("may unlink /after2");
}

fn answer(mut tree: Manifest) -> Answer {
    let free = tree.0.remove("statfs").unwrap_or_default();
    let mut mount = tree.0.remove("mount").unwrap_or_default();
    let mut take = |name: &str| mount.remove(name).unwrap_or_default();
    Answer {
        errno: take("errno"),
        log: String::from_utf8_lossy(
            &crate::manifest::raw(&take("log"))
                .into_os_string()
                .into_encoded_bytes(),
        )
        .into_owned(),
        free,
        tree,
    }
}

fn compare(pair: &Pair, theirs: &Answer, ours: &Answer, start: &str) -> Vec<String> {
    if both_refuse(pair, theirs) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if theirs.errno != "0" {
        let text = format!("the kernel fails: {}\n{}", theirs.errno, theirs.log);
        problems.push(text);
    }
    if let Some(text) = fsck::complaints(pair.theirs.path()) {
        let text = format!("after the kernel: {text}\n{}", theirs.log);
        problems.push(text);
    }
    match &pair.seen {
        Err(text) => problems.push(format!("the engine fails: {text}")),
        Ok(seen) => {
            let kernel = settled(&theirs.tree, start);
            let mut found = differences("engine", &seen.recovered, &kernel, start);
            found.extend(differences(
                "read-only engine",
                &seen.read_only,
                &kernel,
                start,
            ));
            if ours.free != theirs.free {
                let (ours, theirs) = (&ours.free, &theirs.free);
                found.push(format!("free: {ours:?} <> {theirs:?}"));
            }
            if ours.errno == "0" {
                found.extend(differences("kernel on ours", &ours.tree, &kernel, start));
            }
            problems.extend(found);
            problems.extend(complaints(pair.ours.path(), ours));
        }
    }
    problems
}

/// Whether both meet the same damage while they look at the files. Without barriers a device may have lost what a chain
/// was written after; then there are files that nobody can read.
fn both_refuse(pair: &Pair, theirs: &Answer) -> bool {
    let is_damaged = theirs.errno.starts_with(EUCLEAN);
    is_damaged
        && pair
            .seen
            .as_ref()
            .is_err_and(|text| text.contains("Corrupt("))
}

fn differences(what: &str, tree: &Manifest, kernel: &Manifest, start: &str) -> Vec<String> {
    let found = settled(tree, start).differences(kernel);
    let shown = found.iter().take(SHOWN);
    shown
        .map(|text| format!("{what} <> kernel: {text}"))
        .collect()
}

/// What the kernel and `fsck.f2fs` say against an image that the engine recovered.
fn complaints(image: &Path, kernel: &Answer) -> Vec<String> {
    let mut out = Vec::new();
    if kernel.errno != "0" {
        let Answer { errno, log, .. } = kernel;
        out.push(format!("the kernel on ours: {errno}\n{log}"));
    }
    if kernel.log.contains("recover_") {
        out.push(format!("the kernel recovers ours again:\n{}", kernel.log));
    }
    let text = fsck::complaints(image).map(|text| format!("after the engine: {text}"));
    out.extend(text);
    out
}

/// A tree without the times that recovery itself sets.
fn settled(tree: &Manifest, start: &str) -> Manifest {
    let mut out = tree.clone();
    for fields in out.0.values_mut() {
        settle(fields, start);
    }
    out
}

fn settle(fields: &mut Fields, start: &str) {
    for name in ["mtime", "ctime"] {
        let is_new = fields
            .get(name)
            .is_some_and(|time| time.len() == start.len() && time.as_str() >= start);
        if is_new {
            fields.insert(name.to_owned(), "recovery".to_owned());
        }
    }
}

/// Keeps a crash image for a closer look.
fn keep(case: &Case) {
    if let Some(folder) = std::env::var_os(KEEP) {
        let name: String = case.name.replace([' ', '/', ','], "_");
        case.disk
            .save()
            .persist(Path::new(&folder).join(name))
            .unwrap();
    }
}
