//! The command line.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
#[cfg(feature = "wasm")]
use std::sync::OnceLock;

use clap::{Args, Parser, Subcommand, ValueEnum};
#[cfg(feature = "wasm")]
use gatehouse_engine::Asks;
#[cfg(feature = "wasm")]
use gatehouse_engine::wasm::{Answers, Cache, ModuleError, Modules, Own, Replay, TIMEOUT};
use gatehouse_engine::{Evaluator, Known, Surroundings};
use gatehouse_manifest::{Format, decode, read};
use gatehouse_policy::Node;
use gatehouse_policy::module::printable;

use crate::check::{Checker, DEFAULT_NAMESPACE, KnownNamespaces, Problem, Summary};
use crate::documentation;
use crate::images::images;
use crate::inputs::{Inputs, reason};
use crate::kustomize::Kustomizations;
use crate::profile::{Profile, ProfileError, Runner};
use crate::report::{Json, Output, Pretty, Render};

/// Checks Kubernetes manifests with the very policies that guard the cluster.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check manifests: exit status 0 if nothing is denied, 1 if something is, 2 if something could not be checked
    Check(Check),
    /// List the policies and their rules
    Policies,
    /// Print the documentation of a rule, such as required-probes/liveness, or of a policy
    Explain {
        /// The rule or policy
        rule: String,
    },
}

#[derive(Debug, Args)]
struct Check {
    /// Files, folders (searched for .yaml, .yml and .json, Dockerfiles and nginx.conf; .gitignore is honoured, and what is hidden skipped), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Which policies judge, and by which settings: baseline, strict, herald, or a file or folder of `ClusterAdmissionPolicy` manifests
    #[arg(long, value_name = "NAME|FILE|DIR", default_value = "baseline")]
    profile: String,
    /// How Gatehouse's policies are run: linked in, or as the modules that a cluster loads
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// The folder with Gatehouse's modules, for --engine wasm
    #[arg(long, value_name = "DIR", env = "GATEHOUSE_MODULES")]
    modules: Option<PathBuf>,
    /// Judge by this Kubewarden module alone, Gatehouse's or not
    #[arg(long, value_name = "FILE.wasm", conflicts_with = "profile")]
    policy: Option<PathBuf>,
    /// The settings of --policy, as YAML or JSON
    #[arg(long, value_name = "FILE", requires = "policy")]
    settings: Option<PathBuf>,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output_format: OutputFormat,
    /// Files and folders that are looked at and not judged: what objects refer to may be there
    #[arg(long, value_name = "PATH", num_args = 1..)]
    context: Vec<PathBuf>,
    /// A folder of images in OCI's layout, for the policies that look into images
    #[arg(long, value_name = "DIR")]
    oci_layout: Vec<PathBuf>,
    /// A recording of kwctl (--record-host-capabilities-interactions): what modules ask of a cluster is answered from it
    #[cfg(feature = "wasm")]
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// The namespace of objects that name none
    #[arg(long, short, default_value = DEFAULT_NAMESPACE)]
    namespace: String,
    /// Name what is skipped, such as documents that are no Kubernetes objects, and the objects that no policy judges
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Linked in: fastest
    #[default]
    Native,
    /// As WebAssembly in the waPC host that Kubewarden uses
    Wasm,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum OutputFormat {
    /// For people: the line, what is wrong there, how to mend it
    #[default]
    Pretty,
    /// One object with findings, errors and numbers
    Json,
}

/// Nothing at deny level.
const CLEAN: u8 = 0;
/// Findings at deny level.
const DENIED: u8 = 1;
/// Something could not be checked.
const FAILED: u8 = 2;

/// Runs the command.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    let status = match &cli.command {
        Command::Check(check) => check.run(),
        Command::Policies => print(&documentation::policies()),
        Command::Explain { rule } => match documentation::explain(rule) {
            Ok(page) => print(&page),
            Err(error) => fail(&error),
        },
    };
    ExitCode::from(status)
}

fn print(text: &str) -> u8 {
    // Whoever closes the pipe has seen enough.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    CLEAN
}

fn fail(error: &dyn fmt::Display) -> u8 {
    let _ = writeln!(anstream::stderr(), "error: {}", printable(&error.to_string()));
    FAILED
}

impl Check {
    fn run(&self) -> u8 {
        match self.output_format {
            OutputFormat::Pretty => self.print(&Pretty, anstream::stdout()),
            // There is no colour in it that would have to be taken out.
            OutputFormat::Json => self.print(&Json, std::io::stdout()),
        }
    }

