//! Measured: values as charts and applications have them, secrets and what only looks like one. They are in `tests/samples`.

use std::borrow::Cow;

use gatehouse_policy::node::{Data, Member, Node, Span};
use gatehouse_policy::{Request, Verdict};
const POSITIVES: &str = include_str!("../tests/samples/positives.txt");
const NEGATIVES: &str = include_str!("../tests/samples/negatives.txt");

fn object<const N: usize>(members: [(&'static str, Node<'static>); N]) -> Node<'static> {
    let member = |(key, value)| Member { key: Cow::Borrowed(key), key_span: Span::default(), value };
    Data::Object(members.map(member).into()).into()
}

fn text(text: &str) -> Node<'static> {
    Data::String(text.to_owned().into()).into()
}

fn list(item: Node<'static>) -> Node<'static> {
    Data::Array(vec![item]).into()
}

/// A sample as the files write it: its value, and the object that holds it.
fn read(sample: &str) -> (String, Node<'static>) {
    let sample = sample.replace('¦', "").replace("\\\\n", "\0").replace("\\n", "\n").replace('\0', "\\n");
    let named = |version, kind, metadata, field, value| {
        object([("apiVersion", text(version)), ("kind", text(kind)), ("metadata", metadata), (field, value)])
    };
    let metadata = || object([("name", text("web"))]);
    let pod = |field, value| {
        let container = object([("name", text("app")), (field, value)]);
        named("v1", "Pod", metadata(), "spec", object([("containers", list(container))]))
    };
    if let Some(words) = sample.strip_prefix("--- ") {
        (words.to_owned(), pod("args", Data::Array(words.split(' ').map(text).collect()).into()))
    } else if let Some(argument) = sample.strip_prefix("-- ") {
        (argument.to_owned(), pod("args", list(text(argument))))
    } else if let Some(header) = sample.strip_prefix("> ") {
        let (name, value) = header.split_once(": ").unwrap();
        let headers = list(object([("name", text(name)), ("value", text(value))]));
        (value.to_owned(), pod("livenessProbe", object([("httpGet", object([("httpHeaders", headers)]))])))
    } else if let Some(annotation) = sample.strip_prefix("@ ") {
        let annotations = object([("example.com/note", text(annotation))]);
        let metadata = object([("name", text("web")), ("annotations", annotations)]);
        (annotation.to_owned(), named("v1", "ConfigMap", metadata, "data", object([])))
    } else if let Some(data) = sample.strip_prefix(':') {
        let (key, value) = data.split_once(' ').unwrap_or((data, ""));
        let key = if key.is_empty() { "file" } else { key };
        let member = Member { key: key.to_owned().into(), key_span: Span::default(), value: text(value) };
        (value.to_owned(), named("v1", "ConfigMap", metadata(), "data", Data::Object(vec![member]).into()))
    } else {
        let (name, value) = sample.split_once('=').unwrap();
        (value.to_owned(), pod("env", list(object([("name", text(name)), ("value", text(value))]))))
    }
}

fn review(object: &Node<'_>) -> Verdict {
    let policy = crate::POLICY.configure(&Node::empty()).unwrap();
    policy.review(&Request::create(object, "shop").unwrap()).unwrap()
}

fn samples(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with("# "))
}

#[test]
fn every_secret_is_found_once_and_never_shown() {
    let mut missed = Vec::new();
    for line in samples(POSITIVES) {
        let (rule, sample) = line.split_once(' ').unwrap();
        let (value, object) = read(sample);
        let findings = review(&object).findings;
        if rule == "miss" && findings.is_empty() {
            continue;
        }
        if findings.len() != 1 || findings.iter().any(|finding| finding.rule != format!("secret-env/{rule}")) {
            missed.push(format!("{line}: {:?}", findings.iter().map(|finding| &finding.rule).collect::<Vec<_>>()));
        }
        for finding in findings {
            assert!(finding.secret, "{line}");
            assert!(value.len() < 6 || !finding.message.contains(&value), "{line}");
            assert_eq!(finding.fix, None, "{line}");
        }
    }
    assert_eq!(missed, Vec::<String>::new());
    assert!(samples(POSITIVES).count() >= 280);
}

#[test]
fn nothing_else_is_found() {
    let found = samples(NEGATIVES).filter(|sample| !review(&read(sample).1).findings.is_empty());
    assert_eq!(found.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(samples(NEGATIVES).count() >= 370);
}

/// A text made of nothing but beginnings takes no more than its length in time.
#[test]
fn long_texts_take_no_time() {
    for start in
        ["eyJ-", "eyJ.", "xoxb-", "a://b:c", "-----BEGIN PRIVATE KEY-----", "password=", "$(", "a:b@tcp(", "LS0t"]
    {
        let long = start.repeat(1 << 15);
        crate::token::kinds(&long);
        crate::credentials::find(&long, crate::value::Reader::Shell);
        crate::value::is_no_secret(&long, crate::value::Reader::Shell);
    }
}

/// Parts of the samples, with a character of several bytes at every place, are read to their end.
#[test]
fn never_panics() {
    for line in samples(POSITIVES).chain(samples(NEGATIVES)) {
        for (at, _) in line.char_indices() {
            let (before, after) = line.split_at(at);
            for part in [before, after, &format!("{before}é{after}")] {
                crate::token::kinds(part);
                crate::credentials::find(part, crate::value::Reader::Shell);
                crate::value::is_no_secret(part, crate::value::Reader::Shell);
                crate::value::is_number(part);
                crate::name::Name::new(part).is_password();
            }
        }
    }
}
