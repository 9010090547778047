//! Pods: the variables of their containers, command lines, probes and hooks.

use std::cell::OnceCell;
use std::fmt;

use gatehouse_policy::node::Data;
use gatehouse_policy::{Path, ReadError, Report, glob};
use serde::Deserialize;

use crate::command::{self, Line};
use crate::file::{self, Kind};
use crate::found::Found;
use crate::value::Reader;
use crate::view::{ContainerFields, EnvVar, Header, PodFields, secrets_of};
use crate::{CREDENTIALS, Fault, IsLiteral, OPTIONAL_REF, SECRET_REF, SecretEnv};
use crate::{credentials, expose, header, literal, strictest, tokens};

pub type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields<'r>>;
type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

pub fn judge(pod: &Pod<'_>, settings: &SecretEnv, report: &mut Report<'_>) -> Result<(), ReadError> {
    // Of few values it matters whether they name a Secret.
    let secrets = OnceCell::new();
    let names_secret = |value: &str| secrets.get_or_init(|| secrets_of(pod.node())).first(value.trim()).is_some();
    let is_literal =
        |name: &str, value: &str, reader: Reader| settings.is_literal(name, value, reader) && !names_secret(value);
    for container in pod.containers() {
        let mut judge = Judge { container, settings, is_literal: &is_literal, report: &mut *report };
        judge.variables();
        let lists: [(&[_], &[_]); 2] = [(&["command"], &container.command), (&["args"], &container.args)];
        judge.command_line("an argument", IN_VARIABLE, &lists);
        for fields in HANDLERS {
            judge.handler(fields)?;
        }
    }
    Ok(())
}

/// The probes and hooks of a container.
const HANDLERS: [&[&str]; 5] = [
    &["livenessProbe"],
    &["readinessProbe"],
    &["startupProbe"],
    &["lifecycle", "postStart"],
    &["lifecycle", "preStop"],
];

const IN_VARIABLE: &str = "expected $(NAME) of a variable with a secretKeyRef";
/// In a probe or a hook `$(NAME)` stands only for what is a literal itself (`ExpandContainerCommandOnlyStatic` in
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/container/helpers.go>), and in a header for nothing.
const IN_SCRIPT: &str = "expected a script that reads it from a variable with a secretKeyRef";

/// Judges a container.
struct Judge<'j, 'r, 'o> {
    container: &'j Container<'r>,
    settings: &'j SecretEnv,
    is_literal: &'j IsLiteral<'j>,
    report: &'j mut Report<'o>,
}

