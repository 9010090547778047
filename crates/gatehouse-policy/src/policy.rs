//! A policy as the checker and the module see it.

use std::fmt;

#[cfg(not(target_arch = "wasm32"))]
use serde_json::Value;

#[cfg(feature = "around")]
use crate::around::{Around, Asked, ContextError, Gathered, Host, Nothing};
#[cfg(not(target_arch = "wasm32"))]
use crate::file::{File, FileError};
#[cfg(not(target_arch = "wasm32"))]
use crate::finding::Finding;
use crate::finding::{Found, Report, Rule, Verdict};
use crate::node::Node;
#[cfg(feature = "around")]
use crate::path::Path;
use crate::request::Request;
use crate::settings::{self, Common, Exempt, Settings};
#[cfg(feature = "around")]
use crate::settings::{AroundSettings, OnContextError};
use crate::view::ReadError;

/// A policy: made by the [`policy!`](crate::policy!) macro, one a crate.
#[derive(Clone, Copy)]
pub struct Policy {
    /// Its name, that of its crate: `required-probes`.
    pub name: &'static str,
    /// Its rules, in the order in which they are documented.
    pub rules: &'static [&'static Rule],
    /// The subresources it judges beside the objects themselves.
    pub subresources: &'static [&'static str],
    /// Its `metadata.yml`, as JSON.
    pub metadata: &'static str,
    /// The kinds of objects that it asks for beside the one it judges.
    #[cfg(feature = "around")]
    pub asks: &'static [Asked],
    #[cfg(feature = "around")]
    looks_around: bool,
    configure: Configure,
    // A module has no use for the schema, which would be a third of its size.
    #[cfg(not(target_arch = "wasm32"))]
    schema: fn() -> Value,
}

type Configure = fn(&Policy, &Node<'_>) -> Result<Box<dyn Judge>, ReadError>;

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A policy's code: looks at a request with the policy's settings, and reports.
pub type Review<S> = fn(&Request<'_>, &Context<'_, S>, &mut Report<'_>) -> Result<(), ReadError>;

/// A policy's code for files that are no Kubernetes objects.
#[cfg(not(target_arch = "wasm32"))]
pub type FileReview<S> = fn(&File<'_>, &Context<'_, S>, &mut Report<'_>) -> Result<(), FileError>;

/// What a policy judges by.
#[derive(Debug)]
pub struct Context<'s, S> {
    /// The policy's own settings.
    pub settings: &'s S,
    /// What is exempt. Objects that are exempt as a whole never reach the policy.
    pub exempt: &'s Exempt,
}

/// A type that names a review, so that one function pointer can stand for settings and code together.
#[doc(hidden)]
pub trait Code: 'static {
    type Settings: Settings;
    #[cfg(feature = "around")]
    const ASKS: &'static [Asked] = &[];
    #[cfg(feature = "around")]
    const LOOKS_AROUND: bool = false;
    const REVIEW: Review<Self::Settings>;
    #[cfg(not(target_arch = "wasm32"))]
    const FILE_REVIEW: Option<FileReview<Self::Settings>> = None;
}

impl Policy {
    #[doc(hidden)]
    #[must_use]
    pub const fn new<C: Code>(
        name: &'static str,
        rules: &'static [&'static Rule],
        subresources: &'static [&'static str],
        metadata: &'static str,
    ) -> Self {
        Self {
            name,
            rules,
            subresources,
            metadata,
            #[cfg(feature = "around")]
            asks: C::ASKS,
            #[cfg(feature = "around")]
            looks_around: C::LOOKS_AROUND,
            configure: configure::<C>,
            #[cfg(not(target_arch = "wasm32"))]
            schema: schema::<C>,
        }
    }

    /// Reads settings once, for any number of requests. An absent document is the defaults.
    ///
    /// # Errors
    /// A field that nobody knows, that has the wrong type or contradicts another.
    pub fn configure(&self, settings: &Node<'_>) -> Result<Configured, ReadError> {
        Ok(Configured { policy: *self, judge: (self.configure)(self, settings)? })
    }

    /// The JSON Schema of the settings.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn settings_schema(&self) -> Value {
        (self.schema)()
    }

    /// Whether it asks what is around an object: for other objects or for images.
    #[cfg(feature = "around")]
    #[must_use]
    pub fn looks_around(&self) -> bool {
        self.looks_around
    }
}

