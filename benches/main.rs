//! What Gatehouse costs: the checker beside the time that a parser alone needs for the same files, and each policy
//! natively beside its module. `README.md` says what is measured and holds the numbers.
//!
//! `cargo bench --package gatehouse-benches` measures everything; with `-- worst` the worst objects alone; with
//! `-- corpus FOLDER [FILES]` it only writes the manifests, for whoever wants to measure another tool on them.

mod check;
mod corpus;
mod evaluations;
mod worst;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fmt, thread};

/// The checker's own, so that the parsers alone have no slower one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a measurement cannot go on after.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        ["corpus", folder] => write_corpus(folder, check::FILES),
        ["corpus", folder, files] => write_corpus(folder, files.parse()?),
        // The parsers alone, in a child process of `check::measure`.
        [check::PARSE, parser, folders @ ..] => check::parse(parser, folders),
        [] => {
            println!("{}, {} cores\n", processor(), thread::available_parallelism()?);
            // First: a child's peak memory is never less than what its parent has when it starts it.
            check::measure()?;
            println!();
            evaluations::measure()?;
            println!();
            evaluations::measure_around()?;
            println!();
            worst::measure()
        }
        ["worst"] => worst::measure(),
        ["around"] => evaluations::measure_around(),
        _ => Err(format!("unknown arguments {arguments:?}; there are: worst; around; corpus FOLDER [FILES]").into()),
    }
}

fn write_corpus(folder: &str, files: usize) -> Result<(), Failure> {
    let (_, size) = corpus::write(Path::new(folder), files)?;
    println!("{files} files, {size} bytes");
    Ok(())
}

fn processor() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Where cargo builds.
fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The same measurement several times.
#[derive(Clone, Debug, Default)]
struct Sample(Vec<f64>);

impl Sample {
    fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    fn median(&self) -> f64 {
        match self.0.len() {
            0 => f64::NAN,
            even if even % 2 == 0 => f64::midpoint(self.0[even / 2 - 1], self.0[even / 2]),
            odd => self.0[odd / 2],
        }
    }
}

/// The median, and the least and the most beside it.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, width) = (f.precision().unwrap_or(0), f.width().unwrap_or(0));
        let (least, most) = (self.0.first().unwrap_or(&f64::NAN), self.0.last().unwrap_or(&f64::NAN));
        let text = format!("{:.digits$} ({least:.digits$}..{most:.digits$})", self.median());
        write!(f, "{text:>width$}")
    }
}
