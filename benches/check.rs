//! The checker as a whole, and the parsers alone, each in a process of its own.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use rayon::prelude::*;
use wait4::Wait4;

use crate::{Failure, Sample, corpus, root, target};

/// How many files the corpus has.
pub const FILES: usize = 10_000;
/// The part of it that shows whether memory grows with the number of files.
const FEW: usize = 1_000;
/// How often each is measured, in turn.
const ROUNDS: usize = 9;
/// The argument by which this program becomes a parser alone.
pub const PARSE: &str = "parse";
/// rayon's.
const THREADS: &str = "RAYON_NUM_THREADS";

/// Something to measure, and what came of it.
struct Subject {
    name: &'static str,
    command: Command,
    wall: Sample,
    cpu: Sample,
    memory: Sample,
}

impl Subject {
    /// A command over folders, on one core or on all.
    fn new(name: &'static str, program: &Path, arguments: &[&str], folders: &[PathBuf], one_core: bool) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).args(folders).env_remove(THREADS);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if one_core {
            command.env(THREADS, "1");
        }
        Self { name, command, wall: Sample::default(), cpu: Sample::default(), memory: Sample::default() }
    }

    /// Runs it once; returns the milliseconds it took.
    fn run(&mut self, counts: bool) -> Result<f64, Failure> {
        let start = std::time::Instant::now();
        let used = self.command.spawn()?.wait4()?;
        let wall = start.elapsed().as_secs_f64() * 1e3;
        if !matches!(used.status.code(), Some(0 | 1)) {
            return Err(format!("{}: {}", self.name, used.status).into());
        }
        if counts {
            self.wall.add(wall);
            self.cpu.add((used.rusage.utime + used.rusage.stime).as_secs_f64() * 1e3);
            #[allow(clippy::cast_precision_loss)]
            self.memory.add(used.rusage.maxrss as f64 / 1e6);
        }
        Ok(wall)
    }
}

/// Measures all in turn, round by round, and prints the table.
pub fn measure() -> Result<(), Failure> {
    let gatehouse = gatehouse()?;
    let this = env::current_exe()?;
    let folder = tempfile::tempdir()?;
    let (folders, size) = corpus::write(folder.path(), FILES)?;
    #[allow(clippy::cast_precision_loss)]
    let megabytes = size as f64 / 1e6;
    let few = &folders[..folders.len() * FEW / FILES];
    let check = ["check", "--profile", "herald", "--output-format", "json"];
    println!("{}", tried(&gatehouse, &check, &folders)?);
    println!("{FILES} files, {megabytes:.1} MB; median (least..most) of {ROUNDS} rounds\n");

    let mut subjects = [
        Subject::new("gatehouse check, all cores", &gatehouse, &check, &folders, false),
        Subject::new("saphyr-parser alone, all cores", &this, &[PARSE, "saphyr"], &folders, false),
        Subject::new("granit-parser alone, all cores", &this, &[PARSE, "granit"], &folders, false),
        Subject::new("gatehouse check, one core", &gatehouse, &check, &folders, true),
        Subject::new("saphyr-parser alone, one core", &this, &[PARSE, "saphyr"], &folders, true),
        Subject::new("granit-parser alone, one core", &this, &[PARSE, "granit"], &folders, true),
        Subject::new("gatehouse check, all cores, 1000 files", &gatehouse, &check, few, false),
    ];
    // gatehouse beside each parser, on all cores and on one.
    let pairs = [(0, 1), (0, 2), (3, 4), (3, 5)];
    let mut ratios = vec![Sample::default(); pairs.len()];
    for round in 0..=ROUNDS {
        // The first fills the system's cache of files.
        let counts = round > 0;
        let mut walls = Vec::new();
        for subject in &mut subjects {
            walls.push(subject.run(counts)?);
        }
        for (ratio, (of, to)) in ratios.iter_mut().zip(pairs).filter(|_| counts) {
            ratio.add(walls[of] / walls[to]);
        }
    }

    println!("{:<40}{:>22}{:>22}{:>24}", "", "wall ms", "CPU ms", "peak memory MB");
    for Subject { name, wall, cpu, memory, .. } in &subjects {
        println!("{name:<40}{wall:>22}{cpu:>22}{memory:>24.1}");
    }
    println!("\n{:<62}{:>22}{:>12}", "", "wall, times", "CPU, times");
    for (ratio, (of, to)) in ratios.iter().zip(pairs) {
        let (of, to) = (&subjects[of], &subjects[to]);
        let name = format!("{} / {}", of.name, to.name.split(',').next().unwrap_or_default());
        println!("{name:<62}{ratio:>22.2}{:>12.2}", of.cpu.median() / to.cpu.median());
    }
    Ok(())
}

/// The checker that is measured.
fn gatehouse() -> Result<PathBuf, Failure> {
    let program = env::var_os("GATEHOUSE_BIN").map_or_else(|| target().join("release/gatehouse"), PathBuf::from);
    let program = std::path::absolute(root().join(program))?;
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("{}: there is no such program; run `make build`, or name it by GATEHOUSE_BIN", program.display())
            .into())
    }
}

/// What the checker says of the corpus, once it is sure that it reads and judges all of it.
fn tried(gatehouse: &Path, arguments: &[&str], folders: &[PathBuf]) -> Result<String, Failure> {
    let output = Command::new(gatehouse).args(arguments).args(folders).stdout(Stdio::null()).output()?;
    let said = String::from_utf8(output.stderr)?;
    let is_whole = output.status.code() == Some(1) && said.contains(&format!("in {FILES} files"));
    if is_whole { Ok(said.trim_end().to_owned()) } else { Err(format!("{}: {said}", output.status).into()) }
}

/// Parses every file of the folders by a parser alone, and does nothing with what it finds.
pub fn parse(parser: &str, folders: &[&str]) -> Result<(), Failure> {
    let events: fn(&str) -> usize = match parser {
        "saphyr" => |text| {
            let events = saphyr_parser::Parser::new_from_str(text);
            events.filter(|event| black_box(event).is_ok()).count()
        },
        "granit" => |text| {
            let events = granit_parser::Parser::new_from_str(text);
            events.filter(|event| black_box(event).is_ok()).count()
        },
        _ => return Err(format!("there is no parser {parser}").into()),
    };
    let mut files = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    let all: usize = files
        .par_iter()
        .map(|file| {
            let bytes = fs::read(file).expect("the corpus can be read");
            events(str::from_utf8(&bytes).expect("the corpus is UTF-8"))
        })
        .sum();
    black_box(all);
    Ok(())
}
