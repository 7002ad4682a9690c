use super::transitions::TripStep;

mod back_end;
mod clocks;
mod deadlines;
mod dispatching;
mod driver_screens;
mod interleavings;
mod invariants;
mod races;
mod refusals;
mod rider_screens;
mod scene;
mod schedule;
mod screen;
mod sockets;
mod town;
mod transitions;
