//! The picture as one HTML page without anything from elsewhere.

use super::draw::{self, DEFS, WIDTH};
use super::gather::Shown;
use super::markup::{Markup, safe};
use super::pieces;
use super::svg::description;
use super::words::{self, LOGS, bytes, percent};
use crate::size::human;
use f2fs::VolumeMap;

const STYLE: &str = include_str!("style.css");
const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the volume is, in a line.
pub(crate) fn subtitle(shown: &Shown) -> String {
    let totals = &shown.map.totals;
    let used = percent(totals.used_blocks(), totals.blocks());
    format!(
        "F2FS volume of {} in {}: {used} of MAIN in use, {} segments of 2 MiB",
        human(shown.bytes()),
        shown.image,
        totals.segments
    )
}

/// How to read the cells.
pub(crate) fn grid_note(shown: &Shown) -> String {
    let cells = match shown.map.segments_per_cell {
        1 => "Each cell is a segment of 2 MiB".to_owned(),
        n => format!(
            "Each cell is {n} segments, {}",
            human(u64::from(n) * (2 << 20))
        ),
    };
    let file = if shown.file.is_some() {
        ". Cells that hold pieces of the file are bright, with a bar as high as its share"
    } else {
        ""
    };
    format!(
        "{cells}; rows begin with the number of their first segment. Rings mark the open logs{file}."
    )
}

/// The whole page.
pub(crate) fn picture(shown: &Shown) -> String {
    let mut out = Markup::default();
    out.add(format_args!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} - F2FS volume</title>\n<style>\n{STYLE}{PAGE_STYLE}</style>\n</head>\n<body>\n\
         <svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\">{DEFS}</svg>\n\
         <h1>{}</h1>\n<p>{}</p>\n",
        safe(&shown.title),
        safe(&shown.title),
        safe(subtitle(shown))
    ));
    out.add(format_args!("<h2>Areas (not to scale)</h2>\n"));
    figure(&mut out, "areas of the volume", |out| {
        draw::areas(out, shown)
    });
    out.add(format_args!("<h2>MAIN by use</h2>\n"));
    figure(&mut out, &description(shown), |out| draw::usage(out, shown));
    tables(&mut out, &shown.map);
    out.add(format_args!(
        "<h2>MAIN, segment by segment</h2>\n<p>{}</p>\n",
        safe(grid_note(shown))
    ));
    figure(
        &mut out,
        "segments of MAIN; the table has the sums",
        |out| draw::segments(out, shown),
    );
    if let Some(file) = &shown.file {
        out.add(format_args!(
            "<h2>Pieces of {}</h2>\n<p>{}</p>\n",
            safe(&file.path),
            safe(pieces::figures(file))
        ));
        let what = "places in the file across, places on the volume down";
        figure(&mut out, what, |out| pieces::plot(out, file));
    }
    out.add(format_args!(
        "<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    ));
    out.finish()
}

/// A drawing of its own, as high as it turns out to be.
fn figure(out: &mut Markup, label: &str, draw: impl FnOnce(&mut Markup) -> f64) {
    let mut body = Markup::default();
    let height = draw(&mut body);
    out.add(format_args!(
        "<svg viewBox=\"-2 -2 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n",
        WIDTH + 4.0,
        height + 4.0,
        safe(label),
        body.finish()
    ));
}

fn swatch(class: &str, over: &str) -> String {
    let rect = |class: &str| {
        format!("<rect class=\"{class}\" x=\"1\" y=\"1\" width=\"14\" height=\"14\"/>")
    };
    let over = if over.is_empty() {
        String::new()
    } else {
        rect(over)
    };
    format!(
        "<svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">{}{over}</svg>",
        rect(class)
    )
}

fn tables(out: &mut Markup, map: &VolumeMap) {
    let whole = map.totals.blocks();
    out.add(format_args!(
        "<div class=\"tables\">\n<table>\n<caption>Legend and totals</caption>\n\
         <thead><tr><th>what</th><th>segments</th><th>size</th><th>of MAIN</th>\
         <th>{}compressed</th></tr></thead>\n<tbody>\n",
        swatch("cd", "zip")
    ));
    for row in words::rows(&map.totals) {
        let segments = row.segments.map_or(String::new(), |n| n.to_string());
        let compressed = row.compressed.map_or(String::new(), bytes);
        out.add(format_args!(
            "<tr><th scope=\"row\">{}{}</th><td>{segments}</td><td>{}</td><td>{}</td><td>{compressed}</td></tr>\n",
            swatch(row.class, ""),
            row.name,
            bytes(row.blocks),
            percent(row.blocks, whole)
        ));
    }
    out.add(format_args!(
        "</tbody>\n<tfoot><tr><th scope=\"row\">all of MAIN</th><td>{}</td><td>{}</td><td></td><td>{}</td></tr>\
         </tfoot>\n\
         </table>\n<table>\n<caption>Open logs</caption>\n\
         <thead><tr><th>log</th><th class=\"l\">tag</th><th class=\"l\">where it goes on</th></tr></thead>\n<tbody>\n",
        map.totals.segments,
        bytes(whole),
        bytes(map.totals.compressed_blocks())
    ));
    for (log, (name, class, tag)) in map.logs.iter().zip(LOGS) {
        out.add(format_args!(
            "<tr><th scope=\"row\">{}{name}</th><td class=\"l\">{tag}</td><td class=\"l\">{}</td></tr>\n",
            swatch(class, "ring"),
            words::place(*log)
        ));
    }
    out.add(format_args!(
        "</tbody>\n</table>\n</div>\n<p>Cells fill from below with what they hold. Stripes are blocks of compressed \
         clusters; dead blocks were written and hold nothing any more.</p>\n"
    ));
}
