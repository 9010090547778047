//! Objects carry the labels and annotations that a team counts on, and those that Prometheus reads make sense.

mod labels;
mod pattern;
mod requirement;
mod scrape;
mod syntax;
mod view;

use gatehouse_policy::{Context, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::labels::{Labels, Place};
use crate::requirement::Requirement;

rules! {
    /// Finds a label that `labels` requires of a kind and that is absent or empty, or whose value is not one of those
    /// allowed. A level of its own, `level: warn`, is kept unless `rules` sets the rule's level.
    ///
    /// ## Why
    /// Costs, alerts, dashboards and network policies are told apart by labels. What has none is nobody's.
    ///
    /// Labels that the API server fills in count as set: a Job or ReplicationController without any takes those of its
    /// pod template, and a Namespace has `kubernetes.io/metadata.name`. A label taken away by an update is judged like
    /// one that never was there.
    ///
    /// Labels can be changed together with a status, too, where the API server does not put them back. Of `namespaces/status`,
    /// `namespaces/finalize` and `services/status` what was not wrong before is judged, so that no controller is stopped by what
    /// others left. Those of workloads, Ingresses, claims, volumes, autoscalers and disruption budgets are written by
    /// controllers at any moment: the policy is not installed for them, as it would be called each time, and RBAC must keep them to
    /// controllers, as it does by default. Whoever wants them judged adds them to `rules`, such as
    /// `statefulsets/status`. (Of a Deployment's status the API server puts the labels back: `deploymentStatusStrategy` in
    /// <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/apps/deployment/strategy.go>; of the others not, see
    /// the `strategy.go` of each there.)
    ///
    /// Pod templates are found in kinds that are not Kubernetes' own too, such as Argo's Rollout or Volcano's Job, once
    /// `rules` names them: each template of an object is judged. With several of them `matchSelector` compares nothing.
    ///
    /// ## Example
    /// ```yaml
    /// kind: Deployment
    /// metadata:
    ///   name: shop
    /// spec:
    ///   selector:
    ///     matchLabels: {app: shop}
    ///   template:
    ///     metadata:
    ///       labels: {app: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// kind: Deployment
    /// metadata:
    ///   name: shop
    ///   labels: {app: shop}
    /// ```
    ///
    /// ## Fix
    /// Copies the value where it is known and allowed: onto an object from its pod template, or from the selector of a
    /// Service; onto a pod template from the object; or from the label that `equals` names. Safe where it adds to a
    /// workload or Service what its pods have already; not safe where it replaces a value or makes new pods.
    ///
    /// ## Options
    /// ```yaml
    /// labels:
    /// - {keys: [app], kinds: [Deployment, StatefulSet, Service], matchSelector: true}
    /// - {keys: [environment], kinds: [Namespace], values: [production, staging]}
    /// - {keys: [version], kinds: [apps/*], place: both, pattern: 'v\d+(\.\d+){2}', level: warn}
    /// ```
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>
    LABEL = "label": deny;

    /// Finds an annotation that `annotations` requires of a kind and that is absent or empty, or whose value is not one
    /// of those allowed.
    ///
    /// ## Why
    /// Who to call, which runbook to follow: what is not on the object is not found at night.
    ///
    /// ## Fix
    /// As of `label`, but for selectors, which know nothing of annotations.
    ///
    /// ## Options
    /// ```yaml
    /// annotations:
    /// - {keys: [example.com/owner], kinds: [Namespace, Deployment], pattern: '[a-z.]+@example\.com'}
    /// ```
    ANNOTATION = "annotation": deny;

    /// Finds annotations `prometheus.io/…`, of a pod, a pod template or a Service, that do not say what they seem to:
    ///
    /// - `scrape` is neither `"true"` nor a no, such as `True` or `yes`;
    /// - `port` is no number from 1 to 65535;
    /// - `port` is none of the TCP ports that the containers declare, or of a Service one to which no port of the Service leads.
    ///   This is a warning: the usual configuration puts the number in the place of whatever is declared, and a container may
    ///   listen on a port that it does not declare, or a Service not serve a port of its pods;
    /// - a pod is to be scraped, but neither `port` nor a TCP port of a container says where;
    /// - `path` does not start with a slash or has parameters, or `scheme` is neither `http` nor `https`.
    ///
    /// ## Why
    /// Nothing refuses such annotations. Mostly the metrics are just missing then, and so are the alerts made of them; what
    /// works all the same, such as a path whose slash Prometheus adds, need not work with the next reader.
    ///
    /// Prometheus itself knows none of these annotations: they mean what its relabelling makes of them, and this rule takes
    /// them as the usual configuration does. There `scrape` must be just `true`; a port or scheme that is malformed
    /// counts as absent; without `port` each declared port is scraped. Where nothing is scraped the rest is not judged,
    /// nor where the containers declare no TCP port: they may listen all the same.
    ///
    /// ## Example
    /// ```yaml
    /// metadata:
    ///   annotations: {prometheus.io/scrape: "True", prometheus.io/port: metrics}
    /// spec:
    ///   containers:
    ///   - name: app
    ///     ports: [{name: metrics, containerPort: 9090}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// metadata:
    ///   annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9090"}
    /// ```
    ///
    /// ## Fix
    /// Writes `"true"` for a plain yes, puts the slash before a path, and the number in the place of the name of a
    /// container's port. Not safe: something else is scraped, and the change of a pod template makes new pods.
    ///
    /// ## Reference
    /// <https://github.com/prometheus-community/helm-charts/blob/main/charts/prometheus/values.yaml>
    SCRAPE = "scrape": deny;
}

/// The settings of required-labels.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RequiredLabels {
    /// The labels that objects must have. None: labels are not judged.
    labels: Vec<Requirement>,
    /// The annotations that objects must have. None: annotations are not judged, but for those of Prometheus.
    annotations: Vec<Requirement>,
}

