//! What scales a workload.

use gatehouse_policy::{Autoscalers, Operation, Path, ReadError, Report, Request};

use crate::FIXED_REPLICAS;
use crate::read::number;

/// Finds a number of replicas beside an autoscaler. 1 is what the API server makes of none.
pub fn judge_replicas(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let of = |object| number(object, &["spec", "replicas"]);
    let Some(replicas) = of(request.object)?.filter(|replicas| *replicas != 1) else { return Ok(()) };
    let before = request.old_object.filter(|_| request.operation == Operation::Update);
    if before.is_some_and(|before| of(before) == Ok(Some(replicas))) {
        return Ok(()); // Whoever changes something else sends what is there.
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
