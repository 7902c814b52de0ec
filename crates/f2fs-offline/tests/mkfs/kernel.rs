//! The real kernel mounts what we make, works in it, and leaves it clean.

use crate::common::{MIB, Undiscarding, fixed, image, open};
use blockdev::Access;
use f2fs_format::CompressAlgorithm;
use f2fs_offline::{FormatOptions, RootCompression};
use testkit::{fsck, oracle};

/// Mounts, fills, removes, remounts; then shows compressed blocks, flags and owner.
const WORK: &str = r#"
set -e
mkdir /tmp/m
mount -t f2fs /dev/ubda /tmp/m
cd /tmp/m
mkdir -p deep/er
for n in $(seq 300); do echo "file $n" >deep/file$n; done
head -c 3000000 /dev/zero >deep/er/zeros
sync
echo "saved blocks: $(cat /sys/fs/f2fs/*/compr_saved_block)"
for file in . deep deep/er/zeros; do
    case $(lsattr -d $file) in *c*' '*) echo "compressed flag: $file";; esac
done
head -c 1000000 /dev/urandom >noise
ln -s noise link
ln noise deep/noise
setfattr -n user.note -v kept noise 2>/dev/null || true
find . -type f -exec sha256sum {} + >"$WORK/sums"
rm deep/file7
sync
echo synced >fsynced
sync fsynced
cd /
umount /tmp/m
mount -t f2fs /dev/ubda /tmp/m
cd /tmp/m
grep -v 'deep/file7$' "$WORK/sums" | sha256sum -c --quiet
stat -c 'owner %u:%g links %h' .
cd /
umount /tmp/m
"#;

#[test]
fn the_kernel_works_in_a_fresh_volume() {
    let plain = fixed(64 * MIB);
    let bare = FormatOptions {
        features: f2fs_format::Features::empty(),
        ..fixed(128 * MIB)
    };
    let rich = FormatOptions {
        features: FormatOptions::SUPPORTED,
        ..fixed(256 * MIB)
    };
    let zoned = FormatOptions {
        segments_per_section: 4,
        sections_per_zone: 2,
        ..fixed(1024 * MIB)
    };
    let large = fixed(64 << 30);
    for options in [plain, bare, rich, zoned, large] {
        let options = FormatOptions {
            root_owner: (12, 34),
            ..options
        };
        let (image, _) = image(&options);
        let Some(text) = oracle::run(WORK, &[image.path()]) else {
            return;
        };
        assert!(text.contains("owner 12:34 links 3"), "{text}");
        fsck::assert_clean(image.path());
    }
}

#[test]
fn files_below_a_compressed_root_are_compressed() {
    for algorithm in [CompressAlgorithm::Lz4, CompressAlgorithm::Zstd] {
        let compress = RootCompression::new(algorithm);
        let (image, _) = image(&FormatOptions {
            compress: Some(compress),
            ..fixed(64 * MIB)
        });
        let Some(text) = oracle::run(WORK, &[image.path()]) else {
            return;
        };
        fsck::assert_clean(image.path());
        assert_eq!(text.matches("compressed flag").count(), 3, "{text}");
        // 183 whole clusters of zeros take one or two blocks of four.
        let saved: u32 = number_after(&text, "saved blocks: ");
        assert!((366..=549).contains(&saved), "{text}");
    }
}

/// The number that follows `label` in `text`.
fn number_after(text: &str, label: &str) -> u32 {
    let rest = text
        .split(label)
        .nth(1)
        .unwrap_or_else(|| panic!("no {label} in {text}"));
    let digits = rest
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number after {label} in {text}"))
}

/// Leaves a file that only the chain of fsynced nodes tells of, as a power cut would.
const FSYNC: &str = r"
set -e
mkdir /tmp/m
mount -t f2fs /dev/ubda /tmp/m
echo precious >/tmp/m/fsynced
sync /tmp/m/fsynced
f2fs_io shutdown 2 /tmp/m
umount /tmp/m
";

const LIST: &str = r#"
set -e
mkdir /tmp/m
mount -t f2fs /dev/ubda /tmp/m
echo "found: $(ls -A /tmp/m)"
umount /tmp/m
"#;

#[test]
fn an_old_volume_is_gone_after_formatting() {
    // The same identity, so that only what is erased tells the old volume from the new one.
    let options = fixed(128 * MIB);
    for old in [WORK, FSYNC] {
        let (image, _) = image(&options);
        if oracle::run(old, &[image.path()]).is_none() {
            return;
        }
        let device = Undiscarding(open(image.path(), Access::ReadWrite));
        f2fs_offline::format(&device, &options).unwrap();
        drop(device);
        fsck::assert_clean(image.path());
        let listing = oracle::run(LIST, &[image.path()]).unwrap();
        assert!(listing.contains("found: \n"), "{listing}");
        fsck::assert_clean(image.path());
    }
}

#[test]
fn the_chain_of_the_test_above_is_one_that_the_kernel_follows() {
    let (image, _) = image(&fixed(128 * MIB));
    if oracle::run(FSYNC, &[image.path()]).is_none() {
        return;
    }
    let listing = oracle::run(LIST, &[image.path()]).unwrap();
    assert!(listing.contains("found: fsynced\n"), "{listing}");
}
