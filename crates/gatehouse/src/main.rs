//! The `gatehouse` command.

use std::process::ExitCode;

use clap::Parser;
use gatehouse::cli::{Cli, run};

/// The tree of a manifest is many small vectors, made and dropped by every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(&Cli::parse())
}
