//! What is around an object: a policy asks for other objects, and never learns who answers. In a cluster that is the policy
//! server, in the checker the manifests that are checked together.

use std::any::{Any, TypeId};
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;

use crate::mask;
use crate::node::Node;
use crate::request::{Request, split_api_version};
use crate::view::ReadError;

/// A kind of objects that a policy looks at beside the one it judges, each read through the view `V`. What a policy server is
/// asked for is what the view names, and no more. A view's fields are of the kit's types, strings, numbers, booleans,
/// lists, options and other such views.
pub struct Kind<V> {
    asked: Asked,
    view: PhantomData<fn() -> V>,
}

impl<V> Copy for Kind<V> {}

impl<V> Clone for Kind<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A [`Kind`], whatever its view.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its API version: `apps/v1`.
    pub api_version: &'static str,
    /// Its name: `Deployment`.
    pub kind: &'static str,
    /// Which of its objects are asked for, by a label selector as kubectl writes it; empty for all.
    pub label_selector: &'static str,
    /// Which of its objects are asked for, by a field selector; empty for all.
    pub field_selector: &'static str,
    fields: Fields,
}

/// Which fields are asked for.
#[derive(Clone, Copy, Debug)]
enum Fields {
    OfView(fn() -> Vec<String>),
    Listed(&'static [&'static str]),
}

impl Asked {
    /// The fields that its view names, or that are listed, as field masks have them: `spec.ports.port` is that of every item
    /// of `spec.ports`.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        match self.fields {
            Fields::OfView(fields) => fields(),
            Fields::Listed(fields) => fields.iter().map(|field| (*field).to_owned()).collect(),
        }
    }

    /// Its API group; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &'static str {
        split_api_version(self.api_version).0
    }
}

impl<V: DeserializeOwned> Kind<V> {
    /// The kind of that API version and name.
    #[must_use]
    pub const fn new(api_version: &'static str, kind: &'static str) -> Self {
        Self::asking(api_version, kind, Fields::OfView(mask::fields::<V>))
    }
}

impl Kind<Listed> {
    /// The kind of that API version and name, of which these fields are asked for, beside the name. A view is a thousand bytes of
    /// a module for each of its structs: a policy that asks for many kinds, and little of each, is better off with
    /// [`Around::each`].
    #[must_use]
    pub const fn listed(api_version: &'static str, kind: &'static str, fields: &'static [&'static str]) -> Self {
        Self::asking(api_version, kind, Fields::Listed(fields))
    }
}

/// In the place of a view: the objects of the kind are looked at as they are.
#[derive(Debug)]
pub struct Listed;

impl<V> Kind<V> {
    const fn asking(api_version: &'static str, kind: &'static str, fields: Fields) -> Self {
        let asked = Asked { api_version, kind, label_selector: "", field_selector: "", fields };
        Self { asked, view: PhantomData }
    }

    /// Those of its objects that have these labels. A policy server watches what each selector selects: it is to be the same in
    /// every request.
    #[must_use]
    pub const fn with_labels(self, label_selector: &'static str) -> Self {
        let asked = Asked { label_selector, ..self.asked };
        Self { asked, view: PhantomData }
    }

    /// Those of its objects that have these fields, as [`Self::with_labels`].
    #[must_use]
    pub const fn with_fields(self, field_selector: &'static str) -> Self {
        let asked = Asked { field_selector, ..self.asked };
        Self { asked, view: PhantomData }
    }

    /// The kind without its view, for a policy's list of what it asks for.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        self.asked
    }
}

/// A question to a host.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The kind, and which of its objects.
    pub asked: &'q Asked,
    /// The namespace; `None` for the whole cluster.
    pub namespace: Option<&'q str>,
}

/// Who answers.
pub trait Host: Sync {
    /// Hands over each object that is asked for: at least the fields of its mask, beside `metadata.name` and
    /// `metadata.namespace`. Of a kind that is not there at all there are none.
    ///
    /// # Errors
    /// Why there is no answer; or what `each` returned.
    fn list(&self, query: &Query<'_>, each: &mut Each<'_>) -> Result<(), ContextError>;

