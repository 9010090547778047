//! What is read of a pod's containers, and of a `ConfigMap`.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Members, Node, Sorted};
use serde::Deserialize;

use crate::value::references;

#[derive(Deserialize)]
pub struct PodFields {}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerFields<'r> {
    #[serde(borrow)]
    pub command: Vec<&'r str>,
    #[serde(borrow)]
    pub args: Vec<&'r str>,
    #[serde(borrow)]
    pub env: Vec<EnvVar<'r>>,
    #[serde(borrow)]
    pub env_from: Vec<EnvFromSource<'r>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar<'r> {
    pub name: &'r str,
    pub value: &'r str,
    pub value_from: EnvVarSource,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVarSource {
    pub secret_key_ref: Option<SecretKeySelector>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct SecretKeySelector {
    pub optional: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvFromSource<'r> {
    prefix: &'r str,
    secret_ref: Option<Present>,
}

/// An object of which only its being there counts.
#[derive(Deserialize)]
struct Present {}

/// A header that a probe or a hook sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Header<'r> {
    pub name: &'r str,
    pub value: &'r str,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMap<'r> {
    #[serde(borrow)]
    pub data: Members<&'r str, &'r str>,
    #[serde(borrow)]
    pub binary_data: Members<&'r str, &'r str>,
}

impl ContainerFields<'_> {
    /// Of each variable, whether its value takes in a Secret's by `$(NAME)`: the last variable of that name before it is a
    /// `secretKeyRef` or takes one in itself, or none is there and a Secret of `envFrom` may hold one
    /// (`makeEnvironmentVariables` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go>).
    pub fn referring_to_secrets(&self) -> Vec<bool> {
        let places: Sorted<'_> = self.env.iter().map(|of| of.name).zip(0..).collect();
        let from_secrets = self.env_from.iter().filter(|source| source.secret_ref.is_some());
        let prefixes: Sorted<'_> = from_secrets.map(|source| (source.prefix, 0)).collect();
        let prefixes = prefixes.without_longer();
        let mut refer: Vec<bool> = Vec::with_capacity(self.env.len());
        for (index, variable) in self.env.iter().enumerate() {
            let is_secret = |name: &str| {
                let before = places.last_below(name, index);
                match before.and_then(|at| self.env.get(at).zip(refer.get(at))) {
                    Some((named, _)) if named.value.is_empty() => named.value_from.secret_key_ref.is_some(),
                    Some((_, refers)) => *refers,
                    None => prefixes.has_start_of(name),
                }
            };
            refer.push(references(variable.value).any(is_secret));
        }
        refer
    }
}

/// The names of the Secrets that a pod's spec mounts or refers to: in volumes of every type, also `projected` and `csi`,
/// in `envFrom`, `secretKeyRef` and `imagePullSecrets`.
pub fn secrets_of<'n>(spec: &'n Node<'_>) -> Sorted<'n> {
    fn collect<'n>(key: &str, node: &'n Node<'_>, names: &mut Vec<(&'n str, usize)>) {
        match &node.data {
            Data::String(name) if key == "secretName" => names.push((name, 0)),
            Data::Object(members) => {
                if key.ends_with("ecretRef") || matches!(key, "secretKeyRef" | "secret" | "imagePullSecrets") {
                    names.extend(node.get("name").and_then(Node::as_str).map(|name| (name, 0)));
                }
                for member in members {
                    collect(&member.key, &member.value, names);
                }
            }
            Data::Array(items) => items.iter().for_each(|item| collect(key, item, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    collect("", spec, &mut names);
    names.into_iter().collect()
}
