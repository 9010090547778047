//! One instance of a module in the waPC host that Kubewarden's policy server uses.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use wapc::WapcHost;
use wasmtime_provider::{EpochDeadlines, WasmtimeEngineProviderPre};

use super::Fault;
use super::host::{self, Unanswered};

/// How many ticks of the engine's clock a call may last.
pub(super) const TICKS: u32 = 20;

/// The function that answers calls.
pub(super) const CALL: &str = "__guest_call";

/// What the host says of a call that was interrupted; it has no other way to say it.
const INTERRUPTED: &str = "execution deadline exceeded";

/// What the host says of a call that the engine ended contains this.
const TRAP: &str = "wasm trap: ";

/// An instance of a module, ready to be called.
pub(super) struct Guest {
    host: WapcHost,
    /// What the module asked for and the host cannot do.
    missing: Arc<Mutex<Option<String>>>,
    /// Whether its last call ended as it should. If not, its memory is in any state, and it is not to be called again.
    pub(super) is_sound: bool,
}

impl Guest {
    /// Starts an instance. It has no files, no environment and no network.
    pub(super) fn start(module: &WasmtimeEngineProviderPre) -> Result<Self, Fault> {
        let deadlines = EpochDeadlines { wapc_init: TICKS.into(), wapc_func: TICKS.into() };
        let provider = module.rehydrate(Some(deadlines)).map_err(|error| Fault::Trap(error.to_string()))?;
        let missing = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&missing);
        let callback = move |_, binding: &str, namespace: &str, operation: &str, payload: &[u8]| {
            host::call(binding, namespace, operation, payload).map_err(|unanswered| match unanswered {
                Unanswered::Missing(capability) => {
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(capability.clone());
                    Box::<dyn Error + Send + Sync>::from(capability)
                }
                Unanswered::Refused(reason) => reason.into(),
            })
        };
        let host = guarded(|| WapcHost::new(Box::new(provider), Some(Box::new(callback))))?;
        let host = host.map_err(|error| stopped(&error.to_string()))?;
        Ok(Self { host, missing, is_sound: true })
    }

    /// Asks the module something.
    pub(super) fn call(&mut self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        self.is_sound = false;
        let answer = guarded(|| self.host.call(operation, payload))?;
        self.is_sound = answer.is_ok();
        // A module may do without what it was refused, or fail for want of it: either way its answer is worth nothing.
        if let Some(capability) = self.missing.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(Fault::Capability(capability));
        }
        answer.map_err(|error| match error {
            wapc::errors::Error::GuestCallFailure(reason) => stopped(&reason),
            other => Fault::Error(other.to_string()),
        })
    }
}

/// Runs a module. The host panics where one points outside its memory; its instance is then to be thrown away.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Fault::Trap("it broke the waPC protocol".to_owned()))
}

/// Why a module gave no answer.
fn stopped(reason: &str) -> Fault {
    if reason.contains(INTERRUPTED) {
        Fault::Timeout
    } else if reason.contains(TRAP) {
        Fault::Trap(reason.to_owned())
    } else {
        Fault::Error(reason.to_owned())
    }
}