impl<'r> Judge<'_, 'r, '_> {
    fn variables(&mut self) {
        let container = self.container;
        let required = &self.settings.required;
        let is_asked = container.env.iter().any(|of| !of.value.is_empty() && glob::any(required, of.name));
        let referring = if is_asked { container.referring_to_secrets() } else { Vec::new() };
        for (index, variable) in container.env.iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            let refers = referring.get(index).copied().unwrap_or_default();
            self.variable(variable, index, refers);
        }
    }

    fn variable(&mut self, variable: &EnvVar<'r>, index: usize, refers_to_secret: bool) {
        let (container, settings, is_literal) = (self.container, self.settings, self.is_literal);
        let EnvVar { name, value, value_from } = variable;
        let required = glob::any(&settings.required, name);
        let not_secret = if required { self.other_source(variable, index).filter(|_| !refers_to_secret) } else { None };
        let at = |fields: &[&'static str]| container.at(&["env"]).index(index).join(Path::of(fields));

        if let Some(reference) = &value_from.secret_key_ref
            && required
            && reference.optional
        {
            let message = format!("{container}: {name} is optional, expected a secretKeyRef that must be there");
            self.report.add(&OPTIONAL_REF, at(&["valueFrom", "secretKeyRef", "optional"]), message);
        }
        if let Some((Some(source), what)) = &not_secret {
            let message = format!("{container}: {name} {what}, expected valueFrom.secretKeyRef");
            self.report.add(&SECRET_REF, at(&["valueFrom", source]), message);
            return;
        }
        let mut faults = Vec::new();
        if is_literal(name, value, Reader::Kubernetes) {
            faults.push(literal("is a literal"));
        } else {
            faults.extend(set_within(value, is_literal).map(literal));
        }
        expose(value, Reader::Kubernetes, &mut faults);
        faults.extend(not_secret.map(|(_, what)| (&SECRET_REF, what)));
        let subject = format_args!("{container}: {name}");
        self.add(faults, subject, "expected valueFrom.secretKeyRef", &|| at(&["value"]), !value.is_empty());
    }

    /// Where a variable comes from if not from a Secret: the field of its `valueFrom`, or none for its `value`, and the same
    /// in words.
    fn other_source(&self, variable: &EnvVar<'_>, index: usize) -> Option<(Option<&'static str>, String)> {
        const SOURCES: [&str; 4] = ["configMapKeyRef", "fieldRef", "resourceFieldRef", "fileKeyRef"];
        let Some(Data::Array(env)) = self.container.node().get("env").map(|env| &env.data) else { return None };
        let value_from = env.get(index)?.get("valueFrom");
        let source = SOURCES.into_iter().find(|source| value_from.is_some_and(|of| of.get(source).is_some()));
        match source {
            _ if !variable.value.is_empty() => Some((None, "is a literal".to_owned())),
            _ if variable.value_from.secret_key_ref.is_some() => None,
            Some(source) => Some((Some(source), format!("comes from a {source}"))),
            None => Some((None, "is empty".to_owned())),
        }
    }

    /// Judges the words of a command line, which may be in several lists.
    fn command_line(&mut self, subject: &str, expected: &str, lists: &[(&[&'static str], &[&'r str])]) {
        let container = self.container;
        let mut line = Line::default();
        for (fields, texts) in lists {
            for (index, text) in texts.iter().enumerate() {
                if self.report.is_full() {
                    return;
                }
                let mut found = Found::default();
                line.read(text, self.is_literal, &mut found);
                if text.contains('\n') {
                    // Files that a script writes.
                    file::settings(text, Kind::Script, self.is_literal, &mut found);
                }
                let mut faults = Vec::from_iter(found.in_words().map(literal));
                expose(text, Reader::Shell, &mut faults);
                let at = || container.at(fields).index(index);
                self.add(faults, format_args!("{container}: {subject}"), expected, &at, true);
            }
        }
    }

    /// Judges a probe or a hook. Few containers have many, and most of those neither a command nor headers: what there is
    /// is read here, as part of a view it would be a tenth of the module.
    fn handler(&mut self, fields: &[&'static str]) -> Result<(), ReadError> {
        let container = self.container;
        let name = fields.last().copied().unwrap_or_default();
        let [command, headers, path] =
            [["exec", "command"], ["httpGet", "httpHeaders"], ["httpGet", "path"]].map(|of| [fields, &of[..]].concat());

        let texts: Vec<&str> = read(container, &command)?;
        self.command_line(name, IN_SCRIPT, &[(&command, &texts)]);
        let text: &str = read(container, &path)?;
        let mut faults = Vec::new();
        if credentials::in_query(text, Reader::Kubernetes) {
            faults.push((&CREDENTIALS, "has a password in its path".to_owned()));
        }
        faults.extend(tokens(text));
        self.add(faults, format_args!("{container}: {name}"), IN_SCRIPT, &|| container.at(&path), true);
        let list: Vec<Header<'r>> = read(container, &headers)?;
        for (index, Header { name: header, value }) in list.iter().enumerate() {
            let mut faults = Vec::new();
            header::expose(header, value, self.is_literal, &mut faults);
            let at = || container.at(&headers).index(index).key("value");
            self.add(faults, format_args!("{container}: header {header} of {name}"), IN_SCRIPT, &at, true);
        }
        Ok(())
    }

    /// Reports one of several faults of the same value, as one mend does for all. Messages never hold the value.
    fn add(
        &mut self,
        faults: Vec<Fault>,
        subject: fmt::Arguments<'_>,
        expected: &str,
        at: &dyn Fn() -> Path,
        secret: bool,
    ) {
        let Some((rule, what)) = strictest(faults, &|rule| self.report.level(rule)) else { return };
        let added = self.report.add(rule, at, || format!("{subject} {what}, {expected}"));
        if secret {
            let _ = added.secret();
        }
    }
}

/// What a field below a container holds, or nothing.
fn read<'r, T: Default + Deserialize<'r>>(container: &Container<'r>, fields: &[&'static str]) -> Result<T, ReadError> {
    let node = container.node().within(fields).map_err(|error| error.below(&container.path()))?;
    node.map_or_else(|| Ok(T::default()), |node| node.view().map_err(|error| error.below(&container.at(fields))))
}

/// The secrets that a variable's value sets where it is a file, or options of a program, as `JAVA_OPTS` has them.
fn set_within(value: &str, is_literal: &IsLiteral<'_>) -> Option<String> {
    let mut found = Found::default();
    if value.contains('\n') || value.trim_start().starts_with('{') {
        file::settings(value, Kind::of("", value), is_literal, &mut found);
    } else if value.starts_with('-') || value.contains(" -") {
        command::script(value, Reader::Kubernetes, is_literal, &mut found);
    }
    found.in_words()
}
