//! Which versions of TLS are too old.

use crate::reader::Directive;
use crate::sources::Source;

/// Those that <https://www.rfc-editor.org/rfc/rfc8996> and the RFCs before it forbid.
const OLD: [&str; 4] = ["SSLv2", "SSLv3", "TLSv1", "TLSv1.1"];

/// There are six versions; what is more is not read.
const MOST: usize = 9;

/// The versions of a `ssl_protocols`: those that are too old, and the others.
pub fn old_and_new(source: &Source<'_>, directive: &Directive) -> (Vec<String>, Vec<String>) {
    let words = source.config.words(directive).iter().skip(1).take(MOST);
    words.map(|word| word.value(&source.text).into_owned()).partition(|version| OLD.contains(&&**version))
}
