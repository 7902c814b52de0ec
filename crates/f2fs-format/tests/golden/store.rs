//! Where the walk gets its blocks: an image, or a golden file that holds the blocks it needs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use f2fs_format::{BLOCK_SIZE, Block, BlockAddr};

/// Runs of one byte at least this long are written as a count.
const RUN_MIN: usize = 4;

/// The kernel's listing of a tree: lines of words.
#[derive(Clone, Default)]
pub(crate) struct Listing(pub(crate) Vec<Vec<String>>);

impl Listing {
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            text.lines()
                .map(|line| line.split(' ').map(String::from).collect())
                .collect(),
        )
    }
}

/// Blocks of a volume.
pub(crate) struct Store {
    image: Option<File>,
    pub(crate) device_blocks: u64,
    pub(crate) blocks: BTreeMap<u32, Box<Block>>,
}

impl Store {
    pub(crate) fn image(path: &str) -> Self {
        let file = File::open(path).unwrap();
        let device_blocks = file.metadata().unwrap().len() / BLOCK_SIZE as u64;
        Self {
            image: Some(file),
            device_blocks,
            blocks: BTreeMap::new(),
        }
    }

    /// Reads `data/NAME.golden`.
    pub(crate) fn golden(name: &str) -> (Self, Listing) {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/golden/data"]
            .iter()
            .collect();
        let text = std::fs::read_to_string(path.join(format!("{name}.golden"))).unwrap();
        let mut store = Self {
            image: None,
            device_blocks: 0,
            blocks: BTreeMap::new(),
        };
        let mut listing = Listing::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            match words.next().unwrap() {
                "device" => store.device_blocks = words.next().unwrap().parse().unwrap(),
                "block" => {
                    let addr = words.next().unwrap().parse().unwrap();
                    store.blocks.insert(addr, decode(words));
                }
                _ => listing.0.push(line.split(' ').map(String::from).collect()),
            }
        }
        (store, listing)
    }

    /// The block at `addr`, which is remembered.
    pub(crate) fn read(&mut self, addr: BlockAddr) -> Box<Block> {
        let image = &self.image;
        let read = || {
            let mut block = Box::new([0; BLOCK_SIZE]);
            let file = image
                .as_ref()
                .expect("the golden holds every block of the walk");
            file.read_exact_at(&mut block[..], addr.byte_pos()).unwrap();
            block
        };
        self.blocks.entry(addr.get()).or_insert_with(read).clone()
    }

    /// `count` blocks from `addr` on.
    pub(crate) fn read_run(&mut self, addr: BlockAddr, count: u32) -> Vec<u8> {
        (0..count)
            .flat_map(|i| *self.read(addr.checked_add(i).unwrap()))
            .collect()
    }

    pub(crate) fn save(&self, listing: &Listing, path: &str) {
        let mut text = format!("device {}\n", self.device_blocks);
        for line in &listing.0 {
            writeln!(text, "{}", line.join(" ")).unwrap();
        }
        for (addr, block) in &self.blocks {
            writeln!(text, "block {addr} {}", encode(block)).unwrap();
        }
        std::fs::write(path, text).unwrap();
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A block in hexadecimal; a long run of one byte as its count and the byte.
fn encode(block: &Block) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for run in block.chunk_by(|a, b| a == b) {
        if run.len() >= RUN_MIN {
            words.push(format!("{}*{:02x}", run.len(), run[0]));
            words.push(String::new());
        } else {
            words.last_mut().unwrap().push_str(&hex(run));
        }
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

fn decode<'a>(words: impl Iterator<Item = &'a str>) -> Box<Block> {
    let mut bytes = Vec::new();
    for word in words {
        if let Some((count, byte)) = word.split_once('*') {
            let byte = u8::from_str_radix(byte, 16).unwrap();
            bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), byte);
        } else {
            let byte = |i| u8::from_str_radix(&word[i..i + 2], 16).unwrap();
            bytes.extend((0..word.len()).step_by(2).map(byte));
        }
    }
    bytes.try_into().unwrap()
}
