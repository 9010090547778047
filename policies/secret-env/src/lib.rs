//! Secrets come from Secrets: not as text in a manifest, which is in version control, in logs and in every backup.
//!
//! What is looked at: `pod.rs`, `config_map.rs` and `annotation.rs`. What a text may be: `command.rs`, `file.rs`, `header.rs`.
//! What tells a secret: its name (`name.rs`) and what its value is not (`value.rs`, `reference.rs`), or its shape
//! (`credentials.rs`, `token.rs`).

// Another policy's module takes in no more than what tells a secret.
#![cfg_attr(not(feature = "policy"), allow(dead_code))]

mod annotation;
mod ascii;
mod base64;
mod command;
mod config_map;
mod credentials;
mod file;
mod found;
mod header;
mod name;
mod pod;
mod reference;
#[cfg(test)]
mod samples;
mod token;
mod value;
mod view;

use gatehouse_policy::glob::Glob;
use gatehouse_policy::{Context, Level, Override, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::name::{Name, NamePattern};
use crate::pod::Pod;
use crate::value::Reader;

rules! {
    /// Finds a value that is to be a secret by its name, such as `DB_PASSWORD`, and is written into the manifest: in a
    /// variable, in a command line (`--db-password=…`, `--password …`, `-e PASSWORD=…`, and what a script sets), in a header
    /// of a probe or a hook, in a `ConfigMap`. There it is the value of a key, or what a file sets by `name=value`,
    /// `name: value` or `"name": "value"`; variables and scripts that hold a file are read likewise.
    ///
    /// A name in which the last word says something about a secret, as in `TOKEN_TTL` or `PASSWORD_FILE`, is no such name;
    /// and a value is no secret if it is empty, a switch, a number, a path, a URL, a public key, the place of a secret in a
    /// vault, or the name of a Secret that the pod mounts or refers to. A number is a password all the same where the name
    /// ends in `PASSWORD`. `changeme` is one too. A value with `$(NAME)` or `${NAME}` in it is made of others.
    ///
    /// ## Why
    /// Whoever may read the workload reads the secret, in the cluster, in version control and in every backup of both.
    /// A Secret has rights of its own, may be encrypted at rest, and is changed without a change to the workload. A
    /// `ConfigMap` has none of this.
    ///
    /// ## Example
    /// ```yaml
    /// env:
    /// - name: DB_PASSWORD
    ///   value: correct-horse
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// env:
    /// - name: DB_PASSWORD
    ///   valueFrom:
    ///     secretKeyRef:
    ///       name: db
    ///       key: password
    /// ```
    ///
    /// ## Options
    /// `names` are the patterns of such names, `except` those of names that are no secrets whatever they say; `configMaps`
    /// is the level in a `ConfigMap`.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/security/secrets-good-practices/>
    LITERAL = "literal": deny;

    /// Finds a URL or a connection string with a password in it, in a variable, a command line, a probe or a hook, or a
    /// `ConfigMap`, and an `Authorization` header with a user and a password. A password that is empty or stands for
    /// another, as `$(DB_PASSWORD)` does, is none.
    ///
    /// ## Why
    /// It is as readable there as in a variable of its own, and URLs are logged more often.
    ///
    /// ## Example
    /// ```yaml
    /// env:
    /// - name: CACHE
    ///   value: redis://:correct-horse@redis:6379
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// env:
    /// - name: REDIS_PASSWORD
    ///   valueFrom:
    ///     secretKeyRef:
    ///       name: redis
    ///       key: password
    /// - name: CACHE
    ///   value: redis://:$(REDIS_PASSWORD)@redis:6379
    /// ```
    ///
    /// ## Options
    /// `configMaps` is the level in a `ConfigMap`.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>
    CREDENTIALS = "credentials": deny;

    /// Finds what is a secret by its shape, in a variable, a command line, a probe or a hook, a `ConfigMap`, or an annotation
    /// of any of these or of a pod's template: keys and tokens of AWS, Azure, GitHub, GitLab, Google, Slack, Stripe and
    /// others, JSON Web Tokens, private keys. What `kubectl apply` keeps of an object in an annotation is told of only where
    /// the object itself holds the token no more.
    ///
    /// ## Why
    /// Whoever reads it can use it at once, and knows where. A ConfigMap is read by more than a Secret is.
    ///
    /// ## Example
    /// ```yaml
    /// kind: ConfigMap
    /// data:
    ///   tls.key: |
    ///     -----BEGIN PRIVATE KEY-----
    ///     …
    /// ```
    ///
    /// ## Use instead
    /// A Secret, mounted or taken into a variable; and a new key in place of the one that was seen.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/secret/>
    TOKEN = "token": deny;

    /// Finds a variable that is `required` to come from a Secret and does not: it has a value, comes from a ConfigMap or
    /// a field, or has no source. One whose value refers to a `secretKeyRef` before it by `$(NAME)` comes from a Secret
    /// too. A container without the variable is not at fault; nor is `envFrom` seen, as the names it brings are not in the
    /// pod.
    ///
    /// Where other rules find the same value at fault, only the strictest level speaks, and of equal ones this rule
    /// rather than `token`, `credentials` and `literal`: one mend does for all.
    ///
    /// ## Why
    /// These variables hold secrets in every environment, so that even a harmless value shows that a wire is missing.
    ///
    /// ## Example
    /// ```yaml
    /// env:
    /// - name: DATABASE_URL
    ///   valueFrom:
    ///     configMapKeyRef:
    ///       name: herald
    ///       key: database-url
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// env:
    /// - name: DATABASE_URL
    ///   valueFrom:
    ///     secretKeyRef:
    ///       name: herald-secrets
    ///       key: database-url
    /// ```
    ///
    /// ## Options
    /// `required`
    SECRET_REF = "secret-ref": deny;

    /// Finds a `secretKeyRef` of a `required` variable with `optional: true`.
    ///
    /// ## Why
    /// Without the Secret the container then starts without the variable, and fails later and elsewhere. Otherwise it does
    /// not start, and its status says what is missing.
    ///
    /// ## Options
    /// `required`
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/configuration/secret/#optional-secrets>
    OPTIONAL_REF = "optional-ref": warn;
}

/// The settings of secret-env: which names are those of secrets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretEnv {
    /// Variables that come from a Secret wherever a container has them, as globs; case matters.
    required: Vec<Glob>,
    /// Names of secrets: of variables, options, headers, keys of a `ConfigMap` and what files set, as globs. Case does not
    /// matter, and `-` and `.` are as `_`. A pattern without wildcards names its secret outright: its last word then makes no
    /// difference.
    names: Vec<NamePattern>,
    /// Names of what is no secret whatever they say, as globs like those of `names`.
    except: Vec<NamePattern>,
    /// The level of `literal` and `credentials` in a `ConfigMap`. Default: that of the rule.
    config_maps: Option<Override>,
}

