//! Each policy linked in, beside its module in the waPC host, on one typical object.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use gatehouse_engine::wasm::{Answers, Cache, Module, Modules, Own};
use gatehouse_engine::{Asks, Evaluator, Known, POLICIES, Surroundings};
use gatehouse_manifest::{Document, Format, read};
use gatehouse_policy::{Node, Request};

use crate::{Failure, Sample, target};

/// What the policies of workloads judge: a Deployment and what belongs to it.
const DEPLOYMENT: &str = include_str!("../examples/herald/hardened/backend/deployment.yaml");
/// What those of traffic judge.
const INGRESS: &str = include_str!("../examples/herald/hardened/ingress/production-ingress.yaml");
/// What that of storage judges: a `PersistentVolume`.
const VOLUME: &str = include_str!("../examples/herald/hardened/storage/postgres-pv.yaml");
/// What that of Redis judges.
const REDIS: &str = include_str!("../examples/herald/hardened/storage/redis-cluster.yaml");
/// What that of Prometheus judges.
const MONITORING: &str = include_str!("../examples/herald/hardened/monitoring/service-monitor.yaml");
/// What that of namespaces judges.
const NAMESPACE: &str = include_str!("../examples/herald/hardened/namespaces/herald-production.yaml");
/// What that of nginx judges.
const NGINX: &str = include_str!("../examples/herald/hardened/docker/frontend/nginx.conf");
/// The settings.
const PROFILE: &str = include_str!("../profiles/herald.yaml");

/// How often each is measured, in turn.
const ROUNDS: usize = 9;
/// For how long each time.
const TIME: Duration = Duration::from_millis(200);
/// How many Deployments there are in the namespace around an object.
const DEPLOYMENTS: usize = 1000;

/// Measures all in turn, round by round, and prints the table.
pub fn measure() -> Result<(), Failure> {
    let folder = env::var_os("GATEHOUSE_MODULES").map_or_else(|| target().join("modules"), PathBuf::from);
    let compiler = Modules::new(&Cache::Off, Duration::from_secs(2))?;
    let profile = documents(PROFILE)?;
    let examples = Examples::read()?;
    println!("evaluations a second on one core; median (least..most) of {ROUNDS} rounds\n");
    println!("{:<20}{:<26}{:>30}{:>30}{:>10}", "", "on a", "native", "module", "times");
    for policy in POLICIES {
        let object =
            examples.of(policy.name).ok_or_else(|| format!("{}: the example lacks its object", policy.name))?;
        let settings = settings(&profile, policy.name);
        let native = Evaluator::native(policy, &settings)?;
        let module = Evaluator::module(module(&compiler, &folder, policy.name)?.configure(&settings)?);
        let request = Request::create(object, "default")?;
        // Nothing is around the object, and no image is known.
        let known = Known { own: Some(Arc::new(Own(Arc::default()))), ..Known::default() };
        if native.evaluate(&request, &known)?.alone()? != module.evaluate(&request, &known)?.alone()? {
            return Err(format!("{}: the module says something else; run `make modules`", policy.name).into());
        }
        let mut rates = [Sample::default(), Sample::default()];
        for _ in 0..ROUNDS {
            for (evaluator, rate) in [&native, &module].into_iter().zip(&mut rates) {
                rate.add(evaluations(|| drop(evaluator.evaluate(&request, &known)))?);
            }
        }
        let [native, module] = rates;
        let times = native.median() / module.median();
        println!("{:<20}{:<26}{native:>30}{module:>30}{times:>10.0}", policy.name, request.kind);
    }
    Ok(())
}

/// The same in a namespace of many objects, for the policies that ask what is around an object.
pub fn measure_around() -> Result<(), Failure> {
    let folder = env::var_os("GATEHOUSE_MODULES").map_or_else(|| target().join("modules"), PathBuf::from);
    let compiler = Modules::new(&Cache::Off, Duration::from_secs(2))?;
    let profile = documents(PROFILE)?;
    let examples = Examples::read()?;
    println!(
        "ms an evaluation, {DEPLOYMENTS} Deployments around the object; median (least..most) of {ROUNDS} rounds\n"
    );
    println!("{:<20}{:<26}{:>30}{:>30}", "", "on a", "native", "module");
    for policy in POLICIES.iter().filter(|policy| !policy.asks.is_empty()) {
        let settings = settings(&profile, policy.name);
        let configured = policy.configure(&settings)?;
        let module = module(&compiler, &folder, policy.name)?.configure(&settings)?;
        let mut asks = Asks::default();
        policy.asks.iter().for_each(|asked| asks.add(asked));
        let around = Arc::new(examples.many(&asks)?);
        let answers: Arc<dyn Answers> = Arc::new(Own(Arc::clone(&around)));
        for object in examples.judged(policy.name) {
            let request = Request::create(object, "default")?;
            let native = || configured.review_among(&request, &*around).map(|verdict| verdict.findings);
            let answered = || module.review(&request, Some(&answers));
            match (native(), answered()) {
                (Ok(native), Ok(module)) if native == module => {}
                (native, module) => {
                    return Err(format!("{}: natively {native:?}, as a module {module:?}", policy.name).into());
                }
            }
            let mut times = [Sample::default(), Sample::default()];
            for _ in 0..ROUNDS {
                times[0].add(1e3 / evaluations(|| drop(native()))?);
                times[1].add(1e3 / evaluations(|| drop(answered()))?);
            }
            let [native, module] = times;
            println!("{:<20}{:<26}{native:>30.2}{module:>30.2}", policy.name, request.kind);
        }
    }
    Ok(())
}

