//! `holodrive config`: every setting in effect, and where it came from.

use clap::Args;

use super::print;
use crate::config::{Config, Effective, Setting, Source, reference};

#[derive(Args)]
pub(super) struct ConfigArgs {
    /// Print the reference of all settings instead, in Markdown
    #[arg(long)]
    reference: bool,
}

pub(super) fn run(config: &Config, args: &ConfigArgs) -> anyhow::Result<()> {
    if args.reference {
        return print(&reference());
    }
    let names = config.effective().iter().map(|effective| effective.setting.variable().len());
    let width = names.max().unwrap_or_default();
    let lines = config.effective().iter().map(|effective| line(effective, width));
    print(&lines.collect::<String>())
}

fn line(effective: &Effective, width: usize) -> String {
    let Effective { setting, value, source } = effective;
    let value = match (value.as_str(), source) {
        ("", Source::Generated) => "(made at the first start)",
        ("", _) => "(none)",
        (value, _) => value,
    };
    format!("{:width$}  {source:11}  {value}\n", Setting::variable(setting))
}
