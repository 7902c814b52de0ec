//! Operations on names.

use super::{Case, Done, case, free, make, nothing};
use f2fs::{
    CompressDefaults, Error, FileType, NewNode, Node, OpenOptions, Owner, RenameMode, Result,
    Special, Volume,
};

const OWNER: Owner = Owner {
    permissions: 0o755,
    uid: 0,
    gid: 0,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut all = making();
    all.extend(making_special());
    all.extend(moving());
    all.extend(removing());
    all
}

fn done(result: Result<()>) -> Result<Done> {
    result.map(|()| Done::All)
}

/// A name that takes many slots of a directory.
fn long(first: char) -> String {
    let rest = "n".repeat(254);
    format!("{first}{rest}")
}

/// A directory whose next long name does not fit into its inode.
fn nearly_spilling(volume: &Volume, dir: &str) -> Result<()> {
    for n in 0..5 {
        let name = long(char::from(b'a' + n));
        volume.mknod(format!("{dir}/{name}"), Special::Fifo, OWNER)?;
    }
    drop(make(volume, &format!("{dir}/f"), b"some")?);
    Ok(())
}

/// A directory of some blocks.
fn large(volume: &Volume, dir: &str) -> Result<()> {
    for n in 0..400 {
        volume.mknod(format!("{dir}/{n}"), Special::Fifo, OWNER)?;
    }
    drop(make(volume, &format!("{dir}/f"), b"some")?);
    Ok(())
}

fn node(volume: &Volume, path: &str) -> Result<Node> {
    let mut node = volume.root()?;
    for part in path.split('/').filter(|part| !part.is_empty()) {
        node = node.lookup(part.as_bytes())?;
    }
    Ok(node)
}

fn new_node(file_type: FileType) -> NewNode<'static> {
    NewNode {
        file_type,
        permissions: 0o644,
        umask: 0o022,
        uid: 7,
        gid: 8,
        device: None,
        target: b"",
    }
}

fn create(volume: &Volume, path: &str, options: &OpenOptions) -> Result<Done> {
    drop(volume.open_with(path, options)?);
    Ok(Done::All)
}

const NEW: fn() -> OpenOptions = || OpenOptions::new().write(true).create_new(true);

fn making() -> Vec<Case> {
    vec![
        case("create", nothing, |v, d| {
            create(v, &format!("{d}/x"), &NEW())
        }),
        case("create_compressed", nothing, |v, d| {
            let with = CompressDefaults::default();
            create(v, &format!("{d}/x"), &NEW().compress(Some(with)))
        }),
        case("create_uncompressed", nothing, |v, d| {
            create(v, &format!("{d}/x"), &NEW().compress(None))
        }),
        case("create_in_large", large, |v, d| {
            create(v, &format!("{d}/{}", long('y')), &NEW())
        }),
        case("create_spill", nearly_spilling, |v, d| {
            create(v, &format!("{d}/{}", long('y')), &NEW())
        }),
        case("create_many", nothing, |v, d| {
            let mut made = 0;
            for n in 0..300 {
                let path = format!("{d}/{n}{}", long('y').split_off(100));
                if v.symlink_metadata(&path).is_ok() {
                    continue;
                }
                match v.mknod(path, Special::Fifo, OWNER) {
                    Err(Error::NoSpace) if made > 0 => return Ok(Done::Part),
                    made => made?,
                }
                made += 1;
            }
            Ok(Done::All)
        }),
        case("mkdir", nothing, |v, d| {
            done(v.create_dir(format!("{d}/x"), OWNER))
        }),
        case("mkdir_all", nothing, |v, d| {
            match v.create_dir_all(format!("{d}/x/y/z"), OWNER) {
                Err(Error::NoSpace) if v.metadata(format!("{d}/x")).is_ok() => Ok(Done::Part),
                made => done(made),
            }
        }),
        case("symlink_short", nothing, |v, d| {
            done(v.symlink("short", format!("{d}/x"), OWNER))
        }),
        case("symlink_long", nothing, |v, d| {
            done(v.symlink("t".repeat(4000), format!("{d}/x"), OWNER))
        }),
        case("symlink_spill", nearly_spilling, |v, d| {
            done(v.symlink("t".repeat(4000), format!("{d}/{}", long('y')), OWNER))
        }),
    ]
}

fn making_special() -> Vec<Case> {
    vec![
        case("mknod_fifo", nothing, |v, d| {
            done(v.mknod(format!("{d}/x"), Special::Fifo, OWNER))
        }),
        case("mknod_socket", nothing, |v, d| {
            done(v.mknod(format!("{d}/x"), Special::Socket, OWNER))
        }),
        case("mknod_device", nothing, |v, d| {
            done(v.mknod(format!("{d}/x"), Special::BlockDevice(8, 1), OWNER))
        }),
        case("node_create", nothing, |v, d| {
            node(v, d)?.create(b"x", &new_node(FileType::Regular))?;
            Ok(Done::All)
        }),
        case("tmpfile", nothing, |v, d| {
            node(v, d)?.create_unnamed(&new_node(FileType::Regular))?;
            Ok(Done::All)
        }),
        case("tmpfile_link", nothing, |v, d| {
            let dir = node(v, d)?;
            let file = dir.create_unnamed(&new_node(FileType::Regular))?;
            done(dir.link(&file, b"x"))
        }),
        case("tmpfile_write", nothing, |v, d| {
            let file = node(v, d)?.create_unnamed(&new_node(FileType::Regular))?;
            let file = file.open(&OpenOptions::new().write(true))?;
            done(file.write_all_at(0, &[1; 8192]))
        }),
        case("link", some_file, |v, d| {
            done(v.hard_link(format!("{d}/f"), format!("{d}/x")))
        }),
        case("link_spill", nearly_spilling, |v, d| {
            done(v.hard_link(format!("{d}/f"), format!("{d}/{}", long('y'))))
        }),
    ]
}

