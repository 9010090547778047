//! Every field that a policy's view names is one that the API's own type has: a misspelt one would count as absent in
//! every object, and the policy would never see what it guards.
//!
//! Each kind is filled to the last field as k8s-openapi declares it, and judged by every policy, while the kit records which
//! fields the views ask for.

use std::collections::BTreeMap;

use gatehouse_engine::POLICIES;
use gatehouse_policy::{Node, Policy, Request, record};
use gatehouse_tests::{PROFILES, profile_settings};
use k8s_openapi::Resource;
use k8s_openapi::api::{apps, autoscaling, batch, core, networking, node, policy};
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::{Value, json};

/// What a view names that the types do not: the metrics that autoscaling/v1 keeps in an annotation are those of v2beta1.
const ELSEWHERE: &[(&str, record::Field)] = &[("autoscaling", ("ResourceMetric", "targetAverageUtilization"))];

/// The keys of every map: amounts of resources are read by name, and Prometheus' annotations lead to the ports.
const KEYS: &[&str] = &["text", "cpu", "memory", "storage", "prometheus.io/scrape", "prometheus.io/port"];

#[test]
fn every_field_of_a_view_is_one_of_the_api() {
    let mut seen: BTreeMap<_, bool> = BTreeMap::new();
    for object in objects() {
        for policy in POLICIES {
            let profiles = PROFILES.iter().map(|profile| profile_settings(profile, policy.name));
            for settings in profiles.chain([json!({})]) {
                for (field, is_there) in fields(policy, &settings, &object) {
                    *seen.entry((policy.name, field)).or_default() |= is_there;
                }
            }
        }
    }
    let missing = seen.iter().filter(|(_, is_there)| !**is_there).map(|(field, _)| field);
    let missing: Vec<_> = missing.filter(|field| !ELSEWHERE.contains(field)).collect();
    assert!(missing.is_empty(), "fields that no type of the API has: {missing:#?}");
    for policy in POLICIES {
        let own = seen.keys().filter(|(name, _)| *name == policy.name).count();
        assert!(own > 0, "{} reads no field: its views are not reached", policy.name);
    }
}

/// As for the fields of views: what a policy asks of what is around an object is there to be asked for.
#[test]
fn every_field_that_is_asked_for_is_one_of_the_api() {
    let objects = objects();
    let mut asked_for = 0;
    for policy in POLICIES {
        for asked in policy.asks {
            let is_it = |object: &&Value| object["apiVersion"] == asked.api_version && object["kind"] == asked.kind;
            let Some(object) = objects.iter().find(is_it) else { continue };
            for field in asked.fields() {
                let steps: Vec<&str> = field.split('.').collect();
                assert!(leads(object, &steps), "{}: {} {} has no {field}", policy.name, asked.api_version, asked.kind);
                asked_for += 1;
            }
        }
    }
    assert!(asked_for > 100, "only {asked_for} fields are asked for");
}

/// Whether steps lead somewhere, through the items of lists.
fn leads(node: &Value, steps: &[&str]) -> bool {
    match (node, steps) {
        (_, []) => true,
        (Value::Array(items), _) => items.iter().any(|item| leads(item, steps)),
        (_, [step, rest @ ..]) => node.get(step).is_some_and(|node| leads(node, rest)),
    }
}

/// The fields that a policy's views, and the kit's, name of an object.
fn fields(policy: &Policy, settings: &Value, object: &Value) -> BTreeMap<record::Field, bool> {
    let (settings, text) = (settings.to_string(), object.to_string());
    let configured = Node::from_json(settings.as_bytes()).and_then(|settings| policy.configure(&settings));
    let configured = configured.unwrap_or_else(|error| panic!("{}: {error}", policy.name));
    let node = Node::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let request = Request::create(&node, "default").unwrap_or_else(|error| panic!("{error}"));
    record::fields(|| {
        if let Err(error) = configured.review(&request) {
            panic!("{} on {}: {error}", policy.name, request.kind);
        }
    })
}

/// One object of each kind that a policy judges, with every field.
fn objects() -> Vec<Value> {
    [
        filled::<core::v1::Pod>(),
        filled::<core::v1::ReplicationController>(),
        filled::<core::v1::ResourceQuota>(),
        filled::<core::v1::LimitRange>(),
        filled::<apps::v1::Deployment>(),
        filled::<apps::v1::ReplicaSet>(),
        filled::<apps::v1::StatefulSet>(),
        filled::<apps::v1::DaemonSet>(),
        filled::<batch::v1::Job>(),
        filled::<batch::v1::CronJob>(),
        filled::<autoscaling::v1::HorizontalPodAutoscaler>(),
        filled::<autoscaling::v2::HorizontalPodAutoscaler>(),
        filled::<networking::v1::Ingress>(),
        filled::<policy::v1::PodDisruptionBudget>(),
        filled::<core::v1::Service>(),
        filled::<core::v1::ConfigMap>(),
        filled::<core::v1::Namespace>(),
        filled::<core::v1::PersistentVolume>(),
        filled::<core::v1::PersistentVolumeClaim>(),
        filled::<core::v1::Secret>(),
        filled::<core::v1::ServiceAccount>(),
        filled::<node::v1::RuntimeClass>(),
        redis_cluster(),
    ]
    .into_iter()
    .chain(monitoring())
    .collect()
}

