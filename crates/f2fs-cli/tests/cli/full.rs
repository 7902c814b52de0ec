//! A volume that gets full keeps what was complete.

use crate::common::{Image, arg, noise};
use std::fs;

#[test]
fn put_stops_at_the_first_file_without_room() {
    for compress in [&[][..], &["--compress", "lz4"]] {
        let image = Image::new(&[&["--size", "64M"][..], compress].concat());
        let tree = image.beside("t");
        fs::create_dir(&tree).unwrap();
        for n in 0..4u64 {
            fs::write(tree.join(format!("{n}")), noise(12 << 20, n)).unwrap();
        }
        let ended = image.run("put", &[arg(&tree), "/"]);
        ended.fails(4, "no space left");
        image.assert_clean();
        let list = image.run("ls", &["/t"]).ok();
        let names: Vec<_> = list.lines().collect();
        assert!(!names.is_empty() && names.len() < 4, "{names:?}");
        assert!(
            ended.err.contains(&format!("/t/{}: ", names.len())),
            "{ended:?} {names:?}"
        );
        for name in names {
            assert!(image.cat(&format!("/t/{name}")) == fs::read(tree.join(name)).unwrap());
        }
        // Room that is made can be used.
        image.run("rm", &["-r", "/t"]).ok();
        image.run("put", &[arg(&tree.join("3")), "/"]).ok();
        assert!(image.cat("/3") == fs::read(tree.join("3")).unwrap());
        image.assert_clean();
    }
}

#[test]
fn write_stops_too() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/small", b"small");
    let ended = image.run_with_input("write", &["/big", "--create"], &noise(60 << 20, 1));
    ended.fails(4, "/big: no space left");
    assert_eq!(image.cat("/small"), b"small");
    let big = image.cat("/big");
    assert!(
        big == noise(60 << 20, 1)[..big.len()] && big.len() > 1 << 20,
        "{}",
        big.len()
    );
    image.assert_clean();
}
