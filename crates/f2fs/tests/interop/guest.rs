//! One start of the guest: a list of commands for `agent.py`, and its answer.

use crate::manifest::Manifest;
use crate::pool::POOL;
use std::fmt::Write as _;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tempfile::NamedTempFile;
use testkit::{oracle, tools};

/// Where the answer begins on the scratch device.
const RESULT: u64 = 16 << 20;
/// Bytes of the scratch device.
const SCRATCH: u64 = 64 << 20;
/// Seconds after which a guest hangs.
const LIMIT: u32 = 240;
const AGENT: &str = include_str!("agent.py");

/// Commands for a guest that has some volumes.
#[derive(Debug, Default)]
pub(crate) struct Guest<'a> {
    images: Vec<&'a Path>,
    commands: String,
    manifests: usize,
}

impl<'a> Guest<'a> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a command.
    pub(crate) fn then(&mut self, command: impl AsRef<str>) -> &mut Self {
        self.commands.push_str(command.as_ref());
        self.commands.push('\n');
        self
    }

    /// The device that an image is in the guest.
    pub(crate) fn device(&mut self, image: &'a Path) -> String {
        let at = self
            .images
            .iter()
            .position(|&i| i == image)
            .unwrap_or_else(|| {
                self.images.push(image);
                self.images.len() - 1
            });
        // `/dev/ubda` is the scratch device.
        format!("/dev/ubd{}", char::from(b'b' + at as u8))
    }

    /// Mounts an image with options besides `noatime`.
    pub(crate) fn mount(&mut self, image: &'a Path, options: &str) -> &mut Self {
        let device = self.device(image);
        writeln!(self.commands, "mount {device} noatime,{options}").unwrap();
        self
    }

    /// Takes a manifest; [`Guest::run`] returns them in order.
    pub(crate) fn manifest(&mut self) -> &mut Self {
        self.manifests += 1;
        self.then("manifest m")
    }

    /// Takes the answers to the `attempt`, `extents` or `recover` commands as one more manifest: the fields of each
    /// number, or of each path.
    pub(crate) fn attempts(&mut self) -> &mut Self {
        self.manifests += 1;
        self
    }

    /// Takes the flag word of every file as one more manifest: the field `word`.
    pub(crate) fn words(&mut self) -> &mut Self {
        self.manifests += 1;
        self.then("words")
    }

    /// Takes what fs-verity measures of every sealed file as one more manifest: the field `digest`.
    pub(crate) fn measures(&mut self) -> &mut Self {
        self.manifests += 1;
        self.then("measures")
    }

    pub(crate) fn umount(&mut self) -> &mut Self {
        self.then("umount")
    }

    /// Runs everything; None where there is no kernel to ask.
    pub(crate) fn run(&self) -> Option<Vec<Manifest>> {
        let (ended, scratch) = self.start("sync")?;
        assert_eq!(ended.status, Some(0), "{}", ended.text);
        let manifests = Manifest::parse_all(&answer(&scratch));
        assert_eq!(manifests.len(), self.manifests);
        Some(manifests)
    }

    /// Runs everything, then stops the kernel dead, as a power cut would. Whether there was a kernel.
    pub(crate) fn run_and_cut(&self) -> Option<()> {
        let (ended, _) = self.start("cut")?;
        let is_cut = ended
            .text
            .contains("the kernel ended before the script did");
        assert!(is_cut, "{}", ended.text);
        Some(())
    }

    fn start(&self, last: &str) -> Option<(oracle::Run, NamedTempFile)> {
        let scratch = scratch();
        let images = self.devices(&scratch);
        let ended = oracle::run_to_end(&self.script(last), &images, LIMIT)?;
        Some((ended, scratch))
    }

    /// All devices, the scratch device first.
    pub(crate) fn devices(&self, scratch: &'a NamedTempFile) -> Vec<&'a Path> {
        let mut images = vec![scratch.path()];
        images.extend(&self.images);
        images
    }

    /// The script of the guest, with one command more.
    pub(crate) fn script(&self, last: &str) -> String {
        format!(
            "set -e\ncat >/tmp/agent.py <<'AGENT'\n{AGENT}AGENT\ncat >/tmp/commands <<'COMMANDS'\n{}{last}\nCOMMANDS\n\
             python3 /tmp/agent.py /tmp/commands\n",
            self.commands
        )
    }
}

/// The device with the pool, and room for the answer.
pub(crate) fn scratch() -> NamedTempFile {
    let scratch = tools::blank(SCRATCH);
    scratch.as_file().write_all_at(&POOL, 0).unwrap();
    scratch
}

fn answer(scratch: &NamedTempFile) -> String {
    let mut len = [0; 8];
    scratch.as_file().read_exact_at(&mut len, RESULT).unwrap();
    let len = u64::from_le_bytes(len);
    assert!(len < SCRATCH - RESULT, "the answer has {len} bytes");
    let mut text = vec![0; len as usize];
    scratch
        .as_file()
        .read_exact_at(&mut text, RESULT + 8)
        .unwrap();
    String::from_utf8(text).unwrap()
}

/// Bytes as one word of a command, and as in manifests.
pub(crate) fn quote(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}
