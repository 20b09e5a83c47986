//! PHP: `tencentcloud/trtc`.

use super::{SECRET_ID, SECRET_KEY, Sample, comment, list, single};
use crate::web::explorer::request::Value;

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let values: String = request
        .values
        .iter()
        .map(|(param, value)| {
            let value = match value {
                Value::Number(number) => number.to_string(),
                Value::Text(text) => single(text),
                Value::Texts(texts) => format!("[{}]", list(texts, single)),
            };
            format!("    '{}' => {value},\n", param.name)
        })
        .collect();
    format!(
        r"<?php
// composer require tencentcloud/trtc
{note}require_once 'vendor/autoload.php';

use TencentCloud\Common\Credential;
use TencentCloud\Common\Exception\TencentCloudSDKException;
use TencentCloud\Common\Profile\ClientProfile;
use TencentCloud\Common\Profile\HttpProfile;
use TencentCloud\Trtc\V20190722\Models\{action}Request;
use TencentCloud\Trtc\V20190722\TrtcClient;

$credential = new Credential('{SECRET_ID}', '{SECRET_KEY}');
$http = new HttpProfile('{scheme}://', {host}, '{method}');
$profile = new ClientProfile('{sign}', $http);
$client = new TrtcClient($credential, {region}, $profile);

$request = new {action}Request();
$request->fromJsonString(json_encode([
{values}]));

try {{
    echo $client->{action}($request)->toJsonString(), PHP_EOL;
}} catch (TencentCloudSDKException $error) {{
    echo $error, PHP_EOL;
    exit(1);
}}
",
        note = comment("//", sample),
        action = request.action.name,
        scheme = request.endpoint.scheme(),
        host = single(&request.endpoint.host),
        method = request.verb.name(),
        sign = request.scheme.name(),
        region = single(&request.region),
    )
}
