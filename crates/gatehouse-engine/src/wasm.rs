//! Policies as WebAssembly modules: ours, and any that Kubewarden's policy server runs in its waPC mode.
//!
//! They run in the waPC host that the policy server uses, with nothing in their reach: no network and no files.
//! What a module asks of a cluster or a registry is answered by whoever [`Answers`]; what nobody here can answer is an error
//! that says so.

mod answer;
mod guest;
mod host;
mod payload;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, thread};

use gatehouse_policy::module::printable;
use gatehouse_policy::{Configured, Finding, Node, ReadError, Request};
use kubewarden_policy_sdk::metadata::ProtocolVersion;
use kubewarden_policy_sdk::response::ValidationResponse;
use kubewarden_policy_sdk::settings::SettingsValidationResponse;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wasmparser::{Parser, Payload};
use wasmtime_provider::wasmtime::{self, CacheConfig, Config, Engine};
use wasmtime_provider::{WasmtimeEngineProviderBuilder, WasmtimeEngineProviderPre};

pub use host::{Answers, Own, Replay};
pub use payload::payload;

use answer::Refusal;
use guest::Guest;

/// How long a call may last, as in the policy server.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// The custom section that holds a policy's metadata.
const METADATA_SECTION: &str = "io.kubewarden.metadata";

/// The execution mode of modules that speak waPC.
const WAPC_MODE: &str = "kubewarden-wapc";

/// Where compiled modules are kept, so that they need not be compiled again. Whoever can write there decides what is run.
#[derive(Clone, Debug)]
pub enum Cache {
    /// In the user's cache folder; nowhere if there is none, or it cannot be written.
    User,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere.
    Off,
}

/// Compiles modules.
#[derive(Clone)]
pub struct Modules {
    engine: Engine,
}

impl Modules {
    /// A compiler of modules whose calls may each last for `timeout`.
    ///
    /// # Errors
    /// Where the engine does not run on this machine, or the cache's folder is given and not fit for it.
    pub fn new(cache: &Cache, timeout: Duration) -> Result<Self, ModuleError> {
        Self::start(cache, timeout)
            .map_err(|error| ModuleError::new("the WebAssembly engine", Fault::Engine(error.root_cause().to_string())))
    }

    fn start(cache: &Cache, timeout: Duration) -> wasmtime::Result<Self> {
        let compiled = |folder: PathBuf| {
            let mut config = CacheConfig::new();
            config.with_directory(folder);
            wasmtime::Cache::new(config)
        };
        let cache = match cache {
            Cache::User => user_cache().and_then(|folder| compiled(folder).ok()),
            Cache::Folder(folder) => Some(compiled(std::path::absolute(folder)?)?),
            Cache::Off => None,
        };
        let mut config = Config::new();
        // Modules of newer Go compilers use function references.
        config.cache(cache).epoch_interruption(true).wasm_function_references(true);
        // The host shows only the outermost part of an error. With a backtrace that is the backtrace, not the reason.
        config.wasm_backtrace_max_frames(None);
        let engine = Engine::new(&config)?;
        tick(&engine, timeout)?;
        Ok(Self { engine })
    }

