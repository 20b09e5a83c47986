//! C++: `tencentcloud-sdk-cpp`, which signs with version 3 and posts, whatever is chosen.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, literal};
use crate::web::explorer::request::{Scheme, Verb};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let text = |text: &str| literal(text, Escapes::Bytes);
    let values = Typed {
        mark: "//",
        is_strict: true,
        indent: "    ",
        number: |number| format!("{number}u"),
        text: |text| literal(text, Escapes::Bytes),
        texts: |texts| format!("{{{}}}", list(texts, |text| literal(text, Escapes::Bytes))),
        statement: |name, value| format!("request.Set{name}({value});"),
    };
    let is_usual = request.scheme == Scheme::Tc3 && request.verb == Verb::Post;
    let only = if is_usual { "" } else { "// This SDK only posts, and signs with TC3-HMAC-SHA256.\n" };
    format!(
        r#"// https://github.com/TencentCloud/tencentcloud-sdk-cpp, built with core and trtc
{only}{note}#include <iostream>
#include <tencentcloud/core/Credential.h>
#include <tencentcloud/core/TencentCloud.h>
#include <tencentcloud/core/profile/ClientProfile.h>
#include <tencentcloud/core/profile/HttpProfile.h>
#include <tencentcloud/trtc/v20190722/TrtcClient.h>
#include <tencentcloud/trtc/v20190722/model/{action}Request.h>
#include <tencentcloud/trtc/v20190722/model/{action}Response.h>

using namespace TencentCloud;
using namespace TencentCloud::Trtc::V20190722;
using namespace TencentCloud::Trtc::V20190722::Model;

int main() {{
    TencentCloud::InitAPI();
    Credential credential("{SECRET_ID}", "{SECRET_KEY}");
    HttpProfile http;
    http.SetProtocol(HttpProfile::{scheme});
    http.SetEndpoint({host});
    ClientProfile profile(http);
    TrtcClient client(credential, {region}, profile);

    {action}Request request;
{values}
    auto outcome = client.{action}(request);
    if (!outcome.IsSuccess()) {{
        std::cerr << outcome.GetError().PrintAll() << std::endl;
        return 1;
    }}
    std::cout << outcome.GetResult().ToJsonString() << std::endl;
    TencentCloud::ShutdownAPI();
}}
"#,
        note = comment("//", sample),
        action = request.action.name,
        scheme = request.endpoint.scheme().to_ascii_uppercase(),
        host = text(&request.endpoint.host),
        region = text(&request.region),
        values = values.lines(sample.lang, request),
    )
}