/// A policy with its settings.
pub struct Configured {
    policy: Policy,
    judge: Box<dyn Judge>,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("policy", &self.policy.name).finish_non_exhaustive()
    }
}

impl Configured {
    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the module is to mend what it can.
    #[must_use]
    pub fn fixes(&self) -> bool {
        self.judge.common().fix
    }

    /// Judges a request, with nothing known of what is around its object.
    ///
    /// # Errors
    /// Where the object is not of the shape that the API gives its kind.
    #[cfg(not(feature = "around"))]
    pub fn review(&self, request: &Request<'_>) -> Result<Verdict, ReadError> {
        if self.passes(request) {
            return Ok(Verdict::default());
        }
        let found = self.judge.review(self.policy.name, request).map_err(ReadError::discreet)?;
        Ok(kept(found.finish(), request.is_settled()))
    }

    /// Whether the policy has no say on a request.
    fn passes(&self, request: &Request<'_>) -> bool {
        let known = request.subresource.is_empty() || self.policy.subresources.contains(&request.subresource);
        !known || request.is_beyond_judgement() || self.judge.common().exempt.object(request.namespace, request.name)
    }
}

/// The verdict without the changes that an API server would refuse.
fn kept(mut verdict: Verdict, is_settled: bool) -> Verdict {
    if is_settled {
        verdict.edits.retain(|edit| !edit.is_within("spec"));
    }
    verdict
}

#[cfg(feature = "around")]
impl Configured {
    /// Judges a request, with nothing known of what is around its object.
    ///
    /// # Errors
    /// Where the object is not of the shape that the API gives its kind.
    pub fn review(&self, request: &Request<'_>) -> Result<Verdict, ReadError> {
        let around = (Nothing, Gathered::default());
        self.begin(request)?
            .settle(&Around::of(request, &around.0, &around.1))
            .map_err(|error| ReadError::new(error.to_string()))
    }

    /// Judges a request among what a host has.
    ///
    /// # Errors
    /// Where the object cannot be read, or the host does not answer.
    pub fn review_among(&self, request: &Request<'_>, host: &dyn Host) -> Result<Verdict, ReviewError> {
        let gathered = Gathered::default();
        let pending = self.begin(request).map_err(ReviewError::Object)?;
        pending.settle(&Around::of(request, host, &gathered)).map_err(ReviewError::Context)
    }

    /// Judges a request as far as that is possible without a look around.
    ///
    /// # Errors
    /// Where the object is not of the shape that the API gives its kind.
    pub fn begin(&self, request: &Request<'_>) -> Result<Pending, ReadError> {
        let mut pending = Pending { warns: self.judge.warns(), ..Pending::default() };
        if !self.passes(request) {
            pending.found = self.judge.review(self.policy.name, request).map_err(ReadError::discreet)?;
            pending.is_settled = request.is_settled();
        }
        Ok(pending)
    }
}

/// A verdict that may depend on what is around the object. It keeps nothing of the object.
#[cfg(feature = "around")]
#[derive(Debug, Default)]
pub struct Pending {
    found: Found,
    is_settled: bool,
    warns: bool,
}

#[cfg(feature = "around")]
impl Pending {
    /// Whether it does not depend on it.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.found.is_certain()
    }

    /// The rule and the path of what is found, and of what may be.
    pub fn possible(&self) -> impl Iterator<Item = (String, Path)> {
        self.found.possible()
    }

    /// The verdict.
    ///
    /// # Errors
    /// Where what is around the object is not to be known.
    pub fn settle(self, around: &Around<'_>) -> Result<Verdict, ContextError> {
        Ok(self.settle_numbered(around)?.0)
    }

    /// The verdict, and which of [`Self::possible`] each of its findings is. A warning that it is not known what is around the
    /// object is none of them, and has no number.
    ///
    /// # Errors
    /// Where what is around the object is not to be known.
    pub fn settle_numbered(self, around: &Around<'_>) -> Result<(Verdict, Vec<usize>), ContextError> {
        let (verdict, numbers) = self.found.settle(around, self.warns)?;
        Ok((kept(verdict, self.is_settled), numbers))
    }
}

