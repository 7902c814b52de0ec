//! The command under the name that mount(8) looks for: with a link `/sbin/mount.fuse.f2fs` to it,
//! `mount -t fuse.f2fs IMAGE DIR` and lines of fstab work.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The names of mount helpers.
const NAMES: [&str; 2] = ["mount.fuse.f2fs", "mount.f2fs-fuse"];

/// The arguments of this process in the command's own form.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    translate(std::env::args_os().collect()).into_iter()
}

/// `mount.fuse.f2fs SOURCE DIR [-sfnv] [-N NS] [-t TYPE] [-o OPTIONS]` becomes `f2fs mount ...`.
fn translate(args: Vec<OsString>) -> Vec<OsString> {
    let name = args.first().map(Path::new).and_then(Path::file_name);
    if !name.is_some_and(|name| NAMES.iter().any(|helper| name == OsStr::new(helper))) {
        return args;
    }
    let mut command: Vec<OsString> = vec!["f2fs".into(), "mount".into()];
    let mut rest = args.into_iter().skip(1);
    while let Some(arg) = rest.next() {
        match arg.to_str() {
            Some("-o") => {
                command.push(arg);
                command.extend(rest.next());
            }
            // The type is known, and the namespace is entered already.
            Some("-t" | "-N") => {
                rest.next();
            }
            Some("--detached" | "-h" | "--help") => command.push(arg),
            // mount -f: everything but the mount itself.
            Some(flags)
                if flags.starts_with('-') && !flags.starts_with("--") && flags.contains('f') =>
            {
                return vec!["f2fs".into(), "--version".into()];
            }
            Some(flags) if flags.starts_with('-') => {}
            _ => command.push(arg),
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_helpers_arguments_become_the_commands() {
        let args = words("/sbin/mount.fuse.f2fs disk.img /mnt -s -n -t fuse.f2fs -o rw,ro");
        assert_eq!(translate(args), words("f2fs mount disk.img /mnt -o rw,ro"));
        let fake = words("/sbin/mount.fuse.f2fs disk.img /mnt -f");
        assert_eq!(translate(fake), words("f2fs --version"));
        let own = words("f2fs mount disk.img /mnt -f");
        assert_eq!(translate(own.clone()), own);
    }
}
