//! What mends a finding, and brings no other.

use gatehouse_policy::{Edit, Node};

use crate::Holder;
use crate::resources::{Share, Side};
use crate::settings::ResourceLimits;

impl Holder<'_> {
    /// Sets from the defaults what a resource lacks. Where there are no resources at all, the same edit does it for all of
    /// them, so that in whatever order the fixes are applied, a default request is not lost to a limit set before it.
    pub fn completion(&self, share: Share<'_>, side: Side, bare: bool) -> Option<Vec<Edit>> {
        // A resize must leave the pod's class of service as it is (`ValidatePodResize` in
        // https://github.com/kubernetes/kubernetes/blob/master/pkg/apis/core/validation/validation.go).
        let mendable = self.mendable && !self.resize;
        let completed = self.settings.completed(share).filter(|completed| mendable && completed.has(side))?;
        if !bare {
            return Some(self.edits(share, completed));
        }
        let mut names: Vec<_> = Side::BOTH.into_iter().flat_map(|side| self.settings.required(side)).collect();
        names.sort_unstable();
        names.dedup();
        let amounts = |side| {
            let amount = |name: &&String| {
                let completed = self.settings.completed(Share::of(name, self.given)).filter(|_| self.judges(name))?;
                Some(((*name).clone(), completed.written(side)?.to_string().into()))
            };
            let amounts: Vec<(String, Node<'static>)> = names.iter().filter_map(amount).collect();
            (!amounts.is_empty()).then(|| (side.field(), amounts.into_iter().collect()))
        };
        let resources: Node<'static> = Side::BOTH.into_iter().filter_map(amounts).collect();
        Some(vec![Edit::set(self.path.clone(), resources)])
    }

    /// Removes what is forbidden of a resource. A request that was the limit's is written out.
    pub fn removal(&self, share: Share<'_>, side: Side) -> Option<Vec<Edit>> {
        let mut left = share;
        if self.settings.forbids(Side::Limits, share.name) {
            left.limit = None;
            left.request = share.request.or(share.limit.filter(|limit| !limit.is_zero()));
        }
        if self.settings.forbids(Side::Requests, share.name) {
            left.request = None;
        }
        // A resize cannot take amounts away.
        let mends = self.mendable && !self.resize && left.get(side).is_none();
        (mends && !self.settings.brings_faults(share, left)).then(|| self.edits(share, left))
    }

    fn edits(&self, before: Share<'_>, after: Share<'_>) -> Vec<Edit> {
        let edit = |side| match (before.written(side), after.written(side)) {
            (old, Some(new)) if old != Some(new) => Some(Edit::set(self.at(side, before.name), new.to_string())),
            (Some(_), None) => Some(Edit::Remove(self.at(side, before.name))),
            _ => None,
        };
        Side::BOTH.into_iter().filter_map(edit).collect()
    }
}

impl ResourceLimits {
    /// A share with the defaults for what is required and lacks, where they go with what is there. With a limit comes its
    /// default request, required or not: or else all of the limit would be requested.
    fn completed<'s>(&'s self, share: Share<'s>) -> Option<Share<'s>> {
        let mut completed = share;
        let lacks_limit = self.requires(Side::Limits, share.name) && !share.has(Side::Limits);
        if lacks_limit {
            completed.limit = self.defaults.limits.get(share.name).or(share.limit);
        }
        if !share.has(Side::Requests) && (lacks_limit || self.requires(Side::Requests, share.name)) {
            completed.request = self.defaults.requests.get(share.name).or(share.request);
        }
        (!self.brings_faults(share, completed)).then_some(completed)
    }
}
