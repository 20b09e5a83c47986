//! Every bound in one place, named with its unit, and the rules that decide by a bound: how often one may ask,
//! how far back an edition reaches. Beside them what everybody needs to hold secrets, and what changes while the server
//! runs. Pure: no clock, no IO.

mod attempts;
mod current;
mod edition;
mod secret;
pub mod rate;

pub use attempts::{Attempts, From};
pub use current::Current;
pub use edition::{Edition, Reach};
pub use secret::Secret;

/// The largest body the HTTP layer reads; also the bound of a version 3 POST (contract section 2).
pub const BODY_BYTES_MAX: usize = 10 * 1_024 * 1_024;
/// The largest version 1 form body.
pub const FORM_BYTES_MAX: usize = 1_024 * 1_024;
/// The longest request target (path and query).
pub const TARGET_BYTES_MAX: usize = 32 * 1_024;
/// The most parameters a query, form or multipart body may hold. `UserIds` needs 100 of them.
pub const PARAMETERS_MAX: usize = 1_024;
/// How far the time of a request may be from the server's clock, in seconds, either way, inclusive.
pub const CLOCK_SKEW_S: u64 = 300;
/// The longest trace id that is echoed, in bytes.
pub const TRACE_ID_BYTES_MAX: usize = 128;
/// Prepared signing keys kept at once; each takes about half a kilobyte.
pub const SIGNING_KEYS_MAX: usize = 4_096;

/// The most users one question may name.
pub const USER_IDS_MAX: usize = 100;
/// The same where metrics are asked, and for the old action names.
pub const USER_IDS_FEW_MAX: usize = 6;
/// The largest page.
pub const PAGE_SIZE_MAX: u64 = 100;
/// The largest page where metrics are asked.
pub const PAGE_SIZE_FEW_MAX: u64 = 6;
/// The page of users where none is asked for.
pub const USER_PAGE_SIZE: u64 = 6;
/// The page of rooms where none is asked for.
pub const ROOM_PAGE_SIZE: u64 = 10;
/// The longest window where metrics or unusual events are asked, in seconds.
pub const METRIC_WINDOW_S: u64 = 3_600;
/// The most stays of the users of one page that their metrics are looked for in.
pub const STAYS_MAX: usize = 10_000;
/// The most points of metrics in one answer; some 70 MB of it.
pub const METRIC_POINTS_MAX: usize = 2_000_000;
/// The most unusual events in one answer.
pub const UNUSUAL_EVENTS_MAX: usize = 20;
/// Calls and sessions that one question for unusual events looks at, at most.
pub const UNUSUAL_ROWS_MAX: usize = 1_000;
/// Values that one question for unusual events looks at before it takes up no further user.
pub const UNUSUAL_VALUES_MAX: usize = 5_000_000;
/// How far back the basic edition reaches, in days.
pub const BASIC_REACH_DAYS: u32 = 7;
/// Seconds of a day.
pub const DAY_S: i64 = 86_400;
/// The latest second that windows reach; later ones are taken for it, so that milliseconds cannot overflow.
pub const SECOND_MAX: i64 = i64::MAX / 1_000 - 1;