impl Settings for RequiredLabels {
    fn validate(&self) -> Result<(), ReadError> {
        for (field, requirements) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            for (index, requirement) in requirements.iter().enumerate() {
                let located = |error: ReadError| error.below(&Path::of(&[field]).index(index));
                requirement.validate(field == "labels").map_err(located)?;
            }
        }
        Ok(())
    }
}

policy!(RequiredLabels, review, subresources: ["status", "finalize"]);

fn review(
    request: &Request<'_>,
    context: &Context<'_, RequiredLabels>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let settings = context.settings;
    judge(&LABEL, "labels", &settings.labels, request, report)?;
    judge(&ANNOTATION, "annotations", &settings.annotations, request, report)?;
    scrape::judge(request, report)
}

fn judge(
    rule: &Rule,
    field: &'static str,
    requirements: &[Requirement],
    request: &Request<'_>,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let requirements: Vec<&Requirement> = requirements.iter().filter(|of| of.concerns(request)).collect();
    if requirements.is_empty() || report.level(rule).is_none() {
        return Ok(());
    }
    let mut labels = Labels::read(request, field)?;
    let mut faults = labels.faults(&requirements);
    if !request.subresource.is_empty() {
        // Whoever writes a status need not answer for what was there before, and can write no template.
        faults = labels.faults_at(Place::Object, &requirements, None);
        if let Some(object) = request.old_object {
            let before =
                Labels::read(&Request { object, ..*request }, field)?.faults_at(Place::Object, &requirements, None);
            faults.retain(|fault| !before.iter().any(|known| known.is_known_as(fault)));
        }
    }
    for fault in &faults {
        let path = labels.path(fault.place, fault.key);
        let added = report.add_as(fault.level, rule, path, || labels.message(fault));
        if !added.is_listed() {
            continue;
        }
        match labels.mend(fault, &requirements) {
            Some((edit, true)) => added.safe_fix([edit]),
            Some((edit, false)) => added.unsafe_fix([edit]),
            None => {}
        }
    }
    Ok(())
}
