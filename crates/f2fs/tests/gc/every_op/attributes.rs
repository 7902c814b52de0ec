//! Operations on the attributes of a file.

use super::{Case, Done, Needs, case, free, make, make_empty_compressed};
use crate::common::noise;
use f2fs::{
    CompressDefaults, InodeFlags, OpenOptions, Owner, Privileges, QuotaKind, QuotaLimits, Result,
    SetAttr, SetXattr, Timestamp, Toggle, Volume,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut all = xattrs();
    all.extend(inodes());
    all.extend(flags());
    all.extend(quotas());
    all
}

fn done(result: Result<()>) -> Result<Done> {
    result.map(|()| Done::All)
}

fn some_file(volume: &Volume, dir: &str) -> Result<()> {
    drop(make(volume, &format!("{dir}/f"), &[7; 10_000])?);
    Ok(())
}

fn set(volume: &Volume, dir: &str, name: &str, len: usize) -> Result<Done> {
    let path = format!("{dir}/f");
    volume.set_xattr(&path, name, &noise(len, 1), SetXattr::Any)?;
    assert!(volume.get_xattr(&path, name)? == noise(len, 1));
    Ok(Done::All)
}

fn with_small(volume: &Volume, dir: &str) -> Result<()> {
    some_file(volume, dir)?;
    volume.set_xattr(format!("{dir}/f"), "user.a", b"small", SetXattr::Any)
}

fn with_large(volume: &Volume, dir: &str) -> Result<()> {
    with_small(volume, dir)?;
    volume.set_xattr(format!("{dir}/f"), "user.b", &noise(2000, 2), SetXattr::Any)
}

fn remove(volume: &Volume, dir: &str, name: &str) -> Result<Done> {
    done(volume.remove_xattr(format!("{dir}/f"), name))
}

/// Read and write for the owner, read for user 5 and the rest.
fn acl() -> Vec<u8> {
    let entry = |tag: u16, permissions: u16, id: u32| {
        let mut bytes = tag.to_le_bytes().to_vec();
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
        bytes
    };
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1, 6, u32::MAX),
        (2, 4, 5),
        (4, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 4, u32::MAX),
    ] {
        bytes.extend(entry(tag, permissions, id));
    }
    bytes
}

fn xattrs() -> Vec<Case> {
    vec![
        case("xattr_small", some_file, |v, d| set(v, d, "user.a", 20)),
        case("xattr_large", some_file, |v, d| set(v, d, "user.b", 3000)),
        case("xattr_small_to_large", with_small, |v, d| {
            set(v, d, "user.a", 3000)
        }),
        case("xattr_replace_large", with_large, |v, d| {
            set(v, d, "user.b", 3500)
        }),
        case("xattr_one_more", with_large, |v, d| {
            set(v, d, "user.c", 500)
        }),
        case("xattr_on_dir", some_file, |v, d| {
            done(v.set_xattr(d, "user.b", &noise(3000, 1), SetXattr::Create))
        }),
        case("xattr_acl", some_file, |v, d| {
            let path = format!("{d}/f");
            done(v.set_xattr(path, "system.posix_acl_access", &acl(), SetXattr::Any))
        }),
        free("xattr_remove_small", with_small, |v, d| {
            remove(v, d, "user.a")
        }),
        free("xattr_remove_large", with_large, |v, d| {
            remove(v, d, "user.b")
        }),
        free("xattr_list", with_large, |v, d| {
            assert_eq!(v.list_xattrs(format!("{d}/f"))?.len(), 2);
            Ok(Done::All)
        }),
    ]
}

fn set_attr(volume: &Volume, dir: &str, attr: &SetAttr) -> Result<Done> {
    done(volume.set_attr(format!("{dir}/f"), attr))
}

fn inodes() -> Vec<Case> {
    vec![
        case("chmod", some_file, |v, d| {
            set_attr(
                v,
                d,
                &SetAttr {
                    permissions: Some(0o600),
                    ..SetAttr::default()
                },
            )
        }),
        case("chown", some_file, |v, d| {
            let owner = SetAttr {
                uid: Some(70_000),
                gid: Some(80_000),
                ..SetAttr::default()
            };
            set_attr(v, d, &owner)
        }),
        case("utimes", some_file, |v, d| {
            let time = Some(Timestamp { secs: 9, nanos: 9 });
            set_attr(
                v,
                d,
                &SetAttr {
                    accessed: time,
                    modified: time,
                    ..SetAttr::default()
                },
            )
        }),
        case("chmod_dir", some_file, |v, d| {
            done(v.set_attr(
                d,
                &SetAttr {
                    permissions: Some(0o700),
                    ..SetAttr::default()
                },
            ))
        }),
        case(
            "kill_privileges",
            |v, d| {
                some_file(v, d)?;
                let setuid = SetAttr {
                    permissions: Some(0o4755),
                    ..SetAttr::default()
                };
                v.set_attr(format!("{d}/f"), &setuid)
            },
            |v, d| {
                let file = v.open_with(format!("{d}/f"), &OpenOptions::new().write(true))?;
                file.kill_privileges(Privileges::All)?;
                assert_eq!(file.metadata().mode() & 0o7777, 0o755);
                Ok(Done::All)
            },
        ),
    ]
}

fn flags() -> Vec<Case> {
    vec![
        case("flags", some_file, |v, d| {
            let none = InodeFlags::empty();
            done(v.set_flags(
                format!("{d}/f"),
                InodeFlags::NODUMP | InodeFlags::APPEND,
                none,
            ))
        }),
        case("flag_word", some_file, |v, d| {
            done(v.set_flag_word(format!("{d}/f"), 0x40))
        }),
        case(
            "compression_on",
            |v, d| {
                drop(make(v, &format!("{d}/f"), b"")?);
                Ok(())
            },
            |v, d| done(v.set_compression(format!("{d}/f"), Some(CompressDefaults::default()))),
        ),
        case(
            "compression_off",
            |v, d| {
                drop(make_empty_compressed(v, &format!("{d}/f"))?);
                Ok(())
            },
            |v, d| done(v.set_compression(format!("{d}/f"), None)),
        ),
        case("compression_of_dir", some_file, |v, d| {
            done(v.set_compression(d, Some(CompressDefaults::default())))
        }),
        case(
            "nocompress",
            |v, d| {
                v.set_compression(d, None)?;
                v.create_dir(format!("{d}/e"), Owner::root(0o755))?;
                v.set_compression(format!("{d}/e"), None)
            },
            |v, d| done(v.set_nocompress(format!("{d}/e"), Toggle::On)),
        ),
    ]
}

fn quotas() -> Vec<Case> {
    let with_quota = |one: Case| Case {
        needs: Needs::Quota,
        ..one
    };
    vec![
        with_quota(case("quota_limits", some_file, |v, _| {
            let limits = QuotaLimits {
                space_hard: 1 << 30,
                ..QuotaLimits::default()
            };
            done(v.set_quota(QuotaKind::User, 4_000_000, &limits))
        })),
        with_quota(case("project", some_file, |v, d| {
            done(v.set_project(format!("{d}/f"), 3_000_000))
        })),
        with_quota(case("quota_many_owners", some_file, |v, d| {
            // Each id may need a block of the quota file.
            for id in 1..40_u32 {
                let uid = Some(id << 20);
                v.set_attr(
                    format!("{d}/f"),
                    &SetAttr {
                        uid,
                        gid: uid,
                        ..SetAttr::default()
                    },
                )?;
                v.sync()?;
            }
            Ok(Done::All)
        })),
    ]
}
