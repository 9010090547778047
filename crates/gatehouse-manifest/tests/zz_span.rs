//! temp
use gatehouse_manifest::{Format, read};
use gatehouse_policy::{
    Node,
    node::{Data, Span},
};
fn slice(text: &str, s: Span) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let off = |l: u32, c: u32| -> usize {
        let i = l as usize - 1;
        let base: usize = lines.iter().take(i).map(|l| l.len() + 1).sum();
        base + lines.get(i).map_or(0, |l| l.chars().take(c as usize - 1).map(char::len_utf8).sum())
    };
    let (a, b) = (off(s.line, s.column), off(s.end_line, s.end_column));
    text.get(a..b).unwrap_or("???").to_owned()
}
fn dump(text: &str, path: &str, n: &Node) {
    let s = n.span;
    println!("  {path:20} {}:{}-{}:{} {:?}", s.line, s.column, s.end_line, s.end_column, slice(text, s));
    match &n.data {
        Data::Array(i) => {
            for (k, n) in i.iter().enumerate() {
                dump(text, &format!("{path}[{k}]"), n)
            }
        }
        Data::Object(m) => {
            for m in m {
                let p = format!("{path}.{}", m.key);
                println!("  {p:18} K {:?}", slice(text, m.key_span));
                dump(text, &p, &m.value)
            }
        }
        _ => {}
    }
}
#[test]
fn spans() {
    for text in [
        "a: &x 1\nb: !!str yes\nc: !!str 'it''s' # c\nd: \"q\\\"x\" # d\n'e' : |\n\n  text\n  more\n\n# c\nf: > # folded\n  x\n\ng: &t\n  h: [1, 2 ] # c\ni:\n- a\n- {k: v } # x\n-\n- - n\n  -\nj:\nk: *t\nl: multi\n  line # c\n\"m\": &s\n- é: ü # ö\n  z: ä\nn: {a, b: , c: *x}\no: \"two\n  lines\"\np:\n  - q: 1\n  - r\n\n# end\n",
        "---\n- |\n x\n- - - a\n- key: |-\n   v\n  other: *a\n",
        "---\n- |\n x\n- - - a\n- key: |-\n   v\n  other: &a\n  - 1\n- [a: b, c]\n- !!map\n  x: y\n- &l !!seq\n  - 1\n- *l\n",
        "{\"a\": [1, \"é\\n\", {\"b\\\"c\": null}],\n \"d\" : -1.5e3}",
        "a: |\n  x\n  ",
        "- >\n",
        "- |+\n\n\n- x",
        "&a k: &b\n  c: d\n",
        "? |\n  key\n: - v\n",
    ] {
        println!("{text}");
        for d in read(text, Format::Detect) {
            match d {
                Ok(d) => dump(text, "", &d.node),
                Err(e) => println!("  {e}"),
            }
        }
    }
}