impl Default for SecretEnv {
    fn default() -> Self {
        let names = name::SENSITIVE.iter().map(|name| NamePattern::new(name)).collect();
        Self { required: Vec::new(), names, except: Vec::new(), config_maps: None }
    }
}

impl Settings for SecretEnv {
    fn validate(&self) -> Result<(), ReadError> {
        let lists = [
            ("required", self.required.iter().position(|glob| glob.as_str().is_empty())),
            ("names", self.names.iter().position(NamePattern::is_empty)),
            ("except", self.except.iter().position(NamePattern::is_empty)),
        ];
        for (field, empty) in lists {
            if let Some(index) = empty {
                let reason = "is empty, expected the name of a variable or a pattern".to_owned();
                return Err(ReadError { path: Path::of(&[field]).index(index), reason });
            }
        }
        let required: Vec<_> = self.required.iter().map(|glob| NamePattern::new(glob.as_str())).collect();
        match self.except.iter().position(|pattern| required.contains(pattern)) {
            Some(index) => {
                let reason = "is among those required to come from a Secret".to_owned();
                Err(ReadError { path: Path::of(&["except"]).index(index), reason })
            }
            None => Ok(()),
        }
    }
}

#[cfg(any(feature = "policy", not(target_arch = "wasm32")))]
policy!(SecretEnv, review, subresources: ["ephemeralcontainers"]);

