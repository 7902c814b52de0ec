//! The options behind `-o`: those of the kernel's F2FS under its names, those of mount(8), and ours.
//!
//! What the kernel's F2FS has and this one always does, or does not need, is taken and changes nothing; what it has and
//! this one lacks is taken with a warning. An unknown option is an error that lists the known ones.

use f2fs::{
    Atime, CompressAlgorithm, CompressDefaults, CompressMode, Fill, FsyncMode, RollForward, Space,
    Synchronous, VolumeOptions,
};
use std::fmt::Write;
use std::time::Duration;

/// How a volume is mounted.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of mount(8)")]
pub struct MountOptions {
    /// The engine's options.
    pub volume: VolumeOptions,
    /// Let other users in (`allow_other`).
    pub allow_other: bool,
    /// Honour set-user-id bits.
    pub suid: bool,
    /// Honour device nodes.
    pub dev: bool,
    /// Let programs be run.
    pub exec: bool,
    /// Threads that answer requests; 0 chooses.
    pub threads: usize,
    /// Let the kernel hold written pages back. Small writes get faster; errors such as a full volume come at close.
    pub writeback_cache: bool,
    /// Keep file data out of the kernel's page cache.
    pub direct_io: bool,
    /// Time between checkpoints while something changes.
    pub commit: Duration,
    /// Whether the volume is cleaned while nobody uses it.
    pub background_gc: bool,
    /// The volume comes from a stranger: read-only, and the process locks itself in after mounting.
    pub untrusted: bool,
    /// A plain `fuse` mount even for root.
    pub plain: bool,
    /// Name of the source in the list of mounts; the image's path if none is given.
    pub fsname: Option<String>,
    /// What was taken but does nothing here, to be told to the user.
    pub warnings: Vec<String>,
}

