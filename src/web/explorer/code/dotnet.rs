//! .NET: `TencentCloudSDK.Trtc`.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, literal};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let text = |text: &str| literal(text, Escapes::Unicode);
    let values = Typed {
        mark: "//",
        is_strict: true,
        indent: "        ",
        number: |number| number.to_string(),
        text: |text| literal(text, Escapes::Unicode),
        texts: |texts| format!("new string[] {{ {} }}", list(texts, |text| literal(text, Escapes::Unicode))),
        statement: |name, value| format!("request.{name} = {value};"),
    };
    format!(
        r#"// dotnet add package TencentCloudSDK.Trtc
using System;
using TencentCloud.Common;
using TencentCloud.Common.Profile;
using TencentCloud.Trtc.V20190722;
using TencentCloud.Trtc.V20190722.Models;

{note}class Sample
{{
    static void Main()
    {{
        var credential = new Credential {{ SecretId = "{SECRET_ID}", SecretKey = "{SECRET_KEY}" }};
        var profile = new ClientProfile
        {{
            SignMethod = "{sign}",
            HttpProfile = new HttpProfile {{ Protocol = "{scheme}://", Endpoint = {host}, ReqMethod = "{method}" }},
        }};
        var client = new TrtcClient(credential, {region}, profile);

        var request = new {action}Request();
{values}
        Console.WriteLine(AbstractModel.ToJsonString(client.{action}Sync(request)));
    }}
}}
"#,
        note = comment("//", sample),
        sign = request.scheme.name(),
        scheme = request.endpoint.scheme(),
        host = text(&request.endpoint.host),
        method = request.verb.name(),
        region = text(&request.region),
        action = request.action.name,
        values = values.lines(sample.lang, request),
    )
}
