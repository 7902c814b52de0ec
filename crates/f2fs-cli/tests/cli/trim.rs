//! `f2fs trim`, and images that shrink by themselves.

use crate::common::{Image, noise};
use std::os::unix::fs::MetadataExt;

fn taken(image: &Image) -> u64 {
    image.path.metadata().unwrap().blocks() * 512
}

#[test]
fn removing_makes_the_image_smaller() {
    let image = Image::new(&["--size", "256M"]);
    image.write("/keep", &noise(1 << 20, 1));
    image.write("/go", &noise(40 << 20, 2));
    let full = taken(&image);
    image.run("rm", &["/go"]).ok();
    assert!(
        taken(&image) + (36 << 20) < full,
        "{} of {full}",
        taken(&image)
    );
    assert!(image.cat("/keep") == noise(1 << 20, 1));
    image.assert_clean();
}

#[test]
fn trim_tells_how_much() {
    let image = Image::new(&["--size", "256M"]);
    let would = image.run("trim", &["--dry-run", "--minimum", "1M"]).ok();
    assert!(would.contains(" bytes) would be trimmed"), "{would}");
    let told = image.run("trim", &["--minimum", "1M"]).ok();
    assert_eq!(told, would.replace("would be trimmed", "trimmed"));
    image.assert_clean();
    let work = image.work.path().to_owned();
    let dir = work.to_str().unwrap();
    crate::common::f2fs(["trim", dir]).fails(1, "not a directory of a mounted F2FS volume");
    crate::common::f2fs(["trim", "--dry-run", dir]).fails(2, "--dry-run");
}
