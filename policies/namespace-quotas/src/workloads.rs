//! The workloads of a namespace, each with as many pods as it may have.

use std::sync::Arc;

use gatehouse_policy::{Around, ContextError, Gather, Node};

use crate::claims::{self, Made};
use crate::kinds::{
    CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS, count,
    has_ended, is_made, is_true, number, pods_of_job,
};
use crate::namespace::Namespace;
use crate::needs::{Group, Needs, Times, Who};
use crate::overhead::Overheads;
use crate::pod::PodSpec;
use crate::scale::{ByTarget, Scales};
use crate::scope::Subject;
use crate::surge::Surge;

/// What the workloads of a namespace need.
#[derive(Default)]
pub struct Workloads {
    /// Of pods, and of the workloads themselves.
    pub needs: Needs,
    /// The claims that come with them.
    pub claims: Vec<Made>,
}

impl Gather for Workloads {
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError> {
        let scales = Scales::read(around, namespace)?;
        let mut counted = Counted {
            all: Self::default(),
            scales: scales.by_target(),
            namespace: around.gathered(namespace)?,
            overheads: Overheads::read(around)?,
        };
        for (kind, key, of_made) in [
            (&DEPLOYMENTS, "count/deployments.apps", "count/replicasets.apps"),
            (&REPLICA_SETS, "count/replicasets.apps", ""),
            (&REPLICATION_CONTROLLERS, "replicationcontrollers", ""),
            (&STATEFUL_SETS, "count/statefulsets.apps", ""),
            (&DAEMON_SETS, "count/daemonsets.apps", ""),
            (&JOBS, "count/jobs.batch", ""),
            (&CRON_JOBS, "count/cronjobs.batch", "count/jobs.batch"),
            (&PODS, "", ""),
        ] {
            let mut number = 0;
            around.each(kind, Some(namespace), &mut |object| {
                if !is_made(object) {
                    number += 1;
                    counted.add(kind.asked().kind, object);
                }
            })?;
            // Each has made one object at least.
            for key in [key, of_made] {
                counted.all.needs.add_objects(key, number);
            }
        }
        let Workloads { needs, claims } = counted.all;
        Ok(Self { needs: needs.finish(), claims })
    }
}

/// The workloads that were counted, and what the next ones are counted by.
struct Counted<'a> {
    all: Workloads,
    scales: ByTarget<'a>,
    namespace: Arc<Namespace>,
    overheads: Overheads,
}

impl Counted<'_> {
    /// Counts an object with its pods.
    fn add(&mut self, kind: &'static str, object: &Node<'_>) {
        let name = object.text(&["metadata", "name"]);
        let Some(spec) = object.get("spec") else { return };
        let (mut times, mut per_node, mut pod) = (Times::ONCE, None, spec.descend(&["template", "spec"]));
        match kind {
            "DaemonSet" => per_node = Some(Surge::read(spec, "updateStrategy", Surge::NONE)),
            "Job" => times.steady = if has_ended(object) { 0 } else { pods_of_job(spec) },
            "CronJob" => {
                let job = spec.descend(&["jobTemplate", "spec"]).filter(|_| !is_true(spec, &["suspend"]));
                times.steady = job.map_or(0, pods_of_job);
                pod = job.and_then(|job| job.descend(&["template", "spec"]));
            }
            "Pod" if matches!(object.text(&["status", "phase"]), "Succeeded" | "Failed") => {
                // It is an object still, and takes nothing else.
                self.all.needs.add_objects("count/pods", 1);
                return;
            }
            "Pod" => pod = Some(spec),
            _ => {
                times.steady = self.scales.pods(kind, name, count(number(spec, &["replicas"]), 1));
                if kind == "Deployment" {
                    times.surge = Surge::read(spec, "strategy", Surge::Percent(25)).of(times.steady);
                }
            }
        }
        let pods = u64::try_from(times.steady).ok().filter(|_| kind != "Pod" && per_node.is_none());
        let who = Who { kind, name: name.to_owned(), pods };
        for template in spec.items(&["volumeClaimTemplates"]) {
            let start = [template.text(&["metadata", "name"]), "-", name].concat();
            let first = count(number(spec, &["ordinals", "start"]), 0);
            self.add_claims(template, per_node, times, Some((start, first)), &who);
        }
        let Some(pod) = pod else { return };
        for volume in pod.items(&["volumes"]) {
            if let Some(template) = volume.descend(&["ephemeral", "volumeClaimTemplate"]) {
                self.add_claims(template, per_node, times, None, &who);
            }
        }
        let mut charge = PodSpec { spec: pod, namespace: &self.namespace, overheads: &self.overheads }.charge();
        let needs = &mut self.all.needs;
        let group = needs.group(Group { subject: Subject::Pod(std::mem::take(&mut charge.traits)), per_node });
        let whose = needs.who(who);
        charge.each(&mut |key, amount| needs.add(group, key, amount, times, whose));
    }

    fn add_claims(
        &mut self,
        template: &Node<'_>,
        per_node: Option<Surge>,
        times: Times,
        numbered: Option<(String, u128)>,
        who: &Who,
    ) {
        let each = claims::Charge::of(template);
        self.all.claims.push(Made { each, per_node, times, numbered, who: who.clone() });
    }
}