    /// Compiles a module, or takes it from the cache, and makes sure that it is a policy. `name` is what the policy is
    /// called in errors and findings.
    ///
    /// # Errors
    /// Where it is none that can run here.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, ModuleError> {
        self.prepare(name, bytes).map_err(|fault| ModuleError::new(name, fault))
    }

    fn prepare(&self, name: &str, bytes: &[u8]) -> Result<Module, Fault> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Fault::NotWasm("it does not begin like one".to_owned()));
        }
        let broken = |error: wasmtime::Error| Fault::NotWasm(error.root_cause().to_string());
        let compiled = wasmtime::Module::new(&self.engine, bytes).map_err(broken)?;
        let metadata = metadata(bytes)?;
        let mode = metadata.as_ref().and_then(|metadata| metadata.get("executionMode")?.as_str()).unwrap_or(WAPC_MODE);
        if mode != WAPC_MODE {
            return Err(Fault::NotWapc(format!("its execution mode is {mode}")));
        }
        if compiled.get_export(guest::CALL).is_none() {
            return Err(Fault::NotWapc(format!("it has no {}", guest::CALL)));
        }
        let module = WasmtimeEngineProviderBuilder::new()
            .engine(self.engine.clone())
            .module(compiled)
            .build_pre()
            .map_err(|error| Fault::Import(error.to_string()))?;
        let module = Module(Arc::new(Loaded {
            name: name.to_owned(),
            metadata,
            module,
            id: LOADED.fetch_add(1, Ordering::Relaxed),
        }));
        match module.ask("protocol_version", b"")? {
            ProtocolVersion::V1 => Ok(module),
            other @ ProtocolVersion::Unknown => {
                Err(Fault::Answer(format!("its protocol version is {other:?}, not V1")))
            }
        }
    }
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Modules").finish_non_exhaustive()
    }
}

/// Advances the engine's clock for as long as anything uses the engine: a module that runs past its deadline is stopped.
fn tick(engine: &Engine, timeout: Duration) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let tick = (timeout / guest::TICKS).max(Duration::from_millis(1));
    thread::Builder::new().name("gatehouse-clock".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(tick);
        }
    })?;
    Ok(())
}

/// The user's cache folder for compiled modules, where each system has it.
fn user_cache() -> Option<PathBuf> {
    let folder = |variable| env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let caches = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))
    };
    Some(caches?.join("gatehouse"))
}

/// The metadata that Kubewarden's tools put into a module, if they did.
fn metadata(bytes: &[u8]) -> Result<Option<Value>, Fault> {
    for section in Parser::new(0).parse_all(bytes) {
        match section {
            Ok(Payload::CustomSection(section)) if section.name() == METADATA_SECTION => {
                let metadata = serde_json::from_slice(section.data());
                return metadata.map(Some).map_err(|error| Fault::Answer(format!("its metadata is not JSON: {error}")));
            }
            Ok(_) => {}
            Err(error) => return Err(Fault::NotWasm(error.to_string())),
        }
    }
    Ok(None)
}

/// A compiled module. It is cheap to clone, and threads can share it: each has an instance of its own.
#[derive(Clone)]
pub struct Module(Arc<Loaded>);

struct Loaded {
    name: String,
    metadata: Option<Value>,
    module: WasmtimeEngineProviderPre,
    /// Tells it from every other module in this process.
    id: usize,
}

