//! Ruby: `tencentcloud-sdk-trtc`.

use super::{SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, single};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let values = Typed {
        mark: "#",
        is_strict: false,
        indent: "  ",
        number: |number| number.to_string(),
        text: single,
        texts: |texts| format!("[{}]", list(texts, single)),
        statement: |name, value| format!("request.{name} = {value}"),
    };
    format!(
        r"# gem install tencentcloud-sdk-common tencentcloud-sdk-trtc
{note}require 'tencentcloud-sdk-common'
require 'tencentcloud-sdk-trtc'

include TencentCloud::Common
include TencentCloud::Trtc::V20190722

begin
  http = HttpProfile.new
  http.scheme = '{scheme}'
  http.endpoint = {host}
  http.req_method = '{method}'
  profile = ClientProfile.new
  profile.sign_method = '{sign}'
  profile.http_profile = http
  client = Client.new(Credential.new('{SECRET_ID}', '{SECRET_KEY}'), {region}, profile)

  request = {action}Request.new
{values}
  puts client.{action}(request).serialize
rescue TencentCloudSDKException => error
  abort error.message
end
",
        note = comment("#", sample),
        scheme = request.endpoint.scheme(),
        host = single(&request.endpoint.host),
        method = request.verb.name(),
        sign = request.scheme.name(),
        region = single(&request.region),
        action = request.action.name,
        values = values.lines(sample.lang, request),
    )
}
