#!/usr/bin/env python3
"""Lists the tree here: one line an object, then one an extended attribute."""
import os
import stat


def listing(path):
    s = os.lstat(path)
    name = os.path.relpath(path, ".")
    device = f"{os.major(s.st_rdev)}:{os.minor(s.st_rdev)}" if stat.S_ISCHR(s.st_mode) else "-"
    target = os.readlink(path) if stat.S_ISLNK(s.st_mode) else "-"
    print("file", s.st_ino, f"{s.st_mode:o}", s.st_nlink, s.st_uid, s.st_gid, s.st_size,
          s.st_mtime_ns, s.st_blocks, device, target, name)
    for attribute in sorted(os.listxattr(path, follow_symlinks=False)):
        if not attribute.startswith("system."):
            value = os.getxattr(path, attribute, follow_symlinks=False)
            print("xattr", s.st_ino, attribute, value.hex() or "-")


listing(".")
for top, folders, files in os.walk("."):
    folders.sort()
    for entry in sorted(folders + files):
        listing(os.path.join(top, entry))
