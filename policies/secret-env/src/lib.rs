//! Secrets come from Secrets: not as text in a manifest, which is in version control, in logs and in every backup.

mod credentials;
mod name;
#[cfg(test)]
mod samples;
mod token;
mod value;
mod view;

use gatehouse_policy::glob::{self, Glob};
use gatehouse_policy::{Context, Path, ReadError, Report, Request, Rule, Settings, policy, rules};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::name::NamePattern;
use crate::value::Reader;
use crate::view::{ConfigMap, ContainerFields, EnvVar, PodFields};

rules! {
    /// Finds a variable that is to be secret by its name, such as `DB_PASSWORD`, and has its value written into the
    /// manifest. A name in which the last word says something about a secret, as in `TOKEN_TTL` or `PASSWORD_FILE`, is no
    /// such name; and a value is no secret if it is empty, a switch, a number, a path, a URL, a public key or the place
    /// of a secret in a vault. A number is a password all the same where the name ends in `PASSWORD`. `changeme` is one
    /// too. A value with `$(NAME)` in it is made of other variables.
    ///
    /// The values of a ConfigMap that `envFrom` or `configMapKeyRef` name are not in the pod, and so are not seen.
    ///
    /// ## Why
    /// Whoever may read the workload reads the secret, in the cluster, in version control and in every backup of both.
    /// A Secret has rights of its own, may be encrypted at rest, and is changed without a change to the workload.
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
    /// `names` are the patterns of such names, `except` those of variables that are no secrets whatever they are called.
    ///
    /// ## Reference
    /// <https://kubernetes.io/docs/concepts/security/secrets-good-practices/>
    LITERAL = "literal": deny;

    /// Finds a URL or a connection string with a password in it, in a variable, `args` or `command`. A password that is
    /// empty or stands for another, as `$(DB_PASSWORD)` does, is none.
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
    /// ## Reference
    /// <https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>
    CREDENTIALS = "credentials": deny;

    /// Finds what is a secret by its shape, in a variable, `args`, `command` or the `data` of a ConfigMap: keys and tokens
    /// of AWS, Azure, GitHub, GitLab, Google, Slack, Stripe and others, JSON Web Tokens, private keys.
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

/// The settings of secret-env: which variables are secrets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecretEnv {
    /// Variables that come from a Secret wherever a container has them, as globs; case matters.
    required: Vec<Glob>,
    /// Variables that are secrets by their name, as globs. Case does not matter, and `-` and `.` are as `_`. A pattern
    /// without wildcards names its variable outright: its last word then makes no difference.
    names: Vec<NamePattern>,
    /// Variables that are no secrets whatever their names say, as globs like those of `names`.
    except: Vec<NamePattern>,
}

