//! Where files lie, files in fewer pieces, pictures of volumes.

use crate::common::{Image, arg, f2fs, noise, text};
use std::fs;

/// Two files in turns, each command with its own checkpoint.
fn take_turns(image: &Image) -> Vec<u8> {
    let content = noise(40 * 4096, 3);
    image.write("/a", b"");
    image.write("/b", b"");
    for (n, piece) in content.chunks(4096).enumerate() {
        let at = (n * 4096).to_string();
        for path in ["/a", "/b"] {
            image
                .run_with_input("write", &[path, "--offset", &at], piece)
                .ok();
        }
    }
    content
}

/// The extents and figures of a file.
fn layout(image: &Image, path: &str) -> (Vec<serde_json::Value>, serde_json::Value) {
    let stat = image.run("stat", &["--extents", "--json", path]).json();
    let extents = stat[0]["extents"].as_array().unwrap().clone();
    (extents, stat[0]["layout"].clone())
}

#[test]
fn stat_tells_where_bytes_lie() {
    let image = Image::new(&["--size", "128M", "--compress", "lz4"]);
    let content = [text(1 << 20), noise(65_536, 2)].concat();
    image.write("/packed", &content);
    image
        .run_with_input("write", &["/packed", "--offset", "8M"], b"end")
        .ok();
    let (extents, sums) = layout(&image, "/packed");
    let sum = |field: &str| -> u64 { extents.iter().filter_map(|e| e[field].as_u64()).sum() };
    assert_eq!(sum("len"), (8 << 20) + 4096);
    let kinds: Vec<_> = extents
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"compressed"));
    assert_eq!(kinds[kinds.len() - 2..], ["hole", "plain"]);
    let blocks: u64 = extents
        .iter()
        .flat_map(|e| e["runs"].as_array().cloned().unwrap_or_default())
        .map(|run| run["blocks"].as_u64().unwrap())
        .sum();
    assert_eq!(sums["blocks"].as_u64().unwrap(), blocks);
    assert_eq!(sum("stored"), blocks * 4096);
    assert_eq!(sums["compressed_len"], 1 << 20);
    let holes = kinds.iter().filter(|kind| **kind == "hole").count();
    assert_eq!(sums["extents"], extents.len() - holes);
    // A plain extent holds the bytes where it says.
    let last = extents.last().unwrap();
    let at = last["runs"][0]["block"].as_u64().unwrap() as usize * 4096;
    assert!(fs::read(&image.path).unwrap()[at..].starts_with(b"end\0"));
    let info = image.run::<&str>("info", &["--json"]).json();
    let main = info["super_block"]["main_block"].as_u64().unwrap() as usize;
    let segment = last["runs"][0]["segment"].as_u64().unwrap() as usize;
    assert_eq!(segment, (at / 4096 - main) / 512);

    let table = image.run("stat", &["--extents", "/packed"]).ok();
    for part in [
        "offset",
        " compressed ",
        " hole\n",
        "layout",
        "fragmentation",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let plain = image.run("stat", &["/packed", "--json"]).json();
    assert!(plain[0].get("extents").is_none() && plain[0].get("layout").is_none());
    image
        .run("stat", &["--extents", "/none"])
        .fails(1, "/none: no such file");
}

