//! `cargo bench -p bench`: the engine next to memory copy and the bare codec.
//!
//! `BENCH_MB` sets the file size (default 128), `BENCH_ROUNDS` the rounds (default 5), `BENCH_DIR` where images
//! are made (default: /dev/shm if it is there).

use bench::limits;
use bench::set_up::{Bench, SetUp, Work};
use bench::table::{mb, median, row};
use f2fs::{CompressAlgorithm, CompressDefaults, Fill};
use std::path::PathBuf;

const REQUESTS: [usize; 3] = [4 << 10, 128 << 10, 1 << 20];
const LOG_CLUSTER: u8 = 4;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(default)
}

/// Half of it compresses well, as the text and tables of real files do.
fn corpus(len: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut out = Vec::with_capacity(len + 64);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
        out.extend_from_slice(&b"a line of plain text, 0123456789"[..(8 + state % 24) as usize]);
    }
    out.truncate(len);
    out
}

struct Case {
    name: String,
    bench: Bench,
    rates: Vec<Vec<f64>>,
}

fn main() {
    // Cargo passes flags of its own harness.
    let len = setting("BENCH_MB", 128) << 20;
    let rounds = setting("BENCH_ROUNDS", 5);
    let data = corpus(len);
    let dir = std::env::var_os("BENCH_DIR").map_or_else(default_dir, PathBuf::from);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!(
        "file {} MiB, median of {rounds} rounds, {threads} processors, MB/s",
        len >> 20
    );

    let lz4 = CompressDefaults {
        algorithm: CompressAlgorithm::Lz4,
        log_cluster_size: LOG_CLUSTER,
        ..CompressDefaults::default()
    };
    print_limits(&data, lz4, threads, rounds);

    let mut cases = Vec::new();
    for (kind, compress) in [("plain", None), ("lz4 64K", Some(lz4))] {
        for (order, max_order) in [("order 0", 0), ("cluster", LOG_CLUSTER), ("order 9", 9)] {
            let fill = if order == "cluster" {
                Fill::Cluster
            } else {
                Fill::Folio
            };
            let set_up = SetUp {
                compress,
                max_order,
                fill,
            };
            let bench = Bench::new(&dir, &set_up, &data).expect("a fresh volume");
            let rates = vec![Vec::new(); REQUESTS.len() * Work::ALL.len()];
            cases.push(Case {
                name: format!("{kind}, {order}"),
                bench,
                rates,
            });
        }
    }
    for _ in 0..=rounds {
        for case in &mut cases {
            measure(case);
        }
    }
    print_cases(&mut cases);
}

fn default_dir() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() {
        memory
    } else {
        std::env::temp_dir()
    }
}

fn print_limits(data: &[u8], lz4: CompressDefaults, threads: usize, rounds: usize) {
    let params = lz4.params().expect("valid defaults");
    let mut copies = vec![Vec::new(); REQUESTS.len()];
    let (mut encodes, mut decodes) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (request, rates) in REQUESTS.iter().zip(&mut copies) {
            rates.push(limits::memcpy(data, *request));
        }
        let (rate, clusters) = limits::encode(params, data, threads);
        encodes.push(rate);
        decodes.push(limits::decode(params, &clusters, threads));
    }
    for (request, rates) in REQUESTS.iter().zip(copies) {
        println!("memcpy {} KiB: {}", request >> 10, mb(median(rates)));
    }
    println!("lz4 encode on {threads} threads: {}", mb(median(encodes)));
    println!("lz4 decode on {threads} threads: {}", mb(median(decodes)));
}

fn measure(case: &mut Case) {
    for (r, &request) in REQUESTS.iter().enumerate() {
        for (w, &work) in Work::ALL.iter().enumerate() {
            let rate = case
                .bench
                .round(work, request)
                .expect("the volume has room");
            case.rates[r * Work::ALL.len() + w].push(rate);
        }
    }
}

fn print_cases(cases: &mut [Case]) {
    let mut head = vec!["work".to_owned(), "request".to_owned()];
    head.extend(cases.iter().map(|c| c.name.clone()));
    println!("\n{}\n|{}", row(&head), "---|".repeat(head.len()));
    for (w, work) in Work::ALL.iter().enumerate() {
        for (r, request) in REQUESTS.iter().enumerate() {
            let mut cells = vec![work.name().to_owned(), format!("{}K", request >> 10)];
            for case in cases.iter_mut() {
                let mut rates = std::mem::take(&mut case.rates[r * Work::ALL.len() + w]);
                rates.remove(0); // The first round warms up.
                cells.push(mb(median(rates)));
            }
            println!("{}", row(&cells));
        }
    }
    println!("\nfolios made, by order:");
    for case in cases {
        println!(
            "{}: {:?}",
            case.name,
            case.bench.stats().cache.folios_by_order
        );
    }
}
