//! Several threads at once.

use super::{base, inject};
use crate::common::{noise, pattern};
use crate::run::Run;

const THREADS: u64 = 3;

fn threads(run: &mut Run) {
    run.sync();
    let parts: Vec<Run> = (0..THREADS).map(|_| run.part()).collect();
    let done: Vec<Run> = std::thread::scope(|scope| {
        let start = |(n, part)| scope.spawn(move || one(n, part));
        let all: Vec<_> = (0..).zip(parts).map(start).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for part in done {
        run.join(part);
    }
    run.sync();
}

/// What one thread does with its own files.
fn one(thread: u64, mut run: Run) -> Run {
    let dir = format!("/t{thread}");
    run.mkdir(&dir);
    for n in 0..3 {
        let kind = if n == 1 { "-packed" } else { "" };
        let path = format!("{dir}/{n}{kind}");
        let Some(file) = run.make(&path, &pattern(20_000 * n, thread)) else {
            continue;
        };
        run.fsync(&file);
        run.write(&file, 3000, &noise(9000, thread));
        run.fdatasync(&file);
        run.rename(&path, &format!("{dir}/moved-{n}{kind}"));
    }
    run
}

#[test]
fn several_threads() {
    inject("threads", base(), threads);
}
