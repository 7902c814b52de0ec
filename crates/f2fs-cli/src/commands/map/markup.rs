//! Text that is safe inside SVG and HTML.

use std::fmt::{Display, Write as _};

/// Text as the content of an element, or of an attribute in double quotes.
pub(crate) fn safe(text: impl Display) -> String {
    let text = text.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // No XML document may hold these, in any form.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The start and the end of a long text, at most `most` characters.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}\u{2026}{end}")
}

/// Markup that grows.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Adds markup as it is. What comes from a volume goes through [`safe`] first.
    pub(crate) fn add(&mut self, markup: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(markup);
    }

    /// Adds a rectangle; one without area is left out.
    pub(crate) fn rect(&mut self, class: &str, (x, y, w, h): (f64, f64, f64, f64)) {
        if w > 0.0 && h > 0.0 {
            self.add(format_args!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>"
            ));
        }
    }

    /// Adds a line of text.
    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), text: impl Display) {
        let text = safe(text);
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
        ));
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_element() {
        let hostile = "</title><script>alert('\"&')</script>\u{1}\u{ffff}";
        let text = safe(hostile);
        assert!(!text.contains(['<', '>', '"', '\'', '\u{1}', '\u{ffff}']));
        assert!(text.starts_with("&lt;/title&gt;&lt;script&gt;alert(&#39;&quot;&amp;&#39;)"));
    }

    #[test]
    fn long_text_keeps_both_ends() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("0123456789", 5), "01\u{2026}89");
        assert_eq!(
            clipped("\u{e9}\u{e9}\u{e9}\u{e9}", 3),
            "\u{e9}\u{2026}\u{e9}"
        );
    }
}
