//! What the worst object costs that somebody could write: one of a megabyte that holds as many of one thing as fit, and one
//! of twice that, judged by each policy linked in and as a module. Whoever may write an object must not be able to stall the
//! gate.

use std::time::{Duration, Instant};
use std::{env, fs};

use gatehouse_engine::wasm::{Cache, Modules};
use gatehouse_engine::{Evaluator, Known, policy};
use gatehouse_policy::{Node, Request};

use crate::{Failure, Sample, target};

/// How large an object is.
const SIZE: usize = 1_000_000;
/// How often each is judged.
const ROUNDS: usize = 5;
/// How long a module may take for it, in milliseconds.
const MOST_MS: f64 = 100.0;
/// How much longer twice as large an object may take.
const MOST_GROWTH: f64 = 2.2;
/// When a module is stopped: far above what is allowed, so that what is slow is measured.
const DEADLINE: Duration = Duration::from_mins(1);

/// An object that is as bad as somebody could make it.
struct Worst {
    policy: &'static str,
    /// What it holds much of.
    of: &'static str,
    settings: &'static str,
    /// The object with that many of it, as JSON.
    build: fn(usize) -> String,
}

macro_rules! worst {
    ($($policy:literal, $of:literal, $settings:literal: $build:expr;)+) => {
        &[$(Worst { policy: $policy, of: $of, settings: $settings, build: $build }),+]
    };
}

