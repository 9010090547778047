//! Ten thousand manifests such as teams have, the same in every run.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How many files a folder holds.
const PER_FOLDER: usize = 100;

/// Writes a corpus, a hundred files a folder, and returns its folders and its size.
///
/// # Errors
/// Whatever the system says.
pub fn write(root: &Path, files: usize) -> io::Result<(Vec<PathBuf>, u64)> {
    let (mut folders, mut size) = (Vec::new(), 0);
    for number in 0..files {
        if number % PER_FOLDER == 0 {
            let folder = root.join(format!("team-{:03}", number / PER_FOLDER));
            fs::create_dir_all(&folder)?;
            folders.push(folder);
        }
        let (name, text) = manifest(number as u64);
        size += text.len() as u64;
        fs::write(folders[folders.len() - 1].join(name), text)?;
    }
    Ok((folders, size))
}

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(list.len() as u64)).unwrap_or_default()]
    }
}

/// What is wrong with a file, if anything is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Root,
    NoPodContext,
    NoLiveness,
    NoReadiness,
    SlowProbe,
    NoLimits,
    NoResources,
    Ratio,
    Latest,
    NoTag,
    PullPolicy,
}

const FAULTS: &[Fault] = &[
    Fault::Root,
    Fault::NoPodContext,
    Fault::NoLiveness,
    Fault::NoReadiness,
    Fault::SlowProbe,
    Fault::NoLimits,
    Fault::NoResources,
    Fault::Ratio,
    Fault::Latest,
    Fault::NoTag,
    Fault::PullPolicy,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    CronJob,
}

const SERVICES: &[&str] = &[
    "matchmaking",
    "leaderboard",
    "profile",
    "inventory",
    "replay",
    "telemetry",
    "billing",
    "session",
    "lobby",
    "chat",
    "notification",
    "ranking",
    "statistics",
    "gateway",
    "scheduler",
    "ingest",
    "tournament",
    "friends",
    "anticheat",
    "presence",
];

const PARTS: &[&str] = &["api", "worker", "web", "cache", "sync", "consumer", "exporter", "proxy"];

const COMMENTS: &[&str] = &[
    "# Owned by the platform team; ask in #platform before you change it.",
    "# Rendered by hand, see the runbook for how it is scaled.",
    "# Keep in step with the dashboard's labels.",
    "# Reviewed with the capacity plan of the last quarter.",
];

