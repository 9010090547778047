//! Clusters of redis-operator keep their data, within their memory, with the configuration that was meant.

mod cluster;
mod config;
mod eviction;
mod images;
mod memory;
mod persistence;
mod resources;
mod settable;
mod storage;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::tag::Precision;
use gatehouse_policy::{Context, Path, ReadError, Report, Request, Settings, policy, rules, split_api_version};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{Cluster, Spec};
use crate::config::Config;
use crate::eviction::Eviction;
use crate::resources::Resource;

rules! {
    /// Finds a cluster of too few leaders: `clusterSize`, or `redisLeader.replicas` where that is set. Without `minSize` it
    /// is fewer than three. With it, followers are counted too: `clusterSize` is the number of leaders and that of
    /// followers, and `redisFollower.replicas` goes before it.
    ///
    /// ## Why
    /// A majority of the leaders promotes the follower of one that is lost: with fewer than three there is none. The operator
    /// refuses a `clusterSize` below three where its webhook runs.
    ///
    /// ## Example
    /// ```yaml
    /// spec:
    ///   clusterSize: 1
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   clusterSize: 3
    /// ```
    ///
    /// ## Options
    /// `minSize`
    ///
    /// ## Reference
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/scaling/>, `GetReplicaCounts` and `validate` in
    /// <https://github.com/OT-CONTAINER-KIT/redis-operator/tree/v0.26.0/api/rediscluster/v1beta2>
    SIZE = "size": deny;

    /// Finds an image without tag or digest, with a tag that floats (`latest`, and under `precision` one that names less of
    /// a version: `7.2-alpine`), or that is no image reference. Tags are judged as pinned-images does. Images are those
    /// of Redis, of `redisExporter` and `initContainer` where they are enabled, and of `sidecars`.
    ///
    /// ## Why
    /// The pods of a cluster are restarted at different times. With a tag that moves they run different versions of Redis,
    /// and nobody has tried those together.
    ///
    /// ## Example
    /// ```yaml
    /// kubernetesConfig:
    ///   image: redis:7.2-alpine
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kubernetesConfig:
    ///   image: redis:7.2.4-alpine3.19
    /// ```
    ///
    /// ## Options
    /// `precision`
    IMAGE = "image": deny;

    /// Finds what Redis must request, or be limited to, and is not: one finding a resource. And a request above its limit, of
    /// which no pod can be made. A request that is absent beside a limit is the limit.
    ///
    /// Leaders and followers have `kubernetesConfig.resources`, or `redisLeader.resources` and `redisFollower.resources` in
    /// their place. `spec.resources` is read by nobody.
    ///
    /// ## Why
    /// Redis keeps everything in memory. Without a request it lands where there is none, without a limit it takes it from all
    /// others.
    ///
    /// ## Example
    /// ```yaml
    /// kubernetesConfig:
    ///   image: redis:7.2.4
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kubernetesConfig:
    ///   image: redis:7.2.4
    ///   resources:
    ///     requests: {cpu: 500m, memory: 1Gi}
    ///     limits: {cpu: "1", memory: 2Gi}
    /// ```
    ///
    /// ## Options
    /// `requests`, `limits`
    RESOURCES = "resources": deny;

    /// Finds a `maxmemory` above `maxMemoryPercent` of the memory limit (above the limit itself where that is not set), or
    /// one that Redis cannot read. Redis has units of its own: `1536mb` is 1536 × 1024 × 1024 bytes, `1536m` 1536 million.
    ///
    /// With `maxMemoryPercent`, no `maxmemory` and one of 0 are findings too: Redis then takes whatever it is asked to keep.
    /// What the file that `additionalRedisConfig` names holds is not known, and so nothing is said of what is not set beside
    /// one. `maxMemoryPercentOfLimit` is judged like a `maxmemory`. Without a memory limit the rule is silent, and
    /// `resources` speaks. Of leaders and followers with different limits the lower one counts.
    ///
    /// ## Why
    /// At its limit the container is killed, and what it kept is gone. Below its `maxmemory` Redis removes keys instead. What
    /// lies between the two is for buffers of clients and replicas, and for what a snapshot copies.
    ///
    /// ## Example
    /// ```yaml
    /// kubernetesConfig:
    ///   resources:
    ///     limits: {memory: 2Gi}
    /// redisConfig:
    ///   dynamicConfig:
    ///   - maxmemory 2gb
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kubernetesConfig:
    ///   resources:
    ///     limits: {memory: 2Gi}
    /// redisConfig:
    ///   dynamicConfig:
    ///   - maxmemory 1536mb
    /// ```
    ///
    /// ## Options
    /// `maxMemoryPercent`
    ///
    /// ## Reference
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/config-file/>
    MAX_MEMORY = "max-memory": deny;

    /// Finds a `maxmemory-policy` other than `eviction`, or one that Redis does not know. With `eviction` none is a finding
    /// too: Redis' default is `noeviction`. Beside a file that `additionalRedisConfig` names nothing is said of what is not
    /// set.
    ///
    /// ## Why
    /// It says what becomes of a full cache: with `noeviction` every write fails, with the `volatile-` ones all that have
    /// no key that expires.
    ///
    /// ## Options
    /// `eviction`
    ///
    /// ## Reference
    /// <https://redis.io/docs/latest/develop/reference/eviction/>
    EVICTION = "eviction": deny;

    /// Finds what loses data when Redis starts again:
    ///
    /// - an `appendonly` that is not `yes`, an `appendfsync` that is neither `everysec` nor `always`;
    /// - a `save` that Redis refuses: it takes pairs of seconds and changes, and nothing at all to switch snapshots off;
    /// - a `storage.volumeClaimTemplate` without `persistenceEnabled`, or that without `storage`: the operator then makes no
    ///   volumes and does not switch `appendonly` on. What `appendonly` or a file that `additionalRedisConfig` names says
    ///   goes before that.
    ///
    /// A cluster that says nothing of all this, and has no storage, is a cache.
    ///
    /// ## Why
    /// A pod is moved when its node is drained. What it has not written to a volume by then is gone.
    ///
    /// ## Example
    /// ```yaml
    /// redisConfig:
    ///   dynamicConfig:
    ///   - appendonly no
    ///   - save 900 1 300
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// persistenceEnabled: true
    /// redisConfig:
    ///   dynamicConfig:
    ///   - appendonly yes
    ///   - save 900 1 300 10
    /// ```
    ///
    /// ## Reference
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>, `generateRedisClusterContainerParams` in
    /// <https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/internal/k8sutils/redis-cluster.go>
    PERSISTENCE = "persistence": deny;

    /// Finds a volume whose storage class is not one of `classes`: `storage.volumeClaimTemplate`, and
    /// `storage.nodeConfVolumeClaimTemplate` where `nodeConfVolume` is true. One that names no class is a finding too: it gets
    /// the cluster's default one, and no manifest says which that is.
    ///
    /// ## Why
    /// The class decides on disks, encryption, backups and costs, and no claim can change it later.
    ///
    /// ## Options
    /// `classes`
    STORAGE_CLASS = "storage-class": deny;

    /// Finds Redis' own settings as keys of `spec.redisConfig` (or of that of `redisLeader` or `redisFollower`): one finding,
    /// naming all. And an entry of `dynamicConfig` without a value, which the operator skips.
    ///
    /// ## Why
    /// The operator's schema knows three keys there, and the API server drops all others without a word: Redis runs
    /// with its defaults. So the rule is for files. What a cluster's policies see has been dropped before; there,
    /// `max-memory`, `eviction` and `persistence` say what is missing. In a file they judge such keys as they were meant.
    ///
    /// ## Example
    /// ```yaml
    /// redisConfig:
    ///   maxmemory: 1536mb
    ///   maxmemory-policy: allkeys-lru
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// redisConfig:
    ///   dynamicConfig:
    ///   - maxmemory 1536mb
    ///   - maxmemory-policy allkeys-lru
    /// ```
    ///
    /// ## Fix
    /// Takes them into `dynamicConfig`, which the operator sets with `CONFIG SET` once the cluster is ready; what is set there
    /// already stays. Not safe, as Redis then runs with what was dropped before; safe where nothing is added. None where a key
    /// cannot be set while Redis runs (the operator would try for ever), is not known, or belongs to leaders or followers
    /// alone: that goes into a ConfigMap, as `redis-additional.conf`, which `redisLeader.redisConfig.additionalRedisConfig`
    /// and that of `redisFollower` name.
    ///
    /// ## Reference
    /// <https://redis-operator.opstree.dev/docs/configuration/rediscluster/>, `applyDynamicConfig` in
    /// <https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/internal/k8sutils/redis.go>
    CONFIG_SCHEMA = "config-schema": deny;

    /// Finds what the schema keeps and the operator does not read, in a cluster: `spec.redisConfig.additionalRedisConfig`
    /// (those of `redisLeader` and `redisFollower` are read), `dynamicConfig` and `maxMemoryPercentOfLimit` of
    /// `redisLeader.redisConfig` and `redisFollower.redisConfig` (those of `spec.redisConfig` are), `spec.resources`, and
    /// `storage.volumeClaimTemplate` without `persistenceEnabled`, where `persistence` is silent.
    ///
    /// ## Why
    /// Nothing tells that such a field does nothing.
    ///
    /// ## Example
    /// ```yaml
    /// redisConfig:
    ///   additionalRedisConfig: redis-config
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// redisLeader:
    ///   redisConfig:
    ///     additionalRedisConfig: redis-config
    /// redisFollower:
    ///   redisConfig:
    ///     additionalRedisConfig: redis-config
    /// ```
    ///
    /// ## Reference
    /// `CreateRedisLeader`, `CreateRedisFollower` and `generateRedisClusterContainerParams` in
    /// <https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/internal/k8sutils/redis-cluster.go>
    UNREAD = "unread": off;

    /// Finds a RedisCluster of v1beta1.
    ///
    /// ## Why
    /// From its release 0.20.0 on the operator serves v1beta2 alone: the API server does not know v1beta1 any more. In
    /// v1beta2, `securityContext` is `podSecurityContext`.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: redis.redis.opstreelabs.in/v1beta1
    /// kind: RedisCluster
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: redis.redis.opstreelabs.in/v1beta2
    /// kind: RedisCluster
    /// ```
    ///
    /// ## Reference
    /// <https://github.com/OT-CONTAINER-KIT/redis-operator/pull/1245>
    API_VERSION = "api-version": warn;
}