/// The kinds of the Prometheus operator, with the fields that its documentation has
/// (<https://prometheus-operator.dev/docs/api-reference/api/>), save for those of authorization.
fn monitoring() -> [Value; 3] {
    let object = |kind: &str, spec: Value| json!({"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": {"name": "a", "namespace": "b"}, "spec": spec});
    let relabeling = json!({
        "sourceLabels": ["a"], "separator": ";", "targetLabel": "b", "regex": "(.*)", "modulus": 2, "replacement": "$1",
        "action": "replace",
    });
    let endpoint = json!({
        "port": "a", "targetPort": 1, "path": "/", "scheme": "http", "params": {"a": ["b"]}, "interval": "1m",
        "scrapeTimeout": "10s", "honorLabels": true, "honorTimestamps": true, "trackTimestampsStaleness": true,
        "metricRelabelings": [relabeling], "relabelings": [relabeling], "filterRunning": true, "followRedirects": true,
        "enableHttp2": true, "proxyUrl": "http://a",
    });
    let mut pod_endpoint = endpoint.clone();
    pod_endpoint["portNumber"] = json!(1);
    let selector = json!({
        "matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
    });
    let monitor = |field: &str, endpoint: Value| {
        json!({
            "jobLabel": "a", "targetLabels": ["a"], "podTargetLabels": ["a"], "selector": selector,
            "selectorMechanism": "RelabelConfig", "namespaceSelector": {"any": true, "matchNames": ["a"]}, field: [endpoint],
            "sampleLimit": 1, "targetLimit": 1, "scrapeClass": "a", "attachMetadata": {"node": true},
        })
    };
    let alert = json!({
        "alert": "A", "expr": "a", "for": "1m", "keep_firing_for": "1m", "labels": {"a": "b"}, "annotations": {"a": "b"},
    });
    let groups = json!({"groups": [{
        "name": "a", "labels": {"a": "b"}, "interval": "1m", "query_offset": "1m", "limit": 1,
        "partial_response_strategy": "abort", "rules": [alert, {"record": "a", "expr": "a"}],
    }]});
    [
        object("ServiceMonitor", monitor("endpoints", endpoint)),
        object("PodMonitor", monitor("podMetricsEndpoints", pod_endpoint)),
        object("PrometheusRule", groups),
    ]
}

/// Every field that a view may name of a kind that k8s-openapi does not know, as its definition has it
/// (<https://github.com/OT-CONTAINER-KIT/redis-operator/blob/v0.26.0/config/crd/bases/redis.redis.opstreelabs.in_redisclusters.yaml>).
fn redis_cluster() -> Value {
    let amounts = json!({"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"});
    let resources = json!({"requests": amounts, "limits": amounts});
    let config =
        json!({"additionalRedisConfig": "text", "dynamicConfig": ["maxmemory 1gb"], "maxMemoryPercentOfLimit": 1});
    let role = json!({"replicas": 1, "resources": resources, "redisConfig": config});
    let container = json!({"name": "text", "enabled": true, "image": "text", "resources": resources});
    let claim = json!({"metadata": {}, "spec": {"accessModes": [], "resources": {}, "storageClassName": "text"}});
    json!({
        "apiVersion": "redis.redis.opstreelabs.in/v1beta2",
        "kind": "RedisCluster",
        "metadata": {"name": "text"},
        "spec": {
            "clusterSize": 1,
            "kubernetesConfig": {"image": "text", "resources": resources},
            "redisConfig": config,
            "redisLeader": role,
            "redisFollower": role,
            "redisExporter": container,
            "initContainer": container,
            "sidecars": [container],
            "storage": {
                "volumeClaimTemplate": claim,
                "nodeConfVolume": true,
                "nodeConfVolumeClaimTemplate": claim,
            },
            "persistenceEnabled": true,
            "resources": resources,
        },
    })
}

/// An object of a type, every field of it set, as its own serialisation has it.
fn filled<T: DeserializeOwned + Serialize + Resource>() -> Value {
    let filler = Filler { name: "", api_version: T::API_VERSION, kind: T::KIND };
    let object = T::deserialize(filler).unwrap_or_else(|error| panic!("{}: {error}", T::KIND));
    json!(object)
}

/// Gives whatever is asked for: every field of a struct, one item of an array, one member of a map.
#[derive(Clone, Copy)]
struct Filler {
    /// The name of the type or field that is filled.
    name: &'static str,
    api_version: &'static str,
    kind: &'static str,
}

impl IntoDeserializer<'_, Error> for Filler {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Filler {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.name == "Quantity" { visitor.visit_borrowed_str("1") } else { visitor.visit_i64(1) }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(true)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(match self.name {
            "apiVersion" => self.api_version,
            "kind" => self.kind,
            "Time" | "MicroTime" => "2026-01-01T00:00:00Z",
            "ByteString" => "AAAA",
            _ => "1111",
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(Self { name, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new([self].into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(KEYS.iter().map(|key| (*key, self))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // A StatefulSet's templates of claims are claims.
        let (api_version, kind) =
            if name == "PersistentVolumeClaim" { ("v1", name) } else { (self.api_version, self.kind) };
        visitor.visit_map(MapDeserializer::new(fields.iter().map(|name| (*name, Self { name, api_version, kind }))))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}
