//! Runs the cases beside each policy, and on each of them the laws that hold for every policy.

use gatehouse_policy::{Finding, Level, Node, Policy, module};
use gatehouse_tests::{Case, CaseOfFile, all_cases, apply, apply_to_text, compare, fix_all, review, review_file};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

fn main() {
    let trials = all_cases().into_iter().map(|(policy, file, case)| {
        Trial::test(format!("{}/{file}: {}", policy.name, case.name), move || {
            judge(policy, &case).map_err(Failed::from)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn judge(policy: &Policy, case: &Case) -> Result<(), String> {
    let settings = case.settings();
    if let Some(invalid) = &case.invalid {
        let text = settings.to_string();
        let node = Node::from_json(text.as_bytes()).map_err(|error| error.to_string())?;
        let error = policy.configure(&node).err().ok_or("the settings are accepted")?;
        return invalid.compare(&error);
    }
    if let Some(file) = &case.file {
        return judge_file(policy, case, file);
    }
    let request = case.request().ok_or("the case has neither object nor request nor file nor invalid settings")?;
    let found = review(policy, &settings, &request);
    if let Some(expected) = &case.error {
        let error = found.err().ok_or("the object is read")?;
        return expected.compare(&error);
    }
    let found = found.map_err(|error| format!("the object cannot be read: {error}"))?;
    let expected = case.findings.as_ref().ok_or("the case says neither findings nor error")?;
    compare(policy, expected, &found)?;
    fixes_hold(policy, &settings, &request, &found)?;
    deletion_holds(policy, &settings, &request)?;
    if let Some(expected) = &case.fixed {
        let fixed = &fix_all(policy, &settings, request)?["object"];
        if fixed != expected {
            return Err(format!("expected the object to become\n{expected}\nit became\n{fixed}"));
        }
    }
    Ok(())
}

fn judge_file(policy: &Policy, case: &Case, file: &CaseOfFile) -> Result<(), String> {
    let settings = case.settings();
    let found = review_file(policy, &settings, file, &file.text);
    if let Some(expected) = &case.error {
        return expected.compare_file(&found.err().ok_or("the file is read")?);
    }
    let found = found.map_err(|error| format!("the file cannot be read: {error:?}"))?;
    compare(policy, case.findings.as_ref().ok_or("the case says neither findings nor error")?, &found)?;
    let key = |finding: &Finding| (finding.rule.clone(), finding.path.clone());
    for finding in &found {
        if finding.span.is_none() {
            return Err(format!("a finding in a file has no place: {}", json!(finding)));
        }
        if finding.fix.is_none() {
            continue;
        }
        // Places move with the text; paths stay.
        let left = judge_text(policy, &settings, file, &apply_to_text(finding, &file.text)?)?;
        if left.iter().any(|left| key(left) == key(finding)) {
            return Err(format!("the fix leaves its finding: {}", json!(finding)));
        }
        if let Some(new) = left.iter().find(|left| found.iter().all(|old| key(old) != key(left))) {
            return Err(format!("the fix of {} brings {}", json!(finding), json!(new)));
        }
    }
    let mut text = file.text.clone();
    for _ in 0..100 {
        let findings = judge_text(policy, &settings, file, &text)?;
        let Some(finding) = findings.iter().find(|finding| finding.fix.is_some()) else {
            return match &case.fixed {
                Some(expected) if *expected != text => {
                    Err(format!("expected the file to become\n{expected}\nit became\n{text}"))
                }
                _ => Ok(()),
            };
        };
        text = apply_to_text(finding, &text)?;
    }
    Err("after a hundred fixes there are still some".to_owned())
}

fn judge_text(policy: &Policy, settings: &Value, file: &CaseOfFile, text: &str) -> Result<Vec<Finding>, String> {
    review_file(policy, settings, file, text).map_err(|error| format!("fixed, the file cannot be read: {error:?}"))
}

/// A fix removes its finding, brings no new one, and applied twice changes nothing more. All together, they leave no
/// finding that has a fix.
fn fixes_hold(policy: &Policy, settings: &Value, request: &Value, found: &[Finding]) -> Result<(), String> {
    let key = |finding: &Finding| (finding.rule.clone(), finding.path.clone());
    for finding in found.iter().filter(|finding| finding.fix.is_some()) {
        let mut fixed = request.clone();
        apply(finding, &mut fixed)?;
        let left = review(policy, settings, &fixed).map_err(|error| error.to_string())?;
        if left.iter().any(|left| key(left) == key(finding)) {
            return Err(format!("the fix leaves its finding: {}", json!(finding)));
        }
        if let Some(new) = left.iter().find(|left| found.iter().all(|old| key(old) != key(left))) {
            return Err(format!("the fix of {} brings {}", json!(finding), json!(new)));
        }
        let once = fixed.clone();
        // A patch that removes a field cannot be applied again: there is nothing left to remove.
        if apply(finding, &mut fixed).is_ok() && fixed != once {
            return Err(format!("applied twice, the fix changes more: {}", json!(finding)));
        }
    }
    if found.iter().any(|finding| finding.fix.is_some()) {
        module_fixes(policy, settings, request, &fix_all(policy, settings, request.clone())?)?;
    }
    Ok(())
}

/// Of an object that is being deleted, an update that takes finalizers off and changes nothing else is accepted unseen;
/// any other is judged as that of any object.
fn deletion_holds(policy: &Policy, settings: &Value, request: &Value) -> Result<(), String> {
    let is_whole = request["subResource"].as_str().is_none_or(str::is_empty);
    if !request["object"]["metadata"].is_object() || !is_whole {
        return Ok(());
    }
    let mut update = request.clone();
    update["operation"] = json!("UPDATE");
    let object = &mut update["object"];
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["metadata"]["managedFields"] = json!([{"manager": "somebody"}]);
    let mut before = object.clone();
    before["metadata"]["finalizers"] = json!(["example.com/held"]);
    before["metadata"]["resourceVersion"] = json!("1");
    before["metadata"]["managedFields"] = Value::Null;
    before["status"] = json!({"phase": "before"});
    update["oldObject"] = before;
    let found = review(policy, settings, &update).map_err(|error| error.to_string())?;
    if !found.is_empty() {
        return Err(format!("what is being deleted cannot lose its finalizers: {}", json!(found)));
    }
    for change in ["/metadata/changed", "/changed"] {
        let mut changed = update.clone();
        let (parent, field) = change.rsplit_once('/').unwrap_or_default();
        if let Some(parent) = changed["oldObject"].pointer_mut(parent) {
            parent[field] = json!("before");
        }
        let found = review(policy, settings, &changed).map_err(|error| error.to_string())?;
        if let Some(metadata) = changed["oldObject"]["metadata"].as_object_mut() {
            metadata.remove("deletionTimestamp");
        }
        let expected = review(policy, settings, &changed).map_err(|error| error.to_string())?;
        if found != expected {
            let (found, expected) = (json!(found), json!(expected));
            return Err(format!("a change of what is being deleted at {change} gets {found}, expected {expected}"));
        }
    }
    Ok(())
}

/// Whether the spec of what a request brings is settled: that of a Pod that runs, of a Job, and of what a controller made.
fn is_settled(request: &Value) -> bool {
    let is_update = request["operation"] == "UPDATE" && request["subResource"].as_str().is_none_or(str::is_empty);
    match request["kind"]["kind"].as_str() {
        Some("Pod" | "Job") => is_update,
        Some("ReplicaSet" | "ReplicationController") => {
            let owners = request["object"]["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true))
        }
        _ => false,
    }
}

/// A module that fixes returns the object with every fix, or refuses for what has none.
fn module_fixes(policy: &Policy, settings: &Value, request: &Value, fixed: &Value) -> Result<(), String> {
    let mut settings = settings.clone();
    settings["fix"] = json!(true);
    let payload = json!({"request": request, "settings": settings}).to_string();
    let answer = module::validate(policy, payload.as_bytes()).map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    let left = review(policy, &settings, fixed).map_err(|error| error.to_string())?;
    let refuses = left.iter().any(|finding| finding.level == Level::Deny);
    let object = if refuses { &Value::Null } else { &fixed["object"] };
    let mutated = answer.get("mutated_object").unwrap_or(&Value::Null);
    let before = &request["object"];
    if is_settled(request) && fixed["object"]["spec"] != before["spec"] {
        // The API server would refuse the fix, so it is left to whoever made the request.
        let is_left = mutated.is_null() || mutated["spec"] == before["spec"];
        return if is_left { Ok(()) } else { Err(format!("it changes what cannot be changed: {answer}")) };
    }
    if answer["accepted"] == json!(!refuses) && mutated == object {
        return Ok(());
    }
    Err(format!("as a module with `fix: true` it answers {answer}\nwhere all fixes make {fixed}"))
}
