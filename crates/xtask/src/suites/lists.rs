//! The list of all suites.

use super::{
    Suite, applications, build, clean, fio, folders, fsx, git, kill, pjdfstest, postgres, sqlite,
    stress, trees, user,
};

/// In the order in which they run: short and telling ones first.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "fsx",
        what: "random operations on one file: plain, lz4, zstd",
        run: fsx::run,
    },
    Suite {
        name: "prealloc",
        what: "writes into preallocated files, six seeds",
        run: folders::prealloc,
    },
    Suite {
        name: "stress",
        what: "eight processes in the same folders: plain and lz4",
        run: stress::run,
    },
    Suite {
        name: "pjdfstest",
        what: "what POSIX says about each system call",
        run: pjdfstest::run,
    },
    Suite {
        name: "folders",
        what: "many folders, long names, one folder with very many entries",
        run: folders::run,
    },
    Suite {
        name: "seekdir",
        what: "positions in a folder that changes",
        run: folders::seekdir,
    },
    Suite {
        name: "kill",
        what: "SIGKILL of the daemon under load: what fsync promised is there",
        run: kill::run,
    },
    Suite {
        name: "user",
        what: "an ordinary user mounts, works and unmounts",
        run: user::run,
    },
    Suite {
        name: "fio",
        what: "mixes of fio with checksums, each kind of preallocation",
        run: fio::run,
    },
    Suite {
        name: "clean",
        what: "cleaning and trimming all the time while fio writes and verifies",
        run: clean::run,
    },
    Suite {
        name: "sqlite",
        what: "SQLite in each journal mode, killed in between",
        run: sqlite::run,
    },
    Suite {
        name: "git",
        what: "clone, repack and check a large repository",
        run: git::run,
    },
    Suite {
        name: "rsync",
        what: "rsync -aHAXc there and back",
        run: trees::rsync,
    },
    Suite {
        name: "tar",
        what: "unpack an archive and compare with tar --diff",
        run: trees::tar,
    },
    Suite {
        name: "loads",
        what: "dbench, fs_mark, postmark",
        run: applications::run,
    },
    Suite {
        name: "postgres",
        what: "PostgreSQL with checksums, stopped at once, recovered",
        run: postgres::run,
    },
    Suite {
        name: "build",
        what: "cargo builds a project, again only what changed",
        run: build::run,
    },
];
