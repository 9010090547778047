#!/usr/bin/env bash
# Makes the skeleton of a policy that compiles, passes and is registered everywhere.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:-}
if ! [[ $name =~ ^[a-z][a-z0-9]*(-[a-z0-9]+)*$ ]]; then
    echo "error: expected a name in small letters and dashes: make new-policy NAME=host-ports" >&2
    exit 2
fi
if [ -e "policies/$name" ]; then
    echo "error: policies/$name is there already" >&2
    exit 2
fi
crate=${name//-/_}
words=${name//-/ }
title=${words^}
mkdir -p "policies/$name/src" "policies/$name/tests"
sed "s/run-as-nonroot/$name/; s/^description = .*/description = \"$title\"/" \
    policies/run-as-nonroot/Cargo.toml > "policies/$name/Cargo.toml"
cp policies/run-as-nonroot/build.rs "policies/$name/build.rs"
sed "s/run-as-nonroot/$name/; /pods\/ephemeralcontainers/s/, \"pods\/ephemeralcontainers\"//
    s/displayName: .*/displayName: $title/; s/keywords: .*/keywords: pod/
    s/policy.description: .*/policy.description: $title/; s/^mutating: .*/mutating: false/" \
    policies/run-as-nonroot/metadata.yml > "policies/$name/metadata.yml"
cat > "policies/$name/src/lib.rs" <<RUST
//! $title.

use gatehouse_policy::{Context, NoSettings, ReadError, Report, Request, policy, rules};
use serde::Deserialize;

rules! {
    /// Finds a pod on the node's own network.
    ///
    /// ## Why
    /// Say here what goes wrong without the rule.
    HOST_NETWORK = "host-network": deny;
}

policy!(NoSettings, review);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodFields {
    host_network: bool,
}

#[derive(Default, Deserialize)]
struct ContainerFields {}

fn review(request: &Request<'_>, context: &Context<'_, NoSettings>, report: &mut Report<'_>) -> Result<(), ReadError> {
    for pod in Pod::read(request, context.exempt)? {
        if pod.host_network {
            report.add(&HOST_NETWORK, pod.at(&["hostNetwork"]), "pod: hostNetwork is true, expected false");
        }
    }
    Ok(())
}
RUST
cat > "policies/$name/tests/host-network.yaml" <<YAML
cases:
- name: a pod on the node's network
  object: {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true, containers: [{name: app}]}}
  findings:
  - {rule: host-network, level: deny, path: spec.hostNetwork}
- name: a pod on its own
  object: {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: app}]}}
  findings: []
YAML
# The lists are ordered: one by the alphabet, the other by the catalogue, at whose end the new policy stands.
sed -i "/^run-as-nonroot = { path/i $name = { path = \"policies/$name\" }" Cargo.toml
sed -i "/^run-as-nonroot.workspace/i $name.workspace = true" crates/gatehouse-engine/Cargo.toml
sed -i "/^];/i \    \&$crate::POLICY," crates/gatehouse-engine/src/native.rs
for profile in baseline strict herald; do
    cat >> "profiles/$profile.yaml" <<YAML
---
apiVersion: policies.kubewarden.io/v1
kind: ClusterAdmissionPolicy
metadata:
  name: $name
spec:
  module: registry://ghcr.io/gatehouse/policies/$name:v0.1.0
  mutating: false
$(sed -n '/^rules:/,/^[a-z]*:/{/^mutating/!p}' "policies/$name/metadata.yml" | sed 's/^/  /')
YAML
done
row=$(grep -n '^| \[[a-z-]*\]([a-z-]*\.md)' docs/policies/README.md | tail -1 | cut -d: -f1)
sed -i "${row}a | [$name]($name.md) | pods on the node's own network |" docs/policies/README.md
echo "policies/$name is there, in the workspace, the engine, the profiles and the documentation; make test passes it"
