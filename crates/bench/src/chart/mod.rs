//! Charts as SVG, readable on light and dark pages: each brings its own light ground.

pub(crate) mod bars;
pub(crate) mod dots;
pub(crate) mod lines;
mod scale;

pub(crate) use scale::Scale;

/// In pixels.
const WIDTH: f64 = 760.0;
/// Where the drawing begins, below the title.
const TOP: f64 = 64.0;
const INK: &str = "#1f2328";
/// For what is not the point.
const PALE: &str = "#59636e";
/// For lines that help the eye.
const GRID: &str = "#d8dee4";
/// The colour of this project.
const OWN: &str = "#0f766e";
/// Those of others, each with the dashes of its lines, so that colours are not the only difference.
const OTHERS: [(&str, &str); 7] = [
    ("#b42318", "7 4"),
    ("#b45309", "2 3"),
    ("#be185d", "14 4"),
    ("#7e22ce", "10 3 2 3"),
    ("#4d7c0f", "4 2"),
    ("#1d4ed8", ""),
    ("#59636e", "1 4"),
];

/// A drawing with its frame: title and what is measured.
fn framed(title: &str, unit: &str, height: f64, drawing: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\" role=\"img\" aria-label=\"{title}\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"26\" font-size=\"17\" font-weight=\"600\" fill=\"{INK}\">{title}</text>\n\
         <text x=\"16\" y=\"46\" fill=\"{PALE}\">{unit}</text>\n{drawing}</svg>\n",
        title = escape(title),
        unit = escape(unit),
    )
}

/// For texts within SVG and HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// How something is drawn that is not this project's: colour and dashes.
fn style(own: bool, number: usize) -> (&'static str, &'static str) {
    if own { (OWN, "") } else { OTHERS[number % OTHERS.len()] }
}
