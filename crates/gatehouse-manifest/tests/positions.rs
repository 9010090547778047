//! Where everything stands.

use gatehouse_manifest::{Format, read};
use gatehouse_policy::Node;
use gatehouse_policy::node::{Data, Span};

/// The text that a span covers, and a check that it lies within the text.
fn covered(text: &str, span: Span) -> String {
    let place = |line: u32, column: u32| {
        let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
        let rest = text[start..].split('\n').next().unwrap_or_default();
        start + rest.chars().take(column as usize - 1).map(char::len_utf8).sum::<usize>()
    };
    text[place(span.line, span.column)..place(span.end_line, span.end_column)].to_owned()
}

/// `path = what is covered` for every key and value, depth first.
fn list(text: &str, path: &str, node: &Node<'_>, found: &mut Vec<String>) {
    found.push(format!("{path} = {}", covered(text, node.span)));
    match &node.data {
        Data::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                list(text, &format!("{path}[{index}]"), item, found);
            }
        }
        Data::Object(members) => {
            for member in members {
                let path = format!("{path}.{}", member.key);
                found.push(format!("{path} : {}", covered(text, member.key_span)));
                list(text, &path, &member.value, found);
            }
        }
        _ => {}
    }
}

/// Checks all positions in a text except that of the whole document.
#[track_caller]
fn positions(text: &str, expected: &[&str]) {
    let document = read(text, Format::Detect).next().expect("a document").expect("readable");
    let mut found = Vec::new();
    list(text, "", &document.node, &mut found);
    assert_eq!(found[1..], *expected, "in {text:?}");
}

#[test]
fn scalars() {
    positions("a: b # c\n", &[".a : a", ".a = b"]);
    positions("'a' : \"b\\\"c\" # d\n", &[".a : 'a'", ".a = \"b\\\"c\""]);
    positions("a: 'it''s'   # d\n", &[".a : a", ".a = 'it''s'"]);
    positions("a: one\n  two # c\nb: \"x\n  y\"\n", &[".a : a", ".a = one\n  two", ".b : b", ".b = \"x\n  y\""]);
    positions("ä: ö ü\n€: '😀'\n", &[".ä : ä", ".ä = ö ü", ".€ : €", ".€ = '😀'"]);
    positions("a: !!str &x 1\nb: &y !!int '2'\n", &[".a : a", ".a = 1", ".b : b", ".b = '2'"]);
    positions("a:\n  b\n", &[".a : a", ".a = b"]);
    positions("? a\n: b\n", &[".a : a", ".a = b"]);
}

#[test]
fn texts_with_punctuation_between_brackets() {
    positions(
        "é: [ü, 2001:db8::, -]\nb: {c: d:, e: 'f'}\ng: h # i\n",
        &[
            ".é : é",
            ".é = [ü, 2001:db8::, -]",
            ".é[0] = ü",
            ".é[1] = 2001:db8::",
            ".é[2] = -",
            ".b : b",
            ".b = {c: d:, e: 'f'}",
            ".b.c : c",
            ".b.c = d:",
            ".b.e : e",
            ".b.e = 'f'",
            ".g : g",
            ".g = h",
        ],
    );
}

#[test]
fn block_scalars_stand_from_their_header_to_their_last_character() {
    positions("a: |\n  b\n\n  c\n\n# d\ne: f\n", &[".a : a", ".a = |\n  b\n\n  c", ".e : e", ".e = f"]);
    positions("a: &x !!str >- # d\n\n  b\n  c", &[".a : a", ".a = >- # d\n\n  b\n  c"]);
    positions("a:\n  # >\n  |\n  b\n", &[".a : a", ".a = |\n  b"]);
    positions("- |+\n\n- >\n- |2\n   a\n", &["[0] = |+", "[1] = >", "[2] = |2\n   a"]);
    positions("? |\n  a\n: b\n", &[".a\n : |\n  a", ".a\n = b"]);
}

#[test]
fn what_is_left_out_stands_behind_its_indicator() {
    positions("a:\nb: # c\n", &[".a : a", ".a = ", ".b : b", ".b = "]);
    let text = "a:\nb: ~\nc:\n- \n- {d: , e}\n";
    let document = read(text, Format::Yaml).next().expect("a document").expect("readable");
    let place = |path: &[&str]| {
        let mut node = &document.node;
        for key in path {
            node = match &node.data {
                Data::Object(members) => &members.iter().find(|member| member.key == *key).expect("a member").value,
                Data::Array(items) => &items[key.parse::<usize>().expect("an index")],
                _ => panic!("{key} in a scalar"),
            };
        }
        (node.span.line, node.span.column)
    };
    assert_eq!([place(&["a"]), place(&["c", "0"]), place(&["c", "1", "d"])], [(1, 3), (4, 3), (5, 6)]);
}

#[test]
fn collections() {
    positions(
        "a:\n- b: 1\n  c: 2\n- d\n\n# e\nf:\n  - g\n",
        &[
            ".a : a",
            ".a = - b: 1\n  c: 2\n- d",
            ".a[0] = b: 1\n  c: 2",
            ".a[0].b : b",
            ".a[0].b = 1",
            ".a[0].c : c",
            ".a[0].c = 2",
            ".a[1] = d",
            ".f : f",
            ".f = - g",
            ".f[0] = g",
        ],
    );
    positions(
        "- - a\n  - [b, {c: d } ] # e\n-\n  - f\n",
        &[
            "[0] = - a\n  - [b, {c: d } ]",
            "[0][0] = a",
            "[0][1] = [b, {c: d } ]",
            "[0][1][0] = b",
            "[0][1][1] = {c: d }",
            "[0][1][1].c : c",
            "[0][1][1].c = d",
            "[1] = - f",
            "[1][0] = f",
        ],
    );
    positions("a: &x # b\n  c: d\n", &[".a : a", ".a = c: d", ".a.c : c", ".a.c = d"]);
    positions("a: &x # - b\n- !!seq\n  - c\n", &[".a : a", ".a = - !!seq\n  - c", ".a[0] = - c", ".a[0][0] = c"]);
    positions(
        "a: [b: c, d]\n",
        &[".a : a", ".a = [b: c, d]", ".a[0] = b: c", ".a[0].b : b", ".a[0].b = c", ".a[1] = d"],
    );
    positions("&x a: &y\n  b: c\n", &[".a : a", ".a = b: c", ".a.b : b", ".a.b = c"]);
}

