//! The way of a socket from one descriptor table into another.
//!
//! A descriptor's number means nothing in another table, so the kernel carries the socket (`SCM_RIGHTS`), over a pair of
//! sockets that both tables know. Each way is counted by places, for a socket that finds its table full would be lost.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::Shutdown,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use rustix::{
    cmsg_space,
    io::retry_on_intr,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};

/// Where sockets are put in.
pub(super) struct Sender {
    socket: UnixStream,
    turn: Mutex<()>,
}

/// Where they come out, in the same order.
pub(super) struct Receiver(UnixStream);

/// A way into another table.
pub(super) fn handover() -> io::Result<(Sender, Receiver)> {
    let (sender, receiver) = UnixStream::pair()?;
    Ok((Sender { socket: sender, turn: Mutex::default() }, Receiver(receiver)))
}

impl Sender {
    /// Sends a socket, and does `then` before anybody else sends. It waits while more are under way than the kernel keeps.
    ///
    /// # Errors
    /// When nobody receives any more; `then` is not done then.
    pub(super) fn send(&self, socket: &impl AsFd, then: impl FnOnce()) -> io::Result<()> {
        self.send_with(SendFlags::empty(), socket, then)
    }

    /// [`Sender::send`] that never waits.
    ///
    /// # Errors
    /// Also `WouldBlock`, when more are under way than the kernel keeps.
    pub(super) fn try_send(&self, socket: &impl AsFd, then: impl FnOnce()) -> io::Result<()> {
        self.send_with(SendFlags::DONTWAIT, socket, then)
    }

    fn send_with(&self, flags: SendFlags, socket: &impl AsFd, then: impl FnOnce()) -> io::Result<()> {
        let sockets = [socket.as_fd()];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&sockets));
        let flags = flags | SendFlags::NOSIGNAL;
        let _turn = self.turn.lock();
        retry_on_intr(|| sendmsg(&self.socket, &[IoSlice::new(&[0])], &mut control, flags))?;
        then();
        Ok(())
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Receiver {
    /// Takes out the next socket, which must have been sent.
    ///
    /// # Errors
    /// When there is none, or the table is full and the socket is lost.
    pub(super) fn receive(&self) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        retry_on_intr(|| recvmsg(&self.0, &mut [IoSliceMut::new(&mut [0])], &mut control, flags))?;
        let socket = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        socket.ok_or_else(|| io::Error::other("the descriptor table is full"))
    }

    /// Takes nothing more: whoever sends, or waits to, fails.
    pub(super) fn shut_down(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Both)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How many more sockets a loop takes.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<AtomicUsize>);

/// A place for one socket, free again when dropped.
pub(super) struct Place(Places);

impl Places {
    /// There are so many more.
    pub(super) fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes one, where there is one.
    pub(super) fn take(&self) -> Option<Place> {
        let one_less = |free: usize| free.checked_sub(1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok()?;
        Some(Place(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add(1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        io::{ErrorKind, Read, Write},
        net::{Ipv4Addr, TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn sockets_come_out_in_the_order_in_which_they_went_in_until_the_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (sender, receiver) = handover().unwrap();
        assert_eq!(receiver.receive().unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut peers = [peer(), peer()];
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.write_all(&[u8::try_from(number).unwrap()]).unwrap();
            sender.send(&listener.accept().unwrap().0, || {}).unwrap();
        }
        for number in 0..2 {
            let mut byte = [9];
            TcpStream::from(receiver.receive().unwrap()).read_exact(&mut byte).unwrap();
            assert_eq!(byte, [number]);
        }
        receiver.shut_down().unwrap();
        let refused = sender.send(&peer(), || unreachable!("nothing was sent"));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[test]
    fn who_must_not_wait_is_told_that_the_way_is_full() {
        let (sender, receiver) = handover().unwrap();
        let mut sent = 0;
        let full = loop {
            match sender.try_send(&receiver, || sent += 1) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        (0..sent).for_each(|_| drop(receiver.receive().unwrap()));
        assert_eq!(receiver.receive().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let places = Places::default();
        assert!(places.take().is_none());
        places.add(2);
        let (first, _second) = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none());
        drop(first);
        assert!(places.take().is_some());
    }
}
