//! The process of an untrusted volume shuts itself in (root's before it parses a byte of it): no capability, no new
//! files, a bound on memory. What it needs is open by then: the image and the connection to the kernel.
//!
//! A process without privileges cannot unmount. A second one, which sees nothing of the volume, waits for its end and
//! takes the mount away.

use crate::options::MountOptions;
use crate::session::MountError;
use landlock::{
    ABI, Access, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Address space beyond the cache: program, threads, requests.
const MEMORY_BEYOND_CACHE: u64 = 4 << 30;
/// Where standard input and output go when the process leaves its terminal.
const NULL: &str = "/dev/null";

/// The process that unmounts when this one has ended, however it ends.
pub(crate) struct Unmounter {
    /// Closes with this process, which is what the other waits for.
    _alive: Option<ChildStdin>,
    _child: Child,
}

impl Unmounter {
    /// Starts it.
    pub(crate) fn start(point: &Path) -> Result<Self, MountError> {
        let failed = |error| MountError::system("the process that unmounts", error);
        let program = std::env::current_exe().map_err(failed)?;
        let mut child = Command::new(program)
            .args(["umount", "--when-closed", "--"])
            .arg(point)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self {
            _alive: child.stdin.take(),
            _child: child,
        })
    }
}

/// Gives up everything that serving needs no more. Threads that start from here on inherit it.
pub(crate) fn shut_in(options: &MountOptions) -> Result<(), MountError> {
    let failed = |what: &str, error: std::io::Error| MountError::system(what, error);
    rustix::thread::set_no_new_privs(true).map_err(|e| failed("no_new_privs", e.into()))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, none).map_err(|e| failed("capabilities", e.into()))?;
    let bound = 2 * options.volume.cache_bytes + MEMORY_BEYOND_CACHE;
    let limit = Rlimit {
        current: Some(bound),
        maximum: getrlimit(Resource::As)
            .maximum
            .map_or(Some(bound), |max| Some(max.min(bound))),
    };
    setrlimit(Resource::As, limit).map_err(|e| failed("memory limit", e.into()))?;
    forbid_files().map_err(|e| failed("landlock", std::io::Error::other(e)))
}

/// No file can be opened, made or removed any more.
fn forbid_files() -> Result<(), landlock::RulesetError> {
    let all = AccessFs::from_all(ABI::V5);
    let mut rules = Ruleset::default().handle_access(all)?.create()?;
    if let Ok(null) = PathFd::new(NULL) {
        let allowed = AccessFs::ReadFile | AccessFs::WriteFile;
        rules = rules.add_rule(PathBeneath::new(null, allowed))?;
    }
    let status = rules.restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced {
        tracing::warn!("this kernel has no Landlock: the process could still open files");
    }
    Ok(())
}
