//! What is meant to exhaust stack, memory or time is refused early, and what is merely large is read.

use std::fmt::Write;
use std::time::{Duration, Instant};

use gatehouse_manifest::{Format, SyntaxError, read};
use gatehouse_policy::Node;
use gatehouse_policy::node::MAX_DEPTH;

fn first(text: &str, format: Format) -> Result<Node<'_>, SyntaxError> {
    read(text, format).next().expect("a document").map(|document| document.node)
}

/// Runs on a small stack, and not for long.
fn soon(work: impl FnOnce() + Send + 'static) {
    let start = Instant::now();
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work).expect("a thread");
    assert!(thread.join().is_ok());
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn depth() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? - ", "")] {
        let levels = open.matches(['[', '{', '-', '?']).count();
        let text = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
        assert!(first(&text(MAX_DEPTH / levels), Format::Yaml).is_ok() || levels > 1, "{open}");
        let error = first(&text(MAX_DEPTH + 1), Format::Yaml).unwrap_err();
        assert!(levels > 1 || error.message.contains("nests deeper than 200 levels"), "{open}: {error}");
    }
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let text = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
        assert!(first(&text(MAX_DEPTH), Format::Json).is_ok());
        let error = first(&text(MAX_DEPTH + 1), Format::Json).unwrap_err();
        assert!(error.message.contains("nests deeper than 200 levels"), "{error}");
    }
    assert_eq!(first(&"[".repeat(201), Format::Yaml).unwrap_err().line, 1);
}

#[test]
fn a_hundred_thousand_levels() {
    for open in
        ["[", "{", "[{", "{a: ", "[a: ", "- ", "? ", "- ? ", "- a: ", "&a [", "!a [", "{? ", "{\"a\":", "\"a\" : ["]
    {
        for format in [Format::Yaml, Format::Json, Format::Detect] {
            soon(move || assert!(read(&open.repeat(100_000), format).any(|document| document.is_err()), "{open}"));
        }
    }
}

#[test]
fn aliases_that_multiply() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", vec![alias; 10].join(", ")).unwrap();
    }
    text.push_str("---\nb: 1\n");
    soon(move || {
        let documents: Vec<_> = read(&text, Format::Yaml).collect();
        let error = documents[0].as_ref().unwrap_err();
        assert_eq!((error.line, error.column), (6, 40), "{error}");
        assert!(error.message.contains("many times larger"), "{error}");
        assert!(documents[1].is_ok());
    });
    // One long text, many times.
    let text = format!("a: &a |\n  {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(100_000));
    soon(move || assert_eq!(first(&text, Format::Yaml).unwrap_err().line, 3));
    // Aliases that are deep rather than many.
    let mut text = "a0: &a0 []\n".to_owned();
    for level in 1..1000 {
        writeln!(text, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
    }
    soon(move || assert!(first(&text, Format::Yaml).unwrap_err().message.contains("nests deeper")));
}

#[test]
fn a_few_aliases_are_fine() {
    let text = format!("a: &a {{x: 1, y: [1, 2, 3]}}\nb:\n{}", "- *a\n- {<<: *a, x: 2}\n".repeat(20_000));
    assert!(first(&text, Format::Yaml).is_ok());
}

#[test]
fn a_hundred_thousand_keys() {
    let yaml = (0..100_000).map(|n| format!("key-{n}: {n}\n")).collect::<Vec<_>>().concat();
    let json = format!("{{{}}}", (0..100_000).map(|n| format!("\"key-{n}\":{n}")).collect::<Vec<_>>().join(","));
    soon(move || {
        assert!(first(&yaml, Format::Yaml).is_ok());
        assert!(first(&json, Format::Json).is_ok());
        let twice = format!("{yaml}key-77: 0\n");
        let error = first(&twice, Format::Yaml).unwrap_err();
        assert_eq!((error.line, error.message.ends_with("in line 78")), (100_001, true), "{error}");
    });
}

#[test]
fn much_of_anything() {
    for part in [
        "--- [\n",
        "---\na: 1\na: 2\n",
        "a: &a 1\nb: *a\n---\n",
        "--- \u{2028}\n",
        "- \"\\n\"\n",
        "- |\n  ä\n",
        "...\n",
        "# ä\n",
        "{} ",
        "{}[\n---\n",
        "&a ",
        "!!str ",
        "a\n",
        "\"",
        "'",
        "a: b: ",
        "%A\n",
        "a: [b:]\n---\n",
        "a: [b:]\n...\n",
        "- [b:]\n",
        "- {a: b:}\n",
        "- {a: -}\n",
        "[a:, ",
        "{a: b:, ",
    ] {
        for format in [Format::Yaml, Format::Detect] {
            soon(move || assert!(read(&part.repeat(20_000), format).count() <= 40_001));
        }
    }
}
