//! `ConfigMap`s: what their keys name, and what the files in them set.

use gatehouse_policy::{Level, Override, Path, ReadError, Report, Request, Rule};

use crate::file::{self, Kind};
use crate::found::Found;
use crate::value::Reader;
use crate::view::ConfigMap;
use crate::{CREDENTIALS, Fault, LITERAL, SecretEnv, TOKEN, base64, expose, literal, strictest, tokens};

pub fn review(request: &Request<'_>, settings: &SecretEnv, report: &mut Report<'_>) -> Result<(), ReadError> {
    let ConfigMap { data, binary_data } = request.object.view()?;
    for (key, text) in data.iter() {
        if report.is_full() {
            return Ok(());
        }
        judge(key, text, &Path::of(&["data"]).key((*key).to_owned()), settings, report);
    }
    for (key, text) in binary_data.iter() {
        // What is no text is an image, an archive, a key store.
        if let Some(text) = base64::decode_text(text) {
            judge(key, &text, &Path::of(&["binaryData"]).key((*key).to_owned()), settings, report);
        }
    }
    Ok(())
}

/// Judges what a key holds: a value, as a variable has one, or a file. Different secrets in a file are different findings.
fn judge(key: &str, text: &str, path: &Path, settings: &SecretEnv, report: &mut Report<'_>) {
    let mut faults = Vec::new();
    if !text.trim_end().contains('\n') && settings.is_literal(key, text, Reader::Kubernetes) {
        faults.push(literal("is a literal"));
        expose(text, Reader::Kubernetes, &mut faults);
        faults = strictest(faults, &|rule| level(rule, settings, report)).into_iter().collect();
    } else {
        if settings.config_maps != Some(Override::Off) {
            expose_file(key, text, settings, report, &mut faults);
        }
        faults.extend(tokens(text));
    }
    for (rule, what) in faults {
        if let Some(level) = level(rule, settings, report) {
            let message = || format!("ConfigMap: {key} {what}, expected it in a Secret");
            let _ = report.add_set(level, rule, || path.clone(), message).secret();
        }
    }
}

fn expose_file(key: &str, text: &str, settings: &SecretEnv, report: &Report<'_>, faults: &mut Vec<Fault>) {
    let kind = Kind::of(key, text);
    let level = |rule| level(rule, settings, report);
    // What another rule tells more of is told once.
    let is_told = |value: &str, reader| {
        let mut others = Vec::new();
        expose(value, reader, &mut others);
        others.iter().any(|(rule, _)| level(rule) >= level(&LITERAL))
    };
    let is_literal =
        |name: &str, value: &str, reader| settings.is_literal(name, value, reader) && !is_told(value, reader);
    let mut found = Found::default();
    file::literals(text, kind, &is_literal, &mut found);
    faults.extend(found.in_words().map(literal));
    faults.extend(file::credentials(text, kind).map(|what| (&CREDENTIALS, format!("holds {what}"))));
}

/// The level of a rule in a `ConfigMap`.
fn level(rule: &Rule, settings: &SecretEnv, report: &Report<'_>) -> Option<Level> {
    let own = match settings.config_maps {
        None => return report.level(rule),
        _ if *rule == TOKEN => return report.level(rule),
        Some(Override::Off) => None,
        Some(Override::Warn) => Some(Level::Warn),
        Some(Override::Deny) => Some(Level::Deny),
    };
    report.level(rule).and(own)
}
