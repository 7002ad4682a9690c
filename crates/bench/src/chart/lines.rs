//! Curves over an axis, with their names at their ends.

use std::fmt::Write;

use super::{GRID, INK, PALE, Scale, TOP, escape, framed, style};

const LEFT: f64 = 52.0;
/// Where the names of the curves begin.
const RIGHT: f64 = 590.0;
const BOTTOM: f64 = 330.0;
const HEIGHT: f64 = 386.0;
/// Names are at least so far apart.
const LINE: f64 = 17.0;

/// A curve.
pub(crate) struct Curve {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Drawn in the colour of this project.
    pub(crate) own: bool,
}

/// An axis with its name, the values that are labelled, and how these are written.
pub(crate) struct Axis {
    pub(crate) name: &'static str,
    pub(crate) scale: Scale,
    pub(crate) ticks: Vec<f64>,
    pub(crate) text: fn(f64) -> String,
}

/// A chart with its title and what is measured.
pub(crate) fn draw(title: &str, unit: &str, across: &Axis, up: &Axis, curves: &[Curve]) -> String {
    let mut svg = String::new();
    let x = |value| LEFT + across.scale.place(value) * (RIGHT - LEFT);
    let y = |value| BOTTOM - up.scale.place(value) * (BOTTOM - TOP);
    draw_axes(&mut svg, across, up, x, y);
    for (index, curve) in curves.iter().enumerate() {
        let points: Vec<_> = curve.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let ((colour, dashes), width) = (style(curve.own, index), if curve.own { 3.5 } else { 2.0 });
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\" \
             stroke-linejoin=\"round\"/>",
            points.join(" "),
        );
    }
    draw_names(&mut svg, curves, y);
    framed(title, unit, HEIGHT, &svg)
}

fn draw_axes(svg: &mut String, across: &Axis, up: &Axis, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    // Writing to a string does not fail.
    for &tick in &up.ticks {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\" stroke=\"{GRID}\"/>\
             <text x=\"{left}\" y=\"{text_at:.1}\" text-anchor=\"end\" font-size=\"12\" fill=\"{PALE}\">{text}</text>",
            at = y(tick),
            left = LEFT - 8.0,
            text_at = y(tick) + 4.0,
            text = (up.text)(tick),
        );
    }
    for &tick in &across.ticks {
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{BOTTOM}\" x2=\"{at:.1}\" y2=\"{end}\" stroke=\"{PALE}\"/>\
             <text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\" font-size=\"12\" fill=\"{PALE}\">{text}</text>",
            at = x(tick),
            end = BOTTOM + 5.0,
            below = BOTTOM + 20.0,
            text = (across.text)(tick),
        );
    }
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" y1=\"{BOTTOM}\" x2=\"{RIGHT}\" y2=\"{BOTTOM}\" stroke=\"{PALE}\"/>\
         <text x=\"{RIGHT}\" y=\"{below}\" text-anchor=\"end\" font-size=\"13\" fill=\"{INK}\">{name}</text>",
        below = BOTTOM + 42.0,
        name = escape(across.name),
    );
}

/// The names at the ends of the curves, moved apart where they would cover each other.
fn draw_names(svg: &mut String, curves: &[Curve], y: impl Fn(f64) -> f64) {
    let end = |curve: &Curve| curve.points.last().map_or(BOTTOM, |(_, value)| y(*value));
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by(|a, b| end(&curves[*a]).total_cmp(&end(&curves[*b])));
    let places = apart(&order.iter().map(|index| end(&curves[*index])).collect::<Vec<_>>());
    for (index, place) in order.into_iter().zip(places) {
        let (curve, (colour, dashes)) = (&curves[index], style(curves[index].own, index));
        let weight = if curve.own { 600 } else { 400 };
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<polyline points=\"{RIGHT},{from:.1} {middle},{place:.1} {near},{place:.1}\" fill=\"none\" stroke=\"{colour}\" \
             stroke-width=\"1.5\" stroke-dasharray=\"{dashes}\"/>\
             <text x=\"{at}\" y=\"{text_at:.1}\" font-size=\"13\" font-weight=\"{weight}\" fill=\"{colour}\">{label}</text>",
            from = end(curve),
            middle = RIGHT + 14.0,
            near = RIGHT + 26.0,
            at = RIGHT + 31.0,
            text_at = place + 4.5,
            label = escape(&curve.label),
        );
    }
}

/// Ascending places that are at least a line apart, as near as can be to where they should be.
fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut places = Vec::<f64>::with_capacity(wanted.len());
    for place in wanted {
        let above = places.last().map_or(f64::MIN, |last| last + LINE);
        places.push(place.max(above));
    }
    // Those that went beyond the bottom push the others up.
    let mut limit = BOTTOM;
    for place in places.iter_mut().rev() {
        *place = place.min(limit);
        limit = *place - LINE;
    }
    places
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "exact sums")]

    use super::*;

    #[test]
    fn names_do_not_cover_each_other() {
        assert_eq!(apart(&[100.0, 101.0, 200.0]), [100.0, 117.0, 200.0]);
        assert_eq!(apart(&[BOTTOM, BOTTOM]), [BOTTOM - LINE, BOTTOM]);
        assert_eq!(apart(&[]), Vec::<f64>::new());
    }

    #[test]
    fn curves_have_their_points_and_names() {
        let (scale, ticks) = (Scale::linear(0.0, 10.0), vec![0.0, 5.0]);
        let axis = |name| Axis { name, scale, ticks: ticks.clone(), text: |value| format!("{value}") };
        let curve = Curve { label: "a < b".to_owned(), points: vec![(0.0, 0.0), (10.0, 10.0)], own: true };
        let svg = draw("title", "unit", &axis("x"), &axis("y"), &[curve]);
        assert!(svg.contains("points=\"52.0,330.0 590.0,64.0\"") && svg.contains(">a &lt; b</text>"));
    }
}
