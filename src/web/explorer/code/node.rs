//! Node.js: `tencentcloud-sdk-nodejs`.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, comment, list, literal};
use crate::web::explorer::request::Value;

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let text = |text: &str| literal(text, Escapes::Unicode);
    let values: String = request
        .values
        .iter()
        .map(|(param, value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Text(one) => text(one),
                Value::Texts(texts) => format!("[{}]", list(texts, text)),
            };
            format!("  {}: {value},\n", param.name)
        })
        .collect();
    format!(
        r#"// npm install tencentcloud-sdk-nodejs
{note}const {{ trtc }} = require("tencentcloud-sdk-nodejs");

const client = new trtc.v20190722.Client({{
  credential: {{ secretId: "{SECRET_ID}", secretKey: "{SECRET_KEY}" }},
  region: {region},
  profile: {{
    signMethod: "{sign}",
    httpProfile: {{ protocol: "{scheme}://", endpoint: {host}, reqMethod: "{method}" }},
  }},
}});

const params = {{
{values}}};

client.{action}(params).then(
  (reply) => console.log(JSON.stringify(reply, null, 2)),
  (error) => {{
    console.error(error);
    process.exitCode = 1;
  }},
);
"#,
        note = comment("//", sample),
        region = text(&request.region),
        sign = request.scheme.name(),
        scheme = request.endpoint.scheme(),
        host = text(&request.endpoint.host),
        method = request.verb.name(),
        action = request.action.name,
    )
}
