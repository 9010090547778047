//! The images of a pod's containers, as their configuration has them.

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use gatehouse_policy::{Around, ContextError, Ids, Level, Members, Report, Sorted, image};
use secret_env::SecretEnv;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{EXPOSE, ImageConfig, NUMERIC_USER, SECRET, USER};

pub type Pod<'r> = gatehouse_policy::Pod<'r, PodFields, ContainerFields<'r>>;
type Container<'r> = gatehouse_policy::Container<'r, ContainerFields<'r>>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFields {
    security_context: SecurityContext,
    host_users: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerFields<'r> {
    security_context: SecurityContext,
    #[serde(borrow)]
    ports: Vec<Port<'r>>,
}

/// What a container takes from its pod unless it has its own.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecurityContext {
    run_as_user: Option<i64>,
    run_as_non_root: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port<'r> {
    container_port: i32,
    protocol: &'r str,
}

/// What is read of an image's configuration
/// (<https://github.com/opencontainers/image-spec/blob/main/config.md#properties>).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    user: String,
    exposed_ports: Members<String, IgnoredAny>,
    env: Vec<String>,
}

/// What an image says, once for all containers that have it.
struct Facts {
    /// Its user without a group; empty for root.
    user: String,
    /// `80/tcp`, in order.
    ports: Vec<String>,
    /// Its variables that hold secrets, in words.
    secrets: String,
}

/// What is known of an image once somebody asks; nothing where nobody knows it.
type Answer = OnceLock<Result<Option<Facts>, ContextError>>;

impl Facts {
    fn of(config: &Config) -> Self {
        let secrets = SecretEnv::default();
        let mut found = String::new();
        for variable in &config.env {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            if let Some(what) = secrets.exposed(name, value) {
                let separator = if found.is_empty() { "" } else { ", " };
                let _ = write!(found, "{separator}{name} {what}");
            }
        }
        // A port without a protocol is one of TCP.
        let port = |text: &str| if text.contains('/') { text.to_owned() } else { format!("{text}/tcp") };
        let mut ports: Vec<String> = config.exposed_ports.iter().map(|(text, _)| port(text)).collect();
        ports.sort_unstable();
        let user = config.user.split(':').next().unwrap_or_default().to_owned();
        Self { user, ports, secrets: found }
    }

    /// The user's number; `None` for one by name.
    fn id(&self) -> Option<i64> {
        if matches!(self.user.as_str(), "" | "root") { Some(0) } else { self.user.parse().ok() }
    }
}

/// An image that a container has, for questions about it.
#[derive(Clone)]
struct Asked {
    whose: Arc<str>,
    image: Arc<str>,
    answer: Arc<Answer>,
}

impl Asked {
    /// What is wrong with the image, if it is known.
    fn find(
        &self,
        around: &Around<'_>,
        fault: impl FnOnce(&Facts, &Self) -> Option<String>,
    ) -> Result<Option<String>, ContextError> {
        let answer = self.answer.get_or_init(|| Ok(around.image(&self.image)?.as_ref().map(Facts::of)));
        let facts = answer.as_ref().map_err(Clone::clone)?;
        Ok(facts.as_ref().and_then(|facts| fault(facts, self)))
    }
}

pub fn judge(pod: &Pod<'_>, settings: &ImageConfig, report: &mut Report<'_>) {
    if pod.is_windows() {
        return; // users have names there, and no numbers
    }
    let users = settings.users.clone().map(Arc::new);
    // The host is asked once for what several containers have.
    let images: Sorted<'_> = pod.containers().map(|container| container.image).zip(0..).collect();
    let mut answers: Vec<Arc<Answer>> = Vec::new();
    for container in pod.containers() {
        let first = images.first(container.image).and_then(|first| answers.get(first).cloned());
        let answer = first.unwrap_or_default();
        answers.push(Arc::clone(&answer));
        // Istio puts its own image in the place of one called auto; what is no reference at all is for pinned-images.
        if container.image == "auto" || image::read(container.image).is_err() {
            continue;
        }
        let asked = Asked { whose: container.to_string().into(), image: container.image.into(), answer };
        let (own, inherited) = (&container.security_context, &pod.security_context);
        if own.run_as_user.or(inherited.run_as_user).is_none() {
            let is_asked_for = own.run_as_non_root.or(inherited.run_as_non_root) == Some(true);
            let may_be_root = pod.host_users == Some(false);
            judge_user(container, &asked, users.clone(), may_be_root, report);
            judge_name(container, &asked, is_asked_for, report);
        }
        judge_ports(container, &asked, report);
        report.add_if(&SECRET, container.at(&["image"]), move |around| {
            asked.find(around, |facts, Asked { whose, image, .. }| {
                let secrets = &facts.secrets;
                let is_any = !secrets.is_empty();
                is_any.then(|| {
                    format!("{whose}: image {image} holds secrets in its variables: {secrets}, expected a Secret")
                })
            })
        });
    }
}

fn judge_user(
    container: &Container<'_>,
    asked: &Asked,
    users: Option<Arc<Ids>>,
    may_be_root: bool,
    report: &mut Report<'_>,
) {
    let asked = asked.clone();
    report.add_if(&USER, container.at(&["image"]), move |around| {
        asked.find(around, |facts, Asked { whose, image, .. }| {
            let id = facts.id()?;
            let is_allowed = users.as_ref().map_or(id != 0 || may_be_root, |users| users.contains(id));
            if is_allowed {
                return None;
            }
            let expected = users.map_or_else(|| "any but 0".to_owned(), |users| users.to_string());
            Some(format!("{whose}: image {image} runs as {id} where no runAsUser is set, expected {expected}"))
        })
    });
}

/// A user by name. Only where the pod asks the kubelet to look at it, does it refuse to start the container.
fn judge_name(container: &Container<'_>, asked: &Asked, is_asked_for: bool, report: &mut Report<'_>) {
    let asked = asked.clone();
    let place = container.at(&["image"]);
    let answer = move |around: &Around<'_>| {
        asked.find(around, |facts, Asked { whose, image, .. }| {
            let user = &facts.user;
            let with = if is_asked_for { "runAsNonRoot is true, and" } else { "with runAsNonRoot" };
            facts.id().is_none().then(|| {
                format!(
                    "{whose}: image {image} runs as {}, which is a name: {with} the kubelet refuses to start the container, \
                     expected a runAsUser, or a number in the image",
                    image::quoted(user)
                )
            })
        })
    };
    if is_asked_for {
        report.add_if(&NUMERIC_USER, place, answer);
    } else {
        report.add_if_as(Level::Warn, &NUMERIC_USER, place, answer);
    }
}

/// Ports that the image does not expose. One that exposes none says nothing of its ports.
fn judge_ports(container: &Container<'_>, asked: &Asked, report: &mut Report<'_>) {
    for (index, port) in container.ports.iter().enumerate() {
        let protocol = if port.protocol.is_empty() { "TCP" } else { port.protocol };
        let wanted = format!("{}/{}", port.container_port, protocol.to_ascii_lowercase());
        let asked = asked.clone();
        let place = container.at(&["ports"]).index(index).key("containerPort");
        report.add_if(&EXPOSE, place, move |around| {
            asked.find(around, |facts, Asked { whose, image, .. }| {
                let is_exposed = facts.ports.is_empty() || facts.ports.binary_search(&wanted).is_ok();
                let exposed = || facts.ports.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
                (!is_exposed).then(|| {
                    format!(
                        "{whose}: containerPort {wanted} is not exposed by image {image}, expected one of {}",
                        exposed()
                    )
                })
            })
        });
    }
}