fn review(request: &Request<'_>, context: &Context<'_, SecretEnv>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if request.is("", "ConfigMap") {
        annotation::of_node(request.object, &Path::root(), request.object, report)?;
        return config_map::review(request, context.settings, report);
    }
    let pods = Pod::read(request, context.exempt)?;
    // A debugger that is attached changes no annotation.
    if request.subresource.is_empty() {
        annotation::of_workload(request.object, &pods, report)?;
    }
    for pod in &pods {
        pod::judge(pod, context.settings, report)?;
    }
    Ok(())
}

/// What is wrong with a text: the rule, and what the text does, in words that never hold it.
type Fault = (&'static Rule, String);

/// A literal under a name that says it is a secret.
fn literal(what: impl Into<String>) -> Fault {
    (&LITERAL, what.into())
}

/// Whether a value, of which is known who makes something of it, is a secret by what it is called.
type IsLiteral<'s> = dyn Fn(&str, &str, Reader) -> bool + 's;

impl SecretEnv {
    /// What is wrong with a variable outside a pod, such as an image's: what it does that gives a secret away, in words that
    /// never hold it. A shell may have put the value together.
    #[must_use]
    pub fn exposed(&self, name: &str, value: &str) -> Option<String> {
        let mut faults = Vec::new();
        if self.is_literal(name, value, Reader::Script) {
            faults.push(literal("is a literal"));
        }
        expose(value, Reader::Script, &mut faults);
        faults.pop().map(|(_, what)| what)
    }

    /// Whether a variable is to hold a secret, by its name.
    #[must_use]
    pub fn is_name_of_secret(&self, name: &str) -> bool {
        name::may_match(&self.names, name) && {
            let name = Name::new(name);
            name.is_sensitive(&self.names) && !name.matches(&self.except)
        }
    }

    fn is_literal(&self, name: &str, value: &str, reader: Reader) -> bool {
        if !name::may_match(&self.names, name)
            || (value::is_no_secret(value, reader) && credentials::find(value, reader).is_none())
        {
            return false;
        }
        let name = Name::new(name);
        if !name.is_sensitive(&self.names) || name.matches(&self.except) || name.is_given_names(value) {
            return false;
        }
        let is_quantity = value::is_number(value) && !name.is_password();
        let is_filler = name.is_api_key() && value::is_filler(value);
        !(is_quantity || is_filler)
    }
}

/// Adds what a text gives away whatever it is called: the more telling rule last.
fn expose(text: &str, reader: Reader, faults: &mut Vec<Fault>) {
    faults.extend(credentials::find(text, reader).map(|what| (&CREDENTIALS, format!("holds {what}"))));
    faults.extend(tokens(text));
}

fn tokens(text: &str) -> Option<Fault> {
    let kinds = token::kinds(text);
    (!kinds.is_empty()).then(|| (&TOKEN, format!("holds {}", kinds.join(" and "))))
}

/// Of several faults of the same value, which one mend does away with, that of the highest level, and of equal ones the
/// last.
fn strictest(faults: Vec<Fault>, level: &dyn Fn(&Rule) -> Option<Level>) -> Option<Fault> {
    let mut strictest: Option<Fault> = None;
    for fault in faults {
        if strictest.as_ref().is_none_or(|(rule, _)| level(fault.0) >= level(rule)) {
            strictest = Some(fault);
        }
    }
    strictest
}
