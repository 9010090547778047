//! What the policies say of themselves.

use std::fmt::Write;

use gatehouse_engine::POLICIES;
use gatehouse_policy::{Policy, Rule, nearest};

/// The table of policies and rules.
pub(crate) fn policies() -> String {
    let width = POLICIES.iter().flat_map(|policy| policy.rules).map(|rule| rule.name.len()).max().unwrap_or_default();
    let mut table = String::new();
    for policy in POLICIES {
        let _ = writeln!(table, "{}", policy.name);
        for rule in policy.rules {
            let _ = writeln!(table, "  {:width$}  {:4}  {}", rule.name, level(rule), summary(rule));
        }
    }
    table
}

fn level(rule: &Rule) -> String {
    rule.level.map_or_else(|| "off".to_owned(), |level| level.to_string())
}

/// The first paragraph of a rule's documentation in one line, cut where it ends its first sentence.
fn summary(rule: &Rule) -> String {
    let paragraph: Vec<&str> = rule.docs.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    paragraph.split_once(". ").map_or(paragraph.clone(), |(first, _)| format!("{first}.")).replace('`', "")
}

/// The documentation of a rule (`required-probes/liveness`, or `liveness` where only one policy has it), or of a policy.
pub(crate) fn explain(name: &str) -> Result<String, String> {
    if let Some(policy) = POLICIES.iter().find(|policy| policy.name == name) {
        let pages: Vec<String> = policy.rules.iter().map(|rule| page(policy, rule)).collect();
        return Ok(pages.join("\n"));
    }
    let all = || POLICIES.iter().flat_map(|policy| policy.rules.iter().map(move |rule| (*policy, *rule)));
    let full = |(policy, rule): &(&Policy, &Rule)| format!("{}/{}", policy.name, rule.name);
    let named: Vec<_> = all().filter(|found| full(found) == name || found.1.name == name).collect();
    match named.as_slice() {
        [(policy, rule)] => Ok(page(policy, rule)),
        [] => {
            let rules: Vec<String> = all().map(|found| full(&found)).collect();
            let known = rules.iter().map(String::as_str).chain(all().map(|(_, rule)| rule.name));
            let known = known.chain(POLICIES.iter().map(|policy| policy.name));
            let hint = nearest(name, known).map_or_else(
                || "`gatehouse policies` lists them all".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            Err(format!("there is no rule {name:?}; {hint}"))
        }
        several => {
            let rules: Vec<String> = several.iter().map(full).collect();
            Err(format!("several policies have a rule {name:?}: {}", rules.join(", ")))
        }
    }
}

fn page(policy: &Policy, rule: &Rule) -> String {
    // Doc comments keep the blank after the slashes.
    let docs: Vec<&str> = rule.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    format!("# {}/{}\n\nLevel: {}\n\n{}\n", policy.name, rule.name, level(rule), docs.join("\n").trim())
}