/// The settings of redis-cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RedisCluster {
    /// The least that leaders and followers may be, each. Absent: three leaders.
    min_size: Option<u32>,
    /// How much of a version a tag must name: `major`, `minor` or `patch`. Default: patch.
    precision: Precision,
    /// The resources that Redis must request. Default: cpu and memory.
    requests: Vec<Resource>,
    /// The resources that Redis must have a limit of. Default: cpu and memory.
    limits: Vec<Resource>,
    /// How much of its memory limit Redis may keep data in, at most, from 1 to 100. Absent: all of it.
    max_memory_percent: Option<u32>,
    /// What Redis is to do when that is full. Absent: whatever it knows.
    eviction: Option<Eviction>,
    /// The storage classes that volumes may have, as globs. None: classes are not judged.
    classes: Vec<Glob>,
}

impl Default for RedisCluster {
    fn default() -> Self {
        Self {
            min_size: None,
            precision: Precision::Patch,
            requests: vec![Resource::Cpu, Resource::Memory],
            limits: vec![Resource::Cpu, Resource::Memory],
            max_memory_percent: None,
            eviction: None,
            classes: Vec::new(),
        }
    }
}

impl Settings for RedisCluster {
    fn validate(&self) -> Result<(), ReadError> {
        let refuse = |field, reason: &str| Err(ReadError { path: Path::of(&[field]), reason: reason.to_owned() });
        if self.min_size == Some(0) {
            return refuse("minSize", "expected 1 or more");
        }
        if self.max_memory_percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            return refuse("maxMemoryPercent", "expected 1 to 100");
        }
        Ok(())
    }
}