    fn print(&self, render: &impl Render, out: impl std::io::Write) -> u8 {
        let mut out = std::io::BufWriter::new(out);
        let mut err = anstream::stderr();
        let mut output = Output::new(&mut out, &mut err, render, self.verbose);
        let profile = match self.load() {
            Ok(profile) => profile,
            Err(errors) => {
                for error in &errors {
                    fail(error);
                }
                let summary = Summary { problems: errors.len(), ..Summary::default() };
                output.errors(errors.into_iter().map(ProfileError::into_problem).collect());
                // Whoever closes the pipe has seen enough.
                let _ = output.report(&summary);
                return FAILED;
            }
        };
        match self.check(&profile, render, output) {
            Ok(summary) if summary.problems > 0 => FAILED,
            Ok(summary) if summary.denied > 0 => DENIED,
            Ok(_) => CLEAN,
            Err(error) => fail(&format!("the report cannot be written: {error}")),
        }
    }

    fn check<R: Render>(&self, profile: &Profile, render: &R, mut output: Output<'_, R>) -> std::io::Result<Summary> {
        let inputs = Inputs::search(&self.paths, &|path| profile.judges_file(path));
        let context = Inputs::search(&self.context, &|_| false);
        for folder in inputs.empty.iter().chain(&context.empty) {
            let name = printable(&folder.display().to_string());
            let _ = writeln!(
                anstream::stderr(),
                "note: {name}: there are no manifests (.yaml, .yml, .json) in this folder"
            );
        }
        if self.verbose {
            for file in &inputs.hidden {
                let name = printable(&file.display().to_string());
                let _ = writeln!(anstream::stderr(), "skipped: {name}: it is hidden");
            }
        }
        let namespaces = if profile.policies.iter().any(crate::profile::ProfilePolicy::needs_namespaces) {
            KnownNamespaces::among(&inputs.inputs)
        } else {
            KnownNamespaces::default()
        };
        let mut checker = Checker {
            profile,
            namespace: &self.namespace,
            namespaces,
            kustomizations: Kustomizations::of(&inputs.inputs),
            asks: profile.asks(),
            known: Known::default(),
        };
        let mut unread = Vec::new();
        for (path, reason) in inputs.errors.iter().chain(&context.errors) {
            unread.push(Problem::of_file(path.display().to_string(), reason.clone()));
        }
        let around = self.around(&mut checker, &inputs, &context, &mut unread);
        for Problem { file, span, message, .. } in &unread {
            let place = if span.line > 0 { format!(":{}:{}", span.line, span.column) } else { String::new() };
            fail(&format!("{file}{place}: {message}"));
        }
        let mut summary = checker.run(&inputs.inputs, around, render, &mut output)?;
        summary.problems += unread.len();
        summary.hidden = inputs.hidden.len();
        output.errors(unread);
        output.finish(&summary)?;
        Ok(summary)
    }

    /// What is around the objects before they are read: images, generated objects, and files that are not judged. Modules ask
    /// while they judge, so for them the files that are judged are read once before.
    fn around(
        &self,
        checker: &mut Checker<'_>,
        inputs: &Inputs,
        context: &Inputs,
        unread: &mut Vec<Problem>,
    ) -> Arc<Surroundings> {
        let mut around = Surroundings::new(inputs.is_whole() || !self.context.is_empty());
        for folder in &self.oci_layout {
            match images(folder) {
                Ok(images) => {
                    for (image, config) in images {
                        checker.known.images.add_image(&image, config.clone());
                        around.add_image(&image, config);
                    }
                }
                Err((file, reason)) => unread.push(Problem::of_file(file.display().to_string(), reason)),
            }
        }
        let (pieces, problems) = checker.look(&context.inputs);
        unread.extend(problems);
        for piece in pieces.into_iter().chain(checker.kustomizations.generated()) {
            around.add(piece);
        }
        #[cfg(feature = "wasm")]
        if checker.profile.has_modules() {
            // What cannot be read there is said when it is judged.
            checker.look(&inputs.inputs).0.into_iter().for_each(|piece| around.add(piece));
            checker.asks = Asks::default();
            let around = Arc::new(around);
            let others: Arc<dyn Answers> = Arc::clone(&around) as _;
            checker.known.own = Some(Arc::new(Own(Arc::clone(&around))));
            checker.known.others = Some(others);
            if let Some(file) = &self.replay {
                match replay(file) {
                    Ok(replay) => {
                        let replay: Arc<dyn Answers> = Arc::new(replay);
                        checker.known.own = Some(Arc::clone(&replay));
                        checker.known.others = Some(replay);
                    }
                    Err(reason) => unread.push(Problem::of_file(file.display().to_string(), reason)),
                }
            }
            return around;
        }
        Arc::new(around)
    }

