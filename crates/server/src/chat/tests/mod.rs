mod back_end;
mod conversations;
mod interleavings;
mod messages;
mod socket;
