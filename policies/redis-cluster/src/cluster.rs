//! What is read of a `RedisCluster`, by the names of its API
//! (<https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/api/rediscluster/v1beta2/rediscluster_types.go>).

use gatehouse_policy::Members;
use gatehouse_policy::quantity::Quantity;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cluster<'r> {
    pub api_version: &'r str,
    #[serde(borrow)]
    pub spec: Spec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec<'r> {
    pub cluster_size: Option<i32>,
    #[serde(borrow)]
    pub kubernetes_config: KubernetesConfig<'r>,
    #[serde(borrow)]
    pub redis_config: RedisConfig<'r>,
    #[serde(borrow)]
    pub redis_leader: RoleFields<'r>,
    #[serde(borrow)]
    pub redis_follower: RoleFields<'r>,
    #[serde(borrow)]
    pub redis_exporter: Helper<'r>,
    #[serde(borrow)]
    pub init_container: Helper<'r>,
    #[serde(borrow)]
    pub sidecars: Vec<Sidecar<'r>>,
    #[serde(borrow)]
    pub storage: Option<Storage<'r>>,
    pub persistence_enabled: bool,
    #[serde(borrow)]
    pub resources: Option<Resources<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct KubernetesConfig<'r> {
    pub image: &'r str,
    #[serde(borrow)]
    pub resources: Resources<'r>,
}

/// The three fields that the schema keeps of any `redisConfig`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RedisConfig<'r> {
    /// `name value`, each set by `CONFIG SET` when the cluster is ready.
    #[serde(borrow)]
    pub dynamic_config: Vec<&'r str>,
    /// The name of a `ConfigMap`, whose `redis-additional.conf` is included when Redis starts.
    #[serde(rename = "additionalRedisConfig")]
    pub file: &'r str,
    pub max_memory_percent_of_limit: Option<i32>,
}

/// What leaders, or followers, have of their own.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RoleFields<'r> {
    pub replicas: Option<i32>,
    #[serde(borrow)]
    pub resources: Option<Resources<'r>>,
    #[serde(borrow)]
    pub redis_config: RedisConfig<'r>,
}

/// A container that runs beside Redis once it is enabled.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Helper<'r> {
    pub enabled: bool,
    pub image: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Sidecar<'r> {
    pub name: &'r str,
    pub image: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Resources<'r> {
    #[serde(borrow)]
    pub requests: Amounts<'r>,
    #[serde(borrow)]
    pub limits: Amounts<'r>,
}

/// Amounts by resource; `null` is 0.
pub type Amounts<'r> = Members<&'r str, Option<Quantity>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Storage<'r> {
    #[serde(borrow)]
    pub volume_claim_template: Option<Claim<'r>>,
    pub node_conf_volume: bool,
    #[serde(borrow)]
    pub node_conf_volume_claim_template: Option<Claim<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Claim<'r> {
    #[serde(borrow)]
    pub spec: ClaimSpec<'r>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClaimSpec<'r> {
    pub storage_class_name: Option<&'r str>,
}

/// Leaders or followers, with what takes effect for them.
pub struct Role<'c, 'r> {
    /// `leaders` or `followers`.
    pub name: &'static str,
    /// How many there are.
    pub replicas: Field<Option<i32>>,
    /// What each has. Its own resources are taken whole: nothing is merged.
    pub resources: Field<&'c Resources<'r>>,
}

/// What takes effect, and where it stands.
pub struct Field<T> {
    pub value: T,
    pub at: &'static [&'static str],
}

impl<'r> Spec<'r> {
    pub fn leaders(&self) -> Role<'_, 'r> {
        let at = [&["spec", "redisLeader", "replicas"][..], &["spec", "redisLeader", "resources"]];
        self.role("leaders", &self.redis_leader, at)
    }

    pub fn followers(&self) -> Role<'_, 'r> {
        let at = [&["spec", "redisFollower", "replicas"][..], &["spec", "redisFollower", "resources"]];
        self.role("followers", &self.redis_follower, at)
    }

    /// `GetReplicaCounts`, `GetRedisLeaderResources` and `GetRedisFollowerResources` of the operator.
    fn role<'c>(
        &'c self,
        name: &'static str,
        own: &'c RoleFields<'r>,
        [replicas, resources]: [&'static [&'static str]; 2],
    ) -> Role<'c, 'r> {
        Role {
            name,
            replicas: match own.replicas {
                Some(_) => Field { value: own.replicas, at: replicas },
                None => Field { value: self.cluster_size, at: &["spec", "clusterSize"] },
            },
            resources: match &own.resources {
                Some(own) => Field { value: own, at: resources },
                None => {
                    Field { value: &self.kubernetes_config.resources, at: &["spec", "kubernetesConfig", "resources"] }
                }
            },
        }
    }
}

impl Role<'_, '_> {
    /// Whether there are any.
    pub fn is_running(&self) -> bool {
        self.replicas.value != Some(0)
    }
}
