//! What scales a workload, or guards its number of pods.

use gatehouse_policy::{Autoscalers, Node, Operation, Path, ReadError, Report, Request, split_api_version};

use crate::ask::Place;
use crate::labels::{self, Selected, Selector};
use crate::names::{SCALED, Wanted};
use crate::picked;
use crate::shape::{self, Type};
use crate::{FIXED_REPLICAS, ObjectReferences, SCALE_TARGET};

/// Finds a number of replicas beside an autoscaler. 1 is what the API server makes of none.
pub fn judge_replicas(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    shape::check(request.object, &[(&["spec", "replicas"], Type::Number)])?;
    let of = |object: &Node<'_>| object.descend(&["spec", "replicas"]).and_then(Node::as_i64);
    let Some(replicas) = of(request.object).filter(|replicas| *replicas != 1) else { return Ok(()) };
    // Whoever changes something else sends what is there.
    if request.operation == Operation::Update && request.old_object.and_then(of) == Some(replicas) {
        return Ok(());
    }
    let [kind, name, namespace] = [request.kind, request.name, request.namespace].map(str::to_owned);
    report.add_if(&FIXED_REPLICAS, Path::of(&["spec", "replicas"]), move |around| {
        let autoscalers = around.gathered::<Autoscalers>(&namespace)?;
        Ok(autoscalers.of(&kind, &name).map(|autoscaler| {
            format!("replicas is {replicas}, which undoes what {autoscaler} does, expected no replicas beside it")
        }))
    });
    Ok(())
}

/// Finds an autoscaler of a workload that is not there.
pub fn judge_autoscaler(
    request: &Request<'_>,
    settings: &ObjectReferences,
    report: &mut Report<'_>,
) -> Result<(), ReadError> {
    let fields: &[shape::Field] = &[
        (&["spec", "scaleTargetRef", "apiVersion"], Type::Text),
        (&["spec", "scaleTargetRef", "kind"], Type::Text),
        (&["spec", "scaleTargetRef", "name"], Type::Text),
    ];
    shape::check(request.object, fields)?;
    let target = |key| request.object.text(&["spec", "scaleTargetRef", key]);
    let (group, _) = split_api_version(target("apiVersion"));
    // KEDA takes it for a Deployment.
    let kind = if target("kind").is_empty() { "Deployment" } else { target("kind") };
    if let Some(of) = SCALED.iter().find(|of| of.is(group, kind)) {
        let spec = Path::of(&["spec"]);
        let mut wanted = Wanted::of(of);
        wanted.add(target("name"), Place::of(&spec).field(&["scaleTargetRef", "name"]));
        wanted.ask(settings, request.namespace, report);
    }
    Ok(())
}

/// Finds a `PodDisruptionBudget` that selects no pod.
pub fn judge_budget(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    shape::check(request.object, labels::SHAPE)?;
    let keys = &["spec", "selector"];
    let Some(selector) = request.object.descend(keys) else { return Ok(()) };
    let selector = Selector::of(selector);
    let namespace = request.namespace.to_owned();
    report.add_if(&SCALE_TARGET, Path::of(keys), move |around| {
        let picked = picked::any_pods(around, &namespace, &selector)?;
        let (is_missing, asked) = (picked.selected == Selected::Nothing && around.is_whole(), picked.asked);
        Ok(is_missing.then(|| format!("no pod in namespace {namespace} has the labels of the selector, {asked}")))
    });
    Ok(())
}
