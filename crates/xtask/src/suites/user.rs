//! An ordinary user, through the helper that the system gives to users.

use super::Context;
use super::context::{output, script};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use testkit::mount::{Mount, as_user};
use testkit::system::{Owner, System};

/// The user `nobody`: there on every system, and it has nothing of its own.
const NOBODY: Owner = (65534, 65534);

/// What the user does; each line is a check of what POSIX promises to the owner of a volume.
const WORK: &str = r#"
cd "$1"
[ "$(stat -c %u:%g .)" = 65534:65534 ]
mkdir folder
echo text >folder/file
ln folder/file folder/same
ln -s file folder/link
mv folder/file folder/moved
chmod 000 folder/moved
if cat folder/moved 2>/dev/null; then echo "a file of mode 000 was read"; exit 1; fi
if chown 0:0 folder/moved 2>/dev/null; then echo "a file was given away"; exit 1; fi
chmod 600 folder/moved
[ "$(cat folder/same)" = text ]
setfattr -n user.note -v here folder/same
[ "$(getfattr --only-values -n user.note folder/moved)" = here ]
if setfattr -n trusted.note -v here folder/same 2>/dev/null; then echo "trusted was set"; exit 1; fi
if mknod device c 1 3 2>/dev/null; then echo "a device was made"; exit 1; fi
cp /bin/true program
chmod 4755 program
./program
dd if=/dev/urandom of=big bs=1M count=20 status=none
cmp big <(cat big)
df . >/dev/null
"#;

/// Gives the device the mode that every distribution gives it; bare containers forget that.
fn open_device() -> Result<()> {
    let device = Path::new("/dev/fuse");
    if device.metadata()?.permissions().mode() & 0o006 != 0o006 {
        fs::set_permissions(device, fs::Permissions::from_mode(0o666))
            .context("/dev/fuse is not for users")?;
    }
    Ok(())
}

pub(super) fn run(cx: &Context) -> Result<String> {
    let is_mounted = !matches!(cx.system, System::Folder(_));
    if is_mounted {
        open_device()?;
    }
    let mut options = cx.options(1);
    options.user = Some(NOBODY);
    // Only root, or who root allows, may let others in.
    options.options.clear();
    let mut mount = Mount::new(options)?;
    let dir = mount.dir();
    let mut work = Command::new("bash");
    work.args(["-c", &format!("set -eu -o pipefail\n{WORK}"), "script"])
        .arg(&dir);
    output(&as_user(Some(NOBODY), work), Duration::from_mins(2))?;
    // Nobody else gets in, not even root.
    if is_mounted {
        let others = script("ls \"$1\"", &[&dir], Duration::from_mins(1));
        ensure!(others.is_err(), "root looked into the mount of a user");
    }
    mount.remount()?;
    let again = "[ \"$(cat \"$1\"/folder/same)\" = text ]";
    let mut look = Command::new("bash");
    look.args(["-c", again, "script"]).arg(&dir);
    output(&as_user(Some(NOBODY), look), Duration::from_mins(1))?;
    mount.check()?;
    Ok("mounted, used and unmounted by nobody".into())
}
