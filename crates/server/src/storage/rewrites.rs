//! Statements that a test breaks on purpose, to see whether its checks notice.

use std::{borrow::Cow, cell::Cell};

use super::{Storage, StorageError};

/// What a statement says, and what it is to say instead.
pub(crate) type Rewrite = (&'static str, &'static str);

thread_local! {
    /// Each storage has a writer's thread of its own, so this concerns no other.
    static REWRITES: Cell<&'static [Rewrite]> = const { Cell::new(&[]) };
}

impl Storage {
    /// From now on, what is written through this handle's writer is written so.
    pub(crate) async fn rewrite(&self, rewrites: &'static [Rewrite]) {
        let set = self.write(move |_| {
            REWRITES.set(rewrites);
            Ok::<_, StorageError>(())
        });
        set.await.unwrap();
    }
}

pub(super) fn rewritten(sql: &str) -> Cow<'_, str> {
    let found = REWRITES.get().iter().find(|(from, _)| sql.contains(from));
    found.map_or(Cow::Borrowed(sql), |(from, to)| Cow::Owned(sql.replace(from, to)))
}