fn some_file(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &[7; 10_000])?);
    Ok(())
}

/// Two files, two empty directories and one that is nearly spilling.
fn movable(volume: &Volume, dir: &str) -> Result<()> {
    for name in ["f", "g"] {
        drop(make(volume, &format!("{dir}/{name}"), &[7; 10_000])?);
    }
    for name in ["d", "e", "s"] {
        volume.create_dir(format!("{dir}/{name}"), OWNER)?;
    }
    nearly_spilling(volume, &format!("{dir}/s"))
}

fn whiteout(no_replace: bool) -> RenameMode {
    RenameMode::Whiteout {
        no_replace,
        uid: 0,
        gid: 0,
    }
}

fn moving() -> Vec<Case> {
    vec![
        case("rename", movable, |v, d| {
            done(v.rename(format!("{d}/f"), format!("{d}/x")))
        }),
        case("rename_to_dir", movable, |v, d| {
            done(v.rename(format!("{d}/f"), format!("{d}/d/x")))
        }),
        case("rename_dir", movable, |v, d| {
            done(v.rename(format!("{d}/e"), format!("{d}/d/x")))
        }),
        case("rename_over_file", movable, |v, d| {
            done(v.rename(format!("{d}/f"), format!("{d}/g")))
        }),
        case("rename_over_dir", movable, |v, d| {
            done(v.rename(format!("{d}/d"), format!("{d}/e")))
        }),
        case("rename_new", movable, |v, d| {
            done(v.rename_new(format!("{d}/f"), format!("{d}/x")))
        }),
        case("rename_spill", movable, |v, d| {
            done(v.rename(format!("{d}/f"), format!("{d}/s/{}", long('y'))))
        }),
        case("rename_dir_spill", movable, |v, d| {
            done(v.rename(format!("{d}/e"), format!("{d}/s/{}", long('y'))))
        }),
        case("rename_long_in_place", nearly_spilling, |v, d| {
            done(v.rename(format!("{d}/f"), format!("{d}/{}", long('y'))))
        }),
        case("rename_no_replace", movable, |v, d| {
            let dir = node(v, d)?;
            done(dir.rename(b"f", &dir, b"x", RenameMode::NoReplace))
        }),
        case("rename_whiteout", movable, |v, d| {
            let dir = node(v, d)?;
            let mode = whiteout(true);
            done(dir.rename(b"f", &dir, b"x", mode))
        }),
        case("rename_whiteout_over", movable, |v, d| {
            let dir = node(v, d)?;
            let mode = whiteout(false);
            done(dir.rename(b"f", &dir, b"g", mode))
        }),
        case("rename_whiteout_spill", movable, |v, d| {
            let dir = node(v, d)?;
            let mode = whiteout(true);
            let to = dir.lookup(b"s")?;
            done(dir.rename(b"f", &to, long('y').as_bytes(), mode))
        }),
        case("exchange_files", movable, |v, d| {
            done(v.exchange(format!("{d}/f"), format!("{d}/g")))
        }),
        case("exchange_dirs", movable, |v, d| {
            done(v.exchange(format!("{d}/d"), format!("{d}/f")))
        }),
        case("exchange_across", movable, |v, d| {
            done(v.exchange(format!("{d}/e"), format!("{d}/s/f")))
        }),
    ]
}

fn removing() -> Vec<Case> {
    vec![
        free("unlink", some_file, |v, d| {
            done(v.remove_file(format!("{d}/f")))
        }),
        free(
            "unlink_large",
            |v, d| {
                let file = make(v, &format!("{d}/f"), &[7; 1 << 20])?;
                // Indirect nodes.
                file.write_all_at(9 << 20, &[8; 5000])?;
                file.write_all_at(40 << 20, &[9; 5000])
            },
            |v, d| done(v.remove_file(format!("{d}/f"))),
        ),
        free(
            "unlink_one_of_two",
            |v, d| {
                some_file(v, d)?;
                v.hard_link(format!("{d}/f"), format!("{d}/g"))
            },
            |v, d| done(v.remove_file(format!("{d}/f"))),
        ),
        free("unlink_open", some_file, |v, d| {
            let file = v.open_file(format!("{d}/f"))?;
            v.remove_file(format!("{d}/f"))?;
            let mut bytes = [0; 10_000];
            assert_eq!(file.read_at(0, &mut bytes)?, bytes.len());
            assert!(bytes == [7; 10_000]);
            Ok(Done::All)
        }),
        free("node_unlink", some_file, |v, d| {
            done(node(v, d)?.unlink(b"f"))
        }),
        free(
            "rmdir",
            |v, d| v.create_dir(format!("{d}/e"), OWNER),
            |v, d| done(v.remove_dir(format!("{d}/e"))),
        ),
        free(
            "rmdir_large",
            |v, d| {
                v.create_dir(format!("{d}/e"), OWNER)?;
                large(v, &format!("{d}/e"))
            },
            |v, d| done(v.remove_all(format!("{d}/e"))),
        ),
        free(
            "remove_all",
            |v, d| {
                v.create_dir(format!("{d}/e"), OWNER)?;
                movable(v, &format!("{d}/e"))
            },
            |v, d| done(v.remove_all(format!("{d}/e"))),
        ),
    ]
}
