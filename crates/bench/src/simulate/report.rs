//! The comparison as two documents with charts.

use std::{fmt::Write, fs, path::Path, time::Duration};

use anyhow::Context;

use super::{
    args::Args,
    comparison::Case,
    curves::{self, Chart},
    rules::Rule,
    table::{Table, supplies, title},
};
use crate::{chart::escape, numbers::number, say};

const HEADING: &str = "Dispatch rules compared";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;\
    background:#fff;color:#1f2328;color-scheme:light dark}\
    table{border-collapse:collapse;display:block;overflow-x:auto;font-size:14px;margin:1rem 0}\
    th,td{border:1px solid #8b949e80;padding:.3rem .6rem;text-align:right;vertical-align:bottom;white-space:nowrap}\
    thead th{white-space:normal}tbody th{text-align:left}\
    svg{max-width:100%;height:auto;border-radius:8px;display:block;margin:1rem 0}code{font-size:14px}\
    @media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}}";

/// Writes `report.html`, `report.md` and a file for each chart.
pub(super) fn write(folder: &Path, args: &Args, cases: &[Case]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let charts = curves::draw(cases);
    let mut files = vec![
        ("report.html".to_owned(), html(args, cases, &charts)),
        ("report.md".to_owned(), markdown(args, cases, &charts)),
    ];
    files.extend(charts.into_iter().map(|chart| (format!("{}.svg", chart.name), chart.svg)));
    for (name, text) in files {
        fs::write(folder.join(&name), text).with_context(|| folder.join(&name).display().to_string())?;
    }
    say(&format!("report: {}", folder.join("report.html").display()))?;
    Ok(())
}

fn markdown(args: &Args, cases: &[Case], charts: &[Chart]) -> String {
    let mut text = format!("# {HEADING}\n\n{}\n\n", about(args));
    // Writing to a string does not fail.
    for rule in rules(cases) {
        let _ = writeln!(text, "- **{}**: {}", rule.name, told(rule));
    }
    for chart in charts {
        let _ = write!(text, "\n![{}]({}.svg)\n", chart.title, chart.name);
    }
    for cases in supplies(cases) {
        let (riders, offers) = (Table::of_riders(cases).markdown(), Table::of_offers(cases).markdown());
        let _ = write!(text, "\n## {}\n\n{riders}\n{offers}", title(cases));
    }
    text
}

fn html(args: &Args, cases: &[Case], charts: &[Chart]) -> String {
    let mut text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{HEADING}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n<h1>{HEADING}</h1>\n\
         <p>{}</p>\n<ul>\n",
        escape(&about(args)),
    );
    // Writing to a string does not fail.
    for rule in rules(cases) {
        let _ = writeln!(text, "<li><strong>{}</strong>: {}</li>", escape(&rule.name), escape(&told(rule)));
    }
    text.push_str("</ul>\n");
    for chart in charts {
        text.push_str(&chart.svg);
    }
    for cases in supplies(cases) {
        let (riders, offers) = (Table::of_riders(cases).html(), Table::of_offers(cases).html());
        let _ = write!(text, "<h2>{}</h2>\n{riders}{offers}", escape(&title(cases)));
    }
    text + "</body></html>\n"
}

/// What was simulated.
fn about(args: &Args) -> String {
    let demand = match &args.data.demand {
        Some(file) => format!("Trips of {}", file.display()),
        None => format!(
            "Manhattan, {} to {} o'clock, {} requests an hour on average",
            args.hours.start, args.hours.end, args.requests_per_hour
        ),
    };
    let warm_up = match args.warm_up {
        Duration::ZERO => "All orders are counted".to_owned(),
        time => format!("The first {} s are not counted", number(time.as_secs_f64(), 0)),
    };
    format!(
        "{demand}; every rule meets the same riders and drivers. {warm_up}. Percentages, means and percentiles are means over \
         the seeds, ± their standard deviation. What is assumed and what is left out: docs/simulator.md."
    )
}

/// Those that were compared, each once.
fn rules(cases: &[Case]) -> impl Iterator<Item = &Rule> {
    supplies(cases).next().into_iter().flatten().map(|case| &case.rule)
}

fn told(rule: &Rule) -> String {
    let settings = if rule.settings.is_empty() { "the server's defaults".to_owned() } else { rule.describe() };
    rule.about().map_or_else(|| settings.clone(), |about| format!("{about} ({settings})"))
}
