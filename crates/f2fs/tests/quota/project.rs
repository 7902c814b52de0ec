//! Directories that pass their project on.

use super::*;
use f2fs::{Error, InodeFlags};

fn project_dir(volume: &Volume, path: &str, project: u32) {
    volume.create_dir(path, owned(0, 0)).unwrap();
    volume.set_project(path, project).unwrap();
    volume
        .set_flags(path, InodeFlags::PROJINHERIT, InodeFlags::empty())
        .unwrap();
}

#[test]
fn children_belong_to_the_project_and_strangers_stay_out() {
    let image = made_by_mkfs();
    let volume = open(&image);
    project_dir(&volume, "/p5", 5);
    project_dir(&volume, "/p6", 6);
    create(&volume, "/p5/a", 1, 1)
        .write_all_at(0, &[1; 5000])
        .unwrap();
    create(&volume, "/free", 1, 1);
    assert_eq!(volume.metadata("/p5/a").unwrap().project(), Some(5));
    assert_eq!(told(&volume, QuotaKind::Project)[&5], (2 * 4096, 2));
    let is_refused = |result| matches!(result, Err(Error::CrossesProjects));
    assert!(is_refused(volume.rename("/p5/a", "/p6/a")));
    assert!(is_refused(volume.hard_link("/p5/a", "/p6/a")));
    assert!(is_refused(volume.rename("/free", "/p5/free")));
    create(&volume, "/p6/c", 1, 1);
    assert!(is_refused(volume.exchange("/p5/a", "/p6/c")));
    // Out of a project is allowed: the target does not pass anything on.
    volume.hard_link("/p5/a", "/linked").unwrap();
    volume.rename("/p5/a", "/p5/b").unwrap();
    volume.set_project("/free", 6).unwrap();
    volume.rename("/free", "/p6/free").unwrap();
    volume.rename("/linked", "/moved").unwrap();
    assert_counted(&volume);
    volume.close().unwrap();
    testkit::fsck::assert_clean(image.path());
    let work = "
EXDEV = 18
def refused(work):
    try: work()
    except OSError as error: return error.errno
for work in [lambda: os.rename('/tmp/m/p5/b', '/tmp/m/p6/b'), lambda: os.link('/tmp/m/p5/b', '/tmp/m/p6/b')]:
    assert refused(work) == EXDEV
print('done')";
    if let Some(text) = in_kernel(image.path(), work) {
        assert!(text.contains("done"), "{text}");
    }
}
