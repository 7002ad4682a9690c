//! The binary `holodrive`; everything is in the library.

use std::process::ExitCode;

/// Gives memory back when a crowd has left; how it is set is in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    holodrive::cli::main()
}
