//! What `DeviceType` shows. The vendor's own wording is not published (its example shows `""`), so the table
//! is ours; `docs/deviations.md` has it.

use super::{Attr, Attrs};

/// The text of `DeviceType`: what was reported as the device; else the table over TRTC's `TerminalType` and
/// `UserType`; else `""`.
pub fn device_type(attrs: &Attrs) -> &str {
    if let Some(device) = attrs.get(&Attr::Device) {
        return device;
    }
    let terminal = attrs.get(&Attr::Terminal).map(String::as_str);
    let user_type = attrs.get(&Attr::UserType).map(String::as_str);
    match (user_type, terminal) {
        (Some("2"), _) => "MiniProgram",
        (Some("1"), Some("1")) => "WebRTC-Windows",
        (Some("1"), Some("2")) => "WebRTC-Android",
        (Some("1"), Some("3")) => "WebRTC-iOS",
        (Some("1"), Some("4")) => "WebRTC-Linux",
        (Some("1"), _) => "WebRTC",
        (_, Some("1")) => "Windows",
        (_, Some("2")) => "Android",
        (_, Some("3")) => "iOS",
        (_, Some("4")) => "Linux",
        (_, Some("100")) => "Other",
        (_, _) => "",
    }
}
