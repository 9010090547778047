//! Whether what Redis was told is still there when it starts again.

use gatehouse_policy::image::quoted;
use gatehouse_policy::{Path, Report};

use crate::cluster::Spec;
use crate::config::Config;
use crate::{PERSISTENCE, UNREAD};

pub fn judge(config: &Config<'_, '_>, spec: &Spec<'_>, report: &mut Report<'_>) {
    let appends = judge_append_only(config, report);
    let claims = spec.storage.as_ref().is_some_and(|storage| storage.volume_claim_template.is_some());
    // The operator switches it on where both are there (`generateRedisClusterContainerParams`).
    if spec.persistence_enabled && spec.storage.is_none() {
        let message = "persistenceEnabled is true, which does nothing without spec.storage: Redis keeps its data in the pod \
                       alone, expected a volumeClaimTemplate there";
        report.add(&PERSISTENCE, Path::of(&["spec", "storage"]), message);
    } else if claims && !spec.persistence_enabled {
        let rule = if appends || config.names_file() { &UNREAD } else { &PERSISTENCE };
        let message = "persistenceEnabled is not true: the operator makes no volumes of spec.storage, and does not switch \
                       appendonly on, expected true";
        report.add(rule, Path::of(&["spec", "persistenceEnabled"]), message);
    }
    for value in config.values("appendfsync") {
        let fault = if is_one_of(&value.text, &["everysec", "always"]) {
            continue;
        } else if is_one_of(&value.text, &["no"]) {
            "which leaves up to half a minute of writes to the kernel, expected everysec or always"
        } else {
            "which Redis does not know, expected everysec or always"
        };
        report.add(&PERSISTENCE, value.path, || format!("appendfsync is {}, {fault}", quoted(&value.text)));
    }
    for value in config.values("save") {
        if !is_schedule(&value.text) {
            let message = || {
                let text = quoted(&value.text);
                format!(
                    "save is {text}, which Redis refuses, expected pairs of seconds and changes, such as 900 1 300 10"
                )
            };
            report.add(&PERSISTENCE, value.path.clone(), message);
        }
    }
}

/// Judges what is said of `appendonly`, and says whether anything is.
fn judge_append_only(config: &Config<'_, '_>, report: &mut Report<'_>) -> bool {
    let values = config.values("appendonly");
    let is_said = !values.is_empty();
    for value in values {
        let fault = if is_one_of(&value.text, &["yes"]) {
            continue;
        } else if is_one_of(&value.text, &["no"]) {
            "with which a restart loses all since the last snapshot"
        } else {
            "which Redis does not know"
        };
        report
            .add(&PERSISTENCE, value.path, || format!("appendonly is {}, {fault}, expected yes", quoted(&value.text)));
    }
    is_said
}

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether Redis takes it for pairs of seconds, at least 1, and changes, at least 0: `setConfigSaveOption` in
/// <https://github.com/redis/redis/blob/7.4.1/src/config.c>, which parts them at each single space. Nothing at all switches
/// snapshots off.
fn is_schedule(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let mut numbers = 0;
    text.split(' ').all(|word| {
        numbers += 1;
        let digits = word.strip_prefix('+').unwrap_or(word);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number && (numbers % 2 == 0 || digits.bytes().any(|digit| digit != b'0'))
    }) && numbers % 2 == 0
}

#[cfg(test)]
mod tests {
    use super::is_schedule;

    #[test]
    fn schedules_are_as_redis_reads_them() {
        for text in ["", "900 1", "900 1 300 10 60 10000", "3600 0", "+60 1"] {
            assert!(is_schedule(text), "{text}");
        }
        for text in ["900", "900 1 300", "0 1", "900 -1", "900  1", " 900 1", "900,1", "15m 1", "\"\"", "\"900 1\""] {
            assert!(!is_schedule(text), "{text}");
        }
    }
}