    /// The configuration of a container image, `config` of
    /// <https://github.com/opencontainers/image-spec/blob/main/config.md>, handed over if the image is known. By default none is.
    ///
    /// # Errors
    /// As for [`Self::list`].
    fn image(&self, _image: &str, _each: &mut Each<'_>) -> Result<(), ContextError> {
        Ok(())
    }

    /// Whether what it was asked for and does not have is not there. A few files of a repository prove nothing of the kind.
    fn is_whole(&self) -> bool;

    /// Whether all of a namespace is known: the namespace itself, too. Many a folder says what runs, and not where.
    fn knows(&self, namespace: &str) -> bool {
        let _ = namespace;
        self.is_whole()
    }
}

/// What the checker says of a list that may not be all there is, as Kubernetes does of one that goes on.
pub const PARTIAL: &str = "partial";
/// What it says of the list of a namespace that it does not know.
pub const ELSEWHERE: &str = "elsewhere";

/// Takes an object that a [`Host`] hands over.
pub type Each<'e> = dyn FnMut(&Node<'_>) -> Result<(), ContextError> + 'e;

/// A host that has nothing, and does not say that nothing is there.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Host for Nothing {
    fn list(&self, _: &Query<'_>, _: &mut Each<'_>) -> Result<(), ContextError> {
        Ok(())
    }

    fn is_whole(&self) -> bool {
        false
    }
}

/// Why it is not known what is around an object. Never a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextError {
    /// What was asked for: `v1 Secret`.
    pub what: String,
    /// Why there is no answer.
    pub reason: String,
}

impl Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason)
    }
}

impl std::error::Error for ContextError {}

/// What a policy keeps of the objects around the one it judges: the names of a namespace's Secrets, the sum of what its pods
/// need. It is made once for all that is judged against the same objects.
pub trait Gather: Sized + Send + Sync + 'static {
    /// Gathers it for a namespace; the empty one is the cluster.
    ///
    /// # Errors
    /// Those of [`Around`].
    fn gather(around: &Around<'_>, namespace: &str) -> Result<Self, ContextError>;
}

/// What has been gathered, each by its type and namespace, in their order.
#[derive(Default)]
pub struct Gathered(Mutex<Vec<Entry>>);

type Entry = (TypeId, String, Result<Kept, ContextError>);
type Kept = Arc<dyn Any + Send + Sync>;

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathered").finish_non_exhaustive()
    }
}

/// What is around an object, for a policy's questions.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    host: &'a dyn Host,
    gathered: &'a Gathered,
    /// The request whose object stands for itself, whatever the host has of it. `None` where the host has it already.
    judged: Option<&'a Request<'a>>,
}

impl fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("judged", &self.judged).finish_non_exhaustive()
    }
}

impl<'a> Around<'a> {
    /// What a host has, where the objects that are judged are among it.
    #[must_use]
    pub fn among(host: &'a dyn Host, gathered: &'a Gathered) -> Self {
        Self { host, gathered, judged: None }
    }

    /// What a host has, with the object of a request in the place of what the host may have of it.
    #[must_use]
    pub fn of(request: &'a Request<'a>, host: &'a dyn Host, gathered: &'a Gathered) -> Self {
        Self { host, gathered, judged: Some(request).filter(|request| request.subresource.is_empty()) }
    }

