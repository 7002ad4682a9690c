//! Values of several runs in rows, with panels beside each other: a small dot for each run, a large one for their mean.

use std::fmt::Write;

use super::{GRID, INK, PALE, Scale, TOP, WIDTH, escape, framed, style};
use crate::numbers::{mean, number};

const ROW: f64 = 26.0;
/// Where panels begin; the names stand before.
const LEFT: f64 = 142.0;
const GAP: f64 = 42.0;
const RIGHT: f64 = 26.0;
/// Room for the panel's title.
const HEAD: f64 = 30.0;

/// A row of a panel.
pub(crate) struct Row {
    pub(crate) label: String,
    /// One for each run.
    pub(crate) values: Vec<f64>,
    /// Drawn in the colour of this project.
    pub(crate) own: bool,
}

/// Rows under a title; all panels of a chart have the same rows.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
}

/// A chart with its title and what is measured; every panel has an axis of its own where they differ by much.
pub(crate) fn draw(title: &str, unit: &str, digits: usize, panels: &[Panel]) -> String {
    let Some(first) = panels.first() else { return framed(title, unit, TOP, "") };
    let (mut svg, mut y) = (String::new(), TOP + HEAD);
    for row in &first.rows {
        let weight = if row.own { 600 } else { 400 };
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{at}\" text-anchor=\"end\" font-weight=\"{weight}\" fill=\"{INK}\">{label}</text>",
            x = LEFT - 12.0,
            at = y + ROW * 0.66,
            label = escape(&row.label),
        );
        y += ROW;
    }
    #[expect(clippy::cast_precision_loss, reason = "a chart has few panels")]
    let count = panels.len() as f64;
    let (width, mut left) = ((WIDTH - LEFT - RIGHT - GAP * (count - 1.0)) / count, LEFT);
    for panel in panels {
        draw_panel(&mut svg, panel, digits, (left, left + width));
        left += width + GAP;
    }
    framed(title, unit, y + 34.0, &svg)
}

fn draw_panel(svg: &mut String, panel: &Panel, digits: usize, (left, right): (f64, f64)) {
    let scale = Scale::around(panel.rows.iter().flat_map(|row| &row.values).copied());
    let x = |value| left + scale.place(value) * (right - left);
    #[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
    let (top, bottom) = (TOP + HEAD, TOP + HEAD + ROW * panel.rows.len() as f64);
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{y}\" font-weight=\"600\" fill=\"{INK}\">{title}</text>",
        y = TOP + 14.0,
        title = escape(&panel.title)
    );
    for tick in scale.ticks(4.0) {
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"{GRID}\"/>\
             <text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"12\" fill=\"{PALE}\">{tick}</text>",
            at = x(tick),
            y = bottom + 18.0,
            tick = number(tick, 0),
        );
    }
    for (index, row) in panel.rows.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
        let y = top + ROW * (index as f64 + 0.5);
        draw_row(svg, row, style(row.own, index).0, digits, y, x);
    }
}

fn draw_row(svg: &mut String, row: &Row, colour: &str, digits: usize, y: f64, x: impl Fn(f64) -> f64) {
    let mean = mean(row.values.iter().copied());
    // Writing to a string does not fail.
    for value in &row.values {
        let _ =
            write!(svg, "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\" fill-opacity=\"0.35\"/>", x(*value));
    }
    let at = x(mean);
    let (first, last) =
        row.values.iter().fold((at, at), |(first, last), value| (first.min(x(*value)), last.max(x(*value))));
    // On the side where there is more room.
    let (text_at, anchor) = if last > x(f64::MAX) - 48.0 { (first - 11.0, "end") } else { (last + 11.0, "start") };
    let weight = if row.own { 600 } else { 400 };
    let _ = writeln!(
        svg,
        "<circle cx=\"{at:.1}\" cy=\"{y}\" r=\"5.5\" fill=\"{colour}\"/>\
         <text x=\"{text_at:.1}\" y=\"{text_y}\" text-anchor=\"{anchor}\" font-size=\"12\" font-weight=\"{weight}\" fill=\"{INK}\">{mean}</text>",
        text_y = y + 4.0,
        mean = number(mean, digits),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_dot_and_every_row_its_mean() {
        let row = |label: &str, values: &[f64]| Row { label: label.to_owned(), values: values.to_vec(), own: false };
        let panel =
            |title: &str| Panel { title: title.to_owned(), rows: vec![row("a&b", &[1.0, 3.0]), row("c", &[4.0])] };
        let svg = draw("title", "unit", 1, &[panel("left"), panel("right")]);
        assert_eq!(svg.matches("r=\"3\"").count(), 6);
        assert_eq!(svg.matches(">2.0</text>").count(), 2);
        assert_eq!(svg.matches("a&amp;b").count(), 1);
    }
}
