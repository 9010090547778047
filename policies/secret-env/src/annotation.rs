//! Annotations, where anybody who may see an object reads them: tokens.

use gatehouse_policy::node::Data;
use gatehouse_policy::{Members, Node, Path, ReadError, Report, Segment, Sorted};

use crate::pod::Pod;
use crate::tokens;

/// The object as it was last applied by `kubectl apply`, in JSON
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-last-applied-configuration>).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Judges the annotations of a workload: its own, and those of the templates on the way to each of its pods.
pub fn of_workload(object: &Node<'_>, pods: &[Pod<'_>], report: &mut Report<'_>) -> Result<(), ReadError> {
    let mut last: Option<Path> = None;
    for pod in pods {
        let path = pod.path();
        let before = last.as_ref().map(Path::segments);
        let alike =
            before.map(|before| before.iter().zip(path.segments()).take_while(|(one, other)| one == other).count());
        let (mut node, mut at) = (object, Path::root());
        for (depth, segment) in path.segments().iter().enumerate() {
            // What two pods share is judged once.
            if alike.is_none_or(|alike| depth > alike) {
                of_node(node, &at, object, report)?;
            }
            let next = match (&node.data, segment) {
                (_, Segment::Key(key)) => node.get(key),
                (Data::Array(items), Segment::Index(index)) => items.get(*index),
                _ => None,
            };
            node = next.unwrap_or(node);
            at = match segment {
                Segment::Key(key) => at.key(key.clone()),
                Segment::Index(index) => at.index(*index),
            };
        }
        last = Some(path);
    }
    Ok(())
}

/// Judges the annotations of what stands at `path` in an object.
pub fn of_node(node: &Node<'_>, path: &Path, object: &Node<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if matches!(node.data, Data::Array(_)) {
        return Ok(());
    }
    let fields = ["metadata", "annotations"];
    let Some(annotations) = node.within(&fields).map_err(|error| error.below(path))? else { return Ok(()) };
    let path = path.clone().join(Path::of(&fields));
    let annotations: Members<&str, &str> = annotations.view().map_err(|error| error.below(&path))?;
    for (name, text) in annotations.iter() {
        let Some((rule, what)) = tokens(text) else { continue };
        if *name != LAST_APPLIED || holds_more(text, object) {
            let message = format!("annotation {name} {what}, expected it in a Secret");
            let _ = report.add(rule, path.clone().key((*name).to_owned()), message).secret();
        }
    }
    Ok(())
}

/// Whether an object as it was applied holds a token that it holds no more, and that so is told of nowhere else.
fn holds_more(applied: &str, object: &Node<'_>) -> bool {
    let Ok(applied) = Node::from_json(applied.as_bytes()) else { return true };
    let mut texts = Vec::new();
    for_each_text(object, &mut |text| texts.push((text, 0)));
    let texts: Sorted<'_> = texts.into_iter().collect();
    let mut more = false;
    for_each_text(&applied, &mut |text| more |= tokens(text).is_some() && texts.first(text).is_none());
    more
}

fn for_each_text<'n>(node: &'n Node<'_>, found: &mut dyn FnMut(&'n str)) {
    match &node.data {
        Data::String(text) => found(text),
        Data::Array(items) => items.iter().for_each(|item| for_each_text(item, found)),
        Data::Object(members) => members.iter().for_each(|member| for_each_text(&member.value, found)),
        _ => {}
    }
}
