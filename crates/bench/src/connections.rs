//! What an idle connection costs: the growth of the server's memory.

use std::time::Instant;

use anyhow::Context;

use crate::{
    process, say,
    server::{Place, Server},
    site::Site,
    socket::connect_all,
};

/// Connections before the first look, so that what the server makes once is not counted.
const WARM_UP: usize = 100;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Connections, each of another user
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Where they connect
    #[arg(long, default_value = "/ws/notifications/")]
    path: String,
}

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    let count = args.count as usize;
    process::require_open_files(WARM_UP + count)?;
    let site = Site::prepare(place, &[])?;
    let members = site.add_members("user", WARM_UP + count, Some("Driver")).await?;
    let (first, rest) = members.split_at_checked(WARM_UP).context("too few users")?;
    let server = Server::start(place, &site)?;

    let mut open = connect_all(server.address(), &args.path, first).await?;
    let (process, before) = (server.process(), server.process().proportional_kib()?);
    let began = Instant::now();
    open.extend(connect_all(server.address(), &args.path, rest).await?);
    let seconds = began.elapsed().as_secs_f64();
    for socket in &mut open {
        socket.settle().await?;
    }
    let after = process.proportional_kib()?;

    #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
    let each = after.saturating_sub(before) as f64 / f64::from(args.count);
    say(&format!("{count} connections to {} opened in {seconds:.1} s", args.path))?;
    say(&format!("server: {before} KiB (PSS) before, {after} KiB with them: {each:.1} KiB for each"))?;
    Ok(())
}
