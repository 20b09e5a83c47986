//! The imitated API's bytes: what a request says, whether its signature holds, what its parameters are, and how
//! an answer looks. Pure: time, keys and limits are arguments. Sections 2 to 8 of the contract.
//!
//! Read [`open`] first (the common part of a request, untrusted), then [`Call::verify`], then [`Call::decode`]
//! (the parameters of one action), then [`envelope`] (the only place that builds an answer).

mod text;
mod error;
mod open;
mod host;
mod tc3;
mod v1;
mod keys;
mod params;
mod json;
mod pairs;
mod multipart;
mod envelope;
pub mod sign;

pub use envelope::{Fields, Json, envelope};
pub use error::{ErrorCode, Fault, Use, docs};
pub use keys::SigningKeys;
pub use open::{Call, Opened, open};
pub use params::{Kind, Param, Params};
pub use text::Text;

/// The version of the API.
pub const VERSION: &str = "2019-07-22";

/// A request as it came from the socket. Nothing of it has been trusted yet.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query as received.
    pub target: &'a str,
    /// Header names in any case, values as bytes, in the order received.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body.
    pub body: Body<'a>,
}

/// A body, or that there was too much of it.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The HTTP layer stopped reading at its limit.
    TooLarge,
}

/// What bounds a request. The numbers live in `limits`, which this module does not know.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest target, in bytes.
    pub target_bytes: usize,
    /// Largest version 1 form, in bytes.
    pub form_bytes: usize,
    /// Largest version 3 body, in bytes.
    pub body_bytes: usize,
    /// Most parameters of a query, form, multipart or JSON body; also most entries of one list.
    pub parameters: usize,
    /// Longest trace id that is echoed, in bytes.
    pub trace_id_bytes: usize,
}

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// What is spoken unless `zh-CN` is asked for.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The language of that name; unknown names speak English.
    pub fn from_name(name: &str) -> Language {
        if name.eq_ignore_ascii_case("zh-CN") { Language::Chinese } else { Language::English }
    }
}