const WORST: &[Worst] = worst! {
    "run-as-nonroot", "containers", "{}": |n| pod(n, |i| format!(r#"{{"name":"c{i}"}}"#), "");
    "run-as-nonroot", "containers x ports", r#"{"users":[1001]}"#:
        |n| pod(n / 2, |i| format!(r#"{{"name":"c{i}","ports":[{{"containerPort":{}}}]}}"#, 1 + i % 1000), "");
    "run-as-nonroot", "sysctls", "{}": |n| pod(1, container, &format!(
        r#","securityContext":{{"sysctls":[{}]}}"#, list(n, |i| format!(r#"{{"name":"net.core.{i}","value":"1"}}"#))));
    "required-probes", "containers", "{}": |n| pod(n, container, "");
    "required-probes", "ports x probes", "{}": |n| pod(n / 2, |i| format!(
        r#"{{"name":"c{i}","ports":[{{"name":"p{i}","containerPort":{}}}],"livenessProbe":{{"tcpSocket":{{"port":{}}}}}}}"#,
        1 + i % 60_000, 1 + (i * 7) % 60_000), "");
    "required-probes", "ports of one container", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","ports":[{}],"livenessProbe":{{"tcpSocket":{{"port":"none"}}}}}}"#, ports(n)), "");
    "resource-limits", "containers", "{}": |n| pod(n, container, "");
    "resource-limits", "fixes", r#"{"defaults":{"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}}}"#:
        |n| pod(n, container, "");
    "resource-limits", "resources of one container", r#"{"maxRatio":1}"#: |n| pod(1, |_| {
        let amounts = list(n / 2, |i| format!(r#""example.com/r{i}":"{i}""#));
        format!(r#"{{"name":"c","resources":{{"requests":{{{amounts}}},"limits":{{{amounts}}}}}}}"#)
    }, "");
    "resource-limits", "digits", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","resources":{{"requests":{{"cpu":"{0}","memory":"0.{0}"}}}}}}"#, "9".repeat(n)), "");
    "pinned-images", "containers", r#"{"precision":"patch","pullPolicy":"Always"}"#:
        |n| pod(n, |i| format!(r#"{{"name":"c{i}","image":"example.com/team/app:{i}"}}"#), "");
    "pinned-images", "a long image", "{}": |n| pod(1, |_| format!(r#"{{"name":"c","image":"{}"}}"#, "a/".repeat(n)), "");
    "tls-ingress", "hosts x tls entries", "{}": |n| ingress("", &format!(
        r#""rules":[{}],"tls":[{}]"#,
        list(n / 2, |i| format!(r#"{{"host":"h{i}.example.com"}}"#)),
        list(n / 2, |i| format!(r#"{{"hosts":["h{}.example.com"],"secretName":"s{i}"}}"#, n / 2 - i))));
    "tls-ingress", "wildcards", "{}": |n| ingress("", &format!(
        r#""rules":[{}],"tls":[{}]"#,
        list(n / 2, |i| format!(r#"{{"host":"a.h{i}.example.com"}}"#)),
        list(n / 2, |i| format!(r#"{{"hosts":["*.h{}.example.com"],"secretName":"s"}}"#, n / 2 - i))));
    "tls-ingress", "unknown annotations", "{}": |n| ingress(
        &list(n, |i| format!(r#""nginx.ingress.kubernetes.io/limit-{i}":"1""#)), r#""rules":[]"#);
    "tls-ingress", "aliases", "{}": |n| ingress(
        &format!(r#""nginx.ingress.kubernetes.io/server-alias":"{}""#, list(n, |i| format!("h{i}.example.com"))),
        r#""rules":[{"host":"a.example.com"}],"tls":[{"hosts":["a.example.com"],"secretName":"s"}]"#);
    "tls-ingress", "addresses without a limit", r#"{"rateLimit":true}"#: |n| ingress(
        &format!(
            r#""nginx.ingress.kubernetes.io/limit-rps":"1","nginx.ingress.kubernetes.io/limit-whitelist":"{}""#,
            list(n, |i| format!("10.{}.{}.0/24", i / 256 % 256, i % 256))),
        r#""rules":[{"host":"a.example.com"}]"#);
    "tls-ingress", "paths", "{}": |n| ingress("", &format!(
        r#""rules":[{{"host":"a.example.com","http":{{"paths":[{}]}}}}]"#,
        list(n, |i| format!(r#"{{"path":"/a{i}(/|$)","pathType":"Prefix"}}"#))));
    "tls-ingress", "listeners", "{}": |n| format!(
        r#"{{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{{"name":"web"}},"spec":{{"listeners":[{}]}}}}"#,
        list(n, |i| format!(r#"{{"name":"l{i}","port":80,"protocol":"HTTP","hostname":"h{i}.example.com"}}"#)));
    "secret-env", "variables that refer to each other", r#"{"required":["*"]}"#: |n| pod(1, |_| format!(
        r#"{{"name":"c","env":[{}]}}"#, list(n, |i| format!(r#"{{"name":"V{i}","value":"$(V{})"}}"#, i.saturating_sub(1)))), "");
    "secret-env", "variables", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","env":[{}]}}"#, list(n, |i| format!(r#"{{"name":"DB_PASSWORD_{i}","value":"hunter2hunter2"}}"#))), "");
    "secret-env", "names of Secrets", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","env":[{}]}}"#, list(n / 2, |i| format!(r#"{{"name":"PASSWORD_{i}","value":"secret-{i}"}}"#))),
        &format!(r#","volumes":[{}]"#, list(n / 2, |i| format!(r#"{{"name":"v{i}","secret":{{"secretName":"secret-{i}"}}}}"#))));
    "secret-env", "arguments", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","args":[{}]}}"#, list(n, |i| format!(r#""--password={i}x8h2kq""#))), "");
    "secret-env", "keys of a ConfigMap", "{}": |n| config_map(&list(n, |i| format!(r#""PASSWORD_{i}":"x8h2kq""#)));
    "secret-env", "a file in a ConfigMap", "{}": |n| config_map(&format!(
        r#""a.env":"{}""#, list(n, |i| format!("PASSWORD_{i}=x8h2kq\\n")).replace(',', "")));
    "secret-env", "a text of dots", "{}": |n| config_map(&format!(r#""a":"{}""#, "eyJ.".repeat(n)));
    "secret-env", "a text of slashes", "{}": |n| config_map(&format!(r#""a":"{}""#, "a://b:".repeat(n)));
    "graceful-shutdown", "containers", r#"{"sleepSeconds":15,"margin":10}"#:
        |n| deployment(n, |i| format!(r#"{{"name":"c{i}","ports":[{{"containerPort":80}}]}}"#), "");
    "graceful-shutdown", "a long script", "{}": |n| deployment(1, |_| format!(
        r#"{{"name":"c","lifecycle":{{"preStop":{{"exec":{{"command":["sh","-c","{}"]}}}}}}}}"#, "sleep 1; (true) && ".repeat(n)), "");
    "graceful-shutdown", "nested quotes", "{}": |n| deployment(1, |_| format!(
        r#"{{"name":"c","lifecycle":{{"preStop":{{"exec":{{"command":["sh","-c","{}"]}}}}}}}}"#, "$(sh -c 'sleep ".repeat(n)), "");
    "host-paths", "volumes x mounts", r#"{"allowed":[{"path":"/var/log","readOnly":true}]}"#: |n| pod(1, |_| format!(
        r#"{{"name":"c","volumeMounts":[{}]}}"#, list(n / 2, |i| format!(r#"{{"name":"v{i}","mountPath":"/m{i}"}}"#))),
        &format!(r#","volumes":[{}]"#, list(n / 2, |i| format!(r#"{{"name":"v{i}","hostPath":{{"path":"/var/log/{i}"}}}}"#))));
    "host-paths", "volumes that nobody mounts", "{}": |n| pod(1, container, &format!(
        r#","volumes":[{}]"#, list(n, |i| format!(r#"{{"name":"v{i}","hostPath":{{"path":"/etc"}}}}"#))));
    "rollout", "constraints x labels", "{}": |n| deployment(1, container, &format!(
        r#","topologySpreadConstraints":[{}]"#,
        list(n, |i| format!(r#"{{"topologyKey":"t","labelSelector":{{"matchLabels":{{"l{i}":"x"}}}}}}"#))));
    "rollout", "labels x expressions", "{}": |n| format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web"}},"spec":{{"replicas":3,"template":{{"metadata":{{"labels":{{{}}}}},"spec":{{"containers":[{{"name":"c"}}],"topologySpreadConstraints":[{{"topologyKey":"t","labelSelector":{{"matchExpressions":[{}]}}}}]}}}}}}}}"#,
        list(n / 2, |i| format!(r#""l{i}":"x""#)),
        list(n / 2, |i| format!(r#"{{"key":"l{}","operator":"Exists"}}"#, n / 2 - 1 - i)));
    "rollout", "containers x ports", "{}":
        |n| deployment(n, |i| format!(r#"{{"name":"c{i}","ports":[{{"containerPort":{i}}}]}}"#), "");
    "autoscaling", "metrics", r#"{"targets":{"cpu":{"max":70}}}"#: |n| format!(
        r#"{{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{{"name":"web"}},"spec":{{"maxReplicas":3,"metrics":[{}]}}}}"#,
        list(n, |_| r#"{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":90}}}"#.to_owned()));
    "autoscaling", "policies", r#"{"scaleDown":{"maxRate":{"percent":10,"periodSeconds":60}}}"#: |n| format!(
        r#"{{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{{"name":"web"}},"spec":{{"maxReplicas":3000,"behavior":{{"scaleDown":{{"policies":[{}]}}}}}}}}"#,
        list(n, |i| format!(r#"{{"type":"Percent","value":{},"periodSeconds":{}}}"#, 1 + i % 90, 1 + i % 1800)));
    "required-labels", "labels", r#"{"labels":[{"keys":["app","team"],"kinds":["Namespace"]}]}"#: |n| format!(
        r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"web","labels":{{{}}}}}}}"#,
        list(n, |i| format!(r#""l{i}":"x""#)));
    "required-labels", "a long annotation", r#"{"annotations":[{"keys":["a"],"kinds":["Namespace"],"pattern":"(a|aa)+(b?c*)*x"}]}"#: |n| format!(
        r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"web","annotations":{{"a":"{}"}}}}}}"#, "a".repeat(n));
    "required-labels", "ports", "{}": |n| format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web","annotations":{{"prometheus.io/scrape":"true","prometheus.io/port":"70"}}}},"spec":{{"containers":[{{"name":"c","ports":[{}]}}]}}}}"#,
        ports(n));
    "service-exposure", "ports", r#"{"types":["ClusterIP"]}"#: |n| service(&format!(r#""ports":[{}]"#, list(n, |i| format!(r#"{{"port":{i}}}"#))));
    "service-exposure", "ranges", "{}": |n| service(&format!(
        r#""type":"LoadBalancer","loadBalancerSourceRanges":[{}]"#,
        list(n, |i| format!(r#""{}.{}.{}.0/24""#, 1 + i / 65536 % 200, i / 256 % 256, i % 256))));
    "service-exposure", "addresses", r#"{"externalIPs":["192.0.2.0/24"]}"#: |n| service(&format!(
        r#""externalIPs":[{}]"#, list(n, |i| format!(r#""10.{}.{}.1""#, i / 256 % 256, i % 256))));
    "persistent-storage", "volumes", r#"{"classes":["fast"]}"#: |n| pod(1, container, &format!(
        r#","volumes":[{}]"#, list(n, |i| format!(r#"{{"name":"v{i}","rbd":{{"image":"i"}}}}"#))));
    "persistent-storage", "claim templates", r#"{"classes":["fast"],"size":{"max":"1Ti"}}"#: |n| format!(
        r#"{{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{{"name":"db"}},"spec":{{"volumeClaimTemplates":[{}],"template":{{"spec":{{"containers":[{{"name":"c"}}]}}}}}}}}"#,
        list(n, |i| format!(r#"{{"metadata":{{"name":"d{i}"}},"spec":{{"resources":{{"requests":{{"storage":"2Ti"}}}}}}}}"#)));
    "redis-cluster", "entries", r#"{"maxMemoryPercent":75,"eviction":"allkeys-lru"}"#: |n| redis_cluster(&format!(
        r#""redisConfig":{{"maxmemory":"1gb","dynamicConfig":[{}]}}"#,
        list(n, |i| if i % 2 == 0 { format!(r#""e{i}""#) } else { r#""save 900 1 300""#.to_owned() })));
    "redis-cluster", "keys", "{}": |n| redis_cluster(&format!(
        r#""redisConfig":{{{0}}},"redisLeader":{{"redisConfig":{{{0}}}}}"#, list(n / 2, |i| format!(r#""k{i}":"1""#))));
    "redis-cluster", "sidecars", "{}": |n| redis_cluster(&format!(
        r#""sidecars":[{}]"#, list(n, |i| format!(r#"{{"name":"s{i}","image":"a/b:{i}"}}"#))));
    "redis-cluster", "amounts", "{}": |n| redis_cluster(&format!(
        r#""redisLeader":{{"resources":{{"limits":{{{}}}}}}}"#, list(n, |i| format!(r#""r{i}":"{i}""#))));
    "monitoring", "operators", "{}": |n| recording(&format!("a{}", "+a".repeat(n)));
    "monitoring", "calls", "{}": |n| recording(&format!("a{}", "+rate(a[5m])".repeat(n)));
    "monitoring", "parentheses", "{}": |n| recording(&"(".repeat(n));
    "monitoring", "regular expressions", "{}": |n| recording(&format!("a{{{}}}", "b=~'(a|b){9}[^c]*',".repeat(n)));
    "monitoring", "labels", "{}": |n| recording(&format!(
        "a * on ({}) group_left ({}) b", list(n / 2, |i| format!("l{i}")), list(n / 2, |i| format!("m{i}"))));
    "monitoring", "rules", r#"{"rules":{"promql":"warn","severity":"warn","summary":"warn","description":"warn","for":"warn"}}"#:
        |n| prometheus_rule(&list(n, |i| format!(r#"{{"alert":"a{i}","expr":"rat(a)"}}"#)));
    "monitoring", "duplicates", r#"{"rules":{"duplicate":"warn"}}"#:
        |n| prometheus_rule(&list(n, |_| r#"{"record":"a:b:c","expr":"a"}"#.to_owned()));
    "monitoring", "templates", "{}": |n| prometheus_rule(&format!(
        r#"{{"alert":"a","expr":"a","annotations":{{"a":"{}"}}}}"#, "{{ if . }}{{ $labels.a | len }}".repeat(n)));
    "monitoring", "endpoints", r#"{"interval":{"max":"30s"},"rules":{"interval":"warn","timeout":"warn"}}"#: |n| format!(
        r#"{{"apiVersion":"monitoring.coreos.com/v1","kind":"ServiceMonitor","metadata":{{"name":"web"}},"spec":{{"endpoints":[{}]}}}}"#,
        list(n, |_| r#"{"interval":"1m","scrapeTimeout":"2m"}"#.to_owned()));
    "object-references", "secrets", "{}": |n| pod(1, |_| format!(
        r#"{{"name":"c","envFrom":[{}]}}"#, list(n, |i| format!(r#"{{"secretRef":{{"name":"s{i}"}}}}"#))), "");
    "object-references", "volumes", "{}": |n| pod(1, container, &format!(
        r#","volumes":[{}]"#,
        list(n, |i| format!(r#"{{"name":"v{i}","projected":{{"sources":[{{"secret":{{"name":"s{i}"}}}}]}}}}"#))));
    "object-references", "ports", "{}": |n| service(&format!(
        r#""selector":{{"app":"web"}},"ports":[{}]"#, list(n, |i| format!(r#"{{"port":{i}}}"#))));
    "object-references", "paths", "{}": |n| ingress("", &format!(r#""rules":[{{"http":{{"paths":[{}]}}}}]"#, list(n, |i| format!(
        r#"{{"backend":{{"service":{{"name":"s{i}","port":{{"number":80}}}}}}}}"#))));
    "object-references", "values of a selector", "{}": |n| format!(
        r#"{{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{{"name":"web"}},"spec":{{"selector":{{"matchExpressions":[{{"key":"app","operator":"In","values":[{}]}}]}}}}}}"#,
        list(n, |i| format!(r#""v{i}""#)));
};

fn prometheus_rule(rules: &str) -> String {
    format!(
        r#"{{"apiVersion":"monitoring.coreos.com/v1","kind":"PrometheusRule","metadata":{{"name":"web"}},"spec":{{"groups":[{{"name":"web","rules":[{rules}]}}]}}}}"#
    )
}

fn recording(expression: &str) -> String {
    prometheus_rule(&format!(r#"{{"record":"a:b:c","expr":"{expression}"}}"#))
}

fn list(number: usize, item: impl Fn(usize) -> String) -> String {
    (0..number).map(item).collect::<Vec<_>>().join(",")
}

fn container(index: usize) -> String {
    format!(r#"{{"name":"c{index}"}}"#)
}

fn ports(number: usize) -> String {
    list(number, |i| format!(r#"{{"name":"p{i}","containerPort":{}}}"#, 100 + i % 60_000))
}

fn pod(containers: usize, container: impl Fn(usize) -> String, rest: &str) -> String {
    let containers = list(containers.max(1), container);
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web"}},"spec":{{"containers":[{containers}]{rest}}}}}"#
    )
}

fn deployment(containers: usize, container: impl Fn(usize) -> String, rest: &str) -> String {
    let containers = list(containers.max(1), container);
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"web"}},"spec":{{"replicas":3,"template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{containers}]{rest}}}}}}}}}"#
    )
}

fn ingress(annotations: &str, spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{{"name":"web","annotations":{{{annotations}}}}},"spec":{{"ingressClassName":"nginx",{spec}}}}}"#
    )
}

fn config_map(data: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"web"}},"data":{{{data}}}}}"#)
}

fn service(spec: &str) -> String {
    format!(r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"web"}},"spec":{{{spec}}}}}"#)
}

fn redis_cluster(spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"redis.redis.opstreelabs.in/v1beta2","kind":"RedisCluster","metadata":{{"name":"web"}},"spec":{{"clusterSize":3,{spec}}}}}"#
    )
}

/// Measures all, and prints the table.
pub fn measure() -> Result<(), Failure> {
    let folder = env::var_os("GATEHOUSE_MODULES").map_or_else(|| target().join("modules"), std::path::PathBuf::from);
    let compiler = Modules::new(&Cache::Off, DEADLINE)?;
    println!(
        "the worst object of {} MB, ms an evaluation; median (least..most) of {ROUNDS} rounds; times for twice the size\n",
        SIZE / 1_000_000
    );
    println!("{:<58}{:>24}{:>8}{:>26}{:>8}", "", "native", "times", "module", "times");
    let mut beyond = Vec::new();
    let mut loaded: Option<(&str, _)> = None;
    for worst in WORST {
        let settings = Node::from_json(worst.settings.as_bytes())?;
        let policy = policy(worst.policy).ok_or_else(|| format!("there is no policy {}", worst.policy))?;
        if loaded.as_ref().is_none_or(|(name, _)| *name != worst.policy) {
            let path = folder.join(worst.policy).with_extension("wasm");
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}; run `make modules`", path.display()))?;
            loaded = Some((worst.policy, compiler.load(worst.policy, &bytes)?));
        }
        let Some((_, module)) = &loaded else { continue };
        let native = Evaluator::native(policy, &settings)?;
        let module = Evaluator::module(module.configure(&settings)?);
        let number = 1000 * SIZE / (worst.build)(1000).len();
        let [once, twice] = [(worst.build)(number), (worst.build)(2 * number)];
        let mut row = Vec::new();
        for evaluator in [&native, &module] {
            let [once, twice] = [time(evaluator, &once)?, time(evaluator, &twice)?];
            row.push((twice.least() / once.least(), once));
        }
        let [(native_growth, native), (growth, module)] = <[_; 2]>::try_from(row).map_err(|_| "two evaluators")?;
        let name = format!("{}: {}", worst.policy, worst.of);
        println!("{name:<58}{native:>24.1}{native_growth:>8.1}{module:>26.1}{growth:>8.1}");
        // What takes no time grows by chance.
        if module.median() > MOST_MS || (growth > MOST_GROWTH && module.median() > MOST_MS / 10.0) {
            beyond.push(name);
        }
    }
    println!("\nabove {MOST_MS} ms in a module, or more than {MOST_GROWTH} times as long for twice the size:");
    println!("{}", if beyond.is_empty() { "none".to_owned() } else { beyond.join("\n") });
    Ok(())
}

/// How long an evaluation takes, in milliseconds.
fn time(evaluator: &Evaluator, object: &str) -> Result<Sample, Failure> {
    let object = Node::from_json(object.as_bytes())?;
    let request = Request::create(&object, "default")?;
    let mut sample = Sample::default();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        // A finding or an error: both must come soon.
        let _ = std::hint::black_box(evaluator.evaluate(&request, &Known::default()));
        sample.add(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(sample)
}