/// Why a request has no verdict.
#[cfg(feature = "around")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewError {
    /// The object cannot be read.
    Object(ReadError),
    /// What is around it is not to be known.
    Context(ContextError),
}

#[cfg(not(target_arch = "wasm32"))]
impl Configured {
    /// Judges a file that is no Kubernetes object. Exempt are files whose names in reports match `exempt.names`.
    ///
    /// # Errors
    /// Where the file is not what its name says.
    pub fn review_file(&self, file: &File<'_>) -> Result<Vec<Finding>, FileError> {
        if self.judge.common().exempt.object("", file.name) {
            return Ok(Vec::new());
        }
        self.judge.review_file(self.policy.name, file)
    }
}

trait Judge: Send + Sync {
    fn common(&self) -> &Common;
    #[cfg(not(target_arch = "wasm32"))]
    fn review_file(&self, policy: &'static str, file: &File<'_>) -> Result<Vec<Finding>, FileError>;
    fn review(&self, policy: &'static str, request: &Request<'_>) -> Result<Found, ReadError>;
    #[cfg(feature = "around")]
    fn warns(&self) -> bool;
}

struct Typed<C: Code> {
    common: Common,
    #[cfg(feature = "around")]
    around: AroundSettings,
    settings: C::Settings,
}

impl<C: Code> Judge for Typed<C> {
    fn common(&self) -> &Common {
        &self.common
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn review_file(&self, policy: &'static str, file: &File<'_>) -> Result<Vec<Finding>, FileError> {
        let Some(review) = C::FILE_REVIEW else { return Ok(Vec::new()) };
        let no_object = Node::empty();
        let mut report = Report::new(policy, &self.common.rules, &no_object);
        review(file, &Context { settings: &self.settings, exempt: &self.common.exempt }, &mut report)?;
        Ok(report.found().finish().findings)
    }

    fn review(&self, policy: &'static str, request: &Request<'_>) -> Result<Found, ReadError> {
        let mut report = Report::new(policy, &self.common.rules, request.object);
        let context = Context { settings: &self.settings, exempt: &self.common.exempt };
        C::REVIEW(request, &context, &mut report)?;
        Ok(report.found())
    }

    #[cfg(feature = "around")]
    fn warns(&self) -> bool {
        self.around.on_context_error == OnContextError::Warn
    }
}

fn configure<C: Code>(policy: &Policy, node: &Node<'_>) -> Result<Box<dyn Judge>, ReadError> {
    #[cfg(feature = "around")]
    if C::LOOKS_AROUND {
        let (common, around, settings) = settings::read_around(node, policy.rules)?;
        return Ok(Box::new(Typed::<C> { common, around, settings }));
    }
    let (common, settings) = settings::read(node, policy.rules)?;
    Ok(Box::new(Typed::<C> {
        common,
        #[cfg(feature = "around")]
        around: AroundSettings::default(),
        settings,
    }))
}

#[cfg(not(target_arch = "wasm32"))]
/// The policy's own schema with the common fields beside its own, and unknown ones refused.
fn schema<C: Code>() -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                if members.contains_key("properties") {
                    members.insert("additionalProperties".to_owned(), Value::Bool(false));
                }
                members.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    fn extend(own: &mut Value, mut shared: Value) {
        for part in ["properties", "$defs"] {
            if let (Some(Value::Object(theirs)), Value::Object(own)) =
                (shared.get_mut(part).map(Value::take), &mut *own)
            {
                let ours = own.entry(part).or_insert_with(|| Value::Object(serde_json::Map::new()));
                if let Value::Object(ours) = ours {
                    ours.extend(theirs);
                }
            }
        }
    }
    let mut own = Value::from(schemars::schema_for!(C::Settings));
    extend(&mut own, Value::from(schemars::schema_for!(Common)));
    #[cfg(feature = "around")]
    if C::LOOKS_AROUND {
        extend(&mut own, Value::from(schemars::schema_for!(AroundSettings)));
    }
    close(&mut own);
    own
}

