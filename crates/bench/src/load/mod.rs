//! The load generator: any server that speaks the paths of the contract, over real sockets.

mod chat;
mod crew;
mod figures;
mod frame;
mod fresh;
mod handshake;
mod inbox;
mod kernel;
mod ledger;
mod lines;
mod net;
mod observed;
mod opening;
mod ping;
mod quiet;
mod scenario;
mod storm;
mod talking;
mod text;

pub(crate) use chat::{Kind, Pace};
pub(crate) use crew::{Crew, Schedule, Work as LineWork};
pub(crate) use figures::Figures;
pub(crate) use kernel::KernelMemory;
pub(crate) use lines::{Door, Lines, Path};
pub(crate) use net::SOURCE_ADDRESSES;
pub(crate) use observed::{Observed, available_kib, load_average, own_cpu_time};
pub(crate) use opening::{each, newcomers, quiet_crew};
pub(crate) use quiet::Quiet;
pub(crate) use scenario::{Resize, Target, Time, Work};