const VARIABLES: &[(&str, &str)] = &[
    ("ENVIRONMENT", "production"),
    ("LOG_LEVEL", "info"),
    ("LOG_FORMAT", "json"),
    ("HTTP_PORT", "\"8000\""),
    ("WORKERS", "\"4\""),
    ("REGION", "eu-west-1"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel-collector.monitoring.svc.cluster.local:4317"),
    ("CACHE_TTL", "300s"),
    ("FEATURE_FLAGS", "\"replays,ranked,spectate\""),
    ("RIOT_API_HOST", "'europe.api.riotgames.com'"),
    ("MAX_CONNECTIONS", "\"128\""),
    ("KAFKA_BROKERS", "kafka-0.kafka:9092,kafka-1.kafka:9092"),
];

/// A file's name and text, by its number.
fn manifest(number: u64) -> (String, String) {
    let mut random = Random(number.wrapping_mul(0x0001_0000_0001));
    let kind = match random.below(100) {
        0..55 => Kind::Deployment,
        55..70 => Kind::StatefulSet,
        70..82 => Kind::DaemonSet,
        _ => Kind::CronJob,
    };
    let app = format!("{}-{}", random.pick(SERVICES), random.pick(PARTS));
    let name = format!("{app}-{number}");
    let namespace = format!("herald-{}", random.pick(&["production", "staging", "analytics", "platform"]));
    let fault = random.chance(20).then(|| random.pick(FAULTS));
    let version = format!("{}.{}.{}", 1 + random.below(4), random.below(20), random.below(10));
    let mut text = String::with_capacity(4096);
    if random.chance(50) {
        let _ = writeln!(text, "{}", random.pick(COMMENTS));
    }
    let (api_version, kind_name) = match kind {
        Kind::Deployment => ("apps/v1", "Deployment"),
        Kind::StatefulSet => ("apps/v1", "StatefulSet"),
        Kind::DaemonSet => ("apps/v1", "DaemonSet"),
        Kind::CronJob => ("batch/v1", "CronJob"),
    };
    let labels = labels(&app, &version);
    let _ = write!(
        text,
        "apiVersion: {api_version}\nkind: {kind_name}\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n"
    );
    indented(&mut text, 4, &labels);
    text.push_str("spec:\n");
    let pod = pod(&mut random, &app, &version, kind, fault);
    let selector = format!("selector:\n  matchLabels:\n    app: {app}\n");
    let mut template = "template:\n  metadata:\n    labels:\n".to_owned();
    let _ = write!(template, "      app: {app}\n      version: \"{version}\"\n");
    if kind != Kind::CronJob && random.chance(20) {
        template.push_str(
            "    annotations:\n      prometheus.io/scrape: \"true\"\n      prometheus.io/port: \"8000\"\n      \
             prometheus.io/path: /metrics\n",
        );
    }
    template.push_str("  spec:\n");
    indented(&mut template, 4, &pod);
    match kind {
        Kind::Deployment => {
            let _ = writeln!(text, "  replicas: {}", 3 + random.below(6));
            if random.chance(40) {
                text.push_str(
                    "  strategy:\n    type: RollingUpdate\n    rollingUpdate:\n      maxSurge: 25%\n      maxUnavailable: 0\n",
                );
            }
            indented(&mut text, 2, &selector);
            indented(&mut text, 2, &template);
        }
        Kind::StatefulSet => {
            let _ = write!(text, "  replicas: {}\n  serviceName: {name}\n", 3 + random.below(3));
            indented(&mut text, 2, &selector);
            indented(&mut text, 2, &template);
            let _ = write!(
                text,
                "  volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      accessModes: [ReadWriteOnce]\n      \
                 storageClassName: fast-ssd\n      resources:\n        requests:\n          storage: {}Gi\n",
                10 * (1 + random.below(20))
            );
        }
        Kind::DaemonSet => {
            indented(&mut text, 2, &selector);
            text.push_str(
                "  updateStrategy:\n    type: RollingUpdate\n    rollingUpdate:\n      maxUnavailable: 10%\n",
            );
            indented(&mut text, 2, &template);
        }
        Kind::CronJob => {
            let _ = write!(
                text,
                "  schedule: \"{} {} * * *\"\n  timeZone: Etc/UTC\n  concurrencyPolicy: Forbid\n  \
                 successfulJobsHistoryLimit: 3\n  failedJobsHistoryLimit: 1\n  jobTemplate:\n    spec:\n      backoffLimit: 2\n      \
                 activeDeadlineSeconds: {}\n",
                random.below(60),
                random.below(24),
                600 * (1 + random.below(6))
            );
            indented(&mut text, 6, &template);
        }
    }
    match kind {
        Kind::Deployment | Kind::StatefulSet if random.chance(38) => service(&mut text, &name, &namespace, &app),
        Kind::Deployment if random.chance(25) => ingress(&mut random, &mut text, &name, &namespace),
        _ => {}
    }
    (format!("{name}.yaml"), text)
}

fn labels(app: &str, version: &str) -> String {
    format!("app: {app}\nversion: \"{version}\"\napp.kubernetes.io/part-of: herald\nteam: backend\n")
}

/// What stands below a pod's `spec:`.
fn pod(random: &mut Random, app: &str, version: &str, kind: Kind, fault: Option<Fault>) -> String {
    let mut text = format!("serviceAccountName: {app}\nautomountServiceAccountToken: false\n");
    if kind == Kind::CronJob {
        text.push_str("restartPolicy: Never\n");
    }
    if fault != Some(Fault::NoPodContext) {
        let user = if fault == Some(Fault::Root) { 0 } else { 1001 };
        let _ = write!(
            text,
            "securityContext:\n  runAsNonRoot: true\n  runAsUser: {user}\n  fsGroup: 1001\n  seccompProfile:\n    type: \
             RuntimeDefault\n"
        );
    }
    let is_served = matches!(kind, Kind::Deployment | Kind::StatefulSet);
    if is_served {
        let _ = write!(
            text,
            "topologySpreadConstraints:\n- maxSkew: 1\n  topologyKey: topology.kubernetes.io/zone\n  whenUnsatisfiable: \
             ScheduleAnyway\n  labelSelector:\n    matchLabels:\n      app: {app}\n"
        );
    }
    if random.chance(8) {
        text.push_str("initContainers:\n");
        container(random, &mut text, &format!("{app}-migrate"), "herald/migrate", version, None, false);
    }
    text.push_str("containers:\n");
    container(random, &mut text, app, &format!("herald/{app}"), version, fault, kind != Kind::CronJob);
    if kind == Kind::Deployment && random.chance(8) {
        container(random, &mut text, "cloud-sql-proxy", "herald/cloud-sql-proxy", "2.8.1", None, true);
    }
    text.push_str("volumes:\n- name: tmp\n  emptyDir: {}\n");
    if random.chance(50) {
        let _ = write!(text, "- name: config\n  configMap:\n    name: {app}-config\n");
    }
    if kind == Kind::DaemonSet {
        text.push_str("- name: varlog\n  hostPath:\n    path: /var/log\n");
    }
    text
}

fn container(
    random: &mut Random,
    text: &mut String,
    name: &str,
    image: &str,
    version: &str,
    fault: Option<Fault>,
    serves: bool,
) {
    let tag = match fault {
        Some(Fault::Latest) => ":latest".to_owned(),
        Some(Fault::NoTag) => String::new(),
        _ => format!(":v{version}"),
    };
    let pull = if fault == Some(Fault::PullPolicy) { "IfNotPresent" } else { "Always" };
    let _ = write!(text, "- name: {name}\n  image: {image}{tag}\n  imagePullPolicy: {pull}\n");
    if !serves && random.chance(40) {
        text.push_str(
            "  command: [/bin/sh, -c]\n  args:\n  - |\n    set -eu\n    herald-task run --once\n    echo \"done: $?\"\n",
        );
    }
    if serves {
        text.push_str("  ports:\n  - containerPort: 8000\n    name: http\n    protocol: TCP\n");
    }
    text.push_str("  env:\n");
    for secret in [("DATABASE_URL", "database-url"), ("REDIS_URL", "redis-url")] {
        if random.chance(20) {
            let _ = write!(
                text,
                "  - name: {}\n    valueFrom:\n      secretKeyRef:\n        name: herald-secrets\n        key: {}\n",
                secret.0, secret.1
            );
        }
    }
    let (first, count) = (random.below(12), 1 + random.below(3));
    for (name, value) in VARIABLES
        .iter()
        .cycle()
        .skip(usize::try_from(first).unwrap_or_default())
        .take(usize::try_from(count).unwrap_or_default())
    {
        let _ = write!(text, "  - name: {name}\n    value: {value}\n");
    }
    text.push_str(
        "  securityContext:\n    allowPrivilegeEscalation: false\n    readOnlyRootFilesystem: true\n    capabilities:\n      \
         drop: [\"ALL\"]\n",
    );
    resources(random, text, fault);
    if serves {
        probe(text, "livenessProbe", "/health", 30, fault == Some(Fault::SlowProbe), fault == Some(Fault::NoLiveness));
        probe(text, "readinessProbe", "/ready", 5, false, fault == Some(Fault::NoReadiness));
        text.push_str("  lifecycle:\n    preStop:\n      sleep:\n        seconds: 15\n");
    }
    text.push_str("  volumeMounts:\n  - name: tmp\n    mountPath: /tmp # the root file system is read-only\n");
}

fn resources(random: &mut Random, text: &mut String, fault: Option<Fault>) {
    if fault == Some(Fault::NoResources) {
        return;
    }
    let (memory, cpu) = (64 << random.below(5), 50 << random.below(4));
    let _ = write!(text, "  resources:\n    requests:\n      cpu: {cpu}m\n      memory: \"{memory}Mi\"\n");
    if fault != Some(Fault::NoLimits) {
        let ratio = if fault == Some(Fault::Ratio) { 8 } else { 2 };
        let _ = write!(text, "    limits:\n      cpu: {}m\n      memory: \"{}Mi\"\n", cpu * ratio, memory * ratio);
    }
}

fn probe(text: &mut String, name: &str, path: &str, delay: u32, slow: bool, absent: bool) {
    if absent {
        return;
    }
    let timeout = if slow { 60 } else { 5 };
    let _ = write!(
        text,
        "  {name}:\n    httpGet:\n      path: {path}\n      port: http\n    initialDelaySeconds: {delay}\n    periodSeconds: \
         10\n    timeoutSeconds: {timeout}\n    failureThreshold: 3\n"
    );
}

fn service(text: &mut String, name: &str, namespace: &str, app: &str) {
    let _ = write!(
        text,
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  labels:\n    app: {app}\nspec:\n  type: ClusterIP\n  \
         ports:\n  - port: 80\n    targetPort: http\n    name: http\n  selector:\n    app: {app}\n"
    );
}

fn ingress(random: &mut Random, text: &mut String, name: &str, namespace: &str) {
    let (host, is_bare) = (format!("{name}.herald.lol"), random.chance(20));
    let _ = write!(
        text,
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  \
         annotations:\n    cert-manager.io/cluster-issuer: letsencrypt-prod\n    nginx.ingress.kubernetes.io/limit-rpm: \
         \"100\"\n    nginx.ingress.kubernetes.io/ssl-redirect: \"true\"\nspec:\n  ingressClassName: nginx\n"
    );
    if !is_bare {
        let _ = write!(text, "  tls:\n  - hosts:\n    - {host}\n    secretName: {name}-tls\n");
    }
    let _ = write!(
        text,
        "  rules:\n  - host: {host}\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          \
         service:\n            name: {name}\n            port:\n              number: 80\n"
    );
}

/// Adds lines, each indented.
fn indented(text: &mut String, columns: usize, lines: &str) {
    for line in lines.lines() {
        let _ = writeln!(text, "{:columns$}{line}", "");
    }
}