/// How many modules were loaded.
static LOADED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The instances of this thread, by module: waPC's hosts stay in the thread that started them.
    static GUESTS: RefCell<HashMap<usize, Guest>> = RefCell::default();
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Module {
    /// The name it was loaded under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its `metadata.yml` as JSON, if it carries one.
    #[must_use]
    pub fn metadata(&self) -> Option<&Value> {
        self.0.metadata.as_ref()
    }

    /// Has the module look at its settings, JSON, before it judges by them.
    ///
    /// # Errors
    /// Where it refuses them, or fails.
    pub fn validate_settings(&self, settings: &str) -> Result<(), ModuleError> {
        let fault = match self.ask("validate_settings", settings.as_bytes()) {
            Ok(SettingsValidationResponse { valid: true, .. }) => return Ok(()),
            Ok(refusal) => Fault::Settings(refusal.message.unwrap_or_else(|| "it does not say why".to_owned())),
            Err(fault) => fault,
        };
        Err(ModuleError::new(self.name(), fault))
    }

    /// Has the module judge a [`payload`], and returns its answer as it is.
    ///
    /// # Errors
    /// Where it fails.
    pub fn validate(&self, payload: &[u8]) -> Result<ValidationResponse, ModuleError> {
        self.ask("validate", payload).map_err(|fault| ModuleError::new(self.name(), fault))
    }

    /// Gives the module its settings, once, for any number of requests. An absent document is the defaults.
    ///
    /// # Errors
    /// Where it refuses them, or fails.
    pub fn configure(&self, settings: &Node<'_>) -> Result<ConfiguredModule, ModuleError> {
        let settings = if settings.is_null() { Value::Object(serde_json::Map::new()) } else { settings.to_value() };
        self.validate_settings(&settings.to_string())?;
        let without_fix = (settings["fix"] == true).then(|| {
            let mut settings = settings.clone();
            settings["fix"] = Value::Bool(false);
            settings.to_string()
        });
        let own = self.own(&settings);
        Ok(ConfiguredModule { module: self.clone(), settings: settings.to_string(), without_fix, own })
    }

    /// As [`Self::call`], where somebody answers what the module asks of the host.
    ///
    /// # Errors
    /// Where it fails.
    pub fn call_among(
        &self,
        operation: &str,
        payload: &[u8],
        answers: &Arc<dyn Answers>,
    ) -> Result<Vec<u8>, ModuleError> {
        host::answered_by(Some(Arc::clone(answers)), || self.call(operation, payload))
    }

    /// The policy of Gatehouse that it is compiled of, with its settings, if there is one.
    fn own(&self, settings: &Value) -> Option<Arc<Configured>> {
        let title = self.metadata()?["annotations"]["io.kubewarden.policy.title"].as_str()?;
        let settings = settings.to_string();
        crate::policy(title)?.configure(&Node::from_json(settings.as_bytes()).ok()?).ok().map(Arc::new)
    }

    /// Calls one of the module's functions, and returns its answer byte for byte.
    ///
    /// # Errors
    /// Where it fails.
    pub fn call(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, ModuleError> {
        self.answer(operation, payload).map_err(|fault| ModuleError::new(self.name(), fault))
    }

    /// Calls the module on this thread's instance, or else a new one. One that failed is never called again.
    fn answer(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let kept = GUESTS.with_borrow_mut(|guests| guests.remove(&self.0.id));
        let mut guest = kept.map_or_else(|| Guest::start(&self.0.module), Ok)?;
        let answer = guest.call(operation, payload);
        if guest.is_sound {
            GUESTS.with_borrow_mut(|guests| guests.insert(self.0.id, guest));
        }
        answer
    }

    fn ask<A: DeserializeOwned>(&self, operation: &str, payload: &[u8]) -> Result<A, Fault> {
        serde_json::from_slice(&self.answer(operation, payload)?)
            .map_err(|error| Fault::Answer(format!("its answer to {operation} is not the one expected: {error}")))
    }
}

/// A module with its settings: what [`Configured`](gatehouse_policy::Configured) is to a policy that is linked in.
#[derive(Clone, Debug)]
pub struct ConfiguredModule {
    module: Module,
    settings: String,
    /// The settings with `fix: false`, where they say `fix: true`.
    without_fix: Option<String>,
    /// The policy of Gatehouse that it is compiled of.
    own: Option<Arc<Configured>>,
}

impl ConfiguredModule {
    /// The module.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The policy of Gatehouse that it is compiled of, linked in.
    pub(crate) fn own(&self) -> Option<&Configured> {
        self.own.as_deref()
    }

    /// Judges a request. A policy made with the kit answers with the very findings it has where it is linked in. Of
    /// another one a refusal becomes one finding at deny level, a warning or a change to the object one at warn level,
    /// with the policy's name as their rule and the whole object as their place. `answers` answers what it asks.
    ///
    /// # Errors
    /// Where the object is not of the shape that the API gives its kind, or the module fails.
    pub fn review(
        &self,
        request: &Request<'_>,
        answers: Option<&Arc<dyn Answers>>,
    ) -> Result<Vec<Finding>, ReviewError> {
        host::answered_by(answers.cloned(), || self.judge(request))
    }

    fn judge(&self, request: &Request<'_>) -> Result<Vec<Finding>, ReviewError> {
        // A policy made with the kit that mends what it finds would report only what is left.
        if let Some(settings) = &self.without_fix
            && let Some(findings) = answer::from_kit(&self.ask(request, settings)?)
        {
            return self.answered(findings);
        }
        let response = self.ask(request, &self.settings)?;
        match answer::from_kit(&response) {
            Some(findings) => self.answered(findings),
            None => Ok(answer::from_any(self.module.name(), response, request.object)),
        }
    }

    fn answered(&self, findings: Result<Vec<Finding>, Refusal>) -> Result<Vec<Finding>, ReviewError> {
        findings.map_err(|refusal| match refusal {
            Refusal::Object(error) => ReviewError::Object(error),
            Refusal::Context(reason) => {
                ReviewError::Module(ModuleError::new(self.module.name(), Fault::Context(reason)))
            }
        })
    }

    fn ask(&self, request: &Request<'_>, settings: &str) -> Result<ValidationResponse, ReviewError> {
        let payload = payload(request, settings)
            .map_err(|error| ReviewError::Object(ReadError::new(format!("it cannot be written as JSON: {error}"))))?;
        self.module.validate(&payload).map_err(ReviewError::Module)
    }
}

/// Why a module has no verdict on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewError {
    /// The object cannot be read: whoever wrote it is to mend it.
    Object(ReadError),
    /// The module fails, whatever the object.
    Module(ModuleError),
}