/// Why an option is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Nobody knows it.
    #[error("unknown option '{0}'; known are:\n{list}", list = known_list())]
    Unknown(String),
    /// It needs a value, or takes none.
    #[error("option '{name}' {what}")]
    Value {
        /// The option.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// Time between checkpoints, as the kernel's F2FS.
const COMMIT: Duration = Duration::from_mins(1);

/// Every option, in groups, with the form of its value.
const KNOWN: [(&str, &[&str]); 3] = [
    (
        "F2FS",
        &[
            "compress_algorithm=ALG[:LEVEL]",
            "compress_log_size=N",
            "compress_extension=EXT",
            "nocompress_extension=EXT",
            "compress_chksum",
            "compress_mode=fs|user",
            "compress_cache",
            "inline_data",
            "noinline_data",
            "inline_dentry",
            "noinline_dentry",
            "inline_xattr",
            "noinline_xattr",
            "active_logs=N",
            "fsync_mode=posix|strict|nobarrier",
            "extent_cache",
            "noextent_cache",
            "discard",
            "nodiscard",
            "norecovery",
            "disable_roll_forward",
            "background_gc=on|off|sync",
            "flush_merge",
            "noflush_merge",
            "nobarrier",
            "barrier",
            "user_xattr",
            "acl",
            "usrquota",
            "grpquota",
            "prjquota",
            "mode=adaptive|lfs",
            "errors=remount-ro",
        ],
    ),
    (
        "mount(8)",
        &[
            "ro",
            "rw",
            "suid",
            "nosuid",
            "dev",
            "nodev",
            "exec",
            "noexec",
            "atime",
            "noatime",
            "relatime",
            "strictatime",
            "nodiratime",
            "sync",
            "async",
            "dirsync",
            "defaults",
            "user",
            "nouser",
            "users",
            "auto",
            "noauto",
            "nofail",
            "_netdev",
            "x-NAME",
            "allow_other",
            "default_permissions",
            "fsname=NAME",
            "subtype=f2fs",
        ],
    ),
    (
        "f2fs-rs",
        &[
            "max_order=N",
            "fill=folio|cluster",
            "cache=SIZE",
            "threads=N",
            "codec_threads=N",
            "readahead=SIZE",
            "commit=SECONDS",
            "space=reserve|release",
            "writeback_cache",
            "direct_io",
            "discard_fsynced",
            "untrusted",
            "plain",
        ],
    ),
];

fn known_list() -> String {
    let mut list = String::new();
    for (group, names) in KNOWN {
        let _ = writeln!(list, "  {group}: {}", names.join(" "));
    }
    list.pop();
    list
}

impl MountOptions {
    /// Safe defaults over the engine's options: no set-id bits, no devices, no other users.
    pub fn new(volume: VolumeOptions) -> Self {
        Self {
            volume: VolumeOptions {
                atime: Atime::Relatime,
                ..volume
            },
            allow_other: false,
            suid: false,
            dev: false,
            exec: true,
            threads: 0,
            writeback_cache: false,
            direct_io: false,
            commit: COMMIT,
            background_gc: true,
            untrusted: false,
            plain: false,
            fsname: None,
            warnings: Vec::new(),
        }
    }

    /// Takes a comma-separated list; later options win.
    ///
    /// # Errors
    /// The first option that is not understood.
    pub fn parse(mut self, list: &str) -> Result<Self, OptionError> {
        for option in list.split(',').filter(|o| !o.is_empty()) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option, None),
            };
            self.take(&Option_ { name, value })?;
        }
        if self.untrusted {
            self.volume.read_only = true;
            self.volume.untrusted = true;
        }
        Ok(self)
    }

    fn take(&mut self, option: &Option_<'_>) -> Result<(), OptionError> {
        let known = self.take_mount(option)? || self.take_f2fs(option)? || self.take_own(option)?;
        if known {
            Ok(())
        } else {
            Err(OptionError::Unknown(option.name.to_owned()))
        }
    }

    /// Options of mount(8) and of every FUSE mount.
    fn take_mount(&mut self, option: &Option_<'_>) -> Result<bool, OptionError> {
        match option.name {
            "ro" => self.volume.read_only = option.flag(true)?,
            "rw" => self.volume.read_only = option.flag(false)?,
            "suid" => self.suid = option.flag(true)?,
            "nosuid" => self.suid = option.flag(false)?,
            "dev" => self.dev = option.flag(true)?,
            "nodev" => self.dev = option.flag(false)?,
            "exec" => self.exec = option.flag(true)?,
            "noexec" => self.exec = option.flag(false)?,
            "atime" | "relatime" => self.volume.atime = option.flag(Atime::Relatime)?,
            "noatime" => self.volume.atime = option.flag(Atime::Noatime)?,
            "strictatime" => self.volume.atime = option.flag(Atime::Strictatime)?,
            "sync" => self.volume.synchronous = option.flag(Synchronous::All)?,
            "async" => self.volume.synchronous = option.flag(Synchronous::Nothing)?,
            "dirsync" => {
                let names = option.flag(Synchronous::Names)?;
                if self.volume.synchronous == Synchronous::Nothing {
                    self.volume.synchronous = names;
                }
            }
            "allow_other" => self.allow_other = option.flag(true)?,
            "fsname" => self.fsname = Some(option.value()?.to_owned()),
            "subtype" => {
                option.one_of(&["f2fs"])?;
            }
            "default_permissions"
            | "nodiratime"
            | "defaults"
            | "user"
            | "nouser"
            | "users"
            | "auto"
            | "noauto"
            | "nofail"
            | "_netdev" => {
                option.flag(())?;
            }
            name if name.starts_with("x-") => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Options of the kernel's F2FS.
    fn take_f2fs(&mut self, option: &Option_<'_>) -> Result<bool, OptionError> {
        match option.name {
            "compress_algorithm" => self.set_algorithm(option)?,
            "compress_log_size" => {
                self.volume.compress.log_cluster_size = option.number(2, 8)? as u8;
            }
            "compress_extension" => {
                let ext = option.value()?.to_owned();
                self.volume.compress_extensions.push(ext);
            }
            "nocompress_extension" => {
                let ext = option.value()?.to_owned();
                self.volume.nocompress_extensions.push(ext);
            }
            "compress_chksum" => self.volume.compress.checksum = option.flag(true)?,
            "compress_mode" => {
                self.volume.compress_mode = match option.one_of(&["fs", "user"])? {
                    "fs" => CompressMode::Fs,
                    _ => CompressMode::User,
                };
            }
            "inline_data" => self.volume.inline.data = option.flag(true)?,
            "noinline_data" => self.volume.inline.data = option.flag(false)?,
            "inline_dentry" => self.volume.inline.dentry = option.flag(true)?,
            "noinline_dentry" => self.volume.inline.dentry = option.flag(false)?,
            "inline_xattr" => self.volume.inline.xattr = option.flag(true)?,
            "noinline_xattr" => self.volume.inline.xattr = option.flag(false)?,
            "active_logs" => {
                let logs = option.one_of(&["2", "4", "6"])?;
                if logs != "6" {
                    self.warn("active_logs: this engine always keeps six logs");
                }
            }
            "fsync_mode" => {
                self.volume.fsync_mode = match option.one_of(&["posix", "strict", "nobarrier"])? {
                    "strict" => FsyncMode::Strict,
                    "nobarrier" => FsyncMode::NoBarrier,
                    _ => FsyncMode::Posix,
                };
            }
            "nobarrier" => self.volume.fsync_mode = option.flag(FsyncMode::NoBarrier)?,
            "barrier" => self.volume.fsync_mode = option.flag(FsyncMode::Posix)?,
            "discard_fsynced" => self.volume.roll_forward = option.flag(RollForward::Discard)?,
            "norecovery" | "disable_roll_forward" => {
                self.volume.roll_forward = option.flag(RollForward::Ignore)?;
            }
            "background_gc" => {
                // What the kernel calls sync is how cleaning always is here.
                self.background_gc = option.one_of(&["on", "off", "sync"])? != "off";
            }
            "mode" => {
                option.one_of(&["adaptive", "lfs"])?;
            }
            "errors" => {
                option.one_of(&["remount-ro"])?;
            }
            "discard" => self.volume.discard = option.flag(true)?,
            "nodiscard" => self.volume.discard = option.flag(false)?,
            "noextent_cache" => {
                option.flag(())?;
                self.warn("noextent_cache: there is no separate cache of extents to turn off");
            }
            "compress_cache" | "extent_cache" | "flush_merge" | "noflush_merge" | "user_xattr"
            | "acl" | "usrquota" | "grpquota" | "prjquota" => {
                option.flag(())?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Options of this engine.
    fn take_own(&mut self, option: &Option_<'_>) -> Result<bool, OptionError> {
        match option.name {
            "max_order" => self.volume.max_order = option.number(0, 9)? as u8,
            "fill" => {
                self.volume.fill = match option.one_of(&["folio", "cluster"])? {
                    "folio" => Fill::Folio,
                    _ => Fill::Cluster,
                };
            }
            "cache" => self.volume.cache_bytes = option.size()?,
            "space" => {
                self.volume.space = match option.one_of(&["reserve", "release"])? {
                    "release" => Space::Release,
                    _ => Space::Reserve,
                };
            }
            // One may wait for the kernel to write pages back, which another has to take.
            "threads" => self.threads = option.number(2, 256)? as usize,
            "codec_threads" => self.volume.threads = option.number(1, 256)? as usize,
            "readahead" => self.volume.readahead_bytes = option.size()?,
            "commit" => self.commit = Duration::from_secs(option.number(1, 86_400)?),
            "writeback_cache" => self.writeback_cache = option.flag(true)?,
            "direct_io" => self.direct_io = option.flag(true)?,
            "untrusted" => self.untrusted = option.flag(true)?,
            "plain" => self.plain = option.flag(true)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_algorithm(&mut self, option: &Option_<'_>) -> Result<(), OptionError> {
        let value = option.value()?;
        let (name, level) = value.split_once(':').unwrap_or((value, "0"));
        let algorithm = match name {
            "lzo" => CompressAlgorithm::Lzo,
            "lz4" => CompressAlgorithm::Lz4,
            "zstd" => CompressAlgorithm::Zstd,
            "lzo-rle" => CompressAlgorithm::LzoRle,
            _ => return Err(option.wrong("must be lzo, lz4, zstd or lzo-rle")),
        };
        let level = level
            .parse()
            .map_err(|_| option.wrong("has a level that is no number"))?;
        let chosen = CompressDefaults {
            algorithm,
            level,
            ..self.volume.compress
        };
        if chosen.params().is_none() {
            return Err(option.wrong("has a level that the algorithm does not have"));
        }
        self.volume.compress = chosen;
        Ok(())
    }

    fn warn(&mut self, what: &str) {
        self.warnings.push(what.to_owned());
    }
}

/// One option as it was given.
struct Option_<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Option_<'a> {
    fn wrong(&self, what: impl Into<String>) -> OptionError {
        OptionError::Value {
            name: self.name.to_owned(),
            what: what.into(),
        }
    }

    /// What a flag stands for.
    fn flag<T>(&self, meaning: T) -> Result<T, OptionError> {
        match self.value {
            None => Ok(meaning),
            Some(_) => Err(self.wrong("takes no value")),
        }
    }

    fn value(&self) -> Result<&'a str, OptionError> {
        self.value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| self.wrong("needs a value"))
    }

    fn one_of(&self, allowed: &[&str]) -> Result<&'a str, OptionError> {
        let value = self.value()?;
        if allowed.contains(&value) {
            Ok(value)
        } else {
            Err(self.wrong(format!("must be {}", allowed.join(" or "))))
        }
    }

    fn number(&self, min: u64, max: u64) -> Result<u64, OptionError> {
        let number = self.value()?.parse().ok();
        number
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| self.wrong(format!("must be a number from {min} to {max}")))
    }

    /// A number of bytes with an optional suffix K, M or G.
    fn size(&self) -> Result<u64, OptionError> {
        let value = self.value()?;
        let split = value.trim_end_matches(['K', 'M', 'G', 'k', 'm', 'g']);
        let shift = match &value[split.len()..] {
            "" => 0,
            "K" | "k" => 10,
            "M" | "m" => 20,
            "G" | "g" => 30,
            _ => return Err(self.wrong("must be a size such as 256M")),
        };
        split
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1 << shift))
            .ok_or_else(|| self.wrong("must be a size such as 256M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(list: &str) -> Result<MountOptions, OptionError> {
        MountOptions::new(VolumeOptions::default()).parse(list)
    }

    #[test]
    fn the_kernels_spelling() {
        let options = parse(
            "compress_algorithm=zstd:6,compress_log_size=4,compress_extension=txt,\
             compress_extension=so,nocompress_extension=jpg,compress_chksum,ro,nosuid",
        )
        .unwrap();
        let compress = options.volume.compress;
        assert_eq!((compress.level, compress.log_cluster_size), (6, 4));
        assert!(compress.checksum && options.volume.read_only && !options.suid);
        assert_eq!(options.volume.compress_extensions, ["txt", "so"]);
        assert_eq!(options.volume.nocompress_extensions, ["jpg"]);
    }

    #[test]
    fn later_ones_win_and_ours_are_read() {
        let options = parse("ro,rw,cache=64M,max_order=0,threads=3,x-systemd.automount").unwrap();
        assert!(!options.volume.read_only);
        assert_eq!(options.volume.cache_bytes, 64 << 20);
        assert_eq!((options.volume.max_order, options.threads), (0, 3));
        assert!(parse("untrusted,rw").unwrap().volume.read_only);
        assert!(parse("").unwrap().volume.discard && !parse("nodiscard").unwrap().volume.discard);
        assert!(parse("nodiscard,discard").unwrap().volume.discard);
        let space = |list| parse(list).unwrap().volume.space;
        assert_eq!(space("cache=64M"), Space::Reserve);
        assert_eq!(space("space=release"), Space::Release);
        assert_eq!(space("space=release,space=reserve"), Space::Reserve);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let unknown = parse("compres").unwrap_err().to_string();
        assert!(unknown.contains("'compres'") && unknown.contains("compress_algorithm=ALG"));
        for wrong in [
            "compress_log_size=9",
            "compress_algorithm=gzip",
            "ro=1",
            "cache=x",
            "fsync_mode",
            "space=free",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(
                matches!(error, OptionError::Value { .. }),
                "{wrong}: {error}"
            );
        }
    }

    #[test]
    fn what_does_nothing_is_told() {
        let warned = parse("noextent_cache").unwrap();
        assert!(warned.warnings[0].starts_with("noextent_cache"));
        assert!(
            parse("extent_cache,inline_data")
                .unwrap()
                .warnings
                .is_empty()
        );
    }
}
