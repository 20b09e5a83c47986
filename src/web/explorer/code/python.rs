//! Python: `tencentcloud-sdk-python`, either edition.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, literal};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let (action, endpoint) = (request.action.name, &request.endpoint);
    let text = |text: &str| literal(text, Escapes::Unicode);
    let values = Typed {
        mark: "#",
        is_strict: false,
        indent: "",
        number: |number| number.to_string(),
        text: |text| literal(text, Escapes::Unicode),
        texts: |texts| format!("[{}]", list(texts, |text| literal(text, Escapes::Unicode))),
        statement: |name, value| format!("request.{name} = {value}"),
    };
    format!(
        r#"# pip install tencentcloud-sdk-python
{note}from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client

cred = credential.Credential("{SECRET_ID}", "{SECRET_KEY}")
http = HttpProfile(protocol="{scheme}", endpoint={host}, reqMethod="{method}")
profile = ClientProfile(signMethod="{sign}", httpProfile=http)
client = trtc_client.TrtcClient(cred, {region}, profile)

request = models.{action}Request()
{values}
try:
    print(client.{action}(request).to_json_string(indent=2))
except TencentCloudSDKException as error:
    raise SystemExit(str(error))
"#,
        note = comment("#", sample),
        scheme = endpoint.scheme(),
        host = text(&endpoint.host),
        method = request.verb.name(),
        sign = request.scheme.name(),
        region = text(&request.region),
        values = values.lines(sample.lang, request),
    )
}
