//! Go: `github.com/tencentcloud/tencentcloud-sdk-go`.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, literal};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let text = |text: &str| literal(text, Escapes::Go);
    let values = Typed {
        mark: "//",
        is_strict: true,
        indent: "\t",
        number: |number| format!("common.Uint64Ptr({number})"),
        text: |text| format!("common.StringPtr({})", literal(text, Escapes::Go)),
        texts: |texts| {
            format!("common.StringPtrs([]string{{{}}})", list(texts, |text| literal(text, Escapes::Go)))
        },
        statement: |name, value| format!("request.{name} = {value}"),
    };
    format!(
        r#"// go get github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common
// go get github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/trtc
package main

import (
	"fmt"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	trtc "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/trtc/v20190722"
)

{note}func main() {{
	credential := common.NewCredential("{SECRET_ID}", "{SECRET_KEY}")
	settings := profile.NewClientProfile()
	settings.SignMethod = "{sign}"
	settings.HttpProfile.Scheme = "{scheme}"
	settings.HttpProfile.Endpoint = {host}
	settings.HttpProfile.ReqMethod = "{method}"
	client, err := trtc.NewClient(credential, {region}, settings)
	if err != nil {{
		panic(err)
	}}

	request := trtc.New{action}Request()
{values}
	reply, err := client.{action}(request)
	if err != nil {{
		panic(err)
	}}
	fmt.Println(reply.ToJsonString())
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
