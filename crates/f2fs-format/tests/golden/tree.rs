//! Compares what the walk found with the kernel's listing of the same tree.

use std::collections::BTreeMap;

use f2fs_format::{FileType, InlineFlags, Ino, Nid, xattr};

use crate::files::File;
use crate::store::{Listing, hex};
use crate::walk::Volume;

/// Compares the volume with every line of the listing; an empty listing says nothing.
pub(crate) fn compare(volume: &Volume, listing: &Listing, name: &str) {
    let paths = paths(volume);
    let mut files = 0;
    for line in &listing.0 {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        match words[..] {
            [
                "file",
                ino,
                mode,
                links,
                uid,
                gid,
                size,
                mtime,
                sectors,
                device,
                target,
                path,
            ] => {
                let file = &volume.files[&paths[path]];
                let found = file.words();
                let wanted = [
                    ino, mode, links, uid, gid, size, mtime, sectors, device, target,
                ];
                assert_eq!(found, wanted, "{name}: {path}");
                files += 1;
            }
            ["xattr", ino, attribute, value] => {
                let file = &volume.files[&Ino::new(ino.parse().unwrap())];
                assert_eq!(
                    file.xattr_hex(attribute),
                    value,
                    "{name}: {attribute} of {ino}"
                );
            }
            _ => panic!("{name}: line {line:?}"),
        }
    }
    assert!(
        files == 0 || files == paths.len(),
        "{name}: the listing has {files} files"
    );
}

/// All paths of the tree, relative to the root.
fn paths(volume: &Volume) -> BTreeMap<String, Ino> {
    let mut paths = BTreeMap::from([(String::from("."), Nid::ROOT)]);
    let mut todo = vec![(String::new(), Nid::ROOT)];
    while let Some((prefix, ino)) = todo.pop() {
        for (name, child, kind) in &volume.files[&ino].entries {
            let path = format!("{prefix}{}", str::from_utf8(name).unwrap());
            assert_eq!(volume.files[child].inode.file_type(), *kind, "{path}");
            if *kind == FileType::Directory {
                todo.push((format!("{path}/"), *child));
            }
            assert_eq!(paths.insert(path, *child), None, "a name is there once");
        }
    }
    paths
}

impl File {
    /// The words of a line of the listing, without path.
    fn words(&self) -> [String; 10] {
        let inode = &self.inode;
        let mtime = inode.mtime();
        let device = match inode.device() {
            Some((major, minor)) => format!("{major}:{minor}"),
            None => "-".into(),
        };
        let target = match inode.file_type() {
            FileType::Symlink => String::from_utf8(self.target.clone()).unwrap(),
            _ => "-".into(),
        };
        let inline = InlineFlags::INLINE_DATA | InlineFlags::INLINE_DENTRY;
        // The kernel shows inline bytes as sectors too, but for symlinks.
        let is_link = inode.file_type() == FileType::Symlink;
        let inside = if inode.inline().intersects(inline) && !is_link {
            inode.size().div_ceil(512)
        } else {
            0
        };
        let sectors = (inode.blocks() - 1) * 8 + inside;
        [
            inode.ino().to_string(),
            format!("{:o}", inode.mode()),
            inode.links().to_string(),
            inode.uid().to_string(),
            inode.gid().to_string(),
            inode.size().to_string(),
            (i128::from(mtime.sec) * 1_000_000_000 + i128::from(mtime.nsec)).to_string(),
            sectors.to_string(),
            device,
            target,
        ]
    }

    fn xattr_hex(&self, name: &str) -> String {
        let full =
            |entry: &&xattr::XattrEntry| entry.full_name().as_deref() == Some(name.as_bytes());
        let entry = self.xattrs.iter().find(full).expect("the attribute exists");
        if entry.value.is_empty() {
            return "-".into();
        }
        hex(&entry.value)
    }
}
