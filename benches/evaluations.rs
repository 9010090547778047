//! Each policy linked in, beside its module in the waPC host, on one typical object.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use gatehouse_engine::wasm::{Cache, Modules};
use gatehouse_engine::{Evaluator, Known, POLICIES};
use gatehouse_manifest::{Document, Format, read};
use gatehouse_policy::{Node, Request};

use crate::{Failure, Sample, target};

/// What the policies of workloads judge: a Deployment and what belongs to it.
const DEPLOYMENT: &str = include_str!("../examples/herald/hardened/backend/deployment.yaml");
/// What those of traffic judge.
const INGRESS: &str = include_str!("../examples/herald/hardened/ingress/production-ingress.yaml");
/// What that of storage judges: a `PersistentVolume`.
const VOLUME: &str = include_str!("../examples/herald/hardened/storage/postgres-pv.yaml");
/// The settings.
const PROFILE: &str = include_str!("../profiles/herald.yaml");

/// How often each is measured, in turn.
const ROUNDS: usize = 9;
/// For how long each time.
const TIME: Duration = Duration::from_millis(200);
/// How many between two looks at the clock.
const BATCH: u32 = 50;

/// Measures all in turn, round by round, and prints the table.
pub fn measure() -> Result<(), Failure> {
    let folder = env::var_os("GATEHOUSE_MODULES").map_or_else(|| target().join("modules"), PathBuf::from);
    let compiler = Modules::new(&Cache::Off, Duration::from_secs(2))?;
    let profile = documents(PROFILE)?;
    let [backend, ingress, volume] = [documents(DEPLOYMENT)?, documents(INGRESS)?, documents(VOLUME)?];
    println!("evaluations a second on one core; median (least..most) of {ROUNDS} rounds\n");
    println!("{:<20}{:<26}{:>30}{:>30}{:>10}", "", "on a", "native", "module", "times");
    for policy in POLICIES {
        let document = match policy.name {
            "tls-ingress" => ingress.first(),
            "persistent-storage" => volume.first(),
            "service-exposure" => of_kind(&backend, "Service"),
            "autoscaling" => of_kind(&backend, "HorizontalPodAutoscaler"),
            _ => backend.first(),
        };
        let object = &document.ok_or_else(|| format!("{}: the example lacks its object", policy.name))?.node;
        let manifest = profile
            .iter()
            .find(|of| of.node.descend(&["metadata", "name"]).and_then(Node::as_str) == Some(policy.name));
        let empty = Node::empty();
        let settings = manifest.and_then(|of| of.node.descend(&["spec", "settings"])).unwrap_or(&empty);
        let path = folder.join(policy.name).with_extension("wasm");
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}; run `make modules`", path.display()))?;
        let native = Evaluator::native(policy, settings)?;
        let module = Evaluator::module(compiler.load(policy.name, &bytes)?.configure(settings)?);
        let request = Request::create(object, "default")?;
        let known = Known::default();
        if native.evaluate(&request, &known)?.alone()? != module.evaluate(&request, &known)?.alone()? {
            return Err(format!("{}: the module says something else; run `make modules`", policy.name).into());
        }
        let mut rates = [Sample::default(), Sample::default()];
        for _ in 0..ROUNDS {
            for (evaluator, rate) in [&native, &module].into_iter().zip(&mut rates) {
                rate.add(evaluations(evaluator, &request)?);
            }
        }
        let [native, module] = rates;
        let times = native.median() / module.median();
        println!("{:<20}{:<26}{native:>30}{module:>30}{times:>10.0}", policy.name, request.kind);
    }
    Ok(())
}

fn of_kind<'d>(documents: &'d [Document<'static>], kind: &str) -> Option<&'d Document<'static>> {
    documents.iter().find(|document| document.node.get("kind").and_then(Node::as_str) == Some(kind))
}

fn documents(text: &'static str) -> Result<Vec<Document<'static>>, Failure> {
    Ok(read(text, Format::Yaml).collect::<Result<_, _>>()?)
}

/// How many a second.
fn evaluations(evaluator: &Evaluator, request: &Request<'_>) -> Result<f64, Failure> {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        for _ in 0..BATCH {
            black_box(evaluator.evaluate(black_box(request), &Known::default())?);
        }
        done += BATCH;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
