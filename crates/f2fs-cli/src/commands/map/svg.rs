//! The picture as one static SVG document.

use super::draw::{self, DEFS, WIDTH};
use super::gather::Shown;
use super::markup::{Markup, clipped, safe};
use super::pieces;
use super::words::{self, LOGS, bytes, percent};
use crate::size::human;
use f2fs::VolumeMap;

const STYLE: &str = include_str!("style.css");
const MARGIN: f64 = 24.0;

/// Grows downwards.
struct Sheet {
    body: Markup,
    y: f64,
}

impl Sheet {
    fn heading(&mut self, text: &str) {
        self.y += 26.0;
        self.body.text("h2", (0.0, self.y), text);
        self.y += 12.0;
    }

    fn note(&mut self, text: &str) {
        self.y += 6.0;
        self.body.text("m", (0.0, self.y), text);
        self.y += 10.0;
    }

    /// Adds what draws itself from (0, 0) on.
    fn part(&mut self, draw: impl FnOnce(&mut Markup) -> f64) {
        self.body
            .add(format_args!("<g transform=\"translate(0 {:.1})\">", self.y));
        self.y += draw(&mut self.body);
        self.body.add(format_args!("</g>\n"));
    }
}

/// The whole document.
pub(crate) fn picture(shown: &Shown) -> String {
    let mut sheet = Sheet {
        body: Markup::default(),
        y: 0.0,
    };
    let title = clipped(&shown.title, 64);
    sheet.body.text("h1", (0.0, 26.0), &title);
    sheet.y = 40.0;
    sheet.note(&clipped(&super::html::subtitle(shown), 170));
    sheet.heading("Areas (not to scale)");
    sheet.part(|out| draw::areas(out, shown));
    sheet.heading("MAIN by use");
    sheet.part(|out| draw::usage(out, shown));
    sheet.y += 10.0;
    sheet.part(|out| legend(out, &shown.map));
    sheet.heading("MAIN, segment by segment");
    sheet.note(&super::html::grid_note(shown));
    sheet.part(|out| draw::segments(out, shown));
    if let Some(file) = &shown.file {
        sheet.heading(&format!("Pieces of {}", clipped(&file.path, 90)));
        sheet.note(&pieces::figures(file));
        sheet.part(|out| pieces::plot(out, file));
    }
    document(shown, sheet)
}

fn document(shown: &Shown, sheet: Sheet) -> String {
    let (width, height) = (WIDTH + 2.0 * MARGIN, sheet.y + 2.0 * MARGIN);
    let mut out = Markup::default();
    out.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n\
         <title>F2FS volume {}</title>\n<desc>{}</desc>\n<style>\n{STYLE}</style>\n{DEFS}\n",
        safe(&shown.title),
        safe(description(shown))
    ));
    out.rect("page", (0.0, 0.0, width, height));
    out.add(format_args!(
        "\n<g transform=\"translate({MARGIN} {MARGIN})\">\n{}</g>\n</svg>\n",
        sheet.body.finish()
    ));
    out.finish()
}

/// The picture in words, for those who do not see it.
pub(crate) fn description(shown: &Shown) -> String {
    let totals = &shown.map.totals;
    let rows = words::rows(totals);
    let parts = rows.iter().map(|row| {
        let part = percent(row.blocks, totals.blocks());
        format!("{} {} ({part})", row.name, bytes(row.blocks))
    });
    let parts: Vec<String> = parts.collect();
    let bytes = human(shown.bytes());
    format!("{bytes}; of MAIN: {}", parts.join(", "))
}

/// Colours, totals and open logs in two columns of text; the height.
fn legend(out: &mut Markup, map: &VolumeMap) -> f64 {
    let whole = map.totals.blocks();
    let columns = [215.0, 300.0, 400.0, 500.0];
    let head = ["segments", "size", "of MAIN", "compressed"];
    for (x, text) in columns.into_iter().zip(head) {
        out.text("n", (x, 14.0), text);
    }
    let mut y = 34.0;
    for row in words::rows(&map.totals) {
        out.rect(row.class, (0.0, y - 11.0, 14.0, 14.0));
        out.text("t", (22.0, y), row.name);
        let segments = row.segments.map_or(String::new(), |n| n.to_string());
        out.text("t e", (columns[0], y), segments);
        out.text("t e", (columns[1], y), bytes(row.blocks));
        out.text("t e", (columns[2], y), percent(row.blocks, whole));
        if let Some(compressed) = row.compressed {
            out.text("t e", (columns[3], y), bytes(compressed));
        }
        y += 20.0;
    }
    out.add(format_args!(
        "<line class=\"line\" x1=\"0\" x2=\"500\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>",
        y - 14.0
    ));
    out.text("b", (22.0, y + 2.0), "all of MAIN");
    out.text("b e", (columns[0], y + 2.0), map.totals.segments);
    out.text("b e", (columns[1], y + 2.0), bytes(whole));
    out.text(
        "b e",
        (500.0, y + 2.0),
        bytes(map.totals.compressed_blocks()),
    );
    let mut log_y = 34.0;
    out.text("m", (580.0, 14.0), "open logs");
    for (log, (name, class, tag)) in map.logs.iter().zip(LOGS) {
        out.rect(class, (580.0, log_y - 11.0, 14.0, 14.0));
        out.rect("ring", (579.0, log_y - 12.0, 16.0, 16.0));
        out.text("b", (604.0, log_y), tag);
        out.text("t", (634.0, log_y), name);
        out.text("t", (730.0, log_y), words::place(*log));
        log_y += 20.0;
    }
    out.rect("cd", (580.0, log_y - 3.0, 14.0, 14.0));
    out.rect("zip", (580.0, log_y - 3.0, 14.0, 14.0));
    out.text(
        "t",
        (604.0, log_y + 8.0),
        "stripes: blocks of compressed clusters",
    );
    out.text(
        "m",
        (580.0, log_y + 32.0),
        "A cell fills from below with what it holds; dead blocks were written and hold nothing any more.",
    );
    y + 8.0
}
