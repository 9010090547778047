//! Which fields views name, and whether the object they were read of has them. A misspelt field of a view would otherwise
//! pass for one that every object leaves out.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::node::Member;

/// A field that a view names: the view's name and the field's.
pub type Field = (&'static str, &'static str);

thread_local! {
    static FIELDS: RefCell<Option<BTreeMap<Field, bool>>> = const { RefCell::new(None) };
}

/// The fields of every view that is read meanwhile, each with whether an object had it.
pub fn fields(read: impl FnOnce()) -> BTreeMap<Field, bool> {
    FIELDS.set(Some(BTreeMap::new()));
    read();
    FIELDS.take().unwrap_or_default()
}

/// Notes a field that is read without a view, with the name of what it is in.
pub(crate) fn note_field(within: &'static str, field: &'static str, is_there: bool) {
    FIELDS.with_borrow_mut(|seen| {
        if let Some(seen) = seen {
            *seen.entry((within, field)).or_default() |= is_there;
        }
    });
}

pub(crate) fn note(view: &'static str, fields: &'static [&'static str], members: &[Member<'_>]) {
    FIELDS.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        for field in fields {
            let is_there = members.iter().any(|member| member.key == *field);
            *seen.entry((view, *field)).or_default() |= is_there;
        }
    });
}