#[test]
fn what_an_alias_repeats_stands_where_the_alias_does_its_parts_where_they_were_written() {
    positions(
        "a: &x [1, {b: 2}]\nc: *x\nd: &y\n  e: *x\nf: *y # g\n",
        &[
            ".a : a",
            ".a = [1, {b: 2}]",
            ".a[0] = 1",
            ".a[1] = {b: 2}",
            ".a[1].b : b",
            ".a[1].b = 2",
            ".c : c",
            ".c = *x",
            ".c[0] = 1",
            ".c[1] = {b: 2}",
            ".c[1].b : b",
            ".c[1].b = 2",
            ".d : d",
            ".d = e: *x",
            ".d.e : e",
            ".d.e = *x",
            ".d.e[0] = 1",
            ".d.e[1] = {b: 2}",
            ".d.e[1].b : b",
            ".d.e[1].b = 2",
            ".f : f",
            ".f = *y",
            ".f.e : e",
            ".f.e = *x",
            ".f.e[0] = 1",
            ".f.e[1] = {b: 2}",
            ".f.e[1].b : b",
            ".f.e[1].b = 2",
        ],
    );
    positions(
        "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
        &[
            ".a : a",
            ".a = {b: 1, c: 2}",
            ".a.b : b",
            ".a.b = 1",
            ".a.c : c",
            ".a.c = 2",
            ".d : d",
            ".d = <<: *x\n  c: 3",
            ".d.c : c",
            ".d.c = 3",
            ".d.b : b",
            ".d.b = 1",
        ],
    );
}

#[test]
fn json() {
    positions(
        "{\"ä\": [1, \"é\\n\", {\"b\\\"\\\\\" : null}],\n\t\"d\" :-1.5e3 , \"e\": [] }\n",
        &[
            ".ä : \"ä\"",
            ".ä = [1, \"é\\n\", {\"b\\\"\\\\\" : null}]",
            ".ä[0] = 1",
            ".ä[1] = \"é\\n\"",
            ".ä[2] = {\"b\\\"\\\\\" : null}",
            ".ä[2].b\"\\ : \"b\\\"\\\\\"",
            ".ä[2].b\"\\ = null",
            ".d : \"d\"",
            ".d = -1.5e3",
            ".e : \"e\"",
            ".e = []",
        ],
    );
}

#[test]
fn lines_end_as_files_have_it() {
    for text in ["a: 1\nb: |\n  x\n\nc: [2,\n  3]\n", "\u{feff}a: 1\nb: |\n  x\n\nc: [2,\n  3]\n"] {
        for ending in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', ending);
            let document = read(&text, Format::Yaml).next().expect("a document").expect("readable");
            let places = ["a", "b", "c"].map(|key| {
                let span = document.node.get(key).expect("a member").span;
                (span.line, span.column, span.end_line, span.end_column)
            });
            assert_eq!(places, [(1, 4, 1, 5), (2, 4, 3, 4), (5, 4, 6, 5)], "{text:?}");
        }
    }
}

#[test]
fn documents_are_numbered_as_their_file_separates_them() {
    let numbers = |text: &str, format| -> Vec<(usize, u32, bool)> {
        read(text, format)
            .map(|document| document.expect("readable"))
            .map(|document| (document.index, document.node.span.line, document.node.is_null()))
            .collect()
    };
    assert_eq!(numbers("", Format::Yaml), []);
    assert_eq!(numbers("# only this\n", Format::Yaml), []);
    assert_eq!(numbers("# c\n---\na: 1\n", Format::Yaml), [(0, 3, false)]);
    assert_eq!(
        numbers("a: 1\n---\n# c\n---\nb: 2\n...\n---\n", Format::Yaml),
        [(0, 1, false), (1, 2, true), (2, 5, false), (3, 7, true)]
    );
    assert_eq!(numbers("--- {a: 1}\n--- # c\nb: 2\n", Format::Yaml), [(0, 1, false), (1, 3, false)]);
    assert_eq!(numbers("%YAML 1.1\n%TAG ! !x\n---\na: 1\n", Format::Yaml), [(0, 4, false)]);
    assert_eq!(numbers("{} [1]\n\n2 \"x\" null", Format::Json).len(), 5);
    assert_eq!(numbers("{\"a\": 1}\n{\"b\": 2}\n", Format::Detect), [(0, 1, false), (1, 2, false)]);
    // JSON that turns out to be YAML, at once or later.
    assert_eq!(numbers("{a: 1}\n", Format::Detect), [(0, 1, false)]);
    assert_eq!(numbers("{\"a\": 1,}\n", Format::Detect), [(0, 1, false)]);
    assert_eq!(
        numbers("{\"a\": 1}\n---\nb: 2\n---\n{\"c\": 3}", Format::Detect),
        [(0, 1, false), (1, 3, false), (2, 5, false)]
    );
    assert_eq!(numbers("{\"a\": 1}\n# that is all\n", Format::Detect), [(0, 1, false)]);
}
