//! Runs the built command on temporary images.
pub(crate) mod tree;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a command ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.out[..self.out.len().min(2000)];
        write!(
            f,
            "exit code {}\n{}\n{}",
            self.code,
            self.err,
            String::from_utf8_lossy(start)
        )
    }
}

impl Ended {
    /// Asserts success without a word on standard error; what it printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.code == 0 && self.err.is_empty(), "{self:?}");
        String::from_utf8(self.out).unwrap()
    }

    /// Asserts an exit code and a part of the one-line message.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, part: &str) {
        assert!(
            self.code == code && self.err.contains(part),
            "expected {code} and {part:?}: {self:?}"
        );
        assert!(self.err.starts_with("f2fs: "), "{self:?}");
        if code != 2 {
            assert_eq!(self.err.lines().count(), 1, "{self:?}");
        }
    }

    /// What it printed as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// Runs `f2fs` with arguments.
pub(crate) fn f2fs<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ended {
    f2fs_with_input(args, b"")
}

/// Runs `f2fs` with arguments and standard input.
pub(crate) fn f2fs_with_input<S: AsRef<OsStr>>(
    args: impl IntoIterator<Item = S>,
    input: &[u8],
) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_f2fs"))
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A volume in a folder of its own.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) work: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Image {
    /// Made by `f2fs mkfs` with more arguments.
    pub(crate) fn new(args: &[&str]) -> Self {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("volume.img");
        let image = Self { work, path };
        image.run("mkfs", args).ok();
        image
    }

    /// Runs a command on it.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, command: &str, args: &[S]) -> Ended {
        self.run_with_input(command, args, b"")
    }

    /// Runs a command on it with standard input.
    pub(crate) fn run_with_input<S: AsRef<OsStr>>(
        &self,
        command: &str,
        args: &[S],
        input: &[u8],
    ) -> Ended {
        let front = [OsStr::new(command), self.path.as_os_str()];
        let args = front.into_iter().chain(args.iter().map(AsRef::as_ref));
        f2fs_with_input(args, input)
    }

    /// Makes a file on it.
    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        self.run_with_input("write", &[path, "--create"], content)
            .ok();
    }

    /// The content of a file.
    pub(crate) fn cat(&self, path: &str) -> Vec<u8> {
        let ended = self.run("cat", &[path]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""));
        ended.out
    }

    /// A path in its folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.work.path().join(name)
    }

    /// Asserts that `fsck.f2fs` finds nothing.
    pub(crate) fn assert_clean(&self) {
        testkit::fsck::assert_clean(&self.path);
    }
}

/// Bytes that compress to about a half.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend_from_slice(format!("line {:016x} of the text\n", state >> 20).as_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
