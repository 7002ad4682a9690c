//! A bar chart.

use std::fmt::Write;

use super::{INK, OWN, TOP, escape, framed};

const ROW: f64 = 32.0;
const BAR: f64 = 20.0;
/// Where bars begin; the names stand before.
const LEFT: f64 = 170.0;
/// The longest bar; values and ratios stand behind.
const LONGEST: f64 = 400.0;

/// One bar.
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: f64,
    /// What stands behind it.
    pub(crate) text: String,
    /// Drawn in the colour of this project.
    pub(crate) own: bool,
}

/// A chart with its title and what is measured, in the given order.
pub(crate) fn draw(title: &str, unit: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let (mut svg, mut y) = (String::new(), TOP);
    for bar in bars {
        draw_bar(&mut svg, bar, y, most);
        y += ROW;
    }
    framed(title, unit, y + 16.0, &svg)
}

fn draw_bar(svg: &mut String, bar: &Bar, y: f64, most: f64) {
    let (length, text) = ((bar.value.max(0.0) / most * LONGEST).max(1.0), y + BAR * 0.75);
    let (colour, weight) = if bar.own { (OWN, 600) } else { ("#9aa4b2", 400) };
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"{name_at}\" y=\"{text}\" text-anchor=\"end\" font-weight=\"{weight}\" fill=\"{INK}\">{label}</text>\
         <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>\
         <text x=\"{value_at:.1}\" y=\"{text}\" font-weight=\"{weight}\" fill=\"{INK}\">{value}</text>",
        name_at = LEFT - 8.0,
        label = escape(&bar.label),
        value_at = LEFT + length + 8.0,
        value = escape(&bar.text),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_that_of_the_greatest_value() {
        let bar = |label: &str, value| Bar { label: label.to_owned(), value, text: String::new(), own: false };
        let svg = draw("a < b", "unit", &[bar("one", 2.0), bar("other", 4.0)]);
        assert!(svg.contains("width=\"200.0\"") && svg.contains("width=\"400.0\""));
        assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n"));
    }
}
