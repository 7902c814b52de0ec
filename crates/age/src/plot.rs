//! Pictures that need nothing but themselves: no script, no network, light or dark as the reader's screen is.

use crate::plan::PARTS;
use crate::report::{Report, tables};
use crate::sample::{Cost, Run};
use std::fmt::Write as _;

/// Width of one panel, without its margins.
const WIDTH: f64 = 340.0;
/// Its height.
const HEIGHT: f64 = 170.0;
/// Left of a panel, for the numbers.
const LEFT: f64 = 52.0;
/// Above a panel, for its name.
const TOP: f64 = 40.0;
/// Below a panel, for the numbers.
const BOTTOM: f64 = 34.0;
/// Right of a panel.
const RIGHT: f64 = 18.0;
/// Above all panels, for the names of the lines.
const LEGEND: f64 = 34.0;

/// Colours and fonts, for both kinds of screens.
const STYLE: &str = "\
.age{--ink:#1c1e21;--soft:#6a6f76;--grid:#e2e4e8;--paper:#fff;--c0:#c2410c;--c1:#1d4ed8;--c2:#4d7c0f;--c3:#86198f}
@media (prefers-color-scheme:dark){.age{--ink:#e8eaed;--soft:#9aa0a8;--grid:#33373d;--paper:#17191c;\
--c0:#fb923c;--c1:#7aa2ff;--c2:#a3d65c;--c3:#e879f9}}
.age text{font:12px system-ui,sans-serif;fill:var(--ink)}
.age .soft{fill:var(--soft)}
.age .grid{stroke:var(--grid);stroke-width:1}
.age .line{fill:none;stroke-width:2;stroke-linejoin:round}
.age .paper{fill:var(--paper)}
.age .c0{stroke:var(--c0)}
.age .c1{stroke:var(--c1);stroke-dasharray:7 3}
.age .c2{stroke:var(--c2);stroke-dasharray:2 3}
.age .c3{stroke:var(--c3);stroke-dasharray:9 3 2 3}
";

/// What a panel shows.
#[derive(Clone, Copy)]
struct Measure {
    name: &'static str,
    unit: &'static str,
    of: fn(&Cost) -> f64,
}

const MEASURES: [Measure; 2] = [
    Measure {
        name: "write amplification",
        unit: "",
        of: Cost::amplification,
    },
    Measure {
        name: "moved by the cleaner",
        unit: " %",
        of: Cost::cleaner_percent,
    },
];

/// Amplification above, the cleaner's share below; a column for each kind of volume.
pub fn svg(report: &Report) -> String {
    let kinds = report.kinds();
    let panel = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
    let width = panel.0 * kinds.len() as f64;
    let height = LEGEND + panel.1 * MEASURES.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"age\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Write amplification over time\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    legend(&mut out, report);
    for (row, measure) in MEASURES.iter().enumerate() {
        let all = report.runs.iter().flat_map(Run::parts);
        let most = all.map(|(_, cost)| (measure.of)(&cost)).fold(0.0, f64::max);
        let scale = Scale::up_to(most);
        for (column, kind) in kinds.iter().enumerate() {
            let x = panel.0 * column as f64 + LEFT;
            let y = LEGEND + panel.1 * row as f64 + TOP;
            let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
            axes(&mut out, report.times, scale, *measure, kind);
            for (n, run) in report.of_kind(kind).enumerate() {
                line(&mut out, run, n, scale, *measure);
            }
            out.push_str("</g>\n");
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Round numbers on the axis that goes up.
#[derive(Clone, Copy)]
struct Scale {
    step: f64,
    top: f64,
}

impl Scale {
    fn up_to(most: f64) -> Self {
        let most = most.max(1e-6);
        let magnitude = 10_f64.powf((most / 4.0).log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
        let fits = steps.iter().find(|&&s| s * magnitude * 5.0 >= most);
        let step = fits.unwrap_or(&10.0) * magnitude;
        Self {
            step,
            top: (most / step).ceil() * step,
        }
    }

    fn y(self, value: f64) -> f64 {
        HEIGHT * (1.0 - value / self.top)
    }
}

fn legend(out: &mut String, report: &Report) {
    let mut x = LEFT;
    let first = report.kinds().first().map(|&kind| kind.to_owned());
    for (n, run) in report.of_kind(&first.unwrap_or_default()).enumerate() {
        let _ = writeln!(
            out,
            "<path class=\"line c{n}\" d=\"M{x} 20h28\"/><text x=\"{}\" y=\"24\">{}</text>",
            x + 36.0,
            run.name
        );
        x += 60.0 + 6.4 * run.name.len() as f64;
    }
}

fn axes(out: &mut String, times: u64, scale: Scale, measure: Measure, kind: &str) {
    let _ = writeln!(
        out,
        "<text y=\"-14\">{kind}: {}<tspan class=\"soft\"> in each twentieth of the run</tspan></text>",
        measure.name
    );
    let lines = (scale.top / scale.step).round() as u32;
    for n in 0..=lines {
        let value = f64::from(n) * scale.step;
        let y = scale.y(value);
        let digits = usize::from(scale.step.fract() != 0.0);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M0 {y:.1}h{WIDTH}\"/><text class=\"soft\" x=\"-8\" y=\"{:.1}\" \
             text-anchor=\"end\">{value:.digits$}{}</text>",
            y + 4.0,
            measure.unit
        );
    }
    for n in 0..=5_u32 {
        let share = f64::from(n) / 5.0;
        let value = share * times as f64;
        let digits = usize::from(value.fract() != 0.0);
        let _ = writeln!(
            out,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{value:.digits$} x</text>",
            share * WIDTH,
            HEIGHT + 20.0
        );
    }
}

/// Each part in the middle of its time.
fn line(out: &mut String, run: &Run, n: usize, scale: Scale, measure: Measure) {
    let mut points = String::new();
    for (sample, cost) in run.parts() {
        let x = (sample.part as f64 - 0.5) / PARTS as f64 * WIDTH;
        let y = scale.y((measure.of)(&cost));
        let _ = write!(points, "{x:.1},{y:.1} ");
    }
    let points = points.trim_end();
    let _ = writeln!(out, "<polyline class=\"line c{n}\" points=\"{points}\"/>");
}

/// The picture and the tables as one page.
pub fn page(report: &Report) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Ageing</title>\n<style>\n\
         :root{{color-scheme:light dark}}\n\
         body{{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}\n\
         table{{border-collapse:collapse;margin:1.5rem 0;font-variant-numeric:tabular-nums;display:block;\
         overflow-x:auto}}\n\
         th,td{{padding:.2rem .7rem;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent);\
         text-align:right;white-space:nowrap}}\n\
         th:first-child,td:first-child{{text-align:left}}\nsvg{{width:100%;height:auto}}\n</style></head>\n<body>\n\
         <h1>Ageing</h1>\n<p>Bytes written to the device for each byte that the user writes, of a volume that is \
         nearly full all the time.</p>\n{}{}</body></html>\n",
        svg(report),
        html(&tables(report))
    )
}

/// Paragraphs and tables of Markdown.
fn html(markdown: &str) -> String {
    let mut out = String::new();
    let mut rows = 0;
    for line in markdown.lines() {
        let is_row = line.starts_with('|');
        if !is_row && rows > 0 {
            out.push_str("</table>\n");
            rows = 0;
        }
        if is_row && !line.starts_with("|---") {
            out.push_str(if rows == 0 { "<table>\n<tr>" } else { "<tr>" });
            let tag = if rows == 0 { "th" } else { "td" };
            for cell in line.trim_matches('|').split('|') {
                let _ = write!(out, "<{tag}>{}</{tag}>", cell.trim());
            }
            out.push_str("</tr>\n");
            rows += 1;
        } else if !is_row && !line.is_empty() {
            let _ = writeln!(out, "<p>{line}</p>");
        }
    }
    if rows > 0 {
        out.push_str("</table>\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Counts, Sample};

    /// A run in which each part writes three times what the user does.
    fn report() -> Report {
        let sample = |part| Sample {
            part,
            user_bytes: part << 20,
            file_blocks: 0,
            counts: Counts {
                device_bytes: (part * 3) << 20,
                moved_blocks: part * 192,
                ..Counts::default()
            },
        };
        let run = Run {
            name: "engine".to_owned(),
            kind: "plain".to_owned(),
            samples: (0..=PARTS).map(sample).collect(),
        };
        Report {
            seed: 1,
            mib: 64,
            full: 95,
            times: 10,
            sync_every: 1,
            runs: vec![run],
        }
    }

    #[test]
    fn tables_and_pictures_show_what_was_counted() {
        let report = report();
        let text = tables(&report);
        assert!(
            text.contains("| plain | engine | 20 | 60 | 3.00 | 25.0 % |"),
            "{text}"
        );
        assert!(text.contains("| 10.0 x | 3.00 (25 %) |"), "{text}");
        let page = page(&report);
        assert!(page.contains("<td>3.00 (25 %)</td>"), "{page}");
        // The axis ends at 3: the line runs along its top.
        assert!(page.contains("points=\"8.5,0.0 25.5,0.0 "), "{page}");
        assert!(
            !page.contains("src=") && !page.contains("href="),
            "it needs nothing else"
        );
    }

    #[test]
    fn scales_have_round_steps() {
        let of = |most| {
            let scale = Scale::up_to(most);
            (scale.step, scale.top)
        };
        assert_eq!(of(3.0), (1.0, 3.0));
        assert_eq!(of(11.0), (2.5, 12.5));
        assert_eq!(of(62.0), (20.0, 80.0));
    }
}