impl Display for ReviewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(error) => error.fmt(f),
            Self::Module(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReviewError {}

/// What is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleError {
    /// The name it was loaded under.
    pub module: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No module can run at all.
    Engine(String),
    /// It is not WebAssembly.
    NotWasm(String),
    /// It is WebAssembly, but does not speak waPC.
    NotWapc(String),
    /// It needs functions that neither WASI nor waPC has.
    Import(String),
    /// It does not answer as policies do.
    Answer(String),
    /// It refuses its settings.
    Settings(String),
    /// It answers with an error.
    Error(String),
    /// It crashed.
    Trap(String),
    /// It ran for too long.
    Timeout,
    /// It asked for something that only a cluster or the network has.
    Capability(String),
    /// It was not told what is around an object; why.
    Context(String),
}

impl ModuleError {
    fn new(module: &str, fault: Fault) -> Self {
        Self { module: module.to_owned(), fault }
    }
}

impl Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = format!("{}: {}", self.module, self.fault);
        f.write_str(&printable(&message))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(reason) => write!(f, "it cannot start: {reason}"),
            Self::NotWasm(reason) => {
                write!(f, "not a WebAssembly module: {reason}; give the .wasm file of a Kubewarden policy")
            }
            Self::NotWapc(reason) => write!(
                f,
                "not a policy that can run here: {reason}; only Kubewarden's waPC policies can, Rego (OPA, Gatekeeper) and \
                 WASI ones cannot"
            ),
            Self::Import(reason) => write!(f, "it needs what no Kubewarden host offers: {reason}"),
            Self::Answer(reason) => write!(f, "it does not answer as a Kubewarden policy: {reason}"),
            Self::Settings(reason) => write!(f, "it refuses its settings: {reason}"),
            Self::Error(reason) => write!(f, "it failed: {reason}"),
            Self::Trap(reason) => write!(f, "it crashed: {reason}"),
            Self::Timeout => f.write_str("it was stopped: it ran for longer than a policy may"),
            Self::Context(reason) => write!(f, "it is not known what is around the object: {reason}"),
            Self::Capability(capability) => {
                let whose =
                    if capability.starts_with("kubernetes/") { " of a cluster (contextAwareResources)" } else { "" };
                write!(
                    f,
                    "it asks for {capability}{whose}, which is not available here; leave this policy to the cluster's \
                     policy server"
                )
            }
        }
    }
}

impl std::error::Error for ModuleError {}
