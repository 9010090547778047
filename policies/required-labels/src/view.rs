//! How the maps of an object are read.

use gatehouse_policy::{Members, Node, Path, ReadError, Request, pod_spec_path};

/// Labels, annotations, or a selector.
pub type Map<'r> = Members<&'r str, &'r str>;

/// Where a workload keeps its pod template; `None` for a Pod, which has none, and for other kinds.
pub fn template_path(request: &Request<'_>) -> Option<&'static [&'static str]> {
    let (_, path) = pod_spec_path(request.group, request.kind)?.split_last()?;
    (!path.is_empty()).then_some(path)
}

/// The map at the end of a chain of members, empty where there is none.
pub fn map<'r>(object: &'r Node<'r>, path: &[&'static str]) -> Result<Map<'r>, ReadError> {
    match object.within(path)? {
        Some(node) => node.view().map_err(|error| error.below(&Path::of(path))),
        None => Ok(Map::new()),
    }
}

/// A value in a message: that of an annotation may be as long as a book.
pub fn shown(value: &str) -> String {
    if value.chars().nth(80).is_some() { "a long text".to_owned() } else { format!("{value:?}") }
}