impl Default for SecretEnv {
    fn default() -> Self {
        let names = name::SENSITIVE.iter().map(|name| NamePattern::new(name)).collect();
        Self { required: Vec::new(), names, except: Vec::new() }
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

policy!(SecretEnv, review, subresources: ["ephemeralcontainers"]);

type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields<'r>>;
type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

fn review(request: &Request<'_>, context: &Context<'_, SecretEnv>, report: &mut Report<'_>) -> Result<(), ReadError> {
    if request.is("", "ConfigMap") {
        return review_config_map(request, report);
    }
    for pod in Pod::read(request, context.exempt)? {
        judge_pod(&pod, context.settings, report);
    }
    Ok(())
}

fn judge_pod(pod: &Pod<'_>, settings: &SecretEnv, report: &mut Report<'_>) {
    for container in pod.containers() {
        let required = &settings.required;
        let is_asked = container.env.iter().any(|of| !of.value.is_empty() && glob::any(required, of.name));
        let referring = if is_asked { container.referring_to_secrets() } else { Vec::new() };
        for index in 0..container.env.len() {
            let refers = referring.get(index).copied().unwrap_or_default();
            judge_variable(container, index, refers, settings, report);
        }
        for (field, texts) in [("command", &container.command), ("args", &container.args)] {
            for (index, text) in texts.iter().enumerate() {
                judge_argument(container, text, &container.at(&[field]).index(index), report);
            }
        }
    }
}

fn review_config_map(request: &Request<'_>, report: &mut Report<'_>) -> Result<(), ReadError> {
    let config_map: ConfigMap<'_> = request.object.view()?;
    for (key, text) in config_map.data.iter() {
        if let Some(kinds) = tokens(text) {
            let path = Path::of(&["data"]).key((*key).to_owned());
            let _ = report.add(&TOKEN, path, format!("ConfigMap: holds {kinds}, expected it in a Secret")).secret();
        }
    }
    Ok(())
}

fn judge_variable(
    container: &Container<'_>,
    index: usize,
    refers_to_secret: bool,
    settings: &SecretEnv,
    report: &mut Report<'_>,
) {
    let Some(variable) = container.env.get(index) else { return };
    let EnvVar { name, value, value_from } = variable;
    let at = |fields: &[&'static str]| container.at(&["env"]).index(index).join(Path::of(fields));
    let required = glob::any(&settings.required, name);
    let not_secret = if required { other_source(variable, refers_to_secret) } else { None };

    if let Some(reference) = &value_from.secret_key_ref
        && required
        && reference.optional
    {
        let message = format!("{container}: {name} is optional, expected a secretKeyRef that must be there");
        report.add(&OPTIONAL_REF, at(&["valueFrom", "secretKeyRef", "optional"]), message);
    }
    if let Some((Some(source), what)) = &not_secret {
        let message = format!("{container}: {name} {what}, expected valueFrom.secretKeyRef");
        report.add(&SECRET_REF, at(&["valueFrom", source]), message);
        return;
    }
    let literal = is_secret_by_name(name, value, settings).then(|| (&LITERAL, "is a literal".to_owned()));
    let exposed = exposed(value, Reader::Kubernetes).map(|(rule, what)| (rule, format!("holds {what}")));
    let not_secret = not_secret.map(|(_, what)| (&SECRET_REF, what));
    let faults = literal.into_iter().chain(exposed).chain(not_secret);
    let faults =
        faults.map(|(rule, what)| (rule, format!("{container}: {name} {what}, expected valueFrom.secretKeyRef")));
    add_strictest(faults, &at(&["value"]), !value.is_empty(), report);
}

fn judge_argument(container: &Container<'_>, text: &str, path: &Path, report: &mut Report<'_>) {
    let expected = "expected $(NAME) of a variable with a secretKeyRef";
    let faults = exposed(text, Reader::Shell)
        .map(|(rule, what)| (rule, format!("{container}: an argument holds {what}, {expected}")));
    add_strictest(faults, path, true, report);
}

/// Where a variable comes from if not from a Secret: the field of its `valueFrom`, or none for its `value`, and the same
/// in words.
fn other_source(variable: &EnvVar<'_>, refers_to_secret: bool) -> Option<(Option<&'static str>, String)> {
    let EnvVar { value, value_from, .. } = variable;
    match value_from.other() {
        _ if !value.is_empty() && refers_to_secret => None,
        _ if !value.is_empty() => Some((None, "is a literal".to_owned())),
        _ if value_from.secret_key_ref.is_some() => None,
        Some(source) => Some((Some(source), format!("comes from a {source}"))),
        None => Some((None, "is empty".to_owned())),
    }
}

fn is_secret_by_name(name: &str, value: &str, settings: &SecretEnv) -> bool {
    if !name::is_sensitive(&settings.names, name) || name::matches(&settings.except, name) {
        return false;
    }
    let is_quantity = value::is_number(value) && !name::is_password(name);
    !is_quantity && (!value::is_no_secret(value) || credentials::find(value, Reader::Kubernetes).is_some())
}

/// What a text gives away whatever it is called: the more telling rule last.
fn exposed(text: &str, reader: Reader) -> impl Iterator<Item = (&'static Rule, String)> {
    let credentials = credentials::find(text, reader).map(|what| (&CREDENTIALS, what.to_owned()));
    credentials.into_iter().chain(tokens(text).map(|kinds| (&TOKEN, kinds)))
}

fn tokens(text: &str) -> Option<String> {
    let kinds = token::kinds(text);
    (!kinds.is_empty()).then(|| kinds.join(" and "))
}

/// Reports one of several faults of the same value, as one mend does for all: that of the highest level, and of equal ones
/// the last. Messages never hold the value.
fn add_strictest(
    faults: impl Iterator<Item = (&'static Rule, String)>,
    path: &Path,
    secret: bool,
    report: &mut Report<'_>,
) {
    let Some((rule, message)) = faults.max_by_key(|(rule, _)| report.level(rule)) else { return };
    let added = report.add(rule, path.clone(), message);
    if secret {
        let _ = added.secret();
    }
}
