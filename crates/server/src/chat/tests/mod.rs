mod back_end;
mod back_end_access;
mod conversations;
mod interleavings;
mod messages;
mod socket;
