use super::transitions::TripStep;

mod deadlines;
mod dispatching;
mod invariants;
mod races;
mod refusals;
mod schedule;
mod sockets;
mod town;
mod transitions;