/// Declares a policy's rules as documented constants, and all of them as `RULES`.
///
/// ```
/// gatehouse_policy::rules! {
///     /// A container without a livenessProbe.
///     LIVENESS = "liveness": deny;
///     /// Two probes that are the same.
///     IDENTICAL = "identical": off;
/// }
/// assert_eq!(RULES[0].docs.trim(), "A container without a livenessProbe.");
/// ```
#[macro_export]
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $constant:ident = $name:literal: $level:ident;)+) => {
        $(
            $(#[doc = $doc])+
            pub const $constant: $crate::Rule = $crate::Rule {
                name: $name,
                level: $crate::rules!(@level $level),
                docs: if cfg!(target_arch = "wasm32") { "" } else { concat!($($doc, "\n"),+) },
            };
        )+
        /// Every rule, in the order of the documentation.
        pub const RULES: &[&$crate::Rule] = &[$(&$constant),+];
    };
    (@level deny) => { Some($crate::Level::Deny) };
    (@level warn) => { Some($crate::Level::Warn) };
    (@level off) => { None };
}

/// Makes a crate a policy: `POLICY` for the checker and, compiled to WebAssembly, a Kubewarden module. Needs the crate's
/// `RULES`, made by [`rules!`](crate::rules), and a `metadata.yml`, brought in by the build script.
///
/// `policy!(Settings, review)`, or `policy!(Settings, review, subresources: ["ephemeralcontainers"])` for a policy that
/// judges subresources too. At its end may stand `files: review_file`, the function that judges files which are no
/// Kubernetes objects ([`FileReview`](crate::policy::FileReview)); their names stand in `metadata.yml`. A policy that looks
/// around names the kinds it asks for, `asks: [SERVICES, SECRETS]`, and none if it asks for images alone.
#[macro_export]
macro_rules! policy {
    (
        $settings:ty, $review:path
        $(, subresources: [$($subresource:literal),+ $(,)?])?
        $(, asks: [$($asked:path),* $(,)?])?
        $(, files: $file_review:path)?
        $(,)?
    ) => {
        struct Code;

        impl $crate::policy::Code for Code {
            type Settings = $settings;
            $(
                const ASKS: &'static [$crate::Asked] = &[$($asked.asked()),*];
                const LOOKS_AROUND: bool = true;
            )?
            const REVIEW: $crate::policy::Review<$settings> = $review;
            $(
                #[cfg(not(target_arch = "wasm32"))]
                const FILE_REVIEW: Option<$crate::policy::FileReview<$settings>> = Some($file_review);
            )?
        }

        /// This policy.
        pub static POLICY: $crate::Policy = $crate::Policy::new::<Code>(
            env!("CARGO_PKG_NAME"),
            RULES,
            &[$($($subresource),+)?],
            // A module has it in a section.
            if cfg!(target_arch = "wasm32") { "" } else { include_str!(concat!(env!("OUT_DIR"), "/metadata.json")) },
        );

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        mod module {
            const METADATA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/metadata.json"));

            /// Kubewarden reads a module's metadata from this section. Were it `#[used]`, its data would have it once more.
            #[unsafe(link_section = "io.kubewarden.metadata")]
            static SECTION: [u8; METADATA.len()] = *METADATA.first_chunk().unwrap();

            fn validate(payload: &[u8]) -> $crate::module::CallResult {
                $crate::module::validate(&super::POLICY, payload)
            }

            fn validate_settings(payload: &[u8]) -> $crate::module::CallResult {
                $crate::module::validate_settings(&super::POLICY, payload)
            }

            /// Called by the waPC host before anything else.
            #[unsafe(no_mangle)]
            pub extern "C" fn wapc_init() {
                $crate::module::register(validate, validate_settings);
            }
        }
    };
}