/// What is judged.
struct Examples {
    backend: Vec<Document<'static>>,
    ingress: Vec<Document<'static>>,
    volume: Vec<Document<'static>>,
    redis: Vec<Document<'static>>,
    monitoring: Vec<Document<'static>>,
    namespace: Vec<Document<'static>>,
    nginx: Node<'static>,
}

impl Examples {
    fn read() -> Result<Self, Failure> {
        let [backend, ingress, volume] = [documents(DEPLOYMENT)?, documents(INGRESS)?, documents(VOLUME)?];
        let [redis, monitoring, namespace] = [documents(REDIS)?, documents(MONITORING)?, documents(NAMESPACE)?];
        let text = |text: &'static str| Node::from(text);
        let data: Node<'static> = [("nginx.conf", text(NGINX))].into_iter().collect();
        let metadata: Node<'static> = [("name", text("nginx"))].into_iter().collect();
        let members = [("apiVersion", text("v1")), ("kind", text("ConfigMap")), ("metadata", metadata), ("data", data)];
        Ok(Self { backend, ingress, volume, redis, monitoring, namespace, nginx: members.into_iter().collect() })
    }

    /// What a policy judges.
    fn of(&self, policy: &str) -> Option<&Node<'static>> {
        match policy {
            "tls-ingress" => self.ingress.first().map(|document| &document.node),
            "persistent-storage" => self.volume.first().map(|document| &document.node),
            "service-exposure" => of_kind(&self.backend, "Service"),
            "autoscaling" => of_kind(&self.backend, "HorizontalPodAutoscaler"),
            "redis-cluster" => of_kind(&self.redis, "RedisCluster"),
            "monitoring" => of_kind(&self.monitoring, "PrometheusRule"),
            "namespace-quotas" => of_kind(&self.namespace, "ResourceQuota"),
            "nginx-config" => Some(&self.nginx),
            _ => self.backend.first().map(|document| &document.node),
        }
    }

    /// What a policy that looks around judges.
    fn judged(&self, policy: &str) -> Vec<&Node<'static>> {
        let all = [
            of_kind(&self.namespace, "ResourceQuota"),
            of_kind(&self.backend, "Deployment"),
            of_kind(&self.backend, "Service"),
            of_kind(&self.backend, "HorizontalPodAutoscaler"),
            of_kind(&self.monitoring, "ServiceMonitor"),
            self.ingress.first().map(|document| &document.node),
        ];
        let kinds: &[&str] = match policy {
            "namespace-quotas" => &["ResourceQuota", "Deployment"],
            "object-references" => &["Deployment", "Service", "HorizontalPodAutoscaler", "ServiceMonitor", "Ingress"],
            _ => &["Deployment"],
        };
        let kind = |node: &Node<'_>| node.get("kind").and_then(Node::as_str).unwrap_or_default().to_owned();
        all.into_iter().flatten().filter(|node| kinds.contains(&&*kind(node))).collect()
    }

    /// Many Deployments, each with the Service and the autoscaler that belong to it.
    fn many(&self, asks: &Asks) -> Result<Surroundings, Failure> {
        let mut around = Surroundings::new(true);
        for number in 0..DEPLOYMENTS {
            for document in &self.backend {
                let text = document.node.to_json();
                let text =
                    if number == 0 { text } else { text.replace("herald-backend", &format!("backend-{number}")) };
                let node = Node::from_json(text.as_bytes())?;
                let request = Request::create(&node, "default")?;
                if let Some(piece) = asks.keep(request.group, request.kind, request.namespace, &node) {
                    around.add(piece);
                }
            }
        }
        Ok(around)
    }
}

fn settings(profile: &[Document<'static>], policy: &str) -> Node<'static> {
    let manifest =
        profile.iter().find(|of| of.node.descend(&["metadata", "name"]).and_then(Node::as_str) == Some(policy));
    let settings = manifest.and_then(|of| of.node.descend(&["spec", "settings"]));
    settings.map_or_else(Node::empty, Clone::clone)
}

fn module(compiler: &Modules, folder: &Path, policy: &str) -> Result<Module, Failure> {
    let path = folder.join(policy).with_extension("wasm");
    let bytes = fs::read(&path).map_err(|error| format!("{}: {error}; run `make modules`", path.display()))?;
    Ok(compiler.load(policy, &bytes)?)
}

fn of_kind<'d>(documents: &'d [Document<'static>], kind: &str) -> Option<&'d Node<'static>> {
    let mut nodes = documents.iter().map(|document| &document.node);
    nodes.find(|node| node.get("kind").and_then(Node::as_str) == Some(kind))
}

fn documents(text: &'static str) -> Result<Vec<Document<'static>>, Failure> {
    Ok(read(text, Format::Yaml).collect::<Result<_, _>>()?)
}

/// How many a second.
fn evaluations(mut evaluate: impl FnMut()) -> Result<f64, Failure> {
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        evaluate();
        done = done.checked_add(1).ok_or("the clock stands still")?;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
