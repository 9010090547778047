//! What claims of storage take of a quota, those that are there and those that workloads make.

use gatehouse_policy::{Around, ContextError, Gather, Kind, Listed, Node};

use crate::amount::{ONE, product, quotient};
use crate::kinds::is_true;
use crate::needs::{Group, Needs, Times, Who};
use crate::parts::{Parts, get};
use crate::scope::Subject;
use crate::surge::Surge;
use crate::workloads::Workloads;

pub const CLAIMS: Kind<Listed> = Kind::listed(
    "v1",
    "PersistentVolumeClaim",
    &[
        "metadata.annotations",
        "metadata.ownerReferences.controller",
        "metadata.ownerReferences.kind",
        "spec.resources.requests",
        "spec.storageClassName",
        "spec.volumeAttributesClassName",
        "status.allocatedResources",
    ],
);

/// What follows a class in its own keys of a quota.
pub const OF_CLASS: [&str; 2] =
    [".storageclass.storage.k8s.io/persistentvolumeclaims", ".storageclass.storage.k8s.io/requests.storage"];

/// Claims that a workload makes, all the same.
pub struct Made {
    pub each: Charge,
    /// Of those that come with the pods on every node: how many more an update makes.
    pub per_node: Option<Surge>,
    /// How many there are, and how many more while the workload is updated.
    pub times: Times,
    /// What their names start with and the first number that follows, of a `StatefulSet`'s.
    pub numbered: Option<(String, u128)>,
    pub who: Who,
}

/// What a claim takes.
pub struct Charge {
    storage: Option<u128>,
    class: String,
    attributes_class: String,
}

/// The storage among the amounts at the end of a chain of members, rounded up to whole bytes.
fn storage(claim: &Node<'_>, way: &[&'static str]) -> Option<u128> {
    let amount = get(&Parts::of(claim, way).sum(), "storage")?;
    Some(product(quotient(amount, ONE), ONE))
}

impl Charge {
    /// What quotas charge for a claim, or for one of a template (`Usage` and `getStorageUsage` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/quota/v1/evaluator/core/persistent_volume_claims.go>). Of a
    /// claim that names no class it is not known which one the cluster will give it.
    pub fn of(claim: &Node<'_>) -> Self {
        let class = match claim.text(&["metadata", "annotations", "volume.beta.kubernetes.io/storage-class"]) {
            "" => claim.text(&["spec", "storageClassName"]),
            class => class,
        };
        let requested = storage(claim, &["spec", "resources", "requests"]);
        let allocated = storage(claim, &["status", "allocatedResources"]);
        Self {
            storage: if requested < allocated { requested.and(allocated) } else { requested },
            class: class.to_owned(),
            attributes_class: claim.text(&["spec", "volumeAttributesClassName"]).to_owned(),
        }
    }

    /// Adds so many of these claims.
    fn add(&self, needs: &mut Needs, per_node: Option<Surge>, times: Times, who: Who) {
        let group = needs.group(Group { subject: Subject::Claim(self.attributes_class.clone()), per_node });
        let whose = needs.who(who);
        let mut add = |of_all, of_class, amount| {
            needs.add(group, ["", of_all], amount, times, whose);
            if !self.class.is_empty() {
                needs.add(group, [&self.class, of_class], amount, times, whose);
            }
        };
        add("persistentvolumeclaims", OF_CLASS[0], ONE);
        if let Some(storage) = self.storage {
            add("requests.storage", OF_CLASS[1], storage);
        }
    }
}

/// What a namespace's claims take.
pub struct Claims(pub Needs);

impl Gather for Claims {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let workloads = around.gathered::<Workloads>(namespace)?;
        // Those of StatefulSets that are there count as they are: they may have grown since.
        let mut parts = Parts::default();
        for (index, made) in workloads.claims.iter().enumerate() {
            if let Some((start, _)) = &made.numbered {
                parts.add(start, 0, index as u128, index as u128);
            }
        }
        let numbered = parts.sum();
        let made = |name: &str| {
            let (start, number) = name.rsplit_once('-')?;
            let index = usize::try_from(get(&numbered, start)?).ok()?;
            let made = workloads.claims.get(index)?;
            let ordinal = u128::from(number.parse::<u32>().ok()?).checked_sub(made.numbered.as_ref()?.1)?;
            let is_plain = number == "0" || !matches!(number.as_bytes(), [b'0' | b'+', ..]);
            (is_plain && ordinal < made.times.steady).then_some(index)
        };
        let mut needs = Needs::default();
        let mut there = vec![0_u128; workloads.claims.len()];
        around.each(&CLAIMS, Some(namespace), &mut |claim| {
            let name = claim.text(&["metadata", "name"]);
            let owners = claim.items(&["metadata", "ownerReferences"]);
            match made(name).and_then(|index| there.get_mut(index)) {
                Some(number) => *number += 1,
                // Made with a pod, whose workload is charged for it.
                None if owners.iter().any(|of| is_true(of, &["controller"]) && of.text(&["kind"]) == "Pod") => return,
                None => {}
            }
            let who = Who { kind: "PersistentVolumeClaim", name: name.to_owned(), pods: None };
            Charge::of(claim).add(&mut needs, None, Times::ONCE, who);
        })?;
        for (made, there) in workloads.claims.iter().zip(there) {
            let times = Times { steady: made.times.steady.saturating_sub(there), ..made.times };
            made.each.add(&mut needs, made.per_node, times, made.who.clone());
        }
        Ok(Self(needs.finish()))
    }
}
