mod conversations;
mod interleavings;
mod messages;
mod socket;
