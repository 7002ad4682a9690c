//! What a seed decides.

use proptest::prelude::*;

use super::super::deeds::{Deed, deed};

pub(super) const DRIVERS: usize = 4;
pub(super) const NODES: usize = 2;

/// What happens, from the first step to the last.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub(super) strategy: &'static str,
    pub(super) offers_per_driver: u8,
    /// Each at a node.
    pub(super) steps: Vec<(usize, Action)>,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Do(Deed),
    /// Somebody sees something, and decides what to do about it.
    Decide(Deed),
    /// He does it, whatever has become of it meanwhile.
    DoAsDecided,
    Connect(usize),
    HangUp(usize),
    Pong(usize),
    /// The dispatcher decides, and is interrupted before it carries that out.
    Plan,
    /// All nodes hear of everything, and their dispatchers decide.
    PlanAll,
    /// The dispatcher decides, this is done at the other node, and he carries out what he has decided.
    Interrupt(Deed),
    CarryOut,
    Settle,
    /// The node hears what the other has committed.
    CatchUp,
    /// Time passes, in milliseconds.
    Pass(u64),
    SetBack(u64),
    Restart,
    /// The node dies while it does this, or makes the first offer of what was planned.
    Die(Option<Deed>, Death),
}

/// When a node dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    BeforeCommit,
    /// Before anybody, its own connections included, was told.
    AfterCommit,
}

fn action() -> impl Strategy<Value = Action> {
    use Action::{
        CarryOut, CatchUp, Connect, Decide, Die, Do, DoAsDecided, HangUp, Interrupt, Pass, Plan, PlanAll, Pong,
        Restart, SetBack, Settle,
    };
    let driver = 0..DRIVERS;
    let death = prop_oneof![Just(Death::BeforeCommit), Just(Death::AfterCommit)];
    prop_oneof![
        54 => deed(DRIVERS).prop_map(Do),
        3 => deed(DRIVERS).prop_map(Decide),
        3 => Just(DoAsDecided),
        3 => driver.clone().prop_map(Connect),
        2 => driver.clone().prop_map(HangUp),
        2 => driver.prop_map(Pong),
        4 => Just(Plan),
        4 => Just(PlanAll),
        8 => deed(DRIVERS).prop_map(Interrupt),
        6 => Just(CarryOut),
        10 => Just(Settle),
        4 => Just(CatchUp),
        6 => prop_oneof![4 => 1..1_500_u64, 4 => 1_000..15_000_u64, 1 => Just(3_600_000)].prop_map(Pass),
        1 => prop_oneof![3 => 1..20_000_u64, 1 => Just(3_600_000)].prop_map(SetBack),
        1 => Just(Restart),
        3 => (prop::option::weighted(0.7, deed(DRIVERS)), death).prop_map(|(deed, death)| Die(deed, death)),
    ]
}

pub(super) fn schedule() -> impl Strategy<Value = Schedule> {
    let steps = prop::collection::vec((0..NODES, action()), 1..160);
    let strategy = prop_oneof![3 => Just("sequential"), 2 => Just("broadcast"), 1 => Just("batch")];
    let offers_per_driver = prop_oneof![Just(1), 2..4_u8];
    (strategy, offers_per_driver, steps).prop_map(|(strategy, offers_per_driver, steps)| Schedule {
        strategy,
        offers_per_driver,
        steps,
    })
}