    fn load(&self) -> Result<Profile, Vec<ProfileError>> {
        let runner = Engines {
            engine: self.engine,
            modules: self.modules.clone(),
            #[cfg(feature = "wasm")]
            compiler: OnceLock::new(),
        };
        let Some(module) = &self.policy else { return Profile::load(&self.profile, &runner) };
        let name = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |profile: &Path, reason: String| vec![ProfileError::of(profile.display().to_string(), reason)];
        let empty = Node::empty();
        let loaded = match &self.settings {
            None => runner.file(module, &empty),
            Some(file) => {
                let bytes = std::fs::read(file).map_err(|error| failed(file, reason(&error)))?;
                let text = decode(&bytes).map_err(|error| failed(file, error.to_string()))?;
                match read(&text, Format::Detect).next() {
                    Some(Err(error)) => return Err(failed(file, error.to_string())),
                    Some(Ok(document)) => runner.file(module, &document.node),
                    None => runner.file(module, &empty),
                }
            }
        };
        loaded.map(|evaluator| Profile::of(name, evaluator)).map_err(|reason| failed(module, reason))
    }
}

#[cfg(feature = "wasm")]
fn replay(file: &Path) -> Result<Replay, String> {
    let bytes = std::fs::read(file).map_err(|error| reason(&error))?;
    Replay::read(&decode(&bytes).map_err(|error| error.to_string())?)
}

/// Runs each policy as the command line says.
struct Engines {
    engine: Engine,
    modules: Option<PathBuf>,
    /// Started with the first module: most checks need none.
    #[cfg(feature = "wasm")]
    compiler: OnceLock<Result<Modules, ModuleError>>,
}

/// The repository path under which Gatehouse's modules are published, whatever the registry.
const PUBLISHED: &str = "/gatehouse/policies/";

impl Runner for Engines {
    fn evaluator(&self, module: &str, folder: Option<&Path>, settings: &Node<'_>) -> Result<Evaluator, String> {
        if is_wasm(Path::new(module)) && !module.contains("://") || module.starts_with("file://") {
            let path = Path::new(module.strip_prefix("file://").unwrap_or(module));
            return self.file(&folder.unwrap_or(Path::new("")).join(path), settings);
        }
        let name = policy_name(module);
        match (gatehouse_engine::policy(name), self.engine) {
            (None, _) => Err(format!(
                "{module} is neither a policy of Gatehouse nor a .wasm file; download other modules (kwctl pull) and name the file"
            )),
            (Some(policy), Engine::Native) => Evaluator::native(policy, settings).map_err(|error| error.to_string()),
            (Some(policy), Engine::Wasm) => self.file(&self.module(policy.name)?, settings),
        }
    }
}

/// The name of the policy that a `module` refers to: `registry://ghcr.io/gatehouse/policies/run-as-nonroot:v0.1.0`, or
/// just `run-as-nonroot`.
fn policy_name(module: &str) -> &str {
    match module.split_once(PUBLISHED) {
        Some((_, name)) => name.split([':', '@']).next().unwrap_or(name),
        None => module,
    }
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wasm"))
}

impl Engines {
    /// Gatehouse's own module of that name: in the folder that was named, beside the installed program, or where `make
    /// modules` leaves it.
    fn module(&self, name: &str) -> Result<PathBuf, String> {
        let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.parent()?.to_owned()));
        let folders: Vec<PathBuf> = match &self.modules {
            Some(folder) => vec![folder.clone()],
            None => beside
                .iter()
                .flat_map(|prefix| [prefix.join("share/gatehouse/modules"), prefix.join("modules")])
                .chain([PathBuf::from("target/modules")])
                .collect(),
        };
        let file = format!("{name}.wasm");
        folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file()).ok_or_else(|| {
            let searched: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            format!(
                "{file} is in none of {}; build it with `make modules`, or name its folder with --modules",
                searched.join(", ")
            )
        })
    }

    #[cfg(feature = "wasm")]
    fn file(&self, path: &Path, settings: &Node<'_>) -> Result<Evaluator, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {}", path.display(), reason(&error)))?;
        let modules = self.compiler.get_or_init(|| Modules::new(&Cache::User, TIMEOUT)).as_ref();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let module = modules.map_err(ToString::to_string)?.load(&name, &bytes).map_err(|error| error.to_string())?;
        module.configure(settings).map(Evaluator::module).map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "wasm"))]
    #[allow(clippy::unused_self)]
    fn file(&self, path: &Path, _: &Node<'_>) -> Result<Evaluator, String> {
        Err(format!("{}: this gatehouse was built without the WebAssembly engine", path.display()))
    }
}
