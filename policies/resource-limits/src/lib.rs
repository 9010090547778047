//! Containers say what they need and what they may take.

use gatehouse_policy::{Context, NoSettings, ReadError, Report, Request, policy, rules};

rules! {
    /// To be written.
    TODO = "todo": deny;
}

policy!(NoSettings, review);

fn review(_: &Request<'_>, _: &Context<'_, NoSettings>, _: &mut Report<'_>) -> Result<(), ReadError> {
    Ok(())
}
