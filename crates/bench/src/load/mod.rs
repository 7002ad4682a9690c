//! The load generator: any server that speaks the paths of the contract, over real sockets.

mod chat;
mod crew;
mod figures;
mod frame;
mod fresh;
mod handshake;
mod inbox;
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
pub(crate) use figures::Figures;
pub(crate) use observed::{Observed, load_average};
pub(crate) use scenario::{Resize, Target, Time, Work};
