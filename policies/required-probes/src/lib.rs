//! Containers that serve let the kubelet see that they live and that they are ready.

use gatehouse_policy::{Context, NoSettings, ReadError, Report, Request, policy, rules};

rules! {
    /// To be written.
    TODO = "todo": deny;
}

policy!(NoSettings, review);

fn review(_: &Request<'_>, _: &Context<'_, NoSettings>, _: &mut Report<'_>) -> Result<(), ReadError> {
    Ok(())
}
