//! Extended attributes, in the inode and in a node of their own.

use super::{base, inject};
use crate::run::Run;

fn attrs(run: &mut Run) {
    run.sync();
    let (Some(old), Some(new)) = (run.open("/attrs"), run.make("/new", b"new")) else {
        return;
    };
    run.set_xattr("/new", "user.a", b"first");
    run.fsync(&new);
    run.set_xattr("/new", "user.b", &[b'b'; 900]);
    run.fsync(&new);
    run.set_xattr("/new", "user.a", b"second");
    run.fsync(&new);
    run.set_xattr("/attrs", "user.large", &[b'y'; 2500]);
    run.fsync(&old);
    run.remove_xattr("/attrs", "user.small");
    run.sync();
    run.remove_xattr("/attrs", "user.large");
    run.fsync(&old);
    run.set_xattr("/d", "user.dir", b"dir");
    run.sync();
}

#[test]
fn extended_attributes() {
    inject("xattrs", base(), attrs);
}