    /// Whether what was asked for and not found is not there. If not, only what is found proves anything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.host.is_whole()
    }

    /// Whether what is not found in a namespace was not set up there: beside [`Self::is_whole`] the namespace itself must be
    /// known, as every one is in a cluster.
    #[must_use]
    pub fn knows(&self, namespace: &str) -> bool {
        self.host.knows(namespace)
    }

    /// Every object of a kind in a namespace. In a cluster names are unique; among manifests several may have the same, where a
    /// folder holds more than is ever applied together. Left out are those that cannot be read: no API server has them, or they are of a kind
    /// whose definition lets everything in, and then nobody is to stop all others with one of them.
    ///
    /// # Errors
    /// Where the host does not answer.
    pub fn in_namespace<V: DeserializeOwned>(&self, kind: &Kind<V>, namespace: &str) -> Result<Vec<V>, ContextError> {
        self.list(kind, Some(namespace))
    }

    /// Every object of a kind.
    ///
    /// # Errors
    /// As for [`Self::in_namespace`].
    pub fn in_cluster<V: DeserializeOwned>(&self, kind: &Kind<V>) -> Result<Vec<V>, ContextError> {
        self.list(kind, None)
    }

    fn list<V: DeserializeOwned>(&self, kind: &Kind<V>, namespace: Option<&str>) -> Result<Vec<V>, ContextError> {
        let mut found = Vec::new();
        self.hand_over(&kind.asked, namespace, &mut |object| {
            found.extend(object.view::<V>());
            Ok(())
        })?;
        Ok(found)
    }

    /// Hands over every object of a kind in a namespace, or in the cluster with `None`: at least the fields that are listed.
    ///
    /// # Errors
    /// As for [`Self::in_namespace`].
    pub fn each(
        &self,
        kind: &Kind<Listed>,
        namespace: Option<&str>,
        each: &mut dyn FnMut(&Node<'_>),
    ) -> Result<(), ContextError> {
        self.hand_over(&kind.asked, namespace, &mut |object| {
            each(object);
            Ok(())
        })
    }

    fn hand_over(&self, asked: &Asked, namespace: Option<&str>, each: &mut Each<'_>) -> Result<(), ContextError> {
        let judged = self.judged.filter(|judged| {
            judged.is(asked.group(), asked.kind) && namespace.is_none_or(|namespace| namespace == judged.namespace)
        });
        let text =
            |object: &Node<'_>, key| object.descend(&["metadata", key]).and_then(Node::as_str).map(str::to_owned);
        self.host.list(&Query { asked, namespace }, &mut |object| {
            let is_judged = judged.is_some_and(|judged| {
                text(object, "name").as_deref() == Some(judged.name)
                    && (namespace.is_some() || text(object, "namespace").unwrap_or_default() == judged.namespace)
            });
            if is_judged { Ok(()) } else { each(object) }
        })?;
        match judged {
            Some(judged) => each(judged.object),
            None => Ok(()),
        }
    }

    /// The configuration of a container image, read through a view; `None` where nobody knows the image.
    ///
    /// # Errors
    /// As for [`Self::in_namespace`].
    pub fn image<V: DeserializeOwned>(&self, image: &str) -> Result<Option<V>, ContextError> {
        let mut found = None;
        self.host.image(image, &mut |config| {
            let view = config.view();
            let unreadable = |error: ReadError| ContextError { what: image.to_owned(), reason: error.to_string() };
            found = Some(view.map_err(unreadable)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// What is gathered of a namespace.
    ///
    /// # Errors
    /// Those of [`Gather::gather`].
    pub fn gathered<G: Gather>(&self, namespace: &str) -> Result<Arc<G>, ContextError> {
        let make = || G::gather(self, namespace).map(|made| Arc::new(made) as Kept);
        self.gathered.find(TypeId::of::<G>(), namespace, &make)?.downcast().map_err(|_| foreign(namespace))
    }
}

/// Apart, as there would be a copy of it for each type.
#[cold]
#[inline(never)]
fn foreign(namespace: &str) -> ContextError {
    ContextError { what: namespace.to_owned(), reason: "gathered as another type".to_owned() }
}

impl Gathered {
    /// What has been gathered, or is made now. Apart from what it is: a module has a copy of all that depends on a type for
    /// each type.
    fn find(
        &self,
        of: TypeId,
        namespace: &str,
        make: &dyn Fn() -> Result<Kept, ContextError>,
    ) -> Result<Kept, ContextError> {
        let entries = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (of, namespace);
        let place = |entries: &[Entry]| entries.binary_search_by(|(of, name, _)| (*of, name.as_str()).cmp(&key));
        let found = {
            let entries = entries();
            place(&entries).ok().and_then(|at| entries.get(at).map(|(.., found)| found.clone()))
        };
        found.unwrap_or_else(|| {
            // Not under the lock: gathering asks for what else is gathered. Two threads may gather the same, and the first one's
            // is kept.
            let kept = make();
            let mut entries = entries();
            match place(&entries) {
                Ok(at) => entries.get(at).map_or(kept, |(.., found)| found.clone()),
                Err(at) => {
                    entries.insert(at, (of, namespace.to_owned(), kept.clone()));
                    kept
                }
            }
        })
    }
}
