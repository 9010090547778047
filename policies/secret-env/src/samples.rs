//! What is found among variables and arguments as people write them, and what is not: the misses of both sorts, counted.

use gatehouse_policy::{Finding, Node, Request};

use crate::POLICY;

const POSITIVES: &str = include_str!("../tests/samples/positives.tsv");
const NEGATIVES: &str = include_str!("../tests/samples/negatives.tsv");

/// The samples of a table: a variable's name, or `-` for an argument, and the text.
fn samples(table: &str) -> Vec<(&str, String)> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let samples = rows.filter_map(|line| line.split_once('\t'));
    samples.map(|(name, text)| (name, text.replace('¦', "").replace("\\n", "\n"))).collect()
}

fn object<const N: usize>(members: [(&'static str, Node<'static>); N]) -> Node<'static> {
    members.into_iter().collect()
}

/// What the policy says of a pod with one variable, or one argument.
fn judge(name: &str, text: &str) -> Vec<Finding> {
    let field = if name == "-" {
        ("args", vec![text].into())
    } else {
        ("env", vec![object([("name", name.into()), ("value", text.into())])].into())
    };
    let container = object([("name", "app".into()), field]);
    let spec = object([("containers", vec![container].into())]);
    let pod = object([
        ("apiVersion", "v1".into()),
        ("kind", "Pod".into()),
        ("metadata", object([("name", "web".into())])),
        ("spec", spec),
    ]);
    let policy = POLICY.configure(&Node::empty()).unwrap();
    policy.review(&Request::create(&pod, "default").unwrap()).unwrap().findings
}

#[test]
fn secrets_are_found() {
    let samples = samples(POSITIVES);
    assert!(samples.len() >= 60, "only {} samples", samples.len());
    let missed: Vec<_> = samples.iter().filter(|(name, text)| judge(name, text).is_empty()).collect();
    assert!(missed.is_empty(), "missed {} of {}: {missed:#?}", missed.len(), samples.len());
}

#[test]
fn what_is_no_secret_is_left_alone() {
    let samples = samples(NEGATIVES);
    assert!(samples.len() >= 120, "only {} samples", samples.len());
    let found: Vec<_> = samples
        .iter()
        .map(|(name, text)| (name, text, judge(name, text)))
        .filter(|(.., found)| !found.is_empty())
        .collect();
    assert!(found.is_empty(), "{} false alarms of {}: {found:#?}", found.len(), samples.len());
}

/// No part of a secret that is worth anything is in what is said of it.
#[test]
fn secrets_are_not_repeated() {
    const WORTH: usize = 6;
    for (name, text) in samples(POSITIVES) {
        for finding in judge(name, &text) {
            assert!(finding.secret, "{name}: the finding does not say that it is on a secret");
            let said = format!("{} {}", finding.message, finding.path);
            let words = text.split(|character: char| !character.is_ascii_alphanumeric());
            // The policy's own words are no secret.
            let repeated = words.filter(|word| word.len() >= WORTH && !name.contains(word) && said.contains(word));
            let repeated: Vec<&str> =
                repeated.filter(|word| !["PRIVATE", "password", "secret"].contains(word)).collect();
            assert!(repeated.is_empty(), "{name}: {said} repeats {repeated:?}");
        }
    }
}
