//! The vendor's command line, for a POSIX shell. It signs with version 3 and posts, whatever is chosen.

use super::{SECRET_ID, SECRET_KEY, Sample, comment, shell};
use crate::web::explorer::request::Value;
use crate::wire::VERSION;

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let values: String = request
        .values
        .iter()
        .map(|(param, value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Text(text) => shell(text),
                Value::Texts(_) => shell(&value.json()),
            };
            // What begins like an option is one, unless it is joined.
            let joint = if value.starts_with("'-") { "=" } else { " " };
            format!(" \\\n  --{}{joint}{value}", param.name)
        })
        .collect();
    format!(
        "# pip install tccli\n\
         {note}export TENCENTCLOUD_SECRET_ID={SECRET_ID}\n\
         export TENCENTCLOUD_SECRET_KEY={SECRET_KEY}\n\
         tccli trtc {action} --version {VERSION} --region {region} \\\n  --endpoint {endpoint}{values}\n",
        note = comment("#", sample),
        action = request.action.name,
        region = request.region,
        endpoint = shell(&format!("{}://{}", request.endpoint.scheme(), request.endpoint.host)),
    )
}