#[test]
fn sparse_files_of_terabytes_are_told_at_once() {
    let image = Image::new(&["--size", "64M"]);
    image.write("/huge", b"start");
    image.run("truncate", &["/huge", "--size", "3T"]).ok();
    image
        .run_with_input("write", &["/huge", "--offset", "2T"], b"x")
        .ok();
    let (extents, _) = layout(&image, "/huge");
    let ends: Vec<_> = extents
        .iter()
        .map(|e| (e["kind"].as_str().unwrap(), e["pos"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("plain", 0),
        ("hole", 4096),
        ("plain", 2 << 40),
        ("hole", (2 << 40) + 4096),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn defrag_gathers_the_pieces() {
    let image = Image::new(&["--size", "128M"]);
    let content = take_turns(&image);
    image.run("mkdir", &["/d"]).ok();
    image.write("/d/small", b"tiny");
    image.run("mv", &["/b", "/d/b"]).ok();
    let runs = |path: &str| layout(&image, path).1["runs"].as_u64().unwrap();
    let before = runs("/a");
    assert!(before > 20, "{before}");
    let times = image.run("stat", &["--json", "/a"]).json();
    let bytes = fs::read(&image.path).unwrap();
    let plan = image.run("defrag", &["--dry-run", "/a"]).ok();
    assert!(plan.contains("/a: ") && plan.contains("would be"), "{plan}");
    assert!(fs::read(&image.path).unwrap() == bytes);

    let told = image.run("defrag", &["/a"]).ok();
    let after = runs("/a");
    assert!(after <= 2, "{after}");
    let line = format!("/a: {before} runs -> {after}, 160.0 KiB moved\n");
    assert!(told.starts_with(&line), "{told}");
    assert!(told.contains("1 file: 1 written anew, 0 left alone"));
    let again = image.run("defrag", &["/a"]).ok();
    assert!(again.contains("nothing to do"), "{again}");
    let times_after = image.run("stat", &["--json", "/a"]).json();
    for time in ["modified", "changed"] {
        assert_eq!(times[0][time], times_after[0][time]);
    }

    image.run("defrag", &["/d"]).fails(1, "use -r");
    let done = image
        .run("defrag", &["-r", "--json", "/", "/d/small"])
        .json();
    let files = done["files"].as_array().unwrap();
    let names: Vec<_> = files.iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["/d/b"], "the inline file was met below / already");
    assert_eq!(done["total"]["files"], 3);
    assert_eq!(done["total"]["moved_blocks"], 40);
    let small = image.run("defrag", &["/d/small"]).ok();
    assert!(small.contains("left alone: its bytes are in its inode"));
    image
        .run("defrag", &["/none"])
        .fails(1, "/none: no such file");
    assert_eq!(f2fs(["defrag", arg(&image.path)]).code, 2);
    assert!(image.cat("/a") == content && image.cat("/d/b") == content);
    image.assert_clean();
}

/// Elements of markup, opened and closed in order; panics where it is not well-formed. `void` ones have no end.
fn check_markup(text: &str, void: &[&str]) -> usize {
    let mut open: Vec<&str> = Vec::new();
    let (mut count, mut rest) = (0, text);
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a stray '>': {:?}", &rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap();
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !void.contains(&name) {
            open.push(name);
        }
        count += 1;
        if (name == "script" || name == "style") && !tag.starts_with('/') {
            rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
    count
}

fn draw(image: &Image, name: &str, args: &[&str]) -> String {
    let output = image.beside(name);
    image
        .run("map", &[&["-o", arg(&output)], args].concat())
        .ok();
    fs::read_to_string(output).unwrap()
}

#[test]
fn maps_are_well_formed_and_full_of_figures() {
    let image = Image::new(&[
        "--size",
        "256M",
        "--label",
        "my volume",
        "--compress",
        "lz4",
    ]);
    image.write("/packed", &text(9 << 20));
    image.write("/noise", &noise(5 << 20, 1));
    image.write("/gone", &noise(3 << 20, 2));
    image.run("rm", &["/gone"]).ok();
    let bytes = fs::read(&image.path).unwrap();
    let info = image.run::<&str>("info", &["--json"]).json();
    let segments = info["super_block"]["main_segments"].as_u64().unwrap();
    for (name, void) in [("map.svg", &[][..]), ("map.html", &["meta"][..])] {
        let text = draw(&image, name, &[]);
        assert!(check_markup(&text, void) > segments as usize * 3);
        assert!(text.contains("my volume"));
        let cells = text.matches("<g class=\"c\"><title>segment ").count();
        assert_eq!(cells as u64, segments);
        for word in [
            "superblock",
            "checkpoint",
            "SIT",
            "NAT",
            "SSA",
            "MAIN",
            "hot data",
            "cold node",
            "dead",
            "open log: warm data",
            "of it compressed",
        ] {
            assert!(text.contains(word), "{name}: {word}");
        }
        assert!(
            !text.contains("http://") || name == "map.svg",
            "nothing from elsewhere"
        );
        assert!(!text.contains("of the file"));
        let text = draw(&image, name, &["--file", "/packed"]);
        check_markup(&text, void);
        assert!(text.contains("Pieces of /packed") && text.contains("of the file: "));
        let few = draw(&image, name, &["--cells", "10"]);
        let cells = few.matches("<title>segments ").count();
        assert!((1..=10).contains(&cells), "{cells}");
    }
    assert!(
        fs::read(&image.path).unwrap() == bytes,
        "opened for reading only"
    );
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "</title><script>alert(1)</script>\"'&\u{202e}";
    let image = Image::new(&["--size", "64M", "--label", hostile]);
    let path = "/x\u{1}<img src=x onerror=alert(2)>\"&]]>";
    image.write(path, &noise(100_000, 1));
    for (name, void, scripts) in [("map.svg", &[][..], 0), ("map.html", &["meta"][..], 1)] {
        let text = draw(&image, name, &["--file", path]);
        check_markup(&text, void);
        assert_eq!(text.matches("<script").count(), scripts);
        assert!(!text.contains("<img") && !text.contains('\u{1}') && !text.contains('\u{202e}'));
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
        assert!(text.contains("&lt;img src=x onerror=alert(2)&gt;"));
    }
}

#[test]
fn maps_refuse_with_advice() {
    let image = Image::new(&["--size", "64M"]);
    let map = |output: &str, args: &[&str]| {
        let output = image.beside(output);
        let ended = image.run("map", &[&["-o", arg(&output)], args].concat());
        assert!(!output.exists() || output == image.path, "{output:?}");
        ended
    };
    map("map.png", &[]).fails(2, "ends in .svg or .html");
    map("map", &[]).fails(2, "ends in .svg or .html");
    map("map.svg", &["--file", "/none"]).fails(1, "/none: no such file");
    map("map.svg", &["--file", "/"]).fails(1, "/: is a directory");
    assert_eq!(map("map.svg", &["--cells", "0"]).code, 2);
    map("no/map.svg", &[]).fails(1, "no such file");
    assert_eq!(image.run::<&str>("map", &[]).code, 2);
    // The image under a name that ends well.
    let link = image.beside("link.svg");
    fs::hard_link(&image.path, &link).unwrap();
    image
        .run("map", &["-o", arg(&link)])
        .fails(2, "the image itself");
    image.assert_clean();
}
