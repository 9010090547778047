//! One instance of a module in the waPC host that Kubewarden's policy server uses.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use wapc::WapcHost;
use wasmtime_provider::{EpochDeadlines, WasmtimeEngineProviderPre};

use super::Fault;

/// How many ticks of the engine's clock a call may last.
pub(super) const TICKS: u32 = 20;

/// The function that answers calls.
pub(super) const CALL: &str = "__guest_call";

/// What the host says of a call that was interrupted; it has no other way to say it.
const INTERRUPTED: &str = "execution deadline exceeded";

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
        let host = WapcHost::new(
            Box::new(provider),
            Some(Box::new(move |_, binding: &str, namespace: &str, operation: &str, _: &[u8]| {
                host_call(binding, namespace, operation).map_err(|capability| {
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(capability.clone());
                    Box::<dyn Error + Send + Sync>::from(capability)
                })
            })),
        );
        let host = host.map_err(|error| stopped(&error.to_string()))?;
        Ok(Self { host, missing, is_sound: true })
    }

    /// Asks the module something.
    pub(super) fn call(&mut self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let answer = self.host.call(operation, payload);
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

/// Why a module gave no answer.
fn stopped(reason: &str) -> Fault {
    if reason.contains(INTERRUPTED) { Fault::Timeout } else { Fault::Error(reason.to_owned()) }
}

/// Does what a module asks of the host (<https://docs.kubewarden.io/reference/spec/host-capabilities/intro-host-capabilities>):
/// it is allowed to log. All else wants a cluster or the network, and is returned as missing.
fn host_call(binding: &str, namespace: &str, operation: &str) -> Result<Vec<u8>, String> {
    match (binding, namespace, operation) {
        ("kubewarden", "tracing", "log") => Ok(Vec::new()),
        ("kubewarden", ..) => Err(format!("{namespace}/{operation}")),
        _ => Err(format!("{binding}/{namespace}/{operation}")),
    }
}
