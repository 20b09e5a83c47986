//! Java: `com.tencentcloudapi:tencentcloud-sdk-java-trtc`.

use super::{Escapes, SECRET_ID, SECRET_KEY, Sample, Typed, comment, list, literal};

pub(super) fn render(sample: &Sample<'_>) -> String {
    let request = sample.request;
    let text = |text: &str| literal(text, Escapes::Java);
    let values = Typed {
        mark: "//",
        is_strict: true,
        indent: "        ",
        number: |number| {
            // What a `long` cannot hold is written as its bits: the SDK sends it as it is read.
            i64::try_from(number)
                .map_or_else(|_| format!("{}L", number.cast_signed()), |number| format!("{number}L"))
        },
        text: |text| literal(text, Escapes::Java),
        texts: |texts| format!("new String[] {{{}}}", list(texts, |text| literal(text, Escapes::Java))),
        statement: |name, value| format!("request.set{name}({value});"),
    };
    format!(
        r#"// Maven: com.tencentcloudapi:tencentcloud-sdk-java-trtc
import com.tencentcloudapi.common.AbstractModel;
import com.tencentcloudapi.common.Credential;
import com.tencentcloudapi.common.exception.TencentCloudSDKException;
import com.tencentcloudapi.common.profile.ClientProfile;
import com.tencentcloudapi.common.profile.HttpProfile;
import com.tencentcloudapi.trtc.v20190722.TrtcClient;
import com.tencentcloudapi.trtc.v20190722.models.{action}Request;

{note}public class Sample {{
    public static void main(String[] args) throws TencentCloudSDKException {{
        Credential credential = new Credential("{SECRET_ID}", "{SECRET_KEY}");
        HttpProfile http = new HttpProfile();
        http.setProtocol("{scheme}://");
        http.setEndpoint({host});
        http.setReqMethod("{method}");
        ClientProfile profile = new ClientProfile();
        profile.setSignMethod("{sign}");
        profile.setHttpProfile(http);
        TrtcClient client = new TrtcClient(credential, {region}, profile);

        {action}Request request = new {action}Request();
{values}
        System.out.println(AbstractModel.toJsonString(client.{action}(request)));
    }}
}}
"#,
        note = comment("//", sample),
        action = request.action.name,
        scheme = request.endpoint.scheme(),
        host = text(&request.endpoint.host),
        method = request.verb.name(),
        sign = request.scheme.name(),
        region = text(&request.region),
        values = values.lines(sample.lang, request),
    )
}