policy!(RedisCluster, review);

const GROUP: &str = "redis.redis.opstreelabs.in";

fn review(
    request: &Request<'_>,
    context: &Context<'_, RedisCluster>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    if !request.is(GROUP, "RedisCluster") {
        return Ok(());
    }
    let settings = context.settings;
    let cluster: Cluster<'_> = request.object.view()?;
    let spec = &cluster.spec;
    let config = Config::of(request, spec);
    judge_size(spec, settings, report);
    images::judge(spec, settings, context.exempt, report);
    resources::judge(spec, settings, report);
    memory::judge(&config, spec, settings, report);
    eviction::judge(&config, settings, report);
    persistence::judge(&config, spec, report);
    storage::judge(spec, settings, report);
    config.judge_schema(report);
    config.judge_unread(report);
    if split_api_version(cluster.api_version).1 == "v1beta1" {
        let message =
            format!("v1beta1 is no longer served: redis-operator 0.20.0 removed it, expected {GROUP}/v1beta2");
        report.add(&API_VERSION, Path::of(&["apiVersion"]), message);
    }
    Ok(())
}

/// A Redis cluster works with three leaders or more
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/scaling/>).
const LEAST_LEADERS: u32 = 3;

fn judge_size(spec: &Spec<'_>, settings: &RedisCluster, report: &mut Report<'_>) {
    let least = settings.min_size.unwrap_or(LEAST_LEADERS);
    let followers = settings.min_size.map(|_| spec.followers());
    let mut judged = None;
    for role in [Some(spec.leaders()), followers].into_iter().flatten() {
        let (replicas, at) = (role.replicas.value, role.replicas.at);
        let is_enough = replicas.is_some_and(|replicas| i64::from(replicas) >= i64::from(least));
        // Where both are of clusterSize, once is enough.
        if is_enough || judged.replace(at) == Some(at) {
            continue;
        }
        let field = at[1..].join(".");
        let found = replicas.map_or_else(|| "not set".to_owned(), |replicas| replicas.to_string());
        report.add(&SIZE, Path::of(at), || format!("{field} is {found}, expected at least {least} {}", role.name));
    }
}
